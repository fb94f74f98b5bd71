-- Personal messages. Vectors: personal_sign.json, by viem.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

describe("eip191", function()
  for _, case in ipairs(spec.vectors "personal_sign".cases) do
    it(("signs %q as wallets do"):format(case.message:sub(1, 24)), function()
      local digest = core.eip191_digest(case.message)
      local signature = core.secp_sign(digest, spec.unhex(case.private_key))
      assert.equal(case.digest, spec.hex(digest))
      assert.equal(case.signature, spec.hex(signature))
      assert.equal(case.signer, core.secp_recover(digest, signature))
    end)
  end

  it("counts bytes, not characters", function()
    local message = "\226\130\172"
    assert.equal(core.keccak256("\25Ethereum Signed Message:\n3" .. message), core.eip191_digest(message))
  end)
end)
