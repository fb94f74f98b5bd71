-- SPDX-License-Identifier: MIT
-- Everything that can be handed to a client wrongly, by its user or by the other side. For each: the
-- kind, the code and what is said about the money; the gateway's books must agree; and the sentence
-- says what happened, whether money moved, and what to do next.
local live = require "spec.support.live"
local spraay = require "spraay"

local box, client, question
local n = 0

setup(function() box = live.start {} end)
teardown(function() live.stop(box) end)
before_each(function()
  box:clear()
  box:reset()
  n = n + 1
  question = "question " .. n
end)
after_each(function()
  if client then client:close() end
  client = nil
end)

local function open(options)
  local all = { retries = 0, timeout = { connect = 2, idle = 2, total = 6 } }
  for name, value in pairs(options or {}) do all[name] = value end
  client = live.open(box, all)
  return client
end

local MONEY = { no = "Nothing was paid", maybe = " may have been paid", yes = " was paid" }

-- Three values of a failed call, and what they must say.
local function judge(value, message, err, wanted)
  assert.is_nil(value)
  assert.is_true(spraay.is_error(err), tostring(message))
  assert.equal(message, tostring(err))
  assert.equal(wanted.kind, err.kind, message)
  if wanted.code then assert.equal(wanted.code, err.code, message) end
  assert.equal(wanted.paid or "no", err.paid, message)
  assert.truthy(message:find(MONEY[err.paid], 1, true), message)
  for _, words in ipairs(type(wanted.says) == "table" and wanted.says or { wanted.says }) do
    assert.truthy(message:find(words, 1, true), message)
  end
  if wanted.paid == "maybe" or wanted.paid == "yes" then
    assert.truthy(message:find(wanted.amount or "0.030000 USDC", 1, true), message)
    assert.truthy(err.purchase, message)
  end
  if not wanted.no_advice then assert.is_true(#(err.hint or "") > 10, "no advice: " .. message) end
  return err
end

-- The books: how often an authorization was presented and settled.
local function books(presented, settled)
  local report = box:ledger()
  assert.equal(settled, report.count)
  if presented then assert.equal(presented, #report.presented) end
  local nonces, different = {}, 0
  for _, row in ipairs(report.presented) do
    if not nonces[row.nonce] then nonces[row.nonce], different = true, different + 1 end
  end
  assert.is_true(different <= 1)   -- one intent, one nonce
  return report
end

-- ---- keys -------------------------------------------------------------------------------------

describe("a key", function()
  local made = {}
  local function secret(...)
    made[#made + 1] = live.secret(...)
    return made[#made]
  end
  after_each(function()
    for i, path in ipairs(made) do os.remove(path) made[i] = nil end
  end)

  for _, case in ipairs {
    { "that is missing", function() return spraay.wallet.env "SPRAAY_NO_SUCH_KEY" end, "SPRAAY_NO_SUCH_KEY" },
    { "that is malformed", function() return spraay.wallet.file(secret "not a key") end, "hex digits" },
    { "that is zero", function() return spraay.wallet.file(secret(("0"):rep(64))) end, "key" },
    { "in a file others can read", function() return spraay.wallet.file(secret(("1"):rep(64), "644")) end,
      "chmod 600" },
    { "in a file that is not there", function() return spraay.wallet.file "/nowhere/key" end, "/nowhere/key" },
    { "that was never given", function() return false end, "wallet" },
  } do
    it(case[1] .. " is told before anything is sent", function()
      open { wallet = case[2]() }
      local value, message, err = client:chat(question)
      judge(value, message, err, { kind = "wallet", says = case[3] })
      assert.is_nil(message:find("1111", 1, true))
      assert.equal(0, box:ledger().requests)
    end)
  end
end)

-- ---- what the user writes ------------------------------------------------------------------------

describe("a name that is not known", function()
  for _, case in ipairs {
    { function() return spraay.open { per_cal = "1" } end, "option", 'Did you mean "per_call"?' },
    { function() return spraay.open { Wallet = 1 } end, "option", 'Did you mean "wallet"?' },
    { function() return spraay.open { colour = "red" } end, "option", 'unknown option "colour"' },
    { function() return client:chat { mesages = "x" } end, "argument", 'Did you mean "messages"?' },
    { function() return client:chat { messages = "x", colour = 1 } end, "argument", "Its fields are" },
    { function() return client:chat("x", { tmeout = 5 }) end, "option", 'Did you mean "timeout"?' },
    { function() return client:image { promt = "x" } end, "argument", 'Did you mean "prompt"?' },
    { function() return client:batch { { type = "chta", messages = "x" } } end, "argument", 'Did you mean "chat"?' },
    { function() return client:quote("chta", "x") end, "argument", 'Did you mean "chat"?' },
    { function() return client:chat { messages = "x", model = "lamma-3.3-70b" } end, "model", "Did you mean" },
    { function() return client.futures:deposit { amout = "5" } end, "argument", 'Did you mean "amount"?' },
    { function() return client:job("a1", "vidoe") end, "argument", 'Did you mean "video"?' },
    { function() return client:job "a1":wait { timout = 1 } end, "option", 'Did you mean "timeout"?' },
    { function() return spraay.x402.session(client, { urll = "/x" }) end, "argument", 'Did you mean "url"?' },
  } do
    it("is refused: " .. case[3], function()
      open {}
      local value, message, err = case[1]()
      judge(value, message, err, { kind = "usage", code = case[2], says = case[3], no_advice = true })
      assert.equal(0, box:ledger().requests)
    end)
  end
end)

describe("an amount", function()
  local PLACES = {
    per_call = function(amount) return spraay.open { per_call = amount } end,
    per_day = function(amount) return spraay.open { per_day = amount } end,
    budget = function(amount) return spraay.open { budget = amount } end,
    per_host = function(amount) return spraay.open { per_host = amount } end,
    prices = function(amount) return spraay.open { prices = { chat = amount } } end,
    max = function(amount) return client:chat("x", { max = amount }) end,
    amount = function(amount) return client.futures:deposit { amount = amount } end,
    usdc = function(amount) return spraay.usdc(amount) end,
    sum = function(amount) return spraay.sum { "1", amount } end,
    wait = function(amount) return client:job "a1":wait { max = amount } end,
  }
  for _, case in ipairs {
    { "as a float", 0.05, '"0.05"' }, { "as an integer", 5, '"5"' }, { "that is not a number", 0 / 0, "number" },
    { "that has no end", math.huge, "number" }, { "below zero", "-0.05", "negative" },
    { "too precise", "0.0000001", "six decimal places" }, { "beyond all money", ("9"):rep(30), "larger" },
    { "with an exponent", "1e-3", "not an amount" }, { "in words", "five", "not an amount" },
    { "with a comma", "0,05", "not an amount" }, { "with its unit", "0.05 USDC", "not an amount" },
    { "that is empty", "", "not an amount" }, { "in a table", {}, "string" },
  } do
    it(case[1] .. " is refused wherever money is written", function()
      open {}
      for place, give in pairs(PLACES) do
        local value, message, err = give(case[2])
        local which = place .. ": " .. tostring(message)
        assert.is_nil(value, which)
        assert.equal("usage", err.kind, which)
        assert.equal("no", err.paid, which)
        assert.truthy(message:find(case[3], 1, true), which)
      end
      assert.equal(0, box:ledger().requests)
    end)
  end
end)

-- ---- what the gateway offers ----------------------------------------------------------------------

-- fault -> code and words; nothing of it may be signed.
local OFFERS = {
  bad_base64_challenge = { "malformed", "not base64" },
  bad_json_challenge = { "malformed", "not sound JSON" },
  body_only_challenge = { "no_offer", "does not say how to pay" },
  challenge_twice = { "malformed", "two PAYMENT-REQUIRED headers" },
  no_accepts = { "malformed", "no way to pay" },
  solana_only = { "network", "solana" },
  unknown_scheme = { "scheme", "upto-the-moon" },
  unknown_flow = { "flow", "upfront" },
  wrong_asset = { "asset", "not USDC" },
  wrong_network = { "network", "eip155:1" },
  wrong_domain = { "domain", '"USD Coin"' },
  no_domain = { "domain", "EIP-712 name" },
  wrong_decimals = { "price_raised", "30000000000" },
  float_amount = { "amount", "not a string" },
  negative_amount = { "amount", "atomic units" },
  zero_amount = { "amount", "zero" },
  price_raised = { "price_raised", { "0.060000", "0.030000", 'max = "0.06"' } },
  ten_year_window = { "window", "315360000" },
  changed_payto = { "pay_to", { "0x00000000000000000000000000000000c0ffee00", "pay_to" } },
}

describe("an offer", function()
  for fault, case in pairs(OFFERS) do
    it("with " .. fault .. " is refused before anything is signed", function()
      open {}
      assert(client:chat("the honest one, " .. n))   -- so that the receiver is known
      box:fault(fault, { times = 1 })
      local value, message, err = client:chat(question)
      judge(value, message, err, { kind = "policy", code = case[1], says = case[2] })
      books(1, 1)
    end)
  end

  it("is taken however long its header is, up to a limit", function()
    open {}
    box:fault("huge_challenge", { times = 1 })
    assert.equal("settled", assert(client:chat(question)).payment.status)
    for _, fault in ipairs { "oversize_headers", "oversize_body" } do
      box:clear()
      box:fault(fault, { times = 9 })
      local value, message, err = client:chat(question .. fault)
      judge(value, message, err, { kind = "connection", says = "larger than the limit" })
    end
    books(1, 1)
  end)

  it("of another receiver is paid once it is named in pay_to", function()
    open {}
    assert(client:chat("the honest one, " .. n))
    box:fault("changed_payto", {})
    assert.equal("pay_to", select(3, client:chat(question)).code)
    -- Where pay_to names receivers, no word in the ledger adds one, and none is recommended.
    local _, fixed = open { pay_to = { "0x" .. ("1"):rep(40) } }:chat(question .. "?")
    assert.truthy(fixed:find("pay_to = {", 1, true), fixed)
    assert.is_nil(fixed:find("spraay ledger trust", 1, true), fixed)
    local trusting = open { pay_to = { "0x00000000000000000000000000000000c0ffee00" } }
    assert.equal("settled", assert(trusting:chat(question .. "!")).payment.status)
  end)

  it("above what is published is paid with max, and never above it", function()
    open {}
    box:fault("price_raised", {})
    local value, message, err = client:chat(question, { max = "0.059999" })
    judge(value, message, err, { kind = "policy", code = "over_max", says = { "0.060000", "0.059999" } })
    local result = assert(client:chat(question, { max = "0.06" }))
    assert.equal("0.060000", result.payment.amount)
  end)
end)

-- ---- redirects, limits, pages ----------------------------------------------------------------------

-- fault -> kind, code, words: all before anything was signed.
local UNPAID = {
  redirect_other = { "gateway", "redirect", { "localhost", "hosts" } },
  redirect_same = { "gateway", "redirect", "without end" },
  html_404 = { "gateway", "not_found", { "404", "web page" } },
  html_502 = { "gateway", "server_error", { "502", "web page" } },
  ["429"] = { "gateway", "rate_limited", "429" },
  ["429_retry_after"] = { "gateway", "rate_limited", "429" },
  reset_on_probe = { "connection", "reset", "connection was lost" },
  close_on_accept = { "connection", "reset", "connection was lost" },
  timeout_on_probe = { "timeout", "timeout_total", "no result within 0.5 s" },
}

describe("before anything was signed,", function()
  for fault, case in pairs(UNPAID) do
    it(fault .. " is an error that costs nothing", function()
      open {}
      box:fault(fault, {})
      local value, message, err = client:chat(question, { timeout = fault == "timeout_on_probe" and 0.5 or nil })
      judge(value, message, err, { kind = case[1], code = case[2], says = case[3] })
      books(0, 0)
      if fault:find "429" then assert.is_true(err.retry_after > 0) end
    end)
  end

  it("a redirect of the same origin is followed", function()
    open {}
    box:fault("redirect_same", { times = 1 })
    assert.equal("settled", assert(client:chat(question)).payment.status)
  end)

  it("a good answer of the wrong content type is read for what it is", function()
    open {}
    box:fault("wrong_content_type", {})
    assert.is_true(#assert(client:chat(question)).text > 0)
    books(1, 1)
  end)
end)

describe("a gateway that cannot be reached", function()
  local function refuse(gateway, says)
    client = assert(spraay.open { gateway = gateway, wallet = spraay.wallet.file(box.keyfile), retries = 0, rpc = false,
      timeout = { connect = 2, total = 4 } })
    local value, message, err = client:chat(question)
    judge(value, message, err, { kind = "connection", says = says })
    return err
  end

  it("refuses the connection", function()
    assert.equal("connect", refuse("http://127.0.0.1:9", "127.0.0.1").code)
  end)

  it("has a name nobody knows", function()
    assert.equal("resolve", refuse("https://gateway.invalid", "gateway.invalid").code)
  end)

  it("speaks no TLS", function()
    refuse((box.url:gsub("^http:", "https:")), "secure connection")
  end)
end)

-- ---- after the payment has left ---------------------------------------------------------------------

-- fault -> { kind, code, words, presented, settled }: one presentation, no proof asked for in time.
local AFTER = {
  { "refuse", "payment", "refused", "invalid_exact_evm_payload_signature", settled = 0 },
  { "endless_402", "payment", "refused", "Payment required", settled = 0 },
  { "settle_then_402", "payment", "refused", "Payment required", settled = 1 },
  { "settle_then_402_changed", "payment", "refused", "Payment required", settled = 1 },
  { "settle_then_402_bare", "payment", "settle_crashed", "what became of the payment", settled = 1 },
  { "settle_fails", "payment", "settle_failed", "insufficient_funds", settled = 0 },
  { "settle_unclear", "payment", "settle_unknown", "fetch failed", settled = 0 },
  { "settle_crashes", "payment", "settle_crashed", "what became of the payment", settled = 0 },
  { "settle_then_unclear", "payment", "settle_unknown", "fetch failed", settled = 1 },
  { "pending_never_settles", "payment", "settle_unknown", "settlement_pending", settled = 0 },
  { "handler_crash", "gateway", "server_error", "500", settled = 0 },
  { "upstream_503", "gateway", "server_error", "Text inference failed", settled = 0 },
  { "503_before_settle", "gateway", "server_error", { "503", "web page" }, settled = 0 },
  { "502_before_settle", "gateway", "server_error", { "502", "web page" }, settled = 0 },
  { "facilitator_nonsense", "gateway", "server_error", "invalid data", settled = 0 },
  { "settle_then_500", "gateway", "server_error", "500", settled = 1 },
  { "settle_then_504", "gateway", "server_error", "504", settled = 1 },
  { "settle_then_html", "gateway", "server_error", "web page", settled = 1 },
  { "settle_then_429", "gateway", "rate_limited", "429", settled = 1 },
  { "settle_then_redirect", "gateway", "redirect_after_payment", "redirect", settled = 1 },
  { "reset_before_settle", "connection", "reset", "connection was lost", settled = 0 },
  { "settle_then_close", "connection", "reset", "lost before the answer", settled = 1 },
  { "settle_then_reset", "connection", "reset", "lost before the answer", settled = 1 },
  { "settle_then_truncate_headers", "connection", nil, "broke off", settled = 1 },
  { "settle_then_truncate", "connection", nil, "broke off", settled = 1 },
  { "settle_then_oversize_headers", "connection", "headers_too_large", "larger than the limit", settled = 1 },
  { "settle_then_oversize_body", "connection", nil, { "limit" }, settled = 1 },
  { "timeout_before_settle", "timeout", "timeout_total", "no result within", settled = 0, slow = true },
  { "settle_then_timeout", "timeout", "timeout_total", "no result within", settled = 1, slow = true },
  { "settle_then_drip", "timeout", "timeout_total", "no result within", settled = 1, slow = true },
}

describe("after the payment has left,", function()
  for _, case in ipairs(AFTER) do
    it(case[1] .. " is an error that says money may have moved, or did", function()
      open {}
      box:fault(case[1], {})
      -- `once`: the payment is not presented again, so that the first answer is the one told of.
      local value, message, err = client:chat(question, { once = true, timeout = case.slow and 0.5 or nil })
      -- Where the chain was asked in time it may have said "yes"; nothing but proof says "no".
      local paid = err and err.paid == "yes" and case.settled == 1 and "yes" or "maybe"
      local lost = paid == "yes"
      judge(value, message, err, { kind = lost and "payment" or case[2], code = lost and "paid_lost" or case[3],
        says = lost and "result was lost" or case[4], paid = paid })
      books(nil, case.settled)
      if paid == "maybe" then
        assert.is_true(err.until_ > os.time())
        if case.settled == 1 then assert.is_true(err.until_ <= os.time() + 600) end
      end
      -- Whoever calls again in the same way continues this purchase.
      box:clear()
      local again, _, second = client:chat(question, { timeout = 1.5 })
      local purchase = again and again.payment.purchase or second.purchase
      assert.equal(err.purchase, purchase)
      books(nil, again and 1 or case.settled)
    end)
  end

  for _, fault in ipairs { "bad_json_200", "non_json_200" } do
    it(fault .. " is handed over as it came, and said to be paid", function()
      open {}
      box:fault(fault, {})
      local value, message, err = client:chat(question)
      judge(value, message, err, { kind = "gateway", code = "answer", paid = "yes",
        says = { "not JSON", "again = true" } })
      assert.equal("string", type(err.body))
      assert.equal(1, books(1, 1).count)
    end)
  end

  for _, fault in ipairs { "no_receipt", "receipt_false", "receipt_garbled", "receipt_other_network",
    "receipt_other_payer", "receipt_text" } do
    it("an answer with " .. fault .. " is handed over and called unconfirmed, not settled", function()
      open {}
      box:fault("settle_then_" .. fault, {})
      local result = assert(client:chat(question))
      assert.equal("unconfirmed", result.payment.status)
      assert.equal("0.030000", result.payment.amount)
      books(1, 1)
    end)
  end
end)
