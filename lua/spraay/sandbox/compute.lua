--- The per-call compute routes: one job, one flat price.
--- Each handler checks what the gateway checks, in its order and its words; whatever it answers
--- from 400 up is not charged.
-- SPDX-License-Identifier: MIT
local js = require "spraay.sandbox.js"
local json = require "spraay.sandbox.json"
local models = require "spraay.sandbox.models"
local providers = require "spraay.sandbox.providers"

local compute = {}

local function price(model) return js.fixed(model.price, 3) end

local function failed(text, details) return 502, { error = text, details = details } end

-- What the six direct routes share: resolve the model, run the job, add label, price and poll_url.
-- `way` has: type, unavailable (sentence), failure (sentence), poll ("always", "unfinished")
local function direct(sandbox, request, way, params)
  local query = request.body.model
  local result, details = providers.try(function()
    local model = models.resolve(way.type, query)
    if not model then return { missing = true } end
    local answer = sandbox.providers:run(request, way.type, model, params)
    answer.model_label = model.label
    answer.price_usdc = price(model)
    if answer.prediction_id and (way.poll == "always" or answer.status == "processing") then
      answer.poll_url = "/api/v1/compute/status/" .. answer.prediction_id
    end
    return answer
  end)
  if not result then return failed(way.failure, details) end
  if result.missing then return 400, { error = way.unavailable:format(js.string(query)) } end
  return 200, result
end

function compute.text(sandbox, request)
  local body = request.body
  if type(body.messages) ~= "table" or #body.messages == 0 then
    return 400, { error = "messages array is required." }
  end
  local params = providers.job_params(body, 1024)
  params.stream = js.truthy(body.stream)
  return direct(sandbox, request, {
    type = "text-inference", failure = "Text inference failed",
    unavailable = "Model '%s' not available. Use /compute/models to see available models, "
      .. 'or pass "auto" for the default.',
  }, params)
end

local function media_route(kind, field, words, failure, poll)
  return function(sandbox, request)
    if not js.truthy(request.body[field]) then return 400, { error = field .. " is required." } end
    return direct(sandbox, request, {
      type = kind, failure = failure, poll = poll,
      unavailable = "Model '%s' not available for " .. words .. ".",
    }, providers.job_params(request.body, 1024))
  end
end

compute.image = media_route("image-generation", "prompt", "image generation", "Image generation failed")
compute.video = media_route("video-generation", "prompt", "video generation", "Video generation failed",
                            "always")
compute.speech = media_route("text-to-speech", "text", "text-to-speech", "Text-to-speech failed")
compute.transcription = media_route("speech-to-text", "audio_url", "speech-to-text", "Speech-to-text failed")

function compute.embeddings(sandbox, request)
  local input = request.body.input
  if not js.truthy(input) then
    return 400, { error = "input is required (string or string array)." }
  end
  -- The direct route turns whatever it was given into one string: a list becomes "a,b".
  return direct(sandbox, request, {
    type = "embeddings", failure = "Embeddings generation failed",
    unavailable = "Model '%s' not available for embeddings.",
  }, { input = js.string(input) })
end

function compute.status(sandbox, request)
  local id = request.params.id
  local job = sandbox.jobs:find(id)
  if request.provider_unset then return failed("Failed to fetch job status", "REPLICATE_API_TOKEN not set") end
  if request.provider_down then
    return failed("Failed to fetch job status",
                  ("Replicate status error %d: {}"):format(request.provider_down))
  end
  if not job then
    return failed("Failed to fetch job status",
      'Replicate status error 404: {"detail":"The requested resource could not be found.","status":404}')
  end
  local record = sandbox.jobs:record(job)
  return 200, { prediction_id = id, status = record.status, output = record.output, error = record.error,
                created_at = record.created_at, completed_at = record.completed_at, metrics = record.metrics }
end

function compute.models()
  local categories, total = {}, 0
  for _, kind in ipairs(models.TYPES) do
    local entry = models.registry[kind]
    local list = json.array()
    for i, model in ipairs(entry.models) do
      list[i] = { id = model.id, provider = model.provider, label = model.label,
                  price_usdc = price(model), description = model.description }
      total = total + 1
    end
    categories[kind] = { name = entry.name, search_terms = json.array(entry.search_terms),
                         default_model = entry.default.id, models = list }
  end
  return 200, { categories = categories, total_models = total, batch_discount = "10%", max_batch_size = 50,
                providers = json.array{ "chutes", "replicate", "openrouter" } }
end

function compute.estimate(_, request)
  local body = request.body
  local kind = body.type
  if type(kind) ~= "string" or not models.registry[kind] then
    return 400, { error = "Invalid type. Must be one of: " .. models.TYPES_TEXT }
  end
  local model, details = providers.try(function()
    return models.resolve(kind, body.model) or false
  end)
  if details then return 500, { error = "Estimate failed", details = details } end
  if not model then
    return 400, { error = ("Model '%s' not available for %s."):format(models.named(body.model), kind) }
  end
  local answer = { type = kind, unit_price_usdc = price(model),
                   model = { id = model.id, provider = model.provider, label = model.label } }
  local count = js.number(js.truthy(body.count) and body.count or 1)
  if not count then                       -- "abc": quantities of nothing, and still a 200
    answer.quantity = json.null
    answer.subtotal_usdc, answer.batch_discount_usdc, answer.total_usdc = "NaN", "0.000", "NaN"
    return 200, answer
  end
  local quantity = math.max(1, math.min(count, 1000))
  local subtotal = model.price * quantity
  local discount = quantity > 1 and subtotal * 0.10 or 0
  answer.quantity = quantity
  answer.subtotal_usdc = js.fixed(subtotal, 3)
  answer.batch_discount_usdc = js.fixed(discount, 3)
  answer.total_usdc = js.fixed(subtotal - discount, 3)
  return 200, answer
end

return compute
