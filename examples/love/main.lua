-- A scene in LÖVE 11: the keeper of a lighthouse answers through a paid chat, and his portrait arrives as an image.
--   examples/love/start                 builds what it needs and plays against the sandbox
local bundle = require "bundle"
local keeper = require "keeper"
local scene = require "scene"

local QUESTIONS = {
  "What keeps a lighthouse burning through such storms?",
  "Do you never miss the company of the villagers?",
  "Which ship do you remember best?",
}

local game = { asked = 0 }

-- Nobody should have to guess what became of the money.
local function fail(message, err)
  scene.trouble(message, err and game.keeper and game.keeper:verdict(err) or "No money was spent.")
end

function love.load(arguments)
  scene.load(love.graphics.getDimensions())
  local spraay, missing = bundle.load()
  local client, message
  if spraay then client, message = spraay.open { wallet = spraay.wallet.env(), budget = "0.50" } end
  if client then
    love.filesystem.createDirectory ""     -- the save directory itself
    game.spraay = spraay
    game.keeper = keeper.new(spraay, client, love.filesystem.getSaveDirectory())
    scene.say("The keeper looks up from his lantern.")
  else
    fail(message or missing)
  end
  if arguments[1] == "--photograph" then require("photograph").begin(game, arguments[2]) end
end

function game.ask()
  if not game.keeper or game.talk then return end
  local question = QUESTIONS[game.asked % #QUESTIONS + 1]
  game.asked = game.asked + 1
  scene.ask(question)
  game.talk = game.keeper:answer(question)
  if not (game.picture or scene.has_portrait()) then
    game.picture = game.keeper:portrait()
    scene.paint(true)
  end
end

function love.update(seconds)
  scene.update(seconds)
  if not game.keeper then return end
  game.spraay.update(0.002)     -- at most two milliseconds of a frame's sixteen; without it nothing ever arrives

  if game.talk and game.talk:done() then
    local words, message, err = game.talk:wait()     -- done, so this waits for nothing
    game.talk = nil
    if words then scene.say(words) else fail(message, err) end
  end
  if game.picture and game.picture:done() then
    local file, message, err = game.picture:wait()
    game.picture = nil
    scene.paint(false)
    if file then scene.show(love.graphics.newImage(file)) else fail(message, err) end
  end
end

function love.draw()
  local purse = game.keeper
  scene.draw(purse and purse.settled or "0", purse and purse.open or "0")
end

function love.keypressed(key)
  if key == "space" then game.ask() end
  if key == "escape" then love.event.quit() end
end
