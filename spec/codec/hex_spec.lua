-- Hexadecimal text: lower case out, either case in.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

describe("hex", function()
  it("writes two lower-case digits a byte", function()
    assert.equal("00ff0aa0", core.hex_encode "\0\255\10\160")
    assert.equal("", core.hex_encode "")
  end)

  it("reads digits of either case, with or without 0x", function()
    assert.equal("\171\205", core.hex_decode "abCD")
    assert.equal("\171\205", core.hex_decode "0xABcd")
    assert.equal("", core.hex_decode "0x")
  end)

  for _, bad in ipairs{ { "abc", "half a byte" }, { "0g", "a letter past f" },
    { "0X00", "an upper-case X" },
                        { " 00", "a space" }, { "00\0" .. "0", "a NUL byte" }, { "-1", "a sign" } } do
    it("rejects " .. bad[2], function()
      local bytes, why, code = core.hex_decode(bad[1])
      assert.is_nil(bytes)
      assert.equal("not written in the expected form", why)
      assert.equal("SYNTAX", code)
    end)
  end

  it("takes no number for text, for it would not be exact", function()
    assert.has_error(function() core.hex_encode(12) end)
  end)

  it("gives back what it was given", function()
    local roll = spec.dice(7)
    for n = 0, 64 do
      local bytes = spec.bytes(roll, n)
      assert.equal(bytes, core.hex_decode(core.hex_encode(bytes)))
      assert.equal(spec.hex(bytes), "0x" .. core.hex_encode(bytes))
    end
  end)
end)
