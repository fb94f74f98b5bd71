-- Compute futures in the ledger dialect: every order of refusal, every form of money.
-- SPDX-License-Identifier: MIT
local gateway = require "spec.support.gateway"
local payer = require "spec.support.payer"

local BASE = "/api/v1/compute-futures/"
local HELLO = { { role = "user", content = "Hello" } }

describe("compute futures (ledger)", function()
  local box, alice = gateway.fresh()

  local function post(name, body) return assert(alice:pay("POST", BASE .. name, body)) end
  local function get(name) return assert(alice:pay("GET", BASE .. name)) end

  local function deposit(amount, more)
    local body = { depositor = alice.address, amount = amount }
    for name, value in pairs(more or {}) do body[name] = value end
    return post("deposit", body)
  end

  local function open(amount, more) return deposit(amount, more).json.computeFuture.id end

  local function execute(id, more)
    local body = { futuresId = id, type = "text-inference", messages = HELLO }
    for name, value in pairs(more or {}) do body[name] = value end
    return post("execute", body)
  end

  describe("deposit", function()
    it("opens an account for a cent, whatever is named", function()
      local answer = deposit("50")
      assert.equal(200, answer.status)
      assert.equal("active", answer.json.status)
      local future = answer.json.computeFuture
      assert.truthy(future.id:find "^CFE%-[0-9A-F]+$")
      assert.equal(20, #future.id)
      assert.same({ "50 USDC", "50 USDC", "scale", "10% discount", 90 },
        { future.depositAmount, future.balanceRemaining, future.tier, future.discount, future.expiresInDays })
      assert.truthy(future.expiresAt:find "^%d%d%d%d%-%d%d%-%d%dT.*Z$")
      assert.equal("3.8.0", answer.json._gateway.version)
      assert.equal("10000", box:ledger().total)
    end)

    for amount, tier in pairs{ ["1"] = "starter", ["9.99"] = "starter", ["10"] = "builder",
                               ["49.999999"] = "builder",
                               ["50.00"] = "scale", ["200"] = "enterprise" } do
      it(amount .. " is " .. tier, function() assert.equal(tier, deposit(amount).json.computeFuture.tier) end)
    end

    for _, row in ipairs{
      { {}, 400, "Missing required fields" },
      { { depositor = "0x12", amount = "5" }, 400, "Invalid depositor address" },
      { { depositor = "0x8ba1f109551bD432803012645Ac136ddd64DBa73", amount = "5" }, 400,
        "Invalid depositor address" },
      { { depositor = "0x" .. ("ab"):rep(20), amount = "0.99" }, 400, "Minimum deposit is $1 USDC" },
      { { depositor = "0x" .. ("ab"):rep(20), amount = "x" }, 400, "Minimum deposit is $1 USDC" },
      { { depositor = "0x" .. ("ab"):rep(20), amount = 5 }, 500, "Failed to create compute future" },
      { { depositor = "0x" .. ("ab"):rep(20), amount = "5e1" }, 500, "Failed to create compute future" },
      { { depositor = "0x" .. ("ab"):rep(20), amount = "5abc" }, 500, "Failed to create compute future" },
      { { depositor = "0x" .. ("ab"):rep(20), amount = "1.0000001" }, 500,
        "Failed to create compute future" },
      { { depositor = "0x" .. ("ab"):rep(20), amount = "50", expiresInDays = 1e300 }, 500,
        "Failed to create compute future" },
    } do
      it(("refuses %s %s"):format(tostring(row[1].depositor), tostring(row[1].amount)), function()
        local answer = post("deposit", row[1])
        assert.equal(row[2], answer.status)
        assert.equal(row[3], answer.json.error)
        if row[1].amount == nil then assert.truthy(answer.json.optional and answer.json.tiers) end
        assert.equal(0, box:ledger().count)
      end)
    end

    it("forgives a missing 0x", function()
      assert.equal(200, post("deposit", { depositor = ("ab"):rep(20), amount = "5" }).status)
    end)
  end)

  describe("execute", function()
    it("draws list price less discount, in the gateway's ways to write money", function()
      local id = open "50"
      local answer = execute(id)
      assert.equal(200, answer.status)
      assert.same({ basePrice = "$0.0300", discount = "10%", charged = "$0.0270 USDC",
                    balanceRemaining = "$49.973000 USDC", jobNumber = 1, accountStatus = "active" },
                  answer.json.billing)
      assert.equal("Llama 3.3 70B", answer.json.compute.modelLabel)
      assert.truthy(answer.json.compute.result.choices)
      assert.is_nil(answer.json.compute.result.price_usdc)
      assert.equal("49.973000 USDC", get("balance?id=" .. id).json.balanceRemaining)
    end)

    it("shows 0.0047 and debits 0.004750", function()
      local id = open "10"
      local answer = execute(id, { type = "embeddings", input = { "a", "b" } })
      assert.equal("$0.0047 USDC", answer.json.billing.charged)
      assert.equal("5%", answer.json.billing.discount)
      assert.equal("$9.995250 USDC", answer.json.billing.balanceRemaining)
      assert.equal(2, #answer.json.compute.result.data)
    end)

    it("says none where there is no discount, and finds ids in any case", function()
      local answer = execute(open("5"):lower())
      assert.equal("none", answer.json.billing.discount)
      assert.equal("$0.0300 USDC", answer.json.billing.charged)
    end)

    it("is completed even while the job inside is not", function()
      local answer = execute(open "5", { type = "video-generation", prompt = "x" }).json
      assert.equal("completed", answer.status)
      assert.equal("processing", answer.compute.result.status)
      assert.is_nil(answer.compute.result.poll_url)
      box:advance(5)
      local look = alice:pay("GET", "/api/v1/compute/status/" .. answer.compute.result.prediction_id)
      assert.equal("succeeded", look.json.status)
    end)

    it("exhausts an account, which then refuses", function()
      local id = open "1"
      for _ = 1, 2 do execute(id, { type = "video-generation", prompt = "x" }) end
      assert.equal("exhausted", get("balance?id=" .. id).json.status)
      assert.equal("Cannot execute: account status is 'exhausted'", execute(id).json.error)
    end)

    it("answers 402 without payment headers when credits run short", function()
      local id = open "1.2"
      for _ = 1, 2 do execute(id, { type = "video-generation", prompt = "x" }) end
      local answer = execute(id, { type = "video-generation", prompt = "x" })
      assert.equal(402, answer.status)
      assert.equal("Insufficient compute credits", answer.json.error)
      assert.equal("$0.5000 USDC", answer.json.required)
      assert.equal("$0.2000 USDC", answer.json.balanceRemaining)
      assert.is_nil(answer.headers["payment-required"])
      assert.is_nil(answer.headers["payment-response"])
    end)

    for _, row in ipairs{
      { {}, 400, "futuresId and type are required" },
      { { futuresId = "x" }, 400, "futuresId and type are required" },
      { { futuresId = "ID", type = "dance" }, 400, "Invalid compute type: dance" },
      { { futuresId = "CFE-none", type = "embeddings" }, 404, "Compute future not found: CFE-none" },
      { { futuresId = "ID", type = "embeddings", model = "ada" }, 400,
        "Model 'ada' not available for embeddings. Use /compute/models to see options." },
      { { futuresId = "ID", type = "text-inference" }, 400, "messages array required for text-inference" },
      { { futuresId = "ID", type = "image-generation" }, 400, "prompt required for image-generation" },
      { { futuresId = "ID", type = "video-generation" }, 400, "prompt required for video-generation" },
      { { futuresId = "ID", type = "text-to-speech" }, 400, "text required for text-to-speech" },
      { { futuresId = "ID", type = "speech-to-text" }, 400, "audio_url required for speech-to-text" },
      { { futuresId = "ID", type = "embeddings" }, 400, "input required for embeddings" },
      { { futuresId = "ID", type = "text-inference", messages = {} }, 502,
        "Compute failed (balance not charged)" },
      { { futuresId = "ID", type = "embeddings", model = { 1 } }, 500, "Compute futures execution failed" },
    } do
      it("refuses: " .. row[3], function()
        local id = open "5"
        local body = {}
        for name, value in pairs(row[1]) do body[name] = value == "ID" and id or value end
        local answer = post("execute", body)
        assert.equal(row[2], answer.status)
        assert.equal(row[3], answer.json.error)
        if row[2] == 502 then assert.equal("5.0000 USDC", answer.json.balanceRemaining) end
        assert.equal(1, box:ledger().count)            -- the deposit, nothing else
        assert.equal("5 USDC", get("balance?id=" .. id).json.balanceRemaining)
      end)
    end

    it("keeps the debit when the gate's settlement fails afterwards", function()
      local id = open "5"
      box:fault("settle_fails", { times = 1 })
      local answer = execute(id)
      assert.equal(402, answer.status)
      assert.is_false(payer.receipt(answer).success)
      assert.is_nil(answer.json.compute)
      assert.equal("4.970000 USDC", get("balance?id=" .. id).json.balanceRemaining)
    end)
  end)

  describe("balance", function()
    it("shows the amount as it was written, until the first job", function()
      local id = open "50.00"
      local answer = get("balance?id=" .. id:lower()).json
      assert.same({ id, "50.00 USDC", "50.00 USDC", "0 USDC", 0, "active" },
        { answer.id, answer.depositAmount, answer.balanceRemaining, answer.totalUsed, answer.jobCount,
          answer.status })
      execute(id)
      assert.equal("0.027000 USDC", get("balance?id=" .. id).json.totalUsed)
    end)

    it("notices expiry", function()
      local id = open("5", { expiresInDays = 2 })
      box:advance(2 * 86400)
      assert.equal("Compute future has expired. Refund remaining balance or create a new deposit.",
        execute(id).json.error)
      assert.equal("expired", get("balance?id=" .. id).json.status)
      assert.equal("Cannot execute: account status is 'expired'", execute(id).json.error)
      assert.equal(200, post("refund", { futuresId = id, caller = alice.address }).status)
    end)

    it("wants id, not futuresId", function()
      assert.equal("id query param required", get("balance?futuresId=" .. open "5").json.error)
      assert.equal(404, get("balance?id=cfe-x").status)
      assert.equal("Compute future not found: cfe-x", get("balance?id=cfe-x").json.error)
    end)
  end)

  it("history shows jobs newest first, of those who wrote the id in capitals", function()
    local id = open "50"
    execute(id)
    execute(id, { type = "embeddings", input = "x" })
    execute(id:lower())
    local history = get("history?id=" .. id).json
    assert.equal(2, #history.usage)
    assert.equal(3, history.jobCount)
    local row = history.usage[2]
    row.timestamp = nil
    assert.same({ jobType = "text-inference", model = "meta-llama/Llama-3.3-70B-Instruct",
                  modelLabel = "Llama 3.3 70B",
                  basePrice = "0.030000", discount = "0.1000", effectivePrice = "0.027000",
                  balanceBefore = "50.000000", balanceAfter = "49.973000" }, row)
    assert.equal(1, #get("history?id=" .. id .. "&limit=1").json.usage)
    assert.equal("id query param required", get("history").json.error)
    assert.equal(404, get("history?id=x").status)
  end)

  it("refund marks an account, moves nothing, and asks who calls", function()
    local id = open "50"
    execute(id)
    for _, row in ipairs{
      { {}, 400, "futuresId and caller are required" },
      { { futuresId = id, caller = "me" }, 400, "Invalid caller address" },
      { { futuresId = "CFE-x", caller = alice.address }, 404, "Compute future not found: CFE-x" },
      { { futuresId = id, caller = "0x" .. ("ab"):rep(20) }, 403, "Only the depositor can request a refund" },
    } do
      local answer = post("refund", row[1])
      assert.equal(row[2], answer.status)
      assert.equal(row[3], answer.json.error)
    end
    local answer = post("refund", { futuresId = id, caller = alice.address:lower() }).json
    assert.equal("refunded", answer.status)
    assert.same({ futuresId = id, depositor = alice.address, refundAmount = "49.973000 USDC",
                  totalUsed = "0.027000 USDC", jobsExecuted = 1 }, answer.refund)
    assert.equal("Already refunded", post("refund", { futuresId = id, caller = alice.address }).json.error)
    assert.equal("49.973000 USDC", get("balance?id=" .. id).json.balanceRemaining)
    local empty = open "1"
    for _ = 1, 2 do execute(empty, { type = "video-generation", prompt = "x" }) end
    assert.equal("No balance remaining to refund",
      post("refund", { futuresId = empty, caller = alice.address }).json.error)
  end)

  it("pricing lists three discounted prices for every model", function()
    local pricing = get("pricing").json
    assert.equal(4, #pricing.tiers)
    assert.equal("5% discount", pricing.tiers[2].discount)
    assert.equal(3, #pricing.pricing.embeddings[1].tierPrices)
    assert.equal("$0.0047", pricing.pricing.embeddings[1].tierPrices[1].price)
    assert.is_string(pricing.note)
    assert.is_nil(pricing.contract)
  end)
end)
