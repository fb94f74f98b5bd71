-- SPDX-License-Identifier: MIT
-- Lists against the sandbox: what is bought, what fails in part, and what a retry buys.
local live = require "spec.support.live"
local spraay = require "spraay"

local box, client
local n = 0

setup(function() box = live.start { job_seconds = 0 } end)
teardown(function() live.stop(box) end)
before_each(function()
  box:clear()
  box:reset()
  n = n + 1
  client = live.open(box, { retries = 0, timeout = { total = 1.5 } })
end)
after_each(function() client:close() end)

local function texts(count)
  local list = {}
  for i = 1, count do list[i] = ("text %d of %d"):format(i, n) end
  return list
end

local function alone(text)
  return assert(client:embed(text, { scope = "alone" })).vectors[1]
end

describe("client:embed of a list", function()
  it("buys one call per text, or one batch where that is cheaper", function()
    local few = assert(client:embed(texts(3)))
    assert.equal("0.015000", few.payment.amount)
    assert.equal(3, #few.payment.parts)
    assert.equal(3, box:ledger().count)
    box:reset()
    local many = assert(client:embed { input = texts(20), model = "bge" })
    assert.equal("0.050000", many.payment.amount)
    assert.equal(1, box:ledger().count)
    for i = 1, 3 do assert.equal(64, #many.vectors[i]) end
  end)

  it("gives the vectors in the order of the texts", function()
    local list = texts(4)
    local result = assert(client:embed(list))
    for i, text in ipairs(list) do assert.same(alone(text), result.vectors[i]) end
  end)

  it("that fails in part has what was paid for in err.results, and a retry buys only the rest", function()
    local list = texts(3)
    box:fault("upstream_503", { times = 1, after = 1, route = "embeddings" })
    local value, message, err = client:embed(list)
    assert.is_nil(value)
    assert.truthy(message:find("1 of 3 inputs", 1, true), message)
    assert.truthy(message:find("Make the same call again", 1, true), message)
    assert.equal("maybe", err.paid)
    assert.equal("0.015000", err.amount)
    assert.equal(2, box:ledger().count)
    local missing
    for i = 1, 3 do
      if err.results[i] then
        assert.equal(64, #err.results[i])
        assert.is_nil(err.errors[i])
      else
        missing = i
        assert.equal("gateway", err.errors[i].kind)
      end
    end
    assert.truthy(missing)
    local result = assert(client:embed(list))
    assert.equal(3, #result.vectors)
    assert.equal(3, box:ledger().count)   -- never more than one purchase per text
    local nonces = {}
    for _, row in ipairs(box:ledger().presented) do nonces[row.nonce] = true end
    local different = 0
    for _ in pairs(nonces) do different = different + 1 end
    assert.equal(3, different)
  end)

  it("whose answers are all lost is told so, and a retry loop pays for each text once", function()
    local list = texts(3)
    box:fault("reset_before_settle", { times = 3, route = "embeddings" })
    local result
    local tries = 0
    repeat
      result = client:embed(list)
      tries = tries + 1
    until result or tries == 5
    assert.equal(3, #assert(result).vectors)
    assert.equal(3, box:ledger().count)
  end)

  it("refuses the whole list before anything is sent when one text is wrong", function()
    live.unsent(box, function()
      for _, list in ipairs { { "a", "" }, { "a", 5 }, { "a", ("x"):rep(103000) } } do
        local value, _, err = client:embed(list)
        assert.is_nil(value)
        assert.equal("usage", err.kind)
      end
    end)
  end)

  it("stops at a budget, with what was bought before", function()
    local small = live.open(box, { budget = "0.012" })
    local value, _, err = small:embed(texts(4))
    assert.is_nil(value)
    assert.equal("budget", err.kind)
    assert.equal("yes", err.paid)
    assert.equal("0.010000", err.amount)
    assert.equal(2, box:ledger().count)
    local got = 0
    for i = 1, 4 do got = got + (err.results[i] and 1 or 0) end
    assert.equal(2, got)
  end)
end)

describe("client:batch", function()
  it("in which all fail is a result of errors, because it was paid for", function()
    local result = assert(client:batch { { type = "chat", messages = "[fail] " .. n },
      { type = "chat", messages = "[fail] b" } })
    assert.equal(2, #result)
    for i = 1, 2 do
      assert.is_true(spraay.is_error(result[i]))
      assert.equal("yes", result[i].paid)
    end
    assert.equal("0.050000", result.payment.amount)
    assert.equal(1, box:ledger().count)
  end)

  it("whose media failed on the way is a job that says so when it is waited for", function()
    local result = assert(client:batch { { type = "image", prompt = "a boat [fail] " .. n } })
    local value, _, err = client:job(result[1].id, "image"):wait()
    assert.is_nil(value)
    assert.equal("failed", err.code)
  end)

  it("whose answer was lost is continued by the same call", function()
    box:fault("502_before_settle", { times = 1, route = "batch" })
    local jobs = { { type = "chat", messages = "hello " .. n } }
    local result = client:batch(jobs) or client:batch(jobs)
    assert.is_true(#result[1].text > 0)
    assert.equal(1, box:ledger().count)
  end)
end)
