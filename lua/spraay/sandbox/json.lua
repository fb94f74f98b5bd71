--- JSON as the sandbox speaks it: lua-cjson reads, a small writer here answers.
--- The writer exists for two things cjson cannot do on every build: say `[]` for a list that is
--- empty, and print 3.0 as 3. Members are sorted, so equal answers are equal bytes.
--- RFC 8259, https://www.rfc-editor.org/rfc/rfc8259
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"

local reader = cjson.new()
if reader.decode_invalid_numbers then reader.decode_invalid_numbers(false) end
reader.decode_max_depth(64)

local json = { null = cjson.null }

local array_mt = { __name = "spraay.sandbox.array" }

--- Mark a table as a list, so that it is written as `[]` even while it is empty.
---@param list? table
---@return table
function json.array(list)
  return setmetatable(list or {}, array_mt)
end

local raw_mt = { __name = "spraay.sandbox.raw" }

--- JSON text written before, to be pasted as it is.
function json.raw(text)
  return setmetatable({ text = text }, raw_mt)
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f",
                  ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quote(text)
  if text:find('[%c"\\]') then
    text = text:gsub('[%c"\\]', function(c)
      return ESCAPES[c] or ("\\u%04x"):format(c:byte())
    end)
  end
  return '"' .. text .. '"'
end

-- The shortest digits that read back as the same double, as JavaScript prints them.
local function number(value)
  if value ~= value or value == math.huge or value == -math.huge then return "null" end
  if math.type(value) == "integer" then return tostring(value) end
  if value == math.floor(value) and math.abs(value) < 2 ^ 53 then
    return ("%d"):format(math.tointeger(value))
  end
  for digits = 15, 17 do
    local text = ("%%.%dg"):format(digits):format(value)
    if tonumber(text) == value then return text end
  end
end

local write

local function write_object(out, value)
  local names = {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names)
  out[#out + 1] = "{"
  for i, name in ipairs(names) do
    out[#out + 1] = (i > 1 and "," or "") .. quote(name) .. ":"
    write(out, value[name])
  end
  out[#out + 1] = "}"
end

local function write_array(out, value)
  out[#out + 1] = "["
  for i = 1, #value do
    if i > 1 then out[#out + 1] = "," end
    write(out, value[i])
  end
  out[#out + 1] = "]"
end

function write(out, value)
  local kind = type(value)
  if kind == "string" then out[#out + 1] = quote(value)
  elseif kind == "number" then out[#out + 1] = number(value)
  elseif kind == "boolean" then out[#out + 1] = tostring(value)
  elseif value == cjson.null or value == nil then out[#out + 1] = "null"
  elseif kind ~= "table" then error("no JSON for a " .. kind)
  elseif getmetatable(value) == raw_mt then out[#out + 1] = value.text
  elseif getmetatable(value) == array_mt or #value > 0 then write_array(out, value)
  else write_object(out, value) end
end

---@param value any
---@return string
function json.encode(value)
  local out = {}
  write(out, value)
  return table.concat(out)
end

---@param text string
---@return any? value
---@return string? why
function json.decode(text)
  local ok, value = pcall(reader.decode, text)
  if ok then return value end
  return nil, (tostring(value):gsub("^.-:%d+: ", ""))
end

--- Equal as parsed JSON: member order is nothing, 300 equals 300.0, strings are exact.
---@return boolean
function json.equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for name, value in pairs(a) do
    if not json.equal(value, b[name]) then return false end
  end
  for name in pairs(b) do
    if a[name] == nil then return false end
  end
  return true
end

return json
