--- Calls of Solana's RPC about transactions: those that landed, and those to be sent.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local json = require "spraay.sandbox.json"
local base58 = require "spraay.sandbox.solana.base58"
local encode = require "spraay.sandbox.solana.encode"
local errors = require "spraay.sandbox.solana.errors"
local ask = require "spraay.sandbox.solana.rpc_params"
local transaction = require "spraay.sandbox.solana.transaction"

local MAX_SIGNATURES = 1000
local MAX_RAW = 1232            -- of a whole packet
local MAX_TEXT = { base58 = 1683, base64 = 1644 }
local KIND = "solana_transaction::versioned::VersionedTransaction"
local STATUS_SLOTS = 300        -- how far back a signature's status is kept at hand

local methods = {}

-- ---- what landed -------------------------------------------------------------------------------

local function status_name(chain, view, entry)
  for _, commitment in ipairs{ "finalized", "confirmed" } do
    if entry.slot <= ask.head(chain, view, commitment) then return commitment end
  end
  return "processed"
end

local function signature_object(chain, view, entry)
  return { signature = entry.signature, slot = entry.slot, err = errors.json(entry.err),
           memo = encode.memo(entry.tx), blockTime = entry.time,
           confirmationStatus = status_name(chain, view, entry) }
end

-- A liar denies what happened, or makes up that the payment last looked at was settled, or both.
local function denied(view) return view.lie == "unused" or view.lie == "invert" end
local function made_up(chain, view)
  if view.lie == "used" or view.lie == "invert" then return chain:made_up() end
end

-- A transaction as this node tells of it.
local function find(chain, view, signature, slot)
  local lie = made_up(chain, view)
  if lie and lie.signature == signature then return lie end
  return not denied(view) and chain:find(signature, slot) or nil
end

-- The transactions of an account as this node tells of them, oldest first.
local function list_of(chain, view, name)
  local list = denied(view) and {} or chain.by_account[name] or {}
  local lie = made_up(chain, view)
  if not lie then return list end
  for _, touched in ipairs(lie.tx.accounts) do
    if touched == name then
      list = table.move(list, 1, #list, 1, {})
      list[#list + 1] = lie
    end
  end
  return list
end

function methods.getSignaturesForAddress(chain, view, params)
  local name, config = ask.address_of(params[1]), ask.config_of(params[2])
  local limit = ask.given(config.limit) or MAX_SIGNATURES
  if not ask.integer(limit) or limit < 1 or limit > MAX_SIGNATURES then
    ask.bad(("Invalid limit; max %d"):format(MAX_SIGNATURES))
  end
  local before = ask.given(config.before) and ask.signature_of(config.before)
  local last = ask.given(config["until"]) and ask.signature_of(config["until"])
  local slot = ask.state_slot(chain, view, ask.slot_of(chain, view, config, true))
  local found, list = json.array(), list_of(chain, view, name)
  if before and not chain:find(before, slot) then return found end
  local past = before == nil
  for i = #list, 1, -1 do
    local entry = list[i]
    if entry.signature == last or #found >= limit then break end
    if past and entry.slot <= slot then found[#found + 1] = signature_object(chain, view, entry) end
    if entry.signature == before then past = true end
  end
  return found
end

local TRANSACTION_ENCODINGS = { json = true, jsonParsed = true, base64 = true, base58 = true }

function methods.getTransaction(chain, view, params)
  local signature = ask.signature_of(params[1])
  local config = type(params[2]) == "string" and { encoding = params[2] } or ask.config_of(params[2])
  local encoding = ask.given(config.encoding) or "json"
  if not TRANSACTION_ENCODINGS[encoding] then
    ask.bad(("Invalid params: unknown variant `%s`"):format(tostring(encoding)))
  end
  local slot = ask.state_slot(chain, view, ask.slot_of(chain, view, config, true))
  local entry = find(chain, view, signature, slot)
  if not entry then return json.null end
  local highest = ask.integer(config.maxSupportedTransactionVersion)
  if entry.tx.version == 0 and not highest then
    ask.fail(-32015, "Transaction version (0) is not supported by the requesting client. Please try the request "
      .. 'again with the following configuration parameter: "maxSupportedTransactionVersion": 0')
  end
  return { slot = entry.slot, blockTime = entry.time, meta = encode.meta(chain, entry),
           transaction = encode.transaction(chain, entry.tx, encoding),
           version = highest and entry.tx.version or nil }
end

function methods.getSignatureStatuses(chain, view, params)
  local list, config = params[1], ask.config_of(params[2])
  if type(list) ~= "table" then ask.bad "Invalid params: invalid type: expected a sequence" end
  if #list > 256 then ask.bad "Too many inputs provided; max 256" end
  local slot, out = ask.head(chain, view, "processed"), json.array()
  for i, signature in ipairs(list) do
    local entry = find(chain, view, ask.signature_of(signature), ask.state_slot(chain, view, slot))
    if entry and config.searchTransactionHistory ~= true and entry.slot < slot - STATUS_SLOTS then entry = nil end
    if not entry then
      out[i] = json.null
    else
      local status = status_name(chain, view, entry)
      out[i] = { slot = entry.slot, err = errors.json(entry.err), status = encode.status(entry.err),
                 confirmationStatus = status,
                 confirmations = status == "finalized" and json.null or math.min(slot - entry.slot, 31) }
    end
  end
  return ask.with_context(slot, out)
end

-- ---- what is sent ------------------------------------------------------------------------------

local function transaction_of(text, config)
  if type(text) ~= "string" then ask.bad "Invalid params: invalid type: expected a string" end
  local encoding = ask.given(config.encoding) or "base58"
  local most = MAX_TEXT[encoding]
  if not most then
    ask.bad(("unsupported encoding: %s. Supported encodings: base58, base64"):format(tostring(encoding)))
  end
  if #text > most then
    ask.bad(("%s encoded %s too large: %d bytes (max: encoded/raw %d/%d)"):format(encoding, KIND, #text, most, MAX_RAW))
  end
  local bytes = (encoding == "base64" and core.base64_decode or base58.decode)(text)
  if not bytes then ask.bad(("invalid %s encoding"):format(encoding)) end
  if #bytes > MAX_RAW then
    ask.bad(("decoded %s too large: %d bytes (max: %d bytes)"):format(KIND, #bytes, MAX_RAW))
  end
  local tx, why = transaction.parse(bytes)
  if not tx then ask.bad(("failed to deserialize %s: %s"):format(KIND, why)) end
  return tx
end

local function simulated(run, replacement)
  return { err = errors.json(run.err), logs = json.array(run.logs), accounts = json.null, unitsConsumed = run.units,
           returnData = json.null, innerInstructions = json.null, replacementBlockhash = replacement or json.null }
end

local function check_signatures(tx)
  for i = 1, tx.required do
    if not tx:signed_by(i) then ask.fail(-32003, "Transaction signature verification failure") end
  end
end

-- Preflight as a node does it: signatures, its own health, then a simulation at the commitment asked for,
-- whose failure sends nothing.
local function preflight(chain, view, tx, slot)
  check_signatures(tx)
  ask.check_health(chain, view)
  local run = chain:simulate(tx, ask.state_slot(chain, view, slot))
  if run.err then
    ask.fail(-32002, "Transaction simulation failed: " .. errors.sentence(run.err), simulated(run))
  end
end

function methods.sendTransaction(chain, view, params)
  local config = ask.config_of(params[2])
  local skips = ask.boolean_of(config, "skipPreflight")
  ask.count_of(config, "maxRetries")              -- what is sent here arrives, so nothing is retried
  local tx = transaction_of(params[1], config)
  local slot = ask.slot_of(chain, view, { minContextSlot = config.minContextSlot,
    commitment = skips and "processed" or config.preflightCommitment })
  if not skips then preflight(chain, view, tx, slot) end
  if view.drop then return tx:id() end
  if view.delay then chain:land_later(tx, view.delay) else chain:land(tx) end
  if view.deny then ask.fail(view.deny.code, view.deny.message) end
  return tx:id()
end

function methods.simulateTransaction(chain, view, params)
  local config = ask.config_of(params[2])
  local verifies, replaces = ask.boolean_of(config, "sigVerify"), ask.boolean_of(config, "replaceRecentBlockhash")
  local tx = transaction_of(params[1], config)
  local slot, newest = ask.slot_of(chain, view, config), nil
  if replaces then
    if verifies then ask.bad "sigVerify may not be used with replaceRecentBlockhash" end
    local hash, last = chain:blockhash(slot)
    newest = { blockhash = hash, lastValidBlockHeight = last }
  end
  if verifies then check_signatures(tx) end
  local run = chain:simulate(tx, ask.state_slot(chain, view, slot), newest and newest.blockhash)
  return ask.with_context(slot, simulated(run, newest))
end

return methods
