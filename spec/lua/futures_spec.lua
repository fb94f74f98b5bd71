-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local fake = require "spec.support.fakecore"

local ID = "CFE-0123456789ABCDEF"

-- A gateway of the ledger dialect, as far as a client sees it.
local function ledger()
  local spraay, world = fake.new()
  world.executed = {}
  world.answer = function(request)
    local body = request.body and cjson.decode(request.body) or {}
    if request.url:find("deposit", 1, true) then
      return { price = "10000", body = { status = "active",
        computeFuture = { id = ID, depositor = body.depositor,
        depositAmount = body.amount .. " USDC", balanceRemaining = body.amount .. " USDC", tier = "scale",
        discount = "10% discount", expiresAt = "2027-01-01T00:00:00.000Z" } } }
    elseif request.url:find("execute", 1, true) then
      world.executed[#world.executed + 1] = world.now
      return { price = "1000", after = 0.2, body = { status = "completed", billing = { basePrice = "$0.0300",
        discount = "10%", charged = "$0.0270 USDC", balanceRemaining = "$49.973000 USDC", jobNumber = 1,
        accountStatus = "active" }, compute = { type = body.type, model = "m", result = world.result
          or { provider = "chutes", choices = { { message = { content = "hi" } } } } } } }
    elseif request.url:find("balance", 1, true) then
      return { price = "1000", body = { id = ID, depositor = "0x" .. ("ab"):rep(20),
        depositAmount = "50 USDC",
        balanceRemaining = "49.973000 USDC", totalUsed = "0.027000 USDC", jobCount = 1, status = "active",
        expiresAt = "2027-01-01T00:00:00.000Z" } }
    elseif request.url:find("history", 1, true) then
      return { price = "2000", body = { id = ID, depositAmount = "50 USDC",
        usage = { { jobType = "text-inference",
        basePrice = "0.030000", effectivePrice = "0.027000", balanceBefore = "50.000000",
        balanceAfter = "49.973000" } } } }
    elseif request.url:find("refund", 1, true) then
      return { price = "10000", body = { status = "refunded", refund = { futuresId = ID,
        refundAmount = "49.973000 USDC", totalUsed = "0.027000 USDC", jobsExecuted = 1 } } }
    end
    return { price = "1000", body = { tiers = {}, note = "x" } }
  end
  return spraay, world, assert(spraay.open {})
end

describe("compute futures", function()
  it("begin with a deposit, whose amount is a string", function()
    local _, world, client = ledger()
    local account = assert(client.futures:deposit { amount = "50" })
    assert.equal(ID, account.id)
    assert.equal("50.000000", account.deposited)
    assert.equal("scale", account.tier)
    assert.equal("0.011000", account.payment.amount)
    assert.equal("0.001000", account.payment.parts[1].amount)
    assert.truthy(world.calls[1].url:find("pricing", 1, true))   -- which dialect is it? Asked once
    assert.truthy(world.calls[2].body:find('"amount":"50"', 1, true))
    assert.truthy(world.calls[2].body:find('"depositor":"0x19E7', 1, true))
    assert.equal("never", world.calls[2].class)
    assert(client.futures:deposit { amount = "50" })
    assert.truthy(world.calls[3].url:find("deposit", 1, true))
    assert.is_nil(tostring(account):find(ID, 1, true))   -- whoever knows the id can spend it
    for given, said in pairs { ["0.5"] = "from 1 USDC on", ["-5"] = "negative" } do
      local value, message = client.futures:deposit { amount = given }
      assert.is_nil(value)
      assert.truthy(message:find(said, 1, true))
    end
    assert.is_nil(client.futures:deposit { amount = 50 })
    assert.is_nil(client.futures:deposit { amout = "50" })
  end)

  it("give the same shape as a call that is paid by itself, and the bill", function()
    local _, world, client = ledger()
    local account = client.futures:account(ID:lower())
    local result = assert(account:chat "hello")
    assert.equal("hi", result.text)
    assert.equal("hi", result.choices[1].message.content)
    assert.equal("0.027000", result.billing.charged)
    assert.equal("49.973000", result.billing.balance)
    assert.equal("$0.0270 USDC", result.billing.original.charged)
    assert.equal("0.001000", result.payment.amount)
    assert.truthy(world.calls[1].body:find('"futuresId":"' .. ID .. '"', 1, true))
    assert.truthy(world.calls[1].body:find('"max_tokens":1024', 1, true))
    world.result = { data = { { index = 0, embedding = { 1 } }, { index = 1, embedding = { 2 } } } }
    assert.same({ { 1 }, { 2 } }, account:embed({ "a", "b" }).vectors)
    world.result = { status = "processing", prediction_id = "p9" }
    local job = account:execute { type = "image", prompt = "x" }
    assert.equal("p9", job.id)
    assert.equal("0.027000", job.billing.charged)
  end)

  it("run one after the other on one account, with a pause between", function()
    local spraay, world, client = ledger()
    local account = client.futures:account(ID)
    spraay.all {
      function() return account:chat "a" end, function() return account:chat "b" end,
      function() return account:chat "c" end,
    }
    assert.equal(3, #world.executed)
    for i = 2, 3 do assert.is_true(world.executed[i] - world.executed[i - 1] >= 1.5) end
  end)

  -- The turn was a flag that only its holder took down.
  local kill = rawget(coroutine, "close")   -- from Lua 5.4 on
  if kill then
    it("are not held up for ever by one whose coroutine was killed, and its purchase is free too", function()
      local spraay, _, client = ledger()
      local account = client.futures:account(ID)
      local texts = {}
      spraay.run(function()
        local victim
        local killed = spraay.spawn(function()
          victim = coroutine.running()
          account:chat "killed"
        end)
        spraay.sleep(0.01)
        spraay.spawn(function() texts.waiting = assert(account:chat "waits already").text end)
        spraay.sleep(0.01)
        assert(kill(victim))
        texts.late = assert(account:chat "comes later").text
        assert.equal("yes", select(3, killed:wait()).paid)
      end)
      assert.same({ waiting = "hi", late = "hi" }, texts)
    end)
  end

  it("are refused when fee and list price together exceed what the caller allows", function()
    local _, world, client = ledger()
    local account = client.futures:account(ID)
    local value, message, err = account:chat("x", { max = "0.03" })
    assert.is_nil(value)
    assert.equal("policy", err.kind)
    assert.truthy(message:find("0.031 USDC", 1, true))
    assert(account:chat("x", { max = "0.031" }))
    assert(account:chat({ messages = "x", model = "llama-3.2" }, { max = "0.004" }))
    assert.equal(2, #world.calls)
  end)

  it("hand over a result that came inside an error", function()
    local _, world, client = ledger()
    world.answer = function()
      return { price = "1000", status = 500, body = { error = "Compute succeeded but drawdown failed.",
        compute = { type = "text-inference",
          result = { choices = { { message = { content = "saved" } } } } } },
        error = { kind = "gateway", message = "the gateway answered 500", paid = "maybe", expect = "no",
          atomic = "1000" } }
    end
    local result = assert(client.futures:account(ID):chat "x")
    assert.equal("saved", result.text)
    assert.equal("unconfirmed", result.payment.status)
    assert.equal("0.000000", result.billing.charged)
  end)

  it("tell that the credit is used up", function()
    local _, world, client = ledger()
    world.answer = function()
      return { price = "1000", status = 402,
        body = { error = "Insufficient compute credits", required = "$0.0300 USDC" },
        error = { kind = "gateway", message = "the gateway answered 402", paid = "maybe", expect = "no" } }
    end
    local value, message, err = client.futures:account(ID):chat "x"
    assert.is_nil(value)
    assert.equal("credits", err.code)
    assert.truthy(message:find("Insufficient compute credits", 1, true))
  end)

  it("show what is left and what was done, exactly", function()
    local _, _, client = ledger()
    local account = client.futures:account(ID)
    local balance = assert(account:balance())
    assert.equal("49.973000", balance.balance)
    assert.equal("0.027000", balance.used)
    assert.equal(1, balance.job_count)
    assert.equal("active", balance.status)
    local history = assert(account:history { limit = 5 })
    assert.equal("0.027000", history.entries[1].charged)
    assert.equal("49.973000", history.entries[1].balance_after)
    assert.is_nil(account:history { limt = 5 })
    assert.equal("49.973000", account:refund().refunded)
    assert.equal("ledger", client.futures:pricing().dialect)
  end)

  it("of the other dialect are refused with what was paid and what to do", function()
    local _, world, client = ledger()
    world.answer = function()
      return { price = "10000", body = { status = "sign_required", transactions = { {}, {} } } }
    end
    client.config.futures = "ledger"
    local value, message, err = client.futures:deposit { amount = "50" }
    client.config.futures = nil
    assert.is_nil(value)
    assert.equal("dialect", err.code)
    assert.equal("yes", err.paid)
    assert.equal("0.010000", err.amount)
    assert.equal(2, #err.body.transactions)
    assert.truthy(message:find("no credit was moved", 1, true))
    world.answer = function()
      return { price = "1000", status = 400, body = { error = "depositor (address) and type are required" },
        error = { kind = "gateway", message = "the gateway answered 400", paid = "maybe", expect = "no",
          atomic = "1000" } }
    end
    local account = setmetatable({ client = client, id = ID, dialect = "ledger" },
      getmetatable(client.futures:account("0x" .. ("ab"):rep(20))))
    value, message, err = account:chat "x"
    assert.is_nil(value)
    assert.equal("dialect", err.code)
    assert.equal("maybe", err.paid)
    assert.truthy(message:find("by its address", 1, true))
    value, message, err = client.futures:account(ID)   -- known by now: nothing is sent
    assert.is_nil(value)
    assert.equal("dialect", err.code)
    assert.equal("no", err.paid)
    assert.truthy(message:find("Name the account by its address", 1, true))
    client.config.futures = "ledger"
    value, _, err = client.futures:account("0x" .. ("ab"):rep(20))
    assert.is_nil(value)
    assert.equal("dialect", err.code)
    assert.is_nil(client.futures:account "nonsense")
  end)
end)

describe("a moment that a gateway writes", function()
  local seconds = require "spraay.futures.shared".seconds

  it("is seconds since 1970, whatever the year", function()
    local days = { ["1970-01-01T00:00:00Z"] = 0, ["2000-02-29T00:00:00.000Z"] = 11016,
      ["2026-11-24T00:00:00Z"] = 20781, ["2100-03-01T00:00:00.5Z"] = 47541 }
    for text, day in pairs(days) do assert.equal(day * 86400, seconds(text)) end
    for day = 0, 40000, 13 do
      local text = os.date("!%Y-%m-%dT%H:%M:%SZ", day * 86400 + 4321)
      assert.equal(day * 86400 + 4321, seconds(text), text)
    end
  end)

  it("is none where the text is another", function()
    for _, text in ipairs { "", "yesterday", "2026-11-24", "2026-11-24T00:00:00+01:00", 5, false } do
      assert.is_nil(seconds(text))
    end
    assert.is_nil(seconds(nil))
  end)
end)
