-- SPDX-License-Identifier: MIT
--- One deposit or refund: transactions of the wallet's own, from the first question to the last block.
--
-- The core keeps the order that money needs: it builds each transaction itself, has it on record before it
-- hands out a byte of it, and signs nothing while another of the wallet's is open (src/client/evm_sender.h).
-- Here is the order of a whole deposit, and how one that was begun goes on: evm/records.lua claims it and says how it
-- failed, evm/signing.lua decides about nonce, gas and fees, and evm/mining.lua broadcasts and waits.
local call = require "spraay.call"
local engine = require "spraay.engine"
local errors = require "spraay.errors"
local failure = require "spraay.failure"
local json = require "spraay.json"
local mining = require "spraay.evm.mining"
local money = require "spraay.money"
local place = require "spraay.options.place"
local receipts = require "spraay.evm.receipts"
local records = require "spraay.evm.records"
local rpc = require "spraay.evm.rpc"
local signing = require "spraay.evm.signing"
local task = require "spraay.task"
local wait = require "spraay.wait"
local wei = require "spraay.evm.wei"

local sender = {}

local Run = {}
local mt = { __name = "spraay.sender", __index = Run }

local fail, unusable, operate = records.fail, records.unusable, records.operate
local attempts_of, settle, await = records.attempts_of, records.settle, mining.await

-- ---- a step ----------------------------------------------------------------------------------------

--- Sign a step and have it mined. `reserve_gas` is what steps after it will need. Returns its fate, or false and the
-- reason why the chain would not run it; nil, message, err.
function Run.send(self, name, to, data, reserve_gas)
  local row, message, err = signing.step(self, name, to, data, reserve_gas)
  if not row then return row, message, err end
  return await(self, row)
end

-- The newest row of a step of this purchase with that fate, or nil.
function Run.row(self, name, fate)
  for i = #self.rows, 1, -1 do
    local row = self.rows[i]
    if row.purchase == self.id and row.step == name and row.fate == fate then return row end
  end
  return nil
end

-- Was what is on record as mined undone with its block? Then it is open again, and its bytes go out again.
local function undone(self, row)
  local receipt, why = self.node:call("eth_getTransactionReceipt", { rpc.hex(row.hash) })
  if receipt == nil then return unusable(self, why) end
  if type(receipt) == "table" and receipts.judge(self, row, receipt) == row.fate then
    self.receipt = receipt
    mining.count_gas(self, row, receipt)
    return false
  end
  for _, other in ipairs(self.rows) do   -- each of those under its nonce may be mined now
    if other == row or (other.purchase == row.purchase and other.nonce == row.nonce and other.fate == "gone"
      and other.block_hash ~= "hand") then
      local ok, message, err = settle(self, other, "open")
      if not ok then return nil, message, err end
    end
  end
  return true
end

-- The nonce is used, as it seems, and its owner has said that no block will have this row.
local function give_up_by_hand(self, row)
  for _, attempt in ipairs(attempts_of(self, row)) do
    local ok, message, err = settle(self, attempt, "gone", 0, "hand")
    if not ok then return nil, message, err end
  end
  return true
end

--- Go on with a step that was signed earlier. Its fate; nil when it is still to be signed, or nil, message, err.
-- What moves money and is on record as mined is looked for in its block.
function Run.resume(self, name)
  local row, money_moves = self:row(name, "open"), name ~= "approve"
  for _, fate in ipairs { "done", "reverted" } do
    local mined = not row and money_moves and self:row(name, fate)
    if mined then
      local open, message, err = undone(self, mined)
      if open == nil then return nil, message, err end
      if not open and fate == "done" then return "done" end
      if open then row = mined end
    end
  end
  if not row then return nil end
  local fate, message, err = await(self, row)
  if fate ~= "gone" or not money_moves or self.record.hand ~= "void" then return fate, message, err end
  local ok
  ok, message, err = give_up_by_hand(self, row)
  if not ok then return nil, message, err end
  return nil
end

-- It was signed for the chain of a sandbox, whose number is the real one's, or the other way round: its bytes would be
-- good there, too.
local function elsewhere(self, row)
  return fail(self, { kind = "ledger", code = "earlier_open", transaction = rpc.hex(row.hash),
    message = ("an open transaction of this wallet, %s of %s, was made at %s, on another chain"):format(
      rpc.hex(row.hash), row.purchase, row.origin),
    hint = ("Make that call again there; or close it by hand: %s"):format(
      failure.command(self.client, "void " .. row.purchase)) })
end

-- What others of this wallet left open comes first: nonces have no holes.
local function settle_earlier(self)
  local seen = {}
  for i = 1, #self.rows do
    local row = self.rows[i]
    if row.fate == "open" and row.purchase ~= self.id and not row.dropped and not seen[row.nonce] then
      seen[row.nonce] = true
      if row.foreign then return elsewhere(self, row) end
      local fate, message, err = await(self, attempts_of(self, row)[1])
      if not fate then return nil, message, err end
      if fate == "gone" then
        return fail(self, { kind = "ledger", code = "earlier_open", transaction = rpc.hex(row.hash),
          message = ("an earlier transaction %s of %s is not known to the chain, though its nonce %d was used"):format(
            rpc.hex(row.hash), row.purchase, row.nonce),
          hint = ("If the wallet used it for something else, say so: %s"):format(
            failure.command(self.client, "void " .. row.purchase)) })
      end
    end
  end
  return true
end

-- ---- from beginning to end ----------------------------------------------------------------------------------

--- Why a transaction that was mined did nothing, as a clause.
function Run.revert_reason(self, row, data)
  local _, why = self.node:call("eth_call", { { from = self.payer, to = row.to, data = rpc.hex(data) }, "latest" })
  return why and rpc.revert(why) or "nothing is in its way now, so it may have run out of gas"
end

Run.fail, Run.unusable, Run.event_of = fail, unusable, receipts.event_of
Run.count_earlier_gas = mining.count_earlier_gas

--- The nonce of an open step that moves money was used, and no block that is shown has it.
function Run.replaced(self, row)
  if self.doubt then   -- it shows something, and nobody should say on the strength of that what became of it
    return fail(self, { kind = "gateway", code = "replaced", transaction = rpc.hex(row.hash),
      message = ("the nonce %d of the transaction %s was used; of the RPC: %s"):format(row.nonce, rpc.hex(row.hash),
        self.doubt), hint = "The same call looks again. Name another RPC with rpc =" })
  end
  return fail(self, { kind = "gateway", code = "replaced", transaction = rpc.hex(row.hash),
    message = ("the nonce %d of the transaction %s was used, and the RPC shows no receipt of it"):format(row.nonce,
      rpc.hex(row.hash)),
    hint = ("The same call looks again. If the wallet used that nonce for something else, say so: %s"):format(
      failure.command(self.client, "void " .. self.id)) })
end

local function approve(self)
  local on_pay, spec = self.client.config.on_pay, self.spec
  if not on_pay then return true end
  for _, row in ipairs(self.rows) do
    if row.purchase == self.id then return true end   -- asked before
  end
  local ok, answer, why = task.pcall(on_pay, spec.terms)
  if ok and answer == true then return true end
  local reason = errors.foreign(tostring(not ok and answer or why or ""), 120)
  return fail(self, { kind = "policy", code = "not_approved",
    message = "on_pay refused" .. (reason and reason ~= "nil" and ": " .. reason or "") })
end

local function reserve(self)
  local ok, why = operate(self, "reserve")
  if ok then return true end
  if why.code == "REFUSED" and type(why.extra) == "table" then return records.over_cap(self, why.extra) end
  return records.failed(self, why, "reserve the amount")
end

local function drive(self)
  local ok, message, err = records.begin(self)
  if not ok then return nil, message, err end
  ok, message, err = records.claim(self)
  if not ok then return nil, message, err end
  if self.state == "delivered" or self.state == "taken" then
    self.restored = true
    local value = json.decode(self.record.body or "")
    if type(value) ~= "table" then value = {} end
    value.amount = value.amount or self.spec.amount
    value.transaction = value.transaction or self.record.transaction
    return value
  end
  if self.state == "paid_lost" then
    return fail(self, { kind = "payment", code = "paid_lost", paid = "yes", amount = money.format(self.spec.amount),
      message = self.record.hand == "settle" and "this one was closed by hand as settled"
        or "this one was mined, and what came of it is gone from the ledger", hint = "{ again = true } makes another" })
  end
  local right, why = self.node:check_chain()
  if right then right, why = self.node:check_fresh(call.now(self.client)) end
  if not right then return unusable(self, why) end
  for _, act in ipairs { reserve, records.take_turn, approve, settle_earlier } do
    ok, message, err = act(self)
    if not ok then return nil, message, err end
  end
  local value
  value, message, err = self.spec.steps(self)
  if value == nil then return nil, message, err end
  ok, why = operate(self, "deliver", (json.encode(value)), value.transaction)
  if not ok then
    -- It is mined, whatever the disk says: an equal call finds that out again.
    self.unrecorded = why.message
  end
  return value
end

-- It came to nothing: where none of its transactions can move money any more, what was reserved is free.
local function give_up(self)
  local signed = false
  for _, row in ipairs(self.rows) do
    if row.purchase == self.id then
      signed = true
      if row.fate == "open" or (row.fate == "done" and row.step ~= "approve") then return end
    end
  end
  if not signed then return end
  if self.cancelled then self.handle:void() else operate(self, "void") end   -- a cancelled task waits for nothing
end

--- Make a deposit or a refund. spec: { where=, verb=, act=, network=, contract=, amount= (atomic), opts= (checked),
-- terms= (for on_pay), steps = function(run): the value, whose `transaction` names it, or nil, message, err }
-- Returns the value and the run, whose :taken() is due when the value is handed over; or nil, message, err.
function sender.perform(client, spec)
  local ok, message, err = wait.may_begin()
  if not ok then return nil, message, err end
  if client.closed then return errors.usage(spec.where .. ": the client was closed", nil, "closed") end
  if client.config.dry_run then
    return errors.fail { kind = "policy", code = "dry_run", terms = spec.terms, amount = spec.terms.amount,
      message = ("dry run: %s would have moved %s USDC"):format(spec.where, tostring(spec.terms.amount)),
      hint = "Open the client without dry_run, and unset SPRAAY_DRY_RUN, to do it" }
  end
  if not client.config.ledger then
    if client.config.ledger_off then
      return errors.usage(spec.where .. ": a transaction must be on record before it is sent, and this client "
        .. "keeps no ledger", "Open it without ledger = false", "no_ledger")
    end
    return errors.fail(place.missing())
  end
  local by = engine.now() + (spec.opts.total_ms or client.config.core.total_ms) / 1000
  local node
  node, message, err = rpc.of(client, spec.network, by, spec.where)
  if not node then return nil, message, err end
  local self = setmetatable({ client = client, spec = spec, node = node, gas = client.config.gas, rows = {},
    spent = "0", counted = {} }, mt)
  local went, value
  went, value, message, err = task.pcall(drive, self)
  if went and value ~= nil then return value, self end
  if self.handle then
    if went then give_up(self) end
    self.handle:close()
  end
  if not went then error(value, 0) end
  return nil, message, err
end

--- The value is in the caller's hands.
function Run.taken(self)
  self.handle:taken()
  self.handle:close()
end

--- What a result says of the payment: gas in ETH, and in dollars where a price is known.
function Run.payment(self, value)
  local gas = value.gas or "0"
  return {
    status = self.restored and "restored" or "settled", amount = money.format(value.amount or "0"),
    network = self.spec.network, transaction = value.transaction, payer = self.payer, purchase = self.id,
    gas = wei.ether(gas), gas_usd = self.gas.price and wei.dollars(gas, self.gas.price) or nil,
  }
end

return sender
