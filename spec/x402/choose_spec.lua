-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"
local offers = require "spec.x402.offers"

local SOLANA = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
local OTHER = "0x4C6eB540EE09eac3096cfa50020e3325a2e62810"

local function choose(entries, with)
  local offer = assert(offers.read(entries))
  return core.x402_choose(offer, offers.policy(with))
end

local function refused(code, entries, with)
  local choice, sentence, got, refusal = choose(entries, with)
  assert.is_nil(choice)
  assert.equal(code, got, sentence)
  assert.equal(code, refusal.code)
  assert.is_true(#sentence > 20)
  assert.is_true(#refusal.hint > 10)
  return sentence, refusal
end

-- What the official client does is kept in the vectors; where we differ, the reason is here.
local DIFFERENT = {
  ["order of the list decides"] = { index = 2 },            -- no Solana wallet: the EVM entry
  ["upfront taken when alone"] = { code = "flow" },          -- money would move before the work
  ["escrow flow recognised"] = { code = "flow" },
  ["negative amount"] = { code = "amount" },                 -- the official spend cap lets these pass
  ["fractional amount"] = { code = "amount" },
  ["amount zero"] = { code = "amount" },
  ["any asset"] = { index = 2 },                             -- there is no such switch
  ["controls off"] = { code = "asset" },
  ["own cap five dollars"] = { index = 1, per_call = "5000000" },
  ["own cap five dollars exceeded"] = { code = "over_per_call", per_call = "5000000" },
  ["unknown asset allowed by list with its own cap"] = { index = 1, listed = true, per_call = "1000" },
  ["unknown asset over its own cap"] = { code = "over_per_call", listed = true, per_call = "1000" },
}

describe("choosing an entry", function()
  for _, case in ipairs(spec.vectors("x402_selection").cases) do
    if #case.accepts > 0 then   -- an empty list is refused by the reader already
      it("official selection: " .. case.id, function()
        local ours = DIFFERENT[case.id] or {}
        local networks = {}
        for _, name in ipairs(case.registered_networks) do
          if name == "eip155:*" then
            networks[#networks + 1] = offers.BASE
            networks[#networks + 1] = offers.SEPOLIA
          elseif name == "solana:*" then networks[#networks + 1] = SOLANA
          else networks[#networks + 1] = name end
        end
        local assets
        if ours.listed then
          assets = { { network = "base", asset = OTHER, name = "USD Coin", version = "2", decimals = 6 } }
        end
        local choice, sentence, code = choose(case.accepts, {
          networks = networks, assets = assets, per_call = ours.per_call or "1000000",
        })
        local index = ours.index or case.selected_index + 1
        if ours.code then
          assert.is_nil(choice)
          assert.equal(ours.code, code)
        elseif index == 0 then
          assert.is_nil(choice)
          assert.is_string(sentence)
        else
          assert.is_table(choice, sentence)
          assert.equal(index, choice.index)
        end
      end)
    end
  end

  it("follows the caller's order of networks, not the server's", function()
    local sepolia = offers.entry {
      network = offers.SEPOLIA, asset = "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
      extra = { name = "USDC", version = "2" },
    }
    local entries = { sepolia, offers.entry() }
    assert.equal(2, choose(entries, { networks = { "base", "base-sepolia" } }).index)
    assert.equal(1, choose(entries, { networks = { "base-sepolia", "base" } }).index)
  end)

  it("tells what will be paid, in whole tokens and in atomic units", function()
    local choice = choose { offers.entry() }
    assert.equal("0.030000", choice.amount)
    assert.equal("30000", choice.atomic)
    assert.equal("USDC", choice.symbol)
    assert.equal("Base", choice.network_title)
    assert.equal(300, choice.window)
  end)

  it("lets a signature live no longer than 600 s, whatever the server allows", function()
    assert.equal(600, choose({ offers.entry { maxTimeoutSeconds = 3600 } }).window)
    assert.equal(60, choose({ offers.entry { maxTimeoutSeconds = 60 } }).window)
  end)
end)

describe("refusing an offer", function()
  it("names both networks when they do not meet", function()
    local sentence, refusal = refused("network", { offers.entry() }, { networks = { "polygon", "eip155:1" } })
    assert.matches("eip155:8453", sentence, 1, true)
    assert.matches("eip155:137, eip155:1", sentence, 1, true)
    assert.matches("networks", refusal.hint)
  end)

  it("wants the full network id AND the asset: USDC's address on another chain is nothing", function()
    refused("asset", { offers.entry { network = "eip155:1" } }, { networks = { "ethereum" } })
  end)

  it("is not fooled by a second EVM rail in another dollar", function()
    local usdg = offers.entry {
      network = "eip155:4663", asset = "0x5fc5360D0400a0Fd4f2af552ADD042D716F1d168",
      extra = { name = "Global Dollar", version = "1" },
    }
    assert.equal(2, choose({ usdg, offers.entry() }).index)
    local _, refusal = refused("asset", { usdg }, { networks = { "eip155:4663" } })
    assert.matches("assets", refusal.hint)
    assert.equal(1, choose({ usdg }, {
      networks = { "eip155:4663" },
      assets = { { network = "eip155:4663", asset = usdg.asset, name = "Global Dollar", version = "1" } },
    }).index)
  end)

  it("refuses a rail for which there is no wallet", function()
    local offer = assert(offers.read { offers.entry() })
    local choice, sentence, code = core.x402_choose(offer, { networks = { "base" } })
    assert.is_nil(choice)
    assert.equal("network", code)
    assert.matches("no wallet", sentence)
  end)

  it("refuses the token under another name or version, or without one", function()
    local sentence, refusal = refused("domain", { offers.entry { extra = { name = "USDC", version = "2" } } })
    assert.matches('"USDC"', sentence, 1, true)
    assert.matches('"USD Coin"', sentence, 1, true)
    assert.matches("assets", refusal.hint)
    refused("domain", { offers.entry { extra = { name = "USD Coin", version = "1" } } })
    refused("domain", { offers.entry { extra = { name = "usd coin", version = "2" } } })
    refused("domain", { offers.entry { extra = {} } })
    refused("domain", { offers.entry { extra = offers.NONE } })
  end)

  it("refuses other ways of moving the money", function()
    local function with(member, value)
      return { offers.entry { extra = { name = "USD Coin", version = "2", [member] = value } } }
    end
    refused("flow", with("assetTransferMethod", "permit2"))
    refused("flow", with("assetTransferMethod", "erc7710"))
    refused("flow", with("paymentFlow", "upfront"))
    assert.equal(1, choose(with("assetTransferMethod", "eip3009")).index)
    assert.equal(1, choose(with("paymentFlow", "authorization")).index)
    refused("scheme", { offers.entry { scheme = "upto" } })
  end)

  it("refuses a payee that cannot be one", function()
    refused("pay_to", { offers.entry { payTo = "0x0000000000000000000000000000000000000000" } })
    refused("pay_to", { offers.entry { payTo = offers.PAYER:lower() } })
    refused("pay_to", { offers.entry { payTo = offers.USDC } })
  end)

  it("refuses a payee outside the list, naming both addresses", function()
    local expected = "0xAd62f03C7514bb8c51f1eA70C2b75C37404695c8"
    local sentence, refusal = refused("pay_to", { offers.entry() }, { pay_to = { expected } })
    assert.matches(offers.PAY_TO, sentence, 1, true)
    assert.matches(expected, sentence, 1, true)
    assert.matches('pay_to = { "' .. offers.PAY_TO .. '" }', refusal.hint, 1, true)
    assert.equal(1, choose({ offers.entry() }, { pay_to = { expected, offers.PAY_TO:lower() } }).index)
  end)

  it("does not hold a list for one rail against the other", function()
    local solana = { "8WhWE8YgY5QBWyLowEHuaZiWdwDM3SrgDk36xYBNvYNS" }
    assert.equal(1, choose({ offers.entry() }, { pay_to = solana }).index)
  end)

  it("refuses a ten-year window, and one too short to settle", function()
    local sentence = refused("window", { offers.entry { maxTimeoutSeconds = 315360000 } })
    assert.matches("315360000 s", sentence, 1, true)
    refused("window", { offers.entry { maxTimeoutSeconds = 3601 } })
    refused("window", { offers.entry { maxTimeoutSeconds = 5 } })
  end)

  it("signs over zero only when asked to", function()
    refused("amount", { offers.entry { amount = "0" } })
    assert.equal("0.000000", choose({ offers.entry { amount = "0" } }, { allow_zero = true }).amount)
  end)

  it("refuses a raised price, carrying both", function()
    local sentence, refusal = refused("price_raised", { offers.entry { amount = "50000" } },
      { published = "30000", per_call = "600000" })
    assert.matches("0.050000 USDC", sentence, 1, true)
    assert.matches("0.030000", sentence, 1, true)
    assert.equal("0.050000", refusal.offered)
    assert.equal("50000", refusal.offered_atomic)
    assert.equal("0.030000", refusal.limit)
    assert.matches('max = "0.05"', refusal.hint, 1, true)
    assert.matches("prices", refusal.hint)
  end)

  it("lets max replace the published price, upwards and downwards", function()
    assert.is_table(choose({ offers.entry { amount = "50000" } }, { published = "30000", max = "50000" }))
    local _, refusal = refused("over_max", { offers.entry { amount = "30000" } },
      { published = "30000", max = "29999" })
    assert.equal("0.029999", refusal.limit)
    assert.matches('max to "0.03"', refusal.hint, 1, true)
  end)

  it("holds per_call against every price, max or not", function()
    local _, refusal = refused("over_per_call", { offers.entry { amount = "700000" } },
      { max = "700000", per_call = "600000" })
    assert.matches("per_call", refusal.hint)
    assert.is_table(choose({ offers.entry { amount = "600000" } }, { per_call = "600000" }))
  end)

  it("pays a lower price without a word", function()
    assert.equal("0.000001", choose({ offers.entry { amount = "1" } }, { published = "30000" }).amount)
  end)

  it("compares beyond 64 bits", function()
    local huge = "115792089237316195423570985008687907853269984665640564039457584007913129639935"
    refused("over_per_call", { offers.entry { amount = huge } }, { per_call = "18446744073709551615" })
  end)

  it("counts a token of other decimals by whole tokens, exactly", function()
    local function with(decimals, amount, per_call)
      return { offers.entry { asset = OTHER, amount = amount, extra = { name = "Mega", version = "1" } } }, {
        per_call = per_call,
        assets = { { network = "base", asset = OTHER, name = "Mega", version = "1", decimals = decimals } },
      }
    end
    assert.equal("1.000000000000000000", choose(with(18, "1000000000000000000", "1000000")).amount)
    refused("over_per_call", with(18, "1000000000000000001", "1000000"))
    assert.equal("1.00", choose(with(2, "100", "1000000")).amount)
    refused("over_per_call", with(2, "101", "1000000"))
  end)

  it("keeps to the terms an earlier signature fixed", function()
    local fixed = { network = "base", asset = offers.USDC:lower(), pay_to = offers.PAY_TO }
    assert.equal("0.040000", choose({ offers.entry { amount = "40000" } }, { fixed = fixed }).amount)
    local sentence = refused("pay_to", { offers.entry { payTo = OTHER } }, { fixed = fixed })
    assert.matches(OTHER, sentence, 1, true)
    assert.matches(offers.PAY_TO, sentence, 1, true)
    local sepolia = offers.entry {
      network = offers.SEPOLIA, asset = "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
      extra = { name = "USDC", version = "2" },
    }
    refused("network", { sepolia }, { fixed = fixed, networks = { "base", "base-sepolia" } })
  end)

  it("reports the entry that got furthest", function()
    refused("price_raised", {
      offers.entry { scheme = "upto" }, offers.entry { amount = "50000" },
      offers.entry { payTo = offers.PAYER },
    }, { published = "30000" })
  end)

  it("says what is wrong with an offer none of whose entries can be read", function()
    local sentence = refused("malformed", { "1", "2" })
    assert.matches("not an object", sentence)
    refused("amount", { offers.entry { amount = "1.5" } })
  end)

  it("quotes a server in one line of sound text, wherever its words are cut", function()
    local e_acute = "\195\169"
    local entry = offers.entry { extra = { name = ("x"):rep(63) .. e_acute .. "y\n", version = "2\n\t3" } }
    local sentence = refused("domain", { entry })
    assert.matches(("x"):rep(63) .. '?"', sentence, 1, true)
    assert.matches('version "2  3"', sentence, 1, true)
  end)
end)
