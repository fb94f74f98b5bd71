-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"

-- Computed with the gateway's own registry.
local VECTORS = {
  { "text-inference", nil, "meta-llama/Llama-3.3-70B-Instruct" },
  { "text-inference", "auto", "meta-llama/Llama-3.3-70B-Instruct" },
  { "text-inference", "AUTO", nil },
  { "text-inference", "llama", "meta-llama/Llama-3.2-3B-Instruct" },
  { "text-inference", "70b", "meta-llama/Llama-3.3-70B-Instruct" },
  { "text-inference", "qwen", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B" },
  { "text-inference", "qwen3", "Qwen/Qwen3-8B" },
  { "text-inference", "DeepSeek R1 (latest)", "deepseek-ai/DeepSeek-R1-0528" },
  { "text-inference", "meta-llama/", "meta-llama/Llama-3.2-3B-Instruct" },
  { "text-inference", " ", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B" },
  { "text-inference", "llama-3.1-8b", nil },
  { "text-inference", "gpt-4o", nil },
  { "image-generation", "flux", "black-forest-labs/flux-schnell" },
  { "image-generation", "flux-pro", nil },
  { "image-generation", "pro", "black-forest-labs/flux-1.1-pro" },
  { "image-generation", "dall-e-3", nil },
  { "video-generation", "minimax-video", nil },
  { "video-generation", "wan-2.1", "wan-ai/wan-2.1:b851e7596b" },
  { "video-generation", "wan2.1", nil },
  { "text-to-speech", "tts", "lucataco/xtts-v2:684bc3855b" },
}

describe("model names", function()
  fake.new()
  local models = require "spraay.models"

  for _, vector in ipairs(VECTORS) do
    it(("resolve %s for %s as the gateway does"):format(tostring(vector[2]), vector[1]), function()
      local model = models.resolve(vector[1], vector[2])
      assert.equal(vector[3], model and model.id)
    end)
  end

  it("that only gpu knows are pointed there", function()
    local ok, _, hint = models.check("image-generation", "flux-pro")
    assert.is_nil(ok)
    assert.truthy(hint:find("client:gpu", 1, true))
  end)

  it("that are nearly right get a suggestion", function()
    local _, _, hint = models.check("image-generation", "flux-schnel")
    assert.is_nil(hint)   -- the gateway takes any part of a name
    _, _, hint = models.check("image-generation", "flux-shnell")
    assert.truthy(hint:find("flux-schnell", 1, true))
  end)

  it("of gpu are short names in any case, or owner/name", function()
    assert.is_true(models.check_gpu "FLUX-Dev")
    assert.is_true(models.check_gpu "somebody/something")
    local ok, _, hint = models.check_gpu "flux-dve"
    assert.is_nil(ok)
    assert.truthy(hint:find("flux-dev", 1, true))
  end)
end)
