-- SPDX-License-Identifier: MIT
--- The models of the gateway, and how a written name becomes one of them.
--
-- The gateway refuses an unknown model only after the payment was verified, so names are checked
-- here first. `price` is the list price, which only compute futures charge; a per-call request
-- costs the flat price of its route, whatever the model.
local errors = require "spraay.errors"

local models = {}

--- Job types in the gateway's own words, in its order.
models.types = {
  "text-inference",
  "image-generation",
  "video-generation",
  "text-to-speech",
  "speech-to-text",
  "embeddings",
}

--- Per type, in the gateway's order, which decides between several matches.
models.registry = {
  ["text-inference"] = {
    default = "meta-llama/Llama-3.3-70B-Instruct",
    { id = "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
      label = "DeepSeek R1 Distill 7B", price = "5000" },
    { id = "mistralai/Mistral-7B-Instruct-v0.3",
      label = "Mistral 7B Instruct", price = "5000" },
    { id = "meta-llama/Llama-3.2-3B-Instruct",
      label = "Llama 3.2 3B", price = "3000" },
    { id = "Qwen/Qwen3-8B",
      label = "Qwen 3 8B", price = "5000" },
    { id = "meta-llama/Llama-3.3-70B-Instruct",
      label = "Llama 3.3 70B", price = "30000" },
    { id = "Qwen/Qwen3-32B",
      label = "Qwen 3 32B", price = "20000" },
    { id = "deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
      label = "DeepSeek R1 70B", price = "30000" },
    { id = "deepseek-ai/DeepSeek-V3-0324",
      label = "DeepSeek V3", price = "30000" },
    { id = "meta-llama/Llama-3.1-405B-Instruct",
      label = "Llama 3.1 405B", price = "100000" },
    { id = "Qwen/Qwen3-235B-A22B",
      label = "Qwen 3 235B (MoE)", price = "80000" },
    { id = "deepseek-ai/DeepSeek-R1-0528",
      label = "DeepSeek R1 (latest)", price = "100000" },
  },
  ["image-generation"] = {
    default = "black-forest-labs/flux-schnell",
    { id = "black-forest-labs/flux-schnell",
      label = "FLUX Schnell", price = "30000" },
    { id = "stability-ai/sdxl:7762fd07cf82c948538e41f63f77d685e02b063e37e496e96eefd46c929f9bdc",
      label = "Stable Diffusion XL", price = "20000" },
    { id = "black-forest-labs/flux-dev",
      label = "FLUX Dev", price = "60000" },
    { id = "black-forest-labs/flux-1.1-pro",
      label = "FLUX 1.1 Pro", price = "80000" },
  },
  ["video-generation"] = {
    default = "minimax/video-01-live",
    { id = "minimax/video-01-live",
      label = "MiniMax Video 01", price = "500000" },
    { id = "wan-ai/wan-2.1:b851e7596b",
      label = "Wan 2.1", price = "400000" },
  },
  ["text-to-speech"] = {
    default = "lucataco/xtts-v2:684bc3855b",
    { id = "lucataco/xtts-v2:684bc3855b",
      label = "XTTS V2", price = "30000" },
    { id = "meta/musicgen:671ac645ce5e",
      label = "MusicGen Large", price = "50000" },
  },
  ["speech-to-text"] = {
    default = "openai/whisper:4d50797d",
    { id = "openai/whisper:4d50797d",
      label = "Whisper Large V3", price = "20000" },
  },
  ["embeddings"] = {
    default = "BAAI/bge-large-en-v1.5",
    { id = "BAAI/bge-large-en-v1.5",
      label = "BGE Large v1.5", price = "5000" },
  },
}

--- What gpu/run knows by a short name, in any case; any other name needs a "/".
models.gpu = {
  { name = "flux-pro", model = "black-forest-labs/flux-1.1-pro", category = "image" },
  { name = "flux-dev", model = "black-forest-labs/flux-dev", category = "image" },
  { name = "sdxl", model = "stability-ai/sdxl", category = "image" },
  { name = "ideogram", model = "ideogram-ai/ideogram-v2-turbo", category = "image" },
  { name = "wan-video", model = "wavespeed-ai/wan-2.1-i2v-480p", category = "video" },
  { name = "minimax-video", model = "minimax/video-01", category = "video" },
  { name = "llama-70b", model = "meta/meta-llama-3-70b-instruct", category = "llm" },
  { name = "llama-8b", model = "meta/meta-llama-3-8b-instruct", category = "llm" },
  { name = "mixtral", model = "mistralai/mixtral-8x7b-instruct-v0.1", category = "llm" },
  { name = "whisper", model = "openai/whisper", category = "audio" },
  { name = "musicgen", model = "meta/musicgen", category = "audio" },
  { name = "esrgan", model = "nightmareai/real-esrgan", category = "utility" },
  { name = "rembg", model = "cjwbw/rembg", category = "utility" },
}

--- Resolve a name the way the gateway does. Returns the registry entry, or nil when it would refuse.
function models.resolve(kind, name)
  local list = models.registry[kind]
  if not list then return nil end
  if name == nil or name == "" or name == "auto" then name = list.default end
  for _, model in ipairs(list) do
    if model.id == name then return model end
  end
  local wanted = name:lower()
  for _, model in ipairs(list) do
    if model.id:lower():find(wanted, 1, true) or model.label:lower():find(wanted, 1, true) then
      return model
    end
  end
  return nil
end

-- Every way to write a model of a type, shortest first, to suggest from.
local function spellings(list)
  local known = {}
  for _, model in ipairs(list) do
    known[#known + 1] = model.id:gsub("^.*/", ""):gsub(":.*$", "")
    known[#known + 1] = model.label
    known[#known + 1] = model.id
  end
  return known
end

--- Check a model name for a job type. Returns true, or nil and a clause and a hint.
function models.check(kind, name)
  if name == nil then return true end
  if type(name) ~= "string" or name == "" then return nil, "model must be a name, such as \"auto\"" end
  if models.resolve(kind, name) then return true end
  local near = errors.nearest(name, spellings(models.registry[kind]))
  local names = {}
  for _, model in ipairs(models.registry[kind]) do
    names[#names + 1] = '"' .. model.id:gsub("^.*/", ""):gsub(":.*$", "") .. '"'
  end
  local why = ("the gateway has no model \"%s\" for %s"):format(errors.foreign(name, 60) or "", kind)
  for _, short in ipairs(models.gpu) do
    if short.name == name:lower() then
      return nil, why, ("\"%s\" is a model of client:gpu; here use \"auto\" or one of: %s"):format(short.name,
        table.concat(names, ", "))
    end
  end
  local hint = near and ("Did you mean \"%s\"?"):format(near)
    or ("Use \"auto\" or one of: %s"):format(table.concat(names, ", "))
  return nil, why, hint .. " (if the gateway has gained it since, pass { unchecked = true })"
end

--- The same for gpu/run: a short name in any case, or "owner/name".
function models.check_gpu(name)
  if type(name) ~= "string" or name == "" then
    return nil, "model is required", "A short name such as \"flux-dev\", or \"owner/name\""
  end
  local names = {}
  for _, short in ipairs(models.gpu) do
    if short.name == name:lower() then return true end
    names[#names + 1] = short.name
  end
  if name:find("/", 1, true) then return true end
  local near = errors.nearest(name, names)
  return nil, ("client:gpu knows no model \"%s\""):format(errors.foreign(name, 60) or ""),
    near and ("Did you mean \"%s\"? Any other model is written \"owner/name\""):format(near)
    or ("Use \"owner/name\", or one of: %s"):format(table.concat(names, ", "))
end

return models
