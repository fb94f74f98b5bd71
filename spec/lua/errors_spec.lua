-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"

describe("an error's sentence", function()
  fake.new()
  local errors = require "spraay.errors"

  it("says what happened, that nothing was paid, and what to do", function()
    local none, sentence, err = errors.fail { kind = "gateway", message = "it broke", hint = "try later" }
    assert.is_nil(none)
    assert.equal("it broke. Nothing was paid. Try later.", sentence)
    assert.equal(sentence, tostring(err))
    assert.equal("x: " .. sentence, "x: " .. err)
  end)

  it("says what was paid", function()
    assert.equal("it broke. 0.030000 USDC was paid.",
      tostring(errors.new { kind = "gateway", message = "it broke.", paid = "yes", amount = "0.030000" }))
  end)

  it("says how long money may still move, and what is likely", function()
    local err = errors.new { kind = "timeout", message = "no answer", paid = "maybe", amount = "0.030000",
      until_ = 1700000096, expect = "no" }
    assert.equal("no answer. 0.030000 USDC may have been paid (open until 22:14:56 UTC); "
      .. "most likely it was not.", tostring(err))
    err.expect = "yes"
    assert.truthy(tostring(err):find("most likely it was.", 1, true))
  end)

  it("reads well through assert", function()
    local _, message = pcall(function() assert(errors.usage("client:chat: messages is required")) end)
    assert.truthy(tostring(message):find("client:chat: messages is required. Nothing was paid.", 1, true))
  end)

  it("is recognised", function()
    assert.is_true(errors.is(errors.new { kind = "usage", message = "x" }))
    assert.is_false(errors.is { kind = "usage" })
    assert.is_false(errors.is(nil))
  end)
end)

describe("somebody else's text", function()
  fake.new()
  local errors = require "spraay.errors"

  it("loses its control characters and is cut short", function()
    assert.equal("a b", errors.foreign "a\27\n\0b")
    assert.equal("x y", errors.foreign "x\226\128\174y")
    local cut = errors.foreign(("é"):rep(400))
    assert.is_true(#cut <= 304)
    assert.truthy(cut:find("…", 1, true))
    assert.is_nil(errors.foreign "  \n ")
    assert.is_nil(errors.foreign {})
  end)
end)

describe("a suggestion", function()
  fake.new()
  local errors = require "spraay.errors"
  local known = { "per_call", "per_day", "wallet", "messages" }

  it("is the nearest known name", function()
    assert.equal("messages", errors.nearest("mesages", known))
    assert.equal("wallet", errors.nearest("wallte", known))
    assert.equal("per_call", errors.nearest("perCall", known))
    assert.equal("per_call", errors.nearest("per-call", known))
  end)

  it("is not made when nothing is near", function()
    assert.is_nil(errors.nearest("zebra", known))
    assert.is_nil(errors.nearest(42, known))
  end)
end)
