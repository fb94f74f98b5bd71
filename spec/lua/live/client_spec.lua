-- SPDX-License-Identifier: MIT
-- What a client's options do to real calls: hooks, caps, dry runs, keys; judged by the sandbox's books.
local live = require "spec.support.live"
local spraay = require "spraay"

local box, client, x
local n = 0

setup(function() box = live.start { job_seconds = 0, api_keys = { "spry_" .. ("a"):rep(64) } } end)
teardown(function() live.stop(box) end)
before_each(function()
  box:clear()
  box:reset()
  n = n + 1
  x = "question " .. n   -- what one `it` leaves behind is no other's business
end)
after_each(function() if client then client:close() end end)

local function open(options)
  client = live.open(box, options)
  return client
end

describe("spraay.open", function()
  it("touches the gateway for nothing", function()
    live.unsent(box, function()
      open {}
      open { on_pay = function() end, budget = "1", run = "x", log = function() end }
    end)
  end)
end)

describe("on_pay", function()
  it("sees the terms and pays on true", function()
    local seen
    open { on_pay = function(terms)
      seen = terms
      return true
    end }
    local result = assert(client:image { prompt = "a boat" })
    assert.equal("settled", result.payment.status)
    assert.equal("image", seen.verb)
    assert.equal("0.030000", seen.amount)
    assert.equal("30000", seen.atomic)
    assert.equal("0.030000", seen.price)
    assert.equal("base", seen.network_name)
    assert.equal("eip155:8453", seen.network)
    assert.equal("USDC", seen.symbol)
    assert.equal("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", seen.asset)
    assert.equal("0xAd62f03C7514bb8c51f1eA70C2b75C37404695c8", seen.pay_to)
    assert.equal(box.address, seen.payer)
    assert.equal("POST", seen.method)
    assert.equal(box.url .. "/api/v1/compute/image-generation", seen.url)
    assert.is_true(seen.valid_for > 0 and seen.valid_for <= 600)
  end)

  for _, case in ipairs {
    { "false", function() return false end, "on_pay refused" },
    { "false with a reason", function() return false, "too dear today" end, "too dear today" },
    { "nothing", function() end, "must return true" },
    { "an error", function() error("the database is away", 0) end, "the database is away" },
    { "an error that is no text", function() error({}) end, "it failed" },
  } do
    it("that gives " .. case[1] .. " leaves everything unsigned, and says why", function()
      open { on_pay = case[2] }
      local value, message, err = client:chat(x)
      assert.is_nil(value)
      assert.equal("policy", err.kind)
      assert.equal("no", err.paid)
      assert.truthy(message:find(case[3], 1, true), message)
      local books = box:ledger()
      assert.equal(1, books.requests)
      assert.equal(0, #books.presented)
    end)
  end

  it("that changes the table it is shown changes nothing that is signed", function()
    open { on_pay = function(terms)
      for key in pairs(terms) do terms[key] = "1" end
      terms.pay_to, terms.amount = "0x" .. ("1"):rep(40), "0.000001"
      return true
    end }
    assert.equal("0.030000", assert(client:chat(x)).payment.amount)
    local books = box:ledger()
    assert.equal("0.030000", books.total_usdc)
    assert.equal("30000", books.balances["0xAd62f03C7514bb8c51f1eA70C2b75C37404695c8"].atomic)
  end)

  it("may wait, in a task and outside, while others go on", function()
    local order = {}
    open { on_pay = function()
      spraay.sleep(0.05)
      order[#order + 1] = "asked"
      return true
    end }
    assert(client:chat "outside")
    spraay.run(function()
      spraay.spawn(function() assert(client:chat "a") order[#order + 1] = "paid" end)
      spraay.spawn(function() order[#order + 1] = "other" end)
    end)
    assert.same({ "asked", "other", "asked", "paid" }, order)
    assert.equal(2, box:ledger().count)
  end)

  it("is asked again for nothing that was refused, but for each new call", function()
    local asked = 0
    open { on_pay = function()
      asked = asked + 1
      return asked > 1
    end }
    assert.is_nil(client:chat(x))
    assert(client:chat(x))
    assert.equal(2, asked)
  end)
end)

describe("dry_run", function()
  it("asks for the price, signs nothing, and says what it would have cost", function()
    open { dry_run = true }
    for verb, given in pairs { chat = "x", video = "x", gpu = { model = "flux-dev", input = {} } } do
      local value, message, err = client[verb](client, given)
      assert.is_nil(value)
      assert.equal("policy", err.kind)
      assert.equal("dry_run", err.code)
      assert.equal("no", err.paid)
      assert.truthy(message:find("would have cost", 1, true))
      assert.equal("base", err.terms.network_name)
    end
    local account = client.futures:account "CFE-0123456789ABCDEF"
    assert.equal("dry_run", select(3, account:chat(x)).code)
    assert.equal("dry_run", select(3, client:embed { "a", "b" }).code)
    assert(client:models())   -- what is free is done
    assert.equal(0, #box:ledger().presented)
  end)
end)

describe("log", function()
  it("has a line for every call: what was paid, never what was asked or with which key", function()
    local lines = {}
    open { log = function(line) lines[#lines + 1] = line end }
    assert(client:chat "a secret question")
    assert(client:models())
    client:status "nothing"
    assert.equal(3, #lines)
    assert.truthy(lines[1]:match "^chat: settled 0%.030000 USDC on base, purchase %S+$")
    assert.equal("models: free 0.000000 USDC", lines[2])
    assert.truthy(lines[3]:find("gateway, paid: maybe", 1, true))
    local all = table.concat(lines, "\n")
    assert.is_nil(all:find("secret", 1, true))
    assert.is_nil(all:find(box.key:sub(3), 1, true))
  end)

  it("that fails does not cost a result that was paid for", function()
    open { log = function() error "the disk is full" end }
    assert.equal("settled", assert(client:chat(x)).payment.status)
  end)
end)

describe("errors = \"raise\"", function()
  it("throws the error value wherever a call would return it", function()
    open { errors = "raise" }
    for _, fails in ipairs {
      function() client:chat {} end, function() client:status "nothing" end,
      function() client:batch {} end, function() client:quote "nothing" end,
      function() client:job "a/b" end, function() client.futures:account "x" end,
      function() client.futures:deposit "0" end, function() client:chat(x, { max = "0.01" }) end,
      function() client:plan() end, function() spraay.x402.session(client, {}) end,
      function() client:embed { "a", "" } end, function() client:models():save(5) end,
      function() client:job("a1", "video"):save "x" end, function() client:job("a1"):wait { polls = 0 } end,
    } do
      local ok, err = pcall(fails)
      assert.is_false(ok)
      assert.is_true(spraay.is_error(err), tostring(err))
    end
    assert(client:chat(x))
    assert.has_error(function() spraay.open { errors = "raise", gateway = 5 } end)
  end)

  it("is collected by all and map, and passed on by run", function()
    open { errors = "raise" }
    local results, errors = spraay.map({ "", "b" }, function(text) return client:chat(text) end)
    assert.is_false(results[1])
    assert.equal("usage", errors[1].kind)
    assert.is_true(#results[2].text > 0)
    local ok, err = pcall(spraay.run, function() client:chat {} end)
    assert.is_false(ok)
    assert.equal("usage", err.kind)
  end)
end)

describe("limits", function()
  it("max, per_call, budget and per_day refuse before anything is signed", function()
    for _, case in ipairs {
      { {}, { max = "0.02" }, "policy", "over_max" },
      { { per_call = "0.02" }, nil, "policy", "over_per_call" },
      { { budget = "0.02" }, nil, "budget", "over_budget" },
      { { per_host = "0.02" }, nil, "budget" },
      { { prices = { chat = "0.02" } }, nil, "policy", "price_raised" },
    } do
      open(case[1])
      local value, message, err = client:chat(x, case[2])
      assert.is_nil(value)
      assert.equal(case[3], err.kind, message)
      if case[4] then assert.equal(case[4], err.code) end
      assert.equal("no", err.paid)
    end
    assert.equal(0, #box:ledger().presented)
  end)

  it("budget counts what was paid, and lets the rest through", function()
    open { budget = "0.07" }
    assert(client:chat "a")
    assert(client:chat "b")
    local value, _, err = client:chat "c"
    assert.is_nil(value)
    assert.equal("budget", err.kind)
    assert(client:embed "d")
    assert.equal("0.065000", box:ledger().total_usdc)
  end)
end)

describe("purchase and again", function()
  it("a named purchase is paid for once, whoever calls", function()
    open {}
    local first = assert(client:chat(x, { purchase = "mine" }))
    local second = assert(live.open(box):chat(x, { purchase = "mine" }))
    assert.equal("restored", second.payment.status)
    assert.equal(first.text, second.text)
    assert.equal(1, box:ledger().count)
    local value, _, err = client:chat("another", { purchase = "mine" })
    assert.is_nil(value)
    assert.equal("usage", err.kind)
    assert.equal(1, box:ledger().count)
  end)

  it("equal calls one after the other are two purchases, each handed over", function()
    open {}
    assert(client:chat(x))
    assert(client:chat(x))
    assert.equal(2, box:ledger().count)
  end)

  it("an answer that is no JSON is kept for an equal call, until it is bought again", function()
    open {}
    box:fault("non_json_200", { times = 1 })
    local value, message, err = client:chat(x)
    assert.is_nil(value)
    assert.equal("yes", err.paid)
    assert.equal("answer", err.code)
    assert.truthy(message:find("again = true", 1, true))
    assert.is_nil(client:chat(x))
    assert.equal(1, box:ledger().count)
    assert.equal("settled", assert(client:chat(x, { again = true })).payment.status)
    assert.equal(2, box:ledger().count)
  end)
end)

describe("an API key", function()
  it("pays instead of the wallet, and goes to the gateway alone", function()
    open { api_key = "spry_" .. ("a"):rep(64), wallet = false }
    local result = assert(client:chat(x))
    assert.equal("free", result.payment.status)
    assert.equal(1, box:ledger().requests)
    assert.equal(0, box:ledger().count)
  end)

  it("that is refused is an error that says so", function()
    open { api_key = "spry_nonsense", wallet = false }
    local value, message, err = client:chat(x)
    assert.is_nil(value)
    assert.equal(401, err.status)
    assert.equal("no", err.paid)
    assert.is_nil(message:find("spry_nonsense", 1, true))
  end)
end)

describe("a signer elsewhere", function()
  local core = require "spraay.core"

  it("pays as a key in memory does", function()
    local seen
    local wallet = assert(spraay.wallet.signer { address = box.address, nonce_secret = ("n"):rep(32),
      sign = function(typed, digest, terms)
        seen = { typed = typed, terms = terms }
        spraay.sleep(0.01)
        return "0x" .. core.hex_encode(core.secp_sign(core.hex_decode((digest:gsub("^0x", ""))),
          core.hex_decode((box.key:gsub("^0x", "")))))
      end })
    open { wallet = wallet }
    assert.equal("settled", assert(client:chat(x)).payment.status)
    assert.truthy(seen.typed:find("TransferWithAuthorization", 1, true))
    assert.equal("0.030000", seen.terms.amount)
    assert.equal(1, box:ledger().count)
  end)

  for name, sign in pairs {
    ["refuses"] = function() return nil, "the device is locked" end,
    ["throws"] = function() error "no device" end,
    ["gives nonsense"] = function() return "0x1234" end,
    ["signs with another key"] = function(_, digest)
      return "0x" .. core.hex_encode(core.secp_sign(core.hex_decode((digest:gsub("^0x", ""))), ("\1"):rep(32)))
    end,
  } do
    it("that " .. name .. " pays nothing", function()
      open { wallet = assert(spraay.wallet.signer { address = box.address, sign = sign }) }
      local value, _, err = client:chat(x)
      assert.is_nil(value)
      assert.equal("wallet", err.kind)
      assert.equal(0, #box:ledger().presented)
    end)
  end
end)

describe("a closed client", function()
  it("refuses calls, unsent", function()
    open {}
    client:close()
    live.unsent(box, function()
      for _, verb in ipairs { "chat", "models" } do
        local value, _, err = client[verb](client, verb == "chat" and x or nil)
        assert.is_nil(value)
        assert.equal("closed", err.code)
      end
    end)
  end)
end)
