-- Inside libuv's loop (luv, and so Neovim): calls are made in tasks, and the loop moves them.
--   spraay sandbox -- lua5.4 examples/luv.lua
local uv = require "luv"
local spraay = require "spraay"
assert(spraay.use "luv")
local client = assert(spraay.open{ wallet = spraay.wallet.env() })

local ticks = 0
local timer = uv.new_timer()     -- yours: a server, an editor, anything that uses luv
timer:start(1, 1, function() ticks = ticks + 1 end)

spraay.spawn(function()
  local answers = spraay.map({ "a lighthouse", "a harbour", "a reef" }, function(place)
    return client:chat("One line about " .. place)
  end)
  for _, answer in ipairs(answers) do print(answer) end
  timer:close()
end)
uv.run()                         -- ends when no task and no handle of yours is left
print(("%d ticks meanwhile"):format(ticks))
print(client:summary())
