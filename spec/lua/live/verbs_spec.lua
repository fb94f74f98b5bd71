-- SPDX-License-Identifier: MIT
-- Every verb against the sandbox, whose books say what was really sent, done and paid.
local live = require "spec.support.live"
local spraay = require "spraay"

local box, client

setup(function() box = live.start { job_seconds = 0 } end)
teardown(function() live.stop(box) end)
before_each(function()
  box:clear()
  box:reset()
  client = live.open(box)
end)
after_each(function() client:close() end)

-- What one call did: its result, after the books were compared with what it says it paid.
local function paid(result, message)
  assert(result, message)
  local books = box:ledger()
  assert.equal(1, books.count)
  assert.equal("settled", result.payment.status)
  assert.equal(books.total_usdc, result.payment.amount)
  assert.equal(books.settled[1].transaction, result.payment.transaction)
  assert.equal(books.settled[1].nonce, books.presented[1].nonce)
  assert.equal(box.address, result.payment.payer)
  assert.equal("eip155:8453", result.payment.network)
  assert.equal(2, books.requests)
  return result
end

local function free(result, message)
  assert(result, message)
  assert.equal("free", result.payment.status)
  assert.equal(0, box:ledger().count)
  return result
end

describe("a verb that pays", function()
  it("chat: words, from a text or from messages", function()
    local result = paid(client:chat "Why does a lighthouse turn?")
    assert.is_true(#result.text > 0)
    assert.equal(result.text, tostring(result))
    assert.equal(result.choices[1].message.content, result.text)
    assert.equal("0.030000", result.payment.amount)
    box:reset()
    assert.is_true(#paid(client:chat { messages = { { role = "user", content = "hi" } }, max_tokens = 20,
      temperature = 0, model = "llama" }).text > 0)
  end)

  it("image: links, as many as asked for", function()
    local result = paid(client:image { prompt = "a lighthouse", width = 64, height = 64, num_outputs = 2 })
    assert.equal(2, #result.urls)
    assert.equal("completed", result.status)
    assert.equal("0.030000", result.payment.amount)
  end)

  it("video: a job", function()
    local job = paid(client:video "a lighthouse turning")
    assert.equal("video", job.kind)
    assert.equal("0.500000", job.payment.amount)
  end)

  it("speak: a link to sound", function()
    local result = paid(client:speak { text = "hello", language = "en" })
    assert.equal(1, #result.urls)
    assert.equal("0.030000", result.payment.amount)
  end)

  it("transcribe: words, also out of an object", function()
    assert.equal("This is what can be heard in a.wav.", paid(client:transcribe "https://x.example/a.wav").text)
    box:reset()
    local result = paid(client:transcribe { audio_url = "https://x.example/[object].wav" })
    assert.truthy(result.text:find("what can be heard", 1, true))
    assert.equal("english", result.transcription_data.detected_language)
    assert.equal("0.020000", result.payment.amount)
  end)

  it("embed: a vector", function()
    local result = paid(client:embed "hello")
    assert.equal(1, #result.vectors)
    assert.equal(64, #result.vectors[1])
    assert.equal("0.005000", result.payment.amount)
  end)

  it("batch: a result, a job or an error per job, in order", function()
    local result = paid(client:batch {
      { type = "chat", messages = "hello" },
      { type = "chat", messages = "please [fail]" },
      { type = "image", prompt = "a boat [fail]" },   -- which the gateway calls "processing" at first
      { type = "embed", input = { "a", "b" } },
    })
    assert.equal(4, #result)
    assert.is_true(#result[1].text > 0)
    assert.is_true(spraay.is_error(result[2]))
    assert.equal("yes", result[2].paid)
    assert.truthy(tostring(result[2]):find("503", 1, true))
    assert.equal(result[2], result.errors[2])
    assert.equal("processing", result[3].status)
    assert.equal("image", result[3].kind)
    assert.equal(2, #result[4].vectors)
    assert.equal("0.050000", result.payment.amount)
  end)

  it("gpu: links, words, or an error that was paid for", function()
    assert.equal(1, #paid(client:gpu { model = "flux-dev", input = { prompt = "x" } }).urls)
    box:reset()
    assert.is_true(#paid(client:gpu { model = "LLAMA-8B", input = { prompt = "x" } }).text > 0)
    box:reset()
    local value, message, err = client:gpu { model = "flux-dev", input = { prompt = "x [fail]" } }
    assert.is_nil(value)
    assert.equal("failed", err.code)
    assert.equal("yes", err.paid)
    assert.equal("0.060000", err.amount)
    assert.truthy(message:find("0.060000 USDC was paid", 1, true))
    assert.equal(1, box:ledger().count)
  end)

  it("status and gpu_status: our four words", function()
    local job = client:video "a boat"
    box:reset()
    local other = client:video "a boat"   -- the reset has forgotten the first
    assert.equal("completed", client:status(other.id).status)
    local looked = client:gpu_status(other.id)
    assert.equal("completed", looked.status)
    assert.equal("succeeded", looked.raw_status)
    assert.equal("0.005000", looked.payment.amount)
    local value, _, err = client:status(job.id)
    assert.is_nil(value)
    assert.equal(502, err.status)
    assert.equal("maybe", err.paid)
    assert.equal("no", err.expect)
  end)
end)

describe("a free verb", function()
  it("models, gpu_models, discover, health and estimate ask and pay nothing", function()
    assert.equal(21, free(client:models()).total_models)
    assert.equal(13, free(client:gpu_models()).total)
    assert.equal(2, free(client:discover()).x402Version)
    assert.equal("healthy", free(client:health()).status)
    assert.equal("0.030", free(client:estimate { type = "chat" }).unit_price_usdc)
    assert.equal(2, free(client:estimate { type = "image", count = 2, model = "flux" }).quantity)
    assert.equal(6, box:ledger().requests)
  end)

  it("needs no key", function()
    local keyless = live.open(box, { wallet = false })
    free(keyless:models())
    local value, _, err = keyless:chat "x"
    assert.is_nil(value)
    assert.equal("wallet", err.kind)
    assert.equal(1, box:ledger().requests)
  end)
end)

describe("client:quote", function()
  local CALLS = {
    chat = { "hi", "0.030000" }, image = { "a boat", "0.030000" }, video = { "a boat", "0.500000" },
    speak = { "hi", "0.030000" }, transcribe = { "https://x.example/a.wav", "0.020000" },
    embed = { "hi", "0.005000" }, batch = { { { type = "chat", messages = "hi" } }, "0.050000" },
    gpu = { { model = "flux-dev", input = {} }, "0.060000" }, status = { "abc", "0.001000" },
    gpu_status = { "abc", "0.005000" },
  }

  it("tells what each verb costs and signs nothing, without a wallet too", function()
    local keyless = live.open(box, { wallet = false })
    for verb, case in pairs(CALLS) do
      local terms = assert(keyless:quote(verb, case[1]))
      assert.equal(case[2], terms.amount, verb)
      assert.equal("base", terms.network_name)
      assert.equal(verb, terms.verb)
      assert.equal("0xAd62f03C7514bb8c51f1eA70C2b75C37404695c8", terms.pay_to)
    end
    local books = box:ledger()
    assert.equal(0, #books.presented)
    assert.equal(0, books.count)
    assert.equal(10, books.requests)
  end)

  it("adds up a list", function()
    local texts = {}
    for i = 1, 13 do texts[i] = "text " .. i end
    assert.equal("0.050000", client:quote("embed", texts).total)
    assert.equal("0.015000", client:quote("embed", { "a", "b", "c" }).total)
    assert.equal(0, box:ledger().count)
  end)

  it("refuses what is no verb, and arguments the verb would refuse, unsent", function()
    live.unsent(box, function()
      for _, case in ipairs { { "chta", "x" }, { "deposit", "5" }, { nil, "x" }, { "chat", {} },
        { "embed", { input = {} } }, { "embed", { "a", 5 } }, { "batch", {} } } do
        local terms, _, err = client:quote(case[1], case[2])
        assert.is_nil(terms)
        assert.equal("usage", err.kind)
      end
    end)
  end)
end)

describe("client:request", function()
  it("pays any route, and reads what comes", function()
    local result = paid(client:request("POST", "/api/v1/compute/embeddings", { input = "x" }))
    assert.equal(64, #result.data[1].embedding)
    assert.equal(200, result.http.status)
    assert.truthy(result.http.headers["content-type"]:find("json", 1, true))
  end)

  it("takes a whole URL of the gateway and a body already written", function()
    paid(client:request("POST", box.url .. "/api/v1/compute/embeddings", '{"input":"x"}'))
  end)

  it("pays no other host unless it is named in hosts", function()
    local other = box.url:gsub("127%.0%.0%.1", "localhost")
    local value, message, err = client:request("POST", other .. "/api/v1/compute/embeddings", { input = "x" })
    assert.is_nil(value)
    assert.equal("policy", err.kind)
    assert.truthy(message:find("hosts", 1, true), message)
    assert.equal(0, #box:ledger().presented)
    local trusting = live.open(box, { hosts = { other } })
    assert(trusting:request("POST", other .. "/api/v1/compute/embeddings", { input = "x" }))
    assert.equal(1, box:ledger().count)
  end)

  it("is free where the gateway asks nothing, and says what is not there", function()
    free(client:request("GET", "/stats"))
    local value, _, err = client:request("GET", "/nowhere")
    assert.is_nil(value)
    assert.equal("not_found", err.code)
    assert.equal("no", err.paid)
  end)
end)

describe("wrong arguments are refused here and nothing is sent:", function()
  local long = ("x"):rep(102400)
  local jobs = {}
  for i = 1, 51 do jobs[i] = { type = "chat", messages = "n" .. i } end

  -- verb -> argument lists
  local WRONG = {
    chat = { {}, { {} }, { 5 }, { "" }, { " \n" }, { { messages = {} } }, { { messages = "x", top_p = 1 } },
      { { messages = "x", stream = true } }, { { messages = { { role = "user" } } } },
      { { messages = { { role = 1, content = "x" } } } }, { { messages = { "x" } } },
      { { messages = { { role = "user", content = 5 } } } }, { { messages = "x", max_tokens = -1 } },
      { { messages = "x", max_tokens = "10" } }, { { messages = "x", temperature = -0.1 } },
      { { messages = "x", temperature = 0 / 0 } }, { { messages = "x", model = 5 } },
      { { messages = "x", model = "" } }, { { messages = "x", model = "AUTO" } }, { long },
      { "x", { max = 1 } }, { "x", { max = "-1" } }, { "x", { timeout = 0 } }, { "x", { timeout = 0 / 0 } },
      { "x", { purchase = 5 } }, { "x", { purchase = "a\nb" } }, { "x", { once = "yes" } },
      { "x", { headers = { ["Payment-Signature"] = "x" } } }, { "x", { headers = { ["a b"] = "x" } } },
      { "x", "fast" }, { "x", { scope = "" } }, { { messages = "\255" } },
      { { messages = { { role = "user", content = print } } } } },
    image = { {}, { {} }, { { prompt = "" } }, { { prompt = "x", width = 0 } }, { { prompt = "x", width = 1.5 } },
      { { prompt = "x", height = "10" } }, { { prompt = "x", num_outputs = 0 } }, { { prompt = "x", seed = 1 } },
      { { prompt = "x", model = "dall-e-3" } } },
    video = { {}, { {} }, { { prompt = "x", duration_seconds = 0 } }, { { prompt = "x", duration_seconds = 1e9 } },
      { { prompt = "x", seconds = 4 } } },
    speak = { {}, { {} }, { { text = "x", voice = "a" } }, { { text = "x", language = "" } }, { { input = "x" } } },
    transcribe = { {}, { {} }, { "a.wav" }, { "file:///etc/passwd" }, { { audio_url = "https://" } },
      { "https://x.example/a b.wav" }, { { audio = "https://x.example/a.wav" } } },
    embed = { {}, { {} }, { { input = {} } }, { { input = { "a", {} } } }, { { input = { a = "b" } } }, { "" },
      { { "a", text = "b" } }, { { input = { "a", long } } } },
    batch = { {}, { {} }, { "x" }, { { "x" } }, { { { type = "chat" } } }, { { { messages = "x" } } },
      { { { type = "video" } } }, { jobs }, { { { type = "chat", messages = "x", stream = true } } } },
    gpu = { {}, { {} }, { { model = "flux-dev" } }, { { input = {} } }, { { model = "flux", input = {} } },
      { { model = "flux-dev", input = "x" } }, { { model = "flux-dev", input = {}, webhook = "x" } },
      { { model = "flux-dev", input = {}, version = "" } }, { { model = "flux-dev", input = {}, x = 1 } } },
    status = { {}, { 5 }, { "" }, { "a/b" }, { "../models" }, { ("a"):rep(200) }, { "a?b" } },
    gpu_status = { {}, { "a/b" } },
    estimate = { {}, { {} }, { { type = "x" } }, { { type = "chat", count = 0 } }, { { type = "chat", count = 1001 } },
      { { type = "chat", count = 1.5 } }, { { type = "chat", model = "nope" } }, { { jobs = {} } } },
    job = { {}, { 5 }, { "a/b" }, { "abc", "movie" }, { "abc", "chat" } },
    models = { { "x" }, { { max = 5 } }, { { nope = 1 } } },
    health = { { { nope = 1 } } },
    request = { {}, { "GET" }, { "FETCH ME", "/x" }, { "HEAD", "/x" }, { "GET", "x" }, { "GET", "/a b" },
      { "GET", "/x", "body" }, { "POST", "/x", 5 }, { "POST", "/x", { print } }, { "POST", "//evil.example/" },
      { "POST", "/x", nil, { content_type = 5 } }, { "POST", "/x", nil, { content_typ = "x" } } },
  }
  local names = {}
  for name in pairs(WRONG) do names[#names + 1] = name end
  table.sort(names)

  for _, name in ipairs(names) do
    it(("client:%s, in %d ways"):format(name, #WRONG[name]), function()
      live.unsent(box, function()
        for i, arguments in ipairs(WRONG[name]) do
          local value, message, err = client[name](client, arguments[1], arguments[2], arguments[3], arguments[4])
          local which = ("%s, case %d: %s"):format(name, i, tostring(message))
          assert.is_nil(value, which)
          assert.equal("usage", err.kind, which)
          assert.equal("no", err.paid, which)
          assert.truthy(message:find("Nothing was paid", 1, true), which)
        end
      end)
    end)
  end
end)
