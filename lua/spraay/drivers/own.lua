-- SPDX-License-Identifier: MIT
--- Waiting inside a task: it yields to whoever resumes tasks.
local compat = require "spraay.compat"
local scheduler = require "spraay.scheduler"

local own = { name = "own" }

--- Only in a coroutine that our scheduler made, and only where Lua lets it yield.
function own.can_wait()
  local task = scheduler.current()
  return task ~= nil and (task.host ~= nil or compat.yieldable())
end

--- Wait for { poll=, on=, at= } (see scheduler.lua). Returns "ready", "timeout" or "cancelled".
function own.wait(wait)
  if wait.poll and wait.poll() then return "ready" end
  return scheduler.suspend(scheduler.current(), wait)
end

return own
