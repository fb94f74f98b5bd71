-- SPDX-License-Identifier: MIT
-- What jobs cost per call, in batches and prepaid. The figures of single jobs are the table of published prices;
-- those of whole lists are worked out here by hand.
local fake = require "spec.support.fakecore"

local function client(more)
  local options = { per_day = "1000", rpc = false }
  for name, value in pairs(more or {}) do options[name] = value end
  return assert(fake.new().open(options))
end

describe("client:plan", function()
  -- type, model, per call, then 0, 5, 10 and 15 percent off, and which is cheaper
  for _, row in ipairs {
    { "chat", "llama-3.2", "0.030000", "0.004000", "0.003850", "0.003700", "0.003550", "futures" },
    { "chat", "Qwen3-8B", "0.030000", "0.006000", "0.005750", "0.005500", "0.005250", "futures" },
    { "chat", "Qwen3-32B", "0.030000", "0.021000", "0.020000", "0.019000", "0.018000", "futures" },
    { "chat", "auto", "0.030000", "0.031000", "0.029500", "0.028000", "0.026500", "futures from 5% on" },
    { "chat", "Qwen3-235B", "0.030000", "0.081000", "0.077000", "0.073000", "0.069000", "per call" },
    { "chat", "405B", "0.030000", "0.101000", "0.096000", "0.091000", "0.086000", "per call" },
    { "image", nil, "0.030000", "0.031000", "0.029500", "0.028000", "0.026500", "futures from 5% on" },
    { "image", "sdxl", "0.030000", "0.021000", "0.020000", "0.019000", "0.018000", "futures" },
    { "image", "flux-dev", "0.030000", "0.061000", "0.058000", "0.055000", "0.052000", "per call" },
    { "image", "flux-1.1-pro", "0.030000", "0.081000", "0.077000", "0.073000", "0.069000", "per call" },
    { "video", nil, "0.500000", "0.501000", "0.476000", "0.451000", "0.426000", "futures from 5% on" },
    { "video", "wan", "0.500000", "0.401000", "0.381000", "0.361000", "0.341000", "futures" },
    { "speak", nil, "0.030000", "0.031000", "0.029500", "0.028000", "0.026500", "futures from 5% on" },
    { "speak", "musicgen", "0.030000", "0.051000", "0.048500", "0.046000", "0.043500", "per call" },
    { "transcribe", nil, "0.020000", "0.021000", "0.020000", "0.019000", "0.018000", "futures from 10% on" },
    { "embed", nil, "0.005000", "0.006000", "0.005750", "0.005500", "0.005250", "per call" },
  } do
    it(("knows what one job costs each way: %s %s"):format(row[1], row[2] or "by default"), function()
      local job = assert(client():plan { { type = row[1], model = row[2] } }).jobs[1]
      assert.equal(row[3], job.per_call)
      for i, tier in ipairs { "starter", "builder", "scale", "enterprise" } do
        assert.equal(row[3 + i], job.futures[tier], tier)
      end
      assert.equal(row[8], job.cheaper)
    end)
  end

  it("pays one job per call, unless a batch is cheaper: from two chats, one video or eleven embeddings on", function()
    local c = client()
    for _, case in ipairs { { "chat", 1, "per_call" }, { "chat", 2, "batch" }, { "video", 1, "batch" },
        { "embed", 10, "per_call" }, { "embed", 11, "batch" } } do
      assert.equal(case[3], c:plan { { type = case[1], model = case[1] == "chat" and "405B" or nil,
        count = case[2] } }.best, case[1])
    end
  end)

  it("takes an account where many small jobs are cheaper that way", function()
    local plan = assert(client { futures = "ledger" }:plan { { type = "chat", model = "llama-3.2", count = 3 } })
    assert.equal("ledger", plan.best)   -- 0.010 for the deposit, 3 * 0.004
    assert.equal("0.022000", plan.options.ledger.cost)
    assert.equal("1.000000", plan.options.ledger.deposit)
    assert.equal("0.090000", plan.options.per_call.cost)
    assert.equal("0.050000", plan.options.batch.cost)
    assert.truthy(plan.reason:find("a ledger account costs 0.022 USDC", 1, true), plan.reason)
    plan = assert(client { futures = "escrow" }:plan { { type = "chat", model = "llama-3.2", count = 3 } })
    assert.equal("escrow", plan.best)
    assert.equal("0.012000", plan.options.escrow.cost)
    assert.equal("0.991000", plan.options.escrow.refunded)
    assert.is_false(plan.options.ledger.available)
    assert.truthy(plan.reason:find("gas beside it", 1, true))
    assert.truthy(plan.reason:find("0.991 of it come back by a refund", 1, true))
  end)

  it("keeps the discount of an escrow by depositing more than the jobs take", function()
    local options = assert(client():plan { { type = "video", count = 100 } }).options
    -- 15% off 50 is 42.5, and 0.1 for executes; a ledger account of 200 has them all at 15%
    assert.equal("200.000000", options.ledger.deposit)
    assert.equal("42.610000", options.ledger.cost)
    -- in the escrow, 50 would be 10% for one job; 50 + 45 keeps it, 200 + 42.5 keeps 15%
    assert.equal("242.500000", options.escrow.deposit)
    assert.equal("42.600000", options.escrow.cost)
    assert.equal("200.000000", options.escrow.refunded)
    options = assert(client { per_day = "100" }:plan { { type = "video", count = 100 } }).options
    assert.equal("95.000000", options.escrow.deposit)
    assert.equal("45.100000", options.escrow.cost)
    assert.equal("50.000000", options.ledger.deposit)
    assert.equal("45.110000", options.ledger.cost)
    options = assert(client { per_day = "60" }:plan { { type = "video", count = 100 } }).options
    -- 10 on top of what 5% costs: 17 jobs at 10%, then 83 at 5%
    assert.equal("57.500000", options.escrow.deposit)
    assert.equal("47.075000", options.escrow.drawn)
    options = assert(client { per_day = "55" }:plan { { type = "video", count = 100 } }).options
    -- 50: one job at 10%, then 5% down to 10, then none: 0.45 + 84 * 0.475 + the rest at 0.5
    assert.equal("50.000000", options.escrow.deposit)
    local drawn = 450000 + 84 * 475000
    assert.is_true(50000000 - drawn >= 9500000)
    assert.equal(("%.6f"):format((drawn + 15 * 500000) / 1e6), options.escrow.drawn)
    assert.is_nil(client { per_day = "5" }:plan { { type = "video", count = 100 } }.options.escrow)
  end)

  it("follows the caller's own prices", function()
    local plan = assert(client { prices = { chat = "0.001" } }:plan { { type = "chat", count = 10 } })
    assert.equal("0.010000", plan.options.per_call.cost)
    assert.equal("per_call", plan.best)
  end)

  it("prints as a small table, and its reason", function()
    local text = tostring(client():plan { { type = "chat", model = "llama-3.2", count = 100 } })
    assert.truthy(text:find("* batch", 1, true))
    assert.truthy(text:find("per call      3.000000 USDC", 1, true), text)
    assert.truthy(text:find("batching costs 0.1 USDC; paying per call 3", 1, true), text)
  end)

  it("refuses what is no list of jobs", function()
    local c = client()
    for _, bad in ipairs { {}, "x", { "x" }, { {} }, { { type = "poem" } }, { { type = "chat", count = 0 } },
        { { type = "chat", count = 1.5 } }, { { type = "chat", modle = "x" } }, { { type = "chat", model = "gpt-4o" } },
        { { type = "chat", count = 100001 } }, { { type = "chat", count = 60000 }, { type = "chat", count = 60000 } },
        { { type = "chat" }, x = 1 } } do
      local value, message, err = c:plan(bad)
      assert.is_nil(value)
      assert.equal("usage", err.kind, message)
    end
    assert.is_nil((c:plan()))
  end)
end)
