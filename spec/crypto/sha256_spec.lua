-- SHA-256 (vectors: hashes.json, by viem), HMAC (RFC 4231) and HKDF (RFC 5869, appendix A).
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

local unhex, hex = spec.unhex, spec.hex

describe("sha256", function()
  it("agrees with the vectors", function()
    for _, case in ipairs(spec.vectors "hashes".cases) do
      assert.equal(case.sha256, hex(core.sha256(unhex(case.input))), case.id)
    end
  end)
end)

describe("hmac_sha256", function()
  for _, case in ipairs{
    { ("\11"):rep(20), "Hi There", "0xb0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
    { "Jefe", "what do ya want for nothing?",
      "0x5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
    { ("\170"):rep(20), ("\221"):rep(50),
      "0x773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
    { ("\170"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First",
      "0x60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" } } do
    it("gives " .. case[3]:sub(1, 10), function() assert.equal(case[3], hex(core.hmac_sha256(case[1],
      case[2]))) end)
  end

  it("takes an empty key and an empty message", function()
    assert.equal("0xb613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
      hex(core.hmac_sha256("", "")))
  end)
end)

describe("hkdf_sha256", function()
  it("agrees with RFC 5869", function()
    local key = ("\11"):rep(22)
    assert.equal("0x3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
      hex(core.hkdf_sha256(key, unhex "000102030405060708090a0b0c", unhex "f0f1f2f3f4f5f6f7f8f9", 42)))
    assert.equal("0x8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
      hex(core.hkdf_sha256(key, "", "", 42)))
  end)

  it("gives a longer output that begins with the shorter one", function()
    local long = core.hkdf_sha256("key", "salt", "info", 8160)
    assert.equal(8160, #long)
    assert.equal(long:sub(1, 33), core.hkdf_sha256("key", "salt", "info", 33))
  end)

  it("has no more than 8160 bytes to give", function()
    assert.has_error(function() core.hkdf_sha256("key", "", "", 8161) end)
    assert.has_error(function() core.hkdf_sha256("key", "", "", 0) end)
  end)
end)

describe("equal", function()
  it("compares whole strings", function()
    assert.is_true(core.equal("", ""))
    assert.is_true(core.equal("a\0b", "a\0b"))
    assert.is_false(core.equal("a\0b", "a\0c"))
    assert.is_false(core.equal("a", "ab"))
  end)
end)
