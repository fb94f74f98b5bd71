-- SPDX-License-Identifier: MIT
--- Turns: what only one at a time may do, such as a job on a compute future.
-- Who has the turn holds it in a value on its own stack. A thread can be killed, or dropped, where it stands, and
-- says nothing then; so the turn is free again when that value is closed, or collected, or its coroutine is dead,
-- and those who wait look for themselves now and then besides being woken.
local engine = require "spraay.engine"
local scheduler = require "spraay.scheduler"
local wait = require "spraay.wait"

local turns = {}

-- Seconds between two looks of those who wait.
local LOOK = 1

local places = {}   -- key -> { held = { the hold, weakly }, free_at =, waiters = }

local Hold = {}
Hold.__index = Hold

--- Give the turn back. May be said twice.
function Hold:leave()
  local place = self.place
  self.call = nil
  if place.held[1] ~= self then return end
  place.held[1] = nil
  place.free_at = math.max(place.free_at, engine.now() + self.spacing)
  scheduler.wake_all(place.waiters)
end

--- The call that is made in this turn.
function Hold:with(call)
  self.call = call
  return self
end

--- Who held it is no more: the turn is free, and so is the purchase of its call.
function Hold:close()
  if self.call then self.call:close() end
  self:leave()
end

-- From Lua 5.4 on whoever holds a coroutine may kill it. (Elsewhere status is not asked: nginx answers "dead" for the
-- coroutines of other requests.)
local killable = rawget(coroutine, "close") ~= nil

local function free(place)
  local hold = place.held[1]
  if hold and killable and hold.co and coroutine.status(hold.co) == "dead" then hold:close() end
  return place.held[1] == nil
end

local function never() return false end

--- Wait for the turn of `key`, at least `spacing` seconds after the last one ended. Returns the hold, to be
-- left with hold:leave(); nil when the task was cancelled.
function turns.take(key, spacing)
  local place = places[key]
  if not place then
    place = { held = setmetatable({}, { __mode = "v" }), free_at = 0, waiters = {} }
    places[key] = place
  end
  while not free(place) do
    if wait.until_ { on = place.waiters, at = engine.now() + LOOK } == "cancelled" then return nil end
  end
  local hold = setmetatable({ place = place, spacing = 0, co = coroutine.running() }, Hold)
  place.held[1] = hold
  while place.free_at > engine.now() do
    if wait.until_ { poll = never, at = place.free_at, closes = hold } == "cancelled" then
      hold:leave()
      return nil
    end
  end
  hold.spacing = spacing
  return hold
end

--- Forget who has which turn: for specs, whose clocks go back.
function turns.forget()
  places = {}
end

return turns
