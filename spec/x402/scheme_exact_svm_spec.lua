-- Payments on Solana. Vectors: x402_svm.json, by @x402/svm. What the transactions say is compared, with indices
-- resolved, and our own signature over our own bytes: the official order of accounts is a text collation.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"
local spec = require "spec.helper"
local messages = require "spec.chain.messages"
local offers = require "spec.x402.offers"

local unhex = spec.unhex
local NOW = 1767225600
local MAINNET, DEVNET = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"
local USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
local FEE_PAYER = "GmaDrppBC7P5ARKV8g3djiwP89vz1jLK23V2GBjuAEGB"
local PAY_TO = "AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9"
local SEED = ("\66"):rep(32)
local PAYER = core.base58_encode(core.ed25519_public(SEED))
local HASH = core.base58_encode(("\7"):rep(32))

local function read(case)
  if case.body then return core.x402_read(402, {}, cjson.encode(case.body)) end
  return core.x402_read(402, { ["payment-required"] = case.payment_required_header }, "{}")
end

-- Everything a caller can allow, and what the chain said.
local function prepare(case, offer)
  local entry = offer.entries[1]
  return core.x402_prepare(offer, { networks = { MAINNET, DEVNET }, payer_solana = case.payer, allow_zero = true,
    assets = { { network = entry.network, asset = entry.asset or USDC, decimals = case.mint.decimals } } },
    { nonce = unhex(case.memo_random) .. ("\0"):rep(16), now = NOW, blockhash = case.rpc_latest_blockhash,
      token_program = case.mint.owner })
end

-- What the official client signs and this one refuses, with the code.
local STRICTER = {
  ["payer pays itself"] = "pay_to", ["payer is the fee payer (a facilitator refuses it)"] = "scheme",
  ["paid up front"] = "flow",
}

-- What only the chain's answer about the mint forbids is refused before anything is prepared.
local OF_THE_CHAIN = { ["mint owned by another program"] = true }

describe("exact on Solana", function()
  for _, case in ipairs(spec.vectors "x402_svm".cases) do
    if OF_THE_CHAIN[case.id] then
      it("leaves it to the look at the chain: " .. case.id, function()
        assert.equal("getAccountInfo", case.rpc_calls[1])   -- see lookup_svm_spec.lua
      end)
    elseif case.refused or STRICTER[case.id] then
      it("refuses: " .. case.id, function()
        local prepared, why, code = prepare(case, (assert(read(case))))
        assert.is_nil(prepared)
        assert.equal("string", type(why))
        if STRICTER[case.id] then assert.equal(STRICTER[case.id], code) end
      end)
    else
      it("pays as the official client does: " .. case.id, function()
        local offer = assert(read(case))
        local prepared, why = prepare(case, offer)
        assert.is_truthy(prepared, why)
        local signature = core.ed25519_sign(unhex(case.payer_seed), prepared.message)
        local name, value = core.x402_finish(prepared, signature)
        assert.equal(case.header_name, name)

        local payment, official = cjson.decode(core.base64_decode(value)), case.payload
        local wire = core.base64_decode(payment.payload.transaction)
        local theirs = core.base64_decode(official.payload.transaction)
        payment.payload, official.payload = nil, nil
        assert.is_true(offers.same(official, payment))

        assert.equal(#theirs, #wire)
        assert.equal("\2" .. ("\0"):rep(64), wire:sub(1, 65))
        assert.equal(signature, wire:sub(66, 129))
        assert.is_true(core.ed25519_verify(signature, wire:sub(130), core.ed25519_public(unhex(case.payer_seed))))
        local m, official_m = messages.read(wire:sub(130)), messages.read(theirs:sub(130))
        assert.same(official_m.header, m.header)
        assert.equal(official_m.accounts[1].address, m.accounts[1].address)
        assert.same(messages.roles(official_m.accounts), messages.roles(m.accounts))
        assert.equal(official_m.blockhash, m.blockhash)
        assert.same(official_m.instructions, m.instructions)
      end)
    end
  end
end)

local function entry(with, extra)
  local e = { scheme = "exact", network = MAINNET, amount = "30000", asset = USDC, payTo = PAY_TO,
    maxTimeoutSeconds = 300, extra = { feePayer = FEE_PAYER } }
  for k, v in pairs(extra or {}) do e.extra[k] = v end
  for k, v in pairs(with or {}) do e[k] = v end
  return e
end

local function ask(with, extra, policy, order)
  local p = { networks = { MAINNET }, payer_solana = PAYER }
  for k, v in pairs(policy or {}) do p[k] = v end
  local offer = assert(offers.read{ entry(with, extra) })
  return core.x402_prepare(offer, p, order or { now = NOW, nonce = ("\5"):rep(32), blockhash = HASH })
end

describe("what is signed", function()
  it("carries the first half of the mark as its memo, and lives 90 s at most", function()
    local p = ask()
    local memo = messages.read(p.message).instructions[4]
    assert.equal(("05"):rep(16), memo.data)
    assert.equal(NOW + 90, p.valid_before)
    assert.equal(NOW + 60, ask{ maxTimeoutSeconds = 60 }.valid_before)
  end)

  it("takes a blockhash of the offer before any other", function()
    local theirs = core.base58_encode(("\9"):rep(32))
    assert.equal(theirs, messages.read(ask(nil, { recentBlockhash = theirs }).message).blockhash)
    assert.equal(HASH, messages.read(ask(nil, { recentBlockhash = "short" }).message).blockhash)
  end)

  it("is nothing without a blockhash", function()
    local p, why, code = ask(nil, nil, nil, { now = NOW, nonce = ("\5"):rep(32) })
    assert.is_nil(p)
    assert.equal("a required member is missing", why)
    assert.equal("MISSING", code)
  end)

  it("knows which of its tokens belong to Token-2022", function()
    local pyusd = "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo"
    local p = ask({ asset = pyusd }, nil, { assets = { { network = MAINNET, asset = pyusd, decimals = 6 } } })
    assert.equal("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb", messages.read(p.message).instructions[3].program)
  end)

  it("guesses no token program", function()
    local strange = core.base58_encode(("\8"):rep(32))
    assert.equal("MISSING", select(3, ask({ asset = strange }, nil,
      { assets = { { network = MAINNET, asset = strange, decimals = 6 } } })))
  end)

  for name, case in pairs{
    ["no fee payer"] = { nil, { feePayer = cjson.null }, "scheme" },
    ["a fee payer that is no address"] = { nil, { feePayer = "x" }, "scheme" },
    ["a fee payer of 31 bytes"] = { nil, { feePayer = core.base58_encode(("\1"):rep(31)) }, "scheme" },
    ["the payer as fee payer"] = { nil, { feePayer = PAYER }, "scheme" },
    ["a fee payer that is a number"] = { nil, { feePayer = 1 }, "malformed" },
    ["a mint that is not USDC"] = { { asset = "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB" }, nil, "asset" },
    ["devnet's USDC on mainnet"] = { { asset = "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU" }, nil, "asset" },
    ["a token in other letters"] = { { asset = USDC:lower() }, nil, "asset" },
    ["an EVM receiver"] = { { payTo = offers.PAY_TO }, nil, "pay_to" },
    ["the payer as receiver"] = { { payTo = PAYER }, nil, "pay_to" },
    ["the mint as receiver"] = { { payTo = USDC }, nil, "pay_to" },
    ["an escrow flow"] = { nil, { paymentFlow = "escrow" }, "flow" },
    ["an upfront flow"] = { nil, { paymentFlow = "upfront" }, "flow" },
    ["another way to move the token"] = { nil, { assetTransferMethod = "permit2" }, "flow" },
    ["a memo of 257 bytes"] = { nil, { memo = ("m"):rep(257) }, "scheme" },
    ["a memo that is a number"] = { nil, { memo = 1 }, "malformed" },
    ["an amount that is a number"] = { { amount = 30000 }, nil, "amount" },
    ["an amount beyond u64"] = { { amount = "18446744073709551616" }, nil, "amount" },
    ["another genesis"] = { { network = "solana:11111111111111111111111111111111" }, nil, "network" },
    ["another scheme"] = { { scheme = "upto" }, nil, "scheme" } } do
    it("is never an offer with " .. name, function()
      local p, why, code, refusal = ask(case[1], case[2])
      assert.is_nil(p)
      assert.equal(case[3], code, why)
      assert.is_truthy(refusal.hint)
    end)
  end

  it("needs a wallet of that rail", function()
    local offer = assert(offers.read{ entry() })
    local p, why, code = core.x402_prepare(offer, { networks = { MAINNET }, payer = offers.PAYER }, { now = NOW })
    assert.is_nil(p)
    assert.equal("network", code)
    assert.equal("there is no wallet that can pay on Solana", why)
  end)
end)

describe("accepting a signature", function()
  local good = ask()
  local signature = core.ed25519_sign(SEED, good.message)

  for name, bad in pairs{
    ["no signature"] = "", ["65 bytes"] = signature .. "\0", ["63 bytes"] = signature:sub(1, 63),
    ["a turned bit"] = string.char((signature:byte() + 1) % 256) .. signature:sub(2),
    ["zeros"] = ("\0"):rep(64), ["somebody else's"] = core.ed25519_sign(("\67"):rep(32), good.message),
    ["one over another message"] = core.ed25519_sign(SEED, good.message:sub(1, -2)) } do
    it("refuses " .. name, function()
      assert.equal("SIGNATURE", select(3, core.x402_finish(good, bad)))
    end)
  end

  it("takes the payer's own", function()
    assert.equal("PAYMENT-SIGNATURE", (core.x402_finish(good, signature)))
  end)
end)

describe("choosing among rails", function()
  local both = { offers.entry(), entry() }

  it("follows the caller's order", function()
    local offer = assert(offers.read(both))
    local policy = { payer = offers.PAYER, payer_solana = PAYER }
    policy.networks = { "solana", "base" }
    assert.equal(MAINNET, core.x402_choose(offer, policy).network)
    policy.networks = { "base", "solana" }
    assert.equal(offers.BASE, core.x402_choose(offer, policy).network)
    policy.payer = nil
    assert.equal(MAINNET, core.x402_choose(offer, policy).network)
  end)

  it("stays where something was signed before", function()
    local offer = assert(offers.read(both))
    local policy = { payer = offers.PAYER, payer_solana = PAYER, networks = { "base", "solana" },
      fixed = { network = "solana", asset = USDC, pay_to = PAY_TO } }
    assert.equal(MAINNET, core.x402_choose(offer, policy).network)
    offer = assert(offers.read{ offers.entry() })
    assert.equal("network", select(3, core.x402_choose(offer, policy)))
  end)
end)
