-- SPDX-License-Identifier: MIT
--- A contract's events about one address, newest first, read in ranges of blocks: nodes answer for a few thousand
-- at a time, and say so by refusing.
local compat = require "spraay.compat"
local core = require "spraay.core"
local json = require "spraay.json"
local rpc = require "spraay.evm.rpc"

local events = {}

local SPAN, SPAN_LEAST = 9000, 50    -- blocks asked about at once
local QUESTIONS = 400                -- at most: eighty days of Base
local BLOCKS = 200                   -- whose time is asked for at once, at most
local REMEMBERED = 5000              -- times of blocks that a client keeps

local function read(log, contract)
  local topics, data = json.get(log, "topics"), rpc.bytes(json.get(log, "data"))
  local topic = type(topics) == "table" and rpc.bytes(topics[1])
  local block = rpc.integer(json.get(log, "blockNumber"))
  local address = json.get(log, "address")
  if not topic or #topic ~= 32 or not data or not block or type(address) ~= "string"
    or address:lower() ~= contract:lower() or json.get(log, "removed") == true then
    return nil
  end
  local values = compat.pack(core.abi_event(topic, data))
  if values[1] == nil then return nil end
  return { values = values, block = block, index = rpc.integer(json.get(log, "logIndex")) or 0,
    transaction = json.get(log, "transactionHash"), block_hash = rpc.bytes(json.get(log, "blockHash")) }
end

local function newer(a, b)
  if a.block ~= b.block then return a.block > b.block end
  return a.index > b.index
end

--- The newest events of a kind about an address. question: { contract=, event=, address=, wanted= }. Returns
-- { list = { { values = { name, … }, block=, block_hash=, transaction= } … }, complete= }, or nil and the node's
-- trouble.
function events.newest(node, question)
  local out = { list = {}, complete = true }
  if question.wanted < 1 then return out end
  local to, why = node:number("eth_blockNumber", {})
  if not to then return nil, why end
  local span, asked = SPAN, 0
  local filter = { address = question.contract, topics = json.array { rpc.hex(core.abi_event(question.event)),
    "0x" .. ("0"):rep(24) .. question.address:sub(3):lower() } }
  while to >= 0 do
    if asked == QUESTIONS or node:is_over() then
      out.complete = false
      break
    end
    asked = asked + 1
    local from = math.max(0, to - span + 1)
    filter.fromBlock, filter.toBlock = rpc.quantity(from), rpc.quantity(to)
    local logs
    logs, why = node:call("eth_getLogs", { filter })
    if type(logs) == "table" then
      local found = {}
      for _, log in ipairs(logs) do found[#found + 1] = read(log, question.contract) end
      table.sort(found, newer)
      for _, event in ipairs(found) do
        if #out.list < question.wanted then out.list[#out.list + 1] = event end
      end
      if #out.list >= question.wanted then break end
      to = from - 1
    elseif logs == nil and why.kind == "refused" and span > SPAN_LEAST then
      span = math.max(SPAN_LEAST, math.floor(span / 3))
    else
      return nil, why or { kind = "strange", message = "its answer to eth_getLogs is no list" }
    end
  end
  return out
end

-- When the block of an event was, as the node says now; nil when it does not, or has another block in that place.
local function time_of(node, event)
  local block, why = node:once("eth_getBlockByNumber", { rpc.quantity(event.block), false })
  if block == nil then return nil, why end
  if rpc.bytes(json.get(block, "hash")) ~= event.block_hash then return nil end
  return rpc.integer(json.get(block, "timestamp"))
end

--- Give events of a list their `time`, in seconds since 1970, where the node tells it. Each block is asked for once,
-- and remembered by its hash, which never changes its time. False and the node's trouble when the task was cancelled.
function events.date(node, list)
  local times, count = node.client.block_times or {}, node.client.block_times_count or 0
  local asked, n = {}, 0
  for _, event in ipairs(list) do
    local hash = event.block_hash
    if hash and not times[hash] and not asked[hash] and n < BLOCKS and not node:is_over() then
      asked[hash], n = true, n + 1
      local time, why = time_of(node, event)
      if why and why.kind == "cancelled" then return false, why end
      if why and why.kind == "down" then n = BLOCKS end   -- the history is worth more than its times
      if count >= REMEMBERED then times, count = {}, 0 end
      if time then times[hash], count = time, count + 1 end
    end
    event.time = hash and times[hash] or nil
  end
  node.client.block_times, node.client.block_times_count = times, count
  return true
end

return events
