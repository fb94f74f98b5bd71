-- SPDX-License-Identifier: MIT
-- Compute futures of the ledger dialect against the sandbox, from the deposit to the refund.
local engine = require "spraay.engine"
local live = require "spec.support.live"
local spraay = require "spraay"

local box, client
local real_now, ahead = engine.now, 0

-- Executes on one account are spaced by a second and a half, which nobody needs to sit out here.
setup(function()
  box = live.start { job_seconds = 0 }
  engine.now = function()
    ahead = ahead + 0.2
    return real_now() + ahead
  end
end)
teardown(function()
  engine.now = real_now
  live.stop(box)
end)
before_each(function()
  require("spraay.futures.dialect").forget()
  box:clear()
  box:reset()
  client = live.open(box, { futures = "ledger" })
end)
after_each(function() client:close() end)

local function executed() return box:ledger().handled["POST /api/v1/compute-futures/execute"] or 0 end

describe("a deposit that fails", function()
  it("says what asking for the dialect has cost, and does not ask again", function()
    client:close()
    client = live.open(box)   -- which does not know the dialect
    local account, message, err = client.futures:deposit({ amount = "5" }, { max = "0.005" })
    assert.is_nil(account)
    assert.equal("policy", err.kind)
    assert.equal("yes", err.paid, message)
    assert.equal("0.001000", err.amount)
    assert.equal("0.001000", err.results[1].amount)
    assert.equal("0.001000", box:ledger().total_usdc)
    account, message, err = client.futures:deposit({ amount = "5" }, { max = "0.005" })
    assert.is_nil(account)
    assert.equal("no", err.paid, message)
    assert.equal(1, box:ledger().count)
  end)
end)

describe("an account", function()
  it("lives from its deposit to its refund", function()
    local account = assert(client.futures:deposit { amount = "50", expires_in_days = 30 })
    assert.truthy(account.id:match "^CFE%-%x+$")
    assert.equal("scale", account.tier)
    assert.equal("50.000000", account.deposited)
    assert.equal("0.010000", account.payment.amount)

    local answer = assert(account:chat "hello")
    assert.is_true(#answer.text > 0)
    assert.equal("0.027000", answer.billing.charged)
    assert.equal("49.973000", answer.billing.balance)
    assert.equal("0.001000", answer.payment.amount)
    assert.equal("settled", answer.payment.status)
    assert.equal(1, #assert(account:image "a boat").urls)
    assert.equal(1, #assert(account:speak "hello").urls)
    assert.truthy(assert(account:transcribe "https://x.example/a.wav").text:find("a.wav", 1, true))
    assert.equal(2, #assert(account:embed { "a", "b" }).vectors)
    local job = assert(account:execute { type = "video", prompt = "a boat" })
    assert.equal("video", job.kind)
    assert.equal("0.450000", job.billing.charged)

    local balance = assert(account:balance())
    assert.equal(6, balance.job_count)
    assert.equal("50.000000", balance.deposited)
    assert.equal("active", balance.status)
    local history = assert(account:history { limit = 2 })
    assert.equal(2, #history.entries)
    assert.equal("video-generation", history.entries[1].type)
    assert.equal(balance.balance, history.entries[1].balance_after)
    assert.is_true(math.abs(history.entries[1].time - box:clock().now) < 60)
    local total = spraay.sum { balance.balance, balance.used }
    assert.equal("50", tostring(total))

    local refund = assert(account:refund())
    assert.equal(balance.balance, refund.refunded)
    assert.equal("refunded", account:balance().status)
    assert.equal(6, executed())
  end)

  it("is reached by its id from anywhere", function()
    local account = assert(client.futures:deposit "10")
    local other = live.open(box)
    assert.equal("0.028500", assert(other.futures:account(account.id:lower()):chat "x").billing.charged)
    assert.equal("ledger", assert(other.futures:pricing()).dialect)
  end)

  it("works on one thing after the other, however many ask", function()
    local account = assert(client.futures:deposit "10")
    local list = {}
    for i = 1, 5 do list[i] = "n" .. i end
    local results, errors = spraay.map(list, { limit = 5 }, function(text) return account:chat(text) end)
    assert.same({}, errors)
    table.sort(results, function(a, b) return a.billing.job_number < b.billing.job_number end)
    for i = 1, 5 do assert.equal(i, results[i].billing.job_number) end
    assert.equal("9.857500", account:balance().balance)   -- nobody's work was lost from the balance
  end)

  it("whose credit is too small or used up says so, and nothing is paid for that", function()
    local account = assert(client.futures:deposit "1.1")
    assert(account:video "a boat")
    assert(account:video "another boat")
    local before = box:ledger().count
    local value, message, err = account:video "a third"
    assert.is_nil(value)
    assert.equal("credits", err.code)
    assert.equal("gateway", err.kind)
    assert.truthy(message:find("Insufficient compute credits", 1, true))
    assert.truthy(message:find("eposit", 1, true))
    assert(account:execute { type = "chat", messages = "x", model = "llama-3.1-405b" })
    value, message, err = account:chat "y"
    assert.is_nil(value)
    assert.equal("account", err.code)
    assert.truthy(message:find("exhausted", 1, true))
    assert.truthy(message:find("new deposit", 1, true))
    assert.equal(before + 1, box:ledger().count)
  end)

  it("that is not there, or refunded twice, is the gateway's error, never a purchase", function()
    local stranger = client.futures:account "CFE-0000000000000000"
    for _, ask in ipairs { stranger.balance, stranger.history, stranger.refund } do
      local value, message, err = ask(stranger)
      assert.is_nil(value)
      assert.equal("gateway", err.kind)
      assert.is_true(err.status == 404 or err.status == 400, message)
      assert.equal("no", err.expect)
    end
    local value, _, err = stranger:chat "x"
    assert.is_nil(value)
    assert.equal(404, err.status)
    assert.equal(0, box:ledger().count)
  end)

  it("is refunded to nobody else", function()
    local account = assert(client.futures:deposit "10")
    local value, message, err = account:refund { depositor = "0x" .. ("ab"):rep(20) }
    assert.is_nil(value)
    assert.equal(403, err.status)
    assert.truthy(message:find("Only the depositor", 1, true))
  end)

  it("never repeats an execute whose answer was lost", function()
    local account = assert(client.futures:deposit "10")
    box:fault("settle_then_reset", { times = 1, route = "execute" })
    local value, message, err = account:chat "x"
    assert.is_nil(value)
    assert.not_equal("no", err.paid)
    assert.truthy(message:find("See in account:balance()", 1, true), message)
    assert.equal(1, executed())
    value, message, err = account:chat "x"   -- a retry loop does not run it again either
    assert.truthy(message:find("again = true", 1, true), message)
    assert.is_nil(value)
    assert.not_equal("no", err.paid)
    assert.equal(1, executed())
    assert.equal("9.971500", account:balance().balance)
  end)
end)

describe("wrong arguments of futures are refused here and nothing is sent:", function()
  it("deposits, accounts, executes, history and refunds", function()
    client = live.open(box, { futures = "ledger" })
    local account = client.futures:account "CFE-0123456789ABCDEF"
    local futures = client.futures
    live.unsent(box, function()
      for i, ask in ipairs {
        function() return futures:deposit {} end, function() return futures:deposit() end,
        function() return futures:deposit { amount = 50 } end, function() return futures:deposit "0.99" end,
        function() return futures:deposit "1.0000001" end, function() return futures:deposit "-1" end,
        function() return futures:deposit { amount = "5", expires_in_days = 0 } end,
        function() return futures:deposit { amount = "5", expires_in_days = 1.5 } end,
        function() return futures:deposit { amount = "5", depositor = "me" } end,
        function() return futures:deposit { amount = "5", expiresInDays = 5 } end,
        function() return futures:account() end, function() return futures:account "CFE-" end,
        function() return futures:account "CFE-1?id=2" end, function() return futures:account(box.address) end,
        function() return account:execute {} end, function() return account:execute "x" end,
        function() return account:execute { type = "poem" } end,
        function() return account:execute { type = "chat" } end, function() return account:chat {} end,
        function() return account:chat { messages = "x", stream = true } end,
        function() return account:image { prompt = "x", model = "nope" } end,
        function() return account:embed { input = {} } end,
        function() return account:chat("x", { max = 5 }) end, function() return account:balance { x = 1 } end,
        function() return account:history { limit = 0 } end, function() return account:history { x = 1 } end,
        function() return account:refund { depositor = "me" } end, function() return account:refund "x" end,
      } do
        local value, message, err = ask()
        assert.is_nil(value, "case " .. i)
        assert.equal("usage", err.kind, message)
      end
      local value, _, err = account:chat("x", { max = "0.03" })   -- fee and list price are 0.031
      assert.is_nil(value)
      assert.equal("over_max", err.code)
    end)
  end)
end)
