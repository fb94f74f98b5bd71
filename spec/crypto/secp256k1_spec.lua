-- Keys and signatures. Vectors: evm_keys.json and ecdsa_secp256k1.json, by viem and @noble/curves.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

local unhex, hex = spec.unhex, spec.hex
local keys = spec.vectors "evm_keys"
local signatures = spec.vectors "ecdsa_secp256k1".cases

describe("secp_pubkey", function()
  it("agrees, in both forms of a public key", function()
    for _, case in ipairs(keys.cases) do
      local whole, compressed = core.secp_pubkey(unhex(case.private_key))
      assert.equal(case.public_key, hex(whole))
      assert.equal(case.public_key_compressed, hex(compressed))
      assert.equal(case.address, core.evm_address(unhex(case.private_key)))
    end
  end)

  for _, case in ipairs(keys.invalid_keys) do
    it("refuses the key " .. case.private_key:sub(1, 8) .. "…" .. case.private_key:sub(-4), function()
      local key = unhex(case.private_key)
      local pub, why, code = core.secp_pubkey(key)
      assert.is_nil(pub)
      assert.equal("not a valid private key", why)
      assert.equal("KEY", code)
      assert.equal("KEY", select(3, core.evm_address(key)))
      assert.equal("KEY", select(3, core.secp_sign(("\1"):rep(32), key)))
    end)
  end

  it("takes 32 bytes, no text and no number", function()
    for _, bad in ipairs{ "", ("\1"):rep(31), ("\1"):rep(33), ("1"):rep(64), 1 } do
      assert.has_error(function() core.evm_address(bad) end)
    end
  end)
end)

describe("secp_sign", function()
  it("makes the very bytes that other deterministic signers make", function()
    for _, case in ipairs(signatures) do
      assert.equal(case.signature, hex(core.secp_sign(unhex(case.digest), unhex(case.private_key))))
    end
  end)

  it("signs so that the signer can be recovered, low s, v 27 or 28", function()
    local roll = spec.dice(256)
    for _ = 1, 40 do
      local key, digest = "\1" .. spec.bytes(roll, 31), spec.bytes(roll, 32)
      local sig = core.secp_sign(digest, key)
      assert.equal(65, #sig)
      assert.equal(core.evm_address(key), core.secp_recover(digest, sig))
    end
  end)
end)

describe("secp_recover", function()
  it("finds the signer", function()
    for _, case in ipairs(signatures) do
      assert.equal(case.recovered, core.secp_recover(unhex(case.digest), unhex(case.signature)))
    end
  end)

  it("refuses the high-s twin, which token contracts refuse, unless told to be lax", function()
    for _, case in ipairs(signatures) do
      local digest, twin = unhex(case.digest), unhex(case.high_s_twin)
      local address, why, code = core.secp_recover(digest, twin)
      assert.is_nil(address)
      assert.equal("not a valid signature", why)
      assert.equal("SIGNATURE", code)
      assert.equal(case.high_s_twin_recovers_to, core.secp_recover(digest, twin, true))
    end
  end)

  it("refuses v of 0 and 1 unless told to be lax", function()
    for _, case in ipairs(signatures) do
      local digest, sig = unhex(case.digest), unhex(case.signature):sub(1, 64) .. string.char(case.y_parity)
      assert.equal("SIGNATURE", select(3, core.secp_recover(digest, sig)))
      assert.equal(case.recovered, core.secp_recover(digest, sig, true))
    end
  end)

  local good = unhex(signatures[1].signature)
  local digest = unhex(signatures[1].digest)
  for _, bad in ipairs{
    { "", "no bytes" }, { good:sub(1, 64), "the compact form" }, { good .. "\0", "66 bytes" },
    { good:sub(1, 64) .. "\29", "v of 29" }, { good:sub(1, 64) .. "\2", "v of 2" }, { good:sub(1,
      64) .. "\255", "v of 255" },
    { ("\0"):rep(32) .. good:sub(33), "r of zero" }, { good:sub(1, 32) .. ("\0"):rep(32) .. good:sub(65),
      "s of zero" },
    { ("\255"):rep(32) .. good:sub(33), "r past the order" } } do
    it("refuses " .. bad[2], function()
      assert.equal("SIGNATURE", select(3, core.secp_recover(digest, bad[1])))
      assert.equal("SIGNATURE", select(3, core.secp_recover(digest, bad[1], true)))
    end)
  end

  it("finds somebody else when a bit of the digest is turned", function()
    local turned = string.char((digest:byte() + 128) % 256) .. digest:sub(2)
    assert.not_equal(signatures[1].signer, (core.secp_recover(turned, good)))
  end)
end)
