--- kill -9 at random moments of a script with several paid calls in a named run, up to three times, then
--- once to its end. A moment is a number of I/O calls, or of microseconds.
-- SPDX-License-Identifier: MIT
local calls = require "spec.battery.calls"
local process = require "spec.battery.process"

local kill_random = { title = "kill -9 at random, a named run, run again to the end" }

local BATCH = 5

local function script()
  return {
    calls.new("chat", "a night at sea"), calls.new("embed", "a night at sea"),
    calls.new("image", "a night at sea"), calls.new("batch", "a night at sea"),
    calls.new("deposit", "a night at sea"), calls.new("execute", "a night at sea"),
    calls.new("chat", "the morning after"),
  }
end

-- Where to strike, learned from a run in peace.
local function measure(t, plan)
  if t.bench.random_at then return t.bench.random_at end
  local at
  t:sub(function(s)
    local outcome = s:run(s.but(plan, { open = s.but(plan.open, { ledger = s.ledger }) }), { shim = {} })
    at = assert(outcome.counts, "no counts: " .. outcome.errors)
  end)
  t.bench.random_at = at
  return at
end

local function strike(roll, counts)
  if roll(2) == 1 then return { KILL_US = roll(150000) } end
  local deeds = { "kill", "kill_after", "kill_half" }
  return { AT = "all:" .. roll(counts.all), DO = deeds[roll(3)] }
end

local function one(t, roll, counts, audited)
  t:sub(function(s)
    local plan = s:plan(script(), { open = { run = "night" }, save = s.folder })
    local keeps = roll(2) == 1
    s.box:config{ replay = keeps }
    local strikes = {}
    for _ = 1, roll(3) do
      local shim = strike(roll, counts)
      strikes[#strikes + 1] = shim.KILL_US and shim.KILL_US .. " us" or shim.AT .. " " .. shim.DO
      s:run(plan, { shim = shim })
    end
    s:run(s.but(plan, { tries = 3 }))
    s:weigh(plan, { must = function(call)
      if keeps and calls.kinds[call.verb].class == "repeat" then return "deliver" end
    end })
    for name in pairs(s:delivered(plan, { chat = true, image = true })) do
      local path = ("%s/%s"):format(s.folder, name:gsub("%W", "-"))
      if #(process.slurp(path) or "") == 0 then s:wrong("%s was delivered and not saved", name) end
    end
    if audited then s:audit(plan) end
    if #s.verdict.violations > 0 then s:wrong("killed at %s", table.concat(strikes, ", ")) end
  end)
end

local function run(bench, batch, n)
  return function(t)
    local plan = t:plan(script(), { open = { run = "night" } })
    t:learn(plan)
    local counts = measure(t, plan)
    local roll = bench.dice("kill_random " .. batch)
    for i = 1, n do one(t, roll, counts, i % 5 == 1) end
  end
end

function kill_random.trials(bench)
  local left, list = bench.kills or (bench.full and 1000 or 25), {}
  while left > 0 do
    local n = math.min(left, BATCH)
    list[#list + 1] = { row = "random kills", run = run(bench, #list + 1, n) }
    left = left - n
  end
  return list
end

return kill_random
