-- The calls and events that tell whether an authorization was used. Vectors: selectors.json, by viem.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

describe("abi", function()
  it("asks for the state of an authorization", function()
    local data = core.abi_authorization_state("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", ("\7"):rep(32))
    assert.equal(core.keccak256("authorizationState(address,bytes32)"):sub(1, 4), data:sub(1, 4))
    assert.equal("0xe94a0102" .. ("0"):rep(
      24) .. "833589fcd6edb6e08f4c7c32d4f71b54bda02913" .. ("07"):rep(32), spec.hex(data))
  end)

  it("reads a bool", function()
    assert.is_false(core.abi_bool(("\0"):rep(32)))
    assert.is_true(core.abi_bool(("\0"):rep(31) .. "\1"))
  end)

  for _, bad in ipairs{ { "", "MISSING", "no data: there is no contract" }, { ("\0"):rep(31) .. "\2",
    "SYNTAX", "the number 2" },
                        { "\1" .. ("\0"):rep(30) .. "\1", "SYNTAX", "dirt in front" }, { ("\0"):rep(31),
                          "SYNTAX", "31 bytes" },
                        { ("\0"):rep(64), "SYNTAX", "64 bytes" } } do
    it("reads no bool in " .. bad[3], function()
      local v, _, code = core.abi_bool(bad[1])
      assert.is_nil(v)
      assert.equal(bad[2], code)
    end)
  end

  it("knows the events by their topics", function()
    local topics = {}
    for _, case in ipairs(spec.vectors "selectors".events) do topics[case.signature] = case.topic end
    assert.equal(topics["AuthorizationUsed(address,bytes32)"], spec.hex(core.abi_topic "used"))
    assert.equal(topics["AuthorizationCanceled(address,bytes32)"], spec.hex(core.abi_topic "canceled"))
    assert.equal(topics["Transfer(address,address,uint256)"], spec.hex(core.abi_topic "transfer"))
    assert.has_error(function() core.abi_topic "other" end)
  end)
end)
