--- A sender of transactions of a few lines, for specs of the sandbox's chain: builds a type 2 transaction,
--- signs it with the primitives of spraay.core, sends it. It has no caution whatever. Beside it, the
--- chain's levers by name:
---   local sender = require "spec.sandbox.sender"
---   local alice = sender.new(box)
---   local hash, trouble = alice:send{ to = sender.ESCROW, data = sender.deposit(50000000) }
---   sender.lever(box, "POST", "mine", {})
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"

local sender = {}
sender.__index = sender

sender.USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
sender.ESCROW = "0xaF4e43d512C73c6731769620ca6b73f0FCFF9118"

---@param box table   a running sandbox
---@param key? string "0x…"; default the sandbox's own
function sender.new(box, key)
  local key32 = core.hex_decode(key or box.key)
  return setmetatable({ box = box, key32 = key32, address = core.evm_address(key32) }, sender)
end

-- ---- RLP, shortest form ------------------------------------------------------------------------

local function prefix(base, length)
  if length <= 55 then return string.char(base + length) end
  local digits = string.pack(">I4", length):gsub("^\0+", "")
  return string.char(base + 55 + #digits) .. digits
end

local function encode(item)
  if type(item) == "table" then
    local parts = {}
    for i, one in ipairs(item) do parts[i] = encode(one) end
    local content = table.concat(parts)
    return prefix(0xc0, #content) .. content
  end
  if math.type(item) == "integer" then item = string.pack(">I8", item) end
  if #item == 1 and item:byte() < 128 then return item end
  return prefix(0x80, #item) .. item
end
sender.encode = encode

local function integer(value)
  if type(value) == "string" then return value end                 -- bytes as they are
  return (string.pack(">I8", value):gsub("^\0+", ""))
end

local function bytes(text) return text == "" and "" or core.hex_decode(text) end

-- ---- calls -------------------------------------------------------------------------------------

local function word(value)
  if math.type(value) == "integer" then return ("%064x"):format(value) end
  return ("0"):rep(64 - #value + 2) .. value:sub(3):lower()
end

--- "0x…" of a call.
function sender.call(signature, ...)
  local out = { "0x" .. core.hex_encode(core.keccak256(signature):sub(1, 4)) }
  for _, value in ipairs{ ... } do out[#out + 1] = word(value) end
  return table.concat(out)
end

function sender.approve(spender, amount) return sender.call("approve(address,uint256)", spender, amount) end
function sender.deposit(amount) return sender.call("deposit(uint256)", amount) end
function sender.refund() return sender.call "refund()" end
function sender.refund_partial(amount) return sender.call("refundPartial(uint256)", amount) end

-- ---- transactions ------------------------------------------------------------------------------

--- A signed transaction. Given: to, data ("0x…"), value, nonce, gas, fee_cap, tip_cap, chain_id, access_list;
--- numbers are integers, or bytes to be put in as they are.
---@return string raw   "0x…"
---@return string hash
function sender:sign(given)
  local nonce = given.nonce or tonumber((self.box:chain("eth_getTransactionCount", { self.address, "pending" })))
  local fields = {
    integer(given.chain_id or 8453), integer(nonce), integer(given.tip_cap or 1000000),
    integer(given.fee_cap or 20000000), integer(given.gas or 200000), bytes(given.to or ""),
    integer(given.value or 0), bytes(given.data or "0x"), given.access_list or {},
  }
  local digest = core.keccak256("\2" .. encode(fields))
  local signature = core.secp_sign(digest, self.key32)
  fields[10] = integer(signature:byte(65) - 27)
  fields[11] = (signature:sub(1, 32):gsub("^\0+", ""))
  fields[12] = (signature:sub(33, 64):gsub("^\0+", ""))
  local raw = "\2" .. encode(fields)
  return "0x" .. core.hex_encode(raw), "0x" .. core.hex_encode(core.keccak256(raw))
end

--- Sign and send.
---@return string? hash
---@return table? trouble  of the node
---@return string raw
function sender:send(given)
  local raw = self:sign(given)
  local hash, trouble = self.box:chain("eth_sendRawTransaction", { raw })
  return hash, trouble, raw
end

--- The receipt of a transaction, nil while there is none.
function sender:receipt(hash)
  local receipt = self.box:chain("eth_getTransactionReceipt", { hash })
  return type(receipt) == "table" and receipt or nil
end

--- Pull a lever of the sandbox.
---@return table
function sender.lever(box, method, name, body)
  local answer = assert(box:request(method, "/_sandbox/" .. name, { body = body }))
  if answer.status ~= 200 then error(("%s %s: %s"):format(method, name, answer.body), 2) end
  return answer.json
end

return sender
