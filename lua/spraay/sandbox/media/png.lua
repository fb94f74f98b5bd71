--- A PNG picture painted from a prompt: soft waves in a palette of the prompt's own.
--- Indexed colour, one stored deflate block per 65,535 bytes; nothing needs compressing here.
--- PNG https://www.w3.org/TR/png-3/, zlib RFC 1950, deflate RFC 1951
-- SPDX-License-Identifier: MIT

local png = {}

local CRC = {}
for n = 0, 255 do
  local c = n
  for _ = 1, 8 do c = c & 1 == 1 and 0xedb88320 ~ (c >> 1) or c >> 1 end
  CRC[n] = c
end

local function crc32(text)
  local c = 0xffffffff
  for at = 1, #text, 4096 do
    local bytes = { text:byte(at, at + 4095) }
    for i = 1, #bytes do c = CRC[(c ~ bytes[i]) & 0xff] ~ (c >> 8) end
  end
  return c ~ 0xffffffff
end

local function adler32(text)
  local a, b = 1, 0
  for at = 1, #text, 2048 do
    local bytes = { text:byte(at, at + 2047) }
    for i = 1, #bytes do
      a = a + bytes[i]
      b = b + a
    end
    a, b = a % 65521, b % 65521
  end
  return b << 16 | a
end

local function chunk(kind, data)
  return string.pack(">I4", #data) .. kind .. data .. string.pack(">I4", crc32(kind .. data))
end

local function zlib_stored(data)
  local out = { "\x78\x01" }
  for at = 1, #data, 65535 do
    local part = data:sub(at, at + 65534)
    local last = at + 65535 > #data and 1 or 0
    out[#out + 1] = string.pack("<BI2I2", last, #part, ~#part & 0xffff) .. part
  end
  out[#out + 1] = string.pack(">I4", adler32(data))
  return table.concat(out)
end

-- 256 colours that go round once through three cosines; the seed turns the wheel.
local function palette(seed)
  local out = {}
  for i = 0, 255 do
    local turn = 2 * math.pi * i / 256
    for channel = 1, 3 do
      local shift = seed:byte(channel) / 256 * 2 * math.pi
      local value = 0.55 + 0.4 * math.cos(turn * (1 + seed:byte(channel + 3) % 2) + shift)
      out[#out + 1] = string.char(math.floor(255 * value))
    end
  end
  return table.concat(out)
end
png.palette = palette

--- Paint.
---@param seed string     at least 16 bytes that depend on the prompt
---@param width integer
---@param height integer
---@return string file
function png.render(seed, width, height)
  local wave, rows, char = {}, {}, string.char
  local fx, fy = 1 + seed:byte(7) % 3, 1 + seed:byte(8) % 3
  for x = 0, width + height - 1 do
    wave[x] = math.sin(2 * math.pi * fx * x / width) * 48 + math.cos(2 * math.pi * fy * x / height) * 32
  end
  local shades = {}
  for i = 0, 255 do shades[i] = char(i) end
  for y = 0, height - 1 do
    local row, base = {}, math.sin(2 * math.pi * fy * y / height) * 60 + y * 128 / height
    for x = 0, width - 1 do
      row[x + 1] = shades[math.floor(base + wave[x] + wave[x + y] * 0.5) & 0xff]
    end
    rows[y + 1] = "\0" .. table.concat(row)      -- filter type 0: as it is
  end
  return "\x89PNG\r\n\x1a\n"
    .. chunk("IHDR", string.pack(">I4I4BBBBB", width, height, 8, 3, 0, 0, 0))
    .. chunk("PLTE", palette(seed))
    .. chunk("IDAT", zlib_stored(table.concat(rows)))
    .. chunk("IEND", "")
end

return png
