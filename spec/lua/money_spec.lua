-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"

describe("spraay.usdc", function()
  local spraay = fake.new()
  local usdc = spraay.usdc

  it("keeps an amount exactly and prints it as short as it can", function()
    assert.equal("1.25", tostring(usdc "1.25"))
    assert.equal("0.03", tostring(usdc "0.030000"))
    assert.equal("50", tostring(usdc "50.0"))
    assert.equal("0", tostring(usdc "0.00"))
    assert.equal("cost: 1.5", "cost: " .. usdc "1.5")
  end)

  it("adds, subtracts and multiplies without rounding", function()
    assert.equal("0.3", tostring(usdc "0.1" + usdc "0.2"))
    assert.equal("9007199254.740993", tostring(usdc "9007199254.740992" + usdc "0.000001"))
    assert.equal("0.999999", tostring(usdc "1" - usdc "0.000001"))
    assert.equal("1.5", tostring(usdc "0.5" * 3))
    assert.equal("1.5", tostring(3 * usdc "0.5"))
  end)

  it("compares among its own kind", function()
    assert.is_true(usdc "0.5" < usdc "0.50001")
    assert.is_true(usdc "10" > usdc "9")
    assert.is_true(usdc "1.0" <= usdc "1")
    assert.is_true(usdc "1.0" == usdc "1")
    assert.is_false(usdc "1" == usdc "2")
  end)

  for _, bad in ipairs {
    { 1.25, "1.25", "a float, and says how to quote it" },
    { 1, "\"1\"", "an integer, and says how to quote it" },
    { "-1", "negative", "a negative amount" },
    { "0.0000001", "six decimal places", "more places than the token has" },
    { "1e3", "not an amount", "an exponent" },
    { "", "not an amount", "nothing" },
    { ".5", "not an amount", "a bare point" },
    { " 1", "not an amount", "a space" },
    { ("9"):rep(40), "larger", "more money than there is" },
    { {}, "string", "a table" },
  } do
    it("refuses " .. bad[3], function()
      local value, message, err = usdc(bad[1])
      assert.is_nil(value)
      assert.truthy(message:find(bad[2], 1, true), message)
      assert.equal("usage", err.kind)
      assert.equal("no", err.paid)
    end)
  end

  it("raises where an operator has no other way out", function()
    assert.error(function() return usdc "1" + "1" end)
    assert.error(function() return usdc "1" < 2 end)
    assert.error(function() return usdc "1" - usdc "2" end)
    assert.error(function() return usdc "1" * 0.5 end)
    assert.error(function() return usdc "1" * -1 end)
    assert.error(function() return usdc "1" / 2 end)
  end)

  it("cannot be written to", function()
    assert.error(function() usdc("1").atomic = "5" end)
  end)
end)

describe("spraay.sum", function()
  local spraay = fake.new()

  it("adds strings and values into a value", function()
    assert.equal("1.53", tostring(spraay.sum { "0.03", "0.50", spraay.usdc "1" }))
    assert.equal("0", tostring(spraay.sum {}))
  end)

  it("names the amount it cannot add", function()
    local value, message = spraay.sum { "0.03", 0.5 }
    assert.is_nil(value)
    assert.truthy(message:find("amount 2", 1, true))
  end)

  it("does not stop at a hole in the list", function()
    assert.is_nil(spraay.sum { "0.03", nil, "0.5" })
  end)
end)

describe("money texts of the gateway", function()
  fake.new()
  local money = require "spraay.money"

  for text, atomic in pairs {
    ["50 USDC"] = "50000000", ["50.0 USDC"] = "50000000", ["49.973000 USDC"] = "49973000",
    ["$49.973 USDC"] = "49973000", ["$0.0270 USDC"] = "27000", ["$0.027"] = "27000", ["0.030000"] = "30000",
    ["$10"] = "10000000", ["$10 USDC"] = "10000000", ["$0.0285 (5% off)"] = "28500", ["0.030"] = "30000",
  } do
    it("reads " .. text, function() assert.equal(atomic, money.shown(text)) end)
  end

  for _, text in ipairs { "N/A", "free", "NaN", "", "$", "1.2.3", "50 ETH", "-1 USDC", "1." } do
    it("finds no amount in \"" .. text .. "\"", function() assert.is_nil(money.shown(text)) end)
  end
end)
