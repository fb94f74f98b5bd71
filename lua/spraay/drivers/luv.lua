-- SPDX-License-Identifier: MIT
--- Tasks moved by libuv's loop, https://github.com/luvit/luv (and so in Neovim).
--
-- The loop watches the engine's descriptor while there are tasks, and resumes them in its callbacks. It knows
-- no coroutines, so of a coroutine that is not a task nobody can tell who resumes it: a call there blocks.
local engine = require "spraay.engine"
local scheduler = require "spraay.scheduler"

local driver = { name = "luv" }

local uv                 -- the module, once asked for
local poll, timer, of    -- the loop's handles, and the engine whose descriptor is watched
local watching, moving = false, false

--- luv cannot say whether its loop runs: who chose it says so.
function driver.running()
  return true
end

--- Tasks wait as everywhere (own.lua); nobody else can.
function driver.can_wait()
  return false
end

local arm

local function move()
  moving = true
  local ok, why = pcall(scheduler.move)
  moving = false
  arm()
  if not ok then error(why, 0) end
end

local function rest()
  if watching then
    poll:stop()
    timer:stop()
  end
  watching = false
end

local function watch()
  local current = engine.get()
  if of ~= current then
    rest()
    if poll then poll:close() end
    of, poll, timer = current, assert(uv.new_poll(current:pollfd())), timer or assert(uv.new_timer())
  end
  if not watching then assert(poll:start("r", move)) end
  watching = true
end

-- Let the loop come back to us when the descriptor says so or something is due, or leave it in peace.
function arm()
  if scheduler.live() == 0 then return rest() end
  watch()
  local seconds = scheduler.due()
  if not seconds then return timer:stop() end
  uv.update_time()
  assert(timer:start(math.ceil(seconds * 1000), 0, move))
end

--- Chosen: from now on the loop is told of what is due.
function driver.missing()
  if uv then return nil end
  uv = require "luv"
  scheduler.bell(function()
    if not moving then arm() end
  end)
end

--- A task was started.
function driver.pump()
  arm()
end

return driver
