--- The payment gate: terms, verification, the handler, settlement; in that order, always.
---
---   no payment ----------------------------------> 402 challenge
---   payment --match--verify--handler--settle-----> answer + receipt
---               |      |        |        '-fails-> 402, the answer is withheld
---               |      |        '- status >= 400 -> that answer, nothing settled
---               '------'--- refused -------------> 402 challenge with the reason
---
--- The handler's answer is held back until money has moved, and what the handler did stays done
--- whatever becomes of the money. Faults hook in between the steps; see faults/.
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local facilitator = require "spraay.sandbox.facilitator"
local json = require "spraay.sandbox.json"
local reply = require "spraay.sandbox.reply"
local solana_address = require "spraay.sandbox.solana.address"
local self_paid = require "spraay.sandbox.solana.self_paid"
local wire_v1 = require "spraay.sandbox.wire_v1"
local wire_v2 = require "spraay.sandbox.wire_v2"

local gate = {}
gate.__index = gate
gate.__name = "spraay.sandbox.gate"

local TIMEOUT_SECONDS = 300

function gate.new(sandbox)
  return setmetatable({ sandbox = sandbox, kept = {} }, gate)
end

--- What a route costs on every rail, now.
---@return table[] terms  entries of `accepts`, with `kind` and `v1` besides
function gate:terms(route)
  local terms = {}
  for i, rail in ipairs(self.sandbox.rails) do
    local extra = {}
    for name, value in pairs(rail.extra) do extra[name] = value end
    terms[i] = {
      scheme = "exact", network = rail.network, amount = tostring(route.price), asset = rail.asset,
      payTo = rail.pay_to, maxTimeoutSeconds = TIMEOUT_SECONDS, extra = extra,
      kind = rail.kind, v1 = rail.v1,
    }
  end
  return terms
end

-- What stands for a term where no term was accepted.
local function rail_term(rail)
  return { scheme = "exact", network = rail.network, asset = rail.asset, payTo = rail.pay_to, extra = rail.extra,
           kind = rail.kind, v1 = rail.v1 }
end

-- A payment header decoded, or nil: what cannot be read counts as no payment at all.
local function decode(header)
  local text = crypto.unbase64(header)
  local payment = text and json.decode(text)
  return type(payment) == "table" and payment or nil
end

-- One trip through the gate: what the steps share.
---@class spraay.sandbox.Passage
---@field request table
---@field route table
---@field wire table
---@field terms table[]
---@field entry table          our line in the books
---@field authorization? table
---@field term? table          what was accepted
---@field payment? table       as it was presented
local passage = {}
passage.__index = passage

function passage:challenge(reason, note)
  local response = self.wire.challenge(self.gate, self.request, self.route, self.terms, reason, note)
  local fault = self.gate.sandbox.faults:take("challenge", self.request)
  return fault and fault:apply(self, response) or response
end

function passage:network()
  return self.wire.version == 1 and self.term.v1 or self.term.network
end

--- Is it Solana that this payment is made on?
function passage:on_solana()
  if self.term then return self.term.kind == "svm" end
  local payload = self.payment and self.payment.payload
  return type(payload) == "table" and payload.transaction ~= nil
end

--- The name of a transaction that never was, shaped as those of this rail are: one byte all over.
function passage:transaction_name(byte)
  if self:on_solana() then return solana_address.text(string.char(byte):rep(64)) end
  return "0x" .. ("%02x"):format(byte):rep(32)
end

--- A receipt for money that moved.
function passage:receipt(transaction)
  return { success = true, payer = self.authorization.payer, transaction = transaction,
           network = self:network() }
end

--- A receipt for money that did not.
function passage:refusal(reason, transaction)
  return { success = false, errorReason = reason, transaction = transaction or "",
           network = self:network(), payer = self.authorization.payer }
end

-- Equal requests, equal digests.
local function digest_of(request) return "0x" .. crypto.hex(crypto.keccak(json.encode(request.body))) end

local RESET = "the sandbox was reset"

--- Was the sandbox reset since this trip began? Then its gate is not the sandbox's any more, and
--- nothing of it may reach the new books, nor use up the new faults.
function passage:outdated() return self.gate.sandbox.gate ~= self.gate end

--- Cash the authorization and write it into the books.
---@return string? transaction
---@return string? reason
function passage:settle()
  local sandbox, a = self.gate.sandbox, self.authorization
  if self:outdated() then return nil, RESET end
  local transaction, reason = facilitator.settle(sandbox, a, self.term)
  if not transaction then
    self.entry.verdict = "settlement failed: " .. reason
    return nil, reason
  end
  self:book(transaction)
  return transaction
end

--- The money has moved: into the books with it.
function passage:book(transaction)
  local a = self.authorization
  self.entry.verdict = "settled"
  self.gate.sandbox.books:settle{
    payer = a.payer, payTo = self.term.payTo, amount = a.value, nonce = a.nonce or json.null, memo = a.memo,
    route = self.route.title, path = self.request.target, body = digest_of(self.request),
    network = self.term.network, transaction = transaction,
  }
end

-- Match and verify. A response means that the payment went no further.
---@return table? response
local function admit(self, payment)
  local sandbox = self.gate.sandbox
  local term, reason, note = self.wire.match(self.terms, payment, self.route, sandbox.config.lenient)
  local authorization
  if term then authorization, reason = facilitator.verify(sandbox, payment, term, self.wire.version) end
  if not authorization then
    self.entry.verdict = "refused: " .. (reason or note)
    return self:challenge(reason, note)
  end
  sandbox.books:verify()
  self.entry.verdict = "verified"
  self.term, self.authorization = term, authorization
end

local function add_headers(response, headers)
  for _, pair in ipairs(headers) do response.headers[#response.headers + 1] = pair end
  return response
end

-- The handler ran and was content: now the money, then the answer.
local function finish(self, response)
  if self:outdated() then return self.wire.settle_failed(self.gate, self.route, self:refusal(RESET)) end
  local faults = self.gate.sandbox.faults
  local fault = faults:take("settle", self.request)
  local early = fault and fault:apply(self, response)
  if early then return early end
  local transaction, reason = self:settle()
  if not transaction then
    return self.wire.settle_failed(self.gate, self.route, self:refusal(reason))
  end
  add_headers(response, self.wire.receipt(self:receipt(transaction)))
  add_headers(response, { { "cache-control", "private" } })
  fault = faults:take("answer", self.request)
  return fault and fault:apply(self, response, transaction) or response
end

-- Browsers get a page to pay on, not a challenge.
local function is_browser(request)
  local accept, agent = request.headers.accept or "", request.headers["user-agent"] or ""
  return accept:find("text/html", 1, true) and agent:find("Mozilla", 1, true)
end

--- Take a request to a paid route through the gate.
---@param request table
---@param route table
---@param handler fun(): table   runs the route; called once, after verification
---@return table response
function gate:pass(request, route, handler)
  local sandbox = self.sandbox
  local faults = sandbox.faults
  local wire = (sandbox.config.x402_version == 1 or faults:take("version", request)) and wire_v1 or wire_v2
  local header = request.headers[wire.request_header]
  local payment = header and decode(header)
  request.leg = payment and "paid" or "probe"
  local self_ = setmetatable({ gate = self, request = request, route = route, wire = wire, payment = payment,
                               terms = self:terms(route) }, passage)
  local claim = payment and facilitator.claim(payment)
  if claim then self_.entry = sandbox.books:present(claim, route.title) end
  local fault = faults:take("terms", request)
  if fault then fault:apply(self_, self_.terms) end
  fault = faults:take("request", request)
  local early = fault and fault:apply(self_)
  if early then return early end
  if not payment then return is_browser(request) and reply.paywall() or self_:challenge() end
  local kept = sandbox.config.replay and self.kept[claim.key]
  if kept and kept.route == route then
    self_.entry.verdict = "replayed"
    return kept.response
  end
  early = admit(self_, payment)
  if early then return early end
  local response = handler()
  if response.status >= 400 then
    self_.entry.verdict = "not settled: answered " .. response.status
    return self:decorated(response, route)
  end
  local answer = { status = response.status, body = response.body,
                   headers = { table.unpack(response.headers) } }
  local final = finish(self_, response)
  if sandbox.config.replay and self_.entry.verdict == "settled" then
    self.kept[claim.key] = { route = route, response = answer }
  end
  return final
end

--- A request that names a transfer made before (X-Solana-Tx), looked at long before the gate proper.
---@param chain table   of the Solana rail
---@return table? passage   for run_prepaid
---@return table? response  or the answer, if it goes no further
function gate:look_at_transfer(request, route, chain)
  local sandbox = self.sandbox
  local rail, signature = chain.rail, request.headers["x-solana-tx"]
  request.leg = "paid"
  local self_ = setmetatable({ gate = self, request = request, route = route, wire = wire_v2,
                               terms = self:terms(route), term = rail_term(rail) }, passage)
  self_.entry = sandbox.books:present({ nonce = signature }, route.title)
  local function refused(detail)
    self_.entry.verdict = "refused: " .. detail
    return nil, self:decorated(self_paid.refusal(rail, route.price, detail), route)
  end
  local fault = sandbox.faults:take("request", request) or sandbox.faults:take("self_paid", request)
  local early, detail = nil, nil
  if fault then early, detail = fault:apply(self_) end
  if early then return nil, early end
  if detail then return refused(detail) end
  local single_use, row = sandbox.config.solana_single_use, sandbox.books:transfer(signature)
  if single_use and row and row.redeemed then return refused "Transaction signature already used" end
  local move
  move, detail = self_paid.find(chain, signature, route.price)
  if not move then return refused(detail) end
  self_.authorization = { payer = move.payer, value = move.amount, nonce = signature }
  self_.entry.payer, self_.entry.verdict = move.payer, "honoured"
  sandbox.books:redeem(signature, route.title, request.target, digest_of(request))
  return self_
end

--- Run the handler of such a request: at once, with nothing to settle and no receipt.
---@param prepaid spraay.sandbox.Passage
function gate:run_prepaid(prepaid, handler)
  local response = handler()
  if response.status >= 400 then return self:decorated(response, prepaid.route) end
  local fault = self.sandbox.faults:take("answer", prepaid.request)
  return fault and fault:apply(prepaid, response, prepaid.authorization.nonce) or response
end

--- Every 402 is decorated, whoever said it.
function gate:decorated(response, route)
  if response.status ~= 402 then return response end
  return add_headers(response, wire_v2.decorate(response.body, self.sandbox.rails, route))
end

--- A caller with an API key: the handler runs at once, and a challenge nobody asked for stays in
--- the headers. If the handler itself says 402, the challenge is mixed into its body as well.
function gate:bypass(request, route, handler)
  local self_ = setmetatable({ gate = self, request = request, route = route, wire = wire_v2,
                               terms = self:terms(route) }, passage)
  local challenge = wire_v2.challenge(self, request, route, self_.terms)
  local response = handler()
  if response.status == 402 then
    for name, value in pairs(response.body) do challenge.body[name] = value end
    return challenge
  end
  for _, pair in ipairs(challenge.headers) do
    if pair[1] == "payment-required" then response.headers[#response.headers + 1] = pair end
  end
  return response
end

return gate
