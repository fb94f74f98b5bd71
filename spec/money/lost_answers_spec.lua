-- SPDX-License-Identifier: MIT
-- An ordinary retry loop of three tries around one call, against a gateway that misbehaves in every
-- way the sandbox knows. The judge is the gateway's own books: never two settlements for one intent,
-- what `paid` says is what happened, and the result comes when the gateway recovers in time.
local sandbox = require "spec.support.sandbox"
local spraay = require "spraay"

local box, client, n

local function open(options)
  local all = { gateway = box.url, wallet = spraay.wallet.file(box.keyfile), rpc = { base = box.rpc },
                per_day = "1000", timeout = { connect = 2, idle = 1, total = 1.5 } }
  for key, value in pairs(options or {}) do all[key] = value end
  return assert(spraay.open(all))
end

--- What the loop of a careful beginner does. Returns result or nil, and all errors.
local function three_tries(ask)
  local errors = {}
  for _ = 1, 3 do
    local result, _, err = ask()
    if result then return result, errors end
    errors[#errors + 1] = err
  end
  return nil, errors
end

setup(function()
  box = sandbox.start{}
  box.keyfile = os.tmpname()
  local file = assert(io.open(box.keyfile, "w"))
  file:write(box.key, "\n")
  file:close()
  os.execute("chmod 600 " .. box.keyfile)
  n = 0
end)

teardown(function()
  box:stop()
  os.remove(box.keyfile)
end)

before_each(function()
  box:clear()
  box:reset()
  n = n + 1
  client = open()
end)

after_each(function() client:close() end)

local function chat() return client:chat("question " .. n) end

-- Settled, and the answer lost or spoiled. `delivered`: it arrives all the same.
local AFTER = {
  { "settle_then_402" }, { "settle_then_402_bare" }, { "settle_then_402_changed" }, { "settle_then_429" },
  { "settle_then_500" }, { "settle_then_502" }, { "settle_then_503" }, { "settle_then_504" },
  { "settle_then_close" }, { "settle_then_html" },
  { "settle_then_oversize_headers" }, { "settle_then_pending" }, { "settle_then_redirect" },
  { "settle_then_reset" }, { "settle_then_truncate" }, { "settle_then_truncate_headers" },
  { "settle_then_unclear" }, { "settle_then_timeout", slow = true }, { "settle_then_drip", slow = true },
  { "settle_then_no_receipt", delivered = "unconfirmed" }, { "settle_then_receipt_false", delivered = "unconfirmed" },
  { "settle_then_receipt_garbled", delivered = "unconfirmed" },
  { "settle_then_receipt_other_network", delivered = "unconfirmed" },
  { "settle_then_receipt_other_payer", delivered = "unconfirmed" },
  { "settle_then_receipt_text", delivered = "unconfirmed" },
  { "settle_then_receipt_other_nonce", delivered = "settled" },
  { "settle_then_slow", delivered = "settled", seconds = 2.5 },
}

describe("after settling, a three-try loop pays once when the gateway's answer is", function()
  for _, case in ipairs(AFTER) do
    it(case[1]:gsub("settle_then_", ""), function()
      box:fault(case[1], { times = 1, seconds = case.seconds })
      local result, errors = three_tries(chat)
      local books = box:ledger()
      assert.equal(1, books.count)
      if case.delivered then
        assert.equal(case.delivered, assert(result).payment.status)
        return
      end
      assert.is_nil(result)
      local last = errors[#errors]
      -- The chain was asked where the answer was told to be lost; a silent one is still awaited.
      assert.equal(case.slow and "maybe" or "yes", last.paid)
      for _, err in ipairs(errors) do
        assert.not_equal("no", err.paid)
        assert.equal(errors[1].purchase, err.purchase)
      end
    end)
  end
end)

-- Lost before settling: the gateway recovers, so the call must succeed, paid once.
local BEFORE = { "reset_on_probe", "close_on_accept", "reset_before_settle", "502_before_settle", "503_before_settle",
                 "handler_crash", "upstream_503", "verify_down", "facilitator_nonsense", "settle_unclear",
                 "settle_crashes", "html_502", "429_retry_after", "redirect_same", "huge_challenge" }

describe("before settling, a three-try loop gets its answer and pays once after", function()
  for _, fault in ipairs(BEFORE) do
    it(fault, function()
      box:fault(fault, { times = 1 })
      local result, errors = three_tries(chat)
      assert(result, tostring(errors[#errors]))
      assert.equal("settled", result.payment.status)
      assert.equal(1, box:ledger().count)
    end)
  end
end)

-- Terms that must never be signed; the honest offer that follows is paid.
local HOSTILE = {
  changed_payto = "pay_to", float_amount = "amount", negative_amount = "amount", no_accepts = "malformed",
  no_domain = "domain", price_raised = "price_raised", solana_only = "network", ten_year_window = "window",
  unknown_flow = "flow", unknown_scheme = "scheme", wrong_asset = "asset", wrong_decimals = "price_raised",
  wrong_domain = "domain", wrong_network = "network", zero_amount = "amount",
  bad_base64_challenge = "malformed", bad_json_challenge = "malformed", body_only_challenge = "no_offer",
  challenge_twice = "malformed",
}

describe("hostile terms are refused by name, unsigned, and the next honest offer is paid:", function()
  for fault, code in pairs(HOSTILE) do
    it(fault, function()
      assert(client:chat("an honest question " .. n))
      box:fault(fault, { times = 1 })
      local result, message, err = chat()
      assert.is_nil(result)
      assert.equal("policy", err.kind)
      assert.equal(code, err.code)
      assert.equal("no", err.paid)
      assert.truthy(message:find("Nothing was paid", 1, true))
      local books = box:ledger()
      assert.equal(1, books.count)
      assert.equal(1, #books.presented)
      assert.equal("settled", assert(chat()).payment.status)
    end)
  end
end)

describe("the books and the client agree", function()
  it("on one paid call, which takes two requests", function()
    assert(chat())
    local books = box:ledger()
    assert.equal(2, books.requests)
    assert.equal("0.030000", books.total_usdc)
  end)

  it("on a hundred calls side by side under a cap that admits seven", function()
    client:close()
    client = open{ budget = "0.22", timeout = { total = 20 } }
    local questions = {}
    for i = 1, 100 do questions[i] = "item " .. i end
    local results, errors = spraay.run(function()
      return spraay.map(questions, { limit = 16 }, function(text) return client:chat(text) end)
    end)
    local paid = 0
    for i = 1, 100 do
      if results[i] then
        paid = paid + 1
      else
        assert.equal("over_budget", errors[i].code)
        assert.equal("no", errors[i].paid)
      end
    end
    assert.equal(7, paid)
    assert.equal(7, box:ledger().count)
    assert.equal("0.210000", box:ledger().total_usdc)
  end)

  it("when equal calls run side by side: each is a purchase of its own", function()
    local results = spraay.run(function()
      return spraay.map({ 1, 2, 3, 4, 5 }, { limit = 5 }, function() return client:chat "the same" end)
    end)
    for i = 1, 5 do assert.truthy(results[i]) end
    assert.equal(5, box:ledger().count)
  end)

  it("when a job is ordered, lost and ordered again: the chain is asked before it may run twice", function()
    client:close()
    client = open{ timeout = { total = 2 } }
    box:fault("settle_then_reset", { times = 1, route = "video-generation" })
    local job, _, err = client:video{ prompt = "waves" }
    assert.is_nil(job)
    assert.equal("maybe", err.paid)
    box:clock(400)
    local again, _, second = client:video({ prompt = "waves" }, { timeout = 3 })
    assert.is_nil(again)
    assert.equal(err.purchase, second.purchase)
    assert.equal(1, box:ledger().count)
    assert.equal(1, box:ledger().handled["POST /api/v1/compute/video-generation"])
  end)
end)
