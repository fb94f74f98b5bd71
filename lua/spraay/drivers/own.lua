-- SPDX-License-Identifier: MIT
--- Waiting inside spraay.run: the task yields to our own scheduler.
local scheduler = require "spraay.scheduler"

local own = { name = "own" }

--- Only in a coroutine that our scheduler made.
function own.can_wait()
  return scheduler.current() ~= nil
end

--- Wait for { poll=, on=, at= } (see scheduler.lua). Returns "ready", "timeout" or "cancelled".
function own.wait(wait)
  if wait.poll and wait.poll() then return "ready" end
  return scheduler.suspend(scheduler.current(), wait)
end

return own
