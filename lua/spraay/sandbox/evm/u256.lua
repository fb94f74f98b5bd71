--- Words of the Ethereum machine: 256 bits, as 32 big-endian bytes. Equal numbers are equal strings.
--- Wei and whatever a stranger wrote into a call live here; micro-USDC fit a Lua integer.
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"

local u256 = {}

local HALVES = (">" .. ("I2"):rep(16))

u256.ZERO = ("\0"):rep(32)
u256.MAX = ("\xff"):rep(32)

--- From an integer that is not negative, or from decimal digits; nil when it is too large.
---@param value integer|string
---@return string?
function u256.of(value)
  if math.type(value) == "integer" then return ("\0"):rep(24) .. string.pack(">I8", value) end
  return crypto.uint256(value)
end

--- From big-endian bytes, at most 32.
function u256.bytes(text) return ("\0"):rep(32 - #text) .. text end

--- From "0x…", any case, leading zeros or not; nil when it is no such text or too large.
---@return string?
function u256.hex(text)
  local digits = type(text) == "string" and text:match "^0[xX]0*(%x*)$"
  if not digits or #digits > 64 then return nil end
  return crypto.unhex("0x" .. ("0"):rep(64 - #digits) .. digits, 32)
end

--- As a Lua integer, nil from 2^63 on.
---@return integer?
function u256.integer(word)
  if word:sub(1, 24) ~= ("\0"):rep(24) or word:byte(25) > 0x7f then return nil end
  return (string.unpack(">i8", word, 25))
end

--- Is a less than b? By bytes, whatever the locale thinks of letters.
function u256.less(a, b)
  for i = 1, 32 do
    local x, y = a:byte(i), b:byte(i)
    if x ~= y then return x < y end
  end
  return false
end

-- Sixteen halves, lowest last, to a word.
local function pack(halves) return string.pack(HALVES, table.unpack(halves, 1, 16)) end

--- a + b; nil when it does not fit.
---@return string?
function u256.add(a, b)
  local x, y, carry = { string.unpack(HALVES, a) }, { string.unpack(HALVES, b) }, 0
  for i = 16, 1, -1 do
    local sum = x[i] + y[i] + carry
    x[i], carry = sum & 0xffff, sum >> 16
  end
  return carry == 0 and pack(x) or nil
end

--- a - b; nil when b is more.
---@return string?
function u256.sub(a, b)
  if u256.less(a, b) then return nil end
  local x, y, borrow = { string.unpack(HALVES, a) }, { string.unpack(HALVES, b) }, 0
  for i = 16, 1, -1 do
    local difference = x[i] - y[i] - borrow
    borrow = difference < 0 and 1 or 0
    x[i] = difference & 0xffff
  end
  return pack(x)
end

--- a * b; nil when it does not fit.
---@return string?
function u256.mul(a, b)
  local x, y, out = { string.unpack(HALVES, a) }, { string.unpack(HALVES, b) }, {}
  for i = 1, 32 do out[i] = 0 end
  for i = 16, 1, -1 do
    local carry = 0
    for j = 16, 1, -1 do
      local sum = out[i + j] + x[i] * y[j] + carry
      out[i + j], carry = sum & 0xffff, sum >> 16
    end
    out[i] = carry
  end
  for i = 1, 16 do
    if out[i] ~= 0 then return nil end
  end
  return pack{ table.unpack(out, 17, 32) }
end

-- word / small and the rest, for a divisor below 2^32.
local function divide(word, small)
  local x, rest = { string.unpack(HALVES, word) }, 0
  for i = 1, 16 do
    local value = rest << 16 | x[i]
    x[i], rest = value // small, value % small
  end
  return pack(x), rest
end

--- a / n rounded down, n a small positive integer.
function u256.divide(a, n) return (divide(a, n)) end

--- Decimal digits.
---@return string
function u256.digits(word)
  local parts = {}
  while word ~= u256.ZERO do
    local rest
    word, rest = divide(word, 1000000000)
    table.insert(parts, 1, ("%09d"):format(rest))
  end
  local digits = table.concat(parts):gsub("^0+", "")
  return digits == "" and "0" or digits
end

--- JSON-RPC quantity: "0x0", "0x2105".
---@return string
function u256.quantity(word)
  local digits = crypto.hex(word):gsub("^0+", "")
  return "0x" .. (digits == "" and "0" or digits)
end

--- As many whole units of 10^18 as there are, "0.05": what people write for wei.
---@param text string
---@return string? wei
function u256.ether(text)
  local whole, fraction = tostring(text):match "^(%d+)%.?(%d*)$"
  if not whole or #fraction > 18 or text:sub(-1) == "." then return nil end
  local digits = (whole .. fraction .. ("0"):rep(18 - #fraction)):gsub("^0+(%d)", "%1")
  return crypto.uint256(digits)
end

--- 50000000000000000 wei to "0.05".
---@return string
function u256.ether_text(word)
  local digits = u256.digits(word)
  digits = ("0"):rep(19 - #digits) .. digits
  local whole, fraction = digits:sub(1, -19), digits:sub(-18):gsub("0+$", "")
  return fraction == "" and whole or whole .. "." .. fraction
end

return u256
