--- The few habits of JavaScript that a client of this gateway can see.
--- The gateway tests its input by truthiness and prints money from doubles; to be wrong in the
--- same places, the sandbox does the same.
-- SPDX-License-Identifier: MIT
local json = require "spraay.sandbox.json"

local js = {}

--- nil, null, false, 0 and "" count as absent.
function js.truthy(value)
  return not (value == nil or value == json.null or value == false or value == 0 or value == "")
end

--- value, or `default` where JavaScript's `??` would take it (0 and "" are kept).
function js.given(value, default)
  if value == nil or value == json.null then return default end
  return value
end

--- A list? cjson reads [] and {} alike, so an empty table counts as one.
function js.is_array(value)
  return type(value) == "table" and (#value > 0 or next(value) == nil)
end

--- Number printed the way String(n) does.
local function number_text(n)
  if n == math.floor(n) and math.abs(n) < 1e21 then return ("%.0f"):format(n) end
  return json.encode(n)
end

--- String(value): lists are joined by commas, objects say what they are.
---@return string
function js.string(value)
  if value == nil then return "undefined" end
  if value == json.null then return "null" end
  if type(value) == "number" then return number_text(value) end
  if type(value) ~= "table" then return tostring(value) end
  if not js.is_array(value) then return "[object Object]" end
  local parts = {}
  for i = 1, #value do
    local item = value[i]
    parts[i] = (item == nil or item == json.null) and "" or js.string(item)
  end
  return table.concat(parts, ",")
end

--- Number(value): nil when JavaScript would say NaN.
---@return number?
function js.number(value)
  if type(value) == "number" then return value end
  if value == true then return 1 end
  if type(value) == "string" then return tonumber((value:match("^%s*(.-)%s*$"))) end
end

--- parseFloat(text): the longest numeric beginning, nil for NaN.
---@return number?
function js.parse_float(value)
  local text = js.string(value):match("^%s*(.*)$")
  local digits = text:match("^[+-]?%d+%.?%d*[eE][+-]?%d+") or text:match("^[+-]?%d+%.?%d*")
    or text:match("^[+-]?%.%d+")
  return digits and tonumber(digits)
end

--- n.toFixed(places); C prints the same digits.
---@return string
function js.fixed(n, places)
  if n == nil or n ~= n then return "NaN" end
  return ("%%.%df"):format(places):format(n)
end

local LAST_DATE = 8.64e12   -- seconds; further than this no JavaScript date goes

--- new Date(ms).toISOString(), which throws where there is no such date.
---@param seconds number  unix time
---@return string
function js.iso(seconds)
  if seconds > LAST_DATE then error({ details = "Invalid time value" }, 0) end
  local whole = math.floor(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%S", whole) .. (".%03dZ"):format(math.floor((seconds - whole) * 1000))
end

return js
