--- What most specs of the sandbox begin with: one sandbox for a block, as new before each of its
--- specs, and one payer with money. Called inside the block:
---   local gateway = require "spec.support.gateway"
---   describe("…", function()
---     local box, alice = gateway.fresh{ job_seconds = 4 }
---     it("…", function() alice:pay("GET", "/…") box:ledger() end)
--- Both are empty until the block's first spec runs.
-- SPDX-License-Identifier: MIT
local busted = require "busted"
local payer = require "spec.support.payer"
local sandbox = require "spec.support.sandbox"

local gateway = {}

-- Let `shell` be what `object` is: specs have taken hold of it before there is anything.
local function become(shell, object)
  for name, value in pairs(object) do shell[name] = value end
  setmetatable(shell, getmetatable(object))
end

--- A sandbox for all specs of a block, whatever they leave behind in it.
---@param options? table  as for sandbox.start
---@return table box
---@return table alice  pays with the sandbox's own key
function gateway.shared(options)
  local box, alice = {}, {}
  busted.setup(function()
    become(box, sandbox.start(options))
    become(alice, payer.new(box))
  end)
  busted.teardown(function() box:stop() end)
  return box, alice
end

--- The same, but back at its beginning before each spec.
function gateway.fresh(options)
  local box, alice = gateway.shared(options)
  busted.before_each(function() box:reset() end)
  return box, alice
end

return gateway
