--- What the gateway's web framework does before any route is asked: CORS, the JSON body parser
--- with its limits and its refusals.
---
--- The parser reads `application/json` and nothing else; any other type leaves an empty body, which
--- a paid route only finds out about after the payment was verified.
-- SPDX-License-Identifier: MIT
local json = require "spraay.sandbox.json"
local reply = require "spraay.sandbox.reply"

local transport = { MAX_BODY = 102400 }

transport.CORS = {
  { "access-control-allow-origin", "*" },
  { "access-control-expose-headers", "X-PAYMENT-RESPONSE, X-MPP-PAYMENT-RESPONSE" },
}

--- The answer to a preflight.
function transport.preflight()
  return reply.json(204, nil, {
    { "access-control-allow-methods", "GET, POST, OPTIONS" },
    { "access-control-allow-headers", "Content-Type, Authorization, X-PAYMENT, X-MPP-PAYMENT" },
  })
end

--- Is a body of this Content-Type read at all?
---@return boolean
---@return table? refusal  an unsupported charset
function transport.is_json(content_type)
  local kind = content_type and content_type:lower():match("^%s*([^;%s]+)")
  if kind ~= "application/json" then return false end
  local charset = content_type:lower():match("charset%s*=%s*\"?([%w%-_]+)")
  if charset and not charset:find("^utf%-") then
    return true, reply.json(415, { error = "internal_error",
                                   message = ('unsupported charset "%s"'):format(charset:upper()) })
  end
  return true
end

function transport.too_large()
  return reply.json(413, { error = "internal_error", message = "request entity too large" })
end

--- Parse a JSON body. Only objects and lists may stand at the top.
---@return table? body
---@return table? refusal
function transport.parse(text)
  if text == "" then return {} end
  local value, why
  if text:find("^%s*[{%[]") then value, why = json.decode(text) else why = "expected an object or a list" end
  if type(value) == "table" then return value end
  return nil, reply.json(400, { error = "invalid_json", message = "The request body is not valid JSON.",
                                detail = why })
end

--- Percent-decode a path or a query part.
function transport.unescape(text)
  return (text:gsub("%%(%x%x)", function(pair) return string.char(tonumber(pair, 16)) end))
end

--- A query string as a table; the first of equal names counts.
function transport.query(text)
  local query = {}
  for pair in (text or ""):gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    name = transport.unescape((name:gsub("+", " ")))
    if query[name] == nil then query[name] = transport.unescape((value:gsub("+", " "))) end
  end
  return query
end

return transport
