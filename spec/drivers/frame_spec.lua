-- SPDX-License-Identifier: MIT
-- spraay.update on a clock that stands still: what it begins within its time, and what it leaves to the next frame.
local fake = require "spec.support.fakecore"

-- `n` answers are there; to take one costs a second. Returns how many were taken so far.
local function answers(world, n)
  local taken = 0
  for _ = 1, n do
    world.at(0, function()
      taken = taken + 1
      world.now = world.now + 1
    end)
  end
  return function() return taken end
end

describe("spraay.update(seconds)", function()
  -- The whole of what had come was taken at once, however long that took.
  it("takes answers one by one, and none after its time", function()
    local spraay, world = fake.new()
    local taken = answers(world, 5)
    spraay.update(1.5)
    assert.equal(2, taken())
    spraay.update(2)
    assert.equal(4, taken())
    spraay.update(60)
    assert.equal(5, taken())
  end)

  it("takes all of them when no time is given", function()
    local spraay, world = fake.new()
    local taken = answers(world, 5)
    spraay.update()
    assert.equal(5, taken())
  end)

  it("resumes nobody when its answers took all the time", function()
    local spraay, world = fake.new()
    answers(world, 1)
    local ran = false
    spraay.spawn(function() ran = true end)
    assert.equal(1, spraay.update(1))
    assert.is_false(ran)
    assert.equal(0, spraay.update(1))
    assert.is_true(ran)
  end)

  it("gives a task its turn between two answers, so that many of them keep nobody waiting", function()
    local spraay, world = fake.new()
    local taken, seen = answers(world, 100), {}
    for i = 1, 3 do
      spraay.spawn(function() seen[i] = taken() end)
    end
    for _ = 1, 3 do spraay.update(2) end
    assert.same({ 1, 3, 5 }, seen)
  end)

  it("resumes a task that yields by itself once per frame", function()
    local spraay = fake.new()
    local turns = 0
    spraay.spawn(function()
      while turns < 3 do
        turns = turns + 1
        coroutine.yield()
      end
    end)
    for frame = 1, 3 do
      assert.equal(1, spraay.update(10))
      assert.equal(frame, turns)
    end
    assert.equal(0, spraay.update(10))
  end)

  it("with 0 takes one answer and resumes nobody", function()
    local spraay, world = fake.new()
    local taken, ran = answers(world, 2), false
    spraay.spawn(function() ran = true end)
    spraay.update(0)
    assert.same({ 1, false }, { taken(), ran })
  end)

  for _, bad in ipairs { { -1, "negative" }, { 0 / 0, "no number" }, { "0.002", "a string" } } do
    it("refuses seconds that are " .. bad[2], function()
      local spraay = fake.new()
      local ok, message = pcall(spraay.update, bad[1])
      assert.is_false(ok)
      assert.matches("expected seconds", message, 1, true)
    end)
  end
end)

describe("a task of a game", function()
  local function asking()
    local spraay, world = fake.new()
    world.answer = function() return { price = "30000", after = 1, body = { choices = {} } } end
    return spraay, world, assert(spraay.open {})
  end

  it("is polled with done(), which waits for nothing", function()
    local spraay, world, client = asking()
    local task = spraay.spawn(function() return client:chat "x" end)
    local frames = 0
    while not task:done() do
      spraay.update(0.002)
      world.now = world.now + 1 / 60
      frames = frames + 1
    end
    assert.is_true(frames > 30, frames)
    assert.equal("settled", task:wait().payment.status)
  end)

  -- Documented: without update nothing moves. Nothing is signed either.
  it("never ends and costs nothing in a game that forgets update", function()
    local spraay, world, client = asking()
    local task = spraay.spawn(function() return client:chat "x" end)
    for _ = 1, 1000 do
      world.now = world.now + 1 / 60
      assert.is_false(task:done())
    end
    assert.equal(0, #world.settled)
    assert.equal("settled", task:wait().payment.status)     -- whoever waits moves it
  end)
end)
