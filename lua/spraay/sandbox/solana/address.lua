--- Names on Solana: the programs a payment may touch, base58, token accounts.
---
--- SHA-256, base58 and the curve come from spraay.core; where a token account lives is worked out
--- here, in Lua, because the sandbox judges the client, who works it out in C.
--- https://solana.com/docs/core/pda
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"

local address = {
  SYSTEM = "11111111111111111111111111111111",
  COMPUTE = "ComputeBudget111111111111111111111111111111",
  TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
  TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
  ASSOCIATED = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
  MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
  LIGHTHOUSE = "L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95",
  LOADER = "BPFLoaderUpgradeab1e11111111111111111111111",
  NATIVE_LOADER = "NativeLoader1111111111111111111111111111111",
}

address.text = core.base58_encode

--- 32 bytes of an address, or nil.
---@return string?
function address.bytes(text)
  if type(text) ~= "string" or #text < 32 or #text > 44 then return nil end
  local bytes = core.base58_decode(text)
  return bytes and #bytes == 32 and bytes or nil
end

--- 64 bytes of a signature, or nil.
---@return string?
function address.signature_bytes(text)
  if type(text) ~= "string" or #text < 64 or #text > 88 then return nil end
  local bytes = core.base58_decode(text)
  return bytes and #bytes == 64 and bytes or nil
end

local known = {}

--- The account in which `owner` holds tokens of `mint`: the first of 255 candidates that is no point
--- of the curve, so that nobody has its key.
---@param owner string    base58, like all three
---@param mint string
---@param program string  the mint's token program
---@return string base58
function address.of_tokens(owner, mint, program)
  local key = owner .. mint .. program
  if known[key] then return known[key] end
  local seeds = address.bytes(owner) .. address.bytes(program) .. address.bytes(mint)
  local tail = address.bytes(address.ASSOCIATED) .. "ProgramDerivedAddress"
  for bump = 255, 0, -1 do
    local candidate = core.sha256(seeds .. string.char(bump) .. tail)
    if not core.ed25519_on_curve(candidate) then
      known[key] = address.text(candidate)
      return known[key]
    end
  end
  error "no address off the curve"
end

return address
