--- Accounts and transactions as a node writes them.
--- https://solana.com/docs/rpc/json-structures
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local json = require "spraay.sandbox.json"
local address = require "spraay.sandbox.solana.address"
local base58 = require "spraay.sandbox.solana.base58"
local errors = require "spraay.sandbox.solana.errors"
local transaction = require "spraay.sandbox.solana.transaction"

local encode = {}

-- Beyond any signed integer, as real nodes answer for every account that need not pay rent.
local RENT_EPOCH = json.raw "18446744073709551615"

-- ---- accounts -----------------------------------------------------------------------------------

-- The token program's own layout of a mint and of an account.
local layouts = {}

function layouts.mint(account)
  return ("<I4c32i8BBI4c32"):pack(0, ("\0"):rep(32), account.supply or 0, account.decimals, 1, 0, ("\0"):rep(32))
end

function layouts.token(account)
  return ("<c32c32i8I4c32BI4i8i8I4c32"):pack(address.bytes(account.mint), address.bytes(account.owner),
    account.amount, 0, ("\0"):rep(32), account.state == "frozen" and 2 or 1, 0, 0, 0, 0, ("\0"):rep(32))
end

local function amount_of(micro, decimals)
  local digits = ("%0" .. decimals + 1 .. "d"):format(micro)
  local text = digits:sub(1, #digits - decimals)
  local fraction = digits:sub(#digits - decimals + 1):gsub("0+$", "")
  if fraction ~= "" then text = text .. "." .. fraction end
  return { amount = ("%d"):format(micro), decimals = decimals, uiAmount = micro / 10 ^ decimals,
           uiAmountString = text }
end
encode.amount = amount_of

local PROGRAM_NAMES = { [address.TOKEN] = "spl-token", [address.TOKEN_2022] = "spl-token-2022" }

local parsed = {}

function parsed.mint(account)
  return { type = "mint", info = { decimals = account.decimals, isInitialized = true, freezeAuthority = json.null,
                                   mintAuthority = json.null, supply = tostring(account.supply) } }
end

function parsed.token(account, decimals)
  return { type = "account", info = { isNative = false, mint = account.mint, owner = account.owner,
    state = account.state, tokenAmount = amount_of(account.amount, decimals) } }
end

local OWNERS = { wallet = address.SYSTEM, program = address.LOADER }

--- An account object, or nil and why when the encoding does not suit it.
---@param account table
---@param encoding string    "base64", "base58" or "jsonParsed"
---@param decimals integer   of the mint of a token account
function encode.account(account, encoding, decimals)
  local layout = layouts[account.kind]
  local bytes = layout and layout(account) or ""
  local data
  if encoding == "jsonParsed" and parsed[account.kind] then
    data = { program = PROGRAM_NAMES[account.program], space = #bytes,
             parsed = parsed[account.kind](account, decimals) }
  elseif encoding == "base58" then
    if #bytes > 128 then return nil end
    data = json.array{ base58.encode(bytes), "base58" }
  else
    data = json.array{ core.base64_encode(bytes), "base64" }
  end
  return { data = data, executable = account.kind == "program", lamports = account.lamports,
           owner = account.program or OWNERS[account.kind], rentEpoch = RENT_EPOCH, space = #bytes }
end

-- ---- transactions -------------------------------------------------------------------------------

local function token_balances(self, entry, side)
  local list = json.array()
  for i, one in ipairs(entry[side]) do
    local token = one.token
    if token then
      list[#list + 1] = { accountIndex = i - 1, mint = token.mint, owner = token.owner, programId = token.program,
                          uiTokenAmount = amount_of(token.amount, self:account(token.mint).decimals) }
      if token.amount == 0 then list[#list].uiTokenAmount.uiAmount = json.null end
    end
  end
  return list
end

local function lamports(entry, side)
  local list = json.array()
  for i, one in ipairs(entry[side]) do list[i] = one.lamports end
  return list
end

function encode.status(err)
  if err == nil then return { Ok = json.null } end
  return { Err = errors.json(err) }
end

function encode.meta(self, entry)
  return {
    err = errors.json(entry.err), status = encode.status(entry.err), fee = entry.fee,
    preBalances = lamports(entry, "before"), postBalances = lamports(entry, "after"),
    preTokenBalances = token_balances(self, entry, "before"),
    postTokenBalances = token_balances(self, entry, "after"),
    innerInstructions = json.array(), logMessages = json.array(entry.logs), rewards = json.array(),
    loadedAddresses = { readonly = json.array(), writable = json.array() }, computeUnitsConsumed = entry.units,
  }
end

local function indices(list)
  local out = json.array()
  for i, index in ipairs(list) do out[i] = index - 1 end
  return out
end

local function raw_instruction(instruction)
  return { programIdIndex = instruction.program - 1, accounts = indices(instruction.accounts),
           data = base58.encode(instruction.data), stackHeight = 1 }
end

local function parsed_instruction(self, instruction)
  local name = instruction.name
  if name == address.MEMO then
    return { program = "spl-memo", programId = name, parsed = instruction.data, stackHeight = 1 }
  end
  local move = transaction.transfer_of(instruction)
  if move and self:account(move.mint) then
    return { program = PROGRAM_NAMES[name], programId = name, stackHeight = 1, parsed = {
      type = "transferChecked", info = { source = move.source, destination = move.destination, mint = move.mint,
        authority = move.authority, tokenAmount = amount_of(move.amount, move.decimals) } } }
  end
  return { programId = name, accounts = json.array(instruction.keys), stackHeight = 1,
           data = base58.encode(instruction.data) }
end

local function signatures(tx)
  local list = json.array()
  for i, signature in ipairs(tx.signatures) do list[i] = address.text(signature) end
  return list
end

--- A transaction in the encoding asked for.
---@param self table     the chain
---@param tx table
---@param encoding string
function encode.transaction(self, tx, encoding)
  if encoding == "base64" then return json.array{ core.base64_encode(tx.wire), "base64" } end
  if encoding == "base58" then return json.array{ base58.encode(tx.wire), "base58" } end
  local message = { recentBlockhash = tx.blockhash, instructions = json.array(), accountKeys = json.array() }
  for i, instruction in ipairs(tx.instructions) do
    message.instructions[i] = encoding == "jsonParsed" and parsed_instruction(self, instruction)
      or raw_instruction(instruction)
  end
  for i, name in ipairs(tx.accounts) do
    message.accountKeys[i] = encoding == "jsonParsed"
      and { pubkey = name, signer = tx:is_signer(i), writable = tx:is_writable(i), source = "transaction" } or name
  end
  if encoding ~= "jsonParsed" then
    message.header = { numRequiredSignatures = tx.required, numReadonlySignedAccounts = tx.readonly_signed,
                       numReadonlyUnsignedAccounts = tx.readonly_unsigned }
  end
  if tx.version == 0 then message.addressTableLookups = json.array() end
  return { signatures = signatures(tx), message = message }
end

--- All memos of a transaction as the list of signatures shows them; null without any.
function encode.memo(tx)
  local memos = tx:memos()
  if #memos == 0 then return json.null end
  for i, memo in ipairs(memos) do memos[i] = ("[%d] %s"):format(#memo, memo) end
  return table.concat(memos, "; ")
end

return encode
