-- The gate: what a stranger is told, what a payment must be, who is charged for what.
-- Rules: facilitator checks of x402 "exact" on EVM, and the observed habits of the gateway.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local gateway = require "spec.support.gateway"
local payer = require "spec.support.payer"
local sandbox = require "spec.support.sandbox"

local CHAT = "/api/v1/compute/text-inference"
local HELLO = { messages = { { role = "user", content = "Hello" } } }

describe("the gate", function()
  local box, alice = gateway.fresh()

  -- Pay with something changed; the reason of the refusal.
  local function refused(change)
    local answer = assert(alice:pay("POST", CHAT, HELLO, change))
    assert.equal(402, answer.status)
    assert.equal(0, box:ledger().count)
    return payer.challenge(answer).error
  end

  describe("without a payment", function()
    it("asks for one, in a header of two to three thousand characters", function()
      local answer = box:request("POST", CHAT, { body = HELLO })
      assert.equal(402, answer.status)
      local length = #answer.headers["payment-required"]
      assert.is_true(length > 2000 and length < 3072, "length " .. length)
      local challenge = payer.challenge(answer)
      assert.equal(2, challenge.x402Version)
      assert.equal("Payment required", challenge.error)
      assert.equal(box.url .. CHAT, challenge.resource.url)
      assert.same({ scheme = "exact", network = "eip155:8453", amount = "30000",
                    asset = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
                    payTo = "0xAd62f03C7514bb8c51f1eA70C2b75C37404695c8", maxTimeoutSeconds = 300,
                    extra = { name = "USD Coin", version = "2" } }, challenge.accepts[1])
      assert.equal("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", challenge.accepts[2].network)
    end)

    it("repeats the challenge in the body, decorated, with a resource in every entry", function()
      local answer = box:request("POST", CHAT, { body = HELLO })
      assert.equal(box.url .. CHAT, answer.json.accepts[1].resource)
      assert.equal("0.01", answer.json.solana_accepts.amountRequired)
      assert.equal(12, #answer.json.tags)
      assert.truthy(answer.headers["x-spraay-meta"])
    end)

    it("asks before it looks at the body's members", function()
      assert.equal(402, box:request("POST", CHAT, { body = {} }).status)
      assert.equal(402, box:request("POST", CHAT).status)
    end)

    it("offers a third rail, and another home network, on request", function()
      box:config{ rails = 3 }
      local challenge = payer.challenge(box:request("POST", CHAT, { body = HELLO }))
      assert.equal("eip155:4663", challenge.accepts[3].network)
      assert.equal("Global Dollar", challenge.accepts[3].extra.name)
      local other = sandbox.start{ network = "base-sepolia" }
      local entry = payer.challenge(other:request("POST", CHAT, { body = HELLO })).accepts[1]
      other:stop()
      assert.equal("eip155:84532", entry.network)
      assert.equal("USDC", entry.extra.name)
    end)

    it("takes X-PAYMENT, rubbish, and nothing at all for the same", function()
      local header = alice:prepare("POST", CHAT, HELLO)
      for _, headers in ipairs{ { ["x-payment"] = header }, { ["payment-signature"] = "%%%" },
                                { ["payment-signature"] = core.base64_encode "{oops" } } do
        local answer = box:request("POST", CHAT, { body = HELLO, headers = headers })
        assert.equal(402, answer.status)
        assert.equal("Payment required", payer.challenge(answer).error)
      end
    end)
  end)

  describe("with a sound payment", function()
    it("runs the handler, settles, and gives a receipt", function()
      local answer = assert(alice:pay("POST", CHAT, HELLO))
      assert.equal(200, answer.status)
      local receipt = payer.receipt(answer)
      local books = box:ledger()
      assert.is_true(receipt.success)
      assert.equal(alice.address, receipt.payer)
      assert.equal("eip155:8453", receipt.network)
      assert.equal(1, books.count)
      assert.equal("30000", books.total)
      assert.equal("0.030000", books.total_usdc)
      assert.equal(books.settled[1].transaction, receipt.transaction)
      assert.equal("POST " .. CHAT, books.settled[1].route)
      assert.truthy(books.settled[1].body:find "^0x%x+$")
      assert.equal("999.970000", books.balances[alice.address].usdc)
      assert.equal(1, books.handled["POST " .. CHAT])
    end)

    it("cashes an authorization once", function()
      local _, _, header = alice:pay("POST", CHAT, HELLO)
      local again = alice:present("POST", CHAT, HELLO, header)
      assert.equal(402, again.status)
      assert.equal("invalid_exact_evm_nonce_already_used", payer.challenge(again).error)
      assert.equal(1, box:ledger().count)
    end)

    it("answers a settled payment again where replay is on", function()
      box:config{ replay = true }
      local first, _, header = alice:pay("POST", CHAT, HELLO)
      local again = alice:present("POST", CHAT, HELLO, header)
      assert.equal(200, again.status)
      assert.equal(first.body, again.body)
      assert.equal(1, box:ledger().count)
    end)

    it("lets two in flight with one authorization both work, and settles one", function()
      local header = alice:prepare("POST", CHAT, HELLO)
      box:fault("handler_slow", { seconds = 0.3 })
      local cqueues = require "cqueues"
      local loop, answers = cqueues.new(), {}
      for i = 1, 2 do
        loop:wrap(function() answers[i] = assert(alice:present("POST", CHAT, HELLO, header)) end)
      end
      assert(loop:loop())
      table.sort(answers, function(a, b) return a.status < b.status end)
      assert.equal(200, answers[1].status)
      assert.equal(402, answers[2].status)
      local receipt = payer.receipt(answers[2])
      assert.is_false(receipt.success)
      assert.equal("", receipt.transaction)
      assert.is_nil(answers[2].headers["payment-required"])
      local books = box:ledger()
      assert.equal(1, books.count)
      assert.equal(2, books.handled["POST " .. CHAT])
    end)
  end)

  describe("matches what was accepted", function()
    local function change(name, value)
      return { accepted = function(entry) entry[name] = value end }
    end

    for _, bad in ipairs{
      { "another amount", "amount", "1" }, { "the amount as a number", "amount", 30000 },
      { "a lower-cased asset", "asset", "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913" },
      { "the body's resource", "resource", "http://example.invalid/" },
      { "the timeout as text", "maxTimeoutSeconds", "300" },
      { "an extra without version", "extra", { name = "USD Coin" } },
    } do
      it("refuses " .. bad[1], function()
        assert.equal("No matching payment requirements", refused(change(bad[2], bad[3])))
      end)
    end

    it("takes more members in extra", function()
      local more = { name = "USD Coin", version = "2", more = true }
      assert.equal(200, alice:pay("POST", CHAT, HELLO, change("extra", more)).status)
    end)

    it("lets strangers among the members pass where matching is lenient", function()
      box:config{ lenient = true }
      assert.equal(200, alice:pay("POST", CHAT, HELLO, change("resource", "http://x/")).status)
      local _, payment = alice:prepare("POST", CHAT, HELLO)
      payment.accepted = nil
      local answer = alice:present("POST", CHAT, HELLO, payer.header(payment))
      assert.equal("Payment required", payer.challenge(answer).error)
      assert.truthy(answer.json._spraay.payment_error)
    end)

    it("answers an exception text to a version 1 payment", function()
      local header = payer.header{ x402Version = 1, scheme = "exact", network = "base", payload = {} }
      local answer = alice:present("POST", CHAT, HELLO, header)
      assert.truthy(payer.challenge(answer).error:find("^Cannot read properties of undefined"))
    end)

    it("wants an echoed extension to be the announced one", function()
      assert.equal("extension_echo_mismatch", refused{ extensions = { bazaar = { info = { input = {} } } } })
      local challenge = payer.challenge(box:request("POST", CHAT, { body = HELLO }))
      assert.equal(200, alice:pay("POST", CHAT, HELLO, { extensions = challenge.extensions }).status)
    end)
  end)

  describe("verifies", function()
    it("who signed", function()
      local _, payment = alice:prepare("POST", CHAT, HELLO)
      payment.payload.authorization.from = "0x00000000000000000000000000000000DeaDBeef"
      local answer = alice:present("POST", CHAT, HELLO, payer.header(payment))
      assert.equal("invalid_exact_evm_payload_signature", payer.challenge(answer).error)
    end)

    it("that the signature is one the token contract would take", function()
      local _, payment = alice:prepare("POST", CHAT, HELLO)
      local good = payment.payload.signature
      local v = good:sub(-2) == "1b" and "00" or "01"
      for _, bad in ipairs{ good:sub(1, -3) .. v, good:sub(1, -3), good .. "00",
                            "0x" .. ("11"):rep(64) .. "1b" } do
        payment.payload.signature = bad
        local answer = alice:present("POST", CHAT, HELLO, payer.header(payment))
        assert.equal("invalid_exact_evm_payload_signature", payer.challenge(answer).error)
      end
    end)

    it("the domain", function()
      assert.equal("invalid_exact_evm_payload_signature",
        refused{ domain = { name = "USDC", version = "2" } })
    end)

    it("receiver and value", function()
      assert.equal("invalid_exact_evm_recipient_mismatch", refused{ to = alice.address })
      assert.equal("invalid_exact_evm_payload_authorization_value_mismatch", refused{ value = "29999" })
      assert.equal("invalid_exact_evm_payload_authorization_value_mismatch", refused{ value = "30001" })
    end)

    it("the window: six seconds left, and not in the future", function()
      local now = box:clock().now
      local before = "invalid_exact_evm_payload_authorization_valid_before"
      assert.equal(before, refused{ validBefore = ("%d"):format(now + 3) })
      assert.equal("invalid_exact_evm_payload_authorization_valid_after",
        refused{ validAfter = ("%d"):format(now + 60) })
      local header = alice:prepare("POST", CHAT, HELLO)
      box:clock(301)
      assert.equal(before, payer.challenge(alice:present("POST", CHAT, HELLO, header)).error)
    end)

    it("that the money is there", function()
      local bob = payer.new(box, "0x" .. ("22"):rep(32))
      local answer = bob:pay("POST", CHAT, HELLO)
      assert.equal("insufficient_funds", payer.challenge(answer).error)
      box:fund(bob.address, "0.03")
      assert.equal(200, bob:pay("POST", CHAT, HELLO).status)
      assert.equal("0.000000", box:ledger().balances[bob.address].usdc)
    end)

    it("that the owner did not cancel", function()
      local header, payment = alice:prepare("POST", CHAT, HELLO)
      box:cancel(alice.address, payment.payload.authorization.nonce)
      local answer = alice:present("POST", CHAT, HELLO, header)
      assert.equal("invalid_exact_evm_nonce_already_used", payer.challenge(answer).error)
    end)

    it("nothing on Solana that is no transaction", function()
      local header = payer.header{ x402Version = 2, payload = { transaction = "AA==" },
        accepted = payer.challenge(box:request("POST", CHAT, { body = HELLO })).accepts[2] }
      assert.equal("invalid_exact_svm_payload_transaction_could_not_be_decoded",
                   payer.challenge(alice:present("POST", CHAT, HELLO, header)).error)
    end)
  end)

  describe("charges", function()
    it("nothing for an answer from 400 up", function()
      for _, body in ipairs{ {}, { messages = HELLO.messages, model = "gpt-4o" },
                             { messages = HELLO.messages, stream = true } } do
        local answer = alice:pay("POST", CHAT, body)
        assert.is_true(answer.status >= 400 and answer.status ~= 402)
        assert.is_nil(payer.receipt(answer))
      end
      local books = box:ledger()
      assert.equal(0, books.count)
      assert.equal(3, books.verified)
      assert.equal("not settled: answered 400", books.presented[1].verdict)
    end)
  end)

  describe("knows API keys", function()
    local KEY = "spry_" .. ("a"):rep(64)
    before_each(function() box:config{ api_keys = { [KEY] = { limit = 3 } } } end)

    local function with_key(key, method, path, body)
      return box:request(method, path, { body = body, headers = { ["x-api-key"] = key } })
    end

    it("and lets them pass, a challenge left over in the headers", function()
      local answer = with_key(KEY, "POST", CHAT, HELLO)
      assert.equal(200, answer.status)
      assert.equal("Payment required", payer.challenge(answer).error)
      assert.is_nil(payer.receipt(answer))
      assert.equal(0, box:ledger().count)
    end)

    it("and refuses unknown ones on free routes too", function()
      local answer = with_key("spry_x", "GET", "/health")
      assert.equal(401, answer.status)
      assert.equal("invalid_api_key", answer.json.error)
    end)

    it("and inactive ones, and those who are through their day", function()
      box:config{ api_keys = { old = { active = false } } }
      assert.equal("subscription_inactive", with_key("old", "GET", "/health").json.error)
      for _ = 1, 3 do assert.equal(200, with_key(KEY, "GET", "/health").status) end
      local answer = with_key(KEY, "GET", "/health")
      assert.equal(429, answer.status)
      assert.equal("daily_limit_exceeded", answer.json.error)
      box:advance(86400)
      assert.equal(200, with_key(KEY, "GET", "/health").status)
      assert.equal(2, with_key(KEY, "GET", "/v1/auth/usage").json.calls_today)
    end)

    it("and mixes the challenge into a handler's own 402", function()
      local function open(amount)
        local body = { depositor = alice.address, amount = amount }
        return with_key(KEY, "POST", "/api/v1/compute-futures/deposit", body).json.computeFuture.id
      end
      local id = open "1"
      local execute = { futuresId = id, type = "video-generation", prompt = "x" }
      for _ = 1, 2 do with_key(KEY, "POST", "/api/v1/compute-futures/execute", execute) end
      box:advance(86400)
      local answer = with_key(KEY, "POST", "/api/v1/compute-futures/execute", execute)
      assert.equal(400, answer.status)            -- two videos empty a dollar: the account is exhausted
      execute.futuresId = open "1.2"
      box:config{ api_keys = { [KEY] = { limit = 100 } } }
      for _ = 1, 2 do with_key(KEY, "POST", "/api/v1/compute-futures/execute", execute) end
      answer = with_key(KEY, "POST", "/api/v1/compute-futures/execute", execute)
      assert.equal(402, answer.status)
      assert.equal("Insufficient compute credits", answer.json.error)
      assert.truthy(answer.json.accepts)
      assert.equal("Payment required", payer.challenge(answer).error)
    end)
  end)

  it("takes X-Solana-Tx for a payment on the GPU routes only, and finds none", function()
    local function with_tx(path)
      return box:request("POST", path, { body = HELLO, headers = { ["x-solana-tx"] = "5x" } })
    end
    local answer = with_tx "/api/v1/gpu/run"
    assert.equal(402, answer.status)
    assert.equal("Solana payment verification failed", answer.json.error)
    assert.equal("0.06", answer.json.required_amount)
    assert.is_nil(answer.headers["payment-required"])
    assert.equal("Payment required", payer.challenge(with_tx(CHAT)).error)
  end)

  it("speaks version 1 where it is told to", function()
    box:fault "v1"
    local answer = box:request("POST", CHAT, { body = HELLO })
    assert.is_nil(answer.headers["payment-required"])
    assert.equal(1, answer.json.x402Version)
    local entry = answer.json.accepts[1]
    assert.equal("base", entry.network)
    assert.equal("30000", entry.maxAmountRequired)
    local payload = alice:authorize{ network = "eip155:8453", asset = entry.asset, payTo = entry.payTo,
      amount = entry.maxAmountRequired, extra = entry.extra, maxTimeoutSeconds = entry.maxTimeoutSeconds }
    local header = payer.header{ x402Version = 1, scheme = "exact", network = "base", payload = payload }
    answer = box:request("POST", CHAT, { body = HELLO, headers = { ["x-payment"] = header } })
    assert.equal(200, answer.status)
    assert.truthy(answer.headers["x-payment-response"])
    assert.equal(1, box:ledger().count)
  end)
end)

describe("the published verdicts", function()
  -- Sound and damaged payments, and what the official facilitator says when every chain read
  -- succeeds; cases it takes only because nothing was read from the chain are left to the token's
  -- rules, which this gate applies.
  local helper = require "spec.helper"
  local crypto = require "spraay.sandbox.crypto"

  it("agree about who signed", function()
    local usdc = crypto.parse_address "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
    local domain = crypto.domain("USD Coin", "2", 8453, usdc)
    assert.equal("02fa7265e7c5d81118673727957699e4d68f74cd74b7db77da710fe8a2c7834f", crypto.hex(domain))
    local seen = 0
    for _, case in ipairs(helper.vectors "facilitator_verdicts_evm".cases) do
      local payload = case.payload.payload
      local a = payload.authorization
      if case.id == "sound" then
        local digest = crypto.transfer_digest(domain, {
          from = crypto.parse_address(a.from), to = crypto.parse_address(a.to), value = a.value,
          valid_after = a.validAfter, valid_before = a.validBefore, nonce = crypto.unhex(a.nonce, 32),
        })
        assert.equal(crypto.parse_address(a.from), crypto.signer(digest, crypto.unhex(payload.signature, 65)))
        seen = seen + 1
      end
    end
    assert.equal(1, seen)
  end)
end)
