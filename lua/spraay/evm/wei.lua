-- SPDX-License-Identifier: MIT
--- Ether, in digit strings of wei: what gas costs and what it may cost. Never a Lua number.
local core = require "spraay.core"
local errors = require "spraay.errors"

local wei = {}

wei.DECIMALS = 18

--- "0.0005" → "500000000000000", or nil and a clause.
function wei.of_ether(text)
  if type(text) ~= "string" then
    return nil, ("must be ETH as a string such as \"0.0005\", not %s"):format(errors.show(text))
  end
  local digits = core.amount_to_atomic(text, wei.DECIMALS)
  if not digits or #digits > 18 then return nil, "must be ETH, digits and at most one point, and less than 1" end
  return digits
end

--- "500000000000000" → "0.0005".
function wei.ether(digits)
  local text = core.amount_from_atomic(digits, wei.DECIMALS)
  return (text:gsub("0+$", ""):gsub("%.$", ""))
end

wei.add, wei.compare = core.amount_add, core.amount_cmp

--- a * n; n is a whole number.
wei.times = core.amount_mul

--- The digits of a quotient by a power of ten, rounded down.
local function shift(digits, places)
  local text = digits:sub(1, -places - 1)
  return text == "" and "0" or text
end

--- price * percent / 100, rounded up.
function wei.percent(digits, percent)
  return wei.add(shift(wei.times(digits, percent), 2), "1")
end

--- Digits times digits: where the second may be too large for a number.
function wei.product(a, b)
  local sum, place = "0", 0
  for i = #b, 1, -1 do
    local part = wei.times(a, tonumber(b:sub(i, i)))
    if part ~= "0" then part = part .. ("0"):rep(place) end
    sum = part and wei.add(sum, part)
    if not sum then return nil end
    place = place + 1
  end
  return sum
end

--- What so much ether is in dollars, at so many millionths of a dollar for one: "1.234567", rounded up.
function wei.dollars(digits, price)
  local product = wei.product(digits, price)
  if not product then return nil end
  local whole = wei.add(shift(product, wei.DECIMALS), product:sub(-wei.DECIMALS):match "[1-9]" and "1" or "0")
  return (core.amount_from_atomic(whole, 6))
end

--- "0.0005 ETH", and its dollars where a price is known.
function wei.shown(digits, price)
  local dollars = price and wei.dollars(digits, price)
  return wei.ether(digits) .. " ETH" .. (dollars and (" ($%s)"):format(dollars) or "")
end

return wei
