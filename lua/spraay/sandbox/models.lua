--- The gateway's model registry: what each kind of job costs by list, and which words find a model.
--- Order matters: a vague query takes the first entry whose id or label contains it.
--- Per-call routes charge their flat gate price whatever the model; only prepaid execution charges
--- the list prices below.
-- SPDX-License-Identifier: MIT
local js = require "spraay.sandbox.js"

local models = {}

models.TYPES = { "text-inference", "image-generation", "video-generation", "text-to-speech",
                 "speech-to-text", "embeddings" }
models.TYPES_TEXT = table.concat(models.TYPES, ", ")

local function kind(name, provider, search_terms, list)
  local entry = { name = name, search_terms = search_terms, models = {} }
  for i, row in ipairs(list) do
    local model = { id = row[1], label = row[2], price = row[3], provider = provider, description = row[4] }
    entry.models[i] = model
    if row.default then entry.default = model end
  end
  return entry
end

models.registry = {
  ["text-inference"] = kind("Text Inference", "chutes",
    { "llm", "chat", "completion", "text generation", "reasoning", "language model" }, {
      { "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "DeepSeek R1 Distill 7B", 0.005, "Small reasoning model" },
      { "mistralai/Mistral-7B-Instruct-v0.3", "Mistral 7B Instruct", 0.005, "Small instruction model" },
      { "meta-llama/Llama-3.2-3B-Instruct", "Llama 3.2 3B", 0.003, "Smallest and cheapest" },
      { "Qwen/Qwen3-8B", "Qwen 3 8B", 0.005, "Small multilingual model" },
      { "meta-llama/Llama-3.3-70B-Instruct", "Llama 3.3 70B", 0.030, "General use", default = true },
      { "Qwen/Qwen3-32B", "Qwen 3 32B", 0.020, "Reasoning and code" },
      { "deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "DeepSeek R1 70B", 0.030, "Reasoning" },
      { "deepseek-ai/DeepSeek-V3-0324", "DeepSeek V3", 0.030, "General use" },
      { "meta-llama/Llama-3.1-405B-Instruct", "Llama 3.1 405B", 0.100, "Largest dense model" },
      { "Qwen/Qwen3-235B-A22B", "Qwen 3 235B (MoE)", 0.080, "Mixture of experts" },
      { "deepseek-ai/DeepSeek-R1-0528", "DeepSeek R1 (latest)", 0.100, "Newest reasoning model" },
    }),
  ["image-generation"] = kind("Image Generation", "replicate",
    { "image", "picture", "text to image", "diffusion", "flux", "illustration" }, {
      { "black-forest-labs/flux-schnell", "FLUX Schnell", 0.030, "Fast", default = true },
      { "stability-ai/sdxl:7762fd07cf82c948538e41f63f77d685e02b063e37e496e96eefd46c929f9bdc",
        "Stable Diffusion XL", 0.020, "Pinned version" },
      { "black-forest-labs/flux-dev", "FLUX Dev", 0.060, "Slower, more detail" },
      { "black-forest-labs/flux-1.1-pro", "FLUX 1.1 Pro", 0.080, "Finest" },
    }),
  ["video-generation"] = kind("Video Generation", "replicate",
    { "video", "clip", "text to video", "animation", "film" }, {
      { "minimax/video-01-live", "MiniMax Video 01", 0.500, "Short clips", default = true },
      { "wan-ai/wan-2.1:b851e7596b", "Wan 2.1", 0.400, "Open weights" },
    }),
  ["text-to-speech"] = kind("Text to Speech", "replicate",
    { "speech", "voice", "narration", "tts", "audio", "music" }, {
      { "lucataco/xtts-v2:684bc3855b", "XTTS V2", 0.030, "Speech", default = true },
      { "meta/musicgen:671ac645ce5e", "MusicGen Large", 0.050, "Music" },
    }),
  ["speech-to-text"] = kind("Speech to Text", "replicate",
    { "transcription", "transcribe", "whisper", "stt", "subtitles", "dictation" }, {
      { "openai/whisper:4d50797d", "Whisper Large V3", 0.020, "Transcription", default = true },
    }),
  embeddings = kind("Embeddings", "chutes",
    { "embedding", "vector", "semantic search", "similarity", "retrieval", "rag" }, {
      { "BAAI/bge-large-en-v1.5", "BGE Large v1.5", 0.005, "English text", default = true },
    }),
}

--- Find a model by the gateway's own rules.
--- Throws { details = … } for a query that is not text, as the gateway does.
---@param type_name string
---@param query any
---@return table? model
function models.resolve(type_name, query)
  local entry = models.registry[type_name]
  if not entry then return nil end
  if not js.truthy(query) or query == "auto" then return entry.default end
  if type(query) ~= "string" then
    error({ details = "requestedModel.toLowerCase is not a function" }, 0)
  end
  for _, model in ipairs(entry.models) do
    if model.id == query then return model end
  end
  local wanted = query:lower()
  for _, model in ipairs(entry.models) do
    if model.id:lower():find(wanted, 1, true) or model.label:lower():find(wanted, 1, true) then
      return model
    end
  end
end

--- What the caller called the model, for error texts.
function models.named(query)
  return js.truthy(query) and js.string(query) or "auto"
end

return models
