-- SPDX-License-Identifier: MIT
-- Two thousand random transactions of type 2: bytes, hash and sender are viem's.
local core = require "spraay.core"
local random = require "spec.interop.random"

local N = math.min(tonumber(os.getenv "CASES") or 2000, 2000)

describe(("random transactions, SEED=%d"):format(random.seed), function()
  it(("%d are viem's, byte for byte"):format(N), function()
    local dice, judges = random.dice "transaction", random.judges(2)
    for _ = 1, N do
      local key32 = dice:bytes(32)
      local max_fee = dice:digits(64)
      -- a tip above the fee is refused
      local tip = #max_fee > 1 and max_fee:sub(1, dice:roll(#max_fee - 1) + 1) or "0"
      local data = dice:bytes(dice:of { 0, 1, 4, 36, 68, dice:roll(300) })
      local fields = { chain_id = dice:of { "8453", "84532", "1", "4294967296" }, nonce = dice:of { "0", "1", "127",
        "128", "255", "256", tostring(dice:roll(2147483646)) }, gas = dice:of { "21000", "150000", dice:digits(32) },
        max_tip = tip, max_fee = max_fee, value = dice:digits(256), to = core.evm_address(dice:bytes(32)),
        data = data }
      local unsigned = assert(core.evm_tx_unsigned(fields))
      local signed, hash = core.evm_tx_signed(fields, core.secp_sign(core.keccak256(unsigned), key32))
      assert(signed, hash)
      fields.data = "0x" .. core.hex_encode(data)
      judges:case { kind = "transaction", fields = fields, key = "0x" .. core.hex_encode(key32),
        signed = "0x" .. core.hex_encode(signed), hash = "0x" .. core.hex_encode(hash) }
    end
    assert.equal(N, judges:finish())
  end)
end)
