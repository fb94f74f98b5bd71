-- SPDX-License-Identifier: MIT
--- One word for waiting: picks the driver, and is where a cancelled task learns of it.
local errors = require "spraay.errors"
local scheduler = require "spraay.scheduler"

local wait = {}

local drivers = {
  own = require "spraay.drivers.own",
  block = require "spraay.drivers.block",
}
local ORDER = { "own", "block" }   -- the first that can wait here does

local chosen   -- set by spraay.use

--- spraay.use "block" | "own": how calls wait from now on. "own", the rule without it, yields
-- inside spraay.run and blocks anywhere else; "block" never yields.
function wait.use(name)
  if type(name) == "string" and drivers[name] then
    chosen = name ~= "own" and drivers[name] or nil
    return true
  end
  local shown = type(name) == "string" and '"' .. (errors.foreign(name, 40) or "") .. '"' or type(name)
  return errors.usage(("spraay.use: there is no driver %s in this version"):format(shown),
    "The drivers are \"own\" and \"block\"", "driver")
end

local function driver()
  if chosen then return chosen end
  for _, name in ipairs(ORDER) do
    if drivers[name].can_wait() then return drivers[name] end
  end
end

--- The error a cancelled task gets.
function wait.cancelled_error()
  return errors.new { kind = "cancelled", code = "cancelled", message = "the task was cancelled" }
end

--- Wait for { poll=, on=, at= } (see scheduler.lua). Returns "ready", "timeout" or "cancelled".
-- A task that was told "cancelled" once and goes on to wait again is ended there: the error is
-- raised. `finishing` marks the wait of a call in flight, which a task that is only being stopped
-- may still end.
function wait.until_(what)
  local task = scheduler.current()
  if not task then return driver().wait(what) end
  if task.cancelled or (task.stopping and not what.finishing) then
    if task.told then error(wait.cancelled_error(), 0) end
    task.told = true
    return "cancelled"
  end
  local why = driver().wait(what)
  if why == "cancelled" then task.told = true end
  return why
end

--- Is the current task still allowed to begin something? Returns nil, message, err when not.
function wait.may_begin()
  local task = scheduler.current()
  if not task or not (task.cancelled or task.stopping) then return true end
  if task.told then error(wait.cancelled_error(), 0) end
  task.told = true
  return errors.fail(wait.cancelled_error())
end

return wait
