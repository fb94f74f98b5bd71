-- SPDX-License-Identifier: MIT
--- What a paid call gives back. `body` is the decoded answer, untouched, and its members can be read
-- from the result itself; on top of it come a few names that mean the same for every verb:
--   .text .urls .vectors .payment .billing :save(path) tostring(result)
local compat = require "spraay.compat"
local download = require "spraay.download"
local errors = require "spraay.errors"
local json = require "spraay.json"

local result = {}

local methods = {}
result.methods = methods
local mt = { __name = "spraay.result" }

-- What belongs to a result and is nobody's business: { client=, sources=, files=, stream= }.
local hidden = setmetatable({}, { __mode = "k" })

mt.__index = function(self, key)
  local method = methods[key]
  if method then return method end
  local own = hidden[self]
  if not own then return nil end
  for _, source in ipairs(own.sources) do
    local value = json.get(source, key)
    if value ~= nil then return value end
  end
  return nil
end

-- ---- reading answers ----------------------------------------------------------------

local function is_link(text)
  return type(text) == "string" and text:match("^https?://%S+$") ~= nil
end

-- Every link in a provider's output, in order.
local function links(output, into, depth)
  into = into or {}
  depth = depth or 0
  if is_link(output) then
    into[#into + 1] = output
  elseif type(output) == "table" and depth < 4 then
    if #output > 0 then
      for _, item in ipairs(output) do links(item, into, depth + 1) end
    else
      local keys = {}
      for key in pairs(output) do
        if type(key) == "string" then keys[#keys + 1] = key end
      end
      table.sort(keys)
      for _, key in ipairs(keys) do links(output[key], into, depth + 1) end
    end
  end
  return into
end

-- Text out of a provider's output: a string, or pieces to be joined.
local function pieces(output)
  if type(output) == "string" then return not is_link(output) and output or nil end
  if type(output) ~= "table" or #output == 0 then return nil end
  local parts = {}
  for i, item in ipairs(output) do
    if type(item) ~= "string" or is_link(item) then return nil end
    parts[i] = item
  end
  return table.concat(parts)
end

local function chat_text(body)
  local choices = json.get(body, "choices")
  local first = type(choices) == "table" and choices[1]
  local message = json.get(first, "message")
  local content = json.get(message, "content") or json.get(first, "text")
  if type(content) == "string" then return content end
  if type(content) ~= "table" then return nil end
  local parts = {}
  for _, part in ipairs(content) do
    local text = type(part) == "string" and part or json.get(part, "text")
    if type(text) == "string" then parts[#parts + 1] = text end
  end
  return #parts > 0 and table.concat(parts) or nil
end

-- Whisper's whole output may arrive as one JSON string.
local function transcription_text(said)
  if type(said) == "table" then
    local text = json.get(said, "transcription") or json.get(said, "text")
    if type(text) == "string" then return text, said end
    local segments = json.get(said, "segments")
    local parts = {}
    for _, segment in ipairs(type(segments) == "table" and segments or {}) do
      local piece = json.get(segment, "text")
      if type(piece) == "string" then parts[#parts + 1] = piece end
    end
    return #parts > 0 and table.concat(parts) or nil, said
  end
  if type(said) ~= "string" then return nil end
  if said:match("^%s*{") then
    local decoded = json.decode(said)
    if type(decoded) == "table" then
      local text, whole = transcription_text(decoded)
      return text or said, whole
    end
  end
  return said
end

local function vectors_of(body)
  local data = json.get(body, "data")
  if type(data) ~= "table" then return nil end
  local vectors = {}
  for i, item in ipairs(data) do
    local vector = json.get(item, "embedding")
    local index = compat.integer(json.get(item, "index"))
    if type(vector) == "table" then vectors[index and index + 1 or i] = vector end
  end
  return vectors
end

-- kind -> function(self, body) that fills in the common names.
local read = {}

read.chat = function(self, body) self.text = chat_text(body) end

read.image = function(self, body)
  local urls = {}
  local images = json.get(body, "images")
  for _, image in ipairs(type(images) == "table" and images or {}) do
    local url = type(image) == "string" and image or json.get(image, "url")
    if type(url) == "string" then urls[#urls + 1] = url end
  end
  self.urls = urls
end

read.video = function(self, body) self.urls = links(json.get(body, "video_url")) end
read.speak = function(self, body) self.urls = links(json.get(body, "audio_url")) end

read.transcribe = function(self, body)
  self.text, self.transcription_data = transcription_text(json.get(body, "transcription"))
end

read.embed = function(self, body) self.vectors = vectors_of(body) end

read.output = function(self, body)
  local output = json.get(body, "output")
  if output == nil then return end
  self.text = pieces(output)
  if not self.text then
    local urls = links(output)
    if #urls > 0 then
      self.urls = urls
    else
      self.text = transcription_text(output)
    end
  end
end

-- An answer of an unknown route: an OpenAI shape, links, or plain text.
read.any = function(self, body)
  if type(body) == "string" then
    self.text = body
    return
  end
  self.text = chat_text(body)
  if not self.text then read.output(self, body) end
end

--- Fill the common names of `self` from a body, the way a verb's answers look.
function result.read(self, kind, body)
  local reader = read[kind]
  if reader then reader(self, body) end
  return self
end

-- ---- making one ---------------------------------------------------------------------

local INTERNAL = { kind_ = true, client = true, inner = true, stream = true }

--- A result. fields: { kind=, body=, payment=, client=, inner= (read before body), stream=, … any own field }.
function result.new(fields)
  local self = {}
  local kind, client, inner = fields.kind_, fields.client, fields.inner
  for key, value in pairs(fields) do
    if not INTERNAL[key] then self[key] = value end
  end
  local sources = {}
  if type(inner) == "table" then sources[1] = inner end
  if type(self.body) == "table" then sources[#sources + 1] = self.body end
  hidden[self] = { client = client, sources = sources, stream = fields.stream }
  if kind then result.read(self, kind, inner or self.body) end
  return setmetatable(self, mt)
end

--- Is this a result?
function result.is(value)
  return type(value) == "table" and getmetatable(value) == mt
end

--- Where what the links point at has been kept, by their number; see media.lua.
function result.set_files(self, files)
  hidden[self].files = files
end

-- ---- methods ------------------------------------------------------------------------

--- Save the output: links are fetched, text and everything else is written as it is. A path that
-- ends in "/" is a directory. Returns the path (a list when there are several), or nil, message, err.
function methods:save(path)
  local own = hidden[self]
  local client = own.client
  local function give(value, message, err)
    if value ~= nil then return value end
    if client and client.config.errors == "raise" then error(err, 0) end
    return nil, message, err
  end
  if type(path) ~= "string" or path == "" or path:find("%z") then
    return give(errors.usage("save: expected a path", nil, "argument"))
  end
  local urls = rawget(self, "urls")
  if urls and #urls > 0 then return give(download.save(urls, path, client.config, own.files)) end
  local data, extension = rawget(self, "text"), ".txt"
  if not data then
    extension = ".json"
    local body = rawget(self, "vectors") or self.body
    if type(body) == "table" then
      data = json.encode(body)
    elseif body ~= nil then
      data = tostring(body)
    end
  end
  if not data then return give(errors.usage("save: this result holds nothing to save", nil, "empty")) end
  if path:sub(-1) == "/" then path = path .. "output" .. extension end
  return give(download.write(path, data))
end

-- Every method of a stream needs one.
local function stream_of(self, name)
  local own = hidden[self].stream
  if own then return own end
  error(errors.new { kind = "usage", code = "argument",
    message = ("result:%s: this answer came whole"):format(name),
    hint = "Ask for it with client:request(method, path, body, { stream = true })" }, 3)
end

-- The next of what `name` ("read" or "event") gives; nil at the end; nil, message, err.
local function next_of(self, name)
  local own = hidden[self].stream   -- which must not know the result: weak keys would keep both on 5.1
  local value, message, err = own[name](own)
  if value then return value end
  self.payment = own.payment or self.payment
  if err then return nil, message, err end
  return nil
end

for _, name in ipairs { "read", "event" } do
  methods[name] = function(self)
    stream_of(self, name)
    local value, message, err = next_of(self, name)
    if not err then return value end
    if hidden[self].client.config.errors == "raise" then error(err, 0) end
    return nil, message, err
  end
end

local function following(self)
  local event, _, err = next_of(self, "event")
  if err then error(err, 0) end
  return event
end

--- Iterate over a streamed answer's server-sent events: { event=, data=, id=, json=, text= }. An answer that
-- breaks off raises its error. On 5.4 leaving the loop closes the answer; elsewhere close it. On PUC 5.1 a for
-- loop cannot let other tasks run while it waits: there, call result:event() in a while loop.
function methods:events()
  stream_of(self, "events")
  return following, self, nil, self
end

--- Be done with a streamed answer: its connection is closed, and what came of it was what was bought.
function methods:close()
  local own = hidden[self].stream
  if own then own:close() end
end
mt.__close = methods.close

mt.__tostring = function(self)
  local text = rawget(self, "text")
  if text then return text end
  local urls = rawget(self, "urls")
  if urls and #urls > 0 then return table.concat(urls, "\n") end
  local vectors = rawget(self, "vectors")
  if vectors then
    return ("%d vector%s of %d numbers"):format(#vectors, #vectors == 1 and "" or "s",
      vectors[1] and #vectors[1] or 0)
  end
  if hidden[self].stream then return "stream" end
  local summary = rawget(self, "summary_")
  if summary then return summary end
  local body = rawget(self, "body")
  if type(body) == "table" then return (json.encode(body)) or "result" end
  return body ~= nil and tostring(body) or "result"
end
mt.__concat = function(a, b) return tostring(a) .. tostring(b) end

return result
