--- Every kind of call that costs money: what it is told to do, what it may settle, how to make it.
---
--- A call is plain data, { id =, verb =, … }, so that it can be handed to another process. `price` is in
--- micro-USDC; `class` is the row of the table of presenting again (lua/spraay/routes.lua).
-- SPDX-License-Identifier: MIT
local calls = {}

--- By verb: the route as the books name it, its price, its class. `own`: the body names the payer;
--- `needs`: what has to be bought before it.
calls.kinds = {
  chat = { route = "POST /api/v1/compute/text-inference", price = 30000, class = "repeat" },
  image = { route = "POST /api/v1/compute/image-generation", price = 30000, class = "repeat" },
  video = { route = "POST /api/v1/compute/video-generation", price = 500000, class = "once" },
  speak = { route = "POST /api/v1/compute/text-to-speech", price = 30000, class = "repeat" },
  transcribe = { route = "POST /api/v1/compute/speech-to-text", price = 20000, class = "repeat" },
  embed = { route = "POST /api/v1/compute/embeddings", price = 5000, class = "repeat" },
  batch = { route = "POST /api/v1/compute/batch", price = 50000, class = "repeat" },
  gpu = { route = "POST /api/v1/gpu/run", price = 60000, class = "once" },
  other = { route = "POST /api/v1/compute/text-inference", price = 30000, class = "once" },
  url = { route = "POST /api/v1/compute/text-inference", price = 30000, class = "repeat" },
  lookalike = { route = "POST /api/v1/compute/text-inference", price = 30000, class = "once" },
  status = { route = "GET /api/v1/compute/status/:id", price = 1000, class = "look", needs = "video" },
  deposit = { route = "POST /api/v1/compute-futures/deposit", price = 10000, class = "never", own = true },
  execute = { route = "POST /api/v1/compute-futures/execute", price = 1000, class = "never", needs = "deposit" },
  balance = { route = "GET /api/v1/compute-futures/balance", price = 1000, class = "look", needs = "deposit" },
  pricing = { route = "GET /api/v1/compute-futures/pricing", price = 1000, class = "look" },
  refund = { route = "POST /api/v1/compute-futures/refund", price = 10000, class = "never", needs = "deposit" },
}

--- A call of that kind about `subject`, which makes it different from all others. `opts` are the verb's.
---@return table call
function calls.new(verb, subject, opts)
  return { id = verb .. " " .. subject, verb = verb, subject = subject, opts = opts }
end

--- What has to be bought before it, if anything: the same subject's account or job.
function calls.first(call, opts)
  local needs = calls.kinds[call.verb].needs
  return needs and calls.new(needs, call.subject, opts) or nil
end

-- How each is made: make(client, call, earlier) -> result, message, err. `earlier` has results by id.
local make = {}

function make.chat(client, call) return client:chat("Tell me about " .. call.subject, call.opts) end
function make.image(client, call) return client:image({ prompt = call.subject }, call.opts) end
function make.video(client, call) return client:video({ prompt = call.subject }, call.opts) end
function make.speak(client, call) return client:speak({ text = call.subject }, call.opts) end

function make.transcribe(client, call)
  return client:transcribe({ audio_url = "https://example.invalid/" .. call.subject:gsub("%W", "-") .. ".wav" },
                           call.opts)
end

function make.embed(client, call) return client:embed({ input = call.subject }, call.opts) end

function make.batch(client, call)
  local jobs = {}
  for i = 1, 3 do
    jobs[i] = { type = "chat", messages = { { role = "user", content = call.subject .. " " .. i } } }
  end
  return client:batch(jobs, call.opts)
end

function make.gpu(client, call)
  return client:gpu({ model = "llama-8b", input = { prompt = call.subject } }, call.opts)
end

function make.pricing(client, call) return client.futures:pricing(call.opts) end

-- A path this library has no table for, though the gateway knows it well.
function make.other(client, call)
  local opts = { max = "0.03" }
  for name, value in pairs(call.opts or {}) do opts[name] = value end
  return client:request("POST", "/api/v1/compute/text%2Dinference",
    { messages = { { role = "user", content = "Tell me about " .. call.subject } } }, opts)
end

-- An address that is to be paid for once, whatever it asks.
function make.url(client, call)
  return client:request("POST", "/api/v1/compute/text-inference?page=1",
    { messages = { { role = "user", content = call.subject } } }, { max = "0.03", once = true })
end

-- Another name of the same machine: not the gateway, and not named by the caller.
function make.lookalike(client, call)
  local url = os.getenv "SPRAAY_GATEWAY":gsub("127%.0%.0%.1", "localhost")
  return client:request("POST", url .. "/api/v1/compute/text-inference",
    { messages = { { role = "user", content = call.subject } } }, { max = "0.03" })
end

local function earlier_of(call, earlier)
  local first = calls.first(call)
  return earlier[first.id]
end

local function account_of(client, call, earlier)
  local account = earlier_of(call, earlier)
  return account and client.futures:account(account.id)
end

function make.status(client, call, earlier)
  local job = earlier_of(call, earlier)
  if job then return client:status(job.id, call.opts) end
end

function make.deposit(client, call)
  local opts = { expires_in_days = 30 + #call.subject }     -- something of it in the body
  return client.futures:deposit({ amount = "20", expires_in_days = opts.expires_in_days }, call.opts)
end

function make.execute(client, call, earlier)
  local account = account_of(client, call, earlier)
  if account then return account:chat("Tell me about " .. call.subject, call.opts) end
end

function make.balance(client, call, earlier)
  local account = account_of(client, call, earlier)
  if account then return account:balance(call.opts) end
end

function make.refund(client, call, earlier)
  local account = account_of(client, call, earlier)
  if account then return account:refund(call.opts) end
end

--- Make it. Nothing at all comes back when what it needs is missing.
function calls.make(client, call, earlier) return make[call.verb](client, call, earlier) end

return calls
