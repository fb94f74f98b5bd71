--- Faults that only Solana knows: terms, settlement, the RPC and what is sent through it, X-Solana-Tx.
--- Each says its stage itself.
-- SPDX-License-Identifier: MIT
local reply = require "spraay.sandbox.reply"
local verify = require "spraay.sandbox.solana.verify"

local faults = {}

-- ---- terms --------------------------------------------------------------------------------------

local function each(terms, change)
  for _, term in ipairs(terms) do
    if term.kind == "svm" then change(term) end
  end
end

-- What the payment at hand repeats of the terms it was made for.
local function accepted(passage, name)
  local payment = passage.payment
  local entry = payment and payment.accepted
  local extra = type(entry) == "table" and entry.extra
  return type(extra) == "table" and extra[name] or nil
end

-- Terms that are new with each challenge: a payment is matched against those it was made for.
local function fresh(self, passage, terms, name, make)
  self.issued = self.issued or {}
  local value = accepted(passage, name)
  if value == nil or not self.issued[value] then value = make() end
  self.issued[value] = true
  each(terms, function(term) term.extra[name] = value end)
end

faults.solana_blockhash = {
  stage = "terms", text = "the challenge brings a recent blockhash, of a block this many seconds old",
  options = { seconds = 0 },
  apply = function(self, passage, terms)
    local chain = passage.gate.sandbox.solana
    fresh(self, passage, terms, "recentBlockhash", function()
      return self:option "blockhash" or (chain:blockhash(chain:head("confirmed", self:option "seconds")))
    end)
  end,
}
faults.solana_memo = {
  stage = "terms", text = "the challenge wants a memo of its own, and brings `blockhash`, where one is given",
  options = { memo = "order-7" },
  apply = function(self, _, terms)
    each(terms, function(term)
      term.extra.memo, term.extra.recentBlockhash = self:option "memo", self:option "blockhash"
    end)
  end,
}
faults.fee_payer_rotates = {
  stage = "terms", text = "each challenge names another fee payer, all of them the facilitator's",
  apply = function(self, passage, terms)
    local payers = passage.gate.sandbox.solana.fee_payers
    fresh(self, passage, terms, "feePayer", function()
      self.turn = (self.turn or 0) % #payers + 1
      return payers[self.turn].address
    end)
  end,
}
faults.no_fee_payer = {
  stage = "terms", text = "Solana entries that name no fee payer",
  apply = function(_, _, terms) each(terms, function(term) term.extra = {} end) end,
}
faults.foreign_fee_payer = {
  stage = "terms", text = "a fee payer whose key the facilitator does not have",
  options = { fee_payer = "D6ZhtNQ5nT9ZnTHUbqXZsTx5MH2rPFiBBggX4hY1WePM" },
  apply = function(self, _, terms)
    each(terms, function(term) term.extra.feePayer = self:option "fee_payer" end)
  end,
}
faults.own_fee_payer = {
  stage = "terms", text = "the payer himself is named as the fee payer (the throwaway account, or fee_payer)",
  apply = function(self, passage, terms)
    local own = self:option("fee_payer", passage.gate.sandbox.solana_key.address)
    each(terms, function(term) term.extra.feePayer = own end)
  end,
}
faults.solana_mint = {
  stage = "terms", text = "another mint: PYUSD, of the Token-2022 program",
  options = { mint = "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo" },
  apply = function(self, _, terms) each(terms, function(term) term.asset = self:option "mint" end) end,
}

-- ---- settlement ---------------------------------------------------------------------------------

faults.solana_settle_late = {
  stage = "settle", options = { seconds = 30 },
  text = "502 at once; the transaction was sent, and lands so many seconds of the sandbox's clock later",
  apply = function(self, passage)
    if not passage:on_solana() then return nil end
    passage.entry.verdict = "sent, not landed"
    verify.settle_later(passage.authorization, passage.gate.sandbox.solana, self:option "seconds", function(entry)
      if not passage:outdated() then passage:book(entry.signature) end
    end)
    return reply.proxy_page(502)
  end,
}

faults.solana_settle_reverts = {
  stage = "settle", text = "402, and the transaction is on chain as a failure; nothing moves",
  apply = function(_, passage)
    if not passage:on_solana() then return nil end
    local transaction = verify.revert(passage.authorization, passage.gate.sandbox.solana)
    local reason = "invalid_exact_svm_transaction_failed"
    passage.entry.verdict = "settlement failed: " .. reason
    return passage.wire.settle_failed(passage.gate, passage.route, passage:refusal(reason, transaction))
  end,
}

-- ---- the RPC ------------------------------------------------------------------------------------

faults.solana_unfinal = {
  stage = "rpc", text = "nothing is finalized any more; confirmed goes on", options = { seconds = 3600 },
  apply = function(self, view) view.unfinal = self:option "seconds" end,
}
faults.solana_unconfirmed = {
  stage = "rpc", text = "nothing of the last seconds is confirmed: it is seen as processed, or not at all",
  options = { seconds = 60 },
  apply = function(self, view) view.unconfirmed = self:option "seconds" end,
}
faults.solana_send_dropped = {
  stage = "rpc", text = "a sent transaction is acknowledged and never lands", options = { method = "sendTransaction" },
  apply = function(_, view) view.drop = true end,
}
faults.solana_send_late = {
  stage = "rpc", text = "a sent transaction lands some seconds later",
  options = { method = "sendTransaction", seconds = 5 },
  apply = function(self, view) view.delay = self:option "seconds" end,
}
faults.solana_send_lost = {
  stage = "rpc", text = "a sent transaction lands, and the answer is lost in a connection reset",
  options = { method = "sendTransaction" },
  apply = function(_, view) view.lost = reply.wire "reset" end,
}
faults.solana_send_denied = {
  stage = "rpc", text = "the node refuses a sent transaction, with this error, and it lands all the same",
  options = { method = "sendTransaction", seconds = 0, code = -32603, message = "Internal error" },
  apply = function(self, view)
    view.delay = self:option "seconds"
    view.deny = { code = math.tointeger(self:option "code"), message = self:option "message" }
  end,
}

-- ---- X-Solana-Tx --------------------------------------------------------------------------------
-- What comes back is an answer, or nothing and a refusal's detail.

faults.solana_tx_unsaid = {
  stage = "challenge", text = "X-Solana-Tx: the challenge does not say that it is taken",
  apply = function(_, _, response)
    response.body.solana_accepts = nil
    return response
  end,
}
faults.solana_tx_elsewhere = {
  stage = "challenge", text = "X-Solana-Tx: looked for at another address than the offer's, or in another mint",
  options = { receive = "D6ZhtNQ5nT9ZnTHUbqXZsTx5MH2rPFiBBggX4hY1WePM" },
  apply = function(self, _, response)
    local said = response.body.solana_accepts
    if said then said.receiveAddress, said.usdcMint = self:option("receive"), self:option("mint", said.usdcMint) end
    return response
  end,
}
faults.solana_tx_unseen = {
  stage = "self_paid", text = "X-Solana-Tx: the gateway's node has not seen the transaction yet",
  apply = function() return nil, "Transaction not found or not yet confirmed" end,
}
faults.solana_tx_failed = {
  stage = "self_paid", text = "X-Solana-Tx: the gateway's node says that the transaction failed",
  apply = function() return nil, 'Transaction failed: {"InstructionError":[2,{"Custom":1}]}' end,
}
faults.solana_tx_turned_away = {
  stage = "self_paid", text = "X-Solana-Tx: an answer of this status before anybody looks at the transaction",
  options = { status = 403 },
  apply = function(self) return reply.json(self:option "status", { error = "Not now" }) end,
}
faults.solana_tx_error = {
  stage = "self_paid", text = "X-Solana-Tx: the gateway's node cannot be asked",
  apply = function() return nil, "Verification error: fetch failed" end,
}
faults.solana_tx_store_down = {
  stage = "self_paid", text = "X-Solana-Tx: the store of used signatures is down: 503",
  apply = function() return reply.json(503, { error = "Replay protection unavailable", chain = "solana" }) end,
}

return faults
