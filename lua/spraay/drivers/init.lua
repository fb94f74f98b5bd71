-- SPDX-License-Identifier: MIT
--- The drivers: how a call waits, by host; and which of them is asked first.
--
-- A driver is a table:
--   name         as spraay.use knows it
--   can_wait()   may this very code wait by it, here and now? It never loads what is not loaded.
--   wait(what)   wait for { poll=, on=, at= } (scheduler.lua says what these are). Returns "ready",
--                "timeout" or "cancelled".
-- and, where a loop of the host moves things:
--   running()    does its loop run around this code? (left out: whenever it is there)
--   missing()    what is not there, as a sentence, and how to get it; nil when all is. It may load modules.
--   pump()       a task of ours was started: see to it that the loop moves it. Returns true when it will.
--   refuse()     an error value where nothing may wait at all
--
-- The host waits for one thing only: the descriptor engine:pollfd() becoming readable, and then calls
-- scheduler.move(). scheduler.due() tells when it must do so at the latest, and what is given to
-- scheduler.bell() is called when that changed. Nothing is ever resumed from inside engine:step.
--
-- The rule is to yield only to whom we know, and to block anywhere else: a task of ours yields to whoever
-- resumes tasks; a coroutine that cqueues itself resumes yields to cqueues. A coroutine inside such a one
-- belongs to somebody who expects other values from it, so a call made there blocks.
local errors = require "spraay.errors"

local drivers = {}

-- Each host that can be asked for: the module it needs, and how people get that.
local HOSTS = {
  cqueues = { module = "cqueues", package = "lua-cqueues" },
  luv = { module = "luv", package = "lua-luv" },
  copas = { module = "copas", package = "copas" },
  ngx = {},
}

--- Every name spraay.use takes.
drivers.names = { "auto", "block", "own", "frame", "cqueues", "luv", "copas", "ngx" }

-- Asked in this order without a word from the caller. luv cannot be asked whether it runs.
local ORDER = { "own", "ngx", "cqueues", "copas", "block" }

local loaded = {}
local chosen = "auto"

local function get(name)
  if not loaded[name] then loaded[name] = require("spraay.drivers." .. name) end
  return loaded[name]
end

-- Is the host of this driver in this process at all?
local function present(name)
  local host = HOSTS[name]
  if not host then return true end
  if name == "ngx" then return type(rawget(_G, "ngx")) == "table" end
  return package.loaded[host.module] ~= nil
end

-- The driver of the host that moves things here, if any.
local function host()
  if HOSTS[chosen] then return get(chosen) end
  if chosen ~= "auto" then return nil end
  for _, name in ipairs(ORDER) do
    if HOSTS[name] and present(name) and (not get(name).running or get(name).running()) then return get(name) end
  end
end

--- The driver by which this code may wait.
function drivers.here()
  if chosen == "block" then return get "block" end
  if get("own").can_wait() then return get "own" end
  local around = host()
  if around and around.can_wait() then return around end
  return get "block"
end

--- The name of the loop that moves tasks here, or nil: then whoever waits moves them.
function drivers.moved_by()
  local around = host()
  return around and around.name
end

--- A task was started: tell the loop that moves tasks here.
function drivers.pump()
  local around = host()
  if around and around.pump then around.pump() end
end

--- The error where nothing may wait, or nil.
function drivers.refusal()
  local around = host()
  return around and around.refuse and around.refuse() or nil
end

local function missing(name)
  local around = HOSTS[name]
  if not around then return nil end
  if name == "ngx" then
    if present "ngx" then return nil end
    return "runs only inside OpenResty, or nginx with its Lua module",
      'Leave spraay.use out, or use "block" in a plain script'
  end
  local ok, why = pcall(require, around.module)
  if not ok then
    local absent = tostring(why):find("module '" .. around.module .. "' not found", 1, true)
    return ('needs the Lua module %s, which %s'):format(around.module, absent and "is not installed" or
      "does not load: " .. (errors.foreign(tostring(why), 120) or "")),
      name == "copas" and "luarocks install copas (4 or later; what Debian packages is older)"
        or ("On Debian or Ubuntu: apt-get install %s; elsewhere: luarocks install %s"):format(around.package,
          around.module)
  end
  local driver = get(name)
  if driver.missing then return driver.missing() end
end

--- spraay.use(name): how calls wait from now on.
function drivers.use(name)
  local known = false
  for _, word in ipairs(drivers.names) do known = known or word == name end
  if not known then
    local quoted = {}
    for i, word in ipairs(drivers.names) do quoted[i] = '"' .. word .. '"' end
    return errors.usage(("spraay.use: there is no driver %s"):format(errors.show(name)),
      errors.meant(name, drivers.names, "The drivers are " .. errors.list(quoted)), "driver")
  end
  local what, hint = missing(name)
  if what then
    return errors.usage(('spraay.use: the driver "%s" %s'):format(name, what), hint, "driver_missing")
  end
  chosen = name
  return true
end

return drivers
