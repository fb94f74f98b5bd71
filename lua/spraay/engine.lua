-- SPDX-License-Identifier: MIT
--- The engine of this process: one, made when first needed, made anew after a fork.
-- An inherited engine would share its descriptors with the parent, so the process id is compared.
local core = require "spraay.core"

local engine = {}

local current, owner

--- The engine, and whether it is a new one since the last call.
function engine.get()
  local pid = core.pid()
  if current and owner == pid then return current, false end
  local made = assert(core.engine())
  current, owner = made, pid
  return made, true
end

--- Which process owns the engine now: clients compare it to know that they were forked.
function engine.owner()
  return core.pid()
end

--- Seconds on a clock that never goes back; only differences mean anything.
function engine.now()
  return core.mono_ms() / 1000
end

--- Seconds since 1970-01-01 UTC.
function engine.wall()
  return core.wall_s()
end

return engine
