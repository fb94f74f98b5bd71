--- What a server can feign after settling, a hundred intents each, under a loop of three tries: in one
--- process, in a new process for every try, and in one process with `ledger = false`. A second round is
--- played by a server that keeps its answers, so that everything must be delivered.
-- SPDX-License-Identifier: MIT
local calls = require "spec.battery.calls"

local feigned = { title = "feigned after settling, three tries" }

-- name, faults that strike every time; `lost`: the answer is, for good, where the server keeps none; `slow`:
-- patience is short; `before`: nothing settles at first; `long`: only in the long form.
local MODES = {
  { "timeout", { "settle_then_timeout" }, lost = true, slow = true },
  { "reset", { "settle_then_reset" }, lost = true },
  { "502", { "settle_then_502" }, lost = true },
  { "a second 402", { "settle_then_402" }, lost = true },
  { "a 402 on other terms", { "settle_then_402_changed" }, lost = true, long = true },
  { "slow answer", { "settle_then_slow" }, slow = true, long = true },
  { "truncated body", { "settle_then_truncate" }, lost = true },
  { "pending", { "settle_then_pending" }, lost = true },
  { "redirect", { "settle_then_redirect" }, lost = true, long = true },
  { "no receipt", { "settle_then_no_receipt" }, long = true },
  { "nothing to reconcile with", { "settle_then_reset", "rpc_down" }, lost = true },
  { "502 before settling", { "502_before_settle" }, before = true, long = true },
  { "reset before settling", { "reset_before_settle" }, before = true },
  { "clean", {} },
}

local function subjects(n)
  local list = {}
  for i = 1, n do list[i] = calls.new("chat", ("lighthouse number %d"):format(i)) end
  -- Some equal ones: as many purchases as there are calls, however they swap places.
  for i = 1, n // 10 do list[#list + 1] = { id = "equal " .. i, verb = "chat", subject = "equal lighthouses" } end
  return list
end

-- A connection that says nothing is given up by the caller after four seconds, but kept open until the server
-- closes it: only then may the payment be presented again from the same process.
local SECONDS = { settle_then_slow = 2, settle_then_timeout = 5 }

local function arm(box, mode, n)
  for _, fault in ipairs(mode[2]) do
    box:fault(fault, { times = mode.before and n or nil, seconds = SECONDS[fault] })
  end
end

-- The calls that have no result yet.
local function without_result(list, outcomes)
  local done, left = {}, {}
  for _, outcome in ipairs(outcomes) do
    for _, line in ipairs(outcome.lines) do done[line.call] = done[line.call] or line.ok end
  end
  for _, call in ipairs(list) do
    if not done[call.id] then left[#left + 1] = call end
  end
  return left
end

local REGIMES = {
  memory = function(t, plan)
    t:run(t.but(plan, { tries = 3, open = t.but(plan.open, { ledger = false }) }))
  end,
  ["one process"] = function(t, plan) t:run(t.but(plan, { tries = 3 })) end,
  ["a process a try"] = function(t, plan)
    for _ = 1, 3 do
      local left = without_result(plan.calls, t.outcomes)
      if #left > 0 then t:run(t.but(plan, { calls = left })) end
    end
  end,
}

local function run(bench, mode, regime, keeps)
  return function(t)
    local n = bench.full and 100 or 10
    local timeout = { connect = 10, idle = mode.slow and 1 or 10, total = mode.slow and 4 or 20 }
    local plan = t:plan(subjects(n), { width = 128, open = { timeout = timeout } })
    t:learn(plan)
    t.box:config{ replay = keeps }
    arm(t.box, mode, #plan.calls)
    REGIMES[regime](t, plan)
    local delivered = keeps or not mode.lost
    if mode.before and mode.slow then delivered = false end
    t:weigh(plan, { must = delivered and "deliver" or "settle" })
    if regime ~= "memory" then t:audit(plan) end
  end
end

function feigned.trials(bench)
  local list = {}
  for _, mode in ipairs(MODES) do
    for _, regime in ipairs{ "memory", "one process", "a process a try" } do
      -- Where there is no nonce nothing is signed while the chain cannot be asked: another matter.
      if (bench.full or not mode.long) and (bench.has_nonce or mode[2][2] ~= "rpc_down") then
        for _, keeps in ipairs{ false, true } do
          if bench.full or not keeps or regime == "a process a try" then
            list[#list + 1] = {
              row = ("%s; %s%s"):format(mode[1], regime, keeps and "; answers kept" or ""),
              run = run(bench, mode, regime, keeps),
            }
          end
        end
      end
    end
  end
  return list
end

return feigned
