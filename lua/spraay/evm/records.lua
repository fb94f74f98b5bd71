-- SPDX-License-Identifier: MIT
--- What the core keeps of a deposit or refund: its purchase, whose turn it is to sign, the transactions on record. And
-- how one fails: every error says what may still be mined, and what went for gas.
--
-- `self` is a deposit or refund under way (evm/sender.lua).
local call = require "spraay.call"
local errors = require "spraay.errors"
local failure = require "spraay.failure"
local money = require "spraay.money"
local origins = require "spraay.options.origin"
local place = require "spraay.options.place"
local rpc = require "spraay.evm.rpc"
local step = require "spraay.step"
local wait = require "spraay.wait"
local wei = require "spraay.evm.wei"

local records = {}

-- ---- failing -------------------------------------------------------------------------------------

local OPEN = { asked = true, signed = true, sent = true, unknown = true }

-- Has a transaction of ours been signed that moves money, and may it still be mined?
local function money_is_out(self)
  -- An earlier process signed something, and its rows have not been read yet.
  if not self.read and self.spec.act == "deposit" and OPEN[self.state or false] then return true end
  for _, row in ipairs(self.rows) do
    if row.purchase == self.id and row.step == "deposit" and row.fate == "open" then return true end
  end
  return false
end

local function carry_money(self, fields)
  fields.purchase = fields.purchase or self.id
  if money_is_out(self) then
    fields.paid, fields.amount = fields.paid or "maybe", money.format(self.spec.amount)
  end
  if self.spent ~= "0" then
    fields.gas = wei.ether(self.spent)
    fields.message = ("%s; %s went for gas"):format(fields.message, wei.shown(self.spent, self.gas.price))
  end
  return fields
end

local function fail(self, fields)
  fields.message = self.spec.where .. ": " .. fields.message
  return errors.fail(carry_money(self, fields))
end

-- What to do where something may still be mined.
records.SAME = "Make the same call again: it goes on with this transaction, and signs no other"

-- The node's trouble, as the end of it.
local function unusable(self, why)
  if why.kind == "cancelled" then self.cancelled = true end
  local fields = carry_money(self, { message = "" })
  fields.message = nil
  if fields.paid == "maybe" then fields.hint = records.SAME end
  return errors.fail(rpc.error(self.spec.where, why, fields))
end

-- ---- the core --------------------------------------------------------------------------------------

-- An operation of the core's sender, to its end. Returns what it gives; or nil, and { code=, message=, extra= }.
local function operate(self, name, ...)
  local begun, why, code = self.handle[name](self.handle, ...)
  if not begun then return nil, { code = code, message = why } end
  -- What is being written down is waited for, cancelled or not: nobody else would know what became of it.
  while not self.handle:done() do
    if wait.until_ { poll = function() return self.handle:done() end, finishing = true } == "cancelled" then
      self.cancelled = true
      return nil, { code = "CANCELLED", message = "the task was cancelled" }
    end
  end
  local value, sentence, name_, extra = self.handle:result()
  if value == nil then return nil, { code = name_, message = sentence, extra = extra } end
  return value
end

local function ledger_failed(self, why, doing)
  if why.code == "CANCELLED" then return errors.fail(carry_money(self, wait.cancelled_error())) end
  return fail(self, { kind = "ledger", code = why.code == "CHECKSUM" and "ledger_corrupt" or "ledger_write",
    message = ("the ledger could not %s: %s"):format(doing, tostring(why.message)),
    hint = "Nothing is signed while the ledger cannot be written" })
end

local CAPS = { budget = "budget", per_day = "per_day", per_host = "per_host", pay_to = "pay_to" }

-- A cap of the client's is in the way.
function records.over_cap(self, refusal)
  local name = CAPS[refusal.cap] or "budget"
  return fail(self, { kind = "budget", code = "over_" .. name, amount = money.format(refusal.wanted),
    message = ("%s USDC would exceed %s = \"%s\": %s USDC of it are spent or reserved"):format(
      money.short(refusal.wanted), name, money.short(refusal.limit), money.short(refusal.committed)),
    hint = ("A deposit counts whole: raise %s in spraay.open"):format(name) })
end

-- ---- claiming -------------------------------------------------------------------------------------

local KEYS = {
  KEY = { "wallet", "missing", "a deposit is a transaction that the wallet signs, and this client has no key "
    .. "for it", "Open it with wallet = spraay.wallet.env(); keys elsewhere sign payments only" },
  NETWORK = { "usage", "network", "no USDC is known on that network", nil },
  MISSING = { "usage", "contract", "no escrow contract is known for this gateway and network",
    "Name it with escrow = { base = \"0x…\" } in spraay.open" },
}

--- Have the core's sender made. true, or nil, message, err, as all of these.
function records.begin(self)
  local client, spec = self.client, self.spec
  local handle, wallet_err = call.core_client(client)
  if not handle then return errors.fail(wallet_err) end
  if wallet_err then return errors.fail(wallet_err) end
  local opts = spec.opts
  local why, code
  self.handle, why, code = handle:evm { act = spec.act, network = spec.network, contract = spec.contract,
    amount = spec.amount, gas_cap = self.gas.cap, verb = spec.verb, purchase = opts.purchase,
    scope = opts.scope or client.config.core.scope, step = step.path(client), again = opts.again and true or nil,
    clock_offset = call.clock_offset(client) }
  if self.handle then return true end
  local known = KEYS[code or false]
  if not known then return fail(self, { kind = "usage", code = "argument", message = tostring(why) }) end
  return fail(self, { kind = known[1], code = known[2], message = known[3], hint = known[4] })
end

--- Open the purchase, or go on with the one that an equal call has left.
function records.claim(self)
  while true do
    local ok, why = operate(self, "claim")
    if ok then break end
    if why.code == "MISMATCH" then
      return fail(self, { kind = "usage", code = "purchase_mismatch",
        message = "the named purchase is on record for something else", hint = "Give this one another name" })
    elseif why.extra == "RUN" then
      return fail(self, { kind = "usage", code = "run_live",
        message = "another live process runs under the name of this run",
        hint = "Wait until it has ended, or give this run another name" })
    elseif why.code ~= "BUSY" then
      return ledger_failed(self, why, "open the purchase")
    elseif self.node:is_over() then
      return fail(self, { kind = "timeout", code = "purchase_in_flight",
        message = "an equal call is under way, and it has not ended in time", hint = "Wait for that one" })
    elseif not self.node:pause(0.2) then
      return unusable(self, { kind = "cancelled" })
    end
  end
  local record = self.handle:record()
  self.id, self.state, self.record = record.id, record.state, record
  self.contract, self.usdc, self.payer = record.contract, record.usdc, record.payer
  return true
end

-- ---- one sender at a time -----------------------------------------------------------------------------

-- A purchase that was signed for has transactions on record. Where they are lost, nobody knows any more what may still
-- be mined.
local function nothing_lost(self)
  if not OPEN[self.state] then return true end
  for _, row in ipairs(self.rows) do
    if row.purchase == self.id then return true end
  end
  local last = self.record.last
  self.read = false
  return fail(self, { kind = "ledger", code = "transactions_lost", transaction = last,
    message = "the ledger has lost the transactions of this purchase"
      .. (last and ("; the last one was " .. last) or ""),
    hint = ("See what became of it on the chain, then say so: %s, or settle"):format(
      failure.command(self.client, "void " .. self.id)) })
end

--- Wait for the turn to send, and read what is on record of the wallet's.
function records.take_turn(self)
  while true do
    local rows, why = operate(self, "turn")
    if rows then
      self.rows, self.read = rows, true
      for _, row in ipairs(rows) do
        local _, _, loopback = origins.parse(row.origin)
        row.foreign = row.origin ~= "" and (loopback or false) ~= self.client.config.loopback
      end
      return nothing_lost(self)
    end
    if why.code == "UNSUPPORTED" then return errors.fail(place.missing()) end
    if why.code ~= "BUSY" then return ledger_failed(self, why, "give the turn to send") end
    if self.node:is_over() then
      return fail(self, { kind = "timeout", code = "sender_busy",
        message = "another deposit or refund of this wallet is under way, and they follow one another",
        hint = "Call again when that one has ended" })
    end
    if not self.node:pause(0.3) then return unusable(self, { kind = "cancelled" }) end
  end
end

-- ---- what became of them ---------------------------------------------------------------------------

--- All attempts under the nonce of a row that are open, the newest first.
function records.attempts_of(self, row)
  local out = {}
  for i = #self.rows, 1, -1 do
    local other = self.rows[i]
    if other.purchase == row.purchase and other.nonce == row.nonce and other.fate == "open" then
      out[#out + 1] = other
    end
  end
  return out
end

--- Write down what became of a transaction.
function records.settle(self, row, fate, block, block_hash)
  local ok, why = operate(self, "settle", row.hash, fate, block or 0, block_hash or "")
  if not ok then return ledger_failed(self, why, "note what became of a transaction") end
  row.fate, row.block, row.block_hash = fate, block or 0, block_hash or ""
  return true
end

records.fail, records.unusable, records.operate, records.failed = fail, unusable, operate, ledger_failed

return records
