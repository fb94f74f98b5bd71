-- SPDX-License-Identifier: MIT
--- One deposit or refund: transactions of the wallet's own, from the first question to the last block.
--
-- The core keeps the order that money needs: it builds each transaction itself, has it on record before it
-- hands out a byte of it, and signs nothing while another of the wallet's is open (src/client/evm_sender.h).
-- This file asks the chain, decides about nonce, gas and fees, broadcasts and waits. What was signed once is
-- broadcast again, byte for byte, until a block has it; only its fee is raised, under the same nonce.
local call = require "spraay.call"
local compat = require "spraay.compat"
local engine = require "spraay.engine"
local errors = require "spraay.errors"
local failure = require "spraay.failure"
local fees = require "spraay.evm.fees"
local json = require "spraay.json"
local money = require "spraay.money"
local origins = require "spraay.options.origin"
local place = require "spraay.options.place"
local purchases = require "spraay.purchases"
local receipts = require "spraay.evm.receipts"
local rpc = require "spraay.evm.rpc"
local step = require "spraay.step"
local task = require "spraay.task"
local wait = require "spraay.wait"
local wei = require "spraay.evm.wei"

local sender = {}

local Run = {}
local mt = { __name = "spraay.sender", __index = Run }

local AGAIN = 6          -- seconds after which bytes that no block has are broadcast again
local PAUSE_FIRST, PAUSE_LAST = 0.1, 2
local GONE_LOOKS = 4     -- how often a nonce that is used, or beyond a hole, is looked at before it is believed
local GONE_SECONDS = 12  -- and how long, before another deposit may be made in its place by its owner's word

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

local SAME = "Make the same call again: it goes on with this transaction, and signs no other"

-- The node's trouble, as the end of it.
local function unusable(self, why)
  if why.kind == "cancelled" then self.cancelled = true end
  local fields = carry_money(self, { message = "" })
  fields.message = nil
  if fields.paid == "maybe" then fields.hint = SAME end
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

local function over_cap(self, refusal)
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

local function begin(self)
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

local function claim(self)
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

local function take_turn(self)
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

-- ---- what is on its way ----------------------------------------------------------------------------------

local judge, cost_of, same_address = receipts.judge, receipts.cost_of, receipts.same_address

--- What a transaction of this purchase cost, counted once.
function Run.count_gas(self, row, receipt)
  if row.purchase ~= self.id or self.counted[row.hash] then return end
  self.counted[row.hash] = true
  self.spent = wei.add(self.spent, cost_of(receipt))
end

--- The gas of what was mined for it before, in an earlier call, as far as the node tells.
function Run.count_earlier_gas(self)
  for _, row in ipairs(self.rows) do
    if row.purchase == self.id and (row.fate == "done" or row.fate == "reverted") and not self.counted[row.hash] then
      local receipt = self.node:once("eth_getTransactionReceipt", { rpc.hex(row.hash) })
      if type(receipt) == "table" then self:count_gas(row, receipt) end
    end
  end
end

-- All attempts under the nonce of a row that are open, the newest first.
local function attempts_of(self, row)
  local out = {}
  for i = #self.rows, 1, -1 do
    local other = self.rows[i]
    if other.purchase == row.purchase and other.nonce == row.nonce and other.fate == "open" then
      out[#out + 1] = other
    end
  end
  return out
end

local function settle(self, row, fate, block, block_hash)
  local ok, why = operate(self, "settle", row.hash, fate, block or 0, block_hash or "")
  if not ok then return ledger_failed(self, why, "note what became of a transaction") end
  row.fate, row.block, row.block_hash = fate, block or 0, block_hash or ""
  return true
end

-- Is the receipt deep enough? Then the same one must still be there.
local function confirmed(self, row, block, receipt)
  local wanted = self.gas.confirmations
  if wanted <= 1 then return true end
  local newest = self.node:number("eth_blockNumber", {})
  if not newest or newest - block + 1 < wanted then return false end
  local again = self.node:call("eth_getTransactionReceipt", { rpc.hex(row.hash) })
  return type(again) == "table" and json.get(again, "blockHash") == json.get(receipt, "blockHash")
end

-- Look for a receipt of any attempt. Returns the fate; or false when there is none yet, and whether there is one that
-- is not deep enough; or nil, message, err.
local function look(self, row)
  local shallow = false
  for _, attempt in ipairs(attempts_of(self, row)) do
    local receipt, why = self.node:once("eth_getTransactionReceipt", { rpc.hex(attempt.hash) })
    if receipt == nil and why.kind == "cancelled" then return unusable(self, why) end
    if receipt == nil and not self.node:is_over() then self.doubt = why.message end
    if type(receipt) == "table" then
      local fate, block = judge(self, attempt, receipt)
      if not fate then
        self.doubt = block
      elseif not confirmed(self, attempt, block, receipt) then
        shallow = true
      else
        local others = attempts_of(self, row)
        local ok, message, err = settle(self, attempt, fate, block, json.get(receipt, "blockHash"))
        if not ok then return nil, message, err end
        for _, other in ipairs(others) do   -- on record, too
          if other ~= attempt then other.fate = "gone" end
        end
        self:count_gas(attempt, receipt)
        self.receipt = receipt
        return fate, attempt
      end
    end
  end
  return false, shallow
end

-- ---- broadcasting ---------------------------------------------------------------------------------------

local KNOWN = { "already known", "known transaction", "already imported", "already exists" }

local function says(message, words)
  message = message:lower()
  for _, word in ipairs(words) do
    if message:find(word, 1, true) then return true end
  end
  return false
end

-- Hand bytes to the node. Returns "sent", "again" (it may have them, or not), "underpriced" or "poor".
local function broadcast(self, row)
  self.said = nil
  local answer, why = self.node:once("eth_sendRawTransaction", { rpc.hex(row.raw) })
  if answer ~= nil then
    if not same_address(answer, rpc.hex(row.hash)) then self.doubt = "it answers with another hash" end
    return "sent"
  end
  if why.kind ~= "refused" then
    if not self.node:is_over() then self.doubt = why.message end
    return "again"
  end
  if says(why.message, KNOWN) then return "sent" end
  self.said = why.message
  if says(why.message, { "underpriced" }) then return "underpriced" end
  if says(why.message, { "insufficient funds" }) then return "poor" end
  return "again"
end

local raise   -- below: a higher fee under the same nonce

local function timed_out(self, row, found)
  local earlier = row.purchase ~= self.id
  local words = ("the transaction %s (%s, nonce %d) is in %s yet"):format(rpc.hex(row.hash), row.step, row.nonce,
    found and "no block that is deep enough" or "no block")
  if self.missing then
    words = words .. (": it waits for %d others of the wallet, and the RPC knows none of them"):format(self.missing)
  end
  if self.capped then words = words .. ", and its fee cannot be raised within gas.max_eth" end
  if self.doubt then words = words .. "; of the RPC: " .. self.doubt end
  if self.said then words = words .. ("; the RPC says \"%s\""):format(self.said) end
  return fail(self, { kind = "timeout", code = earlier and "earlier_open" or "open", message = words,
    transaction = rpc.hex(row.hash), expect = self.said and "no" or nil,
    hint = earlier and ("It belongs to %s, which comes first: make that call again, or this one later"):format(
      row.purchase) or SAME })
end

local function poor(self, row)
  return fail(self, { kind = "wallet", code = "gas", transaction = rpc.hex(row.hash), expect = "no",
    message = ("the wallet %s has too little ETH on %s for the gas of its transaction"):format(self.payer,
      purchases.network_name(self.spec.network)),
    hint = "Send it some ETH, then make the same call again" })
end

-- The node says that nothing it has leads up to this nonce. An approval is then signed anew, under the right one: it
-- moves nothing, whenever it is mined. What moves money waits.
local function beyond_hole(self, row, count)
  if row.step ~= "approve" or row.purchase ~= self.id or count >= row.nonce then return false end
  local pending = rpc.integer((self.node:once("eth_getTransactionCount", { self.payer, "pending" })))
  return pending ~= nil and pending < row.nonce
end

-- The nonce was used by something else, as far as the node tells. Of an approval that is written down, and another
-- may follow; what moves money stays open.
local function give_up_nonce(self, row)
  if row.step ~= "approve" then return "gone" end
  for _, attempt in ipairs(attempts_of(self, row)) do
    local ok, message, err = settle(self, attempt, "gone")
    if not ok then return nil, message, err end
  end
  return "gone"
end

-- What is to be mined before a row, and was undone with its block: those bytes, too, are broadcast again. Of nonces
-- that are not ours it is counted how many the node has nothing of.
local function fill_holes(self, row, count)
  self.missing = nil
  local ours = {}
  for _, other in ipairs(self.rows) do
    if other.nonce >= count and other.nonce < row.nonce and not other.foreign and (other.fate == "done"
      or other.fate == "reverted") then
      ours[other.nonce] = true
      self.node:once("eth_sendRawTransaction", { rpc.hex(other.raw) })
    end
  end
  local pending = rpc.integer((self.node:once("eth_getTransactionCount", { self.payer, "pending" }))) or row.nonce
  local missing = 0
  for nonce = math.max(pending, count), math.min(row.nonce, count + 1000) - 1 do
    if not ours[nonce] then missing = missing + 1 end
  end
  if missing > 0 then self.missing = missing end
end

--- Have a signed transaction mined: broadcast until a block has it or one that took its nonce. Returns
-- "done", "reverted" or "gone"; or nil, message, err.
local function await(self, row)
  local pause, sent_at, raised_at, gone = PAUSE_FIRST, nil, engine.now(), 0
  local filled_at, gone_at = nil, engine.now()
  self.doubt, self.said, self.capped, self.missing = nil, nil, nil, nil
  while true do
    if not sent_at or engine.now() - sent_at >= AGAIN then
      local heard = broadcast(self, row)
      sent_at = engine.now()
      if heard == "poor" then
        local fate, message, err = look(self, row)
        if fate == nil then return nil, message, err end
        if fate then return fate, message end
        return poor(self, row)
      elseif heard == "underpriced" and #attempts_of(self, row) > 1 then   -- else the nonce is another sender's
        raised_at = -math.huge
      end
    end
    local fate, found, err = look(self, row)
    if fate == nil then return nil, found, err end
    if fate then return fate, found end
    local count, why = self.node:once("eth_getTransactionCount", { self.payer, "latest" })
    if count == nil and why.kind == "cancelled" then return unusable(self, why) end
    count = rpc.integer(count)
    if count and count < row.nonce and (not filled_at or engine.now() - filled_at >= AGAIN) then
      fill_holes(self, row, count)
      filled_at = engine.now()
    elseif count and count >= row.nonce then
      self.missing = nil
    end
    gone = count and not found and (count > row.nonce or beyond_hole(self, row, count)) and gone + 1 or 0
    if gone == 0 then gone_at = engine.now() end
    local by_hand = row.step ~= "approve" and row.purchase == self.id and self.record.hand == "void"
    if gone >= GONE_LOOKS and (not by_hand or engine.now() - gone_at >= GONE_SECONDS) then
      return give_up_nonce(self, row)
    end
    if self.node:is_over() then return timed_out(self, row, found) end
    if gone == 0 and not found and row.purchase == self.id and engine.now() - raised_at >= self.gas.bump_after then
      local higher, message, err2 = raise(self, row)
      if higher == nil then return nil, message, err2 end
      raised_at = engine.now()
      if higher then row, sent_at = higher, nil end
    end
    if not self.node:pause(pause) then return unusable(self, { kind = "cancelled" }) end
    pause = math.min(pause * 1.5, PAUSE_LAST)
  end
end

-- ---- signing ------------------------------------------------------------------------------------------

local function sign(self, name, offer)
  local row, why = operate(self, "sign", name, { nonce = compat.integer_text(offer.nonce),
    gas = compat.integer_text(offer.gas), max_fee = offer.max_fee, max_tip = offer.max_tip })
  if row then
    row.fate = "open"
    self.rows[#self.rows + 1] = row
    return row
  end
  if why.code == "REFUSED" then return nil, "REFUSED" end
  if why.code == "RANGE" then
    return fail(self, { kind = "connection", code = "rpc", hint = "Name another RPC with rpc =",
      message = ("what the RPC says of gas makes no sense: %s units of it, at %s wei"):format(
        compat.integer_text(offer.gas), offer.max_fee) })
  end
  if why.code == "KEY" or why.code == "SIGNATURE" then
    return fail(self, { kind = "wallet", code = "missing", message = "the wallet could not sign: " .. why.message })
  end
  return ledger_failed(self, why, "record the transaction, so it was not sent")
end

-- `earlier`: by itself it would not be too much.
local function over_gas(self, most, earlier)
  return fail(self, { kind = "policy", code = "over_gas",
    message = ("gas may cost %s, %smore than gas.max_eth allows (%s)"):format(wei.shown(most, self.gas.price),
      earlier and "with what was signed for this one before " or "", wei.shown(self.gas.cap, self.gas.price)),
    hint = not earlier and #most <= 18
      and ("Allow it with gas = { max_eth = \"%s\" }, or wait for lower fees"):format(wei.ether(most))
      or earlier and "Allow more with gas = { max_eth = … }"
      or "Wait for lower fees, or name another RPC with rpc =" })
end

-- A higher fee under the same nonce. The new row, false when the cap forbids it; or nil, message, err.
function raise(self, row)
  local market = fees.market(self.node)
  if not market then return false end   -- it is looked at again
  local offer = fees.raised(row, market)
  offer.nonce, offer.gas = row.nonce, row.gas
  if #offer.max_fee > 18 then
    self.capped = true
    return false
  end
  local higher, message, err = sign(self, row.step, offer)
  if higher then return higher end
  if message ~= "REFUSED" then return nil, message, err end
  self.capped = true
  return false
end

-- The next nonce of the wallet. All of ours are mined by now, so what the node says is what is next; a node
-- that has not seen our last one is behind.
local function next_nonce(self)
  local last
  for _, row in ipairs(self.rows) do
    if not row.foreign and (row.fate == "done" or row.fate == "reverted")
      and (not last or row.nonce > last.nonce) then
      last = row
    end
  end
  while true do
    local mined, why = self.node:number("eth_getTransactionCount", { self.payer, "latest" })
    if not mined then return unusable(self, why) end
    if not last or mined > last.nonce then
      local pending = self.node:number("eth_getTransactionCount", { self.payer, "pending" })
      return pending and pending > mined and pending or mined
    end
    local block = self.node:call("eth_getBlockByNumber", { rpc.quantity(last.block), false })
    local hash = json.get(block, "hash")
    if hash and last.block_hash ~= "" and hash ~= last.block_hash then last = nil end   -- a chain begun anew
    if self.node:is_over() then
      return fail(self, { kind = "connection", code = "rpc_lagging",
        message = ("the RPC has not seen the wallet's transaction %s of block %d yet"):format(
          last and rpc.hex(last.hash) or "?", last and last.block or 0),
        hint = "Call again later, or name another RPC with rpc =" })
    end
    if last and not self.node:pause(0.5) then return unusable(self, { kind = "cancelled" }) end
  end
end

-- Gas for a call of ours; where the chain says that it would revert, the reason. Returns a number, or false and
-- the reason, or nil, message, err.
local function estimate(self, to, data)
  local gas, why = self.node:number("eth_estimateGas", { { from = self.payer, to = to, data = rpc.hex(data) } })
  if gas then return fees.with_margin(gas) end
  local reason, name = rpc.revert(why)
  if reason then return false, reason, name end
  return unusable(self, why)
end

local function ether_is_enough(self, most)
  local has, why = self.node:quantity("eth_getBalance", { self.payer, "latest" })
  if not has then return unusable(self, why) end
  if wei.compare(has, most) >= 0 then return true end
  return fail(self, { kind = "wallet", code = "gas",
    message = ("the wallet %s holds %s on %s, and gas may cost %s"):format(self.payer, wei.shown(has, self.gas.price),
      purchases.network_name(self.spec.network), wei.shown(most, self.gas.price)),
    hint = "Send it some ETH for gas, then call again" })
end

--- Sign a step and have it mined. `reserve_gas` is what steps after it will need. Returns its fate, or false and the
-- reason why the chain would not run it; nil, message, err.
function Run.send(self, name, to, data, reserve_gas)
  local gas, message, err = estimate(self, to, data)
  if not gas then return gas, message, err end
  local offer, why = fees.market(self.node)
  if not offer then return unusable(self, why) end
  local most = fees.most(gas + (reserve_gas or 0), offer)
  if wei.compare(most, self.gas.cap) > 0 or #offer.max_fee > 18 then return over_gas(self, most) end
  local enough
  enough, message, err = ether_is_enough(self, most)
  if not enough then return nil, message, err end
  offer.gas = gas
  offer.nonce, message, err = next_nonce(self)
  if not offer.nonce then return nil, message, err end
  local row
  row, message, err = sign(self, name, offer)
  if not row then
    if message == "REFUSED" then return over_gas(self, most, true) end
    return nil, message, err
  end
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
  if type(receipt) == "table" and judge(self, row, receipt) == row.fate then
    self.receipt = receipt
    self:count_gas(row, receipt)
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
  if ok and answer then return true end
  local reason = errors.foreign(tostring(not ok and answer or why or ""), 120)
  return fail(self, { kind = "policy", code = "not_approved",
    message = "on_pay refused" .. (reason and reason ~= "nil" and ": " .. reason or "") })
end

local function reserve(self)
  local ok, why = operate(self, "reserve")
  if ok then return true end
  if why.code == "REFUSED" and type(why.extra) == "table" then return over_cap(self, why.extra) end
  return ledger_failed(self, why, "reserve the amount")
end

local function drive(self)
  local ok, message, err = begin(self)
  if not ok then return nil, message, err end
  ok, message, err = claim(self)
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
  for _, act in ipairs { reserve, take_turn, approve, settle_earlier } do
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
