-- SPDX-License-Identifier: MIT
-- Tasks that are stopped while real payments are on their way.
local live = require "spec.support.live"
local spraay = require "spraay"

local box, client, x
local n = 0

setup(function() box = live.start { job_seconds = 0 } end)
teardown(function() live.stop(box) end)
before_each(function()
  box:clear()
  box:reset()
  client = live.open(box, { timeout = { connect = 2, idle = 5, total = 5 } })
  n = n + 1
  x = "question " .. n
end)
after_each(function() client:close() end)

-- The handler takes this long, so that there is a while in which the payment has left.
local function slow(seconds) box:fault("handler_slow", { times = 1, seconds = seconds or 0.4 }) end
local function until_presented() repeat spraay.sleep(0.02) until #box:ledger().presented == 1 end
local function until_settled() repeat spraay.sleep(0.02) until box:ledger().count == 1 end

describe("calls inside spraay.run", function()
  it("overlap", function()
    box:fault("handler_slow", { seconds = 0.3 })
    local began = os.time()
    local results, errors = spraay.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function(i)
      return client:chat(("%s, %d"):format(x, i))
    end)
    assert.same({}, errors)
    assert.equal(8, #results)
    assert.equal(8, box:ledger().count)
    assert.is_true(os.time() - began < 2)   -- one after the other it would be 2.4 s
  end)

  it("of equal arguments at the same time are separate purchases", function()
    local results = spraay.all { function() return client:chat(x) end, function() return client:chat(x) end }
    assert.not_equal(results[1].payment.purchase, results[2].payment.purchase)
    assert.equal(2, box:ledger().count)
  end)
end)

describe("a task cancelled", function()
  it("before anything left is aborted, and nothing is paid", function()
    box:fault("handler_slow", { times = 1, seconds = 0.3, leg = "probe" })
    local task = spraay.spawn(client.chat, client, x)
    spraay.sleep(0)
    assert.equal("aborted", task:cancel())
    local value, message, err = task:wait()
    assert.is_nil(value)
    assert.equal("cancelled", err.kind)
    assert.equal("no", err.paid)
    assert.truthy(message:find("Nothing was paid", 1, true))
    spraay.sleep(0.2)
    assert.equal(0, #box:ledger().presented)
  end)

  it("after its payment left is finished by the engine, and an equal call gets the answer", function()
    slow()
    local task = spraay.spawn(client.chat, client, x)
    until_presented()
    assert.equal("detached", task:cancel())
    local value, message, err = task:wait()
    assert.is_nil(value)
    assert.equal("cancelled", err.kind)
    assert.equal("maybe", err.paid)
    assert.equal("0.030000", err.amount)
    assert.truthy(message:find("again", 1, true), message)
    local result = assert(client:chat(x))
    assert.equal(err.purchase, result.payment.purchase)
    assert.equal(1, box:ledger().count)
    assert.equal(1, #box:ledger().presented)
  end)
end)

describe("spraay.within", function()
  it("attaches the task, which brings what was paid for", function()
    slow()
    local value, message, err = spraay.within(0.15, function() return client:chat(x).text, "and more" end)
    assert.is_nil(value)
    assert.equal("timeout", err.kind)
    assert.equal("maybe", err.paid)
    assert.equal("0.030000", err.amount)
    assert.truthy(message:find("err.task:wait()", 1, true))
    local text, more = err.task:wait()
    assert.is_true(#text > 0)
    assert.equal("and more", more)
    assert.equal(1, box:ledger().count)
  end)

  it("begins nothing after its time", function()
    slow(0.3)
    local _, _, err = spraay.within(0.15, function()
      client:chat(x)
      return client:chat "another"
    end)
    local value, _, second = err.task:wait()
    assert.is_nil(value)
    assert.equal("cancelled", second.kind)
    spraay.sleep(0.1)
    assert.equal(1, box:ledger().count)
  end)
end)

describe("spraay.first", function()
  it("pays the loser that had left, names it, and stops the one that had not", function()
    slow(0.5)
    local value, index, left = spraay.first {
      function() return client:chat(x) end,
      function() until_presented() return "quick" end,
      function() spraay.sleep(30) return client:chat "never" end,
    }
    assert.equal("quick", value)
    assert.equal(2, index)
    assert.equal(1, #left)
    assert.is_true(#left[1]:wait().text > 0)
    assert.equal(1, box:ledger().count)
  end)
end)

describe("a plain script's timeout", function()
  it("leaves the payment in the air, and the same call picks the answer up", function()
    slow(0.6)
    local value, _, err = client:chat(x, { timeout = 0.3 })
    assert.is_nil(value)
    assert.equal("timeout", err.kind)
    assert.equal("maybe", err.paid)
    until_settled()
    local result = assert(client:chat(x))
    assert.equal(err.purchase, result.payment.purchase)
    assert.equal(1, box:ledger().count)
  end)
end)
