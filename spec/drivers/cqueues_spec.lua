-- SPDX-License-Identifier: MIT
-- What is particular to loops of cqueues; what is common to all hosts is in hosts_spec.lua.
local cqueues = require "cqueues"
local live = require "spec.support.live"
local spraay = require "spraay"

local kill = rawget(coroutine, "close")   -- from Lua 5.4 on

local box

setup(function() box = live.start {} end)
teardown(function() live.stop(box) end)

describe("a loop of cqueues", function()
  local client
  before_each(function()
    box:clear()
    box:reset()
    client = live.open(box)
  end)
  after_each(function() client:close() end)

  for _, how in ipairs { "closed", "dropped" } do
    it(("that is %s with a call under way keeps the purchase: an equal call has its answer"):format(how), function()
      box:fault("handler_slow", { seconds = 0.2, times = 1 })
      do
        local loop = cqueues.new()
        loop:wrap(function() client:chat "abandoned" end)
        while #box:ledger().presented == 0 do loop:step(0.01) end
        if how == "closed" then loop:close() end
      end
      if how == "dropped" then
        collectgarbage()
        collectgarbage()
      else
        collectgarbage "stop"   -- a closed loop need not wait for that
      end
      local answer = assert(client:chat "abandoned")
      collectgarbage "restart"
      assert.equal(1, box:ledger().count)
      assert.equal(1, #box:ledger().presented)
      assert.equal("string", type(answer.text))
    end)
  end

  if kill then
    it("whose coroutine is killed in a call keeps the purchase, and goes on", function()
      box:fault("handler_slow", { seconds = 0.2, times = 1 })
      local loop, answer = cqueues.new(), nil
      loop:wrap(function()
        local victim
        loop:wrap(function()
          victim = coroutine.running()
          client:chat "killed"
        end)
        repeat cqueues.sleep(0.02) until #box:ledger().presented == 1
        assert(kill(victim))
        answer = assert(client:chat "killed")
      end)
      repeat
        local ok, why = loop:step(1)
        if not ok then assert.truthy(tostring(why):find("dead coroutine", 1, true), tostring(why)) end
      until loop:empty()
      assert.equal(1, #box:ledger().presented)
      assert.equal("string", type(answer.text))
    end)
  end

  it("may be one of several, each with calls of its own", function()
    local one, two, texts = cqueues.new(), cqueues.new(), {}
    one:wrap(function() texts[1] = assert(client:chat "one").text end)
    two:wrap(function() texts[2] = assert(client:chat "two").text end)
    while not (one:empty() and two:empty()) do
      assert(one:step(0.005))
      assert(two:step(0.005))
    end
    assert.equal(2, #texts)
  end)

  it("is one that tasks may wait for by its own means", function()
    local loop, began, ended = cqueues.new(), cqueues.monotime(), nil
    loop:wrap(function()
      spraay.all {
        function() cqueues.sleep(0.4) end,
        function() cqueues.sleep(0.4) end,
        function() assert(client:chat "beside") end,
      }
      ended = cqueues.monotime() - began
    end)
    assert(loop:loop(5))
    assert.is_true(ended >= 0.4 and ended < 0.75, tostring(ended))
  end)

  it("inside a task has calls that wait, while that task stands still", function()
    local text
    spraay.run(function()
      local loop = cqueues.new()
      loop:wrap(function() text = assert(client:chat "inner").text end)
      assert(loop:loop(5))
    end)
    assert.equal("string", type(text))
  end)
end)

describe("spraay.update", function()
  it("has no frames in a loop of cqueues", function()
    local message
    local loop = cqueues.new()
    loop:wrap(function() message = select(2, spraay.update(0)) end)
    assert(loop:loop())
    assert.truthy(message:find("the loop of cqueues moves tasks here", 1, true), message)
  end)
end)
