--- Clocks that are wrong, jump, or pass midnight: no hole in a cap, no signature for years, and a clock that
--- cannot be trusted is told by name.
-- SPDX-License-Identifier: MIT
local calls = require "spec.battery.calls"

local clocks = { title = "clocks" }

local DAY = 86400

local function some(from, to)
  local list = {}
  for i = from, to do list[#list + 1] = calls.new("chat", "hour " .. i) end
  return list
end

-- A little wrong: the windows of both clocks still overlap.
local function slightly(seconds)
  return function(t)
    local plan = t:plan(some(1, 2), { tries = 3 })
    t:learn(plan)
    t:skew(seconds)
    t:run(plan, { shim = { CLOCK = t.clock } })
    t:weigh(plan, { must = "deliver" })
    t:skew(0)
    t:audit(plan)
  end
end

-- So wrong that nothing is signed by it; it is named, and put right.
local function badly(seconds)
  return function(t)
    local plan = t:plan(some(1, 2), { tries = 3 })
    t:learn(plan)
    t:skew(seconds)
    local first = t:run(plan, { shim = { CLOCK = t.clock } })
    if #t.box:ledger().presented > 0 then t:wrong("signed by a clock that is %d s wrong", seconds) end
    for _, line in ipairs(first.lines) do
      if not (line.message or ""):find "clock" then t:wrong("the clock is not named: %s", tostring(line.message)) end
    end
    t:skew(0)
    t:run(plan)
    t:weigh(plan, { must = "deliver" })
    t:audit(plan)
  end
end

-- The cap of a day, and wall clocks everywhere that jump by one, forth and back: three calls stay three calls.
local function jumps(t)
  local all = some(1, 12)
  local whole = t:plan(all)
  t:learn(whole)
  local plan = t:plan(some(1, 3), { open = { per_day = "0.09" } })
  for i, seconds in ipairs{ 0, DAY + 60, -DAY - 60, 2 * DAY } do
    t:skew(seconds)
    t.box:clock(seconds)
    t:run(t.but(plan, { calls = some(3 * i - 2, 3 * i) }), { shim = { CLOCK = t.clock } })
  end
  t:skew(0)
  t.box:clock(0)
  local count = t.box:ledger().count
  if count ~= 3 then t:wrong("%d were paid, the day admits 3", count) end
  t:weigh(whole, { cap = 90000 })
  t:audit(whole)
end

-- A day that has really passed admits as many again.
local function passes(t)
  local whole = t:plan(some(1, 6))
  t:learn(whole)
  local plan = t:plan(some(1, 3), { open = { per_day = "0.09" } })
  t:pass(0)
  t:run(plan, { shim = { CLOCK = t.clock } })
  t:pass(DAY + 120)
  t:run(t.but(plan, { calls = some(4, 6) }), { shim = { CLOCK = t.clock } })
  t:weigh(whole, { must = "deliver" })
  t:audit(whole)
end

-- What was lost counts on the day that it was lost, not on the day that the chain is asked.
local function proven_late(t)
  local whole = t:plan(some(1, 7))
  t:learn(whole)
  local plan = t:plan(some(1, 3), { open = { per_day = "0.09", timeout = { connect = 5, idle = 2, total = 2 } } })
  t:pass(0)
  t.box:fault("settle_then_reset", {})
  t:run(plan, { shim = { CLOCK = t.clock } })
  t.box:clear()
  t:run(t.but(plan, { calls = some(7, 7) }), { shim = { CLOCK = t.clock } })
  if t.box:ledger().count ~= 3 then t:wrong("%d were paid on the first day", t.box:ledger().count) end
  t:pass(DAY + 1200)
  t:run(t.but(plan, { act = "audit" }), { shim = { CLOCK = t.clock } })
  t:run(t.but(plan, { calls = some(4, 6) }), { shim = { CLOCK = t.clock } })
  if t.box:ledger().count ~= 6 then t:wrong("%d were paid on two days", t.box:ledger().count) end
  t:weigh(whole)
  t:audit(whole)
end

-- The machine starts anew while payments may still settle: the clock that cannot be set begins again, and what
-- is in the air counts all the same. The cap admits the three that were lost, and nothing besides.
local function starts_anew(t)
  local whole = t:plan(some(1, 6))
  t:learn(whole)
  local plan = t:plan(some(1, 3), { open = { per_day = "0.09", timeout = { connect = 5, idle = 2, total = 2 } } })
  t.box:fault("settle_then_reset", {})
  t:run(plan, { shim = { BOOT = "first" } })
  t.box:clear()
  t:run(t.but(plan, { calls = some(4, 6) }), { shim = { BOOT = "second" } })
  local count = t.box:ledger().count
  if count ~= 3 then t:wrong("%d were paid, the day admits 3", count) end
  t:weigh(whole, { cap = 90000 })
  t:audit(whole)
end

-- What was bought while the clock was ahead counts as of when that is noticed, though all that is asked for then
-- is refused: the day after admits as many again.
local function set_right(ahead)
  return function(t)
    local whole = t:plan(some(1, 9))
    t:learn(whole)
    local plan = t:plan(some(1, 3), { open = { per_day = "0.09" } })
    local function count(from, to, boot, must)
      t:run(t.but(plan, { calls = some(from, to) }), { shim = { CLOCK = t.clock, BOOT = boot } })
      local paid = t.box:ledger().count
      if paid ~= must then t:wrong("%d were paid up to %d, the days admit %d", paid, to, must) end
    end
    t:skew(ahead)
    count(1, 3, "first", 3)
    t:skew(0)
    count(4, 6, "second", 3)
    t:pass(DAY + 120)
    count(7, 9, "second", 6)
    t:weigh(whole)
    t:audit(whole)
  end
end

function clocks.trials(bench)
  local list = {
    { row = "two minutes ahead", run = slightly(120) }, { row = "twenty seconds behind", run = slightly(-20) },
    { row = "jumps of a day", run = jumps }, { row = "a day passes", run = passes },
    { row = "losses of the day before, proven", run = proven_late },
    { row = "the machine starts anew", run = starts_anew },
  }
  -- On Solana blocks are counted, and no clock is in what is signed.
  local wrong = bench.has_nonce and badly or slightly
  list[#list + 1] = { row = "set right after a start", run = set_right(bench.has_nonce and 120 or 3 * DAY) }
  list[#list + 1] = { row = "ten minutes ahead", run = wrong(600) }
  list[#list + 1] = { row = "ten minutes behind", run = wrong(-600) }
  return list
end

return clocks
