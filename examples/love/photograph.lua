-- `love . --photograph FILE`: asks once, takes a picture of the screen when all has arrived, prints what the player
-- read, and leaves. It is how this scene is tried without anybody at the keyboard.
local scene = require "scene"

local photograph = {}

function photograph.begin(game, path)
  local update, taken = love.update, false
  game.ask()

  function love.update(seconds)
    update(seconds)
    if taken or game.talk or game.picture or not scene.settled() then return end
    taken = true
    local said, problem, verdict = scene.text()
    print("said " .. said)
    if problem then print(("problem %s\nverdict %s"):format(problem, verdict)) end
    if game.keeper then print(("spent %s open %s"):format(game.keeper.settled, game.keeper.open)) end
    love.graphics.captureScreenshot(function(image)
      local file = assert(io.open(path, "wb"))
      file:write(image:encode("png"):getString())
      file:close()
      love.event.quit()
    end)
  end
end

return photograph
