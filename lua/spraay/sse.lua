-- SPDX-License-Identifier: MIT
--- Server-sent events out of bytes as they come.
-- https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
local json = require "spraay.json"

local sse = {}

local reader = {}
reader.__index = reader

--- A reader of one stream. Feed it bytes, and take the events that have become whole.
function sse.new()
  return setmetatable({ pieces = {}, data = {}, ready = {}, first = 1, last = 0, begun = false }, reader)
end

-- What chat servers put into an event: choices[1].delta.content.
local function delta(value)
  local choices = json.get(value, "choices")
  local piece = json.get(json.get(type(choices) == "table" and choices[1] or nil, "delta"), "content")
  return type(piece) == "string" and piece or nil
end

local function dispatch(self)
  if #self.data > 0 then
    local event = { event = self.event or "message", data = table.concat(self.data, "\n"), id = self.id }
    if event.data:find("^%s*[{%[]") then
      event.json = json.decode(event.data)
      event.text = delta(event.json)
    end
    self.last = self.last + 1
    self.ready[self.last] = event
  end
  self.data, self.event = {}, nil
end

local function field(self, name, value)
  if name == "data" then
    self.data[#self.data + 1] = value
  elseif name == "event" then
    self.event = value ~= "" and value or nil
  elseif name == "id" and not value:find("%z") then
    self.id = value
  end   -- "retry" is for clients that connect again, which would be another purchase
end

local function line(self, text)
  if text == "" then return dispatch(self) end
  if text:sub(1, 1) == ":" then return end
  local name, value = text:match "^([^:]*): ?(.*)$"
  field(self, name or text, value or "")
end

--- Give it the next bytes.
function reader:feed(bytes)
  local pieces = self.pieces
  if self.after_cr and bytes:sub(1, 1) == "\n" then bytes = bytes:sub(2) end   -- the rest of a line end
  if bytes == "" then return end
  self.after_cr = bytes:sub(-1) == "\r"
  local from = 1
  while true do
    local at, stop = bytes:find("\r?\n", from)
    local lone = bytes:find("\r", from, true)
    if lone and (not at or lone < at) then at, stop = lone, lone end
    if not at then break end
    pieces[#pieces + 1] = bytes:sub(from, at - 1)
    local text = table.concat(pieces)
    for i = #pieces, 1, -1 do pieces[i] = nil end
    if not self.begun then text, self.begun = text:gsub("^\239\187\191", ""), true end   -- a byte order mark
    line(self, text)
    from = stop + 1
  end
  if from <= #bytes then pieces[#pieces + 1] = bytes:sub(from) end
end

--- The next whole event: { event=, data=, id=, json= (decoded, when it is JSON), text= (of a chat's delta) },
-- or nil.
function reader:next()
  local event = self.ready[self.first]
  if not event then return nil end
  self.ready[self.first] = nil
  self.first = self.first + 1
  return event
end

return sse
