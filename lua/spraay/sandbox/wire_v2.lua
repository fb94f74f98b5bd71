--- x402 version 2 as the gateway speaks it: challenge in a header, payment in PAYMENT-SIGNATURE,
--- receipt in PAYMENT-RESPONSE.
---
--- The header is the challenge. The body repeats it with things a client must not use: a `resource`
--- inside every entry, advertisement, a Solana offer whose amount is always "0.01".
--- https://github.com/x402-foundation/x402/blob/main/specs/x402-specification-v2.md
-- SPDX-License-Identifier: MIT
local bazaar = require "spraay.sandbox.bazaar"
local crypto = require "spraay.sandbox.crypto"
local facilitator = require "spraay.sandbox.facilitator"
local js = require "spraay.sandbox.js"
local json = require "spraay.sandbox.json"

local wire = { version = 2, request_header = "payment-signature", response_header = "payment-response" }

-- Put on every 402, whatever its kind.
local TAGS = json.array{ "x402", "payments", "usdc", "base", "solana", "compute", "inference", "gpu",
                         "images", "video", "speech", "embeddings" }
local META = json.encode{ provider = "spraay-x402", version = "3.7.0", support = "hello@spraay.app",
                          status = "https://gateway.spraay.app/health" }

local ABOUT_GATEWAY = { provider = "spraay-x402", version = "3.7.0", support = "hello@spraay.app",
                        status = "https://gateway.spraay.app/health" }

--- Decorate a 402 body in place.
---@param body table
---@param rails table[]
---@param route table
function wire.decorate(body, rails, route)
  body.serviceName, body.tags = "Spraay Protocol", TAGS
  body.iconUrl = "https://example.invalid/spraay.png"
  for _, rail in ipairs(rails) do
    if rail.kind == "svm" then
      body.solana_accepts = {
        chain = "solana", cluster = "mainnet-beta", receiveAddress = rail.pay_to, usdcMint = rail.asset,
        txHeader = "X-Solana-Tx", amountRequired = "0.01", protocol = "spl-transfer",
        instructions = "Transfer USDC to receiveAddress, then send X-Solana-Tx with the signature.",
      }
    end
  end
  if route.name == "gpu_run" then
    body.description = route.text
    body._spraay = { description = route.text, docs_url = "https://docs.spraay.app",
                     upsell = "Many jobs? See /api/v1/compute/batch.",
                     example_request = route.sample, example_response = { jobId = "p1", status = "running" },
                     related_endpoints = json.array(), gateway = ABOUT_GATEWAY }
  end
  return { { "x-spraay-meta", META } }
end

local function entry_of(term)
  return { scheme = term.scheme, network = term.network, amount = term.amount, asset = term.asset,
           payTo = term.payTo, maxTimeoutSeconds = term.maxTimeoutSeconds, extra = term.extra }
end

--- A 402 that asks for payment.
---@param gate table
---@param request table
---@param route table
---@param terms table[]
---@param reason? string  why a payment was refused
---@param note? string    what the payload cleaner has to say
---@return table response
function wire.challenge(gate, request, route, terms, reason, note)
  local url = request.origin .. request.target
  local _, extensions = bazaar.of(route)
  local challenge = {
    x402Version = 2, error = reason or "Payment required", extensions = extensions,
    resource = { url = url, description = route.text, mimeType = "application/json" },
    accepts = json.array(),
  }
  for i, term in ipairs(terms) do challenge.accepts[i] = entry_of(term) end
  local header = crypto.base64(json.encode(challenge))
  if reason == facilitator.NO_ALLOWANCE then           -- no 402, so nobody decorates it
    return { status = 412, headers = { { "payment-required", header } }, body = challenge }
  end
  for _, entry in ipairs(challenge.accepts) do entry.resource = url end
  local headers = wire.decorate(challenge, gate.sandbox.rails, route)
  if note then
    challenge._spraay = challenge._spraay or {}
    challenge._spraay.payment_error = note
  end
  headers[#headers + 1] = { "payment-required", header }
  headers[#headers + 1] = { "cache-control", "no-store" }
  return { status = 402, headers = headers, body = challenge }
end

-- Whatever the scheme does not know is dropped by the September cleaner before matching.
local KNOWN = { "scheme", "network", "amount", "asset", "payTo", "maxTimeoutSeconds", "extra" }

local function cleaned(accepted)
  local kept = {}
  for _, name in ipairs(KNOWN) do kept[name] = accepted[name] end
  return kept
end

local function matches(term, accepted)
  local entry, given = entry_of(term), {}
  for name, value in pairs(accepted) do given[name] = value end
  local extra = given.extra
  given.extra, entry.extra = nil, nil
  return json.equal(entry, given) and bazaar.contains(extra, term.extra)
end

--- Which of our terms does a decoded payment accept?
---@return table? term
---@return string? reason
---@return string? note
function wire.match(terms, payment, route, lenient)
  local accepted = payment.accepted
  if type(accepted) ~= "table" then
    if lenient then return nil, nil, "accepted is missing or not an object" end
    return nil, "Cannot read properties of undefined (reading 'scheme')"
  end
  if payment.x402Version ~= 2 then
    return nil, "Unsupported x402 version: " .. js.string(payment.x402Version)
  end
  if lenient then accepted = cleaned(accepted) end
  for _, term in ipairs(terms) do
    if matches(term, accepted) then
      if not bazaar.echo_matches(route, payment.extensions) then return nil, "extension_echo_mismatch" end
      return term
    end
  end
  return nil, "No matching payment requirements"
end

--- Headers of a receipt.
function wire.receipt(receipt)
  return { { wire.response_header, crypto.base64(json.encode(receipt)) } }
end

--- The answer when settlement failed after the work was done: the result is withheld.
---@param receipt table|nil  nil when settlement crashed: then neither header is there
function wire.settle_failed(gate, route, receipt)
  local body = {}
  local headers = wire.decorate(body, gate.sandbox.rails, route)
  if receipt then headers[#headers + 1] = wire.receipt(receipt)[1] end
  return { status = 402, headers = headers, body = body }
end

return wire
