--- Solana's JSON-RPC, as much of it as a payer needs to make a payment and to learn what became of it.
--- Shapes, errors and their numbers are those of a real node.
--- https://solana.com/docs/rpc
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local json = require "spraay.sandbox.json"
local base58 = require "spraay.sandbox.solana.base58"
local bank = require "spraay.sandbox.solana.bank"
local encode = require "spraay.sandbox.solana.encode"
local transaction = require "spraay.sandbox.solana.transaction"

local rpc = {}

local MAX_SIGNATURES = 1000
local MAX_BASE58 = 1683         -- of a whole packet
local STATUS_SLOTS = 300        -- how far back a signature's status is kept at hand

-- Errors travel as tables; anything else thrown is a bug and shall be seen.
local function fail(code, message, data) error({ code = code, message = message, data = data }, 0) end
local function bad(message) fail(-32602, message) end

-- ---- parameters ---------------------------------------------------------------------------------

local function given(value)
  if value ~= json.null then return value end
end

local function address_of(value)
  if type(value) ~= "string" then bad "Invalid params: invalid type: expected a string" end
  local bytes = core.base58_decode(value)
  if not bytes then bad "Invalid param: Invalid" end
  if #bytes ~= 32 then bad "Invalid param: WrongSize" end
  return value
end

local function signature_of(value)
  if type(value) ~= "string" then bad "Invalid params: invalid type: expected a string" end
  local bytes = core.base58_decode(value)
  if not bytes then bad "Invalid param: Invalid" end
  if #bytes ~= 64 then bad "Invalid param: WrongSize" end
  return value
end

local function config_of(value)
  value = given(value)
  if value == nil then return {} end
  if type(value) ~= "table" then bad "Invalid params: invalid type: expected a config" end
  return value
end

local COMMITMENTS = { processed = true, confirmed = true, finalized = true }

-- Where this node's chain ends.
local function head(chain, view, commitment)
  local unfinal = commitment == "finalized" and view.unfinal or 0
  return chain:head(commitment, (view.lag or 0) + unfinal)
end

-- The slot a call is answered at. A node that lags says so when asked for more than it has.
---@return integer slot
---@return string commitment
local function slot_of(chain, view, config, least)
  local commitment = given(config.commitment) or "finalized"
  if not COMMITMENTS[commitment] then bad("Invalid params: unknown variant `" .. tostring(commitment) .. "`") end
  if least and commitment == "processed" then
    bad "Method does not support commitment below `confirmed`"
  end
  local slot = head(chain, view, commitment)
  local wanted = math.tointeger(given(config.minContextSlot))
  if wanted and slot - (view.stale or 0) // chain.SLOT_SECONDS < wanted then
    fail(-32016, "Minimum context slot has not been reached", { contextSlot = slot })
  end
  return slot, commitment
end

-- The slot that the state comes from: a split node has the blocks of now and the accounts of before.
local function state_slot(chain, view, slot)
  return slot - math.floor((view.stale or 0) / chain.SLOT_SECONDS)
end

local function with_context(slot, value)
  if value == nil then value = json.null end
  return { context = { slot = slot, apiVersion = "2.3.6" }, value = value }
end

-- ---- the chain's head ---------------------------------------------------------------------------

local methods = {}

function methods.getHealth() return "ok" end
function methods.getVersion() return { ["solana-core"] = "2.3.6", ["feature-set"] = 3640012085 } end
function methods.getFirstAvailableBlock() return 0 end

local OTHER_GENESIS = "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY"

function methods.getGenesisHash(chain, view)
  return view.chain_id and OTHER_GENESIS or chain.rail.genesis
end

function methods.getSlot(chain, view, params)
  return (slot_of(chain, view, config_of(params[1])))
end

function methods.getBlockHeight(chain, view, params)
  return chain.height(slot_of(chain, view, config_of(params[1])))
end

-- Slot and height of one moment.
function methods.getEpochInfo(chain, view, params)
  local slot = slot_of(chain, view, config_of(params[1]))
  return { absoluteSlot = slot, blockHeight = chain.height(slot), epoch = slot // 432000, slotIndex = slot % 432000,
           slotsInEpoch = 432000, transactionCount = json.null }
end

function methods.getLatestBlockhash(chain, view, params)
  local slot = slot_of(chain, view, config_of(params[1]))
  local hash, last = chain:blockhash(slot)
  return with_context(slot, { blockhash = hash, lastValidBlockHeight = last })
end

function methods.isBlockhashValid(chain, view, params)
  if type(params[1]) ~= "string" then bad "Invalid params: invalid type: expected a string" end
  local slot = slot_of(chain, view, config_of(params[2]))
  return with_context(slot, chain:is_alive(params[1], slot))
end

function methods.getBlockTime(chain, view, params)
  local slot = math.tointeger(params[1])
  if not slot or slot < 0 then bad "Invalid params: invalid type: expected u64" end
  if slot > head(chain, view, "confirmed") then
    fail(-32004, ("Block not available for slot %d"):format(slot))
  end
  if chain.without_block(slot) then
    fail(-32009, ("Slot %d was skipped, or missing in long-term storage"):format(slot))
  end
  return chain:time(slot)
end

-- ---- accounts -----------------------------------------------------------------------------------

local ENCODINGS = { base58 = true, base64 = true, jsonParsed = true }

local function account_object(chain, account, config)
  local encoding = given(config.encoding) or "base58"
  if not ENCODINGS[encoding] then bad(("Invalid params: unknown variant `%s`"):format(tostring(encoding))) end
  local mint = account.mint and chain:account(account.mint)
  local object = encode.account(account, encoding, mint and mint.decimals)
  if object then return object end
  fail(-32600, "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding.")
end

function methods.getAccountInfo(chain, view, params)
  local name, config = address_of(params[1]), config_of(params[2])
  local slot = slot_of(chain, view, config)
  local account = chain:account(name, state_slot(chain, view, slot))
  return with_context(slot, account and account_object(chain, account, config))
end

function methods.getMultipleAccounts(chain, view, params)
  local names, config = params[1], config_of(params[2])
  if type(names) ~= "table" then bad "Invalid params: invalid type: expected a sequence" end
  local slot, list = slot_of(chain, view, config), json.array()
  for i, name in ipairs(names) do
    local account = chain:account(address_of(name), state_slot(chain, view, slot))
    list[i] = account and account_object(chain, account, config) or json.null
  end
  return with_context(slot, list)
end

function methods.getBalance(chain, view, params)
  local slot = slot_of(chain, view, config_of(params[2]))
  local account = chain:account(address_of(params[1]), state_slot(chain, view, slot))
  return with_context(slot, account and account.lamports or 0)
end

function methods.getMinimumBalanceForRentExemption(_, _, params)
  local size = math.tointeger(params[1])
  if not size or size < 0 then bad "Invalid params: invalid type: expected usize" end
  return (128 + size) * 6960
end

function methods.getTokenAccountBalance(chain, view, params)
  local name = address_of(params[1])
  local slot = slot_of(chain, view, config_of(params[2]))
  local account = chain:account(name, state_slot(chain, view, slot))
  if not account then bad "Invalid param: could not find account" end
  if account.kind ~= "token" then bad "Invalid param: not a Token account" end
  return with_context(slot, encode.amount(account.amount, chain:account(account.mint).decimals))
end

function methods.getTokenAccountsByOwner(chain, view, params)
  local owner, filter, config = address_of(params[1]), config_of(params[2]), config_of(params[3])
  local mint, program = given(filter.mint), given(filter.programId)
  if not mint and not program then bad "Invalid params: missing field `mint` or `programId`" end
  if mint then
    local found = chain:account(address_of(mint))
    if not found or found.kind ~= "mint" then bad "Invalid param: could not find mint" end
  end
  local slot, list = slot_of(chain, view, config), json.array()
  for name in pairs(chain.accounts) do
    local account = chain:account(name, state_slot(chain, view, slot))
    if account and account.kind == "token" and account.owner == owner
       and (not mint or account.mint == mint) and (not program or account.program == program) then
      list[#list + 1] = { pubkey = name, account = account_object(chain, account, config) }
    end
  end
  table.sort(list, function(a, b) return a.pubkey < b.pubkey end)
  return with_context(slot, list)
end

-- ---- transactions -------------------------------------------------------------------------------

local function status_name(chain, view, entry)
  return entry.slot <= head(chain, view, "finalized") and "finalized" or "confirmed"
end

local function signature_object(chain, view, entry)
  return { signature = entry.signature, slot = entry.slot, err = encode.err(entry.err),
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
  local name, config = address_of(params[1]), config_of(params[2])
  local limit = given(config.limit) or MAX_SIGNATURES
  if not math.tointeger(limit) or limit < 1 or limit > MAX_SIGNATURES then
    bad(("Invalid limit; max %d"):format(MAX_SIGNATURES))
  end
  local before = given(config.before) and signature_of(config.before)
  local last = given(config["until"]) and signature_of(config["until"])
  local slot = state_slot(chain, view, (slot_of(chain, view, config, true)))
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
  local signature = signature_of(params[1])
  local config = type(params[2]) == "string" and { encoding = params[2] } or config_of(params[2])
  local encoding = given(config.encoding) or "json"
  if not TRANSACTION_ENCODINGS[encoding] then
    bad(("Invalid params: unknown variant `%s`"):format(tostring(encoding)))
  end
  local slot = state_slot(chain, view, (slot_of(chain, view, config, true)))
  local entry = find(chain, view, signature, slot)
  if not entry then return json.null end
  local highest = math.tointeger(given(config.maxSupportedTransactionVersion))
  if entry.tx.version == 0 and not highest then
    fail(-32015, "Transaction version (0) is not supported by the requesting client. Please try the request "
      .. 'again with the following configuration parameter: "maxSupportedTransactionVersion": 0')
  end
  return { slot = entry.slot, blockTime = entry.time, meta = encode.meta(chain, entry),
           transaction = encode.transaction(chain, entry.tx, encoding),
           version = highest and entry.tx.version or nil }
end

function methods.getSignatureStatuses(chain, view, params)
  local list, config = params[1], config_of(params[2])
  if type(list) ~= "table" then bad "Invalid params: invalid type: expected a sequence" end
  if #list > 256 then bad "Too many inputs provided; max 256" end
  local slot, out = head(chain, view, "processed"), json.array()
  for i, signature in ipairs(list) do
    local entry = find(chain, view, signature_of(signature), state_slot(chain, view, slot))
    if entry and config.searchTransactionHistory ~= true and entry.slot < slot - STATUS_SLOTS then entry = nil end
    if not entry then
      out[i] = json.null
    else
      local status = status_name(chain, view, entry)
      out[i] = { slot = entry.slot, err = encode.err(entry.err), status = encode.status(entry.err),
                 confirmationStatus = status,
                 confirmations = status == "finalized" and json.null or math.min(slot - entry.slot, 31) }
    end
  end
  return with_context(slot, out)
end

local function transaction_of(text, config)
  if type(text) ~= "string" then bad "Invalid params: invalid type: expected a string" end
  local encoding, bytes = given(config.encoding) or "base58", nil
  if encoding == "base64" then bytes = core.base64_decode(text)
  elseif encoding == "base58" and #text <= MAX_BASE58 then bytes = base58.decode(text)
  elseif encoding == "base58" then bad(("base58 encoded too large: %d bytes (max: %d)"):format(#text, MAX_BASE58))
  else bad(("unsupported encoding: %s. Supported encodings: base58, base64"):format(tostring(encoding))) end
  if not bytes then bad(("invalid %s encoding"):format(encoding)) end
  local tx, why = transaction.parse(bytes)
  if not tx then bad("failed to deserialize solana_transaction::versioned::VersionedTransaction: " .. why) end
  return tx
end

local function failure_data(run)
  return { err = encode.err(run.err), logs = json.array(run.logs), accounts = json.null, unitsConsumed = 0,
           returnData = json.null, innerInstructions = json.null, replacementBlockhash = json.null }
end

-- Preflight as a node does it: signatures, then a simulation, whose failure sends nothing.
local function preflight(chain, tx)
  for i = 1, tx.required do
    if not tx:signed_by(i) then fail(-32003, "Transaction signature verification failure") end
  end
  local run = chain:simulate(tx)
  if run.err then
    fail(-32002, "Transaction simulation failed: " .. bank.sentence(run.err), failure_data(run))
  end
end

function methods.sendTransaction(chain, view, params)
  local config = config_of(params[2])
  local tx = transaction_of(params[1], config)
  if config.skipPreflight ~= true then preflight(chain, tx) end
  if view.drop then return tx:id() end
  if view.delay then chain:land_later(tx, view.delay) else chain:land(tx) end
  return tx:id()
end

function methods.simulateTransaction(chain, view, params)
  local config = config_of(params[2])
  local tx = transaction_of(params[1], config)
  local slot = slot_of(chain, view, config)
  if config.sigVerify == true then
    for i = 1, tx.required do
      if not tx:signed_by(i) then fail(-32003, "Transaction signature verification failure") end
    end
  end
  return with_context(slot, failure_data(chain:simulate(tx)))
end

-- ---- answering ----------------------------------------------------------------------------------

local function answer_one(chain, view, call)
  local reply = { jsonrpc = "2.0", id = json.null }
  if type(call) ~= "table" or type(call.method) ~= "string" then
    reply.error = { code = -32600, message = "Invalid request" }
    return reply
  end
  if call.id ~= nil then reply.id = call.id end
  local method = methods[call.method]
  if not method then
    reply.error = { code = -32601, message = "Method not found" }
    return reply
  end
  chain:catch_up()
  local ok, result = pcall(method, chain, view, type(call.params) == "table" and call.params or {})
  if ok then reply.result = result
  elseif type(result) == "table" then reply.error = result
  else error(result, 0) end
  return reply
end

--- Answer a request body: one call or a batch.
---@param chain table
---@param view table    what faults change: lag (seconds of everything), unfinal (seconds of what is final),
---                      stale (seconds that accounts and transactions lag behind the head), lie ("unused":
---                      no transaction of anybody is known; "used": the payment last looked at is settled;
---                      "invert": both), chain_id (anything: of another cluster), drop and delay (seconds) of
---                      what is sent
---@param body any      decoded JSON
---@return table
function rpc.answer(chain, view, body)
  if type(body) == "table" and #body > 0 then
    local list = json.array()
    for i, call in ipairs(body) do list[i] = answer_one(chain, view, call) end
    return list
  end
  return answer_one(chain, view, body)
end

return rpc
