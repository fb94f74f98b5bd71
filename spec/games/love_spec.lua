-- SPDX-License-Identifier: MIT
-- examples/love as it would be shipped: the game with the bundle in its folder, on a machine without Lua packages.
local bundle = require "spec.support.bundle"
local live = require "spec.support.live"
local love = require "spec.support.love"

local missing = love.missing()
if missing then
  describe("examples/love", function()
    pending("is not tried: " .. missing)
  end)
  return
end

-- Where examples/love/scene.lua hangs the portrait.
local X, Y = 654, 44

local box, screen, folder

local function copy_game()
  assert(os.execute(("cp examples/love/*.lua %s"):format(folder)))
end

setup(function()
  box = live.start {}
  screen = love.screen()
  folder = bundle.make()
  copy_game()
end)

teardown(function()
  screen:close()
  live.stop(box)
  os.execute("rm -rf " .. folder)
end)

before_each(function()
  box:clear()
  box:reset()
  os.execute(("rm -rf %s/state %s/data"):format(screen.folder, screen.folder))
end)

local function play(game, env)
  local all = { SPRAAY_GATEWAY = box.url, SPRAAY_PRIVATE_KEY = box.key, SPRAAY_BASE_RPC = box.rpc }
  for name, value in pairs(env or {}) do all[name] = value end
  local said, status = screen:play(game or folder, "--photograph " .. screen.folder .. "/shot.png", all)
  assert.equal(0, status, said)
  return said
end

-- The picture that the gateway paints of these words, bought once more: equal words, equal picture.
local function portrait()
  local file = assert(io.open "examples/love/keeper.lua")
  local words = assert(file:read "*a":match 'LOOKS = "(.-)"')
  file:close()
  local client = live.open(box)
  local path = assert(client:image { prompt = words, width = 256, height = 256 }):save(screen.folder .. "/given.png")
  client:close()
  return path
end

local function assert_drawn()
  local different, colours, all = screen:compare(screen.folder .. "/shot.png", portrait(), X, Y)
  assert.equal(0, different)
  assert.is_true(colours > 20, colours)
  assert.is_true(all > colours + 200, all)     -- the scene around it
end

describe("examples/love", function()
  it("buys an answer and a portrait, one payment each, and draws what came", function()
    local said = play()
    local books = box:ledger()
    assert.equal(2, books.count)
    assert.equal("0.060000", books.total_usdc)
    local routes = {}
    for _, payment in ipairs(books.settled) do routes[payment.route] = true end
    assert.same({ ["POST /api/v1/compute/text-inference"] = true, ["POST /api/v1/compute/image-generation"] = true },
      routes)
    assert.matches("^said %S.*lighthouse", said)
    assert.matches("\nspent 0.06 open 0\n", said, 1, true)
    assert.is_nil(said:find "\nproblem ")
    assert_drawn()
  end)

  it("runs from a .love file with the bundle beside it", function()
    local ship = folder .. "/ship"
    assert(os.execute(("mkdir %s && cp -R %s/bundle %s"):format(ship, folder, ship)))
    assert.equal("", bundle.output(("cd examples/love && zip -q %s/keeper.love *.lua"):format(ship)))
    play(ship .. "/keeper.love")
    assert.equal(2, box:ledger().count)
    assert_drawn()
  end)

  describe("tells the player what became of the money when", function()
    it("what was paid for was lost: it was spent", function()
      box:fault("settle_then_reset", { route = "text-inference" })
      local said = play()
      assert.matches("\nverdict 0.03 USDC was spent.\n", said, 1, true)
      assert.matches("\nspent 0.06 open 0\n", said, 1, true)
      assert.equal("0.060000", box:ledger().total_usdc)
    end)

    it("nobody can say: it may have been spent", function()
      box:fault("settle_then_reset", { route = "text-inference" })
      local said = play(nil, { SPRAAY_BASE_RPC = "http://127.0.0.1:9" })
      assert.matches("\nverdict 0.03 USDC may have been spent.", said, 1, true)
      assert.matches("\nspent 0.03 open 0.03\n", said, 1, true)
    end)

    it("the gateway asks more than it should: nothing was spent", function()
      box:fault("price_raised")
      local said = play()
      assert.matches("\nverdict No money was spent.\n", said, 1, true)
      assert.matches("\nspent 0 open 0\n", said, 1, true)
      assert.equal(0, box:ledger().count)
    end)
  end)

  describe("says what is missing, and buys nothing, when", function()
    after_each(function()
      os.execute(("rm -rf %s/bundle"):format(folder))
      assert(os.execute(("cp -R %s/ship/bundle %s"):format(folder, folder)))
      assert.equal(0, box:ledger().requests)
    end)

    it("the bundle was forgotten", function()
      os.execute(("rm -rf %s/bundle"):format(folder))
      assert.matches("\nproblem The folder \"bundle\" is missing", play(), 1, true)
    end)

    it("the player has no libcurl", function()
      bundle.without_curl(folder)
      local said = play()
      assert.matches("\nproblem libcurl.so.9 is missing on this computer.", said, 1, true)
      assert.matches("\nverdict No money was spent.\n", said, 1, true)
    end)

    it("there is no wallet", function()
      assert.matches("\nproblem the environment variable SPRAAY_PRIVATE_KEY is not set",
        play(nil, { SPRAAY_PRIVATE_KEY = "" }), 1, true)
    end)
  end)
end)
