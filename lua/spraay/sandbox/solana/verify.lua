--- The facilitator on Solana: is a half-signed transaction the payment that was asked for, and if
--- so, sign it as its fee payer and put it on chain.
---
--- Order and names of the checks are those of the official facilitator; what only the chain can tell
--- comes last, as a simulation.
--- https://github.com/x402-foundation/x402/blob/main/specs/schemes/exact/scheme_exact_svm.md
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local crypto = require "spraay.sandbox.crypto"
local address = require "spraay.sandbox.solana.address"
local bank = require "spraay.sandbox.solana.bank"
local transaction = require "spraay.sandbox.solana.transaction"

local verify = {}

local MAX_PRICE = 5000000     -- micro-lamports a unit
local REASON = "invalid_exact_svm_"
local PLACES = { "fourth", "fifth", "sixth", "seventh" }

-- The transaction of a payload, or which kind of unreadable it is.
---@return table? tx
---@return string? reason
local function read(payload)
  local text = type(payload) == "table" and payload.transaction
  if type(text) ~= "string" then return nil, "payload_transaction" end
  local bytes = crypto.unbase64(text)
  local tx = bytes and transaction.parse(bytes)
  if not tx then return nil, "payload_transaction_could_not_be_decoded" end
  return tx
end

---@return string? reason
local function check_compute(list)
  local limit, price = list[1], list[2]
  if limit.name ~= address.COMPUTE or limit.data:byte() ~= 2 or #limit.data ~= 5 then
    return "payload_transaction_instructions_compute_limit_instruction"
  end
  if price.name ~= address.COMPUTE or price.data:byte() ~= 3 or #price.data ~= 9 then
    return "payload_transaction_instructions_compute_price_instruction"
  end
  local micro = ("<i8"):unpack(price.data, 2)
  if micro < 0 or micro > MAX_PRICE then
    return "payload_transaction_instructions_compute_price_instruction_too_high"
  end
end

---@return string? reason
local function check_transfer(move, term, managed)
  if managed[move.authority] then return "payload_transaction_fee_payer_transferring_funds" end
  if move.mint ~= term.asset then return "payload_mint_mismatch" end
  if move.destination ~= address.of_tokens(term.payTo, term.asset, move.program) then
    return "payload_recipient_mismatch"
  end
  if tostring(move.amount) ~= term.amount then return "payload_amount_mismatch" end
end

---@return string? reason
local function check_rest(tx, memo)
  for i = 4, #tx.instructions do
    local name = tx.instructions[i].name
    if name ~= address.MEMO and name ~= address.LIGHTHOUSE then
      return ("payload_unknown_%s_instruction"):format(PLACES[i - 3])
    end
  end
  if type(memo) ~= "string" or memo == "" then return nil end
  local memos = tx:memos()
  if #memos ~= 1 then return "payload_memo_count" end
  if memos[1] ~= memo then return "payload_memo_mismatch" end
end

--- All that a transaction tells by itself.
---@param payload table
---@param term table      what was accepted
---@param managed table   addresses of the facilitator's own keys
---@return table? tx
---@return string? reason with its prefix
---@return table? move    the transfer
function verify.check(payload, term, managed)
  local fee_payer = term.extra.feePayer
  if type(fee_payer) ~= "string" then return nil, REASON .. "payload_missing_fee_payer" end
  if not managed[fee_payer] then return nil, REASON .. "fee_payer_not_managed_by_facilitator" end
  local tx, reason = read(payload)
  if not tx then return nil, REASON .. reason end
  if tx.accounts[1] ~= fee_payer then return nil, REASON .. "fee_payer_mismatch" end
  for i = 2, tx.required do
    if not tx:signed_by(i) then return nil, REASON .. "payload_signature_invalid" end
  end
  local list = tx.instructions
  if #list < 3 or #list > 7 then return nil, REASON .. "payload_transaction_instructions_length" end
  local move = transaction.transfer_of(list[3])
  reason = check_compute(list)
  if not reason and not move then reason = "payload_no_transfer_instruction" end
  reason = reason or check_transfer(move, term, managed) or check_rest(tx, term.extra.memo)
  if reason then return nil, REASON .. reason end
  return tx, nil, move
end

--- What a payment claims to be: who pays, and the mark it carries. Nothing is checked.
---@return table claim  nonce (the memo), payer, key
function verify.claim(payload)
  local tx = read(payload)
  local move = tx and bank.first_transfer(tx)
  if not move then return {} end
  return { nonce = tx:memos()[1], payer = move.authority, key = core.hex_encode(tx:digest()) }
end

---@return table? authorization
---@return string? reason
function verify.verify(payment, term, chain)
  local tx, reason, move = verify.check(payment.payload, term, chain.managed)
  if not tx then return nil, reason end
  chain:catch_up()
  chain.looked_at = tx
  if chain:simulate(tx).err then return nil, REASON .. "transaction_simulation_failed" end
  return { tx = tx, payer = move.authority, value = move.amount, nonce = tx:memos()[1],
           memo = tx:memos()[1], key = core.hex_encode(tx:digest()) }
end

-- Was this message taken up within the last two minutes? From now on it was.
local function taken_up(chain, key)
  local now = chain.clock:elapsed()
  local before = chain.settling[key]
  if before and now - before < chain.DUPLICATE_SECONDS then return true end
  chain.settling[key] = now
  return false
end

-- With the signature of its fee payer.
local function signed(tx, chain) return tx:countersigned(chain.managed[tx.accounts[1]]:sign(tx.bytes)) end

--- Broadcast a payment that lands so many seconds later, or never: see chain:land_later.
function verify.settle_later(authorization, chain, seconds, landed)
  if not taken_up(chain, authorization.key) then
    chain:land_later(signed(authorization.tx, chain), seconds, landed)
  end
end

--- Put a payment on chain as a failure: the payer's account is frozen for just that block.
---@return string transaction
function verify.revert(authorization, chain)
  taken_up(chain, authorization.key)
  chain:freeze(authorization.payer, true)
  local entry = assert(chain:land(signed(authorization.tx, chain)))
  chain:freeze(authorization.payer, false)
  return entry.signature
end

---@return string? transaction
---@return string? reason
function verify.settle(authorization, chain)
  if taken_up(chain, authorization.key) then return nil, "duplicate_settlement" end
  if chain.refusing then return nil, REASON .. "transaction_signing_failed" end
  chain:catch_up()
  local tx = authorization.tx
  if chain:simulate(tx).err then return nil, REASON .. "transaction_simulation_failed" end
  local entry, err = chain:land(signed(tx, chain))
  if not entry or err or entry.err then return nil, REASON .. "transaction_failed" end
  return entry.signature
end

return verify
