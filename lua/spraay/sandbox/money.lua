--- Micro-USDC as Lua integers. Prices and balances of the sandbox fit 63 bits by far; whatever a
--- stranger wrote is compared as digits before it may become a number.
-- SPDX-License-Identifier: MIT

local money = { DECIMALS = 6 }

--- Canonical digits: no sign, no leading zero.
---@return string?
function money.digits(text)
  if type(text) ~= "string" then return nil end
  local digits = text:match("^0*(%d+)$")
  if not digits then return nil end
  return digits
end

--- Digits that fit a Lua integer, as one.
---@return integer?
function money.integer(text)
  local digits = money.digits(text)
  if not digits or #digits > 18 then return nil end
  return math.tointeger(tonumber(digits))
end

--- "1.25" to 1250000, exactly or not at all.
---@return integer?
function money.parse(text)
  if type(text) ~= "string" then return nil end
  local whole, fraction = text:match("^(%d+)%.?(%d*)$")
  if not whole or #whole > 12 or text:sub(-1) == "." then return nil end
  fraction = fraction:gsub("0+$", "")
  if #fraction > money.DECIMALS then return nil end
  return math.tointeger(tonumber(whole .. fraction .. ("0"):rep(money.DECIMALS - #fraction)))
end

--- 30000 to "0.030000".
---@return string
function money.text(micro)
  local sign = micro < 0 and "-" or ""
  micro = math.abs(micro)
  return ("%s%d.%06d"):format(sign, micro // 1000000, micro % 1000000)
end

return money
