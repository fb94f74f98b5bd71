-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"
local offers = require "spec.x402.offers"

local TX = "0x5245a62de49c10918eb4073f49ac3222d554ad07e94076c9579ebc8fbc4b1e33"
local MINE = { network = offers.BASE, payer = offers.PAYER, amount = "1000" }

local function read(json, mine, name)
  return core.x402_receipt(200, { [name or "payment-response"] = core.base64_encode(json) }, mine or MINE)
end

local function settled(with)
  return ('{"success":true,"transaction":"%s","network":"%s","payer":"%s"%s}')
    :format(with.transaction or TX, with.network or offers.BASE, with.payer or offers.PAYER, with.more or "")
end

-- Ours are stricter: without our payer a receipt is somebody else's, and free text settles nothing.
local KIND = {
  ["success"] = "settled", ["success on Solana"] = "settled", ["success without payer"] = "foreign",
  ["success with amount, extra, extensions and unknown members"] = "settled",
  ["failure, nothing sent"] = "failed",
  ["failure, transaction reverted"] = "unsure", ["failure, nonce already used"] = "used",
  ["outcome unknown: settlement_pending with a hash"] = "unsure", ["duplicate settlement"] = "used",
  ["unicode message"] = "unsure", ["facilitator side channel is stripped"] = "settled",
  ["v1 success"] = "settled",
}

describe("a receipt", function()
  local vectors = spec.vectors "x402_receipts"

  for _, case in ipairs(vectors.cases) do
    it("official header: " .. case.id, function()
      local solana = case.decoded.network:find "^solana"
      local mine = not solana and MINE
        or { network = case.decoded.network, payer = "8WhWE8YgY5QBWyLowEHuaZiWdwDM3SrgDk36xYBNvYNS" }
      local r = core.x402_receipt(200, { [case.header_name] = case.header_value }, mine)
      assert.equal(KIND[case.id], r.kind)
      if case.decoded.transaction ~= "" then assert.equal(case.decoded.transaction, r.transaction) end
      assert.equal(case.decoded.errorReason, r.reason)
    end)
  end

  for i, case in ipairs(vectors.malformed) do
    it("malformed " .. i .. " settles nothing", function()
      local r = core.x402_receipt(200, { ["payment-response"] = case.header_value }, MINE)
      assert.equal(case.header_value == "" and "none" or "malformed", r.kind)
      assert.is_nil(r.transaction)
    end)
  end

  for _, value in ipairs { '"true"', '"false"', "1", "0", "null", "[]", "{}" } do
    it("does not take " .. value .. " for true", function()
      assert.equal("malformed", read('{"success":' .. value .. ',"transaction":"' .. TX .. '"}').kind)
    end)
  end

  for _, bad in ipairs {
    { "another network", { network = offers.SEPOLIA } },
    { "another payer", { payer = offers.PAY_TO } },
    { "no payer", { payer = "" } },
    { "no transaction", { transaction = "0x" } },
    { "a transaction one digit short", { transaction = TX:sub(1, 65) } },
    { "a larger amount than was signed", { more = ',"amount":"1001"' } },
  } do
    it("that names " .. bad[1] .. " is not ours", function()
      local r = read(settled(bad[2]))
      assert.equal("foreign", r.kind)
      assert.is_string(r.flaw)
    end)
  end

  it("compares the payer as the chain does, and knows version 1 names", function()
    assert.equal("settled", read(settled { payer = offers.PAYER:lower(), network = "base" }).kind)
  end)

  it("accepts less than was signed", function()
    assert.equal("settled", read(settled { more = ',"amount":"999"' }).kind)
  end)

  it("repeated is no receipt", function()
    local value = core.base64_encode(settled {})
    assert.equal("malformed", core.x402_receipt(200, { ["payment-response"] = { value, value } }, MINE).kind)
  end)

  it("with a name twice is no receipt", function()
    assert.equal("malformed", read('{"success":false,"success":true}').kind)
  end)

  for _, row in ipairs {
    { "", "settlement_pending", "unsure", "pending is not final" },
    { "", "fetch failed", "unsure", "free text may hide a broadcast" },
    { "", "unexpected_settle_error", "unsure", "an exception may hide a broadcast" },
    { "", "invalid_exact_evm_payload_signature", "failed", "checked before anything is sent" },
    { "", "insufficient_funds", "failed", "checked before anything is sent" },
    { TX, "insufficient_funds", "unsure", "a transaction was named all the same" },
    { "", "authorization_nonce_reused", "used", "a rail with its own words" },
    { "", "FiatTokenV2: authorization is used or canceled", "used", "the contract's own words" },
  } do
    it(("failed with %q%s: %s"):format(row[2], row[1] ~= "" and " and a hash" or "", row[4]), function()
      local r = read(('{"success":false,"transaction":"%s","errorReason":"%s","network":"eip155:8453"}')
        :format(row[1], row[2]))
      assert.equal(row[3], r.kind)
    end)
  end

  it("about somebody else's failure says nothing about us", function()
    local r = read(('{"success":false,"transaction":"","errorReason":"insufficient_funds","payer":"%s"}')
      :format(offers.PAY_TO))
    assert.equal("unsure", r.kind)
  end)

  it("hands on the server's reason as one short line", function()
    local r = read('{"success":false,"transaction":"","errorReason":"a\\u001b[31m\\nb'
      .. ("é"):rep(200) .. '"}')
    assert.is_nil(r.reason:find "%c")
    assert.is_true(#r.reason < 128)
    assert.is_true(core.utf8_valid(r.reason))
  end)
end)
