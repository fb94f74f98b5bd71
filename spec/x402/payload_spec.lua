-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"
local spec = require "spec.helper"
local offers = require "spec.x402.offers"

--- A policy under which a vector's challenge can be paid: its entry's own network and token.
local function permissive(entry, network)
  return {
    networks = { network or entry.network }, allow_zero = true, max_window = 3600,
    assets = { {
      network = network or entry.network, asset = entry.asset, decimals = 6,
      name = entry.extra.name, version = entry.extra.version,
    } },
  }
end

local function pay(case, offer, policy, options)
  options = options or {}
  options.key, options.nonce, options.now = spec.unhex(case.private_key), spec.unhex(case.nonce), case.now
  return core.x402_pay(offer, policy, options)
end

local function decode(value)
  return cjson.decode((core.base64_decode(value)))
end

describe("a version 2 payment", function()
  for _, case in ipairs(spec.vectors("x402_v2_evm").cases) do
    it("official client: " .. case.id, function()
      local offer = assert(core.x402_read(402, { ["payment-required"] = case.payment_required_header }, ""))
      local entry = case.payment_required.accepts[case.selected_index + 1]
      local name, value, prepared = pay(case, offer, permissive(entry))
      if case.id:find "upfront" then   -- money would move before the work: refused by policy
        assert.is_nil(name)
        assert.equal("flow", prepared)
        return
      end
      assert.equal("PAYMENT-SIGNATURE", name, value)
      assert.equal(case.header_name, name)
      assert.equal(case.digest, prepared.digest)
      local got = decode(value)
      assert.is_true(offers.same(case.payload.payload, got.payload))
      assert.is_true(offers.same(case.payload.accepted, got.accepted))
      assert.is_true(offers.same(case.payload.resource, got.resource))
      assert.equal(2, got.x402Version)
      assert.is_nil(got.extensions)   -- none of these is required; leaving them out is always accepted
    end)
  end

  it("pastes the chosen entry and the resource byte for byte", function()
    local raw = '{ "payTo":"' .. offers.PAY_TO .. '", "maxTimeoutSeconds":3e2, "n":1e400, "asset":"'
      .. offers.USDC:lower() .. '","network":"eip155:8453","amount":"7","scheme":"ex\\u0061ct",'
      .. '"extra":{"version":"2","name":"USD Coin"}}'
    local offer = offers.read { offers.entry { scheme = "upto" }, raw }
    local _, value = core.x402_pay(offer, offers.policy(), { key = ("\17"):rep(32) })
    local json = core.base64_decode(value)
    assert.matches('"accepted":' .. raw, json, 1, true)
    assert.matches('"resource":' .. offer.resource, json, 1, true)
  end)

  it("is one line of the standard alphabet, padded", function()
    local offer = offers.read { offers.entry() }
    local _, value = core.x402_pay(offer, offers.policy(), { key = ("\17"):rep(32) })
    assert.matches("^[A-Za-z0-9+/]+=*$", value)
    assert.equal(0, #value % 4)
  end)

  it("sends the one form of `accepted` that every server matches", function()
    local vectors = spec.vectors "x402_matching"
    local matched = {}
    for _, case in ipairs(vectors.cases) do matched[case.id] = case.matched_index end
    assert.equal(0, matched["verbatim"])   -- and many a rebuilt one is not:
    assert.equal(-1, matched["asset in lower case"])
    assert.equal(-1, matched["amount as a number"])
    for _, required in ipairs(vectors.required) do
      if required.network:find "^eip155" then
        local offer = offers.read { required }
        local _, value = core.x402_pay(offer, permissive(required), { key = ("\17"):rep(32) })
        assert.is_true(offers.same(required, decode(value).accepted))
        assert.matches('"accepted":' .. offer.entries[1].raw, core.base64_decode(value), 1, true)
      end
    end
  end)

  it("leaves the resource out when the header line would grow past what proxies take", function()
    local json = ('{"x402Version":2,"resource":{"url":"https://a.example/","description":"%s"},'
      .. '"accepts":[%s]}')
      :format(("x"):rep(8000), cjson.encode(offers.entry()))
    local offer = core.x402_read(402, { ["payment-required"] = core.base64_encode(json) }, "")
    local _, value = core.x402_pay(offer, offers.policy(), { key = ("\17"):rep(32) })
    assert.is_nil(decode(value).resource)
    assert.is_true(#value < 2000)
    assert.is_true(offers.same(offers.entry(), decode(value).accepted))
  end)
end)

describe("a version 1 payment", function()
  local vectors = spec.vectors "x402_v1_evm"

  for _, case in ipairs(vectors.cases) do
    it("official client: " .. case.id, function()
      local offer = assert(core.x402_read(402, {}, cjson.encode(case.body)))
      local entry = case.body.accepts[1]
      local name, value, prepared = pay(case, offer, permissive(entry, core.caip2_from_v1(entry.network)))
      assert.equal(case.header_name, name, value)
      assert.equal(case.digest, prepared.digest)
      assert.is_true(offers.same(case.payload, decode(value)))
    end)
  end

  for _, row in ipairs(vectors.network_chain_ids) do
    it("knows the network " .. row.network, function()
      assert.equal(row.caip2, (core.x402_network(row.network)))
    end)
  end

  it("may also arrive inside the header, and is then paid as version 1", function()
    local body = cjson.encode(vectors.cases[1].body)
    local offer = core.x402_read(402, { ["payment-required"] = core.base64_encode(body) }, "{}")
    assert.equal(1, offer.version)
    assert.equal("X-PAYMENT", (core.x402_pay(offer, offers.policy(), { key = ("\17"):rep(32) })))
  end)
end)

describe("extensions", function()
  local vectors = spec.vectors "x402_payment_identifier"

  for _, case in ipairs(vectors.cases) do
    it("adds the payment id " .. case.payment_id:sub(1, 24), function()
      local json = cjson.encode(case.payment_required)
      local offer = core.x402_read(402, { ["payment-required"] = core.base64_encode(json) }, "")
      local name, value = pay(case, offer, offers.policy(), { payment_id = case.payment_id })
      assert.equal(case.header_name, name, value)
      local got, want = decode(value), case.payload
      assert.is_true(offers.same(want.payload, got.payload))
      -- The schema may be dropped and optional extensions left out; info must come back whole.
      local id = got.extensions["payment-identifier"]
      assert.is_true(offers.same(want.extensions["payment-identifier"].info, id.info))
      assert.is_nil(id.schema)
      assert.is_nil(got.extensions.bazaar)
    end)
  end

  for _, case in ipairs(vectors.id_syntax) do
    it(("%s the id %q"):format(case.valid and "takes" or "refuses", case.id:sub(1, 30)), function()
      local offer = offers.read({ offers.entry() }, ',"extensions":{"payment-identifier":{"info":{}}}')
      local options = { key = ("\17"):rep(32), payment_id = case.id }
      local name, value = core.x402_pay(offer, offers.policy(), options)
      assert.equal(case.valid, name ~= nil)
      if case.valid then assert.equal(case.id, decode(value).extensions["payment-identifier"].info.id) end
    end)
  end

  local function extended(text, id)
    local offer = offers.read({ offers.entry() }, ',"extensions":' .. text)
    local options = { key = ("\17"):rep(32), payment_id = id }
    local name, value, code = core.x402_pay(offer, offers.policy(), options)
    return name and core.base64_decode(value), code
  end

  it("demands an id where the server does", function()
    local json, code = extended '{"payment-identifier":{"info":{"required":true}}}'
    assert.is_falsy(json)
    assert.equal("MISSING", code)
  end)

  it("echoes the info of a required extension byte for byte, without its schema", function()
    local json = extended('{"vendor.x":{"info":{ "required":true, "n":3e2 },"schema":{"a":1}},'
      .. '"bazaar":{"info":{}}}')
    assert.matches('"extensions":{"vendor.x":{"info":{ "required":true, "n":3e2 }}},', json, 1, true)
  end)

  it("does not replace an id the server chose", function()
    local json = extended('{"payment-identifier":{"info":{"id":"chosen-by-the-server"}}}',
      "pay_0123456789abcdef")
    assert.matches('{"info":{"id":"chosen-by-the-server"}}', json, 1, true)
  end)

  it("mentions no id where the extension was not announced", function()
    local json = extended("{}", "pay_0123456789abcdef")
    assert.is_nil(json:find "pay_0123456789abcdef")
  end)
end)
