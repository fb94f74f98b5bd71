-- The compute routes' corners: input of odd types, words that come through, what is free.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local gateway = require "spec.support.gateway"

local BASE = "/api/v1/compute/"

describe("the compute routes", function()
  local box, alice = gateway.fresh{ job_seconds = 4 }

  local function pay(name, body) return assert(alice:pay("POST", BASE .. name, body)) end

  it("take a job that is none for one without a type, and break over null", function()
    for _, odd in ipairs{ 5, "x", true } do
      local answer = pay("batch", { jobs = { { type = "embeddings", input = "x" }, odd } })
      assert.equal(400, answer.status)
      assert.truthy(answer.json.error:find "^Job 1: invalid type%. Must be one of: text%-inference")
    end
    assert.equal(502, pay("batch", { jobs = { cjson.null } }).status)
  end)

  it("make one text of whatever is to be embedded, but not in batches and prepaid", function()
    local function vector(input) return pay("embeddings", { input = input }).json.data end
    assert.same(vector "a,b", vector{ "a", "b" })
    assert.equal(1, #vector{ "a", "b" })
    assert.same(vector "[object Object]", vector{ a = 1 })
    assert.same(vector "5", vector(5))
    local FUTURES = "/api/v1/compute-futures/"
    local deposit = { depositor = alice.address, amount = "5" }
    local id = alice:pay("POST", FUTURES .. "deposit", deposit).json.computeFuture.id
    local job = { futuresId = id, type = "embeddings", input = { "a", "b" } }
    assert.equal(2, #alice:pay("POST", FUTURES .. "execute", job).json.compute.result.data)
  end)

  it("take 0 for nothing said, except of temperature; and a number for a prompt", function()
    assert.equal(200, pay("image-generation", { prompt = 42, width = 0, num_outputs = 0 }).status)
    local image = pay("image-generation", { prompt = 42, width = 0 }).json.images[1]
    assert.equal(1024, image.width)
    assert.equal(400, pay("image-generation", { prompt = 0 }).status)
    assert.equal(400, pay("image-generation", { prompt = false }).status)
    assert.equal(400, pay("image-generation", { prompt = cjson.null }).status)
    assert.equal(400, pay("embeddings", { input = "" }).status)
  end)

  it("charge for what failed at once, and say that it is processing", function()
    for _, row in ipairs{ { "image-generation", { prompt = "[fail]" } }, { "text-to-speech", { text = "[fail]" } },
                          { "speech-to-text", { audio_url = "[cancel]" } } } do
      local answer = pay(row[1], row[2])
      assert.equal(200, answer.status)
      assert.equal("processing", answer.json.status)
      assert.is_nil(answer.json.error)
    end
    assert.equal("80000", box:ledger().total)
  end)

  it("poll jobs of the GPU routes as well", function()
    local run = alice:pay("POST", "/api/v1/gpu/run", { model = "minimax-video", input = { prompt = "x" } }).json
    assert.equal("starting", run.status)
    box:advance(10)
    local status = alice:pay("GET", BASE .. "status/" .. run.id).json
    assert.equal("succeeded", status.status)
    assert.is_string(status.output)
    assert.is_number(status.metrics.predict_time)
    assert.equal(cjson.null, status.error)
    assert.is_nil(status.video_url)
  end)

  it("run on the GPU what is a list, or has a version, or is nowhere", function()
    assert.equal(200, alice:pay("POST", "/api/v1/gpu/run", { model = "someone/something", version = ("a"):rep(64),
                                                             input = { "a" } }).status)
    local answer = alice:pay("POST", "/api/v1/gpu/run", { model = "nonexistent/model", input = { prompt = "x" } })
    assert.equal(500, answer.status)
    assert.truthy(answer.json.error:find "^Replicate API error %(404%): ")
    assert.is_nil(answer.json.details)
    assert.equal(500, alice:pay("POST", "/api/v1/gpu/run", { model = { "x" }, input = { prompt = "x" } }).status)
  end)

  it("show no more than the end of a long log", function()
    local run = alice:pay("POST", "/api/v1/gpu/run", { model = "minimax-video", input = { prompt = "[slow] x" } }).json
    local status = alice:pay("GET", "/api/v1/gpu/status/" .. run.id).json
    assert.is_true(#(status.logs or "") <= 500)
    assert.equal("/api/v1/gpu/status/" .. run.id, status.poll_url)
  end)

  it("never call back", function()
    local answer = pay("text-inference", { messages = { { role = "user", content = "x" } },
                                           callback_url = box.url .. "/called/back" })
    assert.equal(200, answer.status)
    for _, line in ipairs(box:request("GET", "/_sandbox/requests").json.requests) do
      assert.is_nil(line.path:find("called", 1, true))
    end
  end)
end)

describe("the free routes", function()
  local box = gateway.fresh()

  it("tell the time they are up in three ways", function()
    local function uptime() return box:request("GET", "/health").json.uptime end
    assert.truthy(uptime():find "^0m %d+s$")
    box:advance(3725)
    assert.truthy(uptime():find "^1h 2m %d+s$", uptime())
    box:advance(86400 + 3600)
    assert.truthy(uptime():find "^1d 2h 2m$", uptime())
  end)

  it("print list prices of compute on the front page, which nobody is charged", function()
    local paid = box:request("GET", "/").json.endpoints.paid
    assert.truthy(paid["POST /api/v1/compute/text-inference"]:find("$0.003-$0.10", 1, true))
    assert.truthy(paid["POST /api/v1/compute/embeddings"]:find("$0.005", 1, true))
  end)

  it("count futures at nothing, and compute not at all", function()
    local alice = require "spec.support.payer".new(box)
    alice:pay("POST", "/api/v1/compute-futures/deposit", { depositor = alice.address, amount = "5" })
    alice:pay("POST", BASE .. "embeddings", { input = "x" })
    local stats = box:request("GET", "/stats").json
    assert.equal(1, stats.totalPaidRequests)
    assert.equal("$0.0000", stats.estimatedRevenueUSDC)
    assert.equal("compute_futures_deposit", stats.breakdown[1].endpoint)
  end)
end)
