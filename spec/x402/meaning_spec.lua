-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"
local offers = require "spec.x402.offers"

local TX = "0x5245a62de49c10918eb4073f49ac3222d554ad07e94076c9579ebc8fbc4b1e33"
local MINE = { network = offers.BASE, payer = offers.PAYER, amount = "30000" }

local function receipt(success, reason, transaction)
  return core.base64_encode(cjson.encode {
    success = success, errorReason = reason, transaction = transaction or (success and TX or ""),
    network = offers.BASE, payer = offers.PAYER,
  })
end

local function challenge(error)
  return core.base64_encode(cjson.encode {
    x402Version = 2, error = error, resource = { url = "https://api.example.com/a" },
    accepts = { offers.entry() },
  })
end

local V1 = '{"x402Version":1,"error":"%s","accepts":[{"scheme":"exact","network":"base",'
  .. '"maxAmountRequired":"1",'
  .. '"resource":"https://a.example/","payTo":"' .. offers.PAY_TO .. '","asset":"' .. offers.USDC
  .. '","maxTimeoutSeconds":60,"extra":{"name":"USD Coin","version":"2"}}]}'

-- What the gateway's enrichers add to every 402 body, whatever it means.
local DECORATION = '{"serviceName":"Spraay Protocol","tags":[],"solana_accepts":{"amountRequired":"0.01"}}'

-- { what the client sees, status, PAYMENT-REQUIRED, PAYMENT-RESPONSE, body, kind, expectation }
local rows = {
  { "our receipt on a 200", 200, nil, receipt(true), "{}", "paid_ok", "yes" },
  { "our receipt and a stale challenge on a 200", 200, challenge "Payment required", receipt(true), "{}",
    "paid_ok", "yes" },
  { "a 200 without a receipt", 200, nil, nil, "{}", "unconfirmed", "yes" },
  { "a 200 whose receipt is not ours", 200, nil, core.base64_encode '{"success":true}', "{}",
    "unconfirmed", "yes" },
  { "a 200 whose receipt says failure", 200, nil, receipt(false, "insufficient_funds"), "{}",
    "unconfirmed", "yes" },
  { "a fresh challenge", 402, challenge "invalid_exact_evm_payload_signature", nil, "{}", "refused", "no" },
  { "the first challenge again: our header did not arrive", 402, challenge "Payment required", nil, "{}",
    "refused", "no" },
  { "a facilitator's exception during verification", 402, challenge "fetch failed", nil, "{}",
    "refused", "no" },
  { "a nonce used before", 402, challenge "invalid_exact_evm_nonce_already_used", nil, "{}",
    "nonce_used", "yes" },
  { "settlement failed for a definite reason", 402, nil, receipt(false, "insufficient_funds"), DECORATION,
    "settle_failed", "no" },
  { "settlement failed with free text", 402, nil, receipt(false, "fetch failed"), DECORATION,
    "settle_unknown", "unknown" },
  { "settlement pending", 402, nil, receipt(false, "settlement_pending", TX), DECORATION,
    "settle_unknown", "unknown" },
  { "settlement refused because it happened already", 402, nil, receipt(false, "duplicate_settlement"), "{}",
    "nonce_used", "yes" },
  { "an unreadable receipt on a 402", 402, nil, "????", "{}", "settle_unknown", "unknown" },
  { "a 402 with nothing but decoration", 402, nil, nil, DECORATION, "crashed", "unknown" },
  { "a 402 with an unreadable challenge", 402, "????", nil, "{}", "crashed", "unknown" },
  { "a 402 with a V2 challenge in the body only", 402, nil, nil,
    core.base64_decode(challenge "Payment required"), "crashed", "unknown" },
  { "credits, no header", 402, nil, nil, '{"error":"No compute credits. Deposit first."}', "credits", "no" },
  { "credits beside a stale challenge", 402, challenge "Payment required", nil,
    '{"error":"Insufficient compute credits: 0.01","accepts":[]}', "credits", "no" },
  { "a missing Permit2 allowance", 412, challenge "permit2_allowance_required", nil, "{}",
    "allowance", "no" },
  { "another 412", 412, nil, nil, '{"error":"precondition"}', "handler_error", "no" },
  { "a refused field", 400, nil, nil, '{"error":"prompt is required."}', "handler_error", "no" },
  { "an application's 500", 500, nil, nil, '{"error":"upstream failed","detail":"x"}',
    "handler_error", "no" },
  { "a 503 of the handler", 503, nil, nil, '{"error":"no capacity"}', "handler_error", "no" },
  { "a 502 of the handler", 502, nil, nil, '{"error":"bad upstream","detail":"x"}', "handler_error", "no" },
  { "a 502 of the facilitator's making", 502, nil, nil, '{"error":"bad facilitator answer"}',
    "lost", "unknown" },
  { "a 502 of a proxy", 502, nil, nil, "<html>Bad Gateway</html>", "lost", "unknown" },
  { "a 504", 504, nil, nil, "", "lost", "unknown" },
  { "a 524 of a proxy", 524, nil, nil, "", "lost", "unknown" },
  { "a 500 that was paid all the same", 500, nil, receipt(true), '{"error":"after settlement"}',
    "handler_error_paid", "yes" },
  { "a 402 that was paid all the same", 402, nil, receipt(true), "{}", "handler_error_paid", "yes" },
  { "a 500 with somebody else's receipt", 500, nil, core.base64_encode '{"success":true}', "{}",
    "settle_unknown", "unknown" },
  { "a duplicate in flight", 409, nil, nil, '{"error":"duplicate"}', "conflict", "unknown" },
  { "the rate limiter", 429, nil, nil, '{"error":"rate_limit_exceeded"}', "rate_limited", "no" },
  { "a 500 with an endless body", 500, nil, nil, ("["):rep(300000), "handler_error", "no" },
}

describe("after a payment was sent", function()
  for _, row in ipairs(rows) do
    local what, status, body, kind, expect = row[1], row[2], row[5], row[6], row[7]
    local headers = { ["payment-required"] = row[3], ["payment-response"] = row[4] }
    it(("%s means %s, money: %s"):format(what, kind, expect), function()
      local m = core.x402_meaning(status, headers, body, 2, MINE)
      assert.equal(kind, m.kind)
      assert.equal(expect, m.expect)
    end)
  end

  it("a withheld result is told from work that was never done", function()
    local function ran(required, response)
      local headers = { ["payment-required"] = required, ["payment-response"] = response }
      return core.x402_meaning(402, headers, "{}", 2, MINE).handler_ran
    end
    assert.is_true(ran(nil, receipt(false, "insufficient_funds")))
    assert.is_true(ran(nil, nil))
    assert.is_false(ran(challenge "insufficient_funds", nil))
  end)

  it("hands on the server's words as one line", function()
    local m = core.x402_meaning(500, {}, '{"error":"bad\\r\\nthing"}', 2, MINE)
    assert.equal("bad  thing", m.reason)
  end)

  for _, row in ipairs {
    { "X-PAYMENT header is required", "refused" },
    { "Unable to find matching payment requirements", "refused" },
    { "invalid_exact_evm_payload_signature", "refused" },
    { "Payment settlement failed", "settle_unknown" },
    { "timeout", "settle_unknown" },
  } do
    it(("version 1, 402 with %q: %s"):format(row[1], row[2]), function()
      assert.equal(row[2], core.x402_meaning(402, {}, V1:format(row[1]), 1, MINE).kind)
    end)
  end
end)
