-- Models, prices and sums beside what the gateway's own code makes of them (gateway_models.json: every query of
-- its tests, every sum, every price at every tier).
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local gateway = require "spec.support.gateway"
local helper = require "spec.helper"
local payer = require "spec.support.payer"
local sandbox = require "spec.support.sandbox"

local COMPUTE, FUTURES = "/api/v1/compute/", "/api/v1/compute-futures/"
local vectors = cjson.decode(helper.read "sandbox/gateway_models.json")

local function given(value)
  if value == cjson.null then return nil end
  return value
end

-- Fields that make a job of any kind a good one.
local function job(kind, model)
  return { type = kind, model = given(model), messages = { { role = "user", content = "x" } }, prompt = "x", text = "x",
           audio_url = "http://x/a.wav", input = "x" }
end

describe("the registry", function()
  local box, alice = gateway.shared()

  it("is the gateway's, in its order", function()
    local categories = box:request("GET", COMPUTE .. "models").json.categories
    local count = 0
    for kind, entry in pairs(vectors.models) do
      assert.equal(entry.default, categories[kind].default_model)
      assert.equal(#entry.list, #categories[kind].models)
      for i, model in ipairs(entry.list) do
        local shown = categories[kind].models[i]
        assert.same({ model.id, model.label, tonumber(model.price), model.provider },
                    { shown.id, shown.label, tonumber(shown.price_usdc), shown.provider })
        assert.truthy(shown.price_usdc:find "^%d%.%d%d%d$")
        count = count + 1
      end
    end
    assert.equal(21, count)
  end)

  it("finds what the gateway finds, and nothing else", function()
    assert.equal(82, #vectors.resolution)
    for _, case in ipairs(vectors.resolution) do
      local body = { type = case.type, model = case.query }
      local answer = box:request("POST", COMPUTE .. "estimate", { body = body })
      local found = answer.status == 200 and answer.json.model.id or cjson.null
      assert.equal(case.id, found, cjson.encode(case))
    end
  end)

  it("estimates as the gateway does", function()
    assert.equal(17, #vectors.estimate)
    for _, case in ipairs(vectors.estimate) do
      local count = case.count
      if count == "<absent>" then count = nil end
      local answer = box:request("POST", COMPUTE .. "estimate",
        { body = { type = case.type, model = case.model, count = count } }).json
      for _, name in ipairs{ "quantity", "subtotal_usdc", "batch_discount_usdc", "total_usdc" } do
        assert.equal(case[name], answer[name], cjson.encode(case))
      end
    end
  end)

  it("adds up batches as the gateway does", function()
    assert.equal(18, #vectors.batch)
    for _, case in ipairs(vectors.batch) do
      local jobs = {}
      for _, one in ipairs(case.jobs) do
        for _ = 1, one.count do jobs[#jobs + 1] = job(one.type, one.model) end
      end
      local answer = alice:pay("POST", COMPUTE .. "batch", { jobs = jobs }).json
      assert.same({ case.subtotal_usdc, case.total_cost_usdc }, { answer.subtotal_usdc, answer.total_cost_usdc })
    end
  end)
end)

describe("the tiers", function()
  local AMOUNTS = { { "starter", "5" }, { "builder", "10" }, { "scale", "50" }, { "enterprise", "200" } }

  -- Every model once, on an account as new for each.
  local function each(run)
    for kind, entry in pairs(vectors.models) do
      for _, model in ipairs(entry.list) do
        for _, tier in ipairs(AMOUNTS) do run(kind, model, model.futures[tier[1]], tier) end
      end
    end
  end

  it("cost on a ledger what they cost the gateway, shown and debited", function()
    local box = sandbox.start{ funds = "100000" }
    local alice = payer.new(box)
    each(function(kind, model, price, tier)
      local id = alice:pay("POST", FUTURES .. "deposit", { depositor = alice.address, amount = tier[2] })
        .json.computeFuture.id
      local body = job(kind, model.id)
      body.futuresId = id
      local billing = alice:pay("POST", FUTURES .. "execute", body).json.billing
      assert.equal(price.shown .. " USDC", billing.charged)
      local used = alice:pay("GET", FUTURES .. "balance?id=" .. id).json.totalUsed
      assert.equal(price.ledger_debit .. " USDC", used)
    end)
    box:stop()
  end)

  it("cost in escrow what they cost the gateway, shown and drawn down", function()
    local box = sandbox.start{ dialect = "escrow", funds = "100000" }
    local alice = payer.new(box)
    local n = 0
    each(function(kind, model, price, tier)
      n = n + 1
      local address = ("0x%040x"):format(n)
      box:request("POST", "/_sandbox/escrow", { body = { depositor = address, deposit = tier[2] } })
      local body = job(kind, model.id)
      body.depositor = address
      local answer = alice:pay("POST", FUTURES .. "execute", body).json
      assert.equal(price.shown .. " USDC", answer.billing.charged)
      local receipt = box:chain("eth_getTransactionReceipt", { answer.billing.drawdownTx })
      local drawn = receipt.logs[#receipt.logs].data
      assert.equal(tonumber(price.drawdown_atomic), tonumber(drawn:sub(1, 66)))
    end)
    box:stop()
  end)
end)
