-- SPDX-License-Identifier: MIT
-- The caller's own transport under the real core: every byte is played here, so nothing touches a
-- network and the whole way of a payment can be watched.
local cjson = require "cjson"
local core = require "spraay.core"
local spraay = require "spraay"

local PAY_TO = "0xAd62f03C7514bb8c51f1eA70C2b75C37404695c8"
local USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
local CHAT = '{"choices":[{"message":{"content":"hi"}}]}'

local function challenge()
  local offer = { x402Version = 2, error = "Payment required", resource = { url = "http://localhost/x" },
    accepts = { { scheme = "exact", network = "eip155:8453", amount = "30000", asset = USDC, payTo = PAY_TO,
      maxTimeoutSeconds = 300, extra = { name = "USD Coin", version = "2" } } } }
  return { status = 402, headers = { ["PAYMENT-REQUIRED"] = core.base64_encode(cjson.encode(offer)) },
    body = "{}" }
end

local ports = 2000

-- A client whose paid requests are answered by `answer(request, n)`; the unpaid ones get a challenge.
-- Every client has a gateway of its own, so that nothing is remembered from one `it` to the next.
local function open(answer, options)
  ports = ports + 1
  local wallet = assert(spraay.wallet.generate())
  local seen = { paid = {}, unpaid = {}, address = wallet:address() }
  local all = { gateway = "http://localhost:" .. ports, wallet = wallet, rpc = false, retries = 0,
    timeout = { total = 0.7 } }   -- too short to present a payment again
  all.transport = function(request)
    local header = request.headers["PAYMENT-SIGNATURE"]
    local list = header and seen.paid or seen.unpaid
    list[#list + 1] = request
    assert(#seen.paid + #seen.unpaid < 50, "it never ends")
    if not header then return challenge() end
    return answer(request, #seen.paid)
  end
  for name, value in pairs(options or {}) do all[name] = value end
  return assert(spraay.open(all)), seen
end

-- 200, and a receipt of this payer.
local function settled(seen)
  local receipt = { success = true, transaction = "0x" .. ("ab"):rep(32), network = "eip155:8453",
    payer = seen.address }
  return { status = 200, headers = { ["payment-response"] = core.base64_encode(cjson.encode(receipt)) },
    body = CHAT }
end

describe("a transport of the caller's own", function()
  it("carries both legs, and the answer comes back as any other", function()
    local client, seen
    client, seen = open(function() return settled(seen) end)
    local result = assert(client:chat "x")
    assert.equal("hi", result.text)
    assert.equal("settled", result.payment.status)
    assert.equal("0.030000", result.payment.amount)
    assert.equal("0x" .. ("ab"):rep(32), result.payment.transaction)
    assert.equal(1, #seen.unpaid)
    assert.equal(1, #seen.paid)
    assert.equal("POST", seen.paid[1].method)
    assert.equal(client.config.gateway .. "/api/v1/compute/text-inference", seen.paid[1].url)
    assert.equal(seen.unpaid[1].body, seen.paid[1].body)
    assert.equal("application/json", seen.paid[1].headers["Content-Type"])
  end)

  it("may wait, inside a task and outside", function()
    local client, seen
    client, seen = open(function() spraay.sleep(0.02) return settled(seen) end)
    assert.equal("hi", client:chat("x").text)
    assert.equal("hi", spraay.run(function() return client:chat("y").text end))
  end)

  it("may give headers as a list, as a map, with lists as values, in any case", function()
    local client, seen
    client, seen = open(function()
      local answer = settled(seen)
      answer.headers = { { "X-A", "1" }, { "PAYMENT-RESPONSE", answer.headers["payment-response"] } }
      return answer
    end)
    assert.equal("settled", client:chat("x").payment.status)
    client, seen = open(function()
      local answer = settled(seen)
      answer.headers = { ["Payment-Response"] = { answer.headers["payment-response"] }, age = 5 }
      return answer
    end)
    assert.equal("settled", client:chat("x").payment.status)
  end)

  -- Each of these once made the paid request go out again and again, or threw.
  for _, case in ipairs {
    { "fails", function() error "boom" end },
    { "gives nothing", function() return nil, "the modem is off" end },
    { "gives a text", function() return "200 OK" end },
    { "has a status that is none", function() return { status = 42 } end },
    { "has a status with a fraction", function() return { status = 200.5 } end },
    { "has a status as a text", function() return { status = "200", body = CHAT } end },
    { "has more headers than there may be",
      function() return { status = 200, headers = { ["X-Long"] = ("x"):rep(70000) }, body = CHAT } end },
    { "has headers that are none",
      function() return { status = 200, headers = { { "X-A" } }, body = CHAT } end },
    { "has headers as a text", function() return { status = 200, headers = "none", body = CHAT } end },
    { "has a header that breaks out",
      function() return { status = 200, headers = { ["X-A: 1\r\nX-B"] = "2" }, body = CHAT } end },
    { "has a body that is no text", function() return { status = 200, body = { "x" } } end },
  } do
    it("whose answer " .. case[1] .. " loses the answer, once, and says that money may have moved", function()
      local client, seen = open(case[2])
      local value, message, err = client:chat "x"
      assert.is_nil(value)
      assert.equal(1, #seen.paid)
      assert.equal("maybe", err.paid)
      assert.equal("0.030000", err.amount)
      assert.truthy(message:find("may have been paid", 1, true), message)
    end)

    it("whose challenge " .. case[1] .. " pays nothing", function()
      local client, seen = open(function() error "never" end)
      client.config.transport = function(request)
        seen.unpaid[#seen.unpaid + 1] = request
        assert(#seen.unpaid < 50, "it never ends")
        return case[2]()
      end
      local value, _, err = client:chat "x"
      assert.is_nil(value)
      assert.equal("no", err.paid)
      assert.equal(0, #seen.paid)
    end)
  end

  it("presents the same authorization again after a loss, within one call", function()
    local client, seen
    client, seen = open(function(_, n)
      if n == 1 then error "lost" end
      return settled(seen)
    end, { timeout = { total = 10 } })
    assert.equal("settled", assert(client:chat "x").payment.status)
    assert.equal(2, #seen.paid)
    assert.equal(seen.paid[1].headers["PAYMENT-SIGNATURE"], seen.paid[2].headers["PAYMENT-SIGNATURE"])
  end)

  it("presents the same authorization again in a later equal call", function()
    local client, seen
    client, seen = open(function(_, n)
      if n == 1 then error "lost" end
      return settled(seen)
    end)
    local value, _, err = client:chat "x"
    assert.is_nil(value)
    assert.equal("maybe", err.paid)
    local result = assert(client:chat "x")
    assert.equal("hi", result.text)
    assert.equal(err.purchase, result.payment.purchase)
    assert.equal(2, #seen.paid)
    assert.equal(seen.paid[1].headers["PAYMENT-SIGNATURE"], seen.paid[2].headers["PAYMENT-SIGNATURE"])
  end)

  it("gets the caller's headers and never another's key", function()
    local client, seen
    client, seen = open(function() return settled(seen) end, { headers = { ["X-Trace"] = "1" } })
    assert(client:chat("x", { headers = { ["X-More"] = "2" } }))
    assert.equal("1", seen.paid[1].headers["X-Trace"])
    assert.equal("2", seen.paid[1].headers["X-More"])
  end)
end)
