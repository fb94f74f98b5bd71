--- The rate limiter: POST only, a sliding minute for each (caller, literal path).
--- Refused requests are not counted, and a refusal carries its wait in the body, never in a header.
-- SPDX-License-Identifier: MIT
local js = require "spraay.sandbox.js"

local limiter = {}
limiter.__index = limiter
limiter.__name = "spraay.sandbox.limiter"

local WINDOW = 60

function limiter.new(clock)
  return setmetatable({ clock = clock, seen = {} }, limiter)
end

local function caller_of(request)
  local authorization = request.headers.authorization
  if authorization then return (authorization:gsub("^Bearer ", "")) end
  return request.headers["x-api-key"] or request.ip
end

--- Count a request.
---@param request table
---@param limit integer   0: no limit
---@return table? headers  to put on an allowed answer
---@return table? refusal  the body of a 429
function limiter:admit(request, limit)
  if request.method ~= "POST" or limit <= 0 then return {} end
  local key = caller_of(request) .. " " .. request.path
  local now, times = self.clock:elapsed(), self.seen[key] or { first = 1, last = 0 }
  self.seen[key] = times
  while times.first <= times.last and times[times.first] <= now - WINDOW do
    times[times.first] = nil
    times.first = times.first + 1
  end
  local count = times.last - times.first + 1
  if count >= limit then
    return nil, {
      error = "rate_limit_exceeded", limit = limit, window_seconds = WINDOW, retry_after_seconds = WINDOW,
      message = ("More than %d requests in %d seconds on %s."):format(limit, WINDOW, request.path),
      hint = "Space calls out, or put jobs together in /compute/batch.",
    }
  end
  times.last = times.last + 1
  times[times.last] = now
  return {
    { "x-ratelimit-limit", tostring(limit) }, { "x-ratelimit-remaining", tostring(limit - count - 1) },
    { "x-ratelimit-reset", js.iso(self.clock:precise() + WINDOW) },
  }
end

return limiter
