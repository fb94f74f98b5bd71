-- Ed25519. Vectors: ed25519.json and the curve_points of ata.json, by @solana/kit.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

local unhex, hex = spec.unhex, spec.hex
local cases = spec.vectors "ed25519".cases

describe("ed25519_public", function()
  it("agrees, in both halves of a secret key", function()
    for _, case in ipairs(cases) do
      local seed = unhex(case.seed)
      assert.equal(case.public_key, hex(core.ed25519_public(seed)))
      assert.equal(case.address, core.base58_encode(core.ed25519_public(seed)))
      assert.equal(case.secret_key_64, hex(seed .. core.ed25519_public(seed)))
    end
  end)

  it("takes 32 bytes, no text and no number", function()
    for _, bad in ipairs{ "", ("\1"):rep(31), ("\1"):rep(64), 1 } do
      assert.has_error(function() core.ed25519_public(bad) end)
    end
  end)
end)

describe("ed25519_sign and ed25519_verify", function()
  it("make and know the very bytes that other signers make", function()
    for _, case in ipairs(cases) do
      local seed, public = unhex(case.seed), unhex(case.public_key)
      for _, one in ipairs(case.signatures) do
        local message = unhex(one.message)
        assert.equal(one.signature, hex(core.ed25519_sign(seed, message)))
        assert.equal(one.verifies, core.ed25519_verify(unhex(one.signature), message, public))
        assert.equal(one.flipped_verifies, core.ed25519_verify(unhex(one.flipped_signature), message, public))
      end
    end
  end)

  it("know no other message, key or length", function()
    local seed = ("\66"):rep(32)
    local sig, public = core.ed25519_sign(seed, "a"), core.ed25519_public(seed)
    assert.is_true(core.ed25519_verify(sig, "a", public))
    assert.is_false(core.ed25519_verify(sig, "b", public))
    assert.is_false(core.ed25519_verify(sig, "", public))
    assert.is_false(core.ed25519_verify(sig, "a", core.ed25519_public(("\65"):rep(32))))
    assert.is_false(core.ed25519_verify(sig:sub(1, 63), "a", public))
    assert.is_false(core.ed25519_verify(sig .. "\0", "a", public))
    assert.is_false(core.ed25519_verify(sig, "a", public:sub(1, 31)))
    assert.is_false(core.ed25519_verify(("\0"):rep(64), "a", ("\0"):rep(32)))
  end)

  it("refuse a signature whose second half is spelled with the order added", function()
    local order = unhex "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"
    local seed = ("\66"):rep(32)
    local sig, carry, high = core.ed25519_sign(seed, "a"), 0, {}
    for i = 1, 32 do
      local sum = sig:byte(32 + i) + order:byte(i) + carry
      high[i], carry = string.char(sum % 256), math.floor(sum / 256)
    end
    assert.is_false(core.ed25519_verify(sig:sub(1, 32) .. table.concat(high), "a", core.ed25519_public(seed)))
  end)
end)

describe("ed25519_on_curve", function()
  it("tells points from other bytes", function()
    local seen = { [true] = 0, [false] = 0 }
    for _, case in ipairs(spec.vectors "ata".curve_points) do
      assert.equal(case.on_curve, core.ed25519_on_curve(unhex(case.bytes)), case.address)
      seen[case.on_curve] = seen[case.on_curve] + 1
    end
    assert.is_true(seen[true] > 5 and seen[false] > 5)
  end)

  it("calls points outside the prime subgroup points", function()
    -- y = 0 and y = -1 have orders 4 and 2; the last is of order 8.
    local low = {
      ("\0"):rep(32), "\236" .. ("\255"):rep(30) .. "\127",
      unhex "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05" }
    for _, point in ipairs(low) do assert.is_true(core.ed25519_on_curve(point)) end
  end)

  it("calls the public half of every key a point, and its negative too", function()
    local roll = spec.dice(25519)
    for _ = 1, 30 do
      local public = core.ed25519_public(spec.bytes(roll, 32))
      assert.is_true(core.ed25519_on_curve(public))
      local top = public:byte(32)
      local turned = top < 128 and top + 128 or top - 128
      assert.is_true(core.ed25519_on_curve(public:sub(1, 31) .. string.char(turned)))
    end
  end)
end)
