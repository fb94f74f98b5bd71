-- The per-call routes: each success, each refusal in the gateway's own words, and who pays.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local gateway = require "spec.support.gateway"
local payer = require "spec.support.payer"

local BASE = "/api/v1/compute/"

describe("compute", function()
  local box, alice = gateway.fresh{ job_seconds = 4 }

  local function pay(name, body, method) return assert(alice:pay(method or "POST", BASE .. name, body)) end

  local function status(id) return assert(alice:pay("GET", BASE .. "status/" .. id)) end

  describe("charges its flat price for", function()
    local hello = { { role = "user", content = "Hello" } }
    for _, row in ipairs{
      { "text-inference", { messages = hello }, "30000" }, { "image-generation", { prompt = "x" }, "30000" },
      { "video-generation", { prompt = "x" }, "500000" }, { "text-to-speech", { text = "x" }, "30000" },
      { "speech-to-text", { audio_url = "http://x/a.wav" }, "20000" },
      { "embeddings", { input = "x" }, "5000" },
      { "batch", { jobs = { { type = "embeddings", input = "x" } } }, "50000" },
    } do
      it(row[1], function()
        local answer = pay(row[1], row[2])
        assert.equal(200, answer.status)
        assert.is_true(payer.receipt(answer).success)
        assert.equal(row[3], box:ledger().total)
      end)
    end
  end)

  describe("refuses, uncharged and in the gateway's words,", function()
    local messages = { { role = "user", content = "x" } }
    local types = "text-inference, image-generation, video-generation, text-to-speech, "
      .. "speech-to-text, embeddings"
    local fifty_one = {}
    for i = 1, 51 do fifty_one[i] = { type = "embeddings", input = "x" } end
    for _, row in ipairs{
      { "text-inference", {}, 400, "messages array is required." },
      { "text-inference", { messages = {} }, 400, "messages array is required." },
      { "text-inference", { messages = "hi" }, 400, "messages array is required." },
      { "text-inference", { messages = messages, model = "AUTO" }, 400,
        "Model 'AUTO' not available. Use /compute/models to see available models, "
        .. "or pass \"auto\" for the default." },
      { "text-inference", { messages = messages, stream = true }, 502, "Text inference failed" },
      { "text-inference", { messages = messages, model = { 1 } }, 502, "Text inference failed" },
      { "text-inference", { messages = { { role = "user", content = "[fail]" } } }, 502,
        "Text inference failed" },
      { "image-generation", {}, 400, "prompt is required." },
      { "image-generation", { prompt = "" }, 400, "prompt is required." },
      { "image-generation", { prompt = "x", model = "flux-pro" }, 400,
        "Model 'flux-pro' not available for image generation." },
      { "video-generation", {}, 400, "prompt is required." },
      { "video-generation", { prompt = "x", model = "wan2.1" }, 400,
        "Model 'wan2.1' not available for video generation." },
      { "text-to-speech", {}, 400, "text is required." },
      { "text-to-speech", { text = "x", model = "bark" }, 400,
        "Model 'bark' not available for text-to-speech." },
      { "speech-to-text", { audio = "x" }, 400, "audio_url is required." },
      { "speech-to-text", { audio_url = "x", model = "v9" }, 400,
        "Model 'v9' not available for speech-to-text." },
      { "embeddings", {}, 400, "input is required (string or string array)." },
      { "embeddings", { input = "x", model = "ada" }, 400, "Model 'ada' not available for embeddings." },
      { "batch", {}, 400, "jobs array is required and must not be empty." },
      { "batch", { jobs = {} }, 400, "jobs array is required and must not be empty." },
      { "batch", { jobs = fifty_one }, 400, "Maximum 50 jobs per batch." },
      { "batch", { jobs = { { type = "embeddings", input = "x" }, { type = "dance" } } }, 400,
        "Job 1: invalid type. Must be one of: " .. types },
      { "batch", { jobs = { { type = "embeddings", model = "ada" } } }, 400,
        "Job 0: model 'ada' not available for embeddings." },
      { "batch", { jobs = { cjson.null } }, 502, "Batch compute failed" },
      { "batch", { jobs = { { type = "toString" } } }, 502, "Batch compute failed" },
    } do
      it(("%s %s"):format(row[1], row[4]:sub(1, 40)), function()
        local answer = pay(row[1], row[2])
        assert.equal(row[3], answer.status)
        assert.equal(row[4], answer.json.error)
        if row[3] == 502 then assert.is_string(answer.json.details) end
        assert.equal(0, box:ledger().count)
      end)
    end

    for name, body in pairs{ ["text-inference"] = { messages = messages },
                             ["image-generation"] = { prompt = "x" },
                             ["video-generation"] = { prompt = "x" }, ["text-to-speech"] = { text = "x" },
                             ["speech-to-text"] = { audio_url = "x" }, embeddings = { input = "x" } } do
      it(name .. " while the provider is down", function()
        box:fault "upstream_503"
        local answer = pay(name, body)
        assert.equal(502, answer.status)
        assert.truthy(answer.json.details:find "error 503")
        assert.equal(0, box:ledger().count)
      end)
    end
  end)

  describe("chat", function()
    local function ask(text, more)
      local body = { messages = { { role = "user", content = text } } }
      for name, value in pairs(more or {}) do body[name] = value end
      return pay("text-inference", body).json
    end

    it("answers in OpenAI's shape, with label and list price", function()
      local answer = ask("Tell me about lighthouses", { model = "llama" })
      assert.equal("meta-llama/Llama-3.2-3B-Instruct", answer.model)
      assert.equal("Llama 3.2 3B", answer.model_label)
      assert.equal("0.003", answer.price_usdc)
      assert.equal("chutes", answer.provider)
      assert.equal("assistant", answer.choices[1].message.role)
      assert.equal("stop", answer.choices[1].finish_reason)
      assert.truthy(answer.choices[1].message.content:find "lighthouses")
      assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
    end)

    it("says the same to the same question", function()
      assert.same(ask "What is rain?".choices, ask "What is rain?".choices)
      assert.not_same(ask "What is rain?".choices, ask "What is snowfall?".choices)
    end)

    it("gives as many numbered lines as things are asked for", function()
      for text, count in pairs{
        ["Write 4 scenes about a harbour."] = 4, ["three short ideas, please"] = 3,
        ["Write three scenes"] = 3, ["Give me five titles"] = 5, ["Write eleven scenes about owls"] = 11,
        ["Exactly 12 numbered lines on rain, each a scene"] = 12, ["Write one scene about owls"] = 1,
        ["Write 3 short, vivid image prompts about foxes"] = 3, ["Give me a list of storms"] = 5,
      } do
        local content, lines = ask(text).choices[1].message.content, 0
        for line in content:gmatch "[^\n]+" do
          lines = lines + 1
          assert.truthy(line:find("^" .. lines .. "%. "))
        end
        assert.equal(count, lines)
      end
    end)

    it("does not take a length for a count", function()
      for _, text in ipairs{ "In two sentences, describe the lights", "Use 7 words to describe the ships",
                             "Describe a 4-second film of waves", "It is one of the ships" } do
        assert.is_nil(ask(text).choices[1].message.content:find "^1%. ")
      end
    end)

    it("gives a short line where a title is asked for", function()
      local content = ask("A title for a film about the lighthouse, please").choices[1].message.content
      assert.is_true(#content < 40)
      assert.truthy(content:lower():find "lighthouse")
    end)

    it("gives a JSON list where one is asked for", function()
      local content = ask("Answer with a JSON array of 3 scenes").choices[1].message.content
      assert.equal(3, #cjson.decode(content))
    end)

    it("stops at max_tokens, of which 0 means 1024", function()
      assert.equal("length", ask("Tell me about lighthouses", { max_tokens = 3 }).choices[1].finish_reason)
      assert.equal("stop", ask("Tell me about lighthouses", { max_tokens = 0 }).choices[1].finish_reason)
    end)
  end)

  describe("embeddings", function()
    local function cosine(a, b)
      local sum = 0
      for i = 1, #a do sum = sum + a[i] * b[i] end
      return sum
    end

    it("put texts that share words close together", function()
      local function vector(text) return pay("embeddings", { input = text }).json.data[1].embedding end
      local one = vector "the old lighthouse by the sea"
      assert.equal(64, #one)
      assert.is_true(cosine(one, one) > 0.999)
      assert.is_true(cosine(one, vector "an old lighthouse near the sea")
        > cosine(one, vector "quarterly report on pension funds"))
    end)

    it("turn a list into one text joined by commas", function()
      local list = pay("embeddings", { input = { "a", "b" } }).json
      assert.equal(1, #list.data)
      assert.same(pay("embeddings", { input = "a,b" }).json.data, list.data)
      assert.equal("0.005", list.price_usdc)
    end)
  end)

  describe("media", function()
    it("of a picture are there at once, with the size that was asked for", function()
      local answer = pay("image-generation", { prompt = "x", width = 640, height = 320,
                                               num_outputs = 2 }).json
      assert.equal("completed", answer.status)
      assert.equal(2, #answer.images)
      assert.equal(640, answer.images[1].width)
      assert.is_nil(answer.poll_url)
      assert.equal("0.030", answer.price_usdc)
      assert.equal("succeeded", status(answer.prediction_id).json.status)
    end)

    it("of a film are processing, until time has passed", function()
      local answer = pay("video-generation", { prompt = "waves" }).json
      assert.equal("processing", answer.status)
      assert.equal(cjson.null, answer.video_url)
      assert.equal("/api/v1/compute/status/" .. answer.prediction_id, answer.poll_url)
      local look = status(answer.prediction_id).json
      assert.equal("starting", look.status)
      assert.equal(cjson.null, look.output)
      box:advance(2)
      assert.equal("processing", status(answer.prediction_id).json.status)
      box:advance(3)
      look = status(answer.prediction_id).json
      assert.equal("succeeded", look.status)
      assert.truthy(look.output:find "%.avi$")
      assert.is_number(look.metrics.predict_time)
      assert.equal("503000", box:ledger().total)
    end)

    it("hide at creation how they ended, and tell when looked at", function()
      for mark, word in pairs{ ["[fail]"] = "failed", ["[cancel]"] = "canceled",
                               ["[empty]"] = "succeeded" } do
        local answer = pay("image-generation", { prompt = "x " .. mark }).json
        assert.equal("processing", answer.status)
        assert.equal(0, #answer.images)
        assert.truthy(answer.poll_url)
        local look = status(answer.prediction_id).json
        assert.equal(word, look.status)
        assert.equal(cjson.null, look.output)
        assert.equal(word == "failed", look.error ~= cjson.null)
      end
    end)

    it("may fail after a while", function()
      local id = pay("video-generation", { prompt = "waves [fail]" }).json.prediction_id
      box:advance(2)
      assert.equal("processing", status(id).json.status)
      box:advance(3)
      local look = status(id).json
      assert.equal("failed", look.status)
      assert.is_string(look.error)
    end)

    it("take their time when the prompt says so", function()
      local answer = pay("text-to-speech", { text = "hello [slow]" }).json
      assert.equal("processing", answer.status)
      assert.equal(cjson.null, answer.audio_url)
      box:advance(5)
      assert.truthy(status(answer.prediction_id).json.output:find "%.wav$")
    end)

    it("transcribe what was spoken here", function()
      local spoken = pay("text-to-speech", { text = "Good evening, harbour." }).json
      local heard = pay("speech-to-text", { audio_url = spoken.audio_url }).json
      assert.equal("completed", heard.status)
      assert.equal("Good evening, harbour.", heard.transcription)
    end)

    it("give a transcription as JSON text when the model's output is an object", function()
      local heard = pay("speech-to-text", { audio_url = "http://x/[object].wav" }).json
      assert.equal("table", type(cjson.decode(heard.transcription)))
    end)

    it("say of an unknown id that fetching failed", function()
      local answer = status "nosuch"
      assert.equal(502, answer.status)
      assert.equal("Failed to fetch job status", answer.json.error)
      assert.truthy(answer.json.details:find "404")
      assert.equal(0, box:ledger().count)
    end)
  end)

  describe("batch", function()
    it("runs every job, in order, and lets one fail alone", function()
      local answer = pay("batch", { jobs = {
        { type = "text-inference", model = "llama", messages = { { role = "user", content = "hi" } } },
        { type = "text-inference" }, { type = "video-generation", prompt = "x" },
        { type = "embeddings", input = { "a", "b" } },
      } }).json
      assert.truthy(answer.batch_id:find "^batch_%x%x%x%x%x%x%x%x%-%x%x%x$")
      assert.same({ 4, 2, 1, 1 }, { answer.jobs_submitted, answer.jobs_completed, answer.jobs_processing,
                                    answer.jobs_failed })
      assert.equal("completed", answer.results[1].status)
      assert.is_nil(answer.results[1].result.price_usdc)
      assert.equal("failed", answer.results[2].status)
      assert.is_string(answer.results[2].error)
      assert.equal("processing", answer.results[3].status)
      assert.is_nil(answer.results[3].result.poll_url)
      assert.equal(2, #answer.results[4].result.data)      -- here lists stay lists
      assert.equal(3, answer.results[4].job_index)
    end)

    it("is charged when every job failed", function()
      local answer = pay("batch", { jobs = { { type = "text-inference" } } })
      assert.equal(200, answer.status)
      assert.equal(1, answer.json.jobs_failed)
      assert.equal("50000", box:ledger().total)
    end)

    -- List arithmetic in doubles; the samples were computed with the gateway's own code.
    for _, row in ipairs{
      { { { "text-inference", "70b" }, { "embeddings" } }, "0.035", "0.032" },
      { { { "text-inference", "70b" }, { "image-generation" } }, "0.060", "0.054" },
      { { { "embeddings" } }, "0.005", "0.005" },
      { { { "text-inference", "3b" }, { "text-inference", "3b" }, { "text-inference", "3b" },
          { "text-inference", "3b" }, { "text-inference", "3b" } }, "0.015", "0.013" },
      { { { "text-inference", "405b" }, { "text-inference", "235" }, { "text-inference", "3b" } },
        "0.183", "0.165" },
    } do
      it(("adds list prices to %s, less ten percent %s"):format(row[2], row[3]), function()
        local jobs = {}
        for i, job in ipairs(row[1]) do
          jobs[i] = { type = job[1], model = job[2], input = "x", prompt = "x" }
        end
        local answer = pay("batch", { jobs = jobs }).json
        assert.equal(row[2], answer.subtotal_usdc)
        assert.equal(row[3], answer.total_cost_usdc)
        assert.equal("10%", answer.discount_percent)
      end)
    end
  end)

  describe("estimate, which is free,", function()
    local function estimate(body) return box:request("POST", BASE .. "estimate", { body = body }) end

    for _, row in ipairs{
      { "text-inference", nil, nil, 1, "0.030", "0.000", "0.030" },
      { "text-inference", nil, 2, 2, "0.060", "0.006", "0.054" },
      { "text-inference", nil, 5000, 1000, "30.000", "3.000", "27.000" },
      { "text-inference", "3b", 7, 7, "0.021", "0.002", "0.019" },
      { "text-inference", "3b", -4, 1, "0.003", "0.000", "0.003" },
      { "text-inference", "3b", 1.5, 1.5, "0.005", "0.000", "0.004" },
      { "embeddings", nil, "3", 3, "0.015", "0.002", "0.013" },
      { "embeddings", nil, 1.5, 1.5, "0.007", "0.001", "0.007" },
      { "video-generation", nil, 2, 2, "1.000", "0.100", "0.900" },
      { "embeddings", nil, "abc", cjson.null, "NaN", "0.000", "NaN" },
    } do
      it(("counts %s of %s"):format(tostring(row[3]), row[1]), function()
        local answer = estimate{ type = row[1], model = row[2], count = row[3] }
        assert.equal(200, answer.status)
        assert.equal(row[4], answer.json.quantity)
        assert.same({ row[5], row[6], row[7] },
          { answer.json.subtotal_usdc, answer.json.batch_discount_usdc, answer.json.total_usdc })
      end)
    end

    it("refuses what it cannot price", function()
      assert.truthy(estimate{ jobs = {} }.json.error:find "^Invalid type%. Must be one of: text%-inference, ")
      assert.equal("Model 'ada' not available for embeddings.",
        estimate{ type = "embeddings", model = "ada" }.json.error)
      assert.equal(500, estimate{ type = "embeddings", model = { 1 } }.status)
    end)
  end)

  it("lists its 21 models", function()
    local list = box:request("GET", BASE .. "models").json
    assert.equal(21, list.total_models)
    assert.equal(11, #list.categories["text-inference"].models)
    assert.equal("0.005", list.categories.embeddings.models[1].price_usdc)
    assert.equal("minimax/video-01-live", list.categories["video-generation"].default_model)
  end)
end)

describe("model resolution", function()
  local models = require "spraay.sandbox.models"
  -- query -> start of the id that is found; false: refused. From the gateway's own registry.
  for kind, rows in pairs{
    ["text-inference"] = {
      { nil, "meta-llama/Llama-3.3-70B" }, { "", "meta-llama/Llama-3.3-70B" },
      { "auto", "meta-llama/Llama-3.3-70B" },
      { "AUTO", false }, { "Auto", false }, { "llama", "meta-llama/Llama-3.2-3B" },
      { "70b", "meta-llama/Llama-3.3-70B" },
      { "8b", "Qwen/Qwen3-8B" }, { "7b", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B" },
      { "qwen", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B" }, { "qwen3", "Qwen/Qwen3-8B" },
      { "235", "Qwen/Qwen3-235B" },
      { "DeepSeek R1 (latest)", "deepseek-ai/DeepSeek-R1-0528" },
      { " ", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B" },
      { "v3", "deepseek-ai/DeepSeek-V3" }, { "instruct", "mistralai/Mistral-7B" }, { "llama-3.1-8b", false },
      { "gpt-4o", false }, { "Llama 3.1", "meta-llama/Llama-3.1-405B" },
      { "a", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B" },
    },
    ["image-generation"] = { { "flux", "black-forest-labs/flux-schnell" },
                             { "pro", "black-forest-labs/flux-1.1-pro" },
                             { "flux-pro", false }, { "sdxl", "stability-ai/sdxl:" }, { "dall-e-3", false } },
    ["video-generation"] = { { "wan", "wan-ai/wan-2.1" }, { "wan2.1", false }, { "minimax-video", false },
                             { "video-01", "minimax/video-01-live" } },
    ["text-to-speech"] = { { "tts", "lucataco/xtts-v2" }, { "musicgen", "meta/musicgen" },
                           { "bark", false } },
    ["speech-to-text"] = { { "large", "openai/whisper" }, { "whisper-large-v3", false } },
    embeddings = { { "large", "BAAI/bge-large" }, { "text-embedding-3-small", false } },
  } do
    for _, row in ipairs(rows) do
      it(("of %q for %s"):format(tostring(row[1]), kind), function()
        local model = models.resolve(kind, row[1])
        if row[2] then assert.equal(row[2], model.id:sub(1, #row[2])) else assert.is_nil(model) end
      end)
    end
  end
end)
