--- Calls of Solana's RPC about the head of the chain and about accounts.
-- SPDX-License-Identifier: MIT
local json = require "spraay.sandbox.json"
local address = require "spraay.sandbox.solana.address"
local encode = require "spraay.sandbox.solana.encode"
local ask = require "spraay.sandbox.solana.rpc_params"

local methods = {}

-- ---- the chain's head ---------------------------------------------------------------------------

function methods.getHealth(chain, view)
  ask.check_health(chain, view)
  return "ok"
end

function methods.getVersion() return { ["solana-core"] = "2.3.6", ["feature-set"] = 3640012085 } end
function methods.getFirstAvailableBlock() return 0 end

local OTHER_GENESIS = "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY"

function methods.getGenesisHash(chain, view)
  return view.chain_id and OTHER_GENESIS or chain.rail.genesis
end

function methods.getSlot(chain, view, params)
  return ask.slot_of(chain, view, ask.config_of(params[1]))
end

function methods.getBlockHeight(chain, view, params)
  return chain.height(ask.slot_of(chain, view, ask.config_of(params[1])))
end

-- Slot and height of one moment.
function methods.getEpochInfo(chain, view, params)
  local slot = ask.slot_of(chain, view, ask.config_of(params[1]))
  return { absoluteSlot = slot, blockHeight = chain.height(slot), epoch = slot // 432000, slotIndex = slot % 432000,
           slotsInEpoch = 432000, transactionCount = json.null }
end

function methods.getLatestBlockhash(chain, view, params)
  local slot = ask.slot_of(chain, view, ask.config_of(params[1]))
  local hash, last = chain:blockhash(slot)
  return ask.with_context(slot, { blockhash = hash, lastValidBlockHeight = last })
end

function methods.isBlockhashValid(chain, view, params)
  if type(params[1]) ~= "string" then ask.bad "Invalid params: invalid type: expected a string" end
  local slot = ask.slot_of(chain, view, ask.config_of(params[2]))
  return ask.with_context(slot, chain:is_alive(params[1], slot))
end

function methods.getBlockTime(chain, view, params)
  local slot = ask.integer(params[1])
  if not slot or slot < 0 then ask.bad "Invalid params: invalid type: expected u64" end
  if slot > ask.head(chain, view, "confirmed") then
    ask.fail(-32004, ("Block not available for slot %d"):format(slot))
  end
  if chain.without_block(slot) then
    ask.fail(-32009, ("Slot %d was skipped, or missing in long-term storage"):format(slot))
  end
  return chain:time(slot)
end

-- ---- accounts -----------------------------------------------------------------------------------

local MAX_ACCOUNTS = 100        -- asked for at once
local ENCODINGS = { base58 = true, base64 = true, jsonParsed = true }

local function account_object(chain, account, config)
  local encoding = ask.given(config.encoding) or "base58"
  if not ENCODINGS[encoding] then ask.bad(("Invalid params: unknown variant `%s`"):format(tostring(encoding))) end
  local mint = account.mint and chain:account(account.mint)
  local object = encode.account(account, encoding, mint and mint.decimals)
  if object then return object end
  ask.fail(-32600, "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding.")
end

function methods.getAccountInfo(chain, view, params)
  local name, config = ask.address_of(params[1]), ask.config_of(params[2])
  local slot = ask.slot_of(chain, view, config)
  local account = chain:account(name, ask.state_slot(chain, view, slot))
  return ask.with_context(slot, account and account_object(chain, account, config))
end

function methods.getMultipleAccounts(chain, view, params)
  local names, config = params[1], ask.config_of(params[2])
  if type(names) ~= "table" then ask.bad "Invalid params: invalid type: expected a sequence" end
  if #names > MAX_ACCOUNTS then ask.bad(("Too many inputs provided; max %d"):format(MAX_ACCOUNTS)) end
  local slot, list = ask.slot_of(chain, view, config), json.array()
  for i, name in ipairs(names) do
    local account = chain:account(ask.address_of(name), ask.state_slot(chain, view, slot))
    list[i] = account and account_object(chain, account, config) or json.null
  end
  return ask.with_context(slot, list)
end

function methods.getBalance(chain, view, params)
  local slot = ask.slot_of(chain, view, ask.config_of(params[2]))
  local account = chain:account(ask.address_of(params[1]), ask.state_slot(chain, view, slot))
  return ask.with_context(slot, account and account.lamports or 0)
end

function methods.getMinimumBalanceForRentExemption(_, _, params)
  local size = ask.integer(params[1])
  if not size or size < 0 then ask.bad "Invalid params: invalid type: expected usize" end
  return (128 + size) * 6960
end

function methods.getTokenAccountBalance(chain, view, params)
  local name = ask.address_of(params[1])
  local slot = ask.slot_of(chain, view, ask.config_of(params[2]))
  local account = chain:account(name, ask.state_slot(chain, view, slot))
  if not account then ask.bad "Invalid param: could not find account" end
  if account.kind ~= "token" then ask.bad "Invalid param: not a Token account" end
  return ask.with_context(slot, encode.amount(account.amount, chain:account(account.mint).decimals))
end

local TOKEN_PROGRAMS = { [address.TOKEN] = true, [address.TOKEN_2022] = true }

function methods.getTokenAccountsByOwner(chain, view, params)
  local owner, filter, config = ask.address_of(params[1]), ask.config_of(params[2]), ask.config_of(params[3])
  local mint, program = ask.given(filter.mint), ask.given(filter.programId)
  if not mint and not program then ask.bad "Invalid params: missing field `mint` or `programId`" end
  if mint then
    local found = chain:account(ask.address_of(mint))
    if not found or found.kind ~= "mint" then ask.bad "Invalid param: could not find mint" end
  end
  if program and not TOKEN_PROGRAMS[ask.address_of(program)] then
    ask.bad "Invalid param: unrecognized Token program id"
  end
  local slot, list = ask.slot_of(chain, view, config), json.array()
  for name in pairs(chain.accounts) do
    local account = chain:account(name, ask.state_slot(chain, view, slot))
    if account and account.kind == "token" and account.owner == owner
       and (not mint or account.mint == mint) and (not program or account.program == program) then
      list[#list + 1] = { pubkey = name, account = account_object(chain, account, config) }
    end
  end
  table.sort(list, function(a, b) return a.pubkey < b.pubkey end)
  return ask.with_context(slot, list)
end

return methods
