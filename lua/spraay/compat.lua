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

local jit = type(rawget(_G, "jit")) == "table"

--- Does pcall let a yield through? (everywhere but PUC 5.1)
-- LuaJIT is not tried: inside nginx a coroutine that runs while this file is required could not yield.
compat.pcall_yields = jit or (function()
  local co = coroutine.create(function() return pcall(coroutine.yield, true) end)
  local ok, yielded = coroutine.resume(co)
  return ok and yielded == true
end)()

-- C functions through which a yield passes on 5.2 and LuaJIT; on PUC 5.1 there is none.
local passes = _VERSION == "Lua 5.2" and { [pcall] = true, [xpcall] = true, [dofile] = true }
  or jit and { [pcall] = true, [xpcall] = true } or {}
local ASKED = jit and "Sf" or "Snf"

--- May the running coroutine yield? A C function in between stops it: table.sort, string.gsub, require, and
-- on PUC 5.1 pcall too and whatever for-in calls. (There, metamethods that wait are not recognised.) nginx takes
-- isyieldable away from LuaJIT.
compat.yieldable = coroutine.isyieldable or function()
  local level = 2
  while true do
    local info = debug.getinfo(level, ASKED)
    if not info then return true end
    if info.what == "C" and not passes[info.func] then return false end
    if info.name == "(for generator)" and not passes[pcall] then return false end
    level = level + 1
  end
end

--- pcall wherever code may wait inside it just as well as without; nil in coroutines of PUC 5.1.
function compat.pcall_here()
  if compat.pcall_yields or not coroutine.running() then return pcall end
end

--- Can a coroutine that waits be gone, or be running? From Lua 5.4 on whoever holds it may kill it; on PUC 5.1 the
-- yield may have raised an error.
compat.waits_break = coroutine.close ~= nil or not compat.pcall_yields

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
