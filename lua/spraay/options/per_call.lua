-- SPDX-License-Identifier: MIT
--- The last table of every verb.
local clauses = require "spraay.options.clauses"
local errors = require "spraay.errors"
local headers = require "spraay.options.headers"
local money = require "spraay.money"

local per_call = {}

local PER_CALL = { "max", "timeout", "purchase", "again", "once", "on_lost", "unchecked", "scope", "headers" }
per_call.names = PER_CALL
local PER_CALL_SET = {}
for _, name in ipairs(PER_CALL) do PER_CALL_SET[name] = true end

--- Check the last table of a verb. `extra` names more options the verb takes; they are passed as
-- they are. Returns { max=atomic, total_ms=, … }, or nil, message, err.
function per_call.check(given, verb, extra)
  if given == nil then return {} end
  if type(given) ~= "table" then
    return errors.usage(("%s: the options must be a table, got %s"):format(verb, type(given)), nil, "option")
  end
  local out = {}
  for key, value in pairs(given) do
    if not PER_CALL_SET[key] and not (extra and extra[key]) then
      local known = {}
      for _, name in ipairs(PER_CALL) do known[#known + 1] = name end
      for name in pairs(extra or {}) do known[#known + 1] = name end
      return errors.unknown(verb, "option", key, known)
    end
    out[key] = value
  end
  local function refuse_call(name, why, hint)
    return errors.usage(("%s: %s %s"):format(verb, name, why), hint, "option")
  end
  if out.max ~= nil then
    local atomic, why = money.atomic(out.max)
    if not atomic then return refuse_call("max", why) end
    out.max = atomic
  end
  if out.timeout ~= nil then
    out.total_ms = clauses.seconds_ms(out.timeout, 86400)
    if not out.total_ms then return refuse_call("timeout", "must be seconds, a number above 0") end
  end
  for _, name in ipairs { "purchase", "scope" } do
    if out[name] ~= nil and not clauses.is_name(out[name]) then
      return refuse_call(name, "must be a short text without control characters")
    end
  end
  if out.on_lost ~= nil and out.on_lost ~= "fail" and out.on_lost ~= "repay" then
    return refuse_call("on_lost", "must be \"fail\" or \"repay\"")
  end
  for _, name in ipairs { "again", "once", "unchecked" } do
    if out[name] ~= nil and type(out[name]) ~= "boolean" then
      return refuse_call(name, "must be true or false")
    end
  end
  if out.headers ~= nil then
    local lines, why = headers.lines(out.headers)
    if not lines then return refuse_call("headers", why) end
    out.headers = lines
  end
  return out
end

return per_call
