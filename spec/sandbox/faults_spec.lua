-- Each fault does what its line in the catalogue says, to the wire and to the money.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local gateway = require "spec.support.gateway"
local payer = require "spec.support.payer"
local sandbox = require "spec.support.sandbox"

local EMBED, TEXT = "/api/v1/compute/embeddings", { input = "x" }

describe("faults", function()
  local box, alice = gateway.fresh()

  -- Arm, pay, and see: the answer (or nil and why) and how many payments settled.
  local function pay_with(name, options, seconds)
    local header = alice:prepare("POST", EMBED, TEXT)
    box:fault(name, options)
    local answer, why, partial = alice:present("POST", EMBED, TEXT, header, { seconds = seconds or 5 })
    return answer, why, partial, box:ledger().count
  end

  local function probe(seconds) return box:request("POST", EMBED, { body = TEXT, seconds = seconds or 5 }) end

  it("are listed with a line each, and armed by name", function()
    local known = {}
    for _, fault in ipairs(box:faults().faults) do
      known[fault.fault] = true
      assert.is_true(#fault.text > 10)
    end
    for name in ([[settle_then_timeout settle_then_reset settle_then_truncate settle_then_500 settle_then_502
      settle_then_503 settle_then_504 settle_then_402 settle_then_402_changed settle_then_no_receipt
      settle_then_receipt_false settle_then_receipt_other_nonce settle_then_receipt_other_payer
      settle_then_pending settle_then_slow settle_then_html reset_before_settle timeout_before_settle
      502_before_settle reset_on_probe close_on_accept verify_down facilitator_nonsense settle_fails
      settle_crashes 429 429_retry_after 409 redirect_same redirect_other endless_402 huge_challenge
      oversize_headers oversize_body bad_base64_challenge bad_json_challenge no_accepts unknown_scheme
      wrong_asset wrong_network wrong_domain wrong_decimals price_raised ten_year_window changed_payto
      negative_amount float_amount html_404 non_json_200 wrong_content_type upstream_503 rpc_down
      rpc_lagging rpc_lying v1]]):gmatch "%S+" do
      assert.is_true(known[name], name)
    end
    local answer = box:request("POST", "/_sandbox/faults", { body = { fault = "nosuch" } })
    assert.equal(400, answer.status)
  end)

  it("strike as often as told, after as many chances as told, where told", function()
    box:fault("html_502", { times = 2, after = 1, route = "embeddings" })
    local seen = {}
    for i = 1, 5 do seen[i] = probe().status end
    assert.same({ 402, 502, 502, 402, 402 }, seen)
    assert.equal(0, #box:faults().armed)
    box:fault("html_502", { route = "batch" })
    assert.equal(402, probe().status)
    box:clear()
    box:fault("html_502", { leg = "paid" })
    assert.equal(402, probe().status)
    assert.equal(502, alice:pay("POST", EMBED, TEXT).status)
  end)

  it("can be armed on the command line", function()
    local other = sandbox.start{ faults = { "settle_then_502:1@embeddings", "html_404@batch" } }
    local armed = other:faults().armed
    other:stop()
    assert.equal("settle_then_502", armed[1].fault)
    assert.equal(1, armed[1].times)
    assert.equal("batch", armed[2].route)
  end)

  describe("after settlement", function()
    local cases = {
      settle_then_reset = "", settle_then_close = "", settle_then_truncate = "the body breaks off",
      settle_then_truncate_headers = "the headers break off",
    }
    for name, reason in pairs(cases) do
      it(name .. ": money moved, no answer", function()
        local answer, why, _, count = pay_with(name)
        assert.is_nil(answer)
        if reason ~= "" then assert.equal(reason, why) end
        assert.equal(1, count)
      end)
    end

    it("settle_then_timeout: money moved, silence", function()
      local answer, _, _, count = pay_with("settle_then_timeout", nil, 0.3)
      assert.is_nil(answer)
      assert.equal(1, count)
    end)

    for name, status in pairs{ settle_then_500 = 500, settle_then_502 = 502, settle_then_503 = 503,
                               settle_then_504 = 504,
                               settle_then_html = 502, settle_then_429 = 429, settle_then_redirect = 307,
                               settle_then_402_bare = 402 } do
      it(name .. ": money moved, " .. status, function()
        local answer, _, _, count = pay_with(name)
        assert.equal(status, answer.status)
        assert.is_nil(answer.headers["payment-response"])
        assert.is_nil(answer.headers["payment-required"])
        assert.equal(1, count)
      end)
    end

    it("settle_then_402 and _402_changed: money moved, a fresh challenge", function()
      local answer, _, _, count = pay_with "settle_then_402"
      assert.equal("5000", payer.challenge(answer).accepts[1].amount)
      assert.equal(1, count)
      answer = pay_with "settle_then_402_changed"
      box:clear()
      assert.equal("5000", payer.challenge(answer).accepts[1].amount)
      box:fault("settle_then_402_changed", { factor = 3 })
      local header = alice:prepare("POST", EMBED, TEXT)
      assert.equal("15000", payer.challenge(alice:present("POST", EMBED, TEXT, header)).accepts[1].amount)
    end)

    it("receipts: missing, false, another's, unreadable, pending, unclear", function()
      local function receipt_of(name)
        box:clear()
        local answer = pay_with(name)
        return payer.receipt(answer), answer
      end
      local receipt, answer = receipt_of "settle_then_no_receipt"
      assert.is_nil(receipt)
      assert.equal(200, answer.status)
      assert.is_false(receipt_of("settle_then_receipt_false").success)
      assert.equal("true", receipt_of("settle_then_receipt_text").success)
      assert.not_equal(alice.address, receipt_of("settle_then_receipt_other_payer").payer)
      assert.equal("eip155:1", receipt_of("settle_then_receipt_other_network").network)
      receipt = receipt_of "settle_then_receipt_other_nonce"
      local books = box:ledger()
      assert.not_equal(books.settled[books.count].transaction, receipt.transaction)
      box:clear()
      assert.is_nil(core.base64_decode(pay_with("settle_then_receipt_garbled").headers["payment-response"]))
      receipt, answer = receipt_of "settle_then_pending"
      books = box:ledger()
      assert.equal(402, answer.status)
      assert.equal("settlement_pending", receipt.errorReason)
      assert.equal(books.settled[books.count].transaction, receipt.transaction)
      assert.equal("fetch failed", receipt_of("settle_then_unclear").errorReason)
    end)

    it("settle_then_slow and _drip: the answer comes, late", function()
      local cqueues = require "cqueues"
      local start = cqueues.monotime()
      assert.equal(200, pay_with("settle_then_slow", { seconds = 0.3, times = 1 }).status)
      assert.is_true(cqueues.monotime() - start >= 0.3)
      assert.equal(200, pay_with("settle_then_drip", { seconds = 0.0001, times = 1 }).status)
    end)

    it("bodies that are not what they should be", function()
      local answer = pay_with("non_json_200", { times = 1 })
      assert.equal("text/plain", answer.headers["content-type"])
      answer = pay_with("wrong_content_type", { times = 1 })
      assert.equal("text/html; charset=utf-8", answer.headers["content-type"])
      assert.equal("{", answer.body:sub(1, 1))
      assert.is_nil(pay_with("bad_json_200", { times = 1 }).json)
      answer = pay_with("settle_then_oversize_body", { bytes = 3000000, times = 1 }, 20)
      assert.equal(3000000, #answer.body)
      answer = pay_with("settle_then_oversize_headers", { times = 1 })
      assert.is_true(#answer.list > 70)
      assert.equal(5, box:ledger().count)
    end)
  end)

  describe("before settlement", function()
    for name, status in pairs{ ["502_before_settle"] = 502, ["503_before_settle"] = 503, verify_down = 402,
                               facilitator_nonsense = 502, settle_fails = 402, settle_crashes = 402,
                               settle_unclear = 402, pending_never_settles = 402, endless_402 = 402,
                               refuse = 402,
                               provider_unset = 502,
                               ["409"] = 409, ["429"] = 429, upstream_503 = 502, handler_crash = 500 } do
      it(name .. ": nothing moves, " .. status, function()
        local answer, _, _, count = pay_with(name)
        assert.equal(status, answer.status)
        assert.equal(0, count)
      end)
    end

    it("reset and timeout: nothing moves, no answer", function()
      local answer, _, _, count = pay_with "reset_before_settle"
      assert.is_nil(answer)
      assert.equal(0, count)
      answer, _, _, count = pay_with("timeout_before_settle", nil, 0.3)
      assert.is_nil(answer)
      assert.equal(0, count)
    end)

    it("tell what kind of 402 it is by their headers", function()
      assert.equal("fetch failed", payer.challenge(pay_with "verify_down").error)
      box:clear()
      local answer = pay_with "settle_fails"
      assert.is_nil(answer.headers["payment-required"])
      assert.same({ success = false, errorReason = "insufficient_funds", transaction = "",
                    network = "eip155:8453",
                    payer = alice.address }, payer.receipt(answer))
      assert.equal("Spraay Protocol", answer.json.serviceName)
      box:clear()
      answer = pay_with "settle_crashes"
      assert.is_nil(answer.headers["payment-required"])
      assert.is_nil(answer.headers["payment-response"])
    end)

    it("settle_later: a 502 now, the money afterwards", function()
      local answer, _, _, count = pay_with("settle_later", { seconds = 0.2 })
      assert.equal(502, answer.status)
      assert.equal(0, count)
      require "cqueues".sleep(0.4)
      assert.equal(1, box:ledger().count)
    end)

    it("settle_later: a reset in between, and the money does not move any more", function()
      pay_with("settle_later", { seconds = 0.1 })
      box:reset()
      require "cqueues".sleep(0.2)
      local books = box:ledger()
      assert.equal(0, books.count)
      assert.equal("1000.000000", books.balances[alice.address].usdc)
    end)

    it("handler_slow: a request from before a reset leaves the new books and faults alone", function()
      local cqueues = require "cqueues"
      box:fault("handler_slow", { seconds = 0.2 })
      local header, loop, answer = alice:prepare("POST", EMBED, TEXT), cqueues.new(), nil
      loop:wrap(function() answer = alice:present("POST", EMBED, TEXT, header) end)
      loop:wrap(function()
        cqueues.sleep(0.1)
        box:reset()
        box:fault("settle_fails", { times = 1 })
      end)
      assert(loop:loop())
      assert.equal(402, answer.status)
      local books = box:ledger()
      assert.equal(0, books.count)
      assert.same({}, books.handled)
      assert.equal(1, #box:faults().armed)
    end)
  end)

  describe("on the way in", function()
    it("reset_on_probe and close_on_accept: no answer, and the levers stay reachable", function()
      box:fault("reset_on_probe", { times = 1 })
      assert.is_nil((probe()))
      box:fault("close_on_accept", { times = 1 })
      assert.is_nil((probe()))
      assert.equal(402, probe().status)
    end)

    it("429 carries its wait in the body, and in a header only where told", function()
      box:fault("429", { times = 1 })
      local answer = probe()
      assert.equal(60, answer.json.retry_after_seconds)
      assert.is_nil(answer.headers["retry-after"])
      box:fault("429_retry_after", { times = 1, wait = 2 })
      assert.equal("2", probe().headers["retry-after"])
    end)

    it("redirects stay on the origin or leave it", function()
      box:fault("redirect_same", { times = 1 })
      local answer = probe()
      assert.equal(307, answer.status)
      assert.equal(box.url .. EMBED .. "?moved=1", answer.headers.location)
      box:fault("redirect_other", { times = 1, status = 302 })
      answer = probe()
      assert.equal(302, answer.status)
      assert.truthy(answer.headers.location:find "^http://localhost:")
    end)

    it("html_404 is a page", function()
      box:fault("html_404", { times = 1 })
      local answer = probe()
      assert.equal(404, answer.status)
      assert.equal("text/html; charset=utf-8", answer.headers["content-type"])
    end)
  end)

  describe("of the challenge", function()
    local function offered(name, options)
      box:clear()
      box:fault(name, options)
      return payer.challenge(probe()).accepts
    end

    it("change the terms", function()
      assert.equal("10000", offered("price_raised")[1].amount)
      assert.equal("7000", offered("price_raised", { amount = "7000" })[1].amount)
      assert.equal("0", offered("zero_amount")[1].amount)
      assert.equal("-5000", offered("negative_amount")[1].amount)
      assert.equal(0.005, offered("float_amount")[1].amount)
      assert.equal("5000000000000000", offered("wrong_decimals")[1].amount)
      assert.equal("0x000000000000000000000000000000000000dEaD", offered("wrong_asset")[1].asset)
      assert.equal("eip155:1", offered("wrong_network")[1].network)
      assert.equal("USDC", offered("wrong_domain")[1].extra.name)
      assert.is_nil(offered("no_domain")[1].extra.name)
      assert.equal(315360000, offered("ten_year_window")[1].maxTimeoutSeconds)
      assert.equal("0x00000000000000000000000000000000c0ffee00", offered("changed_payto")[1].payTo)
      assert.equal("upto-the-moon", offered("unknown_scheme")[1].scheme)
      assert.equal("upfront", offered("unknown_flow")[1].extra.paymentFlow)
      assert.equal(0, #offered "no_accepts")
      assert.equal("solana", offered("solana_only")[1].network:match "^%a+")
    end)

    it("put a cheaper offer before the good ones", function()
      for name, member in pairs{ decoy_network = "network", decoy_asset = "asset" } do
        local accepts = offered(name)
        assert.equal("500", accepts[1].amount)
        assert.not_equal(accepts[2][member], accepts[1][member])
        assert.equal("5000", accepts[2].amount)
      end
    end)

    it("ask for money in words", function()
      box:fault("prose_402", { times = 1 })
      local answer = probe()
      assert.equal(402, answer.status)
      assert.is_nil(answer.headers["payment-required"])
      assert.truthy(answer.body:find("send 5 USDC", 1, true))
    end)

    it("take a client that signs raised terms at its word", function()
      box:fault "price_raised"
      assert.equal(200, alice:pay("POST", EMBED, TEXT).status)
      assert.equal("10000", box:ledger().total)
    end)

    it("garble the header, lengthen it, lose it, send it twice", function()
      box:fault("huge_challenge", { times = 1 })
      local answer = probe()
      assert.is_true(#answer.headers["payment-required"] >= 12288)
      assert.equal("5000", payer.challenge(answer).accepts[1].amount)
      box:fault("bad_base64_challenge", { times = 1 })
      assert.is_nil(core.base64_decode(probe().headers["payment-required"]))
      box:fault("bad_json_challenge", { times = 1 })
      assert.is_false((pcall(payer.challenge, probe())))
      box:fault("body_only_challenge", { times = 1 })
      answer = probe()
      assert.is_nil(answer.headers["payment-required"])
      assert.truthy(answer.json.accepts)
      box:fault("challenge_twice", { times = 1 })
      local count = 0
      for _, pair in ipairs(probe().list) do
        if pair[1] == "payment-required" then count = count + 1 end
      end
      assert.equal(2, count)
      box:fault("oversize_headers", { times = 1 })
      assert.is_true(#probe().list > 70)
      box:fault("oversize_body", { times = 1, bytes = 2000000 })
      assert.equal(2000000, #probe().body)
    end)
  end)
end)
