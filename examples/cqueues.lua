-- Inside a loop of cqueues, calls yield: other coroutines of the loop go on while money and answers travel.
--   spraay sandbox -- lua5.4 examples/cqueues.lua
local cqueues = require "cqueues"
local spraay = require "spraay"
local client = assert(spraay.open{ wallet = spraay.wallet.env() })

local loop, open, ticks = cqueues.new(), 3, 0
for _, place in ipairs{ "a lighthouse", "a harbour", "a reef" } do
  loop:wrap(function()
    local answer = assert(client:chat("One line about " .. place))
    print(place .. ": " .. answer.text)
    open = open - 1
  end)
end
loop:wrap(function()             -- yours: a server, a timer, anything that uses cqueues
  while open > 0 do
    cqueues.sleep(0.001)
    ticks = ticks + 1
  end
end)
assert(loop:loop())
print(("%d turns of the loop meanwhile"):format(ticks))
print(client:summary())
