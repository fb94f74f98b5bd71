-- Is one picture inside another? `love pixels SHOT PICTURE X Y`; see screen:compare in spec/support/love.lua.
-- SPDX-License-Identifier: MIT
local function read(path)
  local file = assert(io.open(path, "rb"))
  local data = love.filesystem.newFileData(file:read "*a", "picture.png")
  file:close()
  return love.image.newImageData(data)
end

local function colour(image, x, y)
  local r, g, b = image:getPixel(x, y)
  return math.floor(r * 255 + 0.5), math.floor(g * 255 + 0.5), math.floor(b * 255 + 0.5)
end

local function colours(image)
  local seen, n = {}, 0
  image:mapPixel(function(_, _, r, g, b, a)
    local key = ("%.3f %.3f %.3f"):format(r, g, b)
    if not seen[key] then seen[key], n = true, n + 1 end
    return r, g, b, a
  end)
  return n
end

function love.load(arguments)
  local shot, picture = read(arguments[1]), read(arguments[2])
  local left, top, different = tonumber(arguments[3]), tonumber(arguments[4]), 0
  for y = 0, picture:getHeight() - 1 do
    for x = 0, picture:getWidth() - 1 do
      local r, g, b = colour(picture, x, y)
      local R, G, B = colour(shot, left + x, top + y)
      if math.abs(r - R) + math.abs(g - G) + math.abs(b - B) > 3 then different = different + 1 end
    end
  end
  print(("%d different, %d colours, %d in all"):format(different, colours(picture), colours(shot)))
  love.event.quit()
end
