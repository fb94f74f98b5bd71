-- SPDX-License-Identifier: MIT
--- Money. Whole USDC are decimal strings ("1.25"), atomic units digit strings ("1250000");
-- neither is ever a Lua number, because a Lua number has already rounded. The arithmetic is the core's.
local core = require "spraay.core"
local compat = require "spraay.compat"
local errors = require "spraay.errors"

local money = {}

--- USDC counts in millionths.
money.DECIMALS = 6

-- The value behind each usdc object. Kept outside it so that nobody can write to it.
local atomics = setmetatable({}, { __mode = "k" })
local mt = { __name = "spraay.usdc" }

local REASONS = {
  SYNTAX = "is not an amount; write digits and at most one point, such as \"1.25\"",
  PRECISION = "has more than six decimal places, the most USDC can hold",
  RANGE = "is larger than any amount of USDC",
}

-- More digits than this in front of the point and it is a mistake, not a price.
local WHOLE_DIGITS = 15

local function show(value)
  if type(value) == "string" then return '"' .. (errors.foreign(value, 40) or "") .. '"' end
  return tostring(value)
end

--- The atomic digits of an amount given as a decimal string or a usdc value.
-- Returns nil and the reason (a clause that follows the amount's name) when it is neither.
function money.atomic(value)
  if atomics[value or false] then return atomics[value] end
  if type(value) == "number" then
    local quoted = tostring(value)
    if quoted:match("^%d+%.?%d*$") then
      return nil, ("is the number %s; money is written as a string, \"%s\", "):format(quoted, quoted)
        .. "because a number has already rounded"
    end
    return nil, ("is the number %s; money is written as a string, such as \"0.05\"")
      :format(quoted)
  end
  if type(value) ~= "string" then
    return nil, ("is a %s; money is a string such as \"0.05\", or spraay.usdc \"0.05\""):format(type(value))
  end
  if value:match("^%-") then return nil, show(value) .. " is negative" end
  local whole = value:match("^0*(%d+)")
  if whole and #whole > WHOLE_DIGITS then return nil, show(value) .. " " .. REASONS.RANGE end
  local atomic, _, code = core.amount_to_atomic(value, money.DECIMALS)
  if atomic then return atomic end
  return nil, show(value) .. " " .. (REASONS[code] or REASONS.SYNTAX)
end

--- Six decimals, always: "0.030000". What receipts and errors carry.
function money.format(atomic)
  return (core.amount_from_atomic(atomic, money.DECIMALS))
end

--- As short as it is exact: "0.03", "50".
function money.short(atomic)
  local text = money.format(atomic)
  if text:find(".", 1, true) then text = text:gsub("0+$", ""):gsub("%.$", "") end
  return text
end

--- The sum of two atomic amounts; a nil counts as nothing.
function money.add(a, b)
  if not a then return b end
  if not b then return a end
  return assert(core.amount_add(a, b))
end

--- An atomic amount, n times (n a whole number).
function money.times(atomic, n)
  return core.amount_mul(atomic, compat.integer(n))
end

--- -1, 0 or 1 for two atomic amounts.
money.compare = core.amount_cmp

local function of(atomic)
  local value = setmetatable({}, mt)
  atomics[value] = atomic
  return value
end

--- A usdc value from atomic digits.
money.of_atomic = of

--- spraay.usdc "1.25": an exact amount.
function money.usdc(value)
  local atomic, why = money.atomic(value)
  if atomic then return of(atomic) end
  return errors.usage("spraay.usdc: the amount " .. why, nil, "amount")
end

--- spraay.sum { "0.03", "0.50" }: amounts given as strings or usdc values, added exactly.
function money.sum(list)
  if type(list) ~= "table" or atomics[list] then
    return errors.usage("spraay.sum: expected a list of amounts", "spraay.sum { \"0.03\", \"0.50\" }",
      "amount")
  end
  local total, count = "0", 0
  for key in pairs(list) do
    if type(key) == "number" and key > count then count = key end
  end
  for i = 1, count do
    local atomic, why = money.atomic(list[i])
    if not atomic then return errors.usage(("spraay.sum: amount %d %s"):format(i, why), nil, "amount") end
    total = core.amount_add(total, atomic)
    if not total then
      return errors.usage("spraay.sum: the sum is larger than any amount of USDC", nil, "amount")
    end
  end
  return of(total)
end

--- Is this a usdc value?
function money.is(value)
  return type(value) == "table" and atomics[value] ~= nil
end

-- Both operands, or an error that points at the line that mixed them.
local function both(a, b, sign)
  local left, right = atomics[a], atomics[b]
  if not left or not right then
    local other = left and b or a
    error(("usdc %s %s: both sides must be spraay.usdc values"):format(sign, type(other)), 3)
  end
  return left, right
end

mt.__index = function(_, key)
  if key == "atomic" then error("a usdc value has no fields; use tostring(value)", 2) end
  return nil
end
mt.__newindex = function() error("a usdc value does not change; make a new one", 2) end
mt.__tostring = function(self) return money.short(atomics[self]) end
mt.__concat = function(a, b) return tostring(a) .. tostring(b) end
mt.__eq = function(a, b) return atomics[a] == atomics[b] end
mt.__lt = function(a, b)
  local left, right = both(a, b, "<")
  return core.amount_cmp(left, right) < 0
end
mt.__le = function(a, b)
  local left, right = both(a, b, "<=")
  return core.amount_cmp(left, right) <= 0
end
mt.__add = function(a, b)
  local left, right = both(a, b, "+")
  local sum = core.amount_add(left, right)
  if not sum then error("usdc + usdc: the sum is larger than any amount of USDC", 2) end
  return of(sum)
end
mt.__sub = function(a, b)
  local left, right = both(a, b, "-")
  local rest = core.amount_sub(left, right)
  if not rest then
    error(("usdc %s - %s would be negative"):format(money.short(left), money.short(right)), 2)
  end
  return of(rest)
end
mt.__mul = function(a, b)
  local value, factor = a, b
  if not atomics[value or false] then value, factor = b, a end
  local n = compat.integer(factor)
  if not n or n < 0 then error("usdc * " .. tostring(factor) .. ": only a whole number of times", 2) end
  local product = core.amount_mul(atomics[value], n)
  if not product then error("usdc * integer: the product is larger than any amount of USDC", 2) end
  return of(product)
end
mt.__div = function() error("usdc cannot be divided: money is never rounded", 2) end
mt.__unm = function() error("usdc has no negative amounts", 2) end

--- The exact atomic amount in a money text of the gateway ("$49.973 USDC", "$0.0285 (5% off)"),
-- or nil for what is none ("N/A", "free", "NaN").
function money.shown(text)
  if type(text) ~= "string" then return nil end
  local digits, rest = text:match("^%s*%$?(%d+%.?%d*)(.*)$")
  if not digits then return nil end
  rest = rest:gsub("^%s*USDC", ""):gsub("^%s*%b()", "")
  if rest:match("%S") or digits:match("%.$") then return nil end
  if #digits > 40 then return nil end
  return (core.amount_to_atomic(digits, money.DECIMALS))
end

return money
