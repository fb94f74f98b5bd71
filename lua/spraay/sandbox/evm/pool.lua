--- Transactions on their way into a block: which are taken, which wait, which push another out, and with
--- what words a node refuses the rest. Checks, their order and their sentences are geth's.
---
---   send_raw --refused--> error
---      '--> pending --(next block: nonce is next, fee covers the base fee)--> mined | reverted
---              '--(same nonce, 10% more)--> replaced       '--(control)--> dropped
---
--- Nothing runs by itself: whoever looks at the chain first lets the blocks happen that the clock says
--- have happened.
--- https://github.com/ethereum/go-ethereum/blob/master/core/txpool/validation.go
-- SPDX-License-Identifier: MIT
local abi = require "spraay.sandbox.evm.abi"
local crypto = require "spraay.sandbox.crypto"
local evm_tx = require "spraay.sandbox.evm_tx"
local machine = require "spraay.sandbox.evm.machine"
local u256 = require "spraay.sandbox.evm.u256"

local pool = {}
pool.__index = pool
pool.__name = "spraay.sandbox.evm.pool"

local MAX_BYTES = 131072
local BUMP_PERCENT = 110
local FEE_CAP_WEI = u256.ether "1"              -- what one call may cost at most, by the node's own rule

--- How blocks come: by the clock, at once, or only when told.
pool.MODES = { clock = true, instant = true, manual = true }

---@param chain table
function pool.new(chain)
  return setmetatable({
    chain = chain, mode = "clock", waiting = {},   -- pending transactions in the order they came
    known = {},                                    -- hash -> record, whatever became of it
    history = {},                                  -- all records, oldest first
    refusals = {},                                 -- { hash, from, nonce, error, time }
    sent = 0,
  }, pool)
end

local function wei(self, address, block) return self.chain.state:get("wei " .. address, block) or u256.ZERO end

--- Transactions of this account that were mined: its next nonce.
---@param block? integer
function pool:nonce(address, block) return self.chain.state:get("nonce " .. address, block) or 0 end

--- The same, with those that wait and leave no hole.
function pool:pending_nonce(address)
  local nonce = self:nonce(address)
  while self:find(address, nonce) do nonce = nonce + 1 end
  return nonce
end

--- The waiting transaction of an account and nonce.
---@return table? record
---@return integer? at
function pool:find(address, nonce)
  for at, record in ipairs(self.waiting) do
    if record.tx.from == address and record.tx.nonce == nonce then return record, at end
  end
end

--- What the layer below charges for the bytes, in wei.
function pool:data_fee(raw) return u256.of(#raw * self.chain.l1_fee_per_byte) end

-- The most a transaction can cost: all its gas at its own cap, what it carries, and its bytes.
-- Beyond 256 bits nobody can pay.
local function most(self, tx)
  local fee = u256.mul(u256.of(tx.gas), tx.fee_cap)
  local cost = fee and u256.add(fee, tx.value)
  return cost and u256.add(cost, self:data_fee(tx.raw)) or u256.MAX
end

local function refuse(sentence, ...) return sentence:format(...) end

-- Form and fees, which need no state.
local function malformed(self, tx)
  if #tx.raw > MAX_BYTES then
    return refuse("oversized data: transaction size %d, limit %d", #tx.raw, MAX_BYTES)
  end
  local fee = u256.mul(u256.of(tx.gas), tx.fee_cap)
  if not fee or u256.less(FEE_CAP_WEI, fee) then
    return refuse("tx fee (%.2f ether) exceeds the configured cap (1.00 ether)",
      fee and tonumber(u256.ether_text(fee)) or 1e59)
  end
  if not tx.to then return "the sandbox creates no contracts" end
  if tx.gas > machine.BLOCK_GAS then return "exceeds block gas limit" end
  if u256.less(tx.fee_cap, tx.tip_cap) then return "max priority fee per gas higher than max fee per gas" end
  if tx.chain_id ~= u256.of(self.chain.rail.chain_id) then
    return refuse("invalid sender: invalid chain id for signer: have %s want %d",
      u256.digits(tx.chain_id), self.chain.rail.chain_id)
  end
  local intrinsic, floor = machine.intrinsic(tx.data, tx.access_list)
  if tx.gas < intrinsic then
    return refuse("intrinsic gas too low: gas %d, minimum needed %d", tx.gas, intrinsic)
  end
  if tx.gas < floor then
    return refuse("insufficient gas for floor data gas cost: gas %d, minimum needed %d", tx.gas, floor)
  end
  if tx.tip_cap == u256.ZERO then
    return "transaction underpriced: gas tip cap 0, minimum needed 1"
  end
end

-- Nonce and money.
local function unaffordable(self, tx)
  local next_nonce = self:nonce(tx.from)
  if tx.nonce < next_nonce then
    return refuse("nonce too low: next nonce %d, tx nonce %d", next_nonce, tx.nonce)
  end
  local balance, cost = wei(self, tx.from), most(self, tx)
  if u256.less(balance, cost) then
    return refuse("insufficient funds for gas * price + value: balance %s, tx cost %s, overshot %s",
      u256.digits(balance), u256.digits(cost), u256.digits(u256.sub(cost, balance)))
  end
  local queued = u256.ZERO
  for _, record in ipairs(self.waiting) do
    if record.tx.from == tx.from and record.tx.nonce ~= tx.nonce then
      queued = u256.add(queued, most(self, record.tx)) or u256.MAX
    end
  end
  local all = u256.add(queued, cost) or u256.MAX
  if u256.less(balance, all) then
    return refuse("insufficient funds for gas * price + value: balance %s, queued cost %s, tx cost %s, overshot %s",
      u256.digits(balance), u256.digits(queued), u256.digits(cost), u256.digits(u256.sub(all, balance)))
  end
end

-- Is `new` at least ten percent above `old`?
local function bumped(old, new)
  local wanted = u256.divide(u256.mul(old, u256.of(BUMP_PERCENT)) or u256.MAX, 100)
  return u256.less(old, new) and not u256.less(new, wanted)
end

local function why_not(self, tx)
  local known = self.known[tx.hash]
  if known and known.status == "pending" then return "already known" end
  local why = malformed(self, tx) or unaffordable(self, tx)
  if why then return why end
  local rival = self:find(tx.from, tx.nonce)
  if rival and not (bumped(rival.tx.fee_cap, tx.fee_cap) and bumped(rival.tx.tip_cap, tx.tip_cap)) then
    return "replacement transaction underpriced"
  end
end

local function remember(self, tx, status)
  local record = self.known[tx.hash]
  if not record then
    record = { tx = tx, n = #self.history + 1, time = self.chain.clock:seconds() }
    self.known[tx.hash], self.history[record.n] = record, record
  end
  record.status, record.seen = status, self.chain:height()
  return record
end

--- Take a raw transaction, as eth_sendRawTransaction does.
---@param raw string
---@param options? table  forget: answer as if it had been taken, and lose it
---@return string? hash
---@return string? why
function pool:send_raw(raw, options)
  self.chain:tick()
  self.sent = self.sent + 1
  local tx, why = evm_tx.decode(raw)
  if tx then why = why_not(self, tx) end
  local hash = "0x" .. crypto.hex(crypto.keccak(raw))
  local broadcast = self.known[hash]
  if broadcast then broadcast.broadcasts = broadcast.broadcasts + 1 end
  if why then
    self.refusals[#self.refusals + 1] = { hash = hash, from = tx and tx.from, nonce = tx and tx.nonce, error = why,
                                          time = self.chain.clock:seconds() }
    return nil, why
  end
  if options and options.forget then
    remember(self, tx, "dropped").broadcasts = broadcast and broadcast.broadcasts or 1
    return hash
  end
  local rival, at = self:find(tx.from, tx.nonce)
  local record = remember(self, tx, "pending")
  record.broadcasts = record.broadcasts or 1
  if rival then
    rival.status, rival.replaced_by = "replaced", hash
    self.waiting[at] = record
  else
    self.waiting[#self.waiting + 1] = record
  end
  if self.mode == "instant" then self:mine() end
  return hash
end

--- Forget waiting transactions: all, or the one of that hash.
---@return integer count
function pool:drop(hash)
  local count = 0
  for at = #self.waiting, 1, -1 do
    if not hash or self.waiting[at].tx.hash == hash then
      table.remove(self.waiting, at).status = "dropped"
      count = count + 1
    end
  end
  return count
end

-- ---- blocks ------------------------------------------------------------------------------------

-- What gas costs this transaction now; nil while its cap is below the base fee.
local function price_of(tx, base_fee)
  if u256.less(tx.fee_cap, base_fee) then return nil end
  local room = u256.sub(tx.fee_cap, base_fee)
  return u256.add(base_fee, u256.less(room, tx.tip_cap) and room or tx.tip_cap)
end

-- Run a transaction in a block and write down what came of it, and what was there before. The sender can
-- pay: that was checked.
local function execute(self, tx, price, block)
  local chain, undo = self.chain, {}
  local function put(name, value)
    table.insert(undo, 1, { name = name, value = chain.state:get(name) })
    chain.state:put(name, value, block)
  end
  local outcome = machine.run(chain, tx, block)
  for name, value in pairs(outcome.writes) do put(name, value) end
  put("nonce " .. tx.from, tx.nonce + 1)
  local fee, data_fee = u256.mul(u256.of(outcome.gas), price), self:data_fee(tx.raw)
  local paid = u256.add(fee, data_fee)
  put("wei " .. tx.from, u256.sub(wei(self, tx.from), paid) or u256.ZERO)
  chain:keep(tx.hash, outcome, { from = tx.from, to = tx.to, price = price, data_fee = data_fee, tx = tx,
                                 undo = undo }, block)
  return outcome, paid
end

-- The waiting transaction that comes next, and its block.
local function eligible(self, height, at_once)
  local best, best_at, best_block, best_price
  for at, record in ipairs(self.waiting) do
    local tx = record.tx
    local block = at_once and height or math.max(record.seen + 1, self.floor or 0)
    local price = price_of(tx, self.chain:base_fee())
    if block <= height and price and tx.nonce == self:nonce(tx.from)
      and not u256.less(wei(self, tx.from), most(self, tx)) and (not best or block < best_block) then
      best, best_at, best_block, best_price = record, at, block, price
    end
  end
  return best, best_at, best_block, best_price
end

local function settle(self, at_once)
  local height, mined = self.chain:height(), {}
  while true do
    local record, at, block, price = eligible(self, height, at_once)
    if not record then break end
    table.remove(self.waiting, at)
    local outcome, fee = execute(self, record.tx, price, block)
    record.status, record.block = outcome.ok and "mined" or "reverted", block
    record.gas, record.fee, record.output = outcome.gas, fee, outcome.output
    record.out_of_gas = outcome.out_of_gas
    mined[#mined + 1] = record.tx.hash
  end
  self.floor = height + 1          -- whatever still waits comes after everything written so far
  return mined
end

--- Let happen what the clock says has happened.
function pool:tick()
  if self.mode == "clock" and #self.waiting > 0 then settle(self, false) end
end

--- Change how blocks come. What waits is mined after everything written so far.
function pool:set_mode(mode)
  self:tick()
  self.mode, self.floor = mode, self.chain:height() + 1
  if mode == "instant" then self:mine() end
end

--- Put everything that can be mined into the newest block, now.
---@return string[] hashes
function pool:mine() return settle(self, true) end

--- A transaction of an account whose key the sandbox does not need: the operator's hot wallet. It is
--- mined at once.
---@param from string  lower case
---@return string? hash
---@return string? why    as the gateway's own library words it
function pool:operate(from, to, data)
  local chain = self.chain
  chain:tick()
  local block = chain:height()
  local trial = machine.run(chain, { from = from, to = to, data = data }, block)
  if not trial.ok then
    local sentence = abi.sentence(trial.output)
    return nil, ("execution reverted%s (action=\"estimateGas\", data=\"0x%s\", reason=%s, code=CALL_EXCEPTION)")
      :format(sentence and ": " .. sentence or " (unknown custom error)", crypto.hex(trial.output),
        sentence and ("%q"):format(sentence) or "null")
  end
  self.operated = (self.operated or 0) + 1
  local raw = chain.seed .. "operator " .. self.operated
  local tx = {
    chain_id = u256.of(chain.rail.chain_id), nonce = self:nonce(from), tip_cap = u256.of(1000000),
    fee_cap = u256.add(chain:base_fee(), u256.of(1000000)), gas = trial.gas, to = to, value = u256.ZERO,
    data = data, access_list = {}, y_parity = u256.ZERO, r = u256.of(1), s = u256.of(1), raw = raw,
    hash = "0x" .. crypto.hex(crypto.keccak(raw)), from = from,
  }
  if u256.less(wei(self, from), most(self, tx)) then
    return nil, "insufficient funds for intrinsic transaction cost (code=INSUFFICIENT_FUNDS)"
  end
  local record = remember(self, tx, "mined")
  record.broadcasts, record.block = 1, block
  local outcome, fee = execute(self, tx, price_of(tx, chain:base_fee()), block)
  record.gas, record.fee, record.status = outcome.gas, fee, outcome.ok and "mined" or "reverted"
  return tx.hash
end

return pool
