-- SPDX-License-Identifier: MIT
-- The purchase machine without a network: the spec is the gateway, and chooses every answer, loss
-- and moment. What is counted is what the other side sees: authorizations and their nonces.
local exchange = require "spec.support.exchange"
local core = require "spraay.core"

local drive, lost, unsent, plain = exchange.drive, exchange.lost, exchange.unsent, exchange.plain
local nonces, result, signer = exchange.nonces, exchange.result, exchange.signer

describe("a purchase", function()
  it("is free when the server asks for nothing", function()
    local gateway = exchange.new()
    local call = gateway:call()
    drive(call, { plain(200, '{"a":1}') })
    local r = result(call)
    assert.is_true(r.ok)
    assert.equal("free", r.payment.status)
    assert.equal('{"a":1}', r.body)
    assert.equal("0", gateway:totals().committed)
  end)

  it("takes two requests, and the second repeats the first", function()
    local gateway = exchange.new()
    local call = gateway:call{ body = '{"prompt":"x"}' }
    local sent = drive(call, { gateway:challenge(), gateway:answer() })
    assert.equal(2, #sent)
    assert.is_false(sent[1].paid)
    assert.is_true(sent[2].paid)
    assert.equal(sent[1].url, sent[2].url)
    assert.equal(sent[1].body, sent[2].body)
    local r = result(call)
    assert.equal("settled", r.payment.status)
    assert.equal("30000", r.payment.atomic)
    assert.equal("0x" .. ("ab"):rep(32), r.payment.transaction)
  end)

  it("sends the chosen entry back byte for byte", function()
    local gateway = exchange.new()
    local entry = '{ "scheme":"exact" , "network":"eip155:8453","amount":"30000","asset":"' .. exchange.USDC ..
      '","payTo":"' .. exchange.PAY_TO .. '","maxTimeoutSeconds":3.0e2,"extra":{"name":"USD Coin","version":"2",' ..
      '"later":[1e400, "\\u00e9"]},"unknown":null}'
    local text = '{"x402Version":2,"resource":{"url":"u"},"accepts":[' .. entry .. "]}"
    local call = gateway:call()
    local sent = drive(call, { gateway:challenge(nil, { text = text }), gateway:answer() })
    assert.truthy(sent[2].text:find('"accepted":' .. entry, 1, true))
    assert.is_true(result(call).ok)
  end)

  it("hands over a 200 without a receipt as unconfirmed, and counts it as spent", function()
    local gateway = exchange.new()
    local call = gateway:call()
    drive(call, { gateway:challenge(), plain(200, '{"a":1}') })
    local r = result(call)
    assert.equal("unconfirmed", r.payment.status)
    assert.equal("30000", gateway:totals().settled)
  end)

  it("does not take a receipt for another payer as its own", function()
    local gateway = exchange.new()
    local call = gateway:call()
    drive(call, { gateway:challenge(), gateway:answer(200, "{}", { payer = exchange.PAY_TO }) })
    assert.equal("unconfirmed", result(call).payment.status)
  end)

  it("is told apart from an equal one that is under way", function()
    local gateway = exchange.new()
    local one, two = gateway:call(), gateway:call()
    local a = drive(one, { gateway:challenge() })
    local b = drive(two, { gateway:challenge(), gateway:answer() })
    local rest = drive(one, { gateway:answer() })
    assert.equal(2, #nonces(a, rest, b))
    assert.equal("settled", result(one).payment.status)
    assert.equal("settled", result(two).payment.status)
    assert.equal("60000", gateway:totals().settled)
  end)

  it("is bought again after it was taken", function()
    local gateway = exchange.new()
    local _, a = gateway:buy()
    local _, b = gateway:buy()
    assert.equal(2, #nonces(a, b))
  end)

  it("keeps a result that nobody took, and an equal call gets it without a request", function()
    local gateway = exchange.new()
    local first = gateway:call()
    drive(first, { gateway:challenge(), gateway:answer(200, '{"kept":true}') })
    first:close()
    local second = gateway:call()
    assert.same({}, drive(second, { plain(500) }))
    local r = result(second)
    assert.equal("restored", r.payment.status)
    assert.equal('{"kept":true}', r.body)
    assert.equal("30000", gateway:totals().settled)
  end)
end)

describe("a lost answer", function()
  it("is asked for again with the same authorization, within the call", function()
    local gateway = exchange.new()
    local call = gateway:call{ total_ms = 6000 }
    local sent = drive(call, { gateway:challenge(), lost(), gateway:answer() })
    assert.equal(3, #sent)
    assert.equal(sent[2].header, sent[3].header)
    assert.equal("settled", result(call).payment.status)
  end)

  it("is asked for again by an equal call, with the same authorization", function()
    local gateway = exchange.new()
    local first = gateway:call{ total_ms = 500 }
    local a = drive(first, { gateway:challenge(), lost "reset by peer" })
    local r = result(first)
    assert.is_false(r.ok)
    assert.equal("maybe", r.paid)
    assert.equal("connection", r.kind)
    assert.truthy(r.purchase:match "^pur_%x+$")
    assert.is_true(r.until_ > core.wall_s())
    assert.equal("30000", gateway:totals().open)

    local second = gateway:call{ total_ms = 6000 }
    local b = drive(second, { gateway:answer() })
    assert.equal(1, #b)
    assert.equal(a[2].header, b[1].header)
    assert.equal(r.purchase, result(second).payment.purchase)
    assert.equal("0", gateway:totals().open)
  end)

  it("is paid once by a caller's retry loop of any length", function()
    local gateway = exchange.new()
    local all = {}
    for _ = 1, 5 do
      local call = gateway:call{ total_ms = 300 }
      for _, one in ipairs(drive(call, { gateway:challenge(), lost(), lost() })) do all[#all + 1] = one end
      assert.equal("maybe", result(call).paid)
    end
    assert.equal(1, #nonces(all))
  end)

  it("is signed again with the same nonce when the authorization has expired", function()
    local gateway = exchange.new()
    local _, a = gateway:lose()
    local second = gateway:call{ clock_offset = 320 }
    local b = drive(second, { gateway:challenge(), gateway:answer() })
    assert.equal(a[2].authorization.nonce, b[2].authorization.nonce)
    assert.not_equal(a[2].authorization.validBefore, b[2].authorization.validBefore)
    assert.equal("settled", result(second).payment.status)
  end)

  it("lets another price in when it signs again, if the policy does, and reserves the larger", function()
    local gateway = exchange.new()
    gateway:lose()
    local second = gateway:call{ clock_offset = 320, total_ms = 300 }
    local b = drive(second, { gateway:challenge{ amount = "20000" }, lost() })
    assert.equal("20000", b[2].authorization.value)
    result(second)
    assert.equal("20000", b[2].payment.accepted.amount)
    assert.equal("30000", gateway:totals().open)
  end)

  it("is never signed again to another receiver", function()
    local gateway = exchange.new{ pay_to = nil }
    gateway:lose()
    local second = gateway:call{ clock_offset = 320 }
    local b = drive(second, { gateway:challenge{ payTo = exchange.STRANGER } })
    assert.equal(1, #b)
    local r = result(second)
    assert.equal("policy", r.kind)
    assert.equal("pay_to", r.code)
    assert.equal("maybe", r.paid)
  end)

  it("is forgotten one hour after the authorization died, and an equal call buys anew", function()
    local gateway = exchange.new()
    local _, a = gateway:lose()
    local _, b = gateway:buy{ clock_offset = 300 + 3600 + 10, boot_offset = 300 + 3600 + 10 }
    assert.equal(2, #nonces(a, b))
  end)

  it("is bought anew with again = true", function()
    local gateway = exchange.new()
    local _, a = gateway:lose()
    local _, b = gateway:buy{ again = true }
    assert.equal(2, #nonces(a, b))
  end)

  it("is not shared between scopes", function()
    local gateway = exchange.new()
    local _, a = gateway:lose{ scope = "a" }
    local _, b = gateway:buy{ scope = "b" }
    assert.equal(2, #nonces(a, b))
  end)

  it("is shared by all clients of the process", function()
    local gateway = exchange.new()
    local _, a = gateway:lose()
    local second = gateway:again():call()
    local b = drive(second, { gateway:answer() })
    result(second)
    assert.equal(a[2].header, b[1].header)
  end)
end)

describe("a second 402", function()
  it("is never paid", function()
    local gateway = exchange.new()
    local call = gateway:call{ total_ms = 500 }
    local sent = drive(call, { gateway:challenge(), gateway:challenge{ amount = "10000" }, gateway:challenge() })
    assert.equal(1, #nonces(sent))
    local r = result(call)
    assert.equal("payment", r.kind)
    assert.equal("refused", r.code)
    assert.equal("maybe", r.paid)
    assert.equal("no", r.expect)
  end)

  it("that names a definite reason is not presented again", function()
    local gateway = exchange.new()
    local call = gateway:call()
    local sent = drive(call, { gateway:challenge(),
                               gateway:challenge(nil, { error = "invalid_exact_evm_insufficient_balance" }),
                               gateway:answer() })
    assert.equal(2, #sent)
    assert.truthy(result(call).message:find("insufficient_balance", 1, true))
  end)

  it("with a failed receipt leaves the money open", function()
    local gateway = exchange.new()
    local call = gateway:call{ total_ms = 300 }
    local failed = gateway:answer(402, "{}", { success = false, errorReason = "insufficient_funds", transaction = "" })
    drive(call, { gateway:challenge(), failed })
    local r = result(call)
    assert.equal("settle_failed", r.code)
    assert.equal("maybe", r.paid)
    assert.equal("no", r.expect)
    assert.equal("30000", gateway:totals().open)
  end)

  it("that says the nonce was used is not proof", function()
    local gateway = exchange.new()
    local call = gateway:call()
    drive(call, { gateway:challenge(),
                  gateway:challenge(nil, { error = "invalid_exact_evm_nonce_already_used" }) })
    local r = result(call)
    assert.equal("nonce_used", r.code)
    assert.equal("maybe", r.paid)
    assert.equal("yes", r.expect)
  end)

  it("about credits is no challenge", function()
    local gateway = exchange.new()
    local call = gateway:call()
    drive(call, { gateway:challenge(), plain(402, '{"error":"Insufficient compute credits"}') })
    local r = result(call)
    assert.equal("credits", r.code)
    assert.equal("no", r.expect)
  end)
end)

describe("an error after paying", function()
  it("says maybe for every status, for no status is proof", function()
    for _, status in ipairs{ 400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 504 } do
      local gateway = exchange.new()
      local call = gateway:call{ total_ms = 300 }
      drive(call, { gateway:challenge(), plain(status, '{"error":"no"}') })
      local r = result(call)
      assert.is_false(r.ok)
      assert.equal("maybe", r.paid, tostring(status))
      assert.equal("30000", gateway:totals().open)
    end
  end)

  it("says yes when it comes with our receipt", function()
    local gateway = exchange.new()
    local call = gateway:call()
    drive(call, { gateway:challenge(), gateway:answer(500, '{"error":"late"}') })
    local r = result(call)
    assert.equal("yes", r.paid)
    assert.equal("30000", gateway:totals().settled)
  end)

  it("of the handler is met with the same authorization, as often as retries allow", function()
    local gateway = exchange.new{ retries = 2 }
    local call = gateway:call{ total_ms = 9000 }
    local sent = drive(call, { gateway:challenge(), plain(500), plain(500), gateway:answer() })
    assert.equal(4, #sent)
    assert.equal(1, #nonces(sent))
    assert.is_true(result(call).ok)
  end)

  it("does not follow a redirect with a payment", function()
    local gateway = exchange.new()
    local call = gateway:call()
    local sent = drive(call, { gateway:challenge(), plain(307, "", { { "Location", gateway.origin .. "/other" } }),
                               gateway:answer() })
    assert.equal(2, #sent)
    local r = result(call)
    assert.equal("redirect_after_payment", r.code)
    assert.equal("maybe", r.paid)
  end)
end)

describe("presenting again", function()
  it("does not happen for calls that move other money", function()
    local gateway = exchange.new()
    local call = gateway:call{ class = "never" }
    local sent = drive(call, { gateway:challenge(), lost(), gateway:answer() })
    assert.equal(2, #sent)
    local first = result(call)
    assert.equal("maybe", first.paid)
    local again = gateway:call{ class = "never" }
    assert.same({}, drive(again, { gateway:answer() }))
    local r = result(again)
    assert.equal(first.purchase, r.purchase)
    assert.truthy(r.hint:find("again = true", 1, true))
  end)

  it("waits for the chain before an expensive job may run twice", function()
    local gateway = exchange.new()
    local call = gateway:call{ class = "once", total_ms = 3000 }
    assert.equal(2, #drive(call, { gateway:challenge(), lost(), gateway:answer() }))
    assert.equal("maybe", result(call).paid)
  end)

  it("happens once after a complete error of an expensive job", function()
    local gateway = exchange.new{ retries = 3 }
    local call = gateway:call{ class = "once", total_ms = 9000 }
    local sent = drive(call, { gateway:challenge(), plain(500), plain(500), gateway:answer() })
    assert.equal(3, #sent)
    assert.equal(1, #nonces(sent))
    result(call)
  end)

  it("happens once for a look, whose loss is then spent, and the next look is new", function()
    local gateway = exchange.new()
    local call = gateway:look()
    local a = drive(call, { gateway:challenge{ amount = "1000" }, lost(), lost() })
    assert.equal(3, #a)
    assert.equal("maybe", result(call).paid)
    call = gateway:look()
    local b = drive(call, { gateway:challenge{ amount = "1000" }, gateway:answer() })
    assert.is_true(result(call).ok)
    assert.equal(2, #nonces(a, b))
    assert.equal("2000", gateway:totals().settled)
  end)
end)

describe("a request that never left", function()
  it("leaves nothing reserved and says no", function()
    local gateway = exchange.new()
    local call = gateway:call()
    drive(call, { gateway:challenge(), unsent() })
    local r = result(call)
    assert.equal("no", r.paid)
    assert.equal("connection", r.kind)
    assert.equal("0", gateway:totals().committed)
  end)

  it("is tried again as retries allow", function()
    local gateway = exchange.new{ retries = 2 }
    local call = gateway:call{ total_ms = 9000 }
    local sent = drive(call, { gateway:challenge(), unsent(), gateway:answer() })
    assert.equal(3, #sent)
    assert.is_true(result(call).ok)
    assert.equal("30000", gateway:totals().settled)
  end)

  it("before the payment is tried again too, and costs nothing", function()
    local gateway = exchange.new{ retries = 1 }
    local call = gateway:call{ total_ms = 9000 }
    drive(call, { unsent(), unsent(), gateway:challenge() })
    local r = result(call)
    assert.equal("connection", r.kind)
    assert.equal("no", r.paid)
  end)
end)

describe("redirects before a payment", function()
  it("are followed on the same origin", function()
    local gateway = exchange.new()
    local call = gateway:call()
    local sent = drive(call, { plain(308, "", { { "Location", "/v2/chat" } }), gateway:challenge(), gateway:answer() })
    assert.equal(gateway.origin .. "/v2/chat", sent[3].url)
    assert.is_true(sent[3].paid)
    result(call)
  end)

  it("to another origin end the call, with nothing signed", function()
    for _, to in ipairs{ "https://evil.test/x", "http://gateway.test/x", "//evil.test",
                         "https://gateway.test.evil/" } do
      local gateway = exchange.new()
      local call = gateway:call()
      assert.equal(1, #drive(call, { plain(307, "", { { "Location", to } }), gateway:challenge() }))
      local r = result(call)
      assert.equal("redirect", r.code)
      assert.equal("no", r.paid)
    end
  end)

  it("never turn a POST into a GET", function()
    local gateway = exchange.new()
    local call = gateway:call()
    drive(call, { plain(302, "", { { "Location", "/other" } }), gateway:challenge() })
    assert.equal("redirect", result(call).code)
  end)

  it("end after five", function()
    local gateway = exchange.new()
    local call = gateway:call()
    local script = {}
    for i = 1, 10 do script[i] = plain(307, "", { { "Location", "/" .. i } }) end
    assert.equal(6, #drive(call, script))
    assert.equal("redirect", result(call).code)
  end)
end)

describe("limits", function()
  it("count what is under way: two calls cannot share the last of a budget", function()
    local gateway = exchange.new{ budget = "50000" }
    local one, two = gateway:call{ body = "1" }, gateway:call{ body = "2" }
    drive(one, { gateway:challenge() })
    drive(two, { gateway:challenge() })
    local r = result(two)
    assert.equal("budget", r.kind)
    assert.equal("over_budget", r.code)
    assert.equal("no", r.paid)
    drive(one, { gateway:answer() })
    assert.is_true(result(one).ok)
  end)

  it("keep an unproven payment counted", function()
    local gateway = exchange.new{ budget = "50000" }
    gateway:lose{ body = "1" }
    local two = gateway:call{ body = "2" }
    drive(two, { gateway:challenge() })
    assert.equal("over_budget", result(two).code)
  end)

  it("of a day are shared by all clients, those of a budget are not", function()
    local day = 60000 + 30000 * 40 -- other specs of this process have spent too
    local gateway = exchange.new{ per_host = "30000" }
    assert.is_true(gateway:buy{ body = "1" }.ok)
    local other = gateway:again{ per_host = "30000", budget = "30000" }:call{ body = "2" }
    drive(other, { gateway:challenge() })
    assert.equal("over_per_host", result(other).code)
    local free = gateway:again{ per_host = "60000", budget = "30000", per_day = tostring(day * 100) }:call{ body = "3" }
    drive(free, { gateway:challenge(), gateway:answer() })
    assert.is_true(result(free).ok)
  end)

  it("of a day leave the window after a day, and only then", function()
    local gateway = exchange.new{ per_host = "30000" }
    gateway:buy{ body = "1" }
    -- One clock alone does not open the window: setting the wall clock forward is not waiting.
    local later = gateway:call{ body = "2", clock_offset = 86400 + 60 }
    drive(later, { gateway:challenge() })
    assert.equal("over_per_host", result(later).code)
  end)

  it("refuse a price above the published one, above max and above per_call, each by name", function()
    local gateway = exchange.new()
    local cases = {
      { { price = "20000" }, "price_raised" },
      { { price = "none", max = "20000" }, "over_max" },
      { { price = "none" }, "over_per_call", "700000" },
    }
    for _, case in ipairs(cases) do
      local call = gateway:call(case[1])
      assert.equal(1, #drive(call, { gateway:challenge{ amount = case[3] }, gateway:answer() }))
      local r = result(call)
      assert.equal("policy", r.kind)
      assert.equal(case[2], r.code)
      assert.equal("no", r.paid)
    end
  end)
end)

describe("the receiver", function()
  it("is the one this gateway used before", function()
    local gateway = exchange.new()
    assert.is_true(gateway:buy{ body = "1" }.ok)
    local other = gateway:call{ body = "2" }
    assert.equal(1, #drive(other, { gateway:challenge{ payTo = exchange.STRANGER } }))
    local r = result(other)
    assert.equal("pay_to", r.code)
    assert.truthy(r.message:find(exchange.PAY_TO, 1, true))
    assert.truthy(r.message:find("0x1111", 1, true))
  end)

  it("is not remembered from a quote", function()
    local gateway = exchange.new()
    local quote = gateway:call{ pay = false }
    drive(quote, { gateway:challenge{ payTo = exchange.STRANGER } })
    assert.equal("quote", result(quote).payment.status)
    assert.is_true(gateway:buy().ok)
  end)

  it("of the production gateway is known", function()
    local gateway = exchange.new{ production = true }
    local call = gateway:call()
    drive(call, { gateway:challenge{ payTo = exchange.STRANGER } })
    assert.equal("pay_to", result(call).code)
  end)
end)

describe("a named purchase", function()
  it("has the same nonce whoever makes it, and stays restored for ever", function()
    local gateway = exchange.new()
    local first = gateway:call{ purchase = "cover-art" }
    local a = drive(first, { gateway:challenge(), gateway:answer(200, '{"n":1}') })
    assert.equal('{"n":1}', result(first).body)
    local second = gateway:call{ purchase = "cover-art", clock_offset = 90000 }
    assert.same({}, drive(second, { gateway:challenge() }))
    local r = result(second)
    assert.equal("restored", r.payment.status)
    assert.equal('{"n":1}', r.body)
    assert.equal(1, #nonces(a))
  end)

  it("belongs to one request", function()
    local gateway = exchange.new()
    gateway:buy{ purchase = "p", body = "1" }
    local other = gateway:call{ purchase = "p", body = "2" }
    drive(other, { gateway:challenge() })
    local r = result(other)
    assert.equal("usage", r.kind)
    assert.equal("purchase_mismatch", r.code)
  end)

  it("belongs to one call at a time", function()
    local gateway = exchange.new()
    local first = gateway:call{ purchase = "p" }
    drive(first, { gateway:challenge() })
    local other = gateway:call{ purchase = "p" }
    drive(other, { gateway:challenge() })
    assert.equal("purchase_in_flight", result(other).code)
    drive(first, { gateway:answer() })
    result(first)
  end)

  it("of a run gives equal calls their own occurrences, and an error gives its place back", function()
    local gateway = exchange.new{ run = "lighthouse" }
    local one, two = gateway:call{ total_ms = 300 }, gateway:call()
    local a = drive(one, { gateway:challenge(), lost() })
    local b = drive(two, { gateway:challenge(), gateway:answer() })
    assert.equal(2, #nonces(a, b))
    result(one)
    result(two)
    local again = gateway:call()
    local c = drive(again, { gateway:answer() })
    assert.equal(a[2].header, c[1].header)
    result(again)
  end)

  it("of a run has nonces that depend on nothing but the run and the request", function()
    local first = exchange.new{ run = "r" }
    local a = drive(first:call(), { first:challenge() })
    assert.equal(1, #a)
    local call = first:again{ run = "other" }:call()
    local b = drive(call, { first:challenge(), first:answer() })
    assert.not_equal(nil, b[2].authorization.nonce)
    result(call)
  end)
end)

describe("the last word", function()
  it("is asked before anything is signed, with the whole terms", function()
    local gateway = exchange.new()
    local call = gateway:call{ approve = true }
    drive(call, { gateway:challenge() })
    assert.equal("approve", exchange.settle(call))
    local terms = call:terms()
    assert.equal("0.030000", terms.amount)
    assert.equal("eip155:8453", terms.network)
    assert.equal(exchange.PAY_TO, terms.pay_to)
    call:approve(true)
    drive(call, { gateway:answer() })
    assert.is_true(result(call).ok)
  end)

  it("ends the call when it is no", function()
    local gateway = exchange.new()
    local call = gateway:call{ approve = true }
    drive(call, { gateway:challenge() })
    call:approve(false, "too dear")
    local r = result(call)
    assert.equal("not_approved", r.code)
    assert.truthy(r.message:find("too dear", 1, true))
    assert.equal("0", gateway:totals().committed)
  end)
end)

describe("a signer outside", function()
  it("is given typed data and a digest, and its signature is checked", function()
    local gateway = exchange.new{ wallet = signer() }
    local call = gateway:call()
    drive(call, { gateway:challenge() })
    assert.equal("sign", exchange.settle(call))
    assert.truthy(call:typed_data():find("TransferWithAuthorization", 1, true))
    exchange.sign(call)
    local sent = drive(call, { gateway:answer() })
    assert.is_true(sent[1].paid)
    assert.is_true(result(call).ok)
  end)

  it("counts as having signed from the moment it was asked", function()
    local gateway = exchange.new{ wallet = signer() }
    local call = gateway:call{ total_ms = 300 }
    drive(call, { gateway:challenge() })
    assert.equal("sign", exchange.settle(call))
    call:cancel()
    local r = result(call)
    assert.equal("maybe", r.paid)
    assert.equal("30000", gateway:totals().open)
  end)

  it("may say no, and then nothing is open", function()
    local gateway = exchange.new{ wallet = signer() }
    local call = gateway:call()
    drive(call, { gateway:challenge() })
    call:signature(nil, "button not pressed")
    local r = result(call)
    assert.equal("wallet", r.kind)
    assert.equal("no", r.paid)
    assert.equal("0", gateway:totals().committed)
  end)

  it("is not believed when it signs as somebody else", function()
    local gateway = exchange.new{ wallet = signer() }
    local call = gateway:call()
    drive(call, { gateway:challenge() })
    exchange.sign(call, ("\18"):rep(32))
    assert.same({}, drive(call, { gateway:answer() }))
    local r = result(call)
    assert.equal("wallet", r.kind)
    assert.equal("signature", r.code)
  end)
end)

describe("a call that stops waiting", function()
  it("before anything was signed is aborted", function()
    local gateway = exchange.new()
    local call = gateway:call()
    drive(call, {})
    assert.equal("aborted", call:cancel())
    local r = result(call)
    assert.equal("cancelled", r.kind)
    assert.equal("no", r.paid)
    assert.equal("0", gateway:totals().committed)
  end)

  it("after a payment left says that money may be on its way", function()
    local gateway = exchange.new()
    local call = gateway:call()
    local a = drive(call, { gateway:challenge() })
    assert.equal("detached", call:cancel())
    local r = result(call)
    assert.equal("maybe", r.paid)
    local second = gateway:call{ total_ms = 6000 }
    local b = drive(second, { gateway:answer() })
    assert.equal(1, #nonces(a, b))
    assert.is_true(result(second).ok)
  end)

  it("because its time is over says so", function()
    local gateway = exchange.new()
    local call = gateway:call{ total_ms = 50 }
    drive(call, {})
    local limit = core.mono_ms() + 5000
    while call:state() ~= "done" and core.mono_ms() < limit do exchange.engine:step(50) end
    local r = result(call)
    assert.equal("timeout", r.kind)
    assert.equal("no", r.paid)
  end)
end)

describe("the server's clock", function()
  local function date(offset)
    local days = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
    local months = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }
    local t = os.date("!*t", core.wall_s() + offset)
    return ("%s, %02d %s %d %02d:%02d:%02d GMT"):format(days[t.wday], t.day, months[t.month], t.year, t.hour, t.min,
                                                        t.sec)
  end

  it("far ahead of ours means nothing is signed, and the skew is named", function()
    local gateway = exchange.new()
    local call = gateway:call()
    assert.equal(1, #drive(call, { gateway:challenge(nil, { date = date(400) }), gateway:answer() }))
    local r = result(call)
    assert.equal("clock", r.code)
    assert.equal("no", r.paid)
    assert.truthy(r.message:find("%d+ s behind"))
  end)

  it("behind ours shortens the life of the payment", function()
    local gateway = exchange.new()
    local call = gateway:call()
    local sent = drive(call, { gateway:challenge(nil, { date = date(-200) }), gateway:answer() })
    local left = tonumber(sent[2].authorization.validBefore) - core.wall_s()
    assert.is_true(left > 90 and left <= 102, tostring(left))
    result(call)
  end)
end)

describe("a client without a wallet", function()
  it("quotes", function()
    local gateway = exchange.new()
    local bare = assert(core.client(exchange.engine, { gateway = gateway.origin, networks = { "eip155:8453" } }))
    local call = assert(bare:call{ method = "POST", url = gateway.origin .. "/x", body = "{}", external = true,
                                   pay = false, price = "30000", class = "repeat" })
    drive(call, { gateway:challenge() })
    local r = result(call)
    assert.equal("quote", r.payment.status)
    assert.equal("0.030000", r.terms.amount)
  end)

  it("says what is missing when it should pay", function()
    local gateway = exchange.new()
    local bare = assert(core.client(exchange.engine, { gateway = gateway.origin, networks = { "eip155:8453" } }))
    local call = assert(bare:call{ method = "POST", url = gateway.origin .. "/x", body = "{}", external = true,
                                   class = "repeat" })
    drive(call, { gateway:challenge() })
    local r = result(call)
    assert.equal("wallet", r.kind)
    assert.equal("no", r.paid)
  end)
end)

describe("who may be paid", function()
  it("is the gateway and the hosts named, and nobody else", function()
    local gateway = exchange.new()
    local call = gateway:call{ url = "https://elsewhere.test/x", price = "none" }
    drive(call, { gateway:challenge() })
    assert.equal("host", result(call).code)
    local open = gateway:again{ hosts = { "https://elsewhere.test" } }
    call = open:call{ url = "https://elsewhere.test/x", price = "none" }
    local sent = drive(call, { gateway:challenge(), gateway:answer() })
    assert.is_true(sent[2].paid)
    result(call)
  end)

  it("is nobody over plain http, but for loopback", function()
    local gateway = exchange.new{ hosts = { "http://elsewhere.test", "http://127.0.0.1:9" } }
    local call = gateway:call{ url = "http://elsewhere.test/x", price = "none" }
    drive(call, { gateway:challenge() })
    assert.equal("insecure", result(call).code)
    call = gateway:call{ url = "http://127.0.0.1:9/x", price = "none" }
    assert.is_true(drive(call, { gateway:challenge(), gateway:answer() })[2].paid)
    result(call)
  end)
end)
