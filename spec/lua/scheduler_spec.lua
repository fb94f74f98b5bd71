-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"
local spec = require "spec.helper"

describe("waiting", function()
  it("hardly costs a step, however long it lasts", function()
    local spraay, world = fake.new()
    spraay.sleep(3600)
    assert.is_true(world.now >= 4600)
    assert.is_true(world.steps <= 62, world.steps)
    world.steps = 0
    spraay.run(function()
      for i = 1, 10 do spraay.spawn(spraay.sleep, i * 10) end
    end)
    assert.is_true(world.steps < 40, world.steps)
  end)

  it("of a call in the air does not turn in circles", function()
    local spraay, world = fake.new()
    world.answer = function() return { price = "30000", after = 100, body = { choices = {} } } end
    local client = assert(spraay.open {})
    assert(client:chat "x")
    assert.is_true(world.steps < 10, world.steps)
    world.steps = 0
    spraay.run(function() spraay.spawn(client.chat, client, "y") end)
    assert.is_true(world.steps < 12, world.steps)
  end)

  it("for a moment that has passed is over at once", function()
    local spraay, world = fake.new()
    for _ = 1, 100 do spraay.sleep(0) end
    spraay.run(function() for _ = 1, 100 do spraay.sleep(0) end end)
    assert.equal(1000, world.now)
  end)

  -- A step that failed was taken for one that brought nothing, and tried again for ever.
  it("ends with an error when the engine fails", function()
    local spraay, world = fake.new()
    world.broken = true
    for _, wait in ipairs {
      function() spraay.sleep(1) end,
      function() spraay.run(function() spraay.sleep(1) end) end,
      function() spraay.run(function() coroutine.wrap(function() spraay.sleep(1) end)() end) end,
      function() spraay.update() end,
    } do
      local ok, message = pcall(wait)
      assert.is_false(ok)
      assert.truthy(tostring(message):find("system call failed", 1, true), tostring(message))
    end
  end)

  it("for each other is an error, not for ever", function()
    local spraay = fake.new()
    local one, two
    one = spraay.spawn(function() return two:wait() end)
    two = spraay.spawn(function() return one:wait() end)
    local ok, message = pcall(one.wait, one)
    assert.is_false(ok)
    assert.truthy(message:find("nothing can wake", 1, true))
  end)
end)

describe("timers", function()
  it("fire in order, whatever order they were set in", function()
    local spraay = fake.new()
    local roll = spec.dice(7)
    local woken, wanted = {}, {}
    spraay.run(function()
      for i = 1, 200 do
        local seconds = roll(50) + 1
        wanted[i] = seconds
        spraay.spawn(function()
          spraay.sleep(seconds)
          woken[#woken + 1] = seconds
        end)
      end
    end)
    table.sort(wanted)
    assert.same(wanted, woken)
  end)

  it("of a wait that ended early wake nobody later", function()
    local spraay, world = fake.new()
    local quick = spraay.spawn(function() spraay.sleep(1) return "early" end)
    local seen = {}
    spraay.run(function()
      seen[1] = quick:wait { timeout = 10 }
      seen[2] = spraay.sleep(100)
      seen[3] = world.now
    end)
    assert.same({ "early", true }, { seen[1], seen[2] })
    assert.is_true(seen[3] >= 1101)
  end)
end)

describe("a script's own yield", function()
  it("lets the others have their turn, and the task goes on", function()
    local spraay = fake.new()
    local seen = {}
    spraay.run(function()
      spraay.spawn(function()
        for i = 1, 3 do
          seen[#seen + 1] = "a" .. i
          coroutine.yield()
        end
      end)
      spraay.spawn(function()
        for i = 1, 3 do
          seen[#seen + 1] = "b" .. i
          coroutine.yield("mine", 5)
        end
      end)
    end)
    assert.same({ "a1", "b1", "a2", "b2", "a3", "b3" }, seen)
  end)

  it("inside a coroutine of its own never reaches the scheduler", function()
    local spraay = fake.new()
    assert.same({ 1, 2 }, spraay.run(function()
      local next = coroutine.wrap(function() coroutine.yield(1) coroutine.yield(2) end)
      return { next(), next() }
    end))
  end)
end)

describe("other tasks", function()
  it("stand still while a foreign coroutine inside a task blocks", function()
    local spraay = fake.new()
    local ran = 0
    spraay.run(function()
      spraay.spawn(function() ran = ran + 1 end)
      coroutine.wrap(function() spraay.sleep(5) end)()
      assert.equal(0, ran)
      spraay.sleep(0)
      assert.equal(1, ran)
    end)
  end)

  it("go on when one of them is what it waits for", function()
    local spraay = fake.new()
    assert.equal("done", spraay.run(function()
      local task = spraay.spawn(function() spraay.sleep(2) return "done" end)
      return (coroutine.wrap(function() return (task:wait()) end)())
    end))
  end)

  it("go on while the main program waits", function()
    local spraay = fake.new()
    local ran = 0
    spraay.spawn(function() for _ = 1, 3 do spraay.sleep(1) ran = ran + 1 end end)
    spraay.sleep(2.5)
    assert.equal(2, ran)
  end)
end)
