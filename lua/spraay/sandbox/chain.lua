--- A token contract in miniature: balances, used nonces, blocks, logs, receipts.
---
--- It holds what EIP-3009 promises about USDC and nothing else: an authorization moves its value
--- once, inside its window, if the money is there. Blocks are not stored; they follow from the
--- clock as on Base, one every two seconds since its genesis, so "latest" always has an age.
--- What changed carries the block it changed in, and old blocks can be asked about.
--- EIP-3009, https://eips.ethereum.org/EIPS/eip-3009
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"

local chain = {}
chain.__index = chain
chain.__name = "spraay.sandbox.chain"

---@param rail table   an evm entry of networks.lua
---@param clock table
function chain.new(rail, clock)
  local asset20 = crypto.parse_address(rail.asset)
  return setmetatable({
    rail = rail, clock = clock,
    domain = crypto.domain(rail.extra.name, rail.extra.version, rail.chain_id, asset20),
    history = {},        -- address (lower case) -> list of { block =, balance = }, oldest first
    nonces = {},         -- address .. nonce -> { block =, canceled = }
    logs = {},           -- every event, oldest first
    receipts = {},       -- transaction hash -> receipt
    hashes = {},         -- block hash -> number, for hashes we gave away
    count = 0,
    seed = crypto.random(16),
  }, chain)
end

--- Number of the newest block at the sandbox's time.
function chain:height()
  return (self.clock:seconds() - self.rail.genesis) // self.rail.block_seconds
end

function chain:timestamp(block)
  return self.rail.genesis + block * self.rail.block_seconds
end

function chain:block_hash(block)
  local hash = "0x" .. crypto.hex(crypto.keccak(("block %d %d"):format(self.rail.chain_id, block)))
  self.hashes[hash] = block
  return hash
end

--- Balance in micro-USDC, now or after the given block.
---@return integer
function chain:balance(address, block)
  local history = self.history[address:lower()]
  if not history then return 0 end
  if not block then return history[#history].balance end
  for i = #history, 1, -1 do
    if history[i].block <= block then return history[i].balance end
  end
  return 0
end

local function set_balance(self, address, balance)
  local key, block = address:lower(), self:height()
  local history = self.history[key] or {}
  self.history[key] = history
  local last = history[#history]
  if last and last.block == block then last.balance = balance
  else history[#history + 1] = { block = block, balance = balance } end
end

--- Give an address money from nowhere.
function chain:fund(address, micro)
  set_balance(self, address, self:balance(address) + micro)
end

--- Was this authorization used or canceled, now or after the given block?
---@return table? record  { block =, canceled = }
function chain:authorization(address, nonce, block)
  local record = self.nonces[address:lower() .. nonce:lower()]
  if record and (not block or record.block <= block) then return record end
end

local TOPICS = {
  used = "0x" .. crypto.hex(crypto.keccak("AuthorizationUsed(address,bytes32)")),
  canceled = "0x" .. crypto.hex(crypto.keccak("AuthorizationCanceled(address,bytes32)")),
  transfer = "0x" .. crypto.hex(crypto.keccak("Transfer(address,address,uint256)")),
}
chain.TOPICS = TOPICS

local function topic(address)
  return "0x" .. ("0"):rep(24) .. address:sub(3):lower()
end

-- One transaction with its events, put into the newest block.
local function append(self, events)
  self.count = self.count + 1
  local block = self:height()
  local hash = "0x" .. crypto.hex(crypto.keccak(self.seed .. self.count))
  local logs = {}
  for i, event in ipairs(events) do
    event.address = self.rail.asset:lower()
    event.block = block
    event.transaction = hash
    event.index = #self.logs
    logs[i] = event
    self.logs[#self.logs + 1] = event
  end
  self.receipts[hash] = { block = block, index = self.count, logs = logs }
  return hash, block
end

--- Move money under an authorization whose signature was checked before.
---@param a table  from, to (texts), value (integer), nonce (text), valid_after, valid_before
---@return string? transaction
---@return string? reason
function chain:transfer(a)
  local now = self.clock:seconds()
  local key = a.from:lower() .. a.nonce:lower()
  if self.nonces[key] then return nil, "invalid_exact_evm_nonce_already_used" end
  if now <= a.valid_after then return nil, "invalid_exact_evm_payload_authorization_valid_after" end
  if now >= a.valid_before then return nil, "invalid_exact_evm_payload_authorization_valid_before" end
  local balance = self:balance(a.from)
  if balance < a.value then return nil, "insufficient_funds" end
  set_balance(self, a.from, balance - a.value)
  set_balance(self, a.to, self:balance(a.to) + a.value)
  local hash, block = append(self, {
    { topics = { TOPICS.used, topic(a.from), a.nonce:lower() }, data = "0x" },
    { topics = { TOPICS.transfer, topic(a.from), topic(a.to) }, data = ("0x%064x"):format(a.value) },
  })
  self.nonces[key] = { block = block, transaction = hash }
  return hash
end

--- The payer voids an authorization on chain.
---@return string? transaction
function chain:cancel(address, nonce)
  local key = address:lower() .. nonce:lower()
  if self.nonces[key] then return nil end
  local hash, block = append(self, {
    { topics = { TOPICS.canceled, topic(address), nonce:lower() }, data = "0x" },
  })
  self.nonces[key] = { block = block, canceled = true, transaction = hash }
  return hash
end

return chain
