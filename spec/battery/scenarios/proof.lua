--- An answer is lost, the authorization's time passes, and the chain is asked: by an RPC that is well, away,
--- behind, of another chain, or a liar. A wrong proof costs patience, never money.
-- SPDX-License-Identifier: MIT
local calls = require "spec.battery.calls"

local proof = { title = "answers lost, time passes, the chain is asked" }

local RPC = { "well", "rpc_down", "rpc_error", "rpc_lagging", "rpc_split", "rpc_lying", "rpc_reset",
              "rpc_wrong_chain" }
local SHORT = { "well", "rpc_lagging", "rpc_split", "rpc_lying" }
local LOSS = { "settle_then_timeout", "settle_then_402", "reset_before_settle", "502_before_settle" }

local function script()
  return { calls.new("chat", "a long winter"), calls.new("video", "a long winter"),
           calls.new("deposit", "a long winter") }
end

-- What never reached a handler is bought in the end, but for what may not be presented twice.
local function must(loss)
  return function(call)
    if loss:find "before" and calls.kinds[call.verb].class ~= "never" then return "deliver" end
  end
end

local function run(rpc, loss)
  return function(t)
    local plan = t:plan(script(), {
      width = 4, open = { run = "night", timeout = { connect = 5, idle = 2, total = 2.5 } },
    })
    t:learn(plan)
    t.box:fault(loss, {})
    t:pass(0)
    local clock = { shim = { CLOCK = t.clock } }
    t:run(plan, clock)
    t.box:clear()
    if rpc ~= "well" then t.box:fault(rpc, {}) end
    for _ = 1, 3 do
      t:pass(500)
      t:start(t.but(plan, { act = "audit" }), clock):finish()      -- spraay ledger reconcile, every morning
      t:run(t.but(plan, { tries = 2 }), clock)
    end
    t:weigh(plan, { must = rpc == "well" and must(loss) or nil, lied = rpc == "rpc_lying" })
    if rpc ~= "well" and rpc ~= "rpc_lying" then t:audit(plan, { fault = rpc }) end
    t.verdict.trials, t.verdict.once, t.verdict.delivered, t.verdict.reported = 0, 0, 0, 0
    -- The RPC is well again: so is everything that was not lost for good.
    t:run(t.but(plan, { tries = 2 }), clock)
    t:weigh(plan, { must = must(loss), lied = rpc == "rpc_lying" })
    if rpc ~= "rpc_lying" then t:audit(plan) end
  end
end

-- By a clock that is ten minutes ahead the time is over, and the money moves a moment later: "unused so far"
-- is no proof.
local function asked_too_early(t)
  local plan = t:plan({ calls.new("deposit", "a long winter"), calls.new("video", "a long winter") }, { width = 2 })
  t:learn(plan)
  t.box:fault("settle_later", { seconds = 2 })
  t:run(plan)
  t:skew(700)
  t:start(t.but(plan, { act = "audit" }), { shim = { CLOCK = t.clock } }):finish()
  t:skew(0)
  t.box:clear()
  t:run(plan)
  t:weigh(plan, { tries = 1 })
  t:audit(plan)
end

function proof.trials(bench)
  local list = { { row = "asked too early", run = asked_too_early } }
  for _, rpc in ipairs(bench.full and RPC or SHORT) do
    for i, loss in ipairs(LOSS) do
      -- A liar's "unused" is harmless to a nonce only: the README says so.
      local harmless = bench.has_nonce or rpc ~= "rpc_lying"
      if harmless and (bench.full or i % 2 == 1) then
        list[#list + 1] = { row = rpc .. " after " .. loss, run = run(rpc, loss) }
      end
    end
  end
  return list
end

return proof
