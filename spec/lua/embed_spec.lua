-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local fake = require "spec.support.fakecore"

local function texts(n)
  local list = {}
  for i = 1, n do list[i] = "text " .. i end
  return list
end

-- A gateway whose vector of "text i" is { i }; `fail` may name inputs that fail.
local function embedding(fail)
  local spraay, world = fake.new()
  fail = fail or {}
  world.under_way, world.most = 0, 0
  world.answer = function(request)
    local body = cjson.decode(request.body)
    if body.jobs then
      local results = {}
      for i, job in ipairs(body.jobs) do
        local number = tonumber(job.input:match "%d+")
        results[i] = fail[number] and { job_index = i - 1, type = job.type, status = "failed",
          error = fail[number] }
          or { job_index = i - 1, status = "completed",
            result = { data = { { index = 0, embedding = { number } } } } }
      end
      return { price = "50000", body = { results = results } }
    end
    local number = tonumber(body.input:match "%d+")
    if fail[number] then
      local message = fail[number]
      fail[number] = nil
      return { price = "5000", status = 502, body = { error = message },
        error = { kind = "gateway", message = "the gateway answered 502", paid = "maybe", expect = "no",
          atomic = "5000" } }
    end
    return { price = "5000", after = 1, body = { data = { { index = 0, embedding = { number } } } } }
  end
  return spraay, world, assert(spraay.open {})
end

describe("client:embed", function()
  it("of a text gives one vector", function()
    local _, world, client = embedding()
    local result = assert(client:embed "text 7")
    assert.same({ { 7 } }, result.vectors)
    assert.equal("1 vector of 1 numbers", tostring(result))
    assert.equal(1, #world.settled)
  end)

  it("of a short list buys one call per text, a few at once, in order", function()
    local _, world, client = embedding()
    local start = world.now
    local result = assert(client:embed { input = texts(8) })
    for i = 1, 8 do assert.same({ i }, result.vectors[i]) end
    assert.equal("0.040000", result.payment.amount)
    assert.equal(8, #result.payment.parts)
    assert.is_true(world.now - start < 2.5)
  end)

  it("of a long list buys batches where they are cheaper", function()
    for n, parts in pairs { [10] = { 10, "0.050000" }, [11] = { 1, "0.050000" }, [50] = { 1, "0.050000" },
      [53] = { 4, "0.065000" }, [61] = { 2, "0.100000" } } do
      local _, world, client = embedding()
      local result = assert(client:embed(texts(n)))
      assert.equal(n, #result.vectors)
      assert.same({ n }, result.vectors[n])
      assert.equal(parts[1], #world.settled, n .. " texts")
      assert.equal(parts[2], result.payment.amount)
    end
  end)

  it("keeps every request under the gateway's limit", function()
    local _, world, client = embedding()
    local list = texts(40)
    for i, text in ipairs(list) do list[i] = text .. " " .. ("x"):rep(8000) end
    assert(client:embed(list))
    for _, call in ipairs(world.calls) do assert.is_true(#call.body <= 102400) end
    list[3] = ("x"):rep(110000)
    local value, message = client:embed(list)
    assert.is_nil(value)
    assert.truthy(message:find("input 3", 1, true))
  end)

  it("that fails in part keeps what was paid for, and a retry buys only the rest", function()
    local _, world, client = embedding { [2] = "Embeddings generation failed" }
    local value, message, err = client:embed(texts(3))
    assert.is_nil(value)
    assert.truthy(message:find("1 of 3", 1, true))
    assert.same({ 1 }, err.results[1])
    assert.is_false(err.results[2])
    assert.same({ 3 }, err.results[3])
    assert.equal("maybe", err.paid)
    assert.equal("0.015000", err.amount)
    assert.equal(2, #world.settled)
    local result = assert(client:embed(texts(3)))
    assert.same({ { 1 }, { 2 }, { 3 } }, result.vectors)
    assert.equal(3, #world.settled)
  end)

  it("names each purchase under the caller's name", function()
    local _, world, client = embedding()
    client:embed(texts(2), { purchase = "mine" })
    assert.equal("mine#1", world.calls[1].purchase)
    assert.equal("mine#2", world.calls[2].purchase)
  end)

  it("can be quoted as a whole", function()
    local _, world, client = embedding()
    local terms = assert(client:quote("embed", { input = texts(53) }))
    assert.equal(4, terms.requests)
    assert.equal("0.065000", terms.total)
    assert.equal(0, #world.settled)
  end)
end)
