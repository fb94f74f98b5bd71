-- SPDX-License-Identifier: MIT
--- Having a signed transaction mined: broadcast it, byte for byte, until a block has it or one that took its nonce.
-- What it waits for is broadcast with it; its fee is raised under the same nonce, and nothing else of it is changed.
--
-- `self` is a deposit or refund under way (evm/sender.lua).
local engine = require "spraay.engine"
local json = require "spraay.json"
local purchases = require "spraay.purchases"
local receipts = require "spraay.evm.receipts"
local records = require "spraay.evm.records"
local rpc = require "spraay.evm.rpc"
local signing = require "spraay.evm.signing"
local wei = require "spraay.evm.wei"

local mining = {}

local fail, unusable, attempts_of, settle = records.fail, records.unusable, records.attempts_of, records.settle
local judge, cost_of, same_address = receipts.judge, receipts.cost_of, receipts.same_address

local AGAIN = 6          -- seconds after which bytes that no block has are broadcast again
local PAUSE_FIRST, PAUSE_LAST = 0.1, 2
local GONE_LOOKS = 4     -- how often a nonce that is used, or beyond a hole, is looked at before it is believed
local GONE_SECONDS = 12  -- and how long, before another deposit may be made in its place by its owner's word

-- ---- what is on its way ----------------------------------------------------------------------------

--- What a transaction of this purchase cost, counted once.
function mining.count_gas(self, row, receipt)
  if row.purchase ~= self.id or self.counted[row.hash] then return end
  self.counted[row.hash] = true
  self.spent = wei.add(self.spent, cost_of(receipt))
end

--- The gas of what was mined for it before, in an earlier call, as far as the node tells.
function mining.count_earlier_gas(self)
  for _, row in ipairs(self.rows) do
    if row.purchase == self.id and (row.fate == "done" or row.fate == "reverted") and not self.counted[row.hash] then
      local receipt = self.node:once("eth_getTransactionReceipt", { rpc.hex(row.hash) })
      if type(receipt) == "table" then mining.count_gas(self, row, receipt) end
    end
  end
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
        mining.count_gas(self, attempt, receipt)
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
      row.purchase) or records.SAME })
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
function mining.await(self, row)
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
      local higher, message, err2 = signing.raise(self, row)
      if higher == nil then return nil, message, err2 end
      raised_at = engine.now()
      if higher then row, sent_at = higher, nil end
    end
    if not self.node:pause(pause) then return unusable(self, { kind = "cancelled" }) end
    pause = math.min(pause * 1.5, PAUSE_LAST)
  end
end

return mining
