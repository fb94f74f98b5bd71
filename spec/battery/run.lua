-- The battery: `lua5.4 spec/battery/run.lua [--full|--short] [--only NAME] [--seed N] [--kills N] [--keep]
-- [--rail solana]`.
-- See README.md beside this.
-- SPDX-License-Identifier: MIT
local bench_of = require "spec.battery.bench"
local judge = require "spec.battery.judge"
local lanes = require "spec.battery.lanes"
local report = require "spec.battery.report"

local SCENARIOS = { "single", "feigned", "proof", "kill_each", "kill_random", "deleted", "caps", "disk", "damaged",
                    "stopped", "clocks", "hostile", "copies" }

local function read_arguments(words)
  local given = { full = true, kills = nil, seed = nil, show = 3 }
  local i = 1
  while words[i] do
    local word = words[i]
    if word == "--short" then given.full = false
    elseif word == "--full" then given.full = true
    elseif word == "--keep" then given.keep = true
    elseif word == "--only" or word == "--seed" or word == "--kills" or word == "--lanes" or word == "--show"
      or word == "--rail" then
      i = i + 1
      given[word:sub(3)] = tonumber(words[i]) or words[i]
    else
      io.stderr:write("run.lua: what is ", word, "?\n")
      os.exit(2)
    end
    i = i + 1
  end
  return given
end

local given = read_arguments(arg)
local bench = bench_of(given)
print("seed " .. bench.seed)

local function wanted(name, row)
  if not given.only then return true end
  for only in given.only:gmatch "[^+]+" do
    if name == only or (name .. "/" .. row):find(only, 1, true) then return true end
  end
  return false
end

local trials = {}
for _, name in ipairs(SCENARIOS) do
  local scenario = require("spec.battery.scenarios." .. name)
  for _, one in ipairs(scenario.trials(bench)) do
    one.scenario = scenario.title
    if wanted(name, one.row) then trials[#trials + 1] = one end
  end
end

local table_of = report.new()
for _, one in ipairs(trials) do table_of:add(one.scenario, one.row, judge.new()) end      -- rows in their order
local began, count = os.time(), 0
lanes.run(bench, trials, given.lanes or 6, function(one, verdict)
  table_of:add(one.scenario, one.row, verdict)
  count = count + 1
end)
local passed, failed = table_of:print(io.stdout, given.show)
print(("\n%d trials in %d s"):format(count, os.time() - began))
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed > 0 and 0 or 1)
