--- API keys: subscriptions that pass the gate. Checked on every route, the free ones too.
-- SPDX-License-Identifier: MIT

local keys = {}
keys.__index = keys
keys.__name = "spraay.sandbox.keys"

function keys.new(clock)
  return setmetatable({ clock = clock, known = {} }, keys)
end

--- Make a key valid.
---@param key string      "spry_" and 64 hex digits; the sandbox takes any text
---@param options? table  limit (calls a day), active
function keys:add(key, options)
  options = options or {}
  self.known[key] = { limit = options.limit or 1000, active = options.active ~= false, day = 0, used = 0 }
end

--- Look at a request's key.
---@return boolean passes  the gate need not look
---@return integer? status
---@return table? refusal
function keys:check(request)
  local key = request.headers["x-api-key"]
  if not key then return false end
  local entry = self.known[key]
  if not entry then
    return false, 401, { error = "invalid_api_key", message = "This API key is not known." }
  end
  if not entry.active then
    return false, 401, { error = "subscription_inactive", status = "canceled",
                         message = "The subscription of this key has ended." }
  end
  local day = self.clock:seconds() // 86400
  if entry.day ~= day then entry.day, entry.used = day, 0 end
  if entry.used >= entry.limit then
    return false, 429, { error = "daily_limit_exceeded", plan = "starter",
                         message = ("All %d calls of today are used."):format(entry.limit) }
  end
  entry.used = entry.used + 1
  return true
end

--- What /v1/auth/usage reports about a key.
---@return table?
function keys:usage(key)
  local entry = self.known[key]
  return entry and { plan = "starter", calls_today = entry.used, daily_limit = entry.limit }
end

return keys
