--- x402 version 1, the protocol's first edition: everything in the body, payment in X-PAYMENT.
--- The gateway left it behind; it is spoken only on request, to try clients that meet such servers.
--- https://github.com/x402-foundation/x402/blob/main/specs/x402-specification-v1.md
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local json = require "spraay.sandbox.json"

local wire = { version = 1, request_header = "x-payment", response_header = "x-payment-response" }

local function accepts_of(terms, request, route)
  local list = json.array()
  for i, term in ipairs(terms) do
    list[i] = {
      scheme = term.scheme, network = term.v1, maxAmountRequired = term.amount, asset = term.asset,
      payTo = term.payTo, maxTimeoutSeconds = term.maxTimeoutSeconds, extra = term.extra,
      resource = request.origin .. request.target, description = route.text,
      mimeType = "application/json", outputSchema = json.null,
    }
  end
  return list
end

function wire.challenge(_, request, route, terms, reason)
  return { status = 402, headers = {}, body = {
    x402Version = 1, error = reason or "X-PAYMENT header is required",
    accepts = accepts_of(terms, request, route),
  } }
end

--- Version 1 compares scheme and network only.
function wire.match(terms, payment)
  for _, term in ipairs(terms) do
    if payment.x402Version == 1 and payment.scheme == term.scheme and payment.network == term.v1 then
      return term
    end
  end
  return nil, "Unable to find matching payment requirements"
end

function wire.receipt(receipt)
  return { { wire.response_header, crypto.base64(json.encode(receipt)) } }
end

--- A failed settlement is a 402 body with the reason, and no receipt.
function wire.settle_failed(_, _, receipt)
  return { status = 402, headers = {}, body = {
    x402Version = 1, error = receipt and receipt.errorReason or "Payment settlement failed",
    accepts = json.array(),
  } }
end

return wire
