-- Keccak-256. Vectors: hashes.json and selectors.json, by viem.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

describe("keccak256", function()
  local hashes = spec.vectors "hashes"
  local selectors = spec.vectors "selectors"

  it("agrees around every edge of the 136-byte block", function()
    for _, case in ipairs(hashes.cases) do
      local input = spec.unhex(case.input)
      assert.equal(case.length, #input)
      assert.equal(case.keccak256, spec.hex(core.keccak256(input)), case.id)
    end
  end)

  it("hashes the type strings of EIP-712", function()
    for _, case in ipairs(hashes.type_hashes) do
      assert.equal(case.keccak256, spec.hex(core.keccak256(case.type)))
    end
  end)

  it("names functions, errors and events", function()
    for _, list in ipairs{ selectors.functions, selectors.errors } do
      for _, case in ipairs(list) do
        assert.equal(case.selector, spec.hex(core.keccak256(case.signature):sub(1, 4)), case.signature)
      end
    end
    for _, case in ipairs(selectors.events) do
      assert.equal(case.topic, spec.hex(core.keccak256(case.signature)), case.signature)
    end
  end)

  it("is not SHA3-256, which pads differently", function()
    assert.not_equal("0xa7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a",
      spec.hex(core.keccak256 ""))
  end)

  it("does not care how its input is cut", function()
    local roll = spec.dice(1600)
    for n = 0, 300, 7 do
      local input = spec.bytes(roll, n)
      local a, b = roll(n + 1), roll(n + 1)
      if a > b then a, b = b, a end
      assert.equal(core.keccak256(input), core.keccak256(input:sub(1, a), input:sub(a + 1, b),
        input:sub(b + 1)))
    end
  end)

  it("refuses numbers and missing values instead of hashing less", function()
    assert.has_error(function() core.keccak256() end)
    assert.has_error(function() core.keccak256(1) end)
    assert.has_error(function() core.keccak256("a", nil, "b") end)
  end)
end)
