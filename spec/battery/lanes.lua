--- Trials side by side: every lane has a sandbox of its own and takes the next trial when it is free. The
--- trials mostly wait, so there are more lanes than processors.
-- SPDX-License-Identifier: MIT
local cqueues = require "cqueues"
local sandbox = require "spec.support.sandbox"
local trial = require "spec.battery.trial"

local lanes = {}

local function run_one(bench, box, one)
  local t = trial.new(bench, box)
  local fine, why = xpcall(one.run, debug.traceback, t)
  if not fine then t:wrong("the battery itself: %s", tostring(why)) end
  if not bench.keep or #t.verdict.violations == 0 then t:close() end
  if bench.keep and #t.verdict.violations > 0 then t:wrong("kept: %s", t.folder) end
  return t.verdict
end

--- Run all trials.
---@param bench table
---@param trials table[]   scenario, row, run
---@param count integer    of lanes
---@param done fun(trial: table, verdict: table)
function lanes.run(bench, trials, count, done)
  local cq, next_one = cqueues.new(), 1
  for _ = 1, math.min(count, #trials) do
    cq:wrap(function()
      local box = sandbox.start{ funds = "100000000" }
      while next_one <= #trials do
        local one = trials[next_one]
        next_one = next_one + 1
        done(one, run_one(bench, box, one))
      end
      box:stop()
    end)
  end
  local ok, why, _, thread = cq:loop()
  if not ok then error(debug.traceback(thread, tostring(why)), 0) end
end

return lanes
