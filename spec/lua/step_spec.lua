-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"

describe("client:step", function()
  local spraay, world, client

  before_each(function()
    spraay, world = fake.new()
    world.answer = function() return { price = "30000", body = { choices = {} } } end
    client = assert(spraay.open { run = "lighthouse", ledger = false })
  end)

  -- The steps of the calls that were made, by what was asked.
  local function steps()
    local out = {}
    for _, call in ipairs(world.calls) do out[call.body:match "q%w*"] = call.step or "none" end
    return out
  end

  it("names the calls made inside, and no others", function()
    client:chat "q1"
    client:step("scenes", function() client:chat "q2" end)
    client:chat "q3"
    assert.same({ q1 = "none", q2 = "scenes", q3 = "none" }, steps())
  end)

  it("joins the names of steps inside steps", function()
    client:step("film", function()
      client:step("scene 1", function() client:chat "q1" end)
      client:chat "q2"
    end)
    assert.same({ q1 = "film/scene 1", q2 = "film" }, steps())
  end)

  it("returns what the function returns, nils included", function()
    assert.same({ n = 3, 1, nil, 3 }, require "spraay.compat".pack(client:step("a", function() return 1, nil, 3 end)))
    assert.equal(0, select("#", client:step("a", function() end)))
  end)

  it("lets errors through as they are, and is over then", function()
    local thrown = {}
    local ok, value = pcall(client.step, client, "a", function() error(thrown) end)
    assert.is_false(ok)
    assert.equal(thrown, value)
    client:chat "q1"
    assert.same({ q1 = "none" }, steps())
  end)

  it("goes along into the tasks that are started inside", function()
    spraay.run(function()
      local before = spraay.spawn(function() spraay.sleep(1) client:chat "q1" end)
      local inside
      client:step("a", function()
        inside = spraay.spawn(function() spraay.sleep(2) client:chat "q2" end)
        spraay.map({ "q3", "q4" }, function(text) return client:chat(text) end)
        spraay.all { function() return client:chat "q5" end }
      end)
      before:wait()
      inside:wait()
      client:chat "q6"
    end)
    assert.same({ q1 = "none", q2 = "a", q3 = "a", q4 = "a", q5 = "a", q6 = "none" }, steps())
  end)

  it("of one task is not that of another which runs meanwhile", function()
    spraay.run(function()
      spraay.map({ "1", "2", "3" }, function(n)
        return client:step("step" .. n, function()
          spraay.sleep(tonumber(n))
          return client:chat("q" .. n)
        end)
      end)
    end)
    assert.same({ q1 = "step1", q2 = "step2", q3 = "step3" }, steps())
  end)

  it("of the main program is not that of a task that goes on meanwhile", function()
    spraay.spawn(function() client:chat "q1" end)
    client:step("main", function() client:chat "q2" end)
    assert.same({ q1 = "none", q2 = "main" }, steps())
  end)

  it("of somebody else's coroutine stays in it", function()
    if not require "spraay.compat".pcall_yields then return end
    local co = coroutine.create(function()
      client:step("co", function()
        client:chat "q1"
        coroutine.yield()
        client:chat "q3"
      end)
    end)
    coroutine.resume(co)
    client:chat "q2"
    coroutine.resume(co)
    assert.same({ q1 = "co", q2 = "none", q3 = "co" }, steps())
  end)

  it("is seen inside spraay.pcall, and survives what that catches", function()
    spraay.run(function()
      client:step("a", function()
        assert.is_false((spraay.pcall(function()
          client:step("b", function()
            client:chat "q1"
            error "no"
          end)
        end)))
        client:chat "q2"
      end)
    end)
    assert.same({ q1 = "a/b", q2 = "a" }, steps())
  end)

  it("belongs to one client: another's calls are not in it", function()
    local other = assert(spraay.open { run = "other", ledger = false })
    client:step("a", function()
      other:chat "q1"
      other:step("b", function() client:chat "q2" other:chat "q3" end)
    end)
    assert.same({ q1 = "none", q2 = "a", q3 = "b" }, steps())
  end)

  it("is for named runs, and says so", function()
    local value, message, err = assert(spraay.open { ledger = false }):step("a", function() end)
    assert.is_nil(value)
    assert.equal("usage", err.kind)
    assert.truthy(message:find("run = ", 1, true))
    assert.has_error(function() assert(spraay.open { errors = "raise" }):step("a", function() end) end)
  end)

  for _, case in ipairs { { "", "short text" }, { 5, "short text" }, { ("x"):rep(200), "short text" },
    { "a\nb", "short text" }, { "a", "a function", true } } do
    it("refuses a name or function that is none: " .. tostring(case[1]):sub(1, 10), function()
      local value, message, err = client:step(case[1], not case[3] and function() end or nil)
      assert.is_nil(value)
      assert.equal("usage", err.kind)
      assert.truthy(message:find(case[2], 1, true), message)
    end)
  end

  it("cannot be nested without end", function()
    local message
    local function deeper()
      local _, why = client:step(("x"):rep(100), deeper)
      message = message or why
    end
    deeper()
    assert.truthy(message:find("nested too deep", 1, true))
  end)
end)

describe("a named run", function()
  it("started again gets every paid answer back, and pays only for the rest", function()
    local spraay, world = fake.new()
    world.answer = function(request) return { price = "30000", body = { said = request.body } } end
    local function script(last)
      local client = assert(spraay.open { run = "r", ledger = false })
      local statuses = {}
      for i = 1, last do
        client:step("part " .. i, function()
          for _ = 1, 2 do statuses[#statuses + 1] = assert(client:chat "same").payment.status end
        end)
      end
      return table.concat(statuses, " "), client
    end
    assert.equal("settled settled", (script(1)))
    world.restart()
    local statuses, client = script(2)
    assert.equal("restored restored settled settled", statuses)
    assert.equal(4, #world.settled)
    assert.equal(2, assert(client:summary()).restored)
  end)
end)
