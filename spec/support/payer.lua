--- A payer of a few lines, for specs that want to pay a gateway by hand: reads the challenge, signs
--- with the primitives of spraay.core, sends the request again. It has no caution whatever.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"

local payer = {}
payer.__index = payer

local count = 0

---@param box table  a running sandbox
---@param key? string  0x… private key; default the sandbox's own
function payer.new(box, key)
  local key32 = core.hex_decode(key or box.key)
  return setmetatable({ box = box, key32 = key32, address = core.evm_address(key32) }, payer)
end

--- The decoded challenge of a 402.
function payer.challenge(answer)
  return cjson.decode((assert(core.base64_decode(answer.headers["payment-required"]))))
end

--- A receipt, decoded; nil when there is none.
function payer.receipt(answer)
  local header = answer.headers["payment-response"]
  return header and cjson.decode((assert(core.base64_decode(header))))
end

local function fresh_nonce()
  count = count + 1
  return "0x" .. core.hex_encode(core.keccak256(("nonce %d %s"):format(count, core.random_bytes(8))))
end

--- Authorize one entry of a challenge.
---@param entry table
---@param change? table   fields to set before signing: value, to, validAfter, validBefore, nonce, from
---@return table payload  { authorization, signature }
function payer:authorize(entry, change)
  change = change or {}
  local now = self.box:clock().now
  local a = {
    from = change.from or self.address, to = change.to or entry.payTo, value = change.value or entry.amount,
    validAfter = change.validAfter or "0",
    validBefore = change.validBefore or ("%d"):format(now + entry.maxTimeoutSeconds),
    nonce = change.nonce or fresh_nonce(),
  }
  local domain = change.domain or entry.extra
  local digest = assert(core.eip3009_digest{
    name = domain.name, version = domain.version, chain_id = entry.network:match ":(%d+)$",
    contract = entry.asset, from = a.from, to = a.to, value = a.value, valid_after = a.validAfter,
    valid_before = a.validBefore, nonce = a.nonce,
  })
  return { authorization = a, signature = "0x" .. core.hex_encode(core.secp_sign(digest, self.key32)) }
end

--- The header value of a payment.
function payer.header(payment) return core.base64_encode(cjson.encode(payment)) end

--- Probe a route and make the payment for it.
---@param change? table  as for authorize; also accepted (function changing the entry), extensions
---@return string header
---@return table payment
function payer:prepare(method, path, body, change)
  change = change or {}
  local probe = assert(self.box:request(method, path, { body = body }))
  assert(probe.status == 402, ("probe: %d %s"):format(probe.status, probe.body))
  local challenge = payer.challenge(probe)
  local entry = challenge.accepts[change.entry or 1]
  local payload = self:authorize(entry, change)
  if change.accepted then change.accepted(entry) end
  local payment = { x402Version = 2, accepted = entry, payload = payload, extensions = change.extensions }
  return payer.header(payment), payment
end

--- Pay for a route: probe, sign, send.
---@return table? answer
---@return string? why
---@return string header  to present again
function payer:pay(method, path, body, change)
  local header = self:prepare(method, path, body, change)
  local answer, why = self:present(method, path, body, header)
  return answer, why, header
end

--- Send a payment that was made before.
function payer:present(method, path, body, header, options)
  local given = { body = body, headers = { ["payment-signature"] = header } }
  for name, value in pairs(options or {}) do given[name] = value end
  return self.box:request(method, path, given)
end

return payer
