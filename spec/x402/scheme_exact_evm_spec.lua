-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"
local spec = require "spec.helper"
local offers = require "spec.x402.offers"

local NONCE, NOW = ("\5"):rep(32), 1767225600

local function prepare(entry, with, order)
  local offer = assert(offers.read { offers.entry(entry) })
  return core.x402_prepare(offer, offers.policy(with), order or { nonce = NONCE, now = NOW })
end

describe("what is signed", function()
  it("is our own token's domain over the offered amount, from time zero", function()
    local p = prepare()
    assert.equal(0, p.valid_after)
    assert.equal(NOW + 300, p.valid_before)
    assert.equal(spec.hex(NONCE), p.nonce)
    local data = cjson.decode(p.typed_data)
    assert.equal("TransferWithAuthorization", data.primaryType)
    assert.is_true(offers.same({
      name = "USD Coin", version = "2", chainId = 8453, verifyingContract = offers.USDC,
    }, data.domain))
    assert.is_true(offers.same({
      from = offers.PAYER, to = offers.PAY_TO, value = "30000", validAfter = "0",
      validBefore = tostring(NOW + 300), nonce = spec.hex(NONCE),
    }, data.message))
  end)

  it("lives at most 600 s", function()
    assert.equal(NOW + 600, prepare({ maxTimeoutSeconds = 3600 }).valid_before)
  end)

  it("draws a fresh nonce and reads the clock when neither is given", function()
    local before = os.time()
    local a, b = prepare(nil, nil, {}), prepare(nil, nil, {})
    assert.not_equal(a.nonce, b.nonce)
    assert.is_true(a.valid_before >= before + 300 and a.valid_before <= os.time() + 300)
  end)

  it("depends on every term", function()
    local seen = { [prepare().digest] = true }
    for _, other in ipairs {
      prepare { amount = "30001" }, prepare { payTo = "0xAd62f03C7514bb8c51f1eA70C2b75C37404695c8" },
      prepare { maxTimeoutSeconds = 299 }, prepare(nil, nil, { nonce = ("\6"):rep(32), now = NOW }),
      prepare(nil, nil, { nonce = NONCE, now = NOW + 1 }),
      prepare(nil, { payer = "0x1563915e194D8CfBA1943570603F7606A3115508" }),
    } do
      assert.is_nil(seen[other.digest])
      seen[other.digest] = true
    end
  end)

  it("writes a lower-case payee and payer with their checksums", function()
    local p = prepare({ payTo = offers.PAY_TO:lower() }, { payer = offers.PAYER:lower() })
    local message = cjson.decode(p.typed_data).message
    assert.equal(offers.PAY_TO, message.to)
    assert.equal(offers.PAYER, message.from)
  end)
end)

describe("accepting a signature", function()
  -- Of these 28 payments, the ones whose 65 bytes are a strict signature over the terms this client
  -- would write. Where only the text around them was damaged, finish writes its own text anyway; what
  -- is over other terms, or what only a lax checker passes (v of 0/1, high s), is refused.
  local SOUND = {
    ["sound"] = true, ["signature in upper-case hex"] = true, ["from changed after signing"] = true,
    ["from and to in lower case"] = true, ["value with a leading zero"] = true, ["value in hex"] = true,
    ["value as a JSON number"] = true, ["validBefore as a JSON number"] = true,
  }
  local vectors = spec.vectors "facilitator_verdicts_evm"
  local required = vectors.payment_required

  --- Whatever was damaged, the terms we would have signed are these.
  local function prepared_for(authorization)
    local offer = assert(core.x402_read(402, {
      ["payment-required"] = core.base64_encode(cjson.encode(required)),
    }, ""))
    return assert(core.x402_prepare(offer, offers.policy(), {
      nonce = spec.unhex(authorization.nonce), now = vectors.now,
    })), offer
  end

  for _, case in ipairs(vectors.cases) do
    it("facilitator verdict: " .. case.id, function()
      local authorization = case.payload.payload.authorization
      local p = prepared_for(authorization)
      local name, value = core.x402_finish(p, spec.unhex(case.payload.payload.signature))
      assert.equal(SOUND[case.id] or false, name ~= nil)
      if case.id == "sound" then
        assert.is_true(offers.same(case.payload.payload, cjson.decode(core.base64_decode(value)).payload))
      end
    end)
  end

  it("equals the official build for every sound V2 vector, signed outside", function()
    for _, case in ipairs(spec.vectors("x402_v2_evm").cases) do
      if case.selected_index == 0 and case.payload.accepted.extra.name == "USD Coin"
        and not case.payload.accepted.extra.paymentFlow and case.payload.accepted.network == offers.BASE then
        local offer = core.x402_read(402, { ["payment-required"] = case.payment_required_header }, "")
        local p = core.x402_prepare(offer, offers.policy { payer = case.recovered },
          { nonce = spec.unhex(case.nonce), now = case.now })
        assert.equal(case.digest, p.digest)
        local name = core.x402_finish(p, spec.unhex(case.payload.payload.signature))
        assert.equal("PAYMENT-SIGNATURE", name)
      end
    end
  end)

  it("refuses anybody else's signature over the right digest", function()
    local p = prepare()
    local sig = core.secp_sign(spec.unhex(p.digest), ("\34"):rep(32))
    local name, _, code = core.x402_finish(p, sig)
    assert.is_nil(name)
    assert.equal("SIGNATURE", code)
    assert.is_string((core.x402_finish(p, core.secp_sign(spec.unhex(p.digest), ("\17"):rep(32)))))
  end)

  it("refuses every single flipped bit", function()
    local p = prepare()
    local sig = core.secp_sign(spec.unhex(p.digest), ("\17"):rep(32))
    local roll = spec.dice(3)
    for at = 1, 65 do
      local byte = sig:byte(at)
      local bit = 2 ^ roll(8)
      local flipped = math.floor(byte / bit) % 2 == 1 and byte - bit or byte + bit
      local bad = sig:sub(1, at - 1) .. string.char(flipped) .. sig:sub(at + 1)
      assert.is_nil((core.x402_finish(p, bad)))
    end
  end)

  it("refuses other lengths", function()
    local p = prepare()
    for _, n in ipairs { 0, 64, 66, 1000 } do
      assert.is_nil((core.x402_finish(p, ("\27"):rep(n))))
    end
  end)
end)

describe("a wallet in place of a signature", function()
  it("signs the prepared payment, and only its own", function()
    local wallet = assert(core.wallet_random())
    local p = prepare(nil, { payer = wallet:address() })
    assert.equal("PAYMENT-SIGNATURE", (core.x402_finish(p, wallet)))
    local name, _, code = core.x402_finish(prepare(), wallet)
    assert.is_nil(name)
    assert.equal("SIGNATURE", code)
  end)
end)
