--- What a facilitator must be able to compute: EIP-712 digests, who signed, addresses.
---
--- Only Keccak-256 and the curve come from spraay.core. The digest is put together here, in Lua,
--- on purpose: the sandbox judges the client's C code, and a mistake made once in C must not agree
--- with itself.
--- EIP-712 https://eips.ethereum.org/EIPS/eip-712, EIP-3009 https://eips.ethereum.org/EIPS/eip-3009
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"

local crypto = {}

local keccak = core.keccak256
crypto.keccak = keccak
crypto.base64 = core.base64_encode

---@return string? bytes
function crypto.unbase64(text)
  if type(text) ~= "string" then return nil end
  return (core.base64_decode(text))
end

---@return string  lower-case, without 0x
crypto.hex = core.hex_encode

--- "0x…" of exactly `size` bytes, or nil.
---@return string?
function crypto.unhex(text, size)
  if type(text) ~= "string" or #text ~= 2 + size * 2 or not text:find("^0x%x*$") then return nil end
  return (core.hex_decode(text))
end

--- n random bytes from the system.
---@return string
function crypto.random(n)
  return assert(core.random_bytes(n))
end

-- Decimal digits to 32 big-endian bytes; nil above 2^256 - 1.
local function uint256(digits)
  if #digits > 78 then return nil end
  local limbs = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }   -- eleven of 24 bits, lowest first
  for at = 1, #digits, 6 do
    local part = digits:sub(at, at + 5)
    local carry = tonumber(part)
    local scale = math.tointeger(10 ^ #part)
    for i = 1, 11 do
      local value = limbs[i] * scale + carry
      limbs[i], carry = value & 0xffffff, value >> 24
    end
    if carry > 0 then return nil end
  end
  if limbs[11] > 0xffff then return nil end
  local out = { string.pack(">I2", limbs[11]) }
  for i = 10, 1, -1 do out[#out + 1] = string.pack(">I3", limbs[i]) end
  return table.concat(out)
end
crypto.uint256 = uint256

local function word(address20)
  return ("\0"):rep(12) .. address20
end

local DOMAIN_TYPE = keccak("EIP712Domain(string name,string version,uint256 chainId,"
  .. "address verifyingContract)")
local TRANSFER_TYPE = keccak("TransferWithAuthorization(address from,address to,uint256 value,"
  .. "uint256 validAfter,uint256 validBefore,bytes32 nonce)")

--- A domain separator.
---@return string 32 bytes
function crypto.domain(name, version, chain_id, asset20)
  local id = uint256(tostring(chain_id))
  return keccak(DOMAIN_TYPE .. keccak(name) .. keccak(version) .. id .. word(asset20))
end

--- The digest a payer signs. All numbers are decimal digits; addresses and nonce are bytes.
---@return string? 32 bytes; nil when a number does not fit 256 bits
function crypto.transfer_digest(domain32, a)
  local value, after, before = uint256(a.value), uint256(a.valid_after), uint256(a.valid_before)
  if not (value and after and before) then return nil end
  local struct = keccak(TRANSFER_TYPE .. word(a.from) .. word(a.to) .. value .. after .. before .. a.nonce)
  return keccak("\x19\x01" .. domain32 .. struct)
end

--- EIP-55 text of 20 bytes.
---@return string
function crypto.address(bytes20)
  local plain = crypto.hex(bytes20)
  local sums = crypto.hex(keccak(plain))
  local at = 0
  return "0x" .. (plain:gsub("%x", function(c)
    at = at + 1
    if sums:sub(at, at) >= "8" then return c:upper() end
  end))
end

--- Address text to 20 bytes. Mixed case must carry the right checksum.
---@return string?
function crypto.parse_address(text)
  local bytes = crypto.unhex(text, 20)
  if not bytes then return nil end
  local digits = text:sub(3)
  if digits == digits:lower() or digits == digits:upper() then return bytes end
  if crypto.address(bytes) ~= text then return nil end
  return bytes
end

--- Who signed, as 20 bytes; nil for anything the token contract would refuse: another length than
--- 65 bytes, v other than 27 or 28, s in the upper half.
---@return string?
function crypto.signer(digest32, signature65)
  if #signature65 ~= 65 then return nil end
  local address = core.secp_recover(digest32, signature65)   -- strict
  return address and crypto.unhex(address, 20)
end

--- The address of a private key, EIP-55.
---@return string
function crypto.address_of_key(key32)
  return core.evm_address(key32)
end

return crypto
