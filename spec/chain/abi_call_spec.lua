-- Calls of the token and of the escrow, their results, reverts and events. Vectors: abi.json and
-- selectors.json, by viem.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

local vectors = spec.vectors "abi"
local unpack = require "spraay.compat".unpack

-- The names of getAccount's results, in its order.
local ACCOUNT = { "balance", "deposited", "totalDrawn", "totalRefunded", "jobCount", "tier", "discountBps" }

local function values(name, decoded)
  if name ~= "getAccount" then return { decoded } end
  local out = {}
  for i, key in ipairs(ACCOUNT) do out[i] = decoded[key] end
  return out
end

local function text(value)
  return type(value) == "number" and ("%d"):format(value) or tostring(value)
end

local function pack(...)
  return { n = select("#", ...), ... }
end

describe("abi_call", function()
  it("writes every call", function()
    for _, case in ipairs(vectors.calls) do
      local args = {}
      for i, arg in ipairs(case.args) do args[i] = #arg == 66 and spec.unhex(arg) or arg end
      assert.equal(case.data, spec.hex(core.abi_call(case["function"], unpack(args))), case["function"])
    end
  end)

  it("begins every call with keccak256 of its signature", function()
    local types = { a = "address", u = "uint256", w = "bytes32" }
    local takes = { approve = "au", allowance = "aa", balanceOf = "a", deposit = "u", refund = "",
      refundPartial = "u", getAccount = "a", nonces = "a", authorizationState = "aw", accounts = "a",
      totalDeposits = "", depositorCount = "", usdc = "", operator = "", decimals = "" }
    local sample = { a = "0x0000000000000000000000000000000000000001", u = "1", w = ("\1"):rep(32) }
    for name, letters in pairs(takes) do
      local words, args = {}, {}
      for letter in letters:gmatch "." do
        words[#words + 1], args[#args + 1] = types[letter], sample[letter]
      end
      local signature = name .. "(" .. table.concat(words, ",") .. ")"
      assert.equal(spec.hex(core.keccak256(signature):sub(1, 4)),
        spec.hex(core.abi_call(name, unpack(args)):sub(1, 4)), signature)
    end
    assert.equal(spec.hex(core.keccak256("getDiscount(uint8)"):sub(1, 4)),
      spec.hex(core.abi_call("getDiscount", "2"):sub(1, 4)))
  end)

  it("has the published selectors", function()
    local known = {}
    for _, case in ipairs(spec.vectors "selectors".functions) do known[case.signature] = case.selector end
    assert.equal(known["deposit(uint256)"], spec.hex(core.abi_call("deposit", "1")):sub(1, 10))
    assert.equal(known["refund()"], spec.hex(core.abi_call "refund"))
    assert.equal(known["refundPartial(uint256)"], spec.hex(core.abi_call("refundPartial", "1")):sub(1, 10))
    assert.equal(known["decimals()"], spec.hex(core.abi_call "decimals"))
  end)

  it("reads every result", function()
    for _, case in ipairs(vectors.returns) do
      local got = pack(core.abi_result(case["function"], spec.unhex(case.data)))
      local want = values(case["function"], case.decoded)
      assert.equal(#want, got.n)
      for i = 1, got.n do assert.equal(text(want[i]), text(got[i]), case["function"]) end
    end
  end)

  it("reads no malformed result, a uint8 of 256 among them", function()
    for _, case in ipairs(vectors.malformed_returns) do
      local value, _, code = core.abi_result(case["function"], spec.unhex(case.data))
      assert.is_nil(value, case.why)
      assert.is_truthy(({ MISSING = 1, SYNTAX = 1, RANGE = 1 })[code], case.why)
    end
    local word = ("\0"):rep(31) .. "\1"
    assert.equal("SYNTAX", select(3, core.abi_result("balanceOf", word .. word)))
    assert.equal("SYNTAX", select(3, core.abi_result("balanceOf", word:sub(2))))
    assert.equal("RANGE", select(3, core.abi_result("approve", ("\0"):rep(31) .. "\2")))
    assert.equal("RANGE", select(3, core.abi_result("usdc", ("\1"):rep(32))))
  end)

  it("tells what a revert says", function()
    for _, case in ipairs(vectors.reverts) do
      local got = pack(core.abi_revert(spec.unhex(case.data)))
      assert.equal(case.error, got[1])
      assert.equal(#case.args, got.n - 1)
      for i, arg in ipairs(case.args) do assert.equal(arg, got[i + 1]) end
    end
  end)

  it("knows the errors of the escrow by keccak256 of their signatures", function()
    local word = ("\0"):rep(31) .. "\1"
    for signature, words in pairs { ["OnlyOperator()"] = 0, ["ZeroAmount()"] = 0, ["AccountNotFound()"] = 0,
        ["InsufficientBalance(uint256,uint256)"] = 2, ["ZeroAddress()"] = 0, ["OnlyPendingOperator()"] = 0,
        ["OnlyDepositor()"] = 0, ["ReentrancyGuardReentrantCall()"] = 0,
        ["SafeERC20FailedOperation(address)"] = 1, ["Panic(uint256)"] = 1 } do
      local data = core.keccak256(signature):sub(1, 4) .. word:rep(words)
      assert.equal(signature:match "^%w+", (core.abi_revert(data)))
      assert.equal("SYNTAX", select(3, core.abi_revert(data .. word)), signature)
    end
    for _, case in ipairs(spec.vectors "selectors".errors) do
      assert.equal(case.selector, spec.hex(core.keccak256(case.signature):sub(1, 4)))
    end
  end)

  for _, bad in ipairs {
    { "", "MISSING", "no data" }, { "08c379", "SYNTAX", "half a selector" },
    { "12345678", "UNSUPPORTED", "an error of another contract" },
    { "08c379a0", "SYNTAX", "an Error without its text" },
    { "08c379a0" .. ("00"):rep(31) .. "20" .. ("00"):rep(28) .. "ffffffff", "SYNTAX", "a text that is not there" },
    { "08c379a0" .. ("00"):rep(31) .. "40" .. ("00"):rep(32), "SYNTAX", "a text somewhere else" },
    { "08c379a0" .. ("00"):rep(31) .. "20" .. ("00"):rep(31) .. "01" .. "41" .. ("01"):rep(31), "SYNTAX",
      "dirt after the text" },
    { "cf479181" .. ("00"):rep(32), "SYNTAX", "a word too few" },
  } do
    it("reads no revert in " .. bad[3], function()
      local value, _, code = core.abi_revert(spec.unhex(bad[1]))
      assert.is_nil(value)
      assert.equal(bad[2], code)
    end)
  end

  it("knows the escrow's events by their topics, and reads them", function()
    local one, two, three = ("\0"):rep(31) .. "\1", ("\0"):rep(31) .. "\2", ("\0"):rep(31) .. "\3"
    for signature, want in pairs {
      ["Deposited(address,uint256,uint256,uint8)"] = { "Deposited", one .. two .. three, "1", "2", 3 },
      ["DrawnDown(address,uint256,uint256,uint256)"] = { "DrawnDown", one .. two .. three, "1", "2", "3" },
      ["Refunded(address,uint256,uint256)"] = { "Refunded", one .. two, "1", "2" },
    } do
      local topic = core.keccak256(signature)
      assert.equal(spec.hex(topic), spec.hex(core.abi_event(want[1])))
      local got = pack(core.abi_event(topic, want[2]))
      assert.equal(#want - 1, got.n)
      assert.equal(want[1], got[1])
      for i = 2, got.n do assert.equal(tostring(want[i + 1]), tostring(got[i])) end
      assert.equal("SYNTAX", select(3, core.abi_event(topic, want[2] .. one)))
    end
    assert.equal("UNSUPPORTED", select(3, core.abi_event(core.abi_topic "transfer", one)))
  end)

  it("refuses an address whose checksum is wrong, and amounts that are none", function()
    local call = core.abi_call
    assert.equal("CHECKSUM", select(3, call("balanceOf", "0xaf4E43d512C73c6731769620ca6b73f0FCFF9118")))
    assert.equal("SYNTAX", select(3, call("deposit", "1.5")))
    assert.equal("SYNTAX", select(3, call("deposit", "01")))
    assert.equal("RANGE", select(3, call("getDiscount", "256")))
    assert.has_error(function() call("deposit", 5) end)
    assert.has_error(function() call "deposit" end)
    assert.has_error(function() call("transfer", "0x0000000000000000000000000000000000000001", "1") end)
  end)
end)
