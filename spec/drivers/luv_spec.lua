-- SPDX-License-Identifier: MIT
-- What is particular to libuv's loop; what is common to all hosts is in hosts_spec.lua.
local found, uv = pcall(require, "luv")
local live = require "spec.support.live"
local spraay = require "spraay"

local test = found and it or pending
local box, client

setup(function() box = live.start {} end)
teardown(function() live.stop(box) end)

describe("the loop of luv", function()
  before_each(function()
    if found then assert(spraay.use "luv") end
    box:clear()
    box:reset()
    client = live.open(box)
  end)
  after_each(function()
    client:close()
    assert(spraay.use "auto")
  end)

  test("has nothing of ours to wait for when no task is left", function()
    local text
    spraay.spawn(function() text = assert(client:chat "one").text end)
    assert.is_true(uv.loop_alive())
    uv.run()
    assert.equal("string", type(text))
    assert.is_false(uv.loop_alive())
    assert.is_false(uv.run "nowait")
  end)

  test("may be entered again for more", function()
    local texts = {}
    for i = 1, 3 do
      spraay.spawn(function() texts[i] = assert(client:chat("text " .. i)).text end)
      uv.run()
    end
    assert.equal(3, #texts)
  end)

  test("moves tasks that its own callbacks start", function()
    local text
    local timer = uv.new_timer()
    timer:start(5, 0, function()
      timer:close()
      spraay.spawn(function()
        spraay.sleep(0.01)
        text = assert(client:chat "later").text
      end)
    end)
    uv.run()
    assert.equal("string", type(text))
  end)

  test("cannot resume what it does not know: a call in a coroutine that is no task blocks", function()
    local text, finished_first
    local timer = uv.new_timer()
    timer:start(0, 0, function()
      timer:close()
      coroutine.wrap(function() text = assert(client:chat "foreign").text end)()
      finished_first = text ~= nil
    end)
    uv.run()
    assert.is_true(finished_first)
  end)

  test("has tasks whose errors are values, and goes on", function()
    local task = spraay.spawn(function() error "not mine" end)
    local other
    spraay.spawn(function() other = assert(client:chat "other").text end)
    uv.run()
    local _, message, err = task:wait()
    assert.equal("thrown", err.code)
    assert.truthy(message:find("not mine", 1, true))
    assert.equal("string", type(other))
  end)

  test("leaves no frames to spraay.update", function()
    local ok, message, err = spraay.update(0)
    assert.is_nil(ok)
    assert.equal("update", err.code)
    assert.truthy(message:find("the loop of luv moves tasks here", 1, true), message)
  end)
end)
