-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"

-- A world whose gateway answers every chat with its own prompt, after `after` seconds.
local function chatting(after, fields)
  local spraay, world = fake.new()
  world.answer = function(request)
    local answer = { price = "30000", after = after or 0.1,
      body = { choices = { { message = { content = request.body:match("\"content\":\"(.-)\"") } } } } }
    for key, value in pairs(fields or {}) do answer[key] = value end
    return answer
  end
  return spraay, world, assert(spraay.open {})
end

describe("a call", function()
  it("blocks in a plain script", function()
    local _, world, client = chatting()
    assert.equal("a", client:chat("a").text)
    assert.is_true(world.now > 1000.1)
  end)

  it("yields inside a task, so that calls overlap", function()
    local spraay, world, client = chatting(1)
    local start = world.now
    spraay.run(function()
      for i = 1, 10 do spraay.spawn(client.chat, client, "n" .. i) end
    end)
    assert.equal(10, #world.settled)
    assert.is_true(world.now - start < 1.2)
  end)

  it("blocks inside a coroutine of somebody else, even within a task", function()
    local spraay, _, client = chatting()
    local texts = spraay.run(function()
      local co = coroutine.wrap(function()
        coroutine.yield(client:chat("one").text)
        coroutine.yield(client:chat("two").text)
      end)
      return { co(), co() }
    end)
    assert.same({ "one", "two" }, texts)
  end)

  it("never yields after spraay.use \"block\"", function()
    local spraay, world, client = chatting(1)
    assert.is_true(spraay.use "block")
    local start = world.now
    spraay.run(function()
      for i = 1, 3 do spraay.spawn(client.chat, client, "n" .. i) end
    end)
    assert.is_true(world.now - start > 3)
    spraay.use "auto"
  end)

  it("has no driver this version does not know", function()
    local spraay = fake.new()
    local ok, message, err = spraay.use "tea"
    assert.is_nil(ok)
    assert.equal("usage", err.kind)
    assert.truthy(message:find('The drivers are "auto", "block", "own", "frame"', 1, true), message)
    assert.truthy(select(2, spraay.use "lvu"):find('Did you mean "luv"?', 1, true))
    assert.falsy(spraay.use(nil))
  end)
end)

describe("spraay.run", function()
  it("returns what the function returns, nils included", function()
    local spraay = fake.new()
    assert.equal(3, select("#", spraay.run(function(a, b) return a, nil, b end, 1, 2)))
    assert.same({ 1, 2 }, { spraay.run(function(a, b) return a, b end, 1, 2) })
  end)

  it("ends only when every task spawned inside has ended", function()
    local spraay = fake.new()
    local seen = {}
    spraay.run(function()
      spraay.spawn(function()
        spraay.sleep(1)
        spraay.spawn(function() spraay.sleep(1) seen[#seen + 1] = "grandchild" end)
        seen[#seen + 1] = "child"
      end)
      seen[#seen + 1] = "main"
    end)
    assert.same({ "main", "child", "grandchild" }, seen)
  end)

  it("throws what its function threw, after what was paid for has been finished", function()
    local spraay, world, client = chatting(1)
    local text
    local ok, thrown = pcall(spraay.run, function()
      spraay.spawn(function() text = client:chat("paid").text end)
      local late = spraay.spawn(function() spraay.sleep(50) client:chat("never") end)
      spraay.sleep(0.2)
      assert(late)
      error({ mine = true })
    end)
    assert.is_false(ok)
    assert.is_true(thrown.mine)
    assert.equal("paid", text)
    assert.equal(1, #world.settled)
  end)

  it("may be used inside itself", function()
    local spraay = fake.new()
    assert.equal("inner", spraay.run(function()
      return spraay.run(function() spraay.sleep(1) return "inner" end)
    end))
  end)
end)

describe("a task", function()
  it("may be spawned and waited for outside any run", function()
    local spraay, _, client = chatting()
    local task = spraay.spawn(function() return client:chat("x").text, 2 end)
    assert.is_false(task:done())
    assert.same({ "x", 2 }, { task:wait() })
    assert.is_true(task:done())
    assert.equal("task (done)", tostring(task))
  end)

  it("that throws gives nil, a sentence and an error to who waits", function()
    local spraay = fake.new()
    local task = spraay.spawn(function() error("boom", 0) end)
    local value, message, err = task:wait()
    assert.is_nil(value)
    assert.truthy(message:find("boom", 1, true))
    assert.equal("thrown", err.code)
    assert.truthy(err.traceback)
  end)

  it("goes on when a wait for it has timed out", function()
    local spraay = fake.new()
    local task = spraay.spawn(function() spraay.sleep(5) return "late" end)
    local value, _, err = task:wait { timeout = 1 }
    assert.is_nil(value)
    assert.equal("timeout", err.kind)
    assert.equal("late", task:wait())
  end)

  it("that has not paid when a wait for it times out has paid nothing", function()
    local spraay, world, client = chatting(1)
    spraay.run(function()
      local task = spraay.spawn(client.chat, client, "x")
      local value, _, err = task:wait { timeout = 0.01 }
      assert.is_nil(value)
      assert.equal("no", err.paid)
      value, _, err = task:wait { timeout = 0.5 }
      assert.is_nil(value)
      assert.equal("maybe", err.paid)
      assert.equal("0.030000", err.amount)
      assert.equal("x", task:wait().text)
    end)
    assert.equal(1, #world.settled)
  end)

  it("cancelled before a payment left is aborted and costs nothing", function()
    local spraay, world, client = chatting(1)
    spraay.run(function()
      local task = spraay.spawn(client.chat, client, "x")
      spraay.sleep(0.01)
      assert.equal("aborted", task:cancel())
      local value, _, err = task:wait()
      assert.is_nil(value)
      assert.equal("cancelled", err.kind)
      assert.equal("no", err.paid)
    end)
    assert.equal(0, #world.settled)
  end)

  it("cancelled after its payment left is detached, and an equal call gets the answer", function()
    local spraay, world, client = chatting(1)
    spraay.run(function()
      local task = spraay.spawn(client.chat, client, "x")
      spraay.sleep(0.5)
      assert.equal("detached", task:cancel())
      local value, _, err = task:wait()
      assert.is_nil(value)
      assert.equal("maybe", err.paid)
      assert.equal("0.030000", err.amount)
      spraay.sleep(2)
      assert.equal("restored", client:chat("x").payment.status)
      assert.equal("done", task:cancel())
    end)
    assert.equal(1, #world.settled)
  end)

  it("that ignores its cancellation is ended at its next call", function()
    local spraay = fake.new()
    local tries = 0
    local task = spraay.spawn(function()
      while true do
        tries = tries + 1
        spraay.sleep(1)
      end
    end)
    spraay.sleep(0.5)
    task:cancel()
    local value, _, err = task:wait()
    assert.is_nil(value)
    assert.equal("cancelled", err.kind)
    assert.equal(2, tries)
  end)
end)

describe("spraay.all and spraay.map", function()
  it("give arrays without holes and the errors beside them", function()
    local spraay, _, client = chatting()
    local results, errors = spraay.all {
      function() return client:chat("a").text end,
      function() return client:chat {} end,
      function() end,
      function() error("boom", 0) end,
    }
    assert.equal("a", results[1])
    assert.is_false(results[2])
    assert.equal("usage", errors[2].kind)
    assert.is_true(results[3])
    assert.is_false(results[4])
    assert.equal("thrown", errors[4].code)
    assert.is_nil(errors[1])
  end)

  -- The error said that nothing was paid.
  it("say what an item had paid that then threw, and what the others had not", function()
    local spraay, _, client = chatting()
    local _, failures = spraay.map({ "a", "b", "c" }, { limit = 1 }, function(text)
      if text ~= "b" then assert(client:chat(text)) end
      error("boom " .. text, 0)
    end)
    assert.same({ "yes", "no", "yes" }, { failures[1].paid, failures[2].paid, failures[3].paid })
    assert.equal("0.030000", failures[1].amount)
    assert.equal("0.030000", failures[3].amount)
    local err = select(3, spraay.within(5, function()
      spraay.map({ "d", "e" }, { limit = 1 }, function(text) client:chat(text) end)
      spraay.sleep(60)
    end))
    assert.equal("0.060000", err.amount)
  end)

  it("keep to the limit, and to the order of the list", function()
    local spraay = fake.new()
    local now, most = 0, 0
    local results, errors = spraay.map({ 5, 4, 3, 2, 1 }, { limit = 2 }, function(item, index)
      now = now + 1
      most = math.max(most, now)
      spraay.sleep(item)
      now = now - 1
      return index * 10
    end)
    assert.same({ 10, 20, 30, 40, 50 }, results)
    assert.same({}, errors)
    assert.equal(2, most)
  end)

  it("take no option they do not know", function()
    local spraay = fake.new()
    assert.error(function() spraay.map({}, { limt = 2 }, function() end) end)
    assert.error(function() spraay.all { 5 } end)
  end)

  it("cancel their children when they are cancelled", function()
    local spraay, world, client = chatting(1)
    local results, errors
    local task = spraay.spawn(function()
      results, errors = spraay.map({ "a", "b", "c" }, { limit = 1 },
        function(text) return client:chat(text) end)
    end)
    spraay.sleep(1.5)   -- "a" is paid and done, "b" is on its way
    assert.equal("detached", task:cancel())
    task:wait()
    assert.equal("a", results[1].text)
    assert.equal("cancelled", errors[2].kind)
    assert.equal("maybe", errors[2].paid)
    assert.equal("no", errors[3].paid)
    spraay.sleep(3)
    assert.equal(2, #world.settled)
  end)
end)

describe("spraay.first", function()
  it("gives the first to succeed, and cancels who has not paid", function()
    local spraay, world, client = chatting()
    local value, index, left = spraay.first {
      function() spraay.sleep(10) return client:chat("slow").text end,
      function() return client:chat("quick").text end,
      function() return nil, "failed" end,
    }
    assert.equal("quick", value)
    assert.equal(2, index)
    assert.same({}, left)
    assert.equal(1, #world.settled)
  end)

  it("finishes losers whose payment had left, and names them", function()
    local spraay, world, client = chatting(1)
    local _, index, left = spraay.first {
      function() return client:chat("paid").text end,
      function() spraay.sleep(0.5) return "winner" end,
    }
    assert.equal(2, index)
    assert.equal("paid", left[1]:wait())
    assert.equal(1, #world.settled)
  end)

  it("adds up what was paid and what may have been when all fail", function()
    local spraay, world, client = chatting()
    world.answer = function(request)
      return { price = "30000", status = 502, error = { kind = "gateway", message = "502",
        paid = request.body:find("sure", 1, true) and "yes" or "maybe", atomic = "30000" } }
    end
    local value, message, err = spraay.first {
      function() return client:chat "sure" end, function() return client:chat "perhaps" end,
      function() return client:chat {} end,
    }
    assert.is_nil(value)
    assert.equal("maybe", err.paid)
    assert.equal("0.060000", err.amount)
    assert.truthy(message:find("0.060000 USDC may have been paid", 1, true))
  end)

  it("fails when all fail", function()
    local spraay = fake.new()
    local value, message, err = spraay.first { function() return nil, "one" end, function() return nil,
      "two" end }
    assert.is_nil(value)
    assert.truthy(message:find("two", 1, true))
    assert.equal(2, #err.errors)
  end)
end)

describe("spraay.within", function()
  it("gives the results when they come in time", function()
    local spraay = fake.new()
    assert.same({ 1, 2 }, { spraay.within(1, function(a, b) spraay.sleep(0.5) return a, b end, 1, 2) })
  end)

  it("aborts what was not paid, and finishes what was", function()
    local spraay, world, client = chatting(5)
    local value, _, err = spraay.within(0.01, client.chat, client, "early")
    assert.is_nil(value)
    assert.equal("timeout", err.kind)
    assert.equal("no", err.paid)
    value, _, err = spraay.within(1, client.chat, client, "late")
    assert.is_nil(value)
    assert.equal("maybe", err.paid)
    assert.equal("late", err.task:wait().text)
    assert.equal(1, #world.settled)
  end)

  -- Payments were booked on the task that made them alone, so work done side by side went unmentioned.
  it("says what was paid in the tasks it started, too", function()
    local spraay, world, client = chatting(0.1)
    local value, message, err = spraay.within(5, function()
      spraay.map({ "a", "b" }, function(text) return client:chat(text) end)
      spraay.spawn(client.chat, client, "c")
      spraay.sleep(60)
    end)
    assert.is_nil(value)
    assert.equal(3, #world.settled)
    assert.equal("yes", err.paid)
    assert.equal("0.090000", err.amount)
    assert.truthy(message:find("0.090000 USDC was paid", 1, true))
  end)

  it("does not hide what may be paid behind what was", function()
    local spraay, _, client = chatting(2)
    local value, _, err = spraay.within(3, function()
      client:chat "one"
      client:chat "two"
    end)
    assert.is_nil(value)
    assert.equal("maybe", err.paid)
    assert.equal("0.060000", err.amount)
    err.task:wait()
  end)

  it("keeps no chain of tasks that started each other", function()
    local spraay = fake.new()
    local task
    local function again(n)
      if n > 0 then task = spraay.spawn(again, n - 1) end
    end
    spraay.run(again, 50)
    local depth = 0
    while task.parent do task, depth = task.parent, depth + 1 end
    assert.is_true(depth <= 2)
  end)

  it("says what was paid before the time was over", function()
    local spraay, _, client = chatting(0.1)
    local value, _, err = spraay.within(5, function()
      client:chat "one"
      spraay.sleep(60)
    end)
    assert.is_nil(value)
    assert.equal("yes", err.paid)
    assert.equal("0.030000", err.amount)
  end)
end)

describe("spraay.update", function()
  it("moves tasks once per frame without waiting", function()
    local spraay, world, client = chatting(1)
    local task = spraay.spawn(function() return client:chat("frame").text end)
    local frames = 0
    while spraay.update(0.004) > 0 do
      frames = frames + 1
      world.now = world.now + 1 / 60
    end
    assert.is_true(frames > 50)
    assert.equal("frame", task:wait())
  end)

  it("begins nothing after its time", function()
    local spraay, world = fake.new()
    local ran = 0
    for _ = 1, 5 do
      spraay.spawn(function()
        ran = ran + 1
        world.now = world.now + 1
      end)
    end
    spraay.update(1.5)
    assert.equal(2, ran)
    spraay.update()
    assert.equal(5, ran)
  end)
end)

describe("spraay.pcall", function()
  it("lets a call wait inside it on every Lua", function()
    local spraay, _, client = chatting()
    local ok, text = spraay.run(function()
      return spraay.pcall(function() return client:chat("x").text end)
    end)
    assert.is_true(ok)
    assert.equal("x", text)
    assert.same({ false, "boom" }, { spraay.run(function()
      return spraay.pcall(function() spraay.sleep(1) error("boom", 0) end)
    end) })
  end)
end)
