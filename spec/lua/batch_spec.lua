-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"

describe("client:batch", function()
  local spraay, world = fake.new()
  local client = assert(spraay.open {})

  local function chat(text) return { type = "chat", messages = text } end

  it("gives a result, a job or an error per job, in order", function()
    world.answer = function()
      return { price = "50000", body = { batch_id = "batch_1", results = {
        { job_index = 1, type = "image-generation", status = "processing",
          result = { status = "processing", prediction_id = "p2" } },
        { job_index = 0, type = "text-inference", status = "completed",
          result = { choices = { { message = { content = "one" } } } } },
        { job_index = 2, type = "embeddings", status = "failed", error = "Chutes error 404" },
      } } }
    end
    local batch = assert(client:batch { chat "a", { type = "image-generation", prompt = "b" },
      { type = "embed", input = "c" }, chat "d" })
    assert.equal(4, #batch)
    assert.equal("one", batch[1].text)
    assert.equal("p2", batch[2].id)
    assert.equal("image", batch[2].kind)
    assert.truthy(tostring(batch[3]):find("Chutes error 404", 1, true))
    assert.equal("yes", batch[3].paid)
    assert.equal(batch[3], batch.errors[3])
    assert.equal("missing", batch.errors[4].code)
    assert.is_nil(batch.errors[1])
    assert.equal("0.050000", batch.payment.amount)
    assert.is_nil(batch[1].payment.amount)   -- adding up the jobs must not count the batch twice
    assert.equal("batch_1", batch.batch_id)
    assert.equal("batch of 4: 2 done, 2 failed", tostring(batch))
  end)

  it("writes the gateway's names and a batch's own defaults out", function()
    world.calls = {}
    client:batch { chat "a", { type = "embed", input = { "x", "y" } } }
    assert.equal('{"jobs":[{"max_tokens":512,"messages":[{"content":"a","role":"user"}],"model":"auto",'
      .. '"type":"text-inference"},{"input":["x","y"],"model":"auto","type":"embeddings"}]}',
        world.calls[1].body)
  end)

  local many = {}
  for i = 1, 51 do many[i] = chat("n" .. i) end

  for _, case in ipairs {
    { {}, "expected a list of jobs" },
    { { chat "a", { type = "chta" } }, "job 2 is of the unknown type \"chta\"" },
    { { { messages = "x" } }, "job 1 has no type" },
    { { { type = "chat" } }, "job 1: messages is required" },
    { { { type = "chat", messages = "x", temperature = 0.1 } }, "ignores temperature" },
    { { { type = "image", prompt = "x", num_outputs = 2 } }, "ignores num_outputs" },
    { { { type = "chat", messages = "x", model = "gpt-4o" } }, "no model" },
    { { jobs = { chat "a" }, chat "b" }, "unknown field" },
    { many, "at most 50" },
  } do
    it("refuses: " .. case[2], function()
      world.calls = {}
      local value, message = client:batch(case[1])
      assert.is_nil(value)
      assert.truthy(message:find(case[2], 1, true), message)
      assert.equal(0, #world.calls)
    end)
  end
end)

describe("what a job of a batch says was paid", function()
  local spraay, world = fake.new()
  local client = assert(spraay.open {})

  for status, case in pairs { settled = { "50000", nil, "yes" }, unconfirmed = { "50000", true, "maybe" },
    free = { nil, nil, "no" } } do
    it("is what the batch's payment says: " .. status, function()
      world.answer = function()
        return { price = case[1], unconfirmed = case[2],
          body = { results = { { job_index = 0, status = "failed", error = "x" } } } }
      end
      local batch = assert(client:batch { { type = "chat", messages = status } })
      assert.equal(status, batch.payment.status)
      assert.equal(case[3], batch[1].paid)
    end)
  end
end)
