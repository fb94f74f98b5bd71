-- Addresses and their checksum. Vectors: evm_keys.json, by viem.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

local vectors = spec.vectors "evm_keys"

describe("evm_address_parse", function()
  it("writes the checksum", function()
    for _, case in ipairs(vectors.checksum) do
      assert.equal(case.checksummed, core.evm_address_parse(case.input))
    end
  end)

  it("gives the 20 bytes", function()
    local _, bytes = core.evm_address_parse "0x00000000000000000000000000000000000000ff"
    assert.equal(("\0"):rep(19) .. "\255", bytes)
  end)

  for _, case in ipairs(vectors.address_text) do
    it(("reads %q as the official clients do"):format(case.text), function()
      local address, _, code = core.evm_address_parse(case.text)
      local lax, _, lax_code = core.evm_address_parse(case.text, "shape")
      if case.valid_strict_checksum then assert.equal(case.get_address, address)
      else assert.equal(case.valid_ignoring_checksum and "CHECKSUM" or "SYNTAX", code) end
      if case.valid_ignoring_checksum then assert.equal(case.get_address, lax)
      else assert.equal("SYNTAX", lax_code) end
    end)
  end

  it("says what is wrong", function()
    local _, why = core.evm_address_parse "0xF467A1Fc41f7ef86Beb0f6C138f0D42f51c6ba78"
    assert.equal("an address whose checksum does not match", why)
  end)

  it("rejects a NUL byte and a space", function()
    assert.equal("SYNTAX", select(3, core.evm_address_parse("0x" .. ("0"):rep(39) .. "\0", "shape")))
    assert.equal("SYNTAX", select(3, core.evm_address_parse("0x" .. ("0"):rep(40) .. " ", "shape")))
  end)
end)
