--- The hosts in which calls are made, each with the same four words:
---   local hosts = require "spec.support.hosts"
---   host.inside(fn)      run fn where this driver waits, and the loop until nothing is left to do
---   host.beside(fn)      from inside: start fn beside it
---   host.tick(fn)        from inside: let the host itself call fn every 10 ms, without Spraay; returns how to stop
---   host.rest(seconds)   from inside: wait by the means of the host
--- host.overlaps: do calls that are started side by side overlap? A host whose library is missing is not in the list;
--- SPRAAY_SPEC_DRIVER names the only one to try.
-- SPDX-License-Identifier: MIT
local cqueues = require "cqueues"
local spraay = require "spraay"

local hosts = {}

local function thrower()
  local failure
  local function guard(fn)
    return function()
      local ok, why = spraay.pcall(fn)
      if not ok then failure = failure or { why } end
    end
  end
  local function rethrow()
    if failure then error(failure[1], 0) end
  end
  return guard, rethrow
end

-- One after the other.
hosts.block = {
  overlaps = false,
  inside = function(fn) fn() end,
  beside = function(fn) fn() end,
  rest = function(seconds) spraay.sleep(seconds) end,
}

hosts.own = {
  overlaps = true,
  inside = function(fn) spraay.run(fn) end,
  beside = function(fn) spraay.spawn(fn) end,
  rest = function(seconds) spraay.sleep(seconds) end,
  tick = function(fn)
    local going = true
    spraay.spawn(function()
      while going do
        spraay.sleep(0.01)
        fn()
      end
    end)
    return function() going = false end
  end,
}

-- Sixty frames a second would make slow specs: a thousand.
local frame = { overlaps = true }
function frame.inside(fn)
  local guard, rethrow = thrower()
  spraay.spawn(guard(fn))
  local frames = 0
  while assert(spraay.update(0.002)) > 0 do
    cqueues.poll(0.001)
    frames = frames + 1
    if frame.drawn and frames % 10 == 0 then frame.drawn() end
  end
  rethrow()
end
function frame.beside(fn) spraay.spawn(fn) end
function frame.rest(seconds) spraay.sleep(seconds) end
function frame.tick(fn)
  frame.drawn = fn
  return function() frame.drawn = nil end
end
hosts.frame = frame

local controller
hosts.cqueues = {
  overlaps = true,
  choose = "auto",
  inside = function(fn)
    local outer = controller
    controller = cqueues.new()
    controller:wrap(fn)
    local ok, why = controller:loop(30)
    local empty = controller:empty()
    controller = outer
    if not ok then error(why, 0) end
    assert(empty, "the loop did not come to its end")
  end,
  beside = function(fn) controller:wrap(fn) end,
  rest = function(seconds) cqueues.sleep(seconds) end,
  tick = function(fn)
    local going = true
    controller:wrap(function()
      while going do
        cqueues.sleep(0.01)
        fn()
      end
    end)
    return function() going = false end
  end,
}

local found, uv = pcall(require, "luv")
hosts.luv = found and {
  overlaps = true,
  inside = function(fn)
    local guard, rethrow = thrower()
    spraay.spawn(guard(fn))
    uv.run()
    rethrow()
  end,
  beside = function(fn) spraay.spawn(fn) end,
  rest = function(seconds) spraay.sleep(seconds) end,
  tick = function(fn)
    local timer = uv.new_timer()
    timer:start(10, 10, fn)
    return function()
      timer:stop()
      timer:close()
    end
  end,
} or nil

local list, only = {}, os.getenv "SPRAAY_SPEC_DRIVER"
for _, name in ipairs { "block", "own", "frame", "cqueues", "luv" } do
  local host = hosts[name]
  if host and (not only or only == "" or only == name) then
    host.name, host.choose = name, host.choose or name
    list[#list + 1] = host
  end
end

return list
