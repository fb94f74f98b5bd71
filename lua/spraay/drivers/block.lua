-- SPDX-License-Identifier: MIT
--- Waiting anywhere else: the call blocks.
-- In the main program the tasks that were spawned go on meanwhile. Inside a coroutine that is not ours and is
-- itself inside a task, the engine moves and nobody is resumed: resuming other tasks from there could bury the
-- very one that is waited for, so it is done only when another task is what we wait for.
local engine = require "spraay.engine"
local scheduler = require "spraay.scheduler"

local block = { name = "block" }

--- Always possible.
function block.can_wait()
  return true
end

--- Wait for { poll=, on=, at= } (see scheduler.lua). Returns "ready" or "timeout".
function block.wait(wait)
  while true do
    if wait.poll and wait.poll() then return "ready" end
    local now = engine.now()
    if wait.at and now >= wait.at then return "timeout" end
    local seconds = wait.at and wait.at - now or math.huge
    if scheduler.running() and not wait.on then
      scheduler.step(seconds)   -- who became ready meanwhile is resumed later, but must be noticed now
    else
      if wait.on and not wait.at and scheduler.idle() then
        error("spraay: waiting for a task that nothing can wake any more", 0)
      end
      scheduler.turn(seconds)
    end
  end
end

return block
