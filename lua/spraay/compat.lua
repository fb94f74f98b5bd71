-- SPDX-License-Identifier: MIT
--- What differs between Lua 5.1, 5.2, 5.3, 5.4 and LuaJIT, in one place.
-- Everything else in this folder is written in the language they share.
-- luacheck: std max
local compat = {}

compat.unpack = table.unpack or unpack

--- Pack arguments with their count in `n`; nils in the middle survive.
compat.pack = table.pack or function(...)
  return { n = select("#", ...), ... }
end

--- Does pcall let a yield through? (everywhere but PUC 5.1)
compat.pcall_yields = (function()
  local co = coroutine.create(function() return pcall(coroutine.yield, true) end)
  local ok, yielded = coroutine.resume(co)
  return ok and yielded == true
end)()

local tointeger = math.tointeger

--- A number as an integer where the language has them; nil when it is not integral.
function compat.integer(n)
  if type(n) ~= "number" or n ~= n or n % 1 ~= 0 then return nil end
  if n >= 9007199254740992 or n <= -9007199254740992 then
    return tointeger and tointeger(n) or nil
  end
  return tointeger and tointeger(n) or n
end

--- The integer as text: never "3.0", never an exponent.
function compat.integer_text(n)
  return ("%.0f"):format(n)
end

return compat
