--- A chain in miniature: blocks, balances, two contracts, logs, receipts.
---
--- Blocks are not stored; they follow from the clock as on Base, one every two seconds since its
--- genesis, so "latest" always has an age. What changed carries the block it changed in, and old
--- blocks can be asked about. The facilitator moves USDC here under authorizations it has verified;
--- everybody else sends transactions (evm/pool.lua), which run the contracts (evm/machine.lua) on the
--- same balances and the same used nonces.
--- EIP-3009, https://eips.ethereum.org/EIPS/eip-3009
-- SPDX-License-Identifier: MIT
local abi = require "spraay.sandbox.evm.abi"
local crypto = require "spraay.sandbox.crypto"
local escrow = require "spraay.sandbox.evm.escrow"
local machine = require "spraay.sandbox.evm.machine"
local pool = require "spraay.sandbox.evm.pool"
local state = require "spraay.sandbox.evm.state"
local u256 = require "spraay.sandbox.evm.u256"
local usdc = require "spraay.sandbox.evm.usdc"

local chain = {}
chain.__index = chain
chain.__name = "spraay.sandbox.chain"

local BASE_FEE = u256.of(5000000)     -- wei a unit of gas, about what Base asks for on a quiet day

---@param rail table   an evm entry of networks.lua
---@param clock table
function chain.new(rail, clock)
  local asset20, asset = crypto.parse_address(rail.asset), rail.asset:lower()
  local self = setmetatable({
    rail = rail, clock = clock,
    domain = crypto.domain(rail.extra.name, rail.extra.version, rail.chain_id, asset20),
    state = state.new(),
    contracts = { [asset] = usdc.new(asset) },
    logs = {},           -- every event, oldest first
    receipts = {},       -- transaction hash -> receipt
    blocks = {},         -- block -> hashes of its transactions, for blocks that have some
    hashes = {},         -- block hash -> number, for hashes we gave away
    order = {},          -- hashes of all transactions, oldest first
    forks = {},          -- first blocks of what was reorganized (evm/reorg.lua)
    count = 0,
    seed = crypto.random(16),
    l1_fee_per_byte = 10000000,       -- wei for each byte of a transaction
  }, chain)
  self.pool = pool.new(self)
  return self
end

--- Put the escrow contract onto this chain, with its operator and some ether for his gas.
function chain:deploy_escrow(operator)
  local contract, block = escrow.new(), self:height()
  self.contracts[contract.address] = contract
  self.state:put(escrow.OPERATOR, operator:lower(), block)
  self:set_ether(operator, u256.ether "1")
end

--- Let the operator of the escrow act: draw down what a job costs. Mined at once.
---@return string? hash
---@return string? why
function chain:drawdown(depositor, micro)
  local data = abi.call("drawdown(address,uint256)", depositor:lower(), micro)
  return self.pool:operate(self.state:get(escrow.OPERATOR), escrow.ADDRESS, data)
end

--- Credit somebody with a deposit whose money comes from nowhere.
function chain:deposit_for(depositor, micro)
  self:fund(depositor, micro)
  local block, allowance = self:height(), usdc.allowance_name(depositor, escrow.ADDRESS)
  local before = self.state:get(allowance)
  self.state:put(allowance, u256.of(micro), block)
  local call = { from = depositor, to = escrow.ADDRESS, data = abi.call("deposit(uint256)", micro) }
  local outcome = machine.run(self, call, block)
  for name, value in pairs(outcome.writes) do self.state:put(name, value, block) end
  self.state:put(allowance, before, block)
  self.count = self.count + 1
  self:keep("0x" .. crypto.hex(crypto.keccak(self.seed .. self.count)), outcome,
            { from = depositor, to = escrow.ADDRESS, price = self:base_fee() }, block)
end

--- What an account of the escrow holds, as integers.
---@return table  balance, deposited, drawn, refunded, jobs, tier, discount
function chain:escrow_account(depositor)
  self:tick()
  local outcome = machine.run(self, { from = depositor:lower(), to = escrow.ADDRESS,
    data = abi.call("getAccount(address)", depositor:lower()) }, self:height())
  local words = {}
  for i = 1, 7 do words[i] = u256.integer(outcome.output:sub(32 * i - 31, 32 * i)) end
  return { balance = words[1], deposited = words[2], drawn = words[3], refunded = words[4], jobs = words[5],
           tier = words[6], discount = words[7] }
end

--- Let the blocks happen that the clock says have happened. Whoever reads or writes the chain does so
--- first.
function chain:tick() self.pool:tick() end

--- Number of the newest block at the sandbox's time.
function chain:height()
  return (self.clock:seconds() - self.rail.genesis) // self.rail.block_seconds
end

function chain:timestamp(block)
  return self.rail.genesis + block * self.rail.block_seconds
end

function chain:block_hash(block)
  local fork = 0
  for _, from in ipairs(self.forks) do
    if block >= from then fork = fork + 1 end
  end
  local name = ("block %d %d"):format(self.rail.chain_id, block) .. (fork > 0 and " " .. fork or "")
  local hash = "0x" .. crypto.hex(crypto.keccak(name))
  self.hashes[hash] = block
  return hash
end

--- Balance in micro-USDC, now or after the given block.
---@return integer
function chain:balance(address, block)
  self:tick()
  return self.state:get(usdc.balance_name(address:lower()), block) or 0
end

--- Addresses that ever held USDC, in lower case.
---@return fun(): string?
function chain:holders() return self.state:names(usdc.balance_name "") end

--- Make a balance what it shall be.
---@param micro integer
function chain:set_balance(address, micro)
  self:tick()
  self.state:put(usdc.balance_name(address:lower()), micro, self:height())
end

--- Give an address money from nowhere.
function chain:fund(address, micro) self:set_balance(address, self:balance(address) + micro) end

--- Ether of an address as a word of wei.
---@return string
function chain:ether(address, block)
  self:tick()
  return self.state:get("wei " .. address:lower(), block) or u256.ZERO
end

function chain:set_ether(address, word)
  self:tick()
  self.state:put("wei " .. address:lower(), word, self:height())
end

--- What a unit of gas costs, as a word of wei.
---@return string
function chain:base_fee(block) return self.state:get("base fee", block) or BASE_FEE end

function chain:set_base_fee(word)
  self:tick()
  self.state:put("base fee", word, self:height())
end

--- Was this authorization used or canceled, now or after the given block?
---@return table? record  { canceled = }
function chain:authorization(address, nonce, block)
  self:tick()
  return self.state:get(usdc.authorization_name(address:lower(), nonce:lower()), block)
end

local TOPICS = usdc.TOPICS
chain.TOPICS = TOPICS

local function topic(address) return usdc.topic_of(address:lower()) end

--- Put a transaction that has run into a block, its events with it.
---@param hash string
---@param events table[]  address, topics, data ("0x…")
---@param receipt table   from, to, ok, and what else the receipt shall tell
---@param block integer
function chain:include(hash, events, receipt, block)
  local hashes = self.blocks[block] or { logs = 0, gas = 0 }
  self.blocks[block] = hashes
  hashes[#hashes + 1] = hash
  hashes.gas = hashes.gas + receipt.gas
  receipt.block, receipt.index, receipt.logs, receipt.cumulative = block, #hashes - 1, events, hashes.gas
  for _, event in ipairs(events) do
    event.block, event.transaction, event.place, event.index = block, hash, receipt.index, hashes.logs
    hashes.logs = hashes.logs + 1
    self.logs[#self.logs + 1] = event
  end
  self.receipts[hash], self.order[#self.order + 1] = receipt, hash
end

--- The same for a transaction the machine has run: its events still hold bytes.
function chain:keep(hash, outcome, receipt, block)
  for _, event in ipairs(outcome.logs) do event.data = "0x" .. crypto.hex(event.data) end
  receipt.ok, receipt.gas, receipt.output, receipt.out_of_gas =
    outcome.ok, outcome.gas, outcome.output, outcome.out_of_gas
  self:include(hash, outcome.logs, receipt, block)
end

-- One transaction of the facilitator with its events, put into the newest block.
local function append(self, events)
  self.count = self.count + 1
  local hash, asset = "0x" .. crypto.hex(crypto.keccak(self.seed .. self.count)), self.rail.asset:lower()
  for _, event in ipairs(events) do event.address = asset end
  self:include(hash, events, { from = self.rail.pay_to:lower(), to = asset, ok = true, gas = 90000,
                               price = self:base_fee() }, self:height())
  return hash
end

--- Move money under an authorization whose signature was checked before.
---@param a table  from, to (texts), value (integer), nonce (text), valid_after, valid_before
---@return string? transaction
---@return string? reason
function chain:transfer(a)
  local now = self.clock:seconds()
  if self:authorization(a.from, a.nonce) then return nil, "invalid_exact_evm_nonce_already_used" end
  if now <= a.valid_after then return nil, "invalid_exact_evm_payload_authorization_valid_after" end
  if now >= a.valid_before then return nil, "invalid_exact_evm_payload_authorization_valid_before" end
  local balance = self:balance(a.from)
  if balance < a.value then return nil, "insufficient_funds" end
  self:set_balance(a.from, balance - a.value)
  self:set_balance(a.to, self:balance(a.to) + a.value)
  local hash = append(self, {
    { topics = { TOPICS.used, topic(a.from), a.nonce:lower() }, data = "0x" },
    { topics = { TOPICS.transfer, topic(a.from), topic(a.to) }, data = ("0x%064x"):format(a.value) },
  })
  self.state:put(usdc.authorization_name(a.from:lower(), a.nonce:lower()), { canceled = false }, self:height())
  return hash
end

--- The payer voids an authorization on chain.
---@return string? transaction
function chain:cancel(address, nonce)
  if self:authorization(address, nonce) then return nil end
  local hash = append(self, {
    { topics = { TOPICS.canceled, topic(address), nonce:lower() }, data = "0x" },
  })
  self.state:put(usdc.authorization_name(address:lower(), nonce:lower()), { canceled = true }, self:height())
  return hash
end

return chain
