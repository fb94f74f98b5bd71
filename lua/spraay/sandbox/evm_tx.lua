--- Type 2 transactions as a node reads them: decoded, checked for form, the sender recovered.
--- Nothing here is shared with the client that signs; only Keccak-256 and the curve are.
--- EIP-1559, https://eips.ethereum.org/EIPS/eip-1559 ; EIP-2718, https://eips.ethereum.org/EIPS/eip-2718
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local rlp = require "spraay.sandbox.rlp"
local u256 = require "spraay.sandbox.evm.u256"

local evm_tx = {}

local TYPE = "\2"

-- Fields in the order they are signed: what they are called here, and what geth calls them.
local FIELDS = {
  { "chain_id", "ChainID" }, { "nonce", "Nonce", 8 }, { "tip_cap", "GasTipCap" }, { "fee_cap", "GasFeeCap" },
  { "gas", "Gas", 8 }, { "to", "To" }, { "value", "Value" }, { "data", "Data" }, { "access_list", "AccessList" },
  { "y_parity", "V" }, { "r", "R" }, { "s", "S" },
}

local function fail(why) error({ why = why }, 0) end

local function wrong(what, name)
  fail(("rlp: %s, decoding into (types.DynamicFeeTx).%s"):format(what, name))
end

-- An integer: minimal bytes, no more than it may have.
local function integer(item, name, size)
  if type(item) ~= "string" then wrong("expected input string or byte", name) end
  if item:byte(1) == 0 then wrong("non-canonical integer (leading zero bytes)", name) end
  if #item > (size or 32) then wrong("input string too long for uint" .. (size or 32) * 8, name) end
  return u256.bytes(item)
end

local function receiver(item)
  if type(item) ~= "string" then wrong("expected input string or byte", "To") end
  if item ~= "" and #item ~= 20 then
    wrong(("input string too %s for common.Address"):format(#item < 20 and "short" or "long"), "To")
  end
  return item
end

local function access_list(item)
  if type(item) ~= "table" then wrong("expected input list for types.AccessList", "AccessList") end
  for _, entry in ipairs(item) do
    if type(entry) ~= "table" or #entry ~= 2 or type(entry[1]) ~= "string" or #entry[1] ~= 20
      or type(entry[2]) ~= "table" then wrong("bad access tuple", "AccessList") end
    for _, key in ipairs(entry[2]) do
      if type(key) ~= "string" or #key ~= 32 then wrong("bad storage key", "AccessList") end
    end
  end
  return item
end

local function read(raw)
  if raw == "" then fail "typed transaction too short" end
  if raw:byte(1) >= 0xc0 then fail "transaction type not supported" end      -- legacy: well formed, not for us
  if raw:sub(1, 1) ~= TYPE then fail "transaction type not supported" end
  local list, why = rlp.decode(raw:sub(2))
  if not list then fail(why) end
  if type(list) ~= "table" then fail "rlp: expected input list for types.DynamicFeeTx" end
  if #list < #FIELDS then fail "rlp: too few elements for types.DynamicFeeTx" end
  if #list > #FIELDS then fail "rlp: input list has too many elements for types.DynamicFeeTx" end
  local tx = {}
  for i, field in ipairs(FIELDS) do
    local name, theirs, size = field[1], field[2], field[3]
    if name == "to" then tx.to = receiver(list[i])
    elseif name == "access_list" then tx.access_list = access_list(list[i])
    elseif name == "data" then
      if type(list[i]) ~= "string" then wrong("expected input string or byte", theirs) end
      tx.data = list[i]
    else tx[name] = integer(list[i], theirs, size) end
  end
  for i = 10, #FIELDS do list[i] = nil end
  tx.unsigned = TYPE .. rlp.encode(list)
  return tx
end

--- Decode a raw transaction. Numbers are words of 256 bits (evm/u256), except nonce and gas, which are
--- Lua integers; `to` is "0x…" in lower case, or nil for a creation; data is bytes.
---@param raw string
---@return table? tx  chain_id, nonce, tip_cap, fee_cap, gas, to, value, data, access_list, y_parity, r, s,
---                   raw, unsigned, digest, hash, from ("0x…", lower case)
---@return string? why  as geth says it
function evm_tx.decode(raw)
  local ok, tx = pcall(read, raw)
  if not ok then
    if type(tx) == "table" then return nil, tx.why end
    error(tx, 0)
  end
  tx.nonce, tx.gas = u256.integer(tx.nonce), u256.integer(tx.gas)
  if not tx.nonce then return nil, "nonce has max value" end
  if not tx.gas then return nil, "exceeds block gas limit" end
  tx.to = tx.to ~= "" and "0x" .. crypto.hex(tx.to) or nil
  tx.raw, tx.digest = raw, crypto.keccak(tx.unsigned)
  tx.hash = "0x" .. crypto.hex(crypto.keccak(raw))
  local parity = u256.integer(tx.y_parity)
  if parity ~= 0 and parity ~= 1 then return nil, "invalid sender" end
  local signer = crypto.signer(tx.digest, tx.r .. tx.s .. string.char(27 + parity))
  if not signer then return nil, "invalid sender" end
  tx.from = "0x" .. crypto.hex(signer)
  return tx
end

return evm_tx
