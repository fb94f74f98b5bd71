--- The rails a challenge offers, with the constants of the real gateway.
--- A rail is one entry of `accepts`: network, asset, receiver, and what the scheme wants in `extra`.
-- SPDX-License-Identifier: MIT
local solana_address = require "spraay.sandbox.solana.address"
local solana_keys = require "spraay.sandbox.solana.keys"

local networks = {}

local PAY_TO = "0xAd62f03C7514bb8c51f1eA70C2b75C37404695c8"

networks.base = {
  kind = "evm", network = "eip155:8453", v1 = "base", chain_id = 8453,
  asset = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", pay_to = PAY_TO,
  extra = { name = "USD Coin", version = "2" },
  genesis = 1686789347, block_seconds = 2,
}

networks["base-sepolia"] = {
  kind = "evm", network = "eip155:84532", v1 = "base-sepolia", chain_id = 84532,
  asset = "0x036CbD53842c5426634e7929541eC2318f3dCF7e", pay_to = PAY_TO,
  extra = { name = "USDC", version = "2" },
  genesis = 1695768288, block_seconds = 2,
}

-- The third rail, since September 2026: another dollar on another chain. A client that takes
-- "the first eip155 entry" will find out here.
networks.robinhood = {
  kind = "evm", network = "eip155:4663", v1 = "robinhood", chain_id = 4663,
  asset = "0x5fc5360D0400a0Fd4f2af552ADD042D716F1d168",
  pay_to = "0xdAA0fb4fb470AA8fb53A0c301EF9AADC89949F33",
  extra = { name = "Global Dollar", version = "1" },
  genesis = 1735689600, block_seconds = 2,
  -- Its own facilitator has words of its own.
  reasons = { invalid_exact_evm_nonce_already_used = "authorization_already_used" },
}

-- Who pays the fee on Solana is a key of the sandbox's own, the same each time.
local FEE_PAYER = solana_keys.fee_payer(1).address

networks.solana = {
  kind = "svm", network = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", v1 = "solana",
  asset = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
  pay_to = "8WhWE8YgY5QBWyLowEHuaZiWdwDM3SrgDk36xYBNvYNS",
  extra = { feePayer = FEE_PAYER }, program = solana_address.TOKEN,
  genesis = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
}

networks["solana-devnet"] = {
  kind = "svm", network = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", v1 = "solana-devnet",
  asset = "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU",
  pay_to = "8WhWE8YgY5QBWyLowEHuaZiWdwDM3SrgDk36xYBNvYNS",
  extra = { feePayer = FEE_PAYER }, program = solana_address.TOKEN,
  genesis = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG",
}

local LISTS = {
  base = { "base", "solana", "robinhood" },
  ["base-sepolia"] = { "base-sepolia", "solana-devnet", "robinhood" },
}

--- The rails of one gateway: the first is its home, where the miniature chain runs.
---@param name string     "base" or "base-sepolia"
---@param count integer   1, 2 (July) or 3 (September)
---@return table[]?
function networks.rails(name, count)
  local list = LISTS[name]
  if not list then return nil end
  local rails = {}
  for i = 1, math.min(count, #list) do rails[i] = networks[list[i]] end
  return rails
end

--- The rails of these names, in this order.
---@param names string[]  as in this file: "base", "solana", …
---@return table[]? rails
---@return string? why
function networks.named(names)
  local rails = {}
  for i, name in ipairs(names) do
    local rail = networks[name]
    if type(rail) ~= "table" then return nil, ("unknown network %q"):format(tostring(name)) end
    rails[i] = rail
  end
  if #rails == 0 then return nil, "no network" end
  return rails
end

return networks
