--- What the chain remembers, and what it was at every earlier block: a name has a list of values, each
--- with the block it came in. So a node that lags, or a call that names an old block, sees what was true
--- then. Whoever turns the clock back writes into earlier blocks, and is believed from there on.
-- SPDX-License-Identifier: MIT

local state = {}
state.__index = state
state.__name = "spraay.sandbox.evm.state"

function state.new() return setmetatable({ slots = {} }, state) end

--- The value now, or after the given block.
---@param name string
---@param block? integer
function state:get(name, block)
  local slot = self.slots[name]
  if not slot then return nil end
  for i = #slot, 1, -1 do
    if not block or slot[i].block <= block then return slot[i].value, slot[i].block end
  end
end

---@param block integer
function state:put(name, value, block)
  local slot = self.slots[name] or {}
  self.slots[name] = slot
  local last = slot[#slot]
  if last and last.block == block then last.value = value
  else slot[#slot + 1] = { block = block, value = value } end
end

--- What follows `prefix` in every name that begins with it.
---@return fun(): string?
function state:names(prefix)
  return coroutine.wrap(function()
    for name in pairs(self.slots) do
      if name:sub(1, #prefix) == prefix then coroutine.yield(name:sub(#prefix + 1)) end
    end
  end)
end

return state
