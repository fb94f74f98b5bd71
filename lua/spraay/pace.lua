-- SPDX-License-Identifier: MIT
--- Spacing calls under the gateway's limiter.
-- The limiter counts every POST per path in a sliding minute, the unpaid first leg too, and answers
-- the one too many with 429. Waiting here costs nothing; being refused costs a minute.
local engine = require "spraay.engine"
local errors = require "spraay.errors"
local wait = require "spraay.wait"

local pace = {}

pace.WINDOW = 60

-- "origin path" -> the moments at which a request was begun, oldest first.
local begun = {}

-- The moment at which `slots` more requests fit under the limit; now when they fit already.
local function free_at(list, slots, limit, window, now)
  while list[1] and list[1] <= now - window do table.remove(list, 1) end
  local over = #list + slots - limit
  if over <= 0 then return now end
  return list[math.min(over, #list)] + window
end

--- Wait until `slots` requests to a path may begin, then count them. `by` is the moment at which the
-- caller gives up. Returns true, or nil, message, err.
function pace.take(key, slots, limit, window, by)
  window = window or pace.WINDOW
  slots = math.min(slots, limit)
  local list = begun[key]
  if not list then
    list = {}
    begun[key] = list
  end
  while true do
    local now = engine.now()
    local at = free_at(list, slots, limit, window, now)
    if at <= now then
      for _ = 1, slots do list[#list + 1] = now end
      return true
    end
    if by and at > by then
      return errors.fail {
        kind = "timeout", code = "rate", retry_after = math.ceil(at - now),
        message = ("the gateway takes %d requests in %g s on this path, and the next fits in %d s")
          :format(limit, window, math.ceil(at - now)),
        hint = "Give the call a longer timeout, or open the client with rate = false",
      }
    end
    if wait.until_ { at = at } == "cancelled" then return errors.fail(wait.cancelled_error()) end
  end
end

--- Forget everything; for specs.
function pace.reset()
  begun = {}
end

return pace
