-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local fake = require "spec.support.fakecore"

describe("the body of a verb", function()
  local spraay, world = fake.new()
  world.answer = function() return { price = "1000", body = {} } end
  local client = assert(spraay.open { per_call = "1" })

  local function body_of(verb, given)
    world.calls = {}
    client[verb](client, given)
    return world.calls[1].body
  end

  it("is canonical, with the defaults written out", function()
    assert.equal('{"max_tokens":1024,"messages":[{"content":"hi","role":"user"}],"model":"auto",'
      .. '"temperature":0.7}', body_of("chat", "hi"))
    assert.equal('{"height":1024,"model":"auto","num_outputs":1,"prompt":"a boat","width":512}',
      body_of("image", { prompt = "a boat", width = 512.0 }))
    assert.equal('{"duration_seconds":4,"model":"auto","prompt":"a boat"}', body_of("video", "a boat"))
    assert.equal('{"language":"en","model":"auto","text":"hello"}', body_of("speak", { text = "hello" }))
    assert.equal('{"audio_url":"https://x.example/a.wav","model":"auto"}',
      body_of("transcribe", { audio_url = "https://x.example/a.wav" }))
    assert.equal('{"input":{"prompt":"x"},"model":"flux-dev"}',
      body_of("gpu", { model = "flux-dev", input = { prompt = "x" } }))
    assert.equal('{"count":3,"model":"auto","type":"text-inference"}',
      body_of("estimate", { type = "chat", count = 3 }))
  end)

  it("says the same for equal meanings", function()
    assert.equal(body_of("chat", "hi"),
      body_of("chat", { max_tokens = 1024, messages = "hi", stream = false }))
  end)

  it("keeps zero temperature, which the gateway respects", function()
    assert.equal(0, cjson.decode(body_of("chat", { messages = "x", temperature = 0 })).temperature)
  end)
end)

describe("wrong arguments", function()
  local spraay, world = fake.new()
  world.answer = function() return { price = "1000", body = {} } end
  local client = assert(spraay.open {})

  for _, case in ipairs {
    { "chat", {}, "messages is required" },
    { "chat", { messages = {} }, "not empty" },
    { "chat", { messages = { role = "user", content = "x" } }, "into a list" },
    { "chat", { messages = { { content = "x" } } }, "with a role" },
    { "chat", { messages = { { role = "user" } } }, "no content" },
    { "chat", { messages = "x", stream = true }, "cannot stream" },
    { "chat", { prompt = "x" }, "client:chat \"…\"" },
    { "chat", { mesages = "x" }, "Did you mean \"messages\"?" },
    { "chat", { messages = "x", max_tokens = 0 }, "from 1 on" },
    { "chat", { messages = "x", max_tokens = 1.5 }, "whole number" },
    { "chat", { messages = "x", temperature = 9 }, "from 0 to 2" },
    { "chat", { messages = "x", model = "gpt-4o" }, "no model \"gpt-4o\"" },
    { "chat", "  ", "is empty" },
    { "chat", 5, "expected a table" },
    { "image", { prompt = 5 }, "must be a text" },
    { "image", { prompt = "x", n = 2 }, "Say num_outputs" },
    { "image", { prompt = "x", model = "flux-pro" }, "client:gpu" },
    { "video", { prompt = "x", duration = 5 }, "duration_seconds" },
    { "speak", { text = "x", voice = "anna" }, "no choice of voice" },
    { "transcribe", { audio_url = "/tmp/a.wav" }, "http or https URL" },
    { "transcribe", { audio_url = "https://x/a.wav", language = "en" }, "finds the language itself" },
    { "embed", { input = {} }, "empty list" },
    { "embed", { input = { "a", "" } }, "[2] is empty" },
    { "gpu", { model = "flux-dev" }, "input is required" },
    { "gpu", { model = "nonsense", input = {} }, "owner/name" },
    { "gpu", { model = "flux-dev", input = {}, prompt = "x" }, "goes into input" },
    { "estimate", { type = "chta" }, "Did you mean \"chat\"?" },
    { "estimate", { jobs = {} }, "unknown field" },
    { "status", "../x", "id of a job" },
    { "chat", ("x"):rep(102400), "takes 102400" },
  } do
    it(("to %s: %s"):format(case[1], case[3]), function()
      local value, message, err = client[case[1]](client, case[2])
      assert.is_nil(value)
      assert.truthy(message:find(case[3], 1, true), message)
      assert.equal("usage", err.kind)
      assert.equal("no", err.paid)
      assert.equal(0, #world.calls)
    end)
  end

  it("are an error of their own when the client is forgotten", function()
    assert.error(function() client.chat "x" end)
  end)

  it("may name a model we do not know, when told so", function()
    assert(client:chat({ messages = "x", model = "brand-new" }, { unchecked = true }))
  end)
end)

describe("an answer", function()
  local spraay, world = fake.new()
  local client = assert(spraay.open {})

  local function answering(body, price)
    world.answer = function() return { price = price or "30000", body = body } end
  end

  it("of an image gives its links", function()
    answering { status = "completed", images = { { url = "https://r/1.png" }, { url = "https://r/2.png" } } }
    local result = client:image "x"
    assert.same({ "https://r/1.png", "https://r/2.png" }, result.urls)
    assert.equal("completed", result.status)
    assert.equal("https://r/1.png\nhttps://r/2.png", tostring(result))
  end)

  it("of a transcription may be JSON in a string", function()
    answering({ status = "completed", transcription = "plain words" }, "20000")
    assert.equal("plain words", client:transcribe("https://x/a.wav").text)
    answering({ status = "completed", transcription = "{\"text\":\"inner\",\"segments\":[]}" }, "20000")
    assert.equal("inner", client:transcribe("https://x/b.wav").text)
    answering({ status = "completed",
      transcription = "{\"segments\":[{\"text\":\"a\"},{\"text\":\"b\"}]}" }, "20000")
    assert.equal("ab", client:transcribe("https://x/c.wav").text)
  end)

  it("of a language model on gpu is joined", function()
    answering({ id = "g1", status = "succeeded", output = { "one ", "two" } }, "60000")
    local result = client:gpu { model = "llama-8b", input = {} }
    assert.equal("one two", result.text)
    assert.equal("completed", result.status)
    assert.equal("succeeded", result.raw_status)
  end)

  it("of a gpu run that failed is an error that says it was paid, and is not bought again by a retry",
    function()
    answering({ id = "g2", status = "failed", error = "out of memory" }, "60000")
    local before = #world.settled
    for _ = 1, 3 do
      local value, message, err = client:gpu { model = "sdxl", input = {} }
      assert.is_nil(value)
      assert.equal("yes", err.paid)
      assert.truthy(message:find("out of memory", 1, true))
    end
    assert.equal(before + 1, #world.settled)
  end)

  it("that says the work goes on is a job", function()
    answering { status = "processing", prediction_id = "p1", images = {} }
    local job = client:image "x"
    assert.equal("p1", job.id)
    assert.equal("image", job.kind)
    assert.equal("processing", job.status)
    assert.truthy(job.poll)
  end)

  it("of status speaks our words", function()
    answering({ prediction_id = "p1", status = "aborted", output = cjson.null }, "1000")
    local result = client:status "p1"
    assert.equal("canceled", result.status)
    assert.equal("aborted", result.raw_status)
    assert.is_nil(result.output)
  end)

  it("has integers where JSON has whole numbers", function()
    answering { choices = {}, usage = { total_tokens = 12 } }
    assert.equal("12", ("%d"):format(client:chat("x").usage.total_tokens))
    assert.equal("12", tostring(client:chat("y").usage.total_tokens):gsub("%.0$", ""))
  end)
end)
