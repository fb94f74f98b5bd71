--- The companies behind the gateway, played by one file: text and vectors come at once, media are
--- predictions. Every route that buys work (per call, batch, prepaid, GPU) buys it here.
--- A provider that fails throws { details = text }, and the route decides what that looks like.
-- SPDX-License-Identifier: MIT
local cqueues = require "cqueues"
local chat = require "spraay.sandbox.chat"
local embed = require "spraay.sandbox.embed"
local js = require "spraay.sandbox.js"
local json = require "spraay.sandbox.json"
local upstream = require "spraay.sandbox.upstream"

local providers = {}
providers.__index = providers
providers.__name = "spraay.sandbox.providers"

---@param sandbox table  config, jobs, media
function providers.new(sandbox)
  return setmetatable({ sandbox = sandbox }, providers)
end

local function fail(details) error({ details = details }, 0) end

local KEYS = { Chutes = "CHUTES_API_KEY not set", Replicate = "REPLICATE_API_TOKEN not set" }

-- A fault may have taken the provider down for this request.
local function check_up(request, name)
  if request.provider_unset then fail(KEYS[name]) end
  local status = request.provider_down
  if status then fail(("%s error %d: {\"detail\":\"no capacity, try again later\"}"):format(name, status)) end
end

--- Chat. params: messages, max_tokens, temperature, stream
---@return table result  provider, model, choices, usage
function providers:text(request, model, params)
  check_up(request, "Chutes")
  if params.stream then fail("Unexpected token 'd', \"data: {\"id\"\"... is not valid JSON") end
  local messages = params.messages
  if type(messages) ~= "table" or #messages == 0 then
    fail("Chutes error 400: {\"detail\":\"messages must be a non-empty list\"}")
  end
  local _, last = chat.said(messages)
  if last:find("[fail]", 1, true) then fail("Chutes error 503: {\"detail\":\"no instances available\"}") end
  local choices, usage
  local config = self.sandbox.config
  if config.upstream then
    choices, usage = upstream.chat(config, messages, params, fail)
  else
    choices, usage = chat.complete(messages, js.number(params.max_tokens) or 1024)
  end
  return { provider = model.provider, model = model.id, choices = choices, usage = usage }
end

--- Vectors. params: input, passed through as it is
function providers.embeddings(_, request, model, params)
  check_up(request, "Chutes")
  if not js.truthy(params.input) then fail("Chutes error 400: {\"detail\":\"input is required\"}") end
  local data, usage = embed.all(params.input)
  return { provider = model.provider, model = model.id, data = data, usage = usage }
end

-- What each kind of media job makes of its finished output, and how it starts.
local MEDIA = {}

MEDIA["image-generation"] = {
  wants = "prompt", seconds = "image",
  output = function(media, text, params)
    local urls = json.array()
    local count = math.floor(math.max(1, math.min(js.number(params.num_outputs) or 1, 8)))
    for i = 1, count do
      urls[i] = media:add("png", text, { width = params.width, height = params.height, variant = i - 1 })
    end
    return urls
  end,
  show = function(result, output, params)
    result.images = json.array()
    for i, url in ipairs(output or {}) do
      result.images[i] = { url = url, width = params.width, height = params.height }
    end
  end,
}

MEDIA["video-generation"] = {
  wants = "prompt", seconds = "video",
  output = function(media, text, params)
    return media:add("avi", text, { seconds = js.number(params.duration_seconds) })
  end,
  show = function(result, output) result.video_url = output or json.null end,
}

MEDIA["text-to-speech"] = {
  wants = "text", seconds = "speech",
  output = function(media, text) return media:add("wav", text) end,
  show = function(result, output) result.audio_url = output or json.null end,
}

MEDIA["speech-to-text"] = {
  wants = "audio_url", seconds = "transcription",
  output = function(media, url, _, config)
    local text = media:spoken(url)
      or ("This is what can be heard in %s."):format(url:match("([^/]+)$") or url)
    if not config.transcript_objects and not url:find("[object]", 1, true) then return text end
    return { detected_language = "english", translation = json.null,
             segments = json.array{ { id = 0, start = 0, ["end"] = 2.5, text = text } } }
  end,
  show = function(result, output)
    if type(output) == "table" then output = output.transcription or json.encode(output) end
    result.transcription = output or json.null
  end,
}

--- Media of any kind. Creation hides how a prediction ended: what is not there yet, failed, canceled
--- or empty is all "processing"; only the status route tells.
---@return table result  provider, model, status, prediction_id and what was made
function providers:media(request, kind, model, params)
  check_up(request, "Replicate")
  local how, sandbox = MEDIA[kind], self.sandbox
  local wanted = params[how.wants]
  if not js.truthy(wanted) then
    fail(("Replicate error 422: {\"detail\":\"input: %s is required\"}"):format(how.wants))
  end
  local text, seconds = js.string(wanted), sandbox.config.job_seconds
  local job = sandbox.jobs:start{
    model = model.id, prompt = text, seconds = seconds[how.seconds] or 0, slow_seconds = seconds.slow,
    output = function() return how.output(sandbox.media, text, params, sandbox.config) end,
  }
  local ready = sandbox.jobs:look(job) == "succeeded" and job.output ~= nil
  local result = { provider = model.provider, model = model.id, prediction_id = job.id,
                   status = ready and "completed" or "processing" }
  how.show(result, ready and job.output or nil, params)
  return result
end

--- Any job by its type.
function providers:run(request, kind, model, params)
  if request.provider_seconds then cqueues.sleep(request.provider_seconds) end
  if kind == "text-inference" then return self:text(request, model, params) end
  if kind == "embeddings" then return self:embeddings(request, model, params) end
  return self:media(request, kind, model, params)
end

--- Run `fn` and give its result, or nil and the details of what was thrown.
--- A Lua error that is no provider's failure is a bug of the sandbox and passes through.
---@return any? result
---@return string? details
function providers.try(fn, ...)
  local ok, result = pcall(fn, ...)
  if ok then return result end
  if type(result) == "table" and result.details then return nil, result.details end
  error(result, 0)
end

--- The prepaid routes and batches name job fields alike; read them with their defaults.
---@param body table       a job as the caller wrote it
---@param max_tokens number default
---@return table params
function providers.job_params(body, max_tokens)
  local tokens = body.max_tokens
  return {
    messages = body.messages, max_tokens = js.truthy(tokens) and tokens or max_tokens,
    temperature = js.given(body.temperature, 0.7), prompt = body.prompt,
    width = js.truthy(body.width) and body.width or 1024,
    height = js.truthy(body.height) and body.height or 1024,
    num_outputs = js.truthy(body.num_outputs) and body.num_outputs or 1,
    duration_seconds = js.truthy(body.duration_seconds) and body.duration_seconds or 4,
    text = body.text, language = js.truthy(body.language) and body.language or "en",
    audio_url = body.audio_url, input = body.input,
  }
end

return providers
