-- Base64 as x402 headers carry it. Vectors: base64.json, by @x402/core.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

describe("base64", function()
  local vectors = spec.vectors "base64"

  it("agrees with the official encoder, both ways", function()
    for _, case in ipairs(vectors.bytes_cases) do
      local bytes = spec.unhex(case.bytes)
      assert.equal(case.base64, core.base64_encode(bytes))
      assert.equal(bytes, core.base64_decode(case.base64))
    end
    for _, case in ipairs(vectors.text_cases) do
      assert.equal(case.base64, core.base64_encode(case.text))
      assert.equal(case.text, core.base64_decode(case.base64))
    end
  end)

  for _, case in ipairs(vectors.tolerance) do
    local reads = case.official_decodes
    it(("%s %q, like the official decoder"):format(reads and "reads" or "rejects", case.base64), function()
      local bytes, _, code = core.base64_decode(case.base64)
      if reads then assert.equal(case.decoded_bytes, spec.hex(bytes))
      else assert.equal("SYNTAX", code) end
    end)
  end

  for _, bad in ipairs{ { "A", "a single digit" }, { "====", "nothing but padding" },
    { "AA==AA==", "padding inside" },
                        { "AAA=A", "a digit after the padding" }, { "AA\0A", "a NUL byte" },
                        { "A===", "three signs of padding" },
                        { "\195\188AA=", "a byte above 127" } } do
    it("rejects " .. bad[2], function()
      assert.equal("SYNTAX", select(3, core.base64_decode(bad[1])))
    end)
  end

  it("gives back what it was given, padded or not", function()
    local roll = spec.dice(64)
    for n = 0, 100 do
      local bytes = spec.bytes(roll, n)
      local text = core.base64_encode(bytes)
      assert.equal(bytes, core.base64_decode(text))
      assert.equal(bytes, core.base64_decode((text:gsub("=", ""))))
    end
  end)
end)
