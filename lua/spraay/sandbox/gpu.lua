--- The GPU routes: any model of the media provider, by shortcut or by "owner/name".
--- Here the provider's words for a prediction come through unchanged, failures included.
-- SPDX-License-Identifier: MIT
local js = require "spraay.sandbox.js"
local json = require "spraay.sandbox.json"

local gpu = {}

gpu.SHORTCUTS = {
  { "flux-pro", "black-forest-labs/flux-1.1-pro", "image", "Fine pictures" },
  { "flux-dev", "black-forest-labs/flux-dev", "image", "Detailed pictures" },
  { "sdxl", "stability-ai/sdxl", "image", "Stable Diffusion XL" },
  { "ideogram", "ideogram-ai/ideogram-v2-turbo", "image", "Pictures with lettering" },
  { "wan-video", "wavespeed-ai/wan-2.1-i2v-480p", "video", "A film from a picture" },
  { "minimax-video", "minimax/video-01", "video", "A film from words" },
  { "llama-70b", "meta/meta-llama-3-70b-instruct", "llm", "Large language model" },
  { "llama-8b", "meta/meta-llama-3-8b-instruct", "llm", "Small language model" },
  { "mixtral", "mistralai/mixtral-8x7b-instruct-v0.1", "llm", "Mixture of experts" },
  { "whisper", "openai/whisper", "audio", "Transcription" },
  { "musicgen", "meta/musicgen", "audio", "Music" },
  { "esrgan", "nightmareai/real-esrgan", "utility", "Larger pictures" },
  { "rembg", "cjwbw/rembg", "utility", "Pictures without background" },
}

local BY_SHORTCUT, NAMES = {}, {}
for i, row in ipairs(gpu.SHORTCUTS) do
  BY_SHORTCUT[row[1]] = row
  NAMES[i] = row[1]
end

local function category_of(model)
  for _, row in ipairs(gpu.SHORTCUTS) do
    if row[2] == model then return row[3] end
  end
  if model:find("whisper", 1, true) or model:find("music", 1, true) then return "audio" end
  if model:find("video", 1, true) then return "video" end
  if model:find("llama", 1, true) or model:find("instruct", 1, true) then return "llm" end
  return "image"
end

-- The words of an input that a prediction can be about.
local function text_of(input)
  for _, name in ipairs{ "prompt", "text", "audio", "image", "input" } do
    if type(input[name]) == "string" then return input[name] end
  end
  return json.encode(input)
end

local function output_of(sandbox, model, input, text)
  local category = category_of(model)
  if category == "llm" then
    local choices = require "spraay.sandbox.chat".complete({ { role = "user", content = text } }, 1024)
    local pieces = json.array()                      -- a language model answers in pieces
    for piece in choices[1].message.content:gmatch("%S+%s*") do pieces[#pieces + 1] = piece end
    return pieces
  elseif category == "video" then
    return sandbox.media:add("avi", text, { seconds = js.number(input.duration) })
  elseif category == "audio" then
    if model:find("whisper", 1, true) then
      return { transcription = sandbox.media:spoken(text) or "This is what can be heard.",
               detected_language = "english" }
    end
    return sandbox.media:add("wav", text)
  elseif category == "utility" then
    return sandbox.media:add("png", text)
  end
  local urls = json.array()
  for i = 1, math.floor(math.max(1, math.min(js.number(input.num_outputs) or 1, 8))) do
    urls[i] = sandbox.media:add("png", text, { width = input.width, height = input.height, variant = i - 1 })
  end
  return urls
end

-- GPU errors have no `details`: the provider's status and body stand in the text.
local function trouble(status, detail)
  return 500, { error = ("Replicate API error (%d): {\"detail\":\"%s\"}"):format(status, detail) }
end

-- What a fault did to the provider, if anything.
local function down(request)
  if request.provider_unset then
    return 500, { error = "GPU service not configured (missing REPLICATE_API_TOKEN)" }
  end
  if request.provider_down then return trouble(request.provider_down, "no capacity") end
end

---@return string? model
---@return string? why
local function resolve(name)
  if type(name) ~= "string" then return nil, "model.toLowerCase is not a function" end
  local row = BY_SHORTCUT[name:lower()]
  return row and row[2] or (name:find("/", 1, true) and name or nil)
end

function gpu.run(sandbox, request)
  local body = request.body
  if not js.truthy(body.model) then return 400, { error = "Missing required field: model" } end
  if type(body.input) ~= "table" then
    return 400, { error = "Missing required field: input (object)" }
  end
  local model, why = resolve(body.model)
  if why then return 500, { error = why } end
  if not model then
    return 400, { error = ('Unknown model "%s". Use a shortcut (%s) or full ID "owner/model".')
      :format(body.model, table.concat(NAMES, ", ")) }
  end
  local status, refusal = down(request)
  if status then return status, refusal end
  if model:find("nonexistent", 1, true) then
    return trouble(404, "The requested resource could not be found.")
  end
  local text, seconds = text_of(body.input), sandbox.config.job_seconds
  local job = sandbox.jobs:start{
    model = model, prompt = text, slow_seconds = seconds.slow,
    seconds = category_of(model) == "video" and seconds.video or seconds.gpu,
    output = function() return output_of(sandbox, model, body.input, text) end,
  }
  local record = sandbox.jobs:record(job)
  local base = "https://api.replicate.com/v1/predictions/" .. job.id
  local answer = { id = job.id, status = record.status, model = model, created_at = record.created_at,
                   urls = { get = base, cancel = base .. "/cancel" } }
  if record.status == "succeeded" then
    answer.output, answer.metrics = record.output, record.metrics
  elseif record.status == "failed" then
    answer.error = record.error
  else                                             -- canceled too: it looks like a running job
    answer.poll_url = "/api/v1/gpu/status/" .. job.id
    answer.message = "Prediction is " .. record.status .. ". Poll poll_url for the result."
  end
  return 200, answer
end

function gpu.status(sandbox, request)
  local status, refusal = down(request)
  if status then return status, refusal end
  local job = sandbox.jobs:find(request.params.id)
  if not job then
    return trouble(404, "The requested resource could not be found.")
  end
  local record = sandbox.jobs:record(job)
  local answer = { id = job.id, status = record.status, model = job.model, created_at = record.created_at }
  if record.status == "succeeded" then
    answer.output, answer.metrics, answer.completed_at = record.output, record.metrics, record.completed_at
  elseif record.status == "failed" then
    answer.error = record.error
  else
    answer.poll_url = "/api/v1/gpu/status/" .. job.id
    if record.logs ~= "" then answer.logs = record.logs end
  end
  return 200, answer
end

function gpu.models()
  local categories = {}
  for _, row in ipairs(gpu.SHORTCUTS) do
    local list = categories[row[3]] or json.array()
    categories[row[3]] = list
    list[#list + 1] = { shortcut = row[1], model = row[2], description = row[4] }
  end
  return 200, { total = #gpu.SHORTCUTS, categories = categories,
                note = "Any other model of the provider can be named as owner/name." }
end

return gpu
