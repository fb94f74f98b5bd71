--- Embeddings by hashing words into buckets: texts that share words point the same way.
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local js = require "spraay.sandbox.js"
local json = require "spraay.sandbox.json"

local embed = { DIMENSIONS = 64 }

-- One text as a unit vector. A word votes in two buckets, with signs of its own, so that strangers
-- tend to cancel out.
local function vector(text)
  local out = {}
  for i = 1, embed.DIMENSIONS do out[i] = 0.0 end
  for word in text:lower():gmatch("[%w\128-\255]+") do
    local hash = crypto.keccak(word)
    for i = 1, 2 do
      local bucket = hash:byte(2 * i) % embed.DIMENSIONS + 1
      out[bucket] = out[bucket] + (hash:byte(2 * i + 1) % 2 == 0 and 1 or -1)
    end
  end
  local sum = 0
  for i = 1, #out do sum = sum + out[i] * out[i] end
  if sum == 0 then
    out[1], sum = 1.0, 1
  end
  local length = math.sqrt(sum)
  for i = 1, #out do out[i] = math.floor(out[i] / length * 1e6 + 0.5) / 1e6 end
  return json.array(out)
end

--- Embed one text, or a list of texts as the provider does.
---@param input any
---@return table data
---@return table usage
function embed.all(input)
  local texts = type(input) == "table" and js.is_array(input) and input or { input }
  local data, count = json.array(), 0
  for i, text in ipairs(texts) do
    local plain = js.string(text)
    data[i] = { object = "embedding", index = i - 1, embedding = vector(plain) }
    count = count + (#plain + 3) // 4
  end
  return data, { prompt_tokens = count, total_tokens = count }
end

return embed
