--- Chat handed on to an OpenAI-compatible server, for those who have one running and want the
--- sandbox to speak sense: `spraay sandbox --upstream http://127.0.0.1:8080/v1`.
-- SPDX-License-Identifier: MIT
local http_request = require "http.request"
local json = require "spraay.sandbox.json"

local upstream = {}

local SECONDS = 120

---@param config table   upstream (base URL), upstream_model
---@param fail fun(details: string)
---@return table choices
---@return table usage
function upstream.chat(config, messages, params, fail)
  local url = config.upstream:gsub("/+$", "") .. "/chat/completions"
  local request = http_request.new_from_uri(url)
  request.headers:upsert(":method", "POST")
  request.headers:upsert("content-type", "application/json")
  request:set_body(json.encode{
    model = config.upstream_model or "default", messages = json.array(messages),
    max_tokens = params.max_tokens, temperature = params.temperature,
  })
  local headers, stream = request:go(SECONDS)
  if not headers then fail("fetch failed: " .. tostring(stream)) end
  local text, why = stream:get_body_as_string(SECONDS)
  if not text then fail("fetch failed: " .. tostring(why)) end
  local status = headers:get(":status")
  if status ~= "200" then fail(("Chutes error %s: %s"):format(status, text:sub(1, 400))) end
  local answer = json.decode(text)
  if type(answer) ~= "table" or type(answer.choices) ~= "table" then
    fail("the upstream's answer has no choices")
  end
  local usage = type(answer.usage) == "table" and answer.usage or {}
  return json.array(answer.choices), {
    prompt_tokens = usage.prompt_tokens or 0, completion_tokens = usage.completion_tokens or 0,
    total_tokens = usage.total_tokens or 0,
  }
end

return upstream
