--- A Solana in miniature: slots, blockhashes that die, accounts, transactions that landed.
---
--- Slots follow from the sandbox's clock, one every 400 ms; every 21st has no block, so that slots
--- and block heights are different numbers here too. What the newest block holds is "confirmed" at
--- once; "finalized" is 32 slots older. Accounts keep their versions, so each can be asked about at
--- either. A transaction lands when it is sent, or later, or never: see `send`.
--- https://solana.com/docs/rpc
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local address = require "spraay.sandbox.solana.address"
local bank = require "spraay.sandbox.solana.bank"
local keys = require "spraay.sandbox.solana.keys"

local chain = {
  SLOT_SECONDS = 0.4, FINAL_SLOTS = 32, BLOCKHASH_BLOCKS = 150, SKIP = 21, DUPLICATE_SECONDS = 120,
}
chain.__index = chain
chain.__name = "spraay.sandbox.solana.chain"

local LAMPORTS = 1000000000          -- a SOL
local FIRST_SLOT = 380000000
local OTHER_MINT = "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo"     -- PYUSD, of Token-2022

---@param rail table   an svm entry of networks.lua
---@param clock table
function chain.new(rail, clock)
  local self = setmetatable({
    rail = rail, clock = clock, started = clock:elapsed(), started_at = clock:seconds(),
    seed = core.random_bytes(16),
    accounts = {},       -- address -> versions, oldest first: { slot =, account = table or false }
    hashes = {},         -- blockhash -> slot, for those we gave away
    landed = {},         -- digest of a message -> its transaction
    by_signature = {}, by_account = {},
    waiting = {},        -- sent, to land later: { at =, tx = }
    settling = {},       -- digest of a message -> when the facilitator took it up
    fee_payers = {}, managed = {},
  }, chain)
  for n = 1, 3 do
    local key = keys.fee_payer(n)
    self.fee_payers[n], self.managed[key.address] = key, key
    self:set(key.address, { kind = "wallet", lamports = 100 * LAMPORTS })
  end
  for mint, program in pairs{ [rail.asset] = rail.program, [OTHER_MINT] = address.TOKEN_2022 } do
    self:set(mint, { kind = "mint", program = program, decimals = 6, lamports = 1461600,
                     supply = 8000000000000000 })
  end
  for _, program in ipairs{ address.SYSTEM, address.COMPUTE, address.TOKEN, address.TOKEN_2022,
                            address.ASSOCIATED, address.MEMO } do
    self:set(program, { kind = "program", lamports = 1 })
  end
  self:set_balance(rail.pay_to, 0)
  self:set_balance(rail.pay_to, 0, OTHER_MINT)
  return self
end

-- ---- time ---------------------------------------------------------------------------------------

local function without_block(slot) return slot % chain.SKIP == chain.SKIP - 1 end
chain.without_block = without_block

-- The newest slot up to this one that has a block.
local function with_block(slot) return without_block(slot) and slot - 1 or slot end

--- Newest slot.
function chain:tip()
  local passed = (self.landing_at or self.clock:elapsed()) - self.started
  return with_block(FIRST_SLOT + math.floor(passed / chain.SLOT_SECONDS))
end

--- The newest slot a commitment sees.
---@param commitment string  "processed", "confirmed" or "finalized"
---@param behind? number     seconds that this node lags
function chain:head(commitment, behind)
  local slot = self:tip() - math.floor((behind or 0) / chain.SLOT_SECONDS)
  if commitment == "finalized" then slot = slot - chain.FINAL_SLOTS end
  return with_block(slot)
end

--- How many blocks there are up to a slot.
function chain.height(slot) return slot - (slot + 1) // chain.SKIP end

--- Unix time of a slot.
function chain:time(slot)
  return self.started_at + math.floor((slot - FIRST_SLOT) * chain.SLOT_SECONDS)
end

--- The hash of a slot's block; with it goes the last height at which it is good.
---@return string hash
---@return integer last_valid_height
function chain:blockhash(slot)
  local hash = address.text(core.sha256(("%s block %d"):format(self.seed, slot)))
  self.hashes[hash] = slot
  return hash, chain.height(slot) + chain.BLOCKHASH_BLOCKS
end

--- Is a blockhash good for a transaction in a block at `slot`?
function chain:is_alive(hash, slot)
  local from = self.hashes[hash]
  return from ~= nil and from <= slot and chain.height(slot) <= chain.height(from) + chain.BLOCKHASH_BLOCKS
end

-- ---- accounts -----------------------------------------------------------------------------------

--- An account after the given slot, or now.
---@return table? account
function chain:account(name, slot)
  local versions = self.accounts[name] or {}
  for i = #versions, 1, -1 do
    if not slot or versions[i].slot <= slot then return versions[i].account or nil end
  end
end

-- An account after a transaction.
local function change(self, name, account)
  local versions, slot = self.accounts[name] or {}, self:tip()
  self.accounts[name] = versions
  if #versions > 0 and versions[#versions].slot == slot then versions[#versions] = nil end
  versions[#versions + 1] = { slot = slot, account = account }
end

--- Arrange an account from outside, as if it had always been so; false: it is not there.
function chain:set(name, account) self.accounts[name] = { { slot = 0, account = account } } end

local function with(account, fields)
  local copy = {}
  for name, value in pairs(account) do copy[name] = value end
  for name, value in pairs(fields) do copy[name] = value end
  return copy
end

--- Where an owner keeps his dollars, or tokens of another mint.
function chain:tokens_of(owner, mint)
  mint = mint or self.rail.asset
  return address.of_tokens(owner, mint, self:account(mint).program)
end

--- Micro-USDC of an owner.
---@return integer
function chain:balance(owner)
  local account = self:account(self:tokens_of(owner))
  return account and account.amount or 0
end

--- Set what an owner has, in millionths; the token account is opened where there is none.
---@param mint? string  default USDC
function chain:set_balance(owner, micro, mint)
  mint = mint or self.rail.asset
  local name = self:tokens_of(owner, mint)
  local account = self:account(name) or {
    kind = "token", program = self:account(mint).program, mint = mint, owner = owner,
    state = "initialized", lamports = bank.TOKEN_RENT,
  }
  self:set(name, with(account, { amount = micro }))
end

--- Give an owner money from nowhere.
function chain:fund(owner, micro) self:set_balance(owner, self:balance(owner) + micro) end

--- Set the lamports of a wallet.
function chain:set_lamports(name, lamports) self:set(name, { kind = "wallet", lamports = lamports }) end

--- Close an owner's token account, money and all.
function chain:drop(owner) self:set(self:tokens_of(owner), false) end

--- Freeze an owner's token account, or thaw it.
---@return boolean done
function chain:freeze(owner, frozen)
  local name = self:tokens_of(owner)
  local account = self:account(name)
  if not account then return false end
  self:set(name, with(account, { state = frozen and "frozen" or "initialized" }))
  return true
end

--- Everybody who holds dollars: owner -> micro-USDC.
function chain:balances()
  local found = {}
  for _, versions in pairs(self.accounts) do
    local account = versions[#versions].account
    if account and account.kind == "token" and account.mint == self.rail.asset then
      found[account.owner] = account.amount
    end
  end
  return found
end

-- ---- transactions -------------------------------------------------------------------------------

--- What would become of a transaction, now, or in the block after the given slot. Signatures are not
--- looked at.
---@param slot? integer
---@param blockhash? string  in place of its own
---@return spraay.sandbox.solana.Run
function chain:simulate(tx, slot, blockhash)
  local refused = { fee = 0, units = 0, carried = false, changed = {}, transfers = {}, logs = {} }
  local before = self.landed[tx:digest()]
  if not self:is_alive(blockhash or tx.blockhash, slot or self:tip()) then refused.err = "BlockhashNotFound"
  elseif before and (not slot or before.slot <= slot) then refused.err = "AlreadyProcessed" end
  if refused.err then return refused end
  return bank.run(tx, function(name) return self:account(name, slot) end)
end

-- Balances of a transaction's accounts, by place.
local function balances_of(tx, lookup)
  local list = {}
  for i, name in ipairs(tx.accounts) do
    local account = lookup(name)
    list[i] = { lamports = account and account.lamports or 0,
                token = account and account.kind == "token" and account or nil }
  end
  return list
end

-- Into the newest block, with what it did.
local function append(self, tx, run)
  local function lookup(name) return self:account(name) end
  local slot, before = self:tip(), balances_of(tx, lookup)
  for name, account in pairs(run.changed) do change(self, name, account) end
  local entry = { tx = tx, signature = tx:id(), slot = slot, time = self:time(slot), err = run.err,
                  fee = run.fee, units = run.units, transfers = run.transfers, logs = run.logs, before = before,
                  after = balances_of(tx, lookup) }
  self.landed[tx:digest()], self.by_signature[entry.signature] = entry, entry
  for _, name in ipairs(tx.accounts) do
    local list = self.by_account[name] or {}
    self.by_account[name] = list
    list[#list + 1] = entry
  end
  if self.on_landed and not self.managed[tx.accounts[1]] then self.on_landed(entry) end
  return entry
end

--- Put a signed transaction on chain, or say why it does not get there. One that fails while it runs
--- gets there as a failure: `entry.err`.
---@return table? entry
---@return any err
function chain:land(tx)
  for i = 1, tx.required do
    if not tx:signed_by(i) then return nil, "SignatureFailure" end
  end
  local run = self:simulate(tx)
  if not run.carried then return nil, run.err end
  return append(self, tx, run)
end

--- Send a transaction that will land in so many seconds of the sandbox's clock, if its blockhash lives
--- as long.
---@param landed? fun(entry: table)  called if it does
function chain:land_later(tx, seconds, landed)
  local waiting = self.waiting
  waiting[#waiting + 1] = { at = self.clock:elapsed() + seconds, tx = tx, landed = landed }
  table.sort(waiting, function(a, b) return a.at < b.at end)
end

--- Land what is due, each in the block of its time, however far the clock has jumped. Called before the
--- chain is looked at.
function chain:catch_up()
  local now, waiting = self.clock:elapsed(), self.waiting
  while waiting[1] and waiting[1].at <= now do
    local due = table.remove(waiting, 1)
    self.landing_at = due.at
    local entry = self:land(due.tx)
    self.landing_at = nil
    if entry and not entry.err and due.landed then due.landed(entry) end
  end
end

--- The payment that the facilitator last looked at, as if it had landed: what a lying node tells.
---@return table? entry
function chain:made_up()
  local tx = self.looked_at
  if not tx or self.landed[tx:digest()] then return nil end
  if not tx.made_up then
    local function lookup(name) return self:account(name) end
    local run = bank.run(tx, lookup)
    local entry = { tx = tx:countersigned(core.random_bytes(64)), slot = self:head("finalized"), fee = run.fee,
                    units = run.units, transfers = run.transfers, logs = run.logs, before = balances_of(tx, lookup) }
    entry.signature, entry.time = entry.tx:id(), self:time(entry.slot)
    entry.after = balances_of(tx, function(name) return run.changed[name] or self:account(name) end)
    tx.made_up = entry
  end
  return tx.made_up
end

--- A transaction that landed, up to a slot.
---@return table? entry
function chain:find(signature, slot)
  local entry = self.by_signature[signature]
  if entry and (not slot or entry.slot <= slot) then return entry end
end

return chain
