-- TransferWithAuthorization, from the fields to the signed digest. Vectors: eip3009.json, by viem with the
-- types of @x402/evm.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

local unhex, hex = spec.unhex, spec.hex
local cases = spec.vectors "eip3009".cases

local function fields(case)
  local d, m = case.domain, case.message
  return { name = unhex(case.name_utf8), version = d.version, chain_id = d.chainId,
    contract = d.verifyingContract,
           from = m.from, to = m.to, value = m.value, valid_after = m.validAfter,
             valid_before = m.validBefore,
           nonce = m.nonce }
end

describe("eip3009", function()
  it("covers all 31 vectors", function() assert.equal(31, #cases) end)

  for i, case in ipairs(cases) do
    it(("hashes and signs case %d, %q on chain %s"):format(i, case.domain.name,
      tostring(case.domain.chainId)), function()
      local f = fields(case)
      assert.equal(case.name_hash, hex(core.keccak256(f.name)))
      assert.equal(case.version_hash, hex(core.keccak256(f.version)))
      assert.equal(case.domain_separator, hex(core.eip712_domain(f)))
      assert.equal(case.struct_hash, hex(core.eip3009_hash(f)))
      local digest = core.eip3009_digest(f)
      assert.equal(case.digest, hex(digest))
      local signature = core.secp_sign(digest, unhex(case.private_key))
      assert.equal(case.signature, hex(signature))
      assert.equal(case.message.from, core.secp_recover(digest, signature))
    end)
  end

  it("takes times as digits or integers, and the nonce as bytes or hex", function()
    local f = fields(cases[1])
    local digest = core.eip3009_digest(f)
    f.valid_before = tonumber(f.valid_before)
    f.chain_id = ("%d"):format(f.chain_id)
    f.nonce = unhex(f.nonce)
    assert.equal(digest, core.eip3009_digest(f))
  end)

  for _, bad in ipairs{
    { "value", "-1", "SYNTAX", "a negative value" }, { "value", "0.5", "SYNTAX", "a fraction" },
    { "value", "007", "SYNTAX", "leading zeros" }, { "value", "", "SYNTAX", "an empty value" },
    { "value", "1" .. ("0"):rep(78), "RANGE", "a value past uint256" }, { "value", 1.5, "RANGE",
      "a broken number" },
    { "value", true, "TYPE", "a boolean" }, { "value", nil, "MISSING", "no value" },
    { "from", "0x12", "SYNTAX", "a short address" }, { "to", nil, "MISSING", "no receiver" }, { "to", 5,
      "TYPE", "a number for an address" },
    { "nonce", "0x12", "SYNTAX", "a short nonce" }, { "nonce", ("\1"):rep(33), "SYNTAX", "a long nonce" },
    { "valid_before", "1" .. ("0"):rep(78), "RANGE", "a time past uint256" }, { "valid_after", -1,
      "RANGE", "a time before 1970" },
    { "chain_id", "8453x", "SYNTAX", "letters in the chain id" }, { "contract", "", "SYNTAX", "no contract" },
    { "name", nil, "MISSING", "no name" }, { "version", 2, "TYPE", "a number for a version" } } do
    it("refuses " .. bad[4], function()
      local f = fields(cases[1])
      f[bad[1]] = bad[2]
      local digest, why, code = core.eip3009_digest(f)
      assert.is_nil(digest)
      assert.is_string(why)
      assert.equal(bad[3], code)
    end)
  end

  it("changes with every field", function()
    local seen = { [core.eip3009_digest(fields(cases[1]))] = "original" }
    for key, other in pairs{ name = "USD coin", version = "3", chain_id = 1,
      contract = "0x" .. ("1"):rep(40), from = "0x" .. ("2"):rep(40),
                             to = "0x" .. ("3"):rep(40), value = "12345", valid_after = 7,
                               valid_before = 8, nonce = ("\4"):rep(32) } do
      local f = fields(cases[1])
      f[key] = other
      local digest = core.eip3009_digest(f)
      assert.is_nil(seen[digest], key)
      seen[digest] = key
    end
  end)
end)
