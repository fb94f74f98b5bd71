-- Token amounts: digits in, digits out, never rounded. Vectors: x402_amounts.json, by @x402/core, whose
-- conversion truncates; where it does, ours refuses.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

local MOST = "115792089237316195423570985008687907853269984665640564039457584007913129639935"   -- 2^256 - 1
local nines = ("9"):rep(77)

describe("amount_to_atomic", function()
  local differs = {   -- what the official conversion makes something of, and we do not
    ["0.0000001"] = "PRECISION", ["1.9999999"] = "PRECISION", ["1.9"] = "PRECISION", ["1."] = "SYNTAX",
      ["-1"] = "SYNTAX" }

  for _, case in ipairs(spec.vectors "x402_amounts".to_atomic) do
    local refusal = differs[case.decimal] or case.error and "SYNTAX"
    it(("%s %q at %d places"):format(refusal and "refuses" or "converts", case.decimal, case.decimals),
      function()
      local atomic, _, code = core.amount_to_atomic(case.decimal, case.decimals)
      if refusal then assert.equal(refusal, code)
      else assert.equal(case.atomic, atomic) end
    end)
  end

  it("counts one cent of USDC as 10000 atomic units", function()
    assert.equal("10000", core.amount_to_atomic("0.01", 6))
  end)

  it("keeps digits that a double would lose", function()
    assert.equal("9007199254740993000001", core.amount_to_atomic("9007199254740993.000001", 6))
  end)

  it("takes zeros anywhere they mean nothing", function()
    assert.equal("0", core.amount_to_atomic("0.000", 6))
    assert.equal("0", core.amount_to_atomic("00", 0))
    assert.equal("1000000", core.amount_to_atomic("001.000000000000", 6))
  end)

  for _, bad in ipairs{ { "", "nothing" }, { ".5", "a bare point" }, { "1.", "a point at the end" },
    { "1.2.3", "two points" },
                        { "-1", "a sign" }, { "+1", "a plus" }, { "1e3", "an exponent" }, { "1\0",
                          "a NUL byte" }, { " 1", "a space" },
                        { "1 ", "a space at the end" }, { "1,5", "a comma" }, { "0x10", "hexadecimal" },
                          { "$1", "a currency" },
                        { "1.0000001x", "text after too many places" }, { nines .. "00x",
                          "text after too many digits" } } do
    it("rejects " .. bad[2], function()
      assert.equal("SYNTAX", select(3, core.amount_to_atomic(bad[1], 6)))
    end)
  end

  it("says that the token has no such places", function()
    local atomic, why, code = core.amount_to_atomic("0.0000001", 6)
    assert.is_nil(atomic)
    assert.equal("more decimal places than the token has", why)
    assert.equal("PRECISION", code)
  end)

  it("holds 77 digits and not one more", function()
    assert.equal(nines, core.amount_to_atomic(nines, 0))
    assert.equal("RANGE", select(3, core.amount_to_atomic("1" .. nines, 0)))
    assert.equal("RANGE", select(3, core.amount_to_atomic(nines, 1)))
    assert.equal(("9"):rep(41) .. ("0"):rep(36), core.amount_to_atomic(("9"):rep(41), 36))
  end)

  it("takes text only: a Lua number has already rounded", function()
    assert.has_error(function() core.amount_to_atomic(0.01, 6) end)
    assert.has_error(function() core.amount_to_atomic("0.01", "6") end)
    assert.has_error(function() core.amount_to_atomic("0.01", 37) end)
    assert.has_error(function() core.amount_to_atomic("0.01", -1) end)
    assert.has_error(function() core.amount_to_atomic("0.01", 1.5) end)
  end)
end)

describe("amount_from_atomic", function()
  for _, case in ipairs{ { "30000", 6, "0.030000" }, { "0", 6, "0.000000" }, { "1", 6, "0.000001" },
    { "1250000", 6, "1.250000" },
                         { "123", 0, "123" }, { "0", 0, "0" }, { "1", 36, "0." .. ("0"):rep(35) .. "1" },
                         { nines, 36, ("9"):rep(41) .. "." .. ("9"):rep(36) }, { nines, 0, nines } } do
    it(("writes %s at %d places as %s"):format(case[1], case[2], case[3]), function()
      assert.equal(case[3], core.amount_from_atomic(case[1], case[2]))
    end)
  end

  for _, bad in ipairs{ { "", "nothing" }, { "01", "a leading zero" }, { "00", "two zeros" }, { "-1",
    "a sign" }, { "1.5", "a point" },
                        { "1\0", "a NUL byte" } } do
    it("rejects " .. bad[2], function()
      assert.equal("SYNTAX", select(3, core.amount_from_atomic(bad[1], 6)))
    end)
  end

  it("rejects 78 digits", function()
    assert.equal("RANGE", select(3, core.amount_from_atomic("1" .. nines, 6)))
  end)

  it("undoes amount_to_atomic", function()
    local roll = spec.dice(20)
    for _ = 1, 200 do
      local atomic = (tostring(roll(1000000000)) .. ("%09d"):format(roll(1000000000))):gsub("^0+", "")
      if atomic == "" then atomic = "0" end
      local decimals = roll(37)
      assert.equal(atomic, core.amount_to_atomic(core.amount_from_atomic(atomic, decimals), decimals))
    end
  end)
end)

describe("amount_valid", function()
  it("knows what a chain can hold", function()
    for _, good in ipairs{ "0", "1", "10", nines, MOST } do assert.is_true(core.amount_valid(good)) end
    for _, bad in ipairs{ "", "00", "01", "-1", "+1", "1.0", "1e3", " 1", "1\0", "0x1", MOST:sub(1,
      -2) .. "6", MOST .. "0" } do
      assert.is_false(core.amount_valid(bad))
    end
  end)
end)

describe("sums of amounts", function()
  it("carry", function()
    assert.equal("1000", core.amount_add("999", "1"))
    assert.equal("999", core.amount_sub("1000", "1"))
    assert.equal("0", core.amount_sub("1000", "1000"))
    assert.equal("0", core.amount_add("0", "0"))
    assert.equal("7", core.amount_sub("1007", "1000"))
    assert.equal("99999999999999999999", core.amount_sub("100000000000000000000", "1"))
    assert.equal("18446744073709551616", core.amount_add("18446744073709551615", "1"))
  end)

  it("multiply", function()
    assert.equal("0", core.amount_mul("123", 0))
    assert.equal("0", core.amount_mul("0", 123))
    assert.equal("1500000", core.amount_mul("30000", 50))
    assert.equal("9007199254740991000000", core.amount_mul("1000000", 2^53 - 1))
    assert.equal("81129638414606663681390495662081", core.amount_mul("9007199254740991", 2^53 - 1))
  end)

  it("compare by value, not by text", function()
    assert.equal(-1, core.amount_cmp("9", "10"))
    assert.equal(1, core.amount_cmp("10", "9"))
    assert.equal(0, core.amount_cmp("10", "10"))
    assert.equal(-1, core.amount_cmp("0", "1"))
    assert.equal(1, core.amount_cmp(MOST, nines))
  end)

  it("never go below zero", function()
    local result, why, code = core.amount_sub("1", "2")
    assert.is_nil(result)
    assert.equal("a number outside the allowed range", why)
    assert.equal("RANGE", code)
  end)

  it("never pass 77 digits", function()
    assert.equal("RANGE", select(3, core.amount_add(nines, "1")))
    assert.equal("RANGE", select(3, core.amount_mul(nines, 2)))
    assert.equal("RANGE", select(3, core.amount_add(MOST, "0")))
    assert.equal(nines, core.amount_add(nines:sub(1, -2) .. "8", "1"))
    assert.equal(nines, core.amount_mul(nines, 1))
  end)

  it("refuse what is no amount, in either place", function()
    for _, bad in ipairs{ "", "-1", "01", "1.5", "x", "1\0" .. "2" } do
      for _, op in ipairs{ core.amount_add, core.amount_sub, core.amount_cmp } do
        assert.equal("SYNTAX", select(3, op(bad, "1")))
        assert.equal("SYNTAX", select(3, op("1", bad)))
      end
      assert.equal("SYNTAX", select(3, core.amount_mul(bad, 1)))
    end
    assert.equal("RANGE", select(3, core.amount_cmp(MOST .. "0", "1")))
    assert.has_error(function() core.amount_mul("1", -1) end)
    assert.has_error(function() core.amount_mul("1", 0.5) end)
    assert.has_error(function() core.amount_add(1, "1") end)
  end)

  it("agree with small numbers and with each other", function()
    local roll = spec.dice(99)
    for _ = 1, 300 do
      local a, b = roll(30000000), roll(30000000)
      local x, y = ("%d"):format(a), ("%d"):format(b)
      assert.equal(("%d"):format(a + b), core.amount_add(x, y))
      assert.equal(("%.0f"):format(a * b), core.amount_mul(x, b))
      assert.equal(x, core.amount_sub(core.amount_add(x, y), y))
      assert.equal(a < b and -1 or a > b and 1 or 0, core.amount_cmp(x, y))
    end
  end)
end)

describe("uint256", function()
  it("is 32 bytes, big end first", function()
    assert.equal("0x" .. ("0"):rep(64), spec.hex(core.amount_to_be32 "0"))
    assert.equal("0x" .. ("0"):rep(59) .. "f4240", spec.hex(core.amount_to_be32 "1000000"))
    assert.equal("0x" .. ("f"):rep(64), spec.hex(core.amount_to_be32(MOST)))
  end)

  it("ends at 2^256 - 1", function()
    assert.equal("RANGE", select(3, core.amount_to_be32(MOST:sub(1, -2) .. "6")))
    assert.equal("RANGE", select(3, core.amount_to_be32(MOST .. "0")))
  end)

  it("comes back as the same digits", function()
    local roll = spec.dice(256)
    for _ = 1, 50 do
      local bytes = ("\0"):rep(roll(32)) .. spec.bytes(roll, 32)
      bytes = bytes:sub(1, 32)
      assert.equal(bytes, core.amount_to_be32(core.amount_from_be32(bytes)))
    end
    assert.equal(MOST, core.amount_from_be32(("\255"):rep(32)))
    assert.equal("0", core.amount_from_be32(("\0"):rep(32)))
  end)
end)
