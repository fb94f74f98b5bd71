-- Which note is nearest to the question? One embedding per text, compared here.
--   spraay sandbox -- lua5.4 examples/search.lua "when do ships come"
local spraay = require "spraay"
local client = assert(spraay.open{ wallet = spraay.wallet.env() })

local question = arg[1] or "oil for the lamp"
local notes = { "The lamp burns four litres of oil a night.", "Ships pass at dawn and at dusk.",
                "The stairs have two hundred and twelve steps." }
local result = assert(client:embed{ input = { question, notes[1], notes[2], notes[3] } })

local function dot(a, b)
  local sum = 0
  for i, x in ipairs(a) do sum = sum + x * b[i] end
  return sum
end
for i, note in ipairs(notes) do
  print(("%6.3f  %s"):format(dot(result.vectors[1], result.vectors[i + 1]), note))
end
