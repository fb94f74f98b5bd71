-- SPDX-License-Identifier: MIT
--- One word for waiting: asks the driver (drivers/init.lua), and is where a cancelled task learns of it.
local drivers = require "spraay.drivers"
local errors = require "spraay.errors"
local scheduler = require "spraay.scheduler"

local wait = {}

--- spraay.use "luv" …: how calls wait from now on; "auto" is the rule without it.
wait.use = drivers.use

--- A task was started: the loop around us, if there is one, is to move it.
wait.started = drivers.pump

--- The name of the loop of a host that moves tasks here, or nil.
wait.moved_by = drivers.moved_by

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
  if not task or task.host then
    local refusal = drivers.refusal()
    if refusal then error(refusal, 0) end
  end
  if not task then return drivers.here().wait(what) end
  if task.cancelled or (task.stopping and not what.finishing) then
    if task.told then error(wait.cancelled_error(), 0) end
    task.told = true
    return "cancelled"
  end
  local why = drivers.here().wait(what)
  if why == "cancelled" then task.told = true end
  return why
end

--- May this code begin something: is its task still allowed to, and can it wait for the end of it?
-- Returns nil, message, err when not.
function wait.may_begin()
  local task = scheduler.current()
  if not task or task.host then
    local refusal = drivers.refusal()
    if refusal then return errors.fail(refusal) end
  end
  if not task then return true end
  if not (task.cancelled or task.stopping) then return true end
  if task.told then error(wait.cancelled_error(), 0) end
  task.told = true
  return errors.fail(wait.cancelled_error())
end

return wait
