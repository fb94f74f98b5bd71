--- What specs share: the published vectors, and hex both ways. Used as
---   local spec = require "spec.helper"
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"

local spec = {}

local here = debug.getinfo(1, "S").source:match "^@(.*)helper%.lua$" or "spec/"

--- The whole text of a file below spec/.
---@param path string
---@return string
function spec.read(path)
  local file = assert(io.open(here .. path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

--- Decoded JSON of spec/vectors/<name>.json; that folder's README says where it comes from.
--- Integers that may pass 2^53 are strings in there, so a plain decoder loses nothing.
---@param name string
---@return table
function spec.vectors(name)
  return cjson.decode(spec.read("vectors/" .. name .. ".json"))
end

--- "0x0aff" or "0aff" to bytes.
---@param text string
---@return string
function spec.unhex(text)
  local bytes = text:gsub("^0x", ""):gsub("%x%x", function(digits)
    return string.char(tonumber(digits, 16))
  end)
  return bytes
end

--- Bytes to "0x0aff".
---@param bytes string
---@return string
function spec.hex(bytes)
  return "0x" .. bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
end

--- A small reproducible generator for properties: the same numbers on every Lua.
---@param seed integer
---@return fun(n: integer): integer  from 0 to n - 1
function spec.dice(seed)
  return function(n)
    seed = (seed * 16807) % 2147483647
    return seed % n
  end
end

--- n bytes from such a generator.
---@param roll fun(n: integer): integer
---@param n integer
---@return string
function spec.bytes(roll, n)
  local out = {}
  for i = 1, n do out[i] = string.char(roll(256)) end
  return table.concat(out)
end

return spec
