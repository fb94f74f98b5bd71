-- SPDX-License-Identifier: MIT
--- Tasks moved by the loop of copas 4, https://lunarmodules.github.io/copas/. Not tested: Debian has an older one.
--
-- Two threads of copas move everything while there are tasks: one is parked in copas.receive on the engine's
-- descriptor, the other sleeps until the next timer. Copas cannot tell its own threads from coroutines inside
-- them, so a call in anything that is not a task blocks.
local engine = require "spraay.engine"
local scheduler = require "spraay.scheduler"

local driver = { name = "copas" }

local sleeper, reading, moving, listening = nil, false, false, false

local function copas()
  return package.loaded["copas"]
end

--- Is its loop running around this code?
function driver.running()
  return copas() ~= nil and copas().running == true
end

--- Tasks wait as everywhere (own.lua); nobody else can.
function driver.can_wait()
  return false
end

--- What is not there, as a sentence, and how to get it.
function driver.missing()
  if copas().pauseforever and copas().wakeup then return nil end
  return ("needs copas 4 or later, and this is %s"):format(tostring(copas()._VERSION)), "luarocks install copas"
end

local function move()
  moving = true
  scheduler.move()
  moving = false
end

-- What copas takes for a socket: readable when the engine is, and "received" from once no task is left.
local function descriptor()
  local self = {}
  function self.getfd() return engine.get():pollfd() end
  function self.dirty() return false end
  function self.settimeout() return true end
  function self.receive()
    move()
    if sleeper then copas().wakeup(sleeper) end   -- what is due may have changed
    if scheduler.live() == 0 then return "done" end
    return nil, "timeout", ""
  end
  return self
end

local function ring()
  if moving then return end
  if sleeper then copas().wakeup(sleeper) end
end

--- A task was started.
function driver.pump()
  if not listening then
    listening = true
    scheduler.bell(ring)
  end
  if not reading then
    reading = true
    copas().addthread(function()
      copas().receive(descriptor(), 1)
      reading = false
    end)
  end
  if not sleeper then
    sleeper = copas().addthread(function()
      while scheduler.live() > 0 do
        local seconds = scheduler.due()
        if seconds then copas().pause(seconds) else copas().pauseforever() end
        move()
      end
      sleeper = nil
      engine.get():wake()   -- so that the reader sees the end too
    end)
  end
end

return driver
