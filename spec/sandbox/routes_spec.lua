-- Every route of the gateway beside its row: price, the members of a good answer, and each sentence
-- it can refuse with. The rows are what the gateway was seen to do (ledger dialect of the futures);
-- a sentence without a case that provokes it fails here, and so does a route without a row.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local gateway = require "spec.support.gateway"

-- Members: `a?` may be missing, `a{…}` is an object, `a[{…}]` a list of them, `a<{…}>` a map to them.
-- Errors: <x> stands for any text, `(+a,b)` are members beside `error`, `...` ends what is fixed.
local CHAT_ERROR = "Model '<m>' not available. Use /compute/models to see available models, "
  .. 'or pass "auto" for the default.'
local MEDIA = "provider,model,model_label,status,prediction_id,price_usdc,poll_url"
local STAMP = ",_gateway{provider,version,endpoint},timestamp"
local NOT_FOUND = "Compute future not found: <id>"

local DECORATION = ",serviceName,tags,iconUrl,solana_accepts"    -- of every 402

local ROWS = {
  ["POST /api/v1/gpu/run"] = { price = "60000",
    members = "id,status,model,created_at,output?,metrics?,error?,poll_url?,message?,urls{get,cancel}",
    [400] = { "Missing required field: model", "Missing required field: input (object)",
              'Unknown model "<m>". ...' },
    [500] = { "GPU service not configured (missing REPLICATE_API_TOKEN)",
              "Replicate API error (<status>): ..." } },
  ["GET /api/v1/gpu/status/:id"] = { price = "5000",
    members = "id,status,model,created_at,output?,metrics?,completed_at?,error?,poll_url?,logs?",
    [500] = { "GPU service not configured...", "Replicate API error (<status>): ..." } },
  ["GET /api/v1/gpu/models"] = { members = "total,note,categories<[{shortcut,model,description}]>" },

  ["POST /api/v1/chat/completions"] = { price = "5000",
    members = "id,object,model,choices[{index,message{role,content},finish_reason}],"
      .. "usage{prompt_tokens,completion_tokens,total_tokens}",
    [400] = { "messages is required." } },
  ["POST /api/v1/compute/text-inference"] = { price = "30000",
    members = "provider,model,model_label,choices[{index,message{role,content},finish_reason}],"
      .. "usage{prompt_tokens,completion_tokens,total_tokens},price_usdc",
    [400] = { "messages array is required.", CHAT_ERROR }, [502] = { "Text inference failed (+details)" } },
  ["POST /api/v1/compute/image-generation"] = { price = "30000",
    members = MEDIA .. "?,images[{url,width,height}]",
    [400] = { "prompt is required.", "Model '<m>' not available for image generation." },
    [502] = { "Image generation failed (+details)" } },
  ["POST /api/v1/compute/video-generation"] = { price = "500000", members = MEDIA .. ",video_url",
    [400] = { "prompt is required.", "Model '<m>' not available for video generation." },
    [502] = { "Video generation failed (+details)" } },
  ["POST /api/v1/compute/text-to-speech"] = { price = "30000", members = MEDIA .. "?,audio_url",
    [400] = { "text is required.", "Model '<m>' not available for text-to-speech." },
    [502] = { "Text-to-speech failed (+details)" } },
  ["POST /api/v1/compute/speech-to-text"] = { price = "20000", members = MEDIA .. "?,transcription",
    [400] = { "audio_url is required.", "Model '<m>' not available for speech-to-text." },
    [502] = { "Speech-to-text failed (+details)" } },
  ["POST /api/v1/compute/embeddings"] = { price = "5000",
    members = "provider,model,model_label,data[{embedding,index,object?}],"
      .. "usage{prompt_tokens,total_tokens},price_usdc",
    [400] = { "input is required (string or string array).", "Model '<m>' not available for embeddings." },
    [502] = { "Embeddings generation failed (+details)" } },
  ["POST /api/v1/compute/batch"] = { price = "50000",
    members = "batch_id,jobs_submitted,jobs_completed,jobs_processing,jobs_failed,subtotal_usdc,"
      .. "discount_percent,total_cost_usdc,results[{job_index,type,status,result?,error?}]",
    [400] = { "jobs array is required and must not be empty.", "Maximum 50 jobs per batch.",
              "Job <i>: invalid type. Must be one of: text-inference, image-generation, video-generation, "
                .. "text-to-speech, speech-to-text, embeddings",
              "Job <i>: model '<m>' not available for <type>." },
    [502] = { "Batch compute failed (+details)" } },
  ["GET /api/v1/compute/status/:id"] = { price = "1000",
    members = "prediction_id,status,output,error,created_at,completed_at?,metrics",
    [502] = { "Failed to fetch job status (+details)" } },
  ["GET /api/v1/compute/models"] = {
    members = "categories<{name,search_terms,default_model,"
      .. "models[{id,provider,label,price_usdc,description}]}>,"
      .. "total_models,providers,batch_discount,max_batch_size" },
  ["POST /api/v1/compute/estimate"] = {
    members = "type,model{id,provider,label},unit_price_usdc,quantity,subtotal_usdc,batch_discount_usdc,"
      .. "total_usdc",
    [400] = { "Invalid type. Must be one of: text-inference, image-generation, video-generation, "
                .. "text-to-speech, speech-to-text, embeddings",
              "Model '<m>' not available for <type>." },
    [500] = { "Estimate failed (+details)" } },

  ["POST /api/v1/compute-futures/deposit"] = { price = "10000",
    members = "status,computeFuture{id,depositor,depositAmount,balanceRemaining,tier,discount,expiresAt,"
      .. "expiresInDays},actions{execute,balance,history,refund},note" .. STAMP,
    [400] = { "Missing required fields (+required,optional,tiers,example)", "Invalid depositor address",
              "Minimum deposit is $1 USDC" },
    [500] = { "Failed to create compute future (+details)" } },
  ["GET /api/v1/compute-futures/balance"] = { price = "1000",
    members = "id,depositor,depositAmount,balanceRemaining,totalUsed,tier,discount,jobCount,status,expiresAt"
      .. STAMP,
    [400] = { "id query param required (+example)" }, [404] = { NOT_FOUND },
    [500] = { "Failed to fetch balance (+details)" } },
  ["POST /api/v1/compute-futures/execute"] = { price = "1000",
    members = "status,billing{basePrice,discount,charged,balanceRemaining,jobNumber,accountStatus},"
      .. "compute{type,model,modelLabel,provider,result}" .. STAMP,
    [400] = { "futuresId and type are required (+types,example)", "Invalid compute type: <t> (+valid)",
              "Cannot execute: account status is '<s>'", "Compute future has expired. ...",
              "Model '<m>' not available for <t>. ...", "messages array required for text-inference",
              "prompt required for image-generation", "prompt required for video-generation",
              "text required for text-to-speech", "audio_url required for speech-to-text",
              "input required for embeddings" },
    [402] = { "Insufficient compute credits (+required,balanceRemaining,suggestion)" }, [404] = { NOT_FOUND },
    [500] = { "Compute futures execution failed (+details)" },
    [502] = { "Compute failed (balance not charged) (+details,balanceRemaining)" } },
  ["GET /api/v1/compute-futures/history"] = { price = "2000",
    members = "id,depositor,depositAmount,balanceRemaining,totalUsed,jobCount,status,usage[{jobType,model,"
      .. "modelLabel,basePrice,discount,effectivePrice,balanceBefore,balanceAfter,timestamp}]" .. STAMP,
    [400] = { "id query param required" }, [404] = { NOT_FOUND },
    [500] = { "Failed to fetch history (+details)" } },
  ["POST /api/v1/compute-futures/refund"] = { price = "10000",
    members = "status,refund{futuresId,depositor,refundAmount,totalUsed,jobsExecuted},note" .. STAMP,
    [400] = { "futuresId and caller are required (+example)", "Invalid caller address", "Already refunded",
              "No balance remaining to refund" },
    [403] = { "Only the depositor can request a refund" }, [404] = { NOT_FOUND },
    [500] = { "Failed to process refund (+details)" } },
  ["GET /api/v1/compute-futures/pricing"] = { price = "1000",
    members = "tiers[{name,minDeposit,discount}],pricing<[{model,label,provider,basePrice,"
      .. "tierPrices[{tier,price,discount}]}]>,batchDiscount,note" .. STAMP },

  ["GET /.well-known/x402.json"] = {
    members = "x402Version,name,description,homepage,repository,network,payTo,facilitator,"
      .. "resources[{resource,method,price,category,description,searchTerms?,compute?}],"
      .. "solanaPayment,supportedChains,robinhoodPayment?,updatedAt" },
  ["GET /.well-known/x402"] = { status = 308, members = "" },
  ["GET /openapi.json"] = { members = "openapi,info{title,version},servers[{url}],paths" },
  ["GET /health"] = { members = "status,uptime,version,services{aiGateway,batchPayments,swapData},"
    .. "network,protocol" },
  ["GET /stats"] = { members = "totalPaidRequests,estimatedRevenueUSDC,uptime,"
    .. "breakdown[{endpoint,requests,revenueUSDC,pricePerRequest}],_note" },
  ["GET /"] = { members = "name,version,description,docs,discovery,endpoints{free,paid},contract,network,"
    .. "payTo,mainnet,bazaar,totalEndpoints,protocols{x402,mpp},subscription" },
  ["GET /v1/auth/usage"] = { members = "plan,calls_today,daily_limit",
    [401] = { "invalid_api_key (+message)" } },
}

-- ---- how each is provoked ------------------------------------------------------------------------
-- A case is a body, or a function of the world that gives body, path (what replaces :id, or a query)
-- and headers. The world: box, alice, and helpers below.

local HELLO = { { role = "user", content = "Hello" } }
local STRANGER = "0x" .. ("ab"):rep(20)
local FUTURES = "/api/v1/compute-futures/"

local function with(fault, case)
  return function(world)
    world.box:fault(fault)
    if type(case) == "function" then return case(world) end
    return case
  end
end

local function prediction(world)
  local body = { prompt = "x" }
  return nil, world.alice:pay("POST", "/api/v1/compute/image-generation", body).json.prediction_id
end

local function open(world, amount)
  local body = { depositor = world.alice.address, amount = amount or "50" }
  return world.alice:pay("POST", FUTURES .. "deposit", body).json.computeFuture.id
end

-- An account out of which two films were paid.
local function drained(world, amount)
  local id = open(world, amount)
  for _ = 1, 2 do
    world.alice:pay("POST", FUTURES .. "execute", { futuresId = id, type = "video-generation", prompt = "x" })
  end
  return id
end

local function job(kind, more)
  return function(world)
    local body = { futuresId = open(world), type = kind }
    for name, value in pairs(more or {}) do body[name] = value end
    return body
  end
end

local function query_of_account(world) return nil, "?id=" .. open(world) end
local function unknown_account() return nil, "?id=CFE-NONE" end
local function refund_body(world) return { futuresId = open(world), caller = world.alice.address } end

local FIFTY_ONE = {}
for i = 1, 51 do FIFTY_ONE[i] = { type = "embeddings", input = "x" } end

local CASES = {
  ["POST /api/v1/chat/completions"] = {
    good = { messages = { { role = "user", content = "x" } } }, ["messages is required."] = { model = "x" },
  },
  ["POST /api/v1/gpu/run"] = {
    good = { model = "flux-dev", input = { prompt = "x" } },
    ["Missing required field: model"] = { input = { prompt = "x" } },
    ["Missing required field: input (object)"] = { model = "flux-dev", input = "x" },
    ['Unknown model "<m>". ...'] = { model = "flux", input = { prompt = "x" } },
    ["GPU service not configured (missing REPLICATE_API_TOKEN)"] =
      with("provider_unset", { model = "flux-dev", input = { prompt = "x" } }),
    ["Replicate API error (<status>): ..."] =
      with("upstream_503", { model = "flux-dev", input = { prompt = "x" } }),
  },
  ["GET /api/v1/gpu/status/:id"] = {
    good = prediction, ["GPU service not configured..."] = with("provider_unset", prediction),
    ["Replicate API error (<status>): ..."] = function() return nil, "nosuch" end,
  },
  ["POST /api/v1/compute/text-inference"] = {
    good = { messages = HELLO }, ["messages array is required."] = { messages = {} },
    [CHAT_ERROR] = { messages = HELLO, model = "gpt-4o" },
    ["Text inference failed (+details)"] = { messages = HELLO, stream = true },
  },
  ["POST /api/v1/compute/image-generation"] = {
    good = { prompt = "x" }, ["prompt is required."] = { prompt = "" },
    ["Model '<m>' not available for image generation."] = { prompt = "x", model = "flux-pro" },
    ["Image generation failed (+details)"] = with("upstream_503", { prompt = "x" }),
  },
  ["POST /api/v1/compute/video-generation"] = {
    good = { prompt = "x" }, ["prompt is required."] = {},
    ["Model '<m>' not available for video generation."] = { prompt = "x", model = "wan2.1" },
    ["Video generation failed (+details)"] = with("provider_unset", { prompt = "x" }),
  },
  ["POST /api/v1/compute/text-to-speech"] = {
    good = { text = "x" }, ["text is required."] = { prompt = "x" },
    ["Model '<m>' not available for text-to-speech."] = { text = "x", model = "bark" },
    ["Text-to-speech failed (+details)"] = with("upstream_503", { text = "x" }),
  },
  ["POST /api/v1/compute/speech-to-text"] = {
    good = { audio_url = "http://x/a.wav" }, ["audio_url is required."] = { audio = "http://x/a.wav" },
    ["Model '<m>' not available for speech-to-text."] = { audio_url = "http://x/a", model = "v9" },
    ["Speech-to-text failed (+details)"] = with("upstream_503", { audio_url = "http://x/a.wav" }),
  },
  ["POST /api/v1/compute/embeddings"] = {
    good = { input = "x" }, ["input is required (string or string array)."] = {},
    ["Model '<m>' not available for embeddings."] = { input = "x", model = "ada" },
    ["Embeddings generation failed (+details)"] = { input = "x", model = { "ada" } },
  },
  ["POST /api/v1/compute/batch"] = {
    good = { jobs = { { type = "embeddings", input = "x" }, { type = "text-inference" } } },
    ["jobs array is required and must not be empty."] = { jobs = {} },
    ["Maximum 50 jobs per batch."] = { jobs = FIFTY_ONE },
    ["Job <i>: invalid type. Must be one of: text-inference, image-generation, video-generation, "
      .. "text-to-speech, speech-to-text, embeddings"] = { jobs = { { type = "dance" } } },
    ["Job <i>: model '<m>' not available for <type>."] = { jobs = { { type = "embeddings", model = "ada" } } },
    ["Batch compute failed (+details)"] = { jobs = { cjson.null } },
  },
  ["GET /api/v1/compute/status/:id"] = {
    good = prediction, ["Failed to fetch job status (+details)"] = function() return nil, "nosuch" end,
  },
  ["POST /api/v1/compute/estimate"] = {
    good = { type = "embeddings", count = 3 },
    ["Invalid type. Must be one of: text-inference, image-generation, video-generation, "
      .. "text-to-speech, speech-to-text, embeddings"] = { jobs = {} },
    ["Model '<m>' not available for <type>."] = { type = "embeddings", model = "ada" },
    ["Estimate failed (+details)"] = { type = "embeddings", model = { "ada" } },
  },
  ["POST /api/v1/compute-futures/deposit"] = {
    good = function(world) return { depositor = world.alice.address, amount = "50" } end,
    ["Missing required fields (+required,optional,tiers,example)"] = { depositor = STRANGER },
    ["Invalid depositor address"] = { depositor = "me", amount = "50" },
    ["Minimum deposit is $1 USDC"] = { depositor = STRANGER, amount = "0.5" },
    ["Failed to create compute future (+details)"] = { depositor = STRANGER, amount = 50 },
  },
  ["GET /api/v1/compute-futures/balance"] = {
    good = query_of_account, ["id query param required (+example)"] = {}, [NOT_FOUND] = unknown_account,
    ["Failed to fetch balance (+details)"] = with("store_down", unknown_account),
  },
  ["POST /api/v1/compute-futures/execute"] = {
    good = job("text-inference", { messages = HELLO }),
    ["futuresId and type are required (+types,example)"] = { futuresId = "CFE-NONE" },
    ["Invalid compute type: <t> (+valid)"] = { futuresId = "CFE-NONE", type = "dance" },
    ["Cannot execute: account status is '<s>'"] = function(world)
      return { futuresId = drained(world, "1"), type = "embeddings", input = "x" }
    end,
    ["Compute future has expired. ..."] = function(world)
      local body = job("embeddings", { input = "x" })(world)
      world.box:advance(91 * 86400)
      return body
    end,
    ["Model '<m>' not available for <t>. ..."] = job("embeddings", { input = "x", model = "ada" }),
    ["messages array required for text-inference"] = job "text-inference",
    ["prompt required for image-generation"] = job "image-generation",
    ["prompt required for video-generation"] = job "video-generation",
    ["text required for text-to-speech"] = job "text-to-speech",
    ["audio_url required for speech-to-text"] = job "speech-to-text",
    ["input required for embeddings"] = job "embeddings",
    ["Insufficient compute credits (+required,balanceRemaining,suggestion)"] = function(world)
      return { futuresId = drained(world, "1.2"), type = "video-generation", prompt = "x" }
    end,
    [NOT_FOUND] = { futuresId = "CFE-NONE", type = "embeddings", input = "x" },
    ["Compute futures execution failed (+details)"] =
      with("store_down", { futuresId = "CFE-NONE", type = "embeddings", input = "x" }),
    ["Compute failed (balance not charged) (+details,balanceRemaining)"] = function(world)
      local body = job("embeddings", { input = "x" })(world)
      world.box:fault "upstream_503"
      return body
    end,
  },
  ["GET /api/v1/compute-futures/history"] = {
    good = function(world)
      local body = job("embeddings", { input = "x" })(world)
      world.alice:pay("POST", FUTURES .. "execute", body)
      return nil, "?limit=5&id=" .. body.futuresId
    end,
    ["id query param required"] = {}, [NOT_FOUND] = unknown_account,
    ["Failed to fetch history (+details)"] = with("store_down", unknown_account),
  },
  ["POST /api/v1/compute-futures/refund"] = {
    good = refund_body,
    ["futuresId and caller are required (+example)"] = { futuresId = "CFE-NONE" },
    ["Invalid caller address"] = { futuresId = "CFE-NONE", caller = "me" },
    ["Already refunded"] = function(world)
      local body = refund_body(world)
      world.alice:pay("POST", FUTURES .. "refund", body)
      return body
    end,
    ["No balance remaining to refund"] = function(world)
      return { futuresId = drained(world, "1"), caller = world.alice.address }
    end,
    ["Only the depositor can request a refund"] = function(world)
      return { futuresId = open(world), caller = STRANGER }
    end,
    [NOT_FOUND] = { futuresId = "CFE-NONE", caller = STRANGER },
    ["Failed to process refund (+details)"] =
      with("store_down", { futuresId = "CFE-NONE", caller = STRANGER }),
  },
  ["GET /stats"] = {
    good = function(world) open(world) end,
  },
  ["GET /v1/auth/usage"] = {
    good = function(world)
      world.box:config{ api_keys = { k = {} } }
      return nil, nil, { ["x-api-key"] = "k" }
    end,
    ["invalid_api_key (+message)"] = {},
  },
}

-- ---- shapes ---------------------------------------------------------------------------------------

local function compare(value, text, at, where)
  local check

  -- At "{", "[" or "<": check value against it; elsewhere there is nothing to check.
  local function inner(got, path)
    local open_at = text:sub(at, at)
    if open_at == "{" then
      at = at + 1
      check(got, path)
      at = at + 1
    elseif open_at == "[" or open_at == "<" then
      local start, stop = at + 1, nil
      for key, item in pairs(got) do
        at = start
        inner(item, ("%s.%s"):format(path, key))
        stop = at
      end
      assert(stop, path .. " is empty, and so not checked")
      at = stop + 1
    end
  end

  -- The members of one object, to its closing brace or the end.
  function check(got, path)
    assert(type(got) == "table", path .. " is no object")
    local known = {}
    while at <= #text and text:sub(at, at) ~= "}" do
      local name = text:match("^[%w_]+", at)
      at = at + #name
      known[name] = true
      if text:sub(at, at) == "?" then at = at + 1
      else assert(got[name] ~= nil, ("%s.%s is missing"):format(path, name)) end
      inner(got[name], path .. "." .. name)
      if text:sub(at, at) == "," then at = at + 1 end
    end
    for name in pairs(got) do assert(known[name], ("%s.%s is not the gateway's"):format(path, name)) end
  end

  check(value, where)
end

-- A row's sentence as a pattern, and the members beside it.
local function sentence_of(row)
  local text, members = row:match "^(.-) %(%+([%w_,]+)%)$"
  text = text or row
  local rest = text:find("...", 1, true)
  if rest then text = text:sub(1, rest - 1) end
  local pattern = text:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0"):gsub("<%w+>", ".+")
  return "^" .. pattern .. (rest and "" or "$"), members
end

local function status_of(row, sentence)
  for status, list in pairs(row) do
    if type(list) == "table" then
      for _, one in ipairs(list) do
        if one == sentence then return status end
      end
    end
  end
end

describe("the route", function()
  local world = {}
  world.box, world.alice = gateway.fresh{ job_seconds = 4 }

  -- Provoke a case. The answer, and what was settled for this route.
  local function provoke(title, case)
    local body, path, headers = case, nil, nil
    if type(case) == "function" then body, path, headers = case(world) end
    local method, target = title:match "^(%S+) (%S+)$"
    if path and target:find ":id$" then target = target:gsub(":id$", path) else target = target .. (path or "") end
    if method == "GET" then body = nil end
    local before = #world.box:ledger().settled
    local answer
    if ROWS[title].price then answer = assert(world.alice:pay(method, target, body))
    else answer = assert(world.box:request(method, target, { body = body, headers = headers })) end
    local settled = world.box:ledger().settled
    return answer, settled[before + 1], #settled - before
  end

  local titles = {}
  for title in pairs(ROWS) do titles[#titles + 1] = title end
  table.sort(titles)

  for _, title in ipairs(titles) do
    local row = ROWS[title]
    local cases = CASES[title] or { good = {} }

    it(title .. " answers with the gateway's members, for its price", function()
      local answer, paid = provoke(title, cases.good)
      assert.equal(row.status or 200, answer.status, answer.body)
      compare(answer.json, row.members, 1, "answer")
      assert.equal(row.price, paid and paid.amount)
      if paid then assert.equal(title, paid.route) end
    end)

    for status, sentences in pairs(row) do
      for _, sentence in ipairs(type(sentences) == "table" and sentences or {}) do
        it(("%s says %d %s"):format(title, status, sentence), function()
          assert.is_not_nil(cases[sentence], "nothing provokes it")
          local answer, _, count = provoke(title, cases[sentence])
          assert.equal(status, answer.status, answer.body)
          local pattern, members = sentence_of(sentence)
          assert.truthy(answer.json.error:find(pattern), answer.json.error)
          members = "error" .. (members and "," .. members or "") .. (status == 402 and DECORATION or "")
          compare(answer.json, members, 1, "answer")
          assert.equal(0, count)
        end)
      end
    end

    it(title .. " has no case that its row does not know", function()
      for sentence in pairs(cases) do
        if sentence ~= "good" then assert.is_not_nil(status_of(row, sentence), sentence) end
      end
    end)
  end

  it("list of the sandbox is this list", function()
    local routes, count = world.box:request("GET", "/").json.endpoints, 0
    for _, part in ipairs{ "free", "paid" } do
      for title in pairs(routes[part]) do
        assert.is_not_nil(ROWS[title], title)
        assert.equal(part, ROWS[title].price and "paid" or "free")
        count = count + 1
      end
    end
    assert.equal(#titles, count)
  end)
end)
