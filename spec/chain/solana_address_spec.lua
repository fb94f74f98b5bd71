-- Token accounts of owners. Vectors: ata.json, by @solana/kit; bumps from 255 down to 248.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

describe("solana_ata", function()
  for _, case in ipairs(spec.vectors "ata".cases) do
    it(("finds %s, bump %d"):format(case.ata, case.bump), function()
      local ata, bump = core.solana_ata(case.owner, case.mint, case.token_program)
      assert.equal(case.ata, ata)
      assert.equal(case.bump, bump)
      assert.is_false(core.ed25519_on_curve(core.base58_decode(ata)))
      assert.equal(case.owner_off_curve, not core.ed25519_on_curve(core.base58_decode(case.owner)))
    end)
  end

  local good = spec.vectors "ata".cases[1]
  for name, bad in pairs{
    ["no address"] = "", ["31 bytes"] = core.base58_encode(("\1"):rep(31)),
    ["33 bytes"] = core.base58_encode(("\1"):rep(33)), ["a letter too many"] = good.owner .. "1",
    ["a 0, which base58 has not"] = "0" .. good.owner:sub(2) } do
    it("refuses " .. name, function()
      assert.equal("SYNTAX", select(3, core.solana_ata(bad, good.mint, good.token_program)))
      assert.equal("SYNTAX", select(3, core.solana_ata(good.owner, bad, good.token_program)))
      assert.equal("SYNTAX", select(3, core.solana_ata(good.owner, good.mint, bad)))
    end)
  end
end)
