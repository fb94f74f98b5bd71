-- SPDX-License-Identifier: MIT
--- Answers that are read while they come; the methods of a result of { stream = true }.
--
-- The core keeps what comes, so a purchase whose reader goes away before the end is still delivered whole to
-- an equal call. Reading to the end, or closing, hands the result over.
local call = require "spraay.call"
local errors = require "spraay.errors"
local sse = require "spraay.sse"

local stream = {}
stream.__index = stream

local PIECE = 65536

--- A stream over a call whose answer is coming, after `head`.
function stream.live(client, request, handle, head)
  return setmetatable({ client = client, request = request, handle = handle, head = head, at = 0 }, stream)
end

--- A stream over an answer that is all here.
function stream.whole(text)
  return setmetatable({ rest = text, done = true }, stream)
end

-- The answer is complete, or broke off.
local function finish(self)
  local handle = self.handle
  self.handle, self.done = nil, true
  local raw, message, err = call.finish(handle, self.client, self.request)
  if not raw then
    self.failed = err
    return nil, message, err
  end
  self.payment = call.payment_of(raw)   -- the last word on it; the head had the first
  call.hand_over(handle)
  return nil
end

-- More than there was at `at`, or the end?
local function news(at)
  return function(handle)
    local state = handle:state()
    return state ~= "running" and state ~= "stream" or handle:heard(at, 1) ~= ""
  end
end

--- The next bytes; nil at the end; nil, message, err when the answer broke off.
function stream:read()
  if self.rest then
    local rest = self.rest
    self.rest = nil
    if rest ~= "" then return rest end
  end
  if self.failed then return errors.fail(self.failed) end
  if self.done then return nil end
  local state, message, err = call.advance(self.handle, self.client, self.request, news(self.at))
  if not state then   -- cancelled: the call is closed, and finishes by itself
    self.handle, self.done, self.failed = nil, true, err
    return nil, message, err
  end
  local bytes = self.handle:heard(self.at, PIECE)
  if bytes == "" then return finish(self) end
  self.at = self.at + #bytes
  return bytes
end

--- Enough: the connection is closed, and what has come is the answer.
function stream:close()
  local handle = self.handle
  self.rest, self.handle, self.done = nil, nil, true
  if not handle then return end
  if handle:state() == "done" then   -- it ended while nobody looked
    self.handle = handle
    finish(self)
    return
  end
  call.account(self.client, self.request, self.head)
  handle:enough()
  handle:close()
end

--- The next event; nil at the end; nil, message, err when the answer broke off.
function stream:event()
  self.reader = self.reader or sse.new()
  while true do
    local event = self.reader:next()
    if event and event.data ~= "[DONE]" then return event end   -- how chat servers end; the rest is read
    if not event then
      local bytes, message, err = self:read()
      if not bytes then return nil, message, err end
      self.reader:feed(bytes)
    end
  end
end

return stream
