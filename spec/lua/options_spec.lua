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
    { { networks = { "cosmos:hub" } }, "Add \"base\" or \"solana\"", "networks it cannot pay on" },
    { { on_pay = true }, "function", "an on_pay that cannot be called" },
    { { ledger = "/tmp/" }, "names a folder", "a folder for a ledger" },
    { { ledger = "~/x.db" }, "HOME is not set", "a home that is not there" },
    { { futures = "onchain" }, "\"escrow\" or \"ledger\"", "a dialect it does not speak" },
    { { gas = { max_eth = 0.0005 } }, "as a string", "ether as a number" },
    { { gas = { max = "0.0005" } }, "max_eth", "an unknown part of the gas" },
    { { escrow = { base = "0xaf4E43d512C73c6731769620ca6b73f0FCFF9118" } }, "checksum", "a contract misspelt" },
    { { first_request_payment = true }, "not in this version", "what it cannot do yet" },
    { { solana_tx = "yes" }, "true or false", "a word for a choice" },
    { { solana_tx = true, networks = { "base" } }, "no Solana network", "a transfer on Solana without Solana" },
    { { solana_tx = true, networks = { "solana" }, wallet = false }, "no Solana key", "a transfer without a key" },
    { { on_lost = "retry" }, "\"fail\" or \"repay\"", "a word for lost results that it does not know" },
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

  it("refuses a transfer on Solana that no node would take", function()
    local file = os.tmpname()
    local out = assert(io.open(file, "w"))
    out:write("[", ("1,"):rep(63), "1]")
    out:close()
    os.execute("chmod 600 " .. file)
    local made, message = spraay.open { solana_tx = true, wallet = spraay.wallet.solana(file) }
    os.remove(file)
    assert.is_nil(made)
    assert.truthy(message:find("SPRAAY_SOLANA_RPC", 1, true), message)
  end)

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

describe("every option of open", function()
  local spraay = fake.new()
  local options = require "spraay.options"
  local function fn() return true end

  -- name -> values that are taken, values that are not
  local CASES = {
    api_key = { { "spry_1" }, { "", 5, "a\nb", true } },
    assets = { { {}, { { network = "base", asset = "0xA", name = "Coin", version = "2", decimals = 6 } } },
      { "x", { "x" }, { {} }, { { network = "base", asset = "0xA", name = "C", version = "2" } },
        { { network = "base", asset = "0xA", name = "C", version = "2", decimals = 1.5 } },
        { { network = "base", asset = "0xA", name = "C", version = "2", decimals = 6, symbol = "C" } },
        { { network = "nowhere", asset = "0xA", name = "C", version = "2", decimals = 6 } } } },
    budget = { { "2", "0.000001", false, spraay.usdc "1" }, { 2, "-1", "x", true, {} } },
    ca_file = { { "/etc/ssl/ca.pem" }, { "", 5, "a\0b" } },
    clock = { { os.time }, { 5, "now", true } },
    dry_run = { { true, false }, { 1, "yes" } },
    errors = { { "return", "raise" }, { "throw", true, 1 } },
    first_request_payment = { { false }, { true, "x", 1 } },
    escrow = { { {}, { base = "0xaF4e43d512C73c6731769620ca6b73f0FCFF9118" },
      { ["eip155:1"] = "0x" .. ("ab"):rep(20) } },
      { true, "0xaF4e43d512C73c6731769620ca6b73f0FCFF9118", { base = "0x12" }, { nowhere = "0x" .. ("ab"):rep(20) },
        { base = "0xaf4E43d512C73c6731769620ca6b73f0FCFF9118" }, { "x" } } },
    futures = { { "ledger", "escrow" }, { "onchain", true, "x" } },
    gas = { { {}, { max_eth = "0.001", eth_usd = "3000", bump_after = 5, confirmations = 2 } },
      { true, "0.001", { max_eth = 0.001 }, { max_eth = "1" }, { max_eth = "-1" }, { eth_usd = 3000 },
        { bump_after = 0 }, { bump_after = "5" }, { confirmations = 0 }, { confirmations = 1.5 }, { price = "1" } } },
    solana_tx = { { false }, { "x", 1, {} } },
    gateway = { { "https://gateway.spraay.app", "https://x.example:8443/", "http://127.0.0.1:1", "http://[::1]:1",
      "HTTP://LocalHost:80" },
      { "", 5, "gateway.spraay.app", "http://x.example", "ftp://x", "https://x/y", "https://x?y", "https://x y",
        "https://u@x", "https://", "https://x:0", "https://x:70000", "http://127.0.0.1.x.example" } },
    headers = { { {}, { ["X-A"] = "b" }, { { "X-A", "b" } } },
      { "x", { ["X A"] = "b" }, { ["X-A"] = 5 }, { ["X-A"] = "b\nc" }, { ["payment-signature"] = "x" },
        { Host = "x" }, { ["Content-Length"] = "5" }, { Accept = "text/html" }, { "X-A: b" } } },
    hosts = { { {}, "x.example", { "https://x.example", "http://localhost:1" } },
      { 5, { 5 }, { "http://x.example" }, { "https://x.example/y" }, { a = "x" } } },
    ledger = { { false, ":memory:", "/tmp/x.db", "x.db" }, { "", "/tmp/", true, 5, "a\nb", {} } },
    log = { { fn, true, false, "stderr" }, { "stdout", 5, {} } },
    networks = { { "base", "solana", { "base" }, { "base", "solana" }, { "eip155:8453", "base" } },
      { {}, 5, { 5 }, { "bas" }, { "cosmos:hub" }, { "eip155" }, { a = "base" } } },
    on_lost = { { "fail", "repay" }, { "retry", true, false } },
    on_pay = { { fn }, { true, "x" } },
    pay_to = { { "0xAb", { "0xAb", "0xCd" } }, { {}, 5, { 5 }, { "0x Ab" }, "" } },
    per_call = { { "0.6", "0", spraay.usdc "1" }, { false, 0.6, "-1", "1e3" } },
    per_day = { { "5", false }, { true, 5, "" } },
    per_host = { { "1", false }, { true, 1 } },
    prices = { { {}, { chat = "0.04", ["/api/v1/gpu/run"] = "1", ["text-to-speech"] = spraay.usdc "1" } },
      { "x", { chta = "1" }, { chat = 0.04 }, { [1] = "1" } } },
    proxy = { { "http://127.0.0.1:3128" }, { "", 5 } },
    rate = { { true, false, {}, { limit = 4, window = 1.5 } },
      { 5, "x", { limit = 1 }, { limit = 2.5 }, { window = 0 }, { per = 5 }, { limit = "4" } } },
    resolve = { { {}, "x.example:443:127.0.0.1", { "x.example:443:127.0.0.1" } }, { 5, { "x" }, { 5 }, "x:y:z" } },
    retries = { { 0, 5, 20 }, { -1, 1.5, 21, "2", true } },
    rpc = { { false, {}, { base = "https://rpc.example" }, { base = false }, { ["eip155:1"] = "http://localhost:1" } },
      { "https://rpc.example", true, { nowhere = "https://x" }, { base = 5 }, { base = "x" }, { [1] = "https://x" } } },
    run = { { "lighthouse" }, { "", 5, ("x"):rep(200), "a\nb" } },
    scope = { { "a" }, { "", 5, true } },
    timeout = { { 5, 0.5, {}, { connect = 1, idle = 2, total = 3 } },
      { 0, -1, "5", true, 1e9, 0 / 0, { total = 0 }, { all = 5 }, { connect = "1" } } },
    transport = { { fn }, { true, "x", {} } },
    wallet = { { false, spraay.wallet.env(), { spraay.wallet.env() }, {} },
      { "0xabc", 5, true, { 5 }, { spraay.wallet.env(), spraay.wallet.env() } } },
  }

  it("is tried here", function()
    local names = {}
    for name in pairs(CASES) do names[#names + 1] = name end
    table.sort(names)
    assert.same(options.names, names)
  end)

  for _, name in ipairs(options.names) do
    it("takes what it should and refuses the rest by name: " .. name, function()
      for _, value in ipairs(CASES[name][1]) do
        local client, message = spraay.open { [name] = value }
        assert.truthy(client, tostring(message))
      end
      if CASES[name][1][1] == false then assert(spraay.open { [name] = false }) end
      for i, value in ipairs(CASES[name][2]) do
        local ok, client, message, err = pcall(spraay.open, { [name] = value })
        local which = ("%s, bad value %d: %s"):format(name, i, tostring(message))
        assert.is_true(ok, which)
        assert.is_nil(client, which)
        assert.equal("usage", err.kind, which)
        assert.equal("option", err.code, which)
        assert.truthy(message:find("spraay.open: " .. name, 1, true), which)
      end
    end)

    it("is suggested when it is misspelt: " .. name, function()
      local misspelt = name:sub(1, 1) .. name:sub(3, 3) .. name:sub(2, 2) .. name:sub(4)
      if misspelt == name then misspelt = name .. "s" end
      local client, message = spraay.open { [misspelt] = true }
      assert.is_nil(client)
      assert.truthy(message:find(('Did you mean "%s"?'):format(name), 1, true), message)
    end)
  end

  it("is read without touching the disk, for open opens nothing", function()
    local real_open, real_popen = io.open, io.popen
    local touched = 0
    io.open = function() touched = touched + 1 end   -- luacheck: ignore 122
    io.popen = io.open   -- luacheck: ignore 122
    local client = spraay.open { wallet = spraay.wallet.file "/nowhere/key", ca_file = "/nowhere/ca", run = "x",
      ledger = "/nowhere/x.db", rpc = { base = "https://rpc.invalid" }, proxy = "http://proxy.invalid", log = true }
    io.open, io.popen = real_open, real_popen   -- luacheck: ignore 122
    assert.truthy(client)
    assert.equal(0, touched)
  end)
end)

describe("the environment", function()
  local spraay, world = fake.new()

  it("that is wrong is named in the refusal", function()
    world.env = { SPRAAY_GATEWAY = "http://x.example" }
    local client, message, err = spraay.open {}
    assert.is_nil(client)
    assert.equal("usage", err.kind)
    assert.truthy(message:find("$SPRAAY_GATEWAY", 1, true), message)
    world.env = { SPRAAY_BASE_RPC = "nonsense" }
    client, message = spraay.open {}
    assert.is_nil(client)
    assert.truthy(message:find("SPRAAY_BASE_RPC", 1, true))
  end)

  it("that is empty counts as not set", function()
    world.env = { SPRAAY_GATEWAY = "", SPRAAY_API_KEY = "", SPRAAY_LOG = "", SPRAAY_DRY_RUN = "", SPRAAY_BASE_RPC = "" }
    local config = assert(spraay.open {}).config
    assert.equal("https://gateway.spraay.app", config.gateway)
    assert.is_nil(config.api_key)
    assert.is_nil(config.log)
    assert.is_false(config.dry_run)
  end)

  it("turns dry runs and the log on with a word, and off with another", function()
    for word, on in pairs { ["1"] = true, yes = true, ["true"] = true, ["0"] = false, no = false, ["FALSE"] = false } do
      world.env = { SPRAAY_DRY_RUN = word, SPRAAY_LOG = word }
      local config = assert(spraay.open {}).config
      assert.equal(on, config.dry_run)
      assert.equal(on, config.log ~= nil)
    end
    world.env = { SPRAAY_LOG = "1" }
    assert.is_nil(assert(spraay.open { log = false }).config.log)
  end)
end)

describe("the place of the ledger", function()
  local spraay, world = fake.new()
  world.folder = nil

  local function of(env, given)
    world.env = env
    return assert(spraay.open { ledger = given }).config.ledger
  end

  it("is SPRAAY_STATE_DIR, then XDG_STATE_HOME, then home", function()
    local env = { SPRAAY_STATE_DIR = "/own/", XDG_STATE_HOME = "/state", HOME = "/home/a" }
    assert.equal("/own/ledger.db", of(env))
    env.SPRAAY_STATE_DIR = ""
    assert.equal("/state/spraay/ledger.db", of(env))
    env.XDG_STATE_HOME = "relative"   -- invalid, says the XDG specification
    assert.equal("/home/a/.local/state/spraay/ledger.db", of(env))
    env.HOME = ""
    assert.is_nil(of(env))
  end)

  it("is what the caller says before all of them, and \"~/\" is home", function()
    local env = { SPRAAY_STATE_DIR = "/own", HOME = "/home/a/" }
    assert.equal("here.db", of(env, "here.db"))
    assert.equal("/home/a/x/y.db", of(env, "~/x/y.db"))
    assert.is_nil(of(env, false))
    assert.is_nil(of(env, ":memory:"))
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
    { { on_lost = "retry" }, "\"fail\" or \"repay\"" },
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
