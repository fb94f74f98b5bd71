-- SPDX-License-Identifier: MIT
--- Where in a named run a call is made: the names of client:step, joined with "/".
--
-- The place belongs to whoever runs: a task, which takes it along to the tasks it starts, a coroutine of
-- somebody else, or the main program. So a task that runs while another waits inside a step is not in it.
local scheduler = require "spraay.scheduler"

local step = {}

--- The longest path of steps.
step.PATH_MAX = 512

local MAIN = {}

-- holder -> client -> path. The inner tables are never changed once they are here.
local places = setmetatable({ [MAIN] = false }, { __mode = "k" })

-- Whoever runs this, and what it is inside of when it has entered no step itself.
local function holder()
  local current = scheduler.current()
  if current then return current, nil end
  local co, main = coroutine.running()
  if co and not main then return co, scheduler.running() or MAIN end
  return MAIN, nil
end

--- Every step that this code is in: client -> path, or nil. What it returns is not to be changed.
function step.now()
  local own, outer = holder()
  return places[own] or (outer and places[outer]) or nil
end

--- The path of steps of a client, "a/b", or nil.
function step.path(client)
  local now = step.now()
  return now and now[client] or nil
end

--- Enter a step; the result is for step.leave.
function step.enter(client, name)
  local own, now = holder(), step.now()
  local inner = {}
  for key, path in pairs(now or {}) do inner[key] = path end
  inner[client] = inner[client] and inner[client] .. "/" .. name or name
  local before = { own = own, place = places[own] }
  places[own] = inner
  return before
end

function step.leave(before)
  places[before.own] = before.place
end

--- A task begins where the one that starts it is.
function step.inherit(task)
  places[task] = step.now()
end

return step
