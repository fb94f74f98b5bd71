-- Transactions of type 2: what is signed, what is sent, and its name. Vectors: eth_tx.json, by viem.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

local function digits(value)
  return type(value) == "number" and ("%d"):format(value) or value
end

local function access_list(entries)
  if not entries then return nil end
  local out = {}
  for i, entry in ipairs(entries) do
    local keys = {}
    for k, key in ipairs(entry.storageKeys) do keys[k] = spec.unhex(key) end
    out[i] = { spec.unhex(entry.address), keys }
  end
  return out
end

local function fields_of(tx)
  return {
    chain_id = digits(tx.chainId), nonce = digits(tx.nonce), to = tx.to, value = tx.value,
    data = tx.data and spec.unhex(tx.data), gas = tx.gas, max_fee = tx.maxFeePerGas,
    max_tip = tx.maxPriorityFeePerGas, access_list = access_list(tx.accessList),
  }
end

describe("evm_tx", function()
  for _, case in ipairs(spec.vectors "eth_tx".cases) do
    it("signs " .. case.id, function()
      local fields = fields_of(case.tx)
      local unsigned = core.evm_tx_unsigned(fields)
      assert.equal(case.unsigned, spec.hex(unsigned))
      local digest = core.keccak256(unsigned)
      assert.equal(case.sighash, spec.hex(digest))
      local signature = core.secp_sign(digest, spec.unhex(case.private_key))
      assert.equal(case.y_parity, signature:byte(65) - 27)
      local raw, hash = core.evm_tx_signed(fields, signature)
      assert.equal(case.raw, spec.hex(raw))
      assert.equal(case.hash, spec.hex(hash))
    end)
  end

  it("takes no signature of another kind", function()
    local fields = fields_of(spec.vectors "eth_tx".cases[1].tx)
    assert.equal("SIGNATURE", select(3, core.evm_tx_signed(fields, ("\1"):rep(64) .. "\0")))
    assert.equal("SIGNATURE", select(3, core.evm_tx_signed(fields, ("\1"):rep(64) .. "\29")))
  end)

  it("refuses numbers that are no digits, or too large", function()
    local cases = spec.vectors "eth_tx".cases
    for _, bad in ipairs { { "nonce", "-1", "SYNTAX" }, { "nonce", "18446744073709551616", "RANGE" },
                           { "gas", "0x10", "SYNTAX" }, { "max_fee", "1e9", "SYNTAX" }, { "nonce", 7, "TYPE" },
                           { "to", "0x12", "SYNTAX" },
                           { "to", "0xaf4E43d512C73c6731769620ca6b73f0FCFF9118", "CHECKSUM" } } do
      local fields = fields_of(cases[1].tx)
      fields[bad[1]] = bad[2]
      assert.equal(bad[3], select(3, core.evm_tx_unsigned(fields)), bad[1])
    end
  end)
end)
