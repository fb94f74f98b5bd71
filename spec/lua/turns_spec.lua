-- SPDX-License-Identifier: MIT
-- A turn outlives nobody: whoever is killed or dropped while it is his leaves it to the next.
local fake = require "spec.support.fakecore"

local kill = rawget(coroutine, "close")   -- from Lua 5.4 on

describe("a turn", function()
  local spraay, world, turns
  before_each(function()
    spraay, world = fake.new()
    turns = require "spraay.turns"
  end)

  it("is one's own until it is left, and the next begins after the pause", function()
    local moments = {}
    local function take()
      local hold = turns.take("k", 2)
      moments[#moments + 1] = world.now - 1000
      spraay.sleep(1)
      hold:leave()
      hold:leave()
    end
    spraay.all { take, take, take }
    assert.same({ 0, 3, 6 }, moments)
  end)

  it("of one thing is no turn of another", function()
    local one, other = turns.take("one", 1), turns.take("other", 1)
    assert.equal(1000, world.now)
    one:leave()
    other:leave()
  end)

  it("is given up by a task cancelled while it waited for it, and during the pause", function()
    local first = turns.take("k", 5)
    local hold
    local waiting = spraay.spawn(function() hold = turns.take("k", 5) end)
    spraay.sleep(0.5)
    waiting:cancel()
    waiting:wait()
    assert.is_nil(hold)
    first:leave()
    local pausing = spraay.spawn(function() hold = turns.take("k", 5) end)
    spraay.sleep(1)
    pausing:cancel()
    pausing:wait()
    assert.is_nil(hold)
    assert.truthy(turns.take("k", 5))
  end)

  it("of a coroutine that was dropped is free once that is collected", function()
    coroutine.wrap(function()
      local hold = turns.take("k", 0)
      coroutine.yield()
      hold:leave()
    end)()
    collectgarbage()
    collectgarbage()
    assert.truthy(turns.take("k", 0))
    assert.equal(1000, world.now)
  end)

  if kill then
    it("of a coroutine that was killed is free at once, for those who wait at their next look", function()
      local victim, when
      spraay.run(function()
        local killed = spraay.spawn(function()
          victim = coroutine.running()
          local hold = turns.take("k", 0)
          spraay.sleep(60)
          hold:leave()
        end)
        spraay.spawn(function()
          turns.take("k", 0):leave()
          when = world.now
        end)
        spraay.sleep(2.5)
        kill(victim)
        turns.take("k", 0):leave()
        assert.equal(1002.5, world.now)
        assert.equal("thrown", select(3, killed:wait()).code)
      end)
      assert.is_true(when <= 1003.5)
    end)

    it("that was killed in the pause leaves the pause as it was", function()
      turns.take("k", 5):leave()
      local victim
      spraay.run(function()
        local killed = spraay.spawn(function()
          victim = coroutine.running()
          turns.take("k", 5)
        end)
        spraay.sleep(1)
        kill(victim)
        turns.take("k", 5)
        assert.equal(1005, world.now)
        assert.equal("thrown", select(3, killed:wait()).code)
      end)
    end)
  end
end)
