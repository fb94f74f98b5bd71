--- Base58 of any length, for whole transactions; the core's stops at what addresses need.
-- SPDX-License-Identifier: MIT

local base58 = {}

local DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
local VALUES = {}
for i = 1, #DIGITS do VALUES[DIGITS:byte(i)] = i - 1 end

-- Digits of one base as digits of another, most significant first; zeros in front are not kept.
local function convert(digits, from, to)
  local out = {}                                    -- least significant first
  for _, digit in ipairs(digits) do
    local carry = digit
    for i = 1, #out do
      carry = out[i] * from + carry
      out[i], carry = carry % to, carry // to
    end
    while carry > 0 do
      out[#out + 1] = carry % to
      carry = carry // to
    end
  end
  return out
end

---@param bytes string
---@return string
function base58.encode(bytes)
  local out = { (("1"):rep(#bytes:match "^\0*")) }
  local digits = convert({ bytes:byte(1, -1) }, 256, 58)
  for i = #digits, 1, -1 do out[#out + 1] = DIGITS:sub(digits[i] + 1, digits[i] + 1) end
  return table.concat(out)
end

---@param text string
---@return string? bytes
function base58.decode(text)
  local values = {}
  for i = 1, #text do
    values[i] = VALUES[text:byte(i)]
    if not values[i] then return nil end
  end
  local out = { ("\0"):rep(#text:match "^1*") }
  local digits = convert(values, 58, 256)
  for i = #digits, 1, -1 do out[#out + 1] = string.char(digits[i]) end
  return table.concat(out)
end

return base58
