--- The facilitator: decides whether a signed authorization is good, and cashes it.
---
--- Verification is real. The order of the checks is that of the official facilitator, and the
--- signature must be one the token contract itself would take. One entry per kind of rail: a new
--- chain is a new entry in `kinds`.
--- https://github.com/x402-foundation/x402/blob/main/specs/schemes/exact/scheme_exact_evm.md
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local money = require "spraay.sandbox.money"
local solana = require "spraay.sandbox.solana.verify"

local facilitator = { NO_ALLOWANCE = "permit2_allowance_required" }

local MARGIN = 6   -- an authorization must live this many seconds more

local kinds = {}

-- Seconds as an integer; dates beyond any clock are the last date there is.
local function date(text)
  local digits = money.digits(text)
  if not digits then return nil end
  return money.integer(digits) or math.maxinteger
end

-- Read the payload, or say that it is none.
local function read_authorization(payload)
  local a = type(payload) == "table" and payload.authorization
  if type(a) ~= "table" or type(payload.signature) ~= "string" then return nil end
  for _, name in ipairs{ "from", "to", "value", "validAfter", "validBefore", "nonce" } do
    if type(a[name]) ~= "string" then return nil end
  end
  local nonce = crypto.unhex(a.nonce, 32)
  local value, after, before = money.digits(a.value), date(a.validAfter), date(a.validBefore)
  if not (nonce and value and after and before) then return nil end
  return { from = a.from, to = a.to, value = value, nonce = a.nonce, nonce32 = nonce,
           valid_after = after, valid_before = before,
           after_digits = money.digits(a.validAfter), before_digits = money.digits(a.validBefore) }
end

local function signed_by(a, chain, signature)
  local from, to = crypto.parse_address(a.from), crypto.parse_address(a.to)
  local bytes = crypto.unhex(signature, 65)
  if not (from and to and bytes) then return false end
  local digest = crypto.transfer_digest(chain.domain, {
    from = from, to = to, value = a.value, nonce = a.nonce32,
    valid_after = a.after_digits, valid_before = a.before_digits,
  })
  return digest ~= nil and crypto.signer(digest, bytes) == from
end

kinds.evm = {}

---@param payment table  decoded payment
---@param term table     what it accepted
---@param chain table
---@param version integer  of the protocol: 1 lets a payer overpay
---@return table? authorization
---@return string? reason
function kinds.evm.verify(payment, term, chain, version)
  -- Nobody has ever allowed Permit2 to take anything on this chain.
  if type(payment.payload) == "table" and type(payment.payload.permit2Authorization) == "table" then
    return nil, facilitator.NO_ALLOWANCE
  end
  local a = read_authorization(payment.payload)
  if not a then return nil, "invalid_payload" end
  if not signed_by(a, chain, payment.payload.signature) then
    return nil, "invalid_exact_evm_payload_signature"
  end
  if a.to:lower() ~= term.payTo:lower() then return nil, "invalid_exact_evm_recipient_mismatch" end
  local now = chain.clock:seconds()
  if a.valid_before < now + MARGIN then
    return nil, "invalid_exact_evm_payload_authorization_valid_before"
  end
  if a.valid_after > now then return nil, "invalid_exact_evm_payload_authorization_valid_after" end
  local value, price = money.integer(a.value), money.integer(term.amount)
  local enough = value and price and (value == price or version == 1 and value > price)
  if not enough then return nil, "invalid_exact_evm_payload_authorization_value_mismatch" end
  a.value = value
  if chain:authorization(a.from, a.nonce) then return nil, "invalid_exact_evm_nonce_already_used" end
  if chain:balance(a.from) < value then return nil, "insufficient_funds" end
  a.payer = a.from
  return a
end

---@return string? transaction
---@return string? reason
function kinds.evm.settle(authorization, chain)
  return chain:transfer(authorization)
end

kinds.svm = { verify = solana.verify, settle = solana.settle }

--- What a payment claims to be, before anything is believed: who pays, the mark that names the
--- authorization (its nonce, on Solana the memo), and a key that equal payments share.
---@return table claim  nonce, payer, key; empty for what is no payment
function facilitator.claim(payment)
  local payload = payment.payload
  if type(payload) ~= "table" then return {} end
  if payload.transaction ~= nil then return solana.claim(payload) end
  local a = payload.authorization
  if type(a) ~= "table" then return {} end
  local nonce = type(a.nonce) == "string" and a.nonce or nil
  return { nonce = nonce, payer = type(a.from) == "string" and a.from or nil, key = nonce }
end

-- A reason in the words of this rail.
local function worded(chain, result, reason)
  local words = chain.rail.reasons
  return result, words and words[reason] or reason
end

--- Check a payment against the term it accepted.
---@param sandbox table  whose `chains` has one chain per network
function facilitator.verify(sandbox, payment, term, version)
  local kind, chain = kinds[term.kind], sandbox.chains[term.network]
  if not kind or not chain or term.scheme ~= "exact" then return nil, "unsupported_scheme" end
  return worded(chain, kind.verify(payment, term, chain, version))
end

function facilitator.settle(sandbox, authorization, term)
  local chain = sandbox.chains[term.network]
  return worded(chain, kinds[term.kind].settle(authorization, chain))
end

return facilitator
