-- SPDX-License-Identifier: MIT
-- Two thousand random Solana payments: equal, with their indices resolved, to transactions of the official libraries
-- from the same inputs, and verified by the official facilitator. One in twenty has a bit turned, and has to be
-- refused.
local cjson = require "cjson"
local core = require "spraay.core"
local live = require "spec.support.live"
local random = require "spec.interop.random"
local spraay = require "spraay"

local N = math.min(tonumber(os.getenv "CASES") or 2000, 2000)

local NETWORKS = {
  { "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v" },
  { "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU" },
}

describe(("random Solana payments, SEED=%d"):format(random.seed), function()
  it(("%d are what the official libraries build, and are verified"):format(N), function()
    local dice, judges = random.dice "solana", random.judges(2)
    local function key() return core.base58_encode(core.ed25519_public(dice:bytes(32))) end
    local wallets, files = {}, {}
    for i = 1, 64 do
      local seed = dice:bytes(32)
      files[i] = live.secret(core.base58_encode(seed .. core.ed25519_public(seed)) .. "\n")
      wallets[i] = spraay.wallet.solana(files[i])
    end
    for n = 1, N do
      local network, with = dice:of(NETWORKS), dice:of(wallets)
      local blockhash = core.base58_encode(dice:bytes(32))
      local amount = dice:digits(64)
      if amount == "0" then amount = "1" end
      local extra = { feePayer = key(), recentBlockhash = blockhash }
      if dice:chance(3) then extra.memo = dice:name(8) end
      local terms = { scheme = "exact", network = network[1], amount = amount, asset = network[2], payTo = key(),
        maxTimeoutSeconds = 60 + dice:roll(600), extra = extra }
      local text = cjson.encode { x402Version = 2, error = "Payment required", accepts = { terms },
        resource = { url = "https://example.com/" .. n } }
      local offer = assert(spraay.x402.read(402, { ["PAYMENT-REQUIRED"] = core.base64_encode(text) }, "{}"))
      local payer = assert(with:address())
      local name, header = spraay.x402.pay(offer, with, { max = "18446744073709.551615", networks = { network[1] } })
      if not name then error(("SEED=%d: case %d was not paid: %s\n%s"):format(random.seed, n, header, text), 0) end
      judges:case { kind = "solana", header = header, accepts = { terms }, payer = payer, blockhash = blockhash,
        memo = extra.memo, damage = n % 20 == 0 and dice:roll(300) + 1 or nil }
    end
    for i, file in ipairs(files) do
      wallets[i]:close()
      os.remove(file)
    end
    assert.equal(N, judges:finish())
  end)
end)
