--- A cap that admits exactly N calls, against many processes with many tasks each: exactly N are paid.
-- SPDX-License-Identifier: MIT
local calls = require "spec.battery.calls"

local caps = { title = "a cap that admits exactly N calls" }

local PROCESSES, TASKS = 8, 16
local PRICE = 30000

local function subjects(process, n)
  local list = {}
  for i = 1, n do list[i] = calls.new("chat", ("process %d, question %d"):format(process, i)) end
  return list
end

local function usdc(micro) return ("%d.%06d"):format(micro // 1000000, micro % 1000000) end

-- Every refusal for want of budget is told as one, and as unpaid.
local function check_refusals(t, outcomes)
  for _, outcome in ipairs(outcomes) do
    for _, line in ipairs(outcome.lines) do
      if line.call and not line.ok and (line.kind ~= "budget" or line.paid ~= "no") then
        t:wrong("refused as %s/%s, paid %s: %s", tostring(line.kind), tostring(line.code), tostring(line.paid),
          tostring(line.message))
      end
    end
  end
end

-- The ways to say the cap. A budget is one for all processes when it has a name.
local WAYS = {
  per_day = function(cap) return { per_day = cap } end,
  per_host = function(cap) return { per_host = cap } end,
  budget = function(cap) return { budget = cap, scope = "together" } end,
}

local function run(bench, name, way)
  return function(t)
    local roll = bench.dice("caps " .. name)
    local n, each = 20 + roll(20), bench.full and 48 or 16
    -- Short of one more by the least amount there is.
    local cap = n * PRICE + PRICE - 1
    local all, plans = {}, {}
    for p = 1, PROCESSES do
      local list = subjects(p, each)
      local open = WAYS[way](usdc(cap))
      open.timeout = { connect = 20, idle = 20, total = 60 }
      plans[p] = t:plan(list, { width = TASKS, open = open })
      for _, call in ipairs(list) do all[#all + 1] = call end
    end
    local whole = t:plan(all, { width = TASKS })
    t:learn(whole)
    local running = {}
    for p = 1, PROCESSES do running[p] = t:start(plans[p]) end
    for p = 1, PROCESSES do t:ended(running[p]) end
    local books = t.box:ledger()
    if books.count ~= n then t:wrong("%d were paid, the cap admits %d", books.count, n) end
    t:weigh(whole, { cap = cap })
    check_refusals(t, t.outcomes)
    t:audit(plans[1])
    t:ask_command_line()
  end
end

-- What is lost counts against the cap until it is proven unused.
local function run_lost(fault)
  return function(t)
    local list = subjects(0, 12)
    local plan = t:plan(list, {
      width = 12, tries = 3, open = { per_day = usdc(5 * PRICE), timeout = { connect = 5, idle = 2, total = 3 } },
    })
    t:learn(plan)
    t.box:fault(fault, {})
    t:run(plan)
    t.box:clear()
    t:run(plan)
    t:weigh(plan, { cap = 5 * PRICE })
    t:audit(plan)
  end
end

function caps.trials(bench)
  local list = {}
  for i = 1, bench.full and 20 or 2 do
    list[i] = { row = ("%d processes, %d tasks each, per_day"):format(PROCESSES, TASKS),
                run = run(bench, i, "per_day") }
  end
  for _, way in ipairs{ "per_host", "budget" } do
    list[#list + 1] = { row = ("%d processes, %d tasks each, %s"):format(PROCESSES, TASKS, way),
                        run = run(bench, way, way) }
  end
  for _, fault in ipairs{ "settle_then_reset", "reset_before_settle", "502_before_settle", "settle_later" } do
    list[#list + 1] = { row = "answers lost: " .. fault, run = run_lost(fault) }
  end
  return list
end

return caps
