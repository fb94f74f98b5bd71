-- SPDX-License-Identifier: MIT
--- What a receipt says of a transaction of ours, and whether it may be believed.
-- `run` is a deposit or refund under way (evm/sender.lua): its payer, spec and id, and the node to ask.
local compat = require "spraay.compat"
local core = require "spraay.core"
local json = require "spraay.json"
local rpc = require "spraay.evm.rpc"
local wei = require "spraay.evm.wei"

local receipts = {}

function receipts.same_address(a, b)
  return type(a) == "string" and type(b) == "string" and a:lower() == b:lower()
end

local same_address = receipts.same_address

local EVENTS = {
  deposit = { name = "Deposited", amount = 2 }, refund = { name = "Refunded", amount = 2 },
}

local function topic_address(topic)
  local bytes = rpc.bytes(topic)
  return bytes and #bytes == 32 and rpc.hex(bytes:sub(13)) or nil
end

--- The amount in the event that a transaction of this step must have left, or nil.
function receipts.event_of(run, row, receipt)
  local want = EVENTS[row.step]
  local logs = json.get(receipt, "logs")
  if not want then return true end
  for _, log in ipairs(type(logs) == "table" and logs or {}) do
    local topics = json.get(log, "topics")
    local topic, data = type(topics) == "table" and rpc.bytes(topics[1]), rpc.bytes(json.get(log, "data"))
    if topic and #topic == 32 and data and same_address(json.get(log, "address"), row.to)
      and same_address(topic_address(topics[2]), run.payer) then
      local values = compat.pack(core.abi_event(topic, data))
      if values[1] == want.name then return values[want.amount], values end
    end
  end
  return nil
end

-- What the payer has deposited into the row's contract, or taken out, by a block; or nil and the node's trouble.
local MOVED = { deposit = 2, refund = 4 }
local function moved_by(run, row, block)
  local values = compat.pack(run.node:contract(row.to, "getAccount", { run.payer }, rpc.quantity(block)))
  if values[1] == nil then return nil, values[2] end
  return values[MOVED[row.step]]
end

-- Did what is said to have reverted move money all the same? A lie about that would be paid for twice. Returns a
-- clause when it did, or when the node cannot be asked just now; a node that keeps no old states says nothing.
local function belied(run, row, block)
  if not MOVED[row.step] or block < 1 then return nil end
  local after, why = moved_by(run, row, block)
  local before = after
  if after then before, why = moved_by(run, row, block - 1) end
  if not before then return why.kind ~= "refused" and why.message or nil end
  return after ~= before and "it shows a failure, and the contract's books show that it did what it says" or nil
end

--- What a receipt says of a row: "done" or "reverted", or nil when it cannot be a receipt of it.
function receipts.judge(run, row, receipt)
  local status, block = json.get(receipt, "status"), rpc.integer(json.get(receipt, "blockNumber"))
  local block_hash = rpc.bytes(json.get(receipt, "blockHash"))
  if not block or not block_hash or #block_hash ~= 32
    or not same_address(json.get(receipt, "transactionHash"), rpc.hex(row.hash))
    or not same_address(json.get(receipt, "from"), run.payer) or not same_address(json.get(receipt, "to"), row.to) then
    return nil, "it shows a receipt of something else"
  end
  local amount = receipts.event_of(run, row, receipt)
  if status == "0x0" then
    local why = amount and EVENTS[row.step] and "it shows a failure that left an event" or belied(run, row, block)
    if why then return nil, why end
    return "reverted", block
  end
  if status ~= "0x1" then return nil, "it shows a receipt that does not say what came of it" end
  if not amount then return nil, "it shows a receipt without the event that must be in it" end
  local meant = run.spec.amount
  if row.purchase == run.id and EVENTS[row.step] and meant ~= "0" and amount ~= meant then
    return nil, "it shows a receipt of another amount"
  end
  return "done", block
end

-- A quantity out of a receipt: gas, or wei; nothing where it cannot be.
local function part_of(receipt, name)
  local digits = rpc.digits(json.get(receipt, name))
  return digits and #digits <= 24 and digits or "0"
end

--- Wei that a transaction cost.
function receipts.cost_of(receipt)
  local cost = wei.product(part_of(receipt, "gasUsed"), part_of(receipt, "effectiveGasPrice"))
  return wei.add(cost, part_of(receipt, "l1Fee"))   -- what the layer below takes for the bytes
end

return receipts
