-- What is on the screen: a coast by night, the keeper below his lighthouse, his words and his portrait.
-- It knows nothing of calls and payments.
local scene = {}

local g = love.graphics
local PORTRAIT = { x = 654, y = 44, size = 256 }     -- the picture is drawn as it is, a pixel for a pixel
local BUBBLE = { x = 32, y = 386, w = 896, h = 128 }
local LAMP = { x = 218, y = 112 }
local LETTERS_A_SECOND = 60

local time, shown = 0, 0
local said, question, problem, verdict = "", nil, nil, nil
local painting, portrait = false, nil
local width, height, sky, sea, beam, fonts, stars

-- A rectangle from one colour above to another below.
local function gradient(y, h, above, below)
  local function corner(x, cy, colour) return { x, cy, 0, 0, colour[1], colour[2], colour[3], 1 } end
  return g.newMesh({ corner(0, y, above), corner(width, y, above), corner(width, y + h, below),
    corner(0, y + h, below) }, "fan", "static")
end

function scene.load(w, h)
  width, height = w, h
  sky = gradient(0, 300, { 0.03, 0.04, 0.12 }, { 0.20, 0.22, 0.42 })
  sea = gradient(300, h - 300, { 0.09, 0.15, 0.29 }, { 0.02, 0.04, 0.10 })
  beam = g.newMesh(3, "triangles", "stream")
  fonts = { words = g.newFont(18), small = g.newFont(13) }
  stars = {}
  local random = love.math.newRandomGenerator(7)
  for i = 1, 140 do
    stars[i] = { random:random(0, w), random:random(0, 270), random:random() * 6.28, 0.5 + random:random() * 1.1 }
  end
end

-- ---- what happens -------------------------------------------------------------------

function scene.ask(text)
  question, said, shown, problem, verdict = text, "", 0, nil, nil
end

function scene.say(text)
  said, shown = text, 0
end

--- Something went wrong; `money` says what became of it.
function scene.trouble(text, money)
  problem, verdict = text, money
end

function scene.paint(on)
  painting = on
end

function scene.show(image)
  portrait = image
end

function scene.has_portrait()
  return portrait ~= nil
end

--- Is everything said and shown that came?
function scene.settled()
  return shown >= #said and not painting
end

--- What the player reads.
function scene.text()
  return said, problem, verdict
end

function scene.update(seconds)
  time = time + seconds
  shown = math.min(#said, shown + seconds * LETTERS_A_SECOND)
end

-- ---- how it looks -------------------------------------------------------------------

local function draw_sky()
  g.setColor(1, 1, 1)
  g.draw(sky)
  for _, star in ipairs(stars) do
    g.setColor(1, 1, 0.94, 0.45 + 0.4 * math.sin(time * 1.3 + star[3]))
    g.circle("fill", star[1], star[2], star[4])
  end
  g.setColor(0.96, 0.94, 0.84)
  g.circle("fill", 500, 84, 26)
  g.setColor(0.075, 0.088, 0.20)
  g.circle("fill", 489, 78, 23)
end

local function draw_sea()
  g.setColor(1, 1, 1)
  g.draw(sea)
  for i = 0, 8 do
    local points = {}
    for x = 0, width, 24 do
      points[#points + 1] = x
      points[#points + 1] = 312 + i * i * 2.4 + math.sin(x / (60 + i * 9) + time * (0.5 + i * 0.06) + i) * (1 + i * 0.5)
    end
    g.setColor(0.55, 0.68, 0.9, 0.13 + i * 0.01)
    g.line(points)
  end
end

-- A soft disc of light.
local function glow(x, y, radius, red, green, blue, strength)
  for i = 1, 12 do
    g.setColor(red, green, blue, strength / 12)
    g.circle("fill", x, y, radius * i / 12)
  end
end

-- Two cones of light that turn with the lamp: long along the coast, broad when they point at us.
local function draw_beam()
  g.setBlendMode "add"
  g.setColor(1, 1, 1)
  for _, side in ipairs { 0, math.pi } do
    local turn = time * 0.7 + side
    beam:setVertices {
      { LAMP.x, LAMP.y, 0, 0, 1, 0.9, 0.6, 0.5 },
      { LAMP.x + math.cos(turn) * 640, LAMP.y - 60 - 60 * math.abs(math.sin(turn)), 0, 0, 1, 0.9, 0.6, 0 },
      { LAMP.x + math.cos(turn) * 640, LAMP.y + 60 + 60 * math.abs(math.sin(turn)), 0, 0, 1, 0.9, 0.6, 0 },
    }
    g.draw(beam)
  end
  glow(LAMP.x, LAMP.y, 60, 1, 0.85, 0.5, 0.7)
  g.setBlendMode "alpha"
end

local function draw_tower()
  g.setColor(0.05, 0.06, 0.09)     -- the cliff
  g.polygon("fill", 0, 300, 70, 318, 120, 322, 300, 326, 372, 344, 430, 372, 470, height, 0, height)
  local function half(y) return 20 + (y - 136) / 190 * 17 end     -- the tower is wider below
  for i = 0, 4 do
    local y, step = 136 + i * 38, 38
    if i % 2 == 0 then g.setColor(0.80, 0.79, 0.76) else g.setColor(0.62, 0.18, 0.17) end
    g.polygon("fill", LAMP.x - half(y), y, LAMP.x + half(y), y, LAMP.x + half(y + step), y + step,
      LAMP.x - half(y + step), y + step)
  end
  g.setColor(0.02, 0.02, 0.06, 0.38)     -- its dark side
  g.polygon("fill", LAMP.x - 20, 136, LAMP.x - 4, 136, LAMP.x - 8, 326, LAMP.x - 37, 326)
  g.setColor(0.13, 0.13, 0.17)
  g.rectangle("fill", LAMP.x - 29, 130, 58, 8)
  g.polygon("fill", LAMP.x - 19, 96, LAMP.x + 19, 96, LAMP.x, 76)
  g.rectangle("fill", LAMP.x - 8, 292, 16, 34)
  g.setColor(1, 0.93, 0.66)
  g.rectangle("fill", LAMP.x - 14, 96, 28, 34)
  g.setColor(0.98, 0.80, 0.42)
  g.rectangle("fill", LAMP.x - 5, 186, 10, 14)
  g.rectangle("fill", LAMP.x - 5, 248, 10, 14)
end

local function draw_keeper()
  local x, y = 330, 334 + math.sin(time * 1.6) * 1.2
  local flame = 0.8 + 0.2 * math.sin(time * 9) * math.sin(time * 5.3)
  g.setBlendMode "add"
  glow(x + 25, y - 20, 64, 1, 0.75, 0.35, 0.6 * flame)
  g.setBlendMode "alpha"
  g.setColor(0.15, 0.21, 0.30)     -- coat
  g.polygon("fill", x - 15, y + 8, x - 10, y - 38, x + 10, y - 38, x + 15, y + 8)
  g.setLineWidth(5)
  g.line(x + 7, y - 32, x + 16, y - 23, x + 24, y - 30)
  g.setLineWidth(1)
  g.setColor(0.85, 0.66, 0.52)
  g.circle("fill", x, y - 47, 10)
  g.setColor(0.88, 0.88, 0.86)     -- beard
  g.arc("fill", x, y - 45, 11, 0.1, math.pi - 0.1)
  g.setColor(0.10, 0.13, 0.19)     -- cap
  g.arc("fill", x, y - 50, 11, math.pi, 2 * math.pi)
  g.rectangle("fill", x - 13, y - 52, 28, 4, 2)
  g.setColor(0.10, 0.10, 0.12)
  g.rectangle("fill", x + 19, y - 29, 12, 17, 2)
  g.setColor(1, 0.82, 0.42, flame)
  g.rectangle("fill", x + 21, y - 26, 8, 11, 2)
end

local function draw_portrait()
  local x, y, size = PORTRAIT.x, PORTRAIT.y, PORTRAIT.size
  g.setColor(0, 0, 0, 0.45)
  g.rectangle("fill", x - 12, y - 8, size + 30, size + 30, 4)
  g.setColor(0.42, 0.29, 0.15)
  g.rectangle("fill", x - 16, y - 16, size + 32, size + 32, 4)
  g.setColor(0.72, 0.55, 0.29)
  g.rectangle("line", x - 11.5, y - 11.5, size + 23, size + 23, 2)
  g.setColor(0.13, 0.12, 0.13)
  g.rectangle("fill", x, y, size, size)
  if portrait then
    g.setColor(1, 1, 1)
    g.draw(portrait, x, y, 0, size / portrait:getWidth(), size / portrait:getHeight())
    return
  end
  g.setFont(fonts.small)
  g.setColor(0.72, 0.66, 0.55, painting and 0.6 + 0.4 * math.sin(time * 4) or 0.6)
  g.printf(painting and "The painter is at work …" or "An empty frame", x, y + size / 2 - 8, size, "center")
end

local function draw_bubble(spent, open)
  local x, y, w, h = BUBBLE.x, BUBBLE.y, BUBBLE.w, BUBBLE.h
  g.setColor(0.04, 0.05, 0.09, 0.88)
  g.rectangle("fill", x, y, w, h, 12)
  g.polygon("fill", 312, y + 1, 342, y + 1, 330, y - 20)
  g.setColor(0.72, 0.55, 0.29, 0.8)
  g.rectangle("line", x + 0.5, y + 0.5, w - 1, h - 1, 12)
  g.setFont(fonts.small)
  if question then
    g.setColor(0.62, 0.71, 0.86)
    g.print("You: " .. question, x + 20, y + 13)
  end
  g.setFont(fonts.words)
  g.setColor(0.97, 0.94, 0.86)
  if said == "" and not problem then
    g.printf(("."):rep(1 + math.floor(time * 3) % 3), x + 20, y + 38, w - 40)
  else
    g.printf(said:sub(1, math.floor(shown)):gsub("[\192-\255][\128-\191]*$", ""), x + 20, y + 38, w - 40)
  end
  g.setFont(fonts.small)
  if problem then
    g.setColor(1, 0.62, 0.52)
    g.printf(verdict .. "\n" .. problem:gsub("^%l", string.upper), x + 20, y + (said == "" and 38 or 72), w - 40)
  end
  g.setColor(0.60, 0.63, 0.72)
  local maybe = open ~= "0" and (" and perhaps %s more"):format(open) or ""
  g.printf(("Space asks him · %s USDC spent%s · Escape leaves"):format(spent, maybe), 0, height - 20, width - 34,
    "right")
end

function scene.draw(spent, open)
  draw_sky()
  draw_sea()
  draw_beam()
  draw_tower()
  draw_keeper()
  draw_portrait()
  draw_bubble(spent, open)
end

return scene
