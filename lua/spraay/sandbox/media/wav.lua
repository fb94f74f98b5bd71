--- A WAV sound hummed from a text: one short tone a word, higher for longer words.
--- RIFF/WAVE, 16-bit PCM, mono, 8000 samples a second.
--- https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html
-- SPDX-License-Identifier: MIT

local wav = {}

local RATE = 8000
local SCALE = { 262, 294, 330, 392, 440, 523, 587, 659 }   -- a pentatonic scale and its octave

local function tone(hertz, seconds)
  local count = math.floor(RATE * seconds)
  local out, step = {}, 2 * math.pi * hertz / RATE
  for i = 0, count - 1 do
    local fade = math.min(1, i / 200, (count - i) / 400)    -- no clicks at the ends
    local value = math.sin(step * i) * 0.6 + math.sin(2 * step * i) * 0.2
    out[i + 1] = string.pack("<i2", math.floor(value * fade * 14000))
  end
  return table.concat(out)
end

--- Hum.
---@param text string
---@return string file
function wav.render(text)
  local parts, known, count = {}, {}, 0
  for word in text:gmatch("%S+") do
    count = count + 1
    if count > 24 then break end
    local note = SCALE[(#word + word:byte()) % #SCALE + 1]
    known[note] = known[note] or tone(note, 0.18)
    parts[#parts + 1] = known[note]
  end
  if count == 0 then parts[1] = tone(SCALE[1], 0.5) end
  local data = table.concat(parts)
  return "RIFF" .. string.pack("<I4", 36 + #data) .. "WAVE"
    .. "fmt " .. string.pack("<I4I2I2I4I4I2I2", 16, 1, 1, RATE, RATE * 2, 2, 16)
    .. "data" .. string.pack("<I4", #data) .. data
end

return wav
