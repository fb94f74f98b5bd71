--- One clock for everything in the sandbox: the chain, the limiter, running jobs, the Date header.
--- It is the machine's clock plus an offset that a test may turn, so that a window of five minutes
--- can pass without anybody waiting.
-- SPDX-License-Identifier: MIT
local monotime = require "cqueues".monotime

local clock = {}
clock.__index = clock
clock.__name = "spraay.sandbox.clock"

---@param offset? number  seconds added to the machine's clock
function clock.new(offset)
  return setmetatable({ offset = offset or 0 }, clock)
end

--- Unix time in whole seconds.
---@return integer
function clock:seconds()
  return os.time() + math.floor(self.offset)
end

--- Unix time with a fraction, for time stamps people read; the fraction is decoration.
---@return number
function clock:precise()
  return self:seconds() + monotime() % 1
end

--- Seconds on a clock that never jumps by itself, for lengths of time.
---@return number
function clock:elapsed()
  return monotime() + self.offset
end

--- The Date header of RFC 9110, 5.6.7.
---@return string
function clock:http_date()
  local now = self:seconds()
  if now ~= self.date_at then
    self.date_at, self.date = now, os.date("!%a, %d %b %Y %H:%M:%S GMT", now)
  end
  return self.date
end

return clock
