--- Every route of the gateway that the sandbox plays: method, path, flat price, what it is for.
--- `price` is in micro-USDC and absent where a route is free. `sample` and `answer` feed the
--- discovery part of the challenge; those of the futures are ledger samples, whatever the dialect.
-- SPDX-License-Identifier: MIT

local routes = {}

local MESSAGES = { { role = "user", content = "Hello" } }
local ID = "CFE-0123456789ABCDEF"
local PAYER = "0x0000000000000000000000000000000000000001"

routes.list = {
  { method = "POST", path = "/api/v1/gpu/run", price = 60000, name = "gpu_run", group = "gpu",
    solana_tx = true,
    text = "Run any GPU model by shortcut or by owner/name and wait up to a minute for what it makes.",
    sample = { model = "flux-dev", input = { prompt = "a lighthouse" } },
    answer = { id = "p1", status = "succeeded", output = { "https://example.invalid/out.png" } } },
  { method = "GET", path = "/api/v1/gpu/status/:id", price = 5000, name = "gpu_status", group = "gpu",
    solana_tx = true, text = "Look at a running GPU prediction and fetch its output once it is there.",
    answer = { id = "p1", status = "processing", model = "owner/name" } },
  { method = "GET", path = "/api/v1/gpu/models", name = "gpu_models", group = "gpu",
    text = "The shortcuts of gpu/run." },

  { method = "POST", path = "/api/v1/compute/text-inference", price = 30000, name = "text", group = "compute",
    text = "Chat completion by one of eleven language models, in the OpenAI message format.",
    sample = { messages = MESSAGES, model = "auto", max_tokens = 256 },
    answer = { provider = "chutes", model = "auto", choices = { { index = 0 } }, price_usdc = "0.030" } },
  { method = "POST", path = "/api/v1/compute/image-generation", price = 30000, name = "image",
    group = "compute",
    text = "Pictures from words by one of four image models, answered with addresses to fetch.",
    sample = { prompt = "a lighthouse at dusk", width = 1024, height = 1024 },
    answer = { status = "completed", images = { { url = "https://example.invalid/1.png" } } } },
  { method = "POST", path = "/api/v1/compute/video-generation", price = 500000, name = "video",
    group = "compute",
    text = "A film of a few seconds from words. The answer is a prediction to poll until it is done.",
    sample = { prompt = "waves against a pier", duration_seconds = 4 },
    answer = { status = "processing", prediction_id = "p1", poll_url = "/api/v1/compute/status/p1" } },
  { method = "POST", path = "/api/v1/compute/text-to-speech", price = 30000, name = "speech",
    group = "compute",
    text = "Spoken audio from text in many languages, answered with an address to fetch.",
    sample = { text = "Good evening.", language = "en" },
    answer = { status = "completed", audio_url = "https://example.invalid/1.wav" } },
  { method = "POST", path = "/api/v1/compute/speech-to-text", price = 20000, name = "transcription",
    group = "compute", text = "Text from recorded speech, given the address of a sound file.",
    sample = { audio_url = "https://example.invalid/1.wav" },
    answer = { status = "completed", transcription = "Good evening." } },
  { method = "POST", path = "/api/v1/compute/embeddings", price = 5000, name = "embeddings",
    group = "compute",
    text = "A vector for a text, for search and for comparing meanings.",
    sample = { input = "a lighthouse" },
    answer = { data = { { index = 0, embedding = { 0.1, 0.2 } } }, price_usdc = "0.005" } },
  { method = "POST", path = "/api/v1/compute/batch", price = 50000, name = "batch", group = "compute",
    text = "Up to fifty compute jobs of any kind in one call at one flat price.",
    sample = { jobs = { { type = "text-inference", messages = MESSAGES } } },
    answer = { batch_id = "batch_00000000-000", jobs_submitted = 1, jobs_completed = 1 } },
  { method = "GET", path = "/api/v1/compute/status/:id", price = 1000, name = "status", group = "compute",
    text = "Look at a running compute prediction and fetch its output once it is there.",
    answer = { prediction_id = "p1", status = "succeeded", output = { "https://example.invalid/1.png" } } },
  { method = "GET", path = "/api/v1/compute/models", name = "models", group = "compute", hidden = true,
    text = "Kinds of jobs, models and list prices." },
  { method = "POST", path = "/api/v1/compute/estimate", name = "estimate", group = "compute", hidden = true,
    text = "List price of a number of jobs." },

  { method = "POST", path = "/api/v1/chat/completions", price = 5000, name = "completions", group = "chat",
    hidden = true,
    text = "Chat completion in OpenAI's own format, streamed if asked.",
    sample = { messages = MESSAGES, model = "openrouter/auto", stream = true },
    answer = { object = "chat.completion", choices = { { index = 0 } } } },

  { method = "POST", path = "/api/v1/compute-futures/deposit", price = 10000, name = "futures_deposit",
    group = "compute-futures", deposit_limit = true,
    text = "Open a prepaid compute account; larger deposits earn a discount on every job.",
    sample = { depositor = PAYER, amount = "50" },
    answer = { status = "active", computeFuture = { id = ID, tier = "scale", discount = "10% discount" } } },
  { method = "GET", path = "/api/v1/compute-futures/balance", price = 1000, name = "futures_balance",
    group = "compute-futures", text = "Balance, tier and status of a prepaid compute account.",
    query = { id = ID }, answer = { id = ID, balanceRemaining = "50 USDC", status = "active" } },
  { method = "POST", path = "/api/v1/compute-futures/execute", price = 1000, name = "futures_execute",
    group = "compute-futures", text = "Run one compute job and draw its price from a prepaid account.",
    sample = { futuresId = ID, type = "text-inference", messages = MESSAGES },
    answer = { status = "completed", billing = { charged = "$0.0270 USDC" } } },
  { method = "GET", path = "/api/v1/compute-futures/history", price = 2000, name = "futures_history",
    group = "compute-futures", text = "What a prepaid compute account was used for, newest first.",
    query = { id = ID }, answer = { id = ID, usage = { { jobType = "text-inference" } } } },
  { method = "POST", path = "/api/v1/compute-futures/refund", price = 10000, name = "futures_refund",
    group = "compute-futures", text = "Close a prepaid compute account and take back what is left.",
    sample = { futuresId = ID, caller = PAYER },
    answer = { status = "refunded", refund = { futuresId = ID, refundAmount = "42.500000 USDC" } } },
  { method = "GET", path = "/api/v1/compute-futures/pricing", price = 1000, name = "futures_pricing",
    group = "compute-futures", text = "Prices of every model at every tier of prepaid compute.",
    answer = { tiers = { { name = "builder", minDeposit = "$10 USDC" } } } },

  { method = "GET", path = "/.well-known/x402.json", name = "manifest", group = "discovery",
    text = "What this gateway sells." },
  { method = "GET", path = "/openapi.json", name = "openapi", group = "discovery",
    text = "How to ask for it." },
  { method = "GET", path = "/.well-known/x402", name = "manifest_moved", group = "discovery",
    text = "Moved." },
  { method = "GET", path = "/v1/auth/usage", name = "key_usage", group = "meta",
    text = "Counters of an API key." },
  { method = "GET", path = "/health", name = "health", group = "meta", text = "Is it up?" },
  { method = "GET", path = "/stats", name = "stats", group = "meta", text = "Counters since the start." },
  { method = "GET", path = "/", name = "root", group = "meta", text = "Where to begin." },
}

local exact, patterns = {}, {}
for _, route in ipairs(routes.list) do
  route.title = route.method .. " " .. route.path
  if route.path:find(":id", 1, true) then
    local prefix = route.path:gsub(":id$", "")
    patterns[#patterns + 1] = { method = route.method, prefix = prefix, route = route }
  else
    exact[route.method .. " " .. route.path] = route
  end
end

--- The route of a request. Paths are compared without case, and one slash at the end is forgiven.
---@param method string
---@param path string   decoded, without query
---@return table? route
---@return string? id   what stood for ":id"
function routes.find(method, path)
  if method == "HEAD" then method = "GET" end
  local plain = path
  if #plain > 1 and plain:sub(-1) == "/" then plain = plain:sub(1, -2) end
  local lower = plain:lower()
  local route = exact[method .. " " .. lower]
  if route then return route end
  for _, pattern in ipairs(patterns) do
    local prefix = pattern.prefix
    if pattern.method == method and lower:sub(1, #prefix) == prefix then
      local id = plain:sub(#prefix + 1)
      if id ~= "" and not id:find("/", 1, true) then return pattern.route, id end
    end
  end
end

return routes
