--- The route in OpenAI's own shape: the one that streams.
--- Money moves before the first event, so the receipt is among the headers of the stream.
-- SPDX-License-Identifier: MIT
local chat = require "spraay.sandbox.chat"
local js = require "spraay.sandbox.js"
local json = require "spraay.sandbox.json"

local openai = {}

local DEFAULT_TOKENS = 1024

local function event(value) return "data: " .. (type(value) == "string" and value or json.encode(value)) .. "\n\n" end

-- The words of an answer, a few at a time, as events.
local function events(id, model, choice)
  local function chunk(delta, finish)
    return event{ id = id, object = "chat.completion.chunk", model = model,
                  choices = json.array{ { index = 0, delta = delta, finish_reason = finish or json.null } } }
  end
  local list = { chunk{ role = "assistant" } }
  for piece in choice.message.content:gmatch "%s*%S+" do list[#list + 1] = chunk{ content = piece } end
  list[#list + 1] = chunk({}, choice.finish_reason)
  list[#list + 1] = event "[DONE]"
  return list
end

function openai.completions(_, request)
  local body = request.body
  if type(body.messages) ~= "table" or #body.messages == 0 then
    return 400, { error = "messages is required." }
  end
  local model = js.truthy(body.model) and js.string(body.model) or "openrouter/auto"
  local choices, usage = chat.complete(body.messages, js.number(body.max_tokens) or DEFAULT_TOKENS)
  local id = "chatcmpl-sandbox"
  if not js.truthy(body.stream) then
    return 200, { id = id, object = "chat.completion", model = model, choices = choices, usage = usage }
  end
  local list = events(id, model, choices[1])
  return { status = 200, headers = {}, content_type = "text/event-stream", body = table.concat(list),
           wire = { kind = "events", list = list } }
end

return openai
