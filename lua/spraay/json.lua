-- SPDX-License-Identifier: MIT
--- JSON as scripts see it. Answers are decoded by a private lua-cjson; requests are written by the
-- core, whose output is canonical (sorted keys, exact integers), because it is hashed and resent.
local cjson = require "cjson"
local compat = require "spraay.compat"
local core = require "spraay.core"

local json = {}

local private = cjson.new()
private.decode_max_depth(64)
private.decode_invalid_numbers(false)   -- NaN and 0x10 are not JSON

-- 1.0 becomes 1 on the Luas that know the difference.
local whole = compat.integer
local function integers(value)
  for key, item in pairs(value) do
    local kind = type(item)
    if kind == "number" then
      local n = whole(item)
      if n then value[key] = n end
    elseif kind == "table" then
      integers(item)
    end
  end
  return value
end

local has_integers = math.type ~= nil   -- luacheck: ignore 143

--- Decode a text. Returns nil and a reason when it is not JSON; JSON's null is json.null.
function json.decode(text)
  local ok, value = pcall(private.decode, text)
  if not ok then
    if value == "not enough memory" then error(value, 0) end   -- which says nothing about the text
    return nil, tostring(value)
  end
  if has_integers then
    if type(value) == "table" then return integers(value) end
    if type(value) == "number" then return whole(value) or value end
  end
  return value
end

--- Encode canonically. Returns nil, a reason and a code when the value has no JSON form.
json.encode = core.json_encode

--- What JSON's null decodes to; false in no condition, so compare with it.
json.null = core.json_null

--- Mark a table as an array, so that {} is written as [] and not as {}.
function json.array(list)
  return setmetatable(list or {}, core.json_array_mt)
end

--- A member of a decoded table, nil when it is absent or null.
function json.get(value, key)
  if type(value) ~= "table" then return nil end
  local item = value[key]
  if item == json.null then return nil end
  return item
end

return json
