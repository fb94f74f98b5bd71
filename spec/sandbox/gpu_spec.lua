-- The GPU routes: any model, the provider's own words, failures included and charged.
-- SPDX-License-Identifier: MIT
local gateway = require "spec.support.gateway"

local RUN = "/api/v1/gpu/run"

describe("gpu", function()
  local box, alice = gateway.fresh()

  local function run(body) return assert(alice:pay("POST", RUN, body)) end

  it("run resolves shortcuts in any case, and costs 0.06", function()
    local answer = run{ model = "FLUX-Pro", input = { prompt = "x" } }
    assert.equal(200, answer.status)
    assert.equal("black-forest-labs/flux-1.1-pro", answer.json.model)
    assert.equal("succeeded", answer.json.status)
    assert.truthy(answer.json.output[1]:find "%.png$")
    assert.is_number(answer.json.metrics.predict_time)
    assert.is_string(answer.json.urls.get)
    assert.equal("60000", box:ledger().total)
  end)

  it("run passes other names through, and answers a language model in pieces", function()
    local other = run{ model = "somebody/something", version = ("0"):rep(64), input = {} }
    assert.equal("somebody/something", other.json.model)
    local output = run{ model = "llama-8b", input = { prompt = "about boats" } }.json.output
    assert.is_true(#output > 5)
    assert.truthy(table.concat(output):find "boats")
  end)

  it("run shows a failure as it is, and charges for it", function()
    local answer = run{ model = "flux-dev", input = { prompt = "[fail]" } }
    assert.equal(200, answer.status)
    assert.equal("failed", answer.json.status)
    assert.is_string(answer.json.error)
    assert.is_nil(answer.json.poll_url)
    assert.equal(1, box:ledger().count)
  end)

  it("run makes a canceled job look like a running one", function()
    local answer = run{ model = "flux-dev", input = { prompt = "[cancel]" } }.json
    assert.equal("canceled", answer.status)
    assert.truthy(answer.poll_url)
  end)

  it("status follows a job, at 0.005 here and at 0.001 on the compute route", function()
    local job = run{ model = "minimax-video", input = { prompt = "x" } }.json
    assert.equal("starting", job.status)
    local look = alice:pay("GET", "/api/v1/gpu/status/" .. job.id).json
    assert.truthy(look.poll_url)
    assert.is_string(look.logs)
    box:advance(5)
    look = alice:pay("GET", "/api/v1/gpu/status/" .. job.id).json
    assert.equal("succeeded", look.status)
    assert.truthy(look.output:find "%.avi$")
    assert.is_string(look.completed_at)
    assert.equal("succeeded", alice:pay("GET", "/api/v1/compute/status/" .. job.id).json.status)
    assert.equal(tostring(60000 + 5000 + 5000 + 1000), box:ledger().total)
  end)

  for _, row in ipairs{
    { { input = {} }, 400, "Missing required field: model" },
    { { model = "flux-dev" }, 400, "Missing required field: input (object)" },
    { { model = "flux-dev", input = "x" }, 400, "Missing required field: input (object)" },
    { { model = "flux", input = {} }, 400, 'Unknown model "flux". Use a shortcut (flux-pro, ' },
    { { model = 7, input = {} }, 500, "model.toLowerCase is not a function" },
    { { model = "a/nonexistent", input = {} }, 500, "Replicate API error (404): " },
  } do
    it("run refuses: " .. row[3], function()
      local answer = run(row[1])
      assert.equal(row[2], answer.status)
      assert.equal(row[3], answer.json.error:sub(1, #row[3]))
      assert.is_nil(answer.json.details)
      assert.equal(0, box:ledger().count)
    end)
  end

  it("status of an unknown id is a 500", function()
    local answer = alice:pay("GET", "/api/v1/gpu/status/nosuch")
    assert.equal(500, answer.status)
    assert.truthy(answer.json.error:find "^Replicate API error %(404%)")
  end)

  it("fails with the provider's status while it is down", function()
    box:fault "upstream_503"
    assert.truthy(run{ model = "sdxl", input = {} }.json.error:find "^Replicate API error %(503%)")
  end)

  it("models lists thirteen shortcuts", function()
    local list = box:request("GET", "/api/v1/gpu/models").json
    assert.equal(13, list.total)
    assert.equal(4, #list.categories.image)
    assert.equal("openai/whisper", list.categories.audio[1].model)
  end)
end)
