-- Base58 as Solana uses it. Vectors: base58.json, by @solana/kit.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

describe("base58", function()
  local vectors = spec.vectors "base58"

  it("agrees with the official encoder, both ways", function()
    for _, case in ipairs(vectors.cases) do
      local bytes = spec.unhex(case.bytes)
      assert.equal(case.base58, core.base58_encode(bytes))
      assert.equal(case.bytes, spec.hex(core.base58_decode(case.base58)))
    end
  end)

  for _, case in ipairs(vectors.invalid) do
    it(("rejects %q, which is outside the alphabet"):format(case.base58), function()
      assert.equal("SYNTAX", select(3, core.base58_decode(case.base58)))
    end)
  end

  it("rejects a NUL byte", function()
    assert.equal("SYNTAX", select(3, core.base58_decode "2\0002"))
  end)

  it("knows an address by its 32 bytes", function()
    for _, case in ipairs(vectors.address_text) do
      local address, _, code = core.solana_address(case.text)
      if case.valid_address then assert.equal(case.text, address)
      else assert.equal("SYNTAX", code) end
    end
  end)

  it("refuses more than it was made for", function()
    assert.equal("LIMIT", select(3, core.base58_encode(("x"):rep(129))))
    assert.equal("LIMIT", select(3, core.base58_decode(("1"):rep(129))))
    assert.equal("LIMIT", select(3, core.base58_decode(("z"):rep(200))))
    assert.equal("LIMIT", select(3, core.base58_decode(("z"):rep(1000))))
    assert.truthy(core.base58_encode(("\255"):rep(128)))
  end)

  it("gives back what it was given, leading zeros too", function()
    local roll = spec.dice(58)
    for n = 0, 128, 3 do
      local bytes = ("\0"):rep(roll(4)) .. spec.bytes(roll, n > 4 and n - 4 or n)
      assert.equal(bytes, core.base58_decode(core.base58_encode(bytes)))
    end
  end)
end)
