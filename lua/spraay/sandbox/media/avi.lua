--- An AVI film of a prompt: bands of its colours drifting, uncompressed, a few seconds.
--- Uncompressed 24-bit frames are the one video every player opens without a codec.
--- AVI RIFF, https://learn.microsoft.com/windows/win32/directshow/avi-riff-file-reference
-- SPDX-License-Identifier: MIT
local png = require "spraay.sandbox.media.png"

local avi = { WIDTH = 128, HEIGHT = 72, RATE = 8, MAX_SECONDS = 10 }

local function chunk(id, data)
  return id .. string.pack("<I4", #data) .. data .. (#data % 2 == 1 and "\0" or "")
end

local function list(kind, data)
  return "LIST" .. string.pack("<I4", #data + 4) .. kind .. data
end

-- A row is a piece of one long strip of colours; where it starts drifts with line and time.
local function strip(seed)
  local colours, out = png.palette(seed), {}
  for i = 0, 2 * 256 - 1 do
    local at = i % 256 * 3
    out[#out + 1] = colours:sub(at + 1, at + 3):reverse()    -- AVI wants blue first
  end
  return table.concat(out)
end

local function frame(colours, seed, time)
  local rows, w = {}, avi.WIDTH
  for y = 0, avi.HEIGHT - 1 do
    local start = 40 * math.sin(2 * math.pi * (y / avi.HEIGHT + time * 0.2)) + time * 24 + seed:byte(9)
    local at = math.floor(start + y * (seed:byte(10) % 3)) % 256
    rows[y + 1] = colours:sub(3 * at + 1, 3 * (at + w))
  end
  return table.concat(rows)
end

--- Film.
---@param seed string      at least 16 bytes that depend on the prompt
---@param seconds number   clamped to 1..10
---@return string file
function avi.render(seed, seconds)
  local count = math.floor(math.max(1, math.min(avi.MAX_SECONDS, seconds)) * avi.RATE)
  local w, h = avi.WIDTH, avi.HEIGHT
  local size = w * h * 3
  local colours, frames, index = strip(seed), {}, {}
  local offset = 4
  for i = 1, count do
    frames[i] = chunk("00db", frame(colours, seed, (i - 1) / avi.RATE))
    index[i] = "00db" .. string.pack("<I4I4I4", 0x10, offset, size)   -- every frame is a key frame
    offset = offset + #frames[i]
  end
  local main = string.pack("<I4I4I4I4I4I4I4I4I4I4I4I4I4I4", 1000000 // avi.RATE, size * avi.RATE, 0,
    0x10, count, 0, 1, size, w, h, 0, 0, 0, 0)
  local stream = "vids\0\0\0\0" .. string.pack("<I4I2I2I4I4I4I4I4I4I4I4i2i2i2i2", 0, 0, 0, 0, 1, avi.RATE, 0,
    count, size, 0xffffffff, 0, 0, 0, w, h)
  local format = string.pack("<I4i4i4I2I2I4I4I4I4I4I4", 40, w, h, 1, 24, 0, size, 0, 0, 0, 0)
  local description = list("strl", chunk("strh", stream) .. chunk("strf", format))
  local body = list("hdrl", chunk("avih", main) .. description)
    .. list("movi", table.concat(frames)) .. chunk("idx1", table.concat(index))
  return "RIFF" .. string.pack("<I4", #body + 4) .. "AVI " .. body
end

return avi
