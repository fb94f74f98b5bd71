--- Runs calls of contracts: a frame holds who calls what with which money, changes gather beside the
--- state until somebody keeps them, and gas is counted by what storage, events and calls cost.
--- The figures are the fork rules' own for what is counted (cold and warm slots, events, call data and
--- its floor), with a lump for the code in between; a limit that is too low runs out as it would.
--- EIP-2929, EIP-2028, EIP-7623, https://eips.ethereum.org/EIPS/eip-7623
-- SPDX-License-Identifier: MIT
local abi = require "spraay.sandbox.evm.abi"
local u256 = require "spraay.sandbox.evm.u256"

local machine = {}

machine.BLOCK_GAS = 300000000

local COLD, WARM, FRESH, CHANGED = 2100, 100, 20000, 2900

local function zeros(data)
  local _, count = data:gsub("%z", "")
  return count
end

--- Gas that a transaction costs before anything runs, and the least it is charged for its data.
---@return integer intrinsic
---@return integer floor
function machine.intrinsic(data, access_list)
  local none = zeros(data)
  local tokens = none + 4 * (#data - none)
  local gas = 21000 + 4 * tokens
  for _, entry in ipairs(access_list or {}) do gas = gas + 2400 + 1900 * #entry[2] end
  return gas, 21000 + 10 * tokens
end

local frame = {}
frame.__index = frame

local function charge(meter, gas)
  meter.used = meter.used + gas
  if meter.used > meter.limit then error({ out_of_gas = true }, 0) end
end

local function touch(self, name)
  local warm = self.meter.warm[name]
  self.meter.warm[name] = true
  return warm and WARM or COLD
end

local function peek(self, name)
  local value = self.writes[name]
  if value == nil then value = self.chain.state:get(name, self.at) end
  return value
end

--- Read a slot.
function frame:load(name, default)
  charge(self.meter, touch(self, name))
  local value = peek(self, name)
  if value == nil then return default end
  return value
end

local function is_nothing(value) return not value or value == 0 or value == u256.ZERO end

--- Write a slot.
function frame:save(name, value)
  local access = touch(self, name)
  local price = is_nothing(peek(self, name)) and not is_nothing(value) and FRESH or CHANGED
  charge(self.meter, price + (access == COLD and COLD or 0))
  self.writes[name] = value
end

--- An event of this contract.
---@param topics string[]  "0x…"
---@param data string      bytes
function frame:log(topics, data)
  charge(self.meter, 375 * (1 + #topics) + 8 * #data)
  self.logs[#self.logs + 1] = { address = self.here, topics = topics, data = data }
end

local function enter(self, contract, data)
  charge(self.meter, contract.call_gas)
  local entry = contract.functions[data:sub(1, 4)]
  local values = entry and abi.decode(entry.types, data:sub(5))
  if not values then abi.refuse() end
  return entry.run(self, table.unpack(values))
end

--- Call another contract as this one. Its revert is ours.
---@return string output
function frame:call(address, data)
  local inner = setmetatable({ sender = self.here, here = address }, { __index = self })
  return enter(inner, self.chain.contracts[address], data)
end

local function pay(self, call)
  if call.value == u256.ZERO or call.value == nil then return end
  local from, to = "wei " .. call.from, "wei " .. (call.to or "")
  local left = u256.sub(peek(self, from) or u256.ZERO, call.value)
  if not left then error({ poor = true }, 0) end
  self.writes[from] = left
  self.writes[to] = u256.add(peek(self, to) or u256.ZERO, call.value)
end

---@class spraay.sandbox.Outcome
---@field ok boolean
---@field output string       what was returned, or the revert's data
---@field gas integer         used, call data included
---@field out_of_gas? boolean
---@field poor? boolean       the caller has less than the value it sends
---@field logs table[]
---@field writes table        for whoever keeps them

--- Run a call against the state as it is, or as it was after block `at`, and keep nothing.
---@param chain table
---@param call table   from, to (lower case; to nil: creation), data (bytes), value? (word), gas? (limit)
---@param block integer  whose time it is
---@param at? integer
---@return spraay.sandbox.Outcome
function machine.run(chain, call, block, at)
  local intrinsic, floor = machine.intrinsic(call.data, call.access_list)
  local meter = { used = intrinsic, limit = call.gas or machine.BLOCK_GAS, warm = {} }
  local self = setmetatable({
    chain = chain, sender = call.from, here = call.to, at = at, timestamp = chain:timestamp(block),
    writes = {}, logs = {}, meter = meter,
  }, frame)
  local ok, output = pcall(function()
    charge(meter, 0)
    pay(self, call)
    local contract = call.to and chain.contracts[call.to]
    if not contract then return "" end
    if call.value and call.value ~= u256.ZERO then abi.refuse() end     -- neither contract takes ether
    return enter(self, contract, call.data)
  end)
  if not ok and type(output) ~= "table" then error(output, 0) end
  local outcome = { ok = ok, logs = self.logs, writes = self.writes, gas = math.max(meter.used, floor) }
  if ok then
    outcome.output = output
  else
    outcome.output, outcome.out_of_gas, outcome.poor = output.revert or "", output.out_of_gas, output.poor
    outcome.logs, outcome.writes = {}, {}
    if output.out_of_gas then outcome.gas = meter.limit end
  end
  return outcome
end

return machine
