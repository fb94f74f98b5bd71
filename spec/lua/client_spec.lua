-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"

local CHAT = { choices = { { message = { role = "assistant", content = "hi" } } } }

describe("a paid call", function()
  local spraay, world, client

  before_each(function()
    spraay, world = fake.new()
    world.answer = function() return { price = "30000", body = CHAT } end
    client = assert(spraay.open {})
  end)

  it("hands over the answer, its text, and what was paid", function()
    local result = assert(client:chat "hello")
    assert.equal("hi", result.text)
    assert.equal("hi", tostring(result))
    assert.equal("assistant", result.choices[1].message.role)
    assert.equal("settled", result.payment.status)
    assert.equal("0.030000", result.payment.amount)
    assert.equal("eip155:8453", result.payment.network)
    assert.truthy(result.payment.purchase)
    assert.equal(1, select("#", client:chat "hello"))
  end)

  it("gives an answer nobody took to the next equal call, unpaid", function()
    world.answer = function() return { price = "30000", body = "no JSON at all" } end
    local value, _, err = client:chat "x"
    assert.is_nil(value)
    assert.equal("yes", err.paid)
    assert.truthy(err.hint:find("again = true", 1, true))
    client:chat "x"
    assert.equal(1, #world.settled)
    client:chat("x", { again = true })
    assert.equal(2, #world.settled)
  end)

  it("buys equal calls one after the other twice, for each was handed over", function()
    client:chat "x"
    client:chat "x"
    assert.equal(2, #world.settled)
  end)

  it("asks on_pay last, and pays only on true", function()
    local asked
    local careful = assert(spraay.open { on_pay = function(terms) asked = terms return true end })
    assert(careful:chat "x")
    assert.equal("0.030000", asked.amount)
    assert.equal("base", asked.network_name)
    assert.equal("chat", asked.verb)
    for _, answer in ipairs { function() return false, "too dear" end, function() end,
      function() error "boom" end, function() return "no" end, function() return 0 end,
      function() return {} end } do
      local refusing = assert(spraay.open { on_pay = answer })
      local value, _, err = refusing:chat "y"
      assert.is_nil(value)
      assert.equal("policy", err.kind)
      assert.equal("no", err.paid)
    end
    assert.equal(1, #world.settled)
  end)

  it("lets on_pay and a signer wait inside a task", function()
    local wallet = assert(spraay.wallet.signer { address = "0x" .. ("ab"):rep(20),
      sign = function(typed, digest, terms)
      assert.truthy(typed:find("TransferWithAuthorization", 1, true))
      assert.equal("0xd1", digest)
      assert.equal("0.030000", terms.amount)
      spraay.sleep(1)
      return "0xsigned"
    end })
    local waiting = assert(spraay.open { wallet = wallet,
      on_pay = function() spraay.sleep(1) return true end })
    assert.equal("hi", spraay.run(function() return waiting:chat("x").text end))
    assert.equal("hi", waiting:chat("y").text)
  end)

  it("says what is wrong with the key before anything is sent", function()
    world.env = {}
    local value, message, err = client:chat "x"
    assert.is_nil(value)
    assert.equal("wallet", err.kind)
    assert.truthy(message:find("SPRAAY_PRIVATE_KEY", 1, true))
    assert.equal(0, #world.calls)
    world.env = { SPRAAY_PRIVATE_KEY = "0x01" }
    assert(client:chat "x")   -- set since: no new client is needed
  end)

  it("quotes and uses free routes without any key", function()
    world.env = {}
    assert.equal("0.030000", client:quote("chat", "x").amount)
    world.answer = function() return { body = { status = "healthy" } } end
    assert.equal("healthy", client:health().status)
    assert.is_true(client:quote("health").free)
    assert.equal(0, #world.settled)
  end)

  it("pays nothing in a dry run, and says what it would have cost", function()
    local value, message, err = assert(spraay.open { dry_run = true }):chat "x"
    assert.is_nil(value)
    assert.equal("dry_run", err.code)
    assert.equal("no", err.paid)
    assert.truthy(message:find("0.030000", 1, true))
    assert.equal(0, #world.settled)
  end)

  it("passes the published price, or the caller's own", function()
    client:chat "x"
    assert.equal("30000", world.calls[1].price)
    local other = assert(spraay.open { prices = { chat = "0.04" } })
    other:chat "x"
    assert.equal("40000", world.calls[2].price)
  end)

  it("repeats the gateway's words once, made safe and short", function()
    world.answer = function()
      return { price = "30000", status = 502,
        body = { error = "Text inference failed\27[31m" .. ("x"):rep(900) },
        error = { kind = "gateway", message = "the gateway answered 502", paid = "maybe", expect = "no",
          atomic = "30000", until_ = 1700000000 } }
    end
    local _, message, err = client:chat "x"
    assert.truthy(message:find("saying \"Text inference failed [31m", 1, true))
    assert.is_true(#message < 600)
    assert.truthy(message:find("0.030000 USDC may have been paid", 1, true))
    assert.equal("Text inference failed", err.body.error:sub(1, 21))
  end)

  it("survives pages that are not JSON", function()
    world.answer = function()
      return { status = 404, headers = { ["Content-Type"] = "text/html" }, body = "<html>Cannot GET /</html>",
        error = { kind = "gateway", code = "not_found", message = "the gateway answered 404" } }
    end
    local _, message, err = client:models()
    assert.truthy(message:find("web page", 1, true))
    assert.equal(404, err.status)
  end)

  it("throws the error value with errors = \"raise\"", function()
    local raising = assert(spraay.open { errors = "raise" })
    local ok, err = pcall(function() return raising:chat {} end)
    assert.is_false(ok)
    assert.equal("usage", err.kind)
    assert.is_true(spraay.is_error(err))
  end)

  it("makes its side of the core anew after a fork", function()
    client:chat "x"
    world.process = 2
    client:chat "y"
    assert.equal(2, #world.clients)
  end)

  it("is refused after close", function()
    client:chat "x"
    assert.is_true(client:close())
    assert.is_true(world.clients[1].closed)
    local value, _, err = client:chat "x"
    assert.is_nil(value)
    assert.equal("closed", err.code)
  end)

  it("keeps equal calls of different scopes apart", function()
    client:chat("x", { scope = "a" })
    client:chat "x"
    assert.equal("a", world.calls[1].scope)
    assert.is_nil(world.calls[2].scope)
  end)

  it("may be carried by the caller's own transport", function()
    local seen = {}
    local carried = assert(spraay.open { transport = function(request)
      seen[#seen + 1] = request
      if request.headers["PAYMENT-SIGNATURE"] then
        return { status = 200, headers = {},
          body = "{\"choices\":[{\"message\":{\"content\":\"carried\"}}]}" }
      end
      return { status = 402, headers = { ["PAYMENT-REQUIRED"] = "…" }, body = "{}" }
    end })
    assert.equal("carried", carried:chat("x").text)
    assert.equal(2, #seen)
    assert.equal("application/json", seen[1].headers["Content-Type"])
  end)

  it("tells in its log what was paid, never what was said", function()
    local lines = {}
    local logging = assert(spraay.open { log = function(line) lines[#lines + 1] = line end })
    logging:chat "a secret"
    assert.truthy(lines[1]:find("chat: settled 0.030000 USDC on base", 1, true))
    assert.is_nil(lines[1]:find("secret", 1, true))
  end)
end)

describe("what the core is told of a call", function()
  local spraay, world = fake.new()
  world.answer = function() return { price = "30000", body = CHAT } end

  it("is the verb, the model and the route, for the record", function()
    local client = assert(spraay.open { ledger = "/tmp/x.db" })
    client:chat({ messages = "x", model = "openai/gpt-4o" }, { unchecked = true })
    client:request("POST", "/somewhere", { model = "y" })
    assert.equal("/tmp/x.db", world.clients[1].config.ledger)
    assert.equal("chat", world.calls[1].verb)
    assert.equal("openai/gpt-4o", world.calls[1].model)
    assert.equal("compute/text-inference", world.calls[1].route)
    assert.is_false(world.calls[1].price_fixed)
    assert.is_false(world.calls[1].repay)
    assert.equal("request", world.calls[2].verb)
    assert.equal("y", world.calls[2].model)
    assert.is_nil(world.calls[2].route)
  end)

  it("is whether the price is the caller's own, and whether what was lost is bought again", function()
    world.calls = {}
    local client = assert(spraay.open { prices = { chat = "0.04" }, on_lost = "repay" })
    client:chat "x"
    client:chat("x", { on_lost = "fail" })
    assert.is_true(world.calls[1].price_fixed)
    assert.is_true(world.calls[1].repay)
    assert.is_false(world.calls[2].repay)
  end)
end)

describe("a client without a place for its ledger", function()
  local spraay, world = fake.new()
  world.folder = nil
  world.answer = function(request)
    return { price = request.class ~= "free" and "30000" or nil, body = CHAT }
  end

  it("pays for nothing, and says what to set", function()
    local value, message, err = assert(spraay.open {}):chat "x"
    assert.is_nil(value)
    assert.equal("ledger", err.kind)
    assert.equal("no_place", err.code)
    assert.equal("no", err.paid)
    for _, word in ipairs { "ledger =", "SPRAAY_STATE_DIR" } do assert.truthy(message:find(word, 1, true)) end
    assert.equal(0, #world.settled)
  end)

  it("still asks for prices and uses what is free", function()
    local client = assert(spraay.open {})
    assert(client:models())
    assert.equal("0.030000", client:quote("chat", "x").amount)
    assert.equal("dry_run", select(3, assert(spraay.open { dry_run = true }):chat "x").code)
  end)

  it("pays when it is told to remember in memory", function()
    assert.equal("settled", assert(spraay.open { ledger = false }):chat("x").payment.status)
    assert.is_nil(world.clients[#world.clients].config.ledger)
  end)
end)

describe("what mends an error", function()
  local spraay, world = fake.new()
  local hint, code
  world.answer = function()
    return { price = "30000", error = { kind = code == "paid_lost" and "payment" or "policy", code = code, hint = hint,
      message = code == "pay_to" and "https://x.example asks to be paid at 0xNew, and was paid at 0xOld before" or "so",
      paid = code == "paid_lost" and "yes" or "no", atomic = "30000", purchase = "pur_1" } }
  end

  local function of(what, options, said)
    code, hint = what, said
    return select(2, assert(spraay.open(options)):chat("x"))
  end

  it("is a command that can be typed: a raised price is accepted", function()
    local message = of("price_raised", nil, "allow it for one call with max = \"0.04\", or …")
    assert.truthy(message:find("`spraay ledger accept-price compute/text-inference 0.04`", 1, true), message)
    message = of("price_raised", { gateway = "http://127.0.0.1:1", ledger = "/x y.db" }, "max = \"0.04\"")
    assert.truthy(message:find("0.04 --gateway http://127.0.0.1:1 --ledger '/x y.db'`", 1, true), message)
    message = of("price_raised", { ledger = false }, "max = \"0.04\"")
    assert.truthy(message:find("prices = { [\"compute/text-inference\"] = \"0.04\" }", 1, true), message)
  end)

  it("a changed receiver is trusted", function()
    local message = of("pay_to")
    assert.truthy(message:find("`spraay ledger trust https://x.example 0xNew`", 1, true), message)
    assert.truthy(message:find("pay_to = { \"0xNew\" }", 1, true), message)
  end)

  it("a lost result is bought again, or claimed", function()
    local message = of("paid_lost")
    assert.truthy(message:find("on_lost = \"repay\"", 1, true), message)
    assert.truthy(message:find("`spraay ledger claim pur_1`", 1, true), message)
    assert.is_nil(of("paid_lost", { ledger = false }):find("spraay ledger", 1, true))
  end)
end)

describe("client:request", function()
  local spraay, world = fake.new()
  local client = assert(spraay.open {})
  world.answer = function(request)
    return { price = request.class ~= "free" and "1000" or nil, body = { answer = 42 } }
  end

  it("pays for any route of any address", function()
    local result = assert(client:request("POST", "/api/v1/chat/completions", { model = "x" }))
    assert.equal(42, result.answer)
    assert.equal(200, result.http.status)
    assert.equal("https://gateway.spraay.app/api/v1/chat/completions", world.calls[1].url)
    assert.equal("{\"model\":\"x\"}", world.calls[1].body)
    assert.equal("once", world.calls[1].class)
    assert(client:request("GET", "https://example.com/data"))
  end)

  it("knows price and class of the routes it knows", function()
    world.calls = {}
    client:request("POST", "https://gateway.spraay.app/api/v1/gpu/run", {})
    client:request("GET", "/stats")
    assert.equal("60000", world.calls[1].price)
    assert.equal("free", world.calls[2].class)
  end)

  describe("with once = true", function()
    it("pays for a method and URL one time: later calls get the stored answer", function()
      world.settled, world.calls = {}, {}
      assert.equal("settled", assert(client:request("GET", "/once?a=1", nil, { once = true })).payment.status)
      local again = assert(client:request("GET", "/once?a=1", nil, { once = true }))
      assert.equal("restored", again.payment.status)
      assert.equal(42, again.answer)
      assert.equal("restored", assert(client:request("GET", "https://gateway.spraay.app/once?a=1", nil,
        { once = true })).payment.status)
      assert.equal(1, #world.settled)
      for _, call in ipairs(world.calls) do assert.equal("once", call.class) end
    end)

    it("keeps methods and queries apart", function()
      world.settled = {}
      client:request("GET", "/apart?a=1", nil, { once = true })
      client:request("GET", "/apart?a=2", nil, { once = true })
      client:request("POST", "/apart?a=1", {}, { once = true })
      assert.equal(3, #world.settled)
    end)

    it("names the purchase by the URL alone, so another body is told apart by the core", function()
      world.calls = {}
      client:request("POST", "/body", { a = 1 }, { once = true })
      client:request("POST", "/body", { a = 2 }, { once = true, scope = "s" })
      assert.equal(world.calls[1].purchase, world.calls[2].purchase)
      world.answer = function()
        return { price = "1000", error = { kind = "usage", code = "purchase_mismatch", message = "…" } }
      end
      local _, message = client:request("POST", "/body2", { a = 3 }, { once = true })
      assert.truthy(message:find("this URL was paid for once, with another body", 1, true))
    end)

    it("goes with no other name for the purchase", function()
      for _, other in ipairs { { once = true, purchase = "x" }, { once = true, again = true } } do
        local value, message, err = client:request("GET", "/x", nil, other)
        assert.is_nil(value)
        assert.equal("usage", err.kind)
        assert.truthy(message:find("exclude each other", 1, true))
      end
    end)
  end)

  for _, case in ipairs {
    { "HEAD", "/x" }, { "get", "/x" }, { "GET", "x" }, { "GET", "ftp://x" }, { "GET", "/a b" },
    { "GET", "/x", { a = 1 } }, { "POST", "/x", 5 }, { "POST", "/x#y" }, { "POST", "//evil.example/x" },
  } do
    it(("refuses %s %s"):format(case[1], case[2]), function()
      local value, _, err = client:request(case[1], case[2], case[3])
      assert.is_nil(value)
      assert.equal("usage", err.kind)
    end)
  end
end)
