-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"

describe("spraay.open", function()
  local spraay, world = fake.new()

  local function config(given)
    local client = assert(spraay.open(given))
    return client.config
  end

  before_each(function() world.env = {} end)

  it("touches neither engine nor wallet", function()
    local fresh, untouched = fake.new()
    assert(fresh.open {})
    assert.equal(0, untouched.steps)
    assert.equal(0, #untouched.clients)
  end)

  it("pays production's prices at most, five USDC a day, on Base", function()
    local made = config {}
    assert.equal("https://gateway.spraay.app", made.gateway)
    assert.is_true(made.production)
    assert.equal("600000", made.core.per_call)
    assert.equal("5000000", made.core.per_day)
    assert.is_nil(made.core.budget)
    assert.same({ "eip155:8453" }, made.core.networks)
    assert.is_true(made.rate)
  end)

  it("asks no RPC and needs no spacing for a gateway on loopback", function()
    local made = config { gateway = "http://127.0.0.1:8402/" }
    assert.equal("http://127.0.0.1:8402", made.gateway)
    assert.is_false(made.production)
    assert.same({}, made.core.rpc)
    assert.is_false(made.rate)
    assert.same({ "eip155:8453", "eip155:84532" }, made.core.networks)
  end)

  it("reads the environment under what the caller says", function()
    world.env = { SPRAAY_GATEWAY = "http://localhost:1", SPRAAY_DRY_RUN = "1", SPRAAY_API_KEY = "spry_1",
      SPRAAY_BASE_RPC = "http://127.0.0.1:2/rpc" }
    local made = config {}
    assert.equal("http://localhost:1", made.gateway)
    assert.is_true(made.dry_run)
    assert.equal("spry_1", made.api_key)
    assert.equal("http://127.0.0.1:2/rpc", made.core.rpc["eip155:8453"])
    made = config { gateway = "http://localhost:3", dry_run = false, rpc = { base = false } }
    assert.equal("http://localhost:3", made.gateway)
    assert.is_false(made.dry_run)
    assert.is_nil(made.core.rpc["eip155:8453"])
  end)

  it("turns names and amounts into what the core wants", function()
    local made = config { networks = { "base-sepolia", "eip155:8453", "solana" }, per_call = "0.05",
      per_day = false, budget = spraay.usdc "2", per_host = "1", hosts = { "Example.com:443" },
      pay_to = "0xAbc", timeout = { total = 1.5 }, prices = { chat = "0.04", ["text-to-speech"] = "0.01" } }
    assert.same({ "eip155:84532", "eip155:8453", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp" },
      made.core.networks)
    assert.equal("50000", made.core.per_call)
    assert.is_nil(made.core.per_day)
    assert.equal("2000000", made.core.budget)
    assert.equal("1000000", made.core.per_host)
    assert.same({ "https://example.com" }, made.core.hosts)
    assert.same({ "0xAbc" }, made.core.pay_to)
    assert.equal(1500, made.core.total_ms)
    assert.equal(10000, made.core.connect_ms)
    assert.same({ chat = "40000", speak = "10000" }, made.prices)
  end)

  for _, case in ipairs {
    { { per_cal = "1" }, "Did you mean \"per_call\"?", "an unknown name, and suggests the known one" },
    { { per_call = 0.05 }, "\"0.05\"", "money as a number" },
    { { per_call = "-1" }, "negative", "negative money" },
    { { gateway = "http://example.com" }, "plain http", "http away from loopback" },
    { { gateway = "https://u:p@example.com" }, "not an origin", "a gateway with a password" },
    { { gateway = "https://example.com/path" }, "not an origin", "a gateway with a path" },
    { { wallet = "0xabc" }, "never written into a script", "a key in a script" },
    { { networks = { "bas" } }, "Did you mean \"base\"?", "a network it does not know" },
    { { networks = { "solana" } }, "Add \"base\"", "networks it cannot pay on" },
    { { on_pay = true }, "function", "an on_pay that cannot be called" },
    { { ledger = "/tmp/ledger.db" }, "memory of the process", "a ledger it would not write" },
    { { futures = "escrow" }, "ledger dialect", "a dialect it does not speak" },
    { { first_request_payment = true }, "not in this version", "what it cannot do yet" },
    { { on_lost = "repay" }, "not in this version", "what it cannot do yet, again" },
    { { timeout = { totl = 5 } }, "connect, idle and total", "an unknown part of the timeout" },
    { { timeout = 0 }, "above 0", "no time at all" },
    { { retries = 1.5 }, "whole number", "half a retry" },
    { { headers = { ["PAYMENT-SIGNATURE"] = "x" } }, "set by this library", "a payment header" },
    { { headers = { ["X-A"] = "a\r\nb" } }, "control characters", "a header that breaks out" },
    { { resolve = { "nonsense" } }, "host:port:address", "a resolve entry it cannot read" },
    { { prices = { chta = "0.1" } }, "Did you mean \"chat\"?", "a price of no route" },
    { { errors = "throw" }, "\"return\" or \"raise\"", "a word for errors it does not know" },
    { { [1] = "x" }, "unknown option 1", "a list" },
    { "x", "expected a table", "anything but a table" },
  } do
    it("refuses " .. case[3], function()
      local client, message, err = spraay.open(case[1])
      assert.is_nil(client)
      assert.truthy(message:find(case[2], 1, true), message)
      assert.equal("usage", err.kind)
      assert.equal("no", err.paid)
    end)
  end

  it("raises instead with errors = \"raise\"", function()
    local ok, err = pcall(spraay.open, { errors = "raise", per_cal = "1" })
    assert.is_false(ok)
    assert.equal("usage", err.kind)
  end)

  it("does not pay with another key when the wallet it was to use could not be made", function()
    local client, message = spraay.open { wallet = spraay.wallet.keystore("x.json") }
    assert.is_nil(client)
    assert.truthy(message:find("keystore", 1, true))
    assert(spraay.open {})
  end)
end)

describe("the options of a call", function()
  local spraay, world = fake.new()
  world.answer = function() return { price = "30000", body = { choices = {} } } end
  local client = assert(spraay.open {})

  for _, case in ipairs {
    { { mx = "1" }, "Did you mean \"max\"?" }, { { max = 0.05 }, "number 0.05" },
      { { timeout = "5" }, "seconds" },
    { { purchase = "" }, "short text" }, { { again = 1 }, "true or false" }, { "x", "must be a table" },
  } do
    it("are refused when " .. case[2], function()
      local value, message, err = client:chat("x", case[1])
      assert.is_nil(value)
      assert.truthy(message:find(case[2], 1, true), message)
      assert.equal("usage", err.kind)
      assert.equal(0, #world.calls)
    end)
  end

  it("reach the core", function()
    assert(client:chat("x", { max = "0.05", timeout = 30, purchase = "mine", once = true, scope = "s",
      headers = { ["X-Trace"] = "1" } }))
    local call = world.calls[1]
    assert.equal("50000", call.max)
    assert.equal(30000, call.total_ms)
    assert.equal("mine", call.purchase)
    assert.equal("never", call.class)
    assert.equal("s", call.scope)
    assert.same({ { "Content-Type", "application/json" }, { "X-Trace", "1" } }, call.headers)
  end)
end)
