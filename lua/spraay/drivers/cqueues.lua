-- SPDX-License-Identifier: MIT
--- Waiting inside a loop of cqueues, http://25thandclement.com/~william/projects/cqueues.html
--
-- A coroutine that a controller resumes itself waits on a condition. One more coroutine in that controller,
-- the pump, waits for the engine's descriptor and moves everything; it ends when nobody waits and no task is
-- left, so that loop:loop() ends when it should.
--
-- A loop can be closed, and a coroutine killed, in the middle of a call. So nothing but the coroutine's own stack
-- holds what it waits for: with it goes the call, and an equal one finds its purchase free to go on with. That a loop
-- was closed is noticed at the next step and by the next call, so its calls need not wait to be collected.
local compat = require "spraay.compat"
local engine = require "spraay.engine"
local scheduler = require "spraay.scheduler"

local pack, unpack = compat.pack, compat.unpack

local driver = { name = "cqueues" }

local pumps = setmetatable({}, { __mode = "k" })   -- controller -> { bell=, guests=, moving=, of = { it, weakly } }

local function cqueues()
  return package.loaded["cqueues"]
end

--- Is this code inside a loop, however deep?
function driver.running()
  return cqueues() ~= nil and (cqueues().running()) ~= nil
end

--- Only in a coroutine that the controller resumes itself.
function driver.can_wait()
  local controller, mine = cqueues().running()
  return controller ~= nil and mine and compat.yieldable()
end

-- cqueues' functions yield from a coroutine of ours what they would have yielded to the controller: the pump
-- passes that wait on to a coroutine of the controller.
local function foreign(task, results)
  local controller = cqueues().running()
  if not controller or results[2] ~= cqueues()._POLL then return false end
  controller:wrap(function()
    task.answer = pack(cqueues().poll(unpack(results, 3, results.n)))
    scheduler.wake(task, "ready")
  end)
  return true
end

local function ring()
  for _, pump in pairs(pumps) do
    if not pump.moving then pump.bell:signal() end
  end
end

local function run(controller, pump)
  local descriptor = { events = "r" }
  while pump.guests > 0 or (scheduler.live() > 0 and not scheduler.running()) do   -- in a task: it alone goes on
    descriptor.pollfd = engine.get():pollfd()
    cqueues().poll(descriptor, pump.bell, scheduler.due())
    pump.moving = true
    local ok, why = pcall(scheduler.move)
    pump.moving = false
    if not ok then
      pumps[controller] = nil
      error(why, 0)   -- loop:loop() returns it
    end
  end
  pumps[controller] = nil
end

local listening = false

local function pump_of(controller)
  local pump = pumps[controller]
  if pump then return pump end
  if not listening then
    listening, scheduler.foreign = true, foreign
    scheduler.bell(ring)
  end
  pump = { bell = require "cqueues.condition".new(), guests = 0, moving = false,
    of = setmetatable({ controller }, { __mode = "v" }) }
  pumps[controller] = pump
  controller:wrap(run, controller, pump)
  return pump
end

--- A task was started inside the loop.
function driver.pump()
  pump_of((cqueues().running()))
end

local Host = {}

function Host.park(guest)
  while guest.token do guest.condition:wait() end
end

--- Was the loop closed in which it waits?
function Host.lost(guest)
  local pump = guest.pump
  if not pump.closed and pump.looked ~= scheduler.round then
    local controller = pump.of[1]
    pump.looked, pump.closed = scheduler.round, controller == nil or not pcall(controller.count, controller)
  end
  return pump.closed
end

function Host.unpark(guest)
  local pump = guest.pump
  pump.guests = pump.guests - 1   -- here: the coroutine may have been killed
  if pump.closed then
    local what = guest.held.what
    if what and what.closes then what.closes:close() end
    return
  end
  if not pump.moving then pump.bell:signal() end   -- another loop, or a call that blocks, woke it: is that all?
  guest.condition:signal()
end

--- Wait for { poll=, on=, at= } (see scheduler.lua). Returns "ready" or "timeout".
function driver.wait(what)
  if what.poll and what.poll() then return "ready" end
  local pump = pump_of((cqueues().running()))
  local co = coroutine.running()
  local held = setmetatable({ what = what, co = co }, { __mode = "v" })
  pump.guests = pump.guests + 1
  local why = scheduler.suspend({
    host = Host, pump = pump, held = held, condition = require "cqueues.condition".new(),
  }, {
    poll = what.poll and function() return held.what == nil or held.what.poll() end, on = what.on, at = what.at,
  })
  what.waited = why   -- until here only this stack has held what is waited for
  return why
end

return driver
