-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"
local spec = require "spec.helper"
local offers = require "spec.x402.offers"

-- Cases the official client hands on although its own schema, or good sense, refuses them.
-- Here they end: as a whole (the code), or in the entry they spoil (flaw).
local STRICTER = {
  ["header is base64 of JSON null"] = { code = "TYPE" },
  ["header holds an empty accepts list"] = { code = "TYPE" },
  ["header holds no accepts"] = { code = "TYPE" },
  ["header holds no resource"] = { code = "TYPE" },
  ["version 3"] = { code = "VERSION" },
  ["duplicate member, last one wins"] = { code = "DUPLICATE" },
  ["network is not CAIP-2"] = { flaw = "network" },
  ["amount is a number"] = { flaw = "amount" },
  ["timeout is text"] = { flaw = "window" },
  ["timeout is zero"] = { flaw = "window" },
}

describe("reading a challenge", function()
  for _, case in ipairs(spec.vectors("x402_challenges").cases) do
    local strict = STRICTER[case.id]
    it("official answer: " .. case.id, function()
      local offer, why, code = core.x402_read(case.status, case.headers, case.body)
      if strict and strict.code then
        assert.is_nil(offer)
        assert.equal(strict.code, code)
        assert.is_string(why)
      elseif case.official_client == "rejected" then
        assert.is_nil(offer)
        assert.is_string(why)
      else
        assert.is_table(offer, why)
        assert.equal(#case.parsed.accepts, #offer.entries)
        assert.equal(case.parsed.x402Version, offer.version)
        if strict then
          assert.equal(strict.flaw, offer.entries[1].flaw)
          assert.is_string(offer.entries[1].why)
        end
        for i, entry in ipairs(offer.entries) do
          assert.is_true(offers.same(case.parsed.accepts[i], cjson.decode(entry.raw)))
        end
        if case.parsed.error ~= cjson.null then assert.equal(case.parsed.error, offer.error) end
      end
    end)
  end

  it("keeps an entry byte for byte: spacing, order, escapes, number forms", function()
    local raw = '{ "payTo" : "' .. offers.PAY_TO .. '","maxTimeoutSeconds":3.0e2,"x":1e400,"n":"\\u0041",'
      .. '"asset":"' .. offers.USDC .. '","network":"eip155:8453","amount":"1","scheme":"exact",'
      .. '"extra":{"version":"2","name":"USD Coin","deep":[true,null]}}'
    local offer = offers.read { raw }
    assert.equal(raw, offer.entries[1].raw)
    assert.equal(300, offer.entries[1].timeout)
    assert.is_nil(offer.entries[1].flaw)
  end)

  it("keeps resource and extensions raw, and drops a null", function()
    local offer = offers.read({ offers.entry() }, ',"extensions":{"a":{"info":{ }}}')
    assert.equal('{"url":"https://api.example.com/a"}', offer.resource)
    assert.equal('{"a":{"info":{ }}}', offer.extensions)
    assert.is_nil(offers.read({ offers.entry() }, ',"extensions":null').extensions)
  end)

  it("takes terms from the header, never from the body beside it", function()
    local body = '{"x402Version":1,"accepts":[{"scheme":"exact","network":"base"}]}'
    local offer = core.x402_read(402, offers.headers { offers.entry() }, body)
    assert.equal(2, offer.version)
  end)

  it("reads header names in any case and lists of pairs", function()
    local value = offers.headers({ offers.entry() })["payment-required"]
    assert.is_table(core.x402_read(402, { { "Payment-REQUIRED", value } }, ""))
  end)

  it("refuses a repeated header, even when both copies agree", function()
    local value = offers.headers({ offers.entry() })["payment-required"]
    local offer, why, code = core.x402_read(402, { ["payment-required"] = { value, value } }, "")
    assert.is_nil(offer)
    assert.equal("SYNTAX", code)
    assert.matches("two PAYMENT%-REQUIRED", why)
  end)

  it("is about 402 answers only: a stale header on a 200 asks for nothing", function()
    for _, status in ipairs { 200, 400, 412, 500 } do
      local offer, _, code = core.x402_read(status, offers.headers { offers.entry() }, "")
      assert.is_nil(offer)
      assert.equal("MISSING", code)
    end
  end)

  it("lets one bad entry spoil only itself, and says why", function()
    local offer = offers.read { offers.entry { amount = "-1" }, "7", offers.entry() }
    assert.equal("amount", offer.entries[1].flaw)
    assert.equal("malformed", offer.entries[2].flaw)
    assert.is_nil(offer.entries[3].flaw)
  end)

  for _, bad in ipairs {
    { "a negative amount", { amount = "-1" }, "amount" },
    { "a fraction", { amount = "0.5" }, "amount" },
    { "an exponent", { amount = "1e3" }, "amount" },
    { "hexadecimal", { amount = "0x3e8" }, "amount" },
    { "a leading zero", { amount = "01000" }, "amount" },
    { "a space", { amount = " 1" }, "amount" },
    { "nothing", { amount = "" }, "amount" },
    { "2^256", { amount = "115792089237316195423570985008687907853269984665640564039457584007913129639936" },
      "amount" },
    { "no amount", { amount = offers.NONE }, "amount" },
    { "a payTo one digit short", { payTo = "0x209693Bc6afc0C5328bA36FaF03C514EF312287" }, "pay_to" },
    { "a payTo with a damaged checksum", { payTo = "0x209693bc6afc0C5328bA36FaF03C514EF312287C" }, "pay_to" },
    { "no payTo", { payTo = offers.NONE }, "pay_to" },
    { "an asset that is no address", { asset = "USDC" }, "asset" },
    { "a network name where an id belongs", { network = "base" }, "network" },
    { "a chain id with a leading zero", { network = "eip155:08453" }, "network" },
    { "an unknown namespace", { network = "cosmos:hub-4" }, "network" },
    { "a fraction of a second", { maxTimeoutSeconds = 0.5 }, "window" },
    { "a negative timeout", { maxTimeoutSeconds = -300 }, "window" },
    { "no timeout", { maxTimeoutSeconds = offers.NONE }, "window" },
    { "extra that is a list", { extra = { 1, 2 } }, "malformed" },
    { "a name that is a number", { extra = { name = 7, version = "2" } }, "domain" },
    { "a flow that is not text", { extra = { name = "USD Coin", version = "2", paymentFlow = true } },
      "flow" },
    { "a scheme that is not text", { scheme = 1 }, "scheme" },
  } do
    it("finds the flaw in " .. bad[1], function()
      local offer = offers.read { offers.entry(bad[2]) }
      assert.equal(bad[3], offer.entries[1].flaw)
    end)
  end

  it("does not let a NUL end a string early", function()
    local raw = cjson.encode(offers.entry()):gsub('"exact"', '"exact\\u0000"')
    assert.equal("scheme", offers.read({ raw }).entries[1].flaw)
  end)

  it("refuses a Solana amount that no token account can hold", function()
    local entry = {
      scheme = "exact", network = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", amount = "18446744073709551616",
      asset = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
      payTo = "8WhWE8YgY5QBWyLowEHuaZiWdwDM3SrgDk36xYBNvYNS", maxTimeoutSeconds = 300,
      extra = { feePayer = "D6ZhtNQ5nT9ZnTHUbqXZsTx5MH2rPFiBBggX4hY1WePM" },
    }
    assert.equal("amount", offers.read({ entry }).entries[1].flaw)
    entry.amount = "18446744073709551615"
    local read = offers.read({ entry }).entries[1]
    assert.is_nil(read.flaw)
    assert.equal("solana", read.rail)
    assert.equal(entry.extra.feePayer, read.fee_payer)
  end)

  it("bounds what it reads: entries, header size, depth", function()
    local many = {}
    for i = 1, 33 do many[i] = offers.entry() end
    assert.equal("LIMIT", select(3, offers.read(many)))
    many[33] = nil
    assert.equal(32, #offers.read(many).entries)
    assert.equal("LIMIT", select(3, core.x402_read(402, { ["payment-required"] = ("A"):rep(65540) }, "")))
    local deep = ("["):rep(70) .. ("]"):rep(70)
    assert.equal("DEPTH", select(3, offers.read({ offers.entry() }, ',"x":' .. deep)))
  end)

  it("survives every truncation of a sound challenge", function()
    local value = offers.headers({ offers.entry() })["payment-required"]:gsub("=", "")
    for n = 1, #value - 1 do
      local offer = core.x402_read(402, { ["payment-required"] = value:sub(1, n) }, "")
      assert.is_nil(offer)
    end
  end)

  it("survives any single damaged byte of the JSON without inventing an entry", function()
    local json = core.base64_decode(offers.headers({ offers.entry() })["payment-required"])
    local roll = spec.dice(7)
    for at = 1, #json do
      local damaged = json:sub(1, at - 1) .. string.char(roll(256)) .. json:sub(at + 1)
      local offer = core.x402_read(402, { ["payment-required"] = core.base64_encode(damaged) }, "")
      if offer then assert.is_true(#offer.entries <= 1) end
    end
  end)
end)
