--- The files a finished job points at. A file is described when the job ends and drawn when
--- somebody fetches it, from /_sandbox/media/<id>.<ending>.
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local png = require "spraay.sandbox.media.png"
local wav = require "spraay.sandbox.media.wav"
local avi = require "spraay.sandbox.media.avi"

local media = {}
media.__index = media
media.__name = "spraay.sandbox.media"

media.TYPES = { png = "image/png", wav = "audio/wav", avi = "video/x-msvideo" }

local LONGEST_SIDE = 256   -- pictures are modest; what was asked for is kept as a shape
local KEPT = 8             -- drawn files kept in memory

---@param origin fun(): string   "http://127.0.0.1:8402"
function media.new(origin)
  return setmetatable({ origin = origin, entries = {}, drawn = {}, order = {}, count = 0 }, media)
end

--- Describe a file and name its address.
---@param ending "png"|"wav"|"avi"
---@param text string      prompt or spoken text
---@param shape? table     width, height (pictures), seconds (films), variant
---@return string url
function media:add(ending, text, shape)
  self.count = self.count + 1
  local seed = crypto.keccak(("%s|%s|%s"):format(ending, text, shape and shape.variant or 0))
  local id = crypto.hex(seed:sub(1, 8)) .. ("%04x"):format(self.count & 0xffff)
  self.entries[id .. "." .. ending] = { ending = ending, text = text, shape = shape or {}, seed = seed }
  return ("%s/_sandbox/media/%s.%s"):format(self.origin(), id, ending)
end

--- What was spoken in a sound of ours, so that a transcription can say it again.
---@return string?
function media:spoken(url)
  local name = type(url) == "string" and url:match("/_sandbox/media/(%x+%.wav)$")
  local entry = name and self.entries[name]
  return entry and entry.text
end

local function picture_size(shape)
  local w, h = tonumber(shape.width) or 1024, tonumber(shape.height) or 1024
  w, h = math.max(1, math.min(w, 8192)), math.max(1, math.min(h, 8192))
  local scale = math.min(1, LONGEST_SIDE / math.max(w, h))
  return math.max(1, math.floor(w * scale)), math.max(1, math.floor(h * scale))
end

local function draw(entry)
  if entry.ending == "png" then return png.render(entry.seed, picture_size(entry.shape)) end
  if entry.ending == "wav" then return wav.render(entry.text) end
  return avi.render(entry.seed, tonumber(entry.shape.seconds) or 4)
end

--- The bytes of a file.
---@param name string  "<id>.<ending>"
---@return string? bytes
---@return string? content_type
function media:file(name)
  local entry = self.entries[name]
  if not entry then return nil end
  local bytes = self.drawn[name]
  if not bytes then
    bytes = draw(entry)
    self.drawn[name] = bytes
    self.order[#self.order + 1] = name
    if #self.order > KEPT then self.drawn[table.remove(self.order, 1)] = nil end
  end
  return bytes, media.TYPES[entry.ending]
end

return media
