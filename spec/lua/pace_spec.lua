-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"

describe("pacing", function()
  local function paced(rate)
    local spraay, world = fake.new()
    world.answer = function(request)
      return { price = request.class ~= "free" and "1000" or nil, after = 0, body = { choices = {} } }
    end
    return world, assert(spraay.open { rate = rate, per_day = "100", futures = "ledger" })
  end

  it("fits fifteen paid calls into a minute of the gateway's limiter, and makes the sixteenth wait",
    function()
    local world, client = paced()
    local start = world.now
    for i = 1, 15 do assert(client:chat("n" .. i)) end
    assert.is_true(world.now - start < 2)
    assert(client:chat "n16")
    assert.is_true(world.now - start >= 60)
  end)

  it("knows that deposits have a smaller limit", function()
    local world, client = paced()
    local start = world.now
    world.answer = function() return { price = "10000", body = { computeFuture = { id = "CFE-1" } } } end
    for i = 1, 5 do assert(client.futures:deposit { amount = tostring(i) }) end
    assert.is_true(world.now - start < 2)
    assert(client.futures:deposit { amount = "6" })
    assert.is_true(world.now - start >= 60)
  end)

  it("does not hold up what the gateway does not count", function()
    local world, client = paced()
    local start = world.now
    for i = 1, 40 do assert(client:status("p" .. i)) end
    for i = 1, 15 do assert(client:chat("n" .. i)) end
    for i = 1, 15 do assert(client:speak("n" .. i)) end   -- another path, another count
    assert.is_true(world.now - start < 10)
  end)

  it("says so when a call's own time would be over first", function()
    local _, client = paced()
    for i = 1, 15 do assert(client:chat("n" .. i)) end
    local value, message, err = client:chat("n16", { timeout = 5 })
    assert.is_nil(value)
    assert.equal("timeout", err.kind)
    assert.equal("rate", err.code)
    assert.is_true(err.retry_after > 50)
    assert.truthy(message:find("Nothing was paid", 1, true))
  end)

  it("can be turned off, or set", function()
    local world, client = paced(false)
    local start = world.now
    for i = 1, 40 do assert(client:chat("n" .. i)) end
    assert.is_true(world.now - start < 5)
    world, client = paced { limit = 4, window = 10 }
    start = world.now
    for i = 1, 3 do assert(client:chat("n" .. i)) end
    assert.is_true(world.now - start >= 10 and world.now - start < 12)
  end)
end)
