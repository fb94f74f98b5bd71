-- SPDX-License-Identifier: MIT
-- spraay.x402 over an HTTP client that is not ours, against the sandbox.
local live = require "spec.support.live"
local sandbox = require "spec.support.sandbox"
local spraay = require "spraay"

local box, client
local n = 0

setup(function() box = live.start {} end)
teardown(function() live.stop(box) end)
before_each(function()
  box:clear()
  box:reset()
  client = live.open(box)
  n = n + 1
end)
after_each(function() client:close() end)

local function body() return { messages = { { role = "user", content = "question " .. n } } } end

-- Carry a session to its end with somebody else's HTTP client.
local function carry(session, request)
  local sent = 0
  local what, value, err = session:step()
  while what == "send" do
    sent = sent + 1
    assert(sent < 10)
    local answer, why = sandbox.fetch(box.url .. "/api/v1/compute/text-inference",
      { method = "POST", headers = value, body = request })
    if answer then
      what, value, err = session:step(answer.status, answer.list, answer.body)
    else
      what, value, err = session:step(false, why)
    end
  end
  return what, value, err, sent
end

local function new(options)
  local request = require "spraay.json".encode(body())
  return assert(spraay.x402.session(client, { method = "POST", url = "/api/v1/compute/text-inference",
    body = request, content_type = "application/json" }, options)), request
end

describe("a session", function()
  it("pays once and gives a result like any call's", function()
    local session, request = new()
    local what, result, _, sent = carry(session, request)
    assert.equal("done", what)
    assert.equal(2, sent)
    assert.is_true(#result.text > 0)
    assert.equal("settled", result.payment.status)
    assert.equal("0.030000", result.payment.amount)
    assert.equal(1, box:ledger().count)
  end)

  it("is capped like any call", function()
    local session, request = new { max = "0.01" }
    local what, _, err = carry(session, request)
    assert.is_nil(what)
    assert.equal("over_max", err.code)
    assert.equal(0, #box:ledger().presented)
  end)

  it("whose answer is lost is continued by another with the same authorization", function()
    box:fault("settle_then_reset", { times = 1 })
    local session, request = new { timeout = 0.5 }
    local what, _, err = carry(session, request)
    assert.is_nil(what)
    assert.not_equal("no", err.paid)
    session, request = new()
    what, _, err = carry(session, request)
    assert.is_nil(what)
    assert.equal("yes", err.paid)   -- the chain says so; the sandbox keeps no answers
    assert.equal(1, box:ledger().count)
    local presented = box:ledger().presented
    for _, row in ipairs(presented) do assert.equal(presented[1].nonce, row.nonce) end
  end)

  it("that is dropped before it paid costs nothing", function()
    local session = new()
    assert.equal("send", (session:step()))
    assert.equal("aborted", session:cancel())
    assert.equal(0, box:ledger().requests)
  end)
end)

describe("the thin forms", function()
  it("read an offer, pay it, and the gateway settles it", function()
    local url = box.url .. "/api/v1/compute/text-inference"
    local probe = assert(sandbox.fetch(url, { method = "POST", body = body() }))
    local offer = assert(spraay.x402.read(probe.status, probe.list, probe.body))
    local name, value = spraay.x402.pay(offer, spraay.wallet.file(box.keyfile), { max = "0.03" })
    assert.equal("PAYMENT-SIGNATURE", name)
    local answer = assert(sandbox.fetch(url, { method = "POST", body = body(), headers = { [name] = value } }))
    assert.equal(200, answer.status)
    assert.equal(1, box:ledger().count)
  end)

  it("pay on Solana where the offer brings a blockhash, and say so where it brings none", function()
    local url, key = box.url .. "/api/v1/compute/text-inference", live.secret(box.solana_key)
    local wallet = spraay.wallet.solana(key)
    local function pay()
      local probe = assert(sandbox.fetch(url, { method = "POST", body = body() }))
      return spraay.x402.pay(assert(spraay.x402.read(probe.status, probe.list, probe.body)), wallet, { max = "0.03" })
    end
    local name, message, err = pay()
    assert.is_nil(name)
    assert.equal("blockhash", err.code)
    assert.truthy(message:find("x402.session", 1, true))
    box:fault "solana_blockhash"
    local value
    name, value = pay()
    assert.equal("PAYMENT-SIGNATURE", name)
    local answer = assert(sandbox.fetch(url, { method = "POST", body = body(), headers = { [name] = value } }))
    assert.equal(200, answer.status)
    assert.equal("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", box:ledger().settled[1].network)
    os.remove(key)
  end)

  it("are carried by a session on Solana too", function()
    local key = live.secret(box.solana_key)
    local other = assert(spraay.open{ gateway = box.url, wallet = spraay.wallet.solana(key), ledger = false,
      rpc = { solana = box.solana_rpc } })
    local request = require("cjson").encode(body())
    local session = assert(spraay.x402.session(other, { method = "POST",
      url = box.url .. "/api/v1/compute/text-inference", body = request }, { max = "0.03" }))
    local what, value = carry(session, request)
    assert.equal("done", what, tostring(value))
    assert.equal("settled", value.payment.status)
    other:close()
    os.remove(key)
  end)

  it("refuse what the policy does not allow, in words", function()
    local probe = assert(sandbox.fetch(box.url .. "/api/v1/compute/text-inference", { method = "POST", body = body() }))
    local offer = assert(spraay.x402.read(probe.status, probe.list, probe.body))
    local wallet = spraay.wallet.file(box.keyfile)
    for _, case in ipairs {
      { { max = "0.029999" }, "policy" }, { { max = "1", networks = { "base-sepolia" } }, "policy" },
      { { max = "1", pay_to = { "0x" .. ("1"):rep(40) } }, "policy" }, { {}, "usage" }, { { max = 1 }, "usage" },
      { { max = "1", networks = { "solana" } }, "policy" }, { { max = "1", budget = "1" }, "usage" },
    } do
      local name, message, err = spraay.x402.pay(offer, wallet, case[1])
      assert.is_nil(name)
      assert.equal(case[2], err.kind, message)
    end
  end)

  for _, fault in ipairs { "bad_base64_challenge", "bad_json_challenge", "no_accepts", "challenge_twice" } do
    it("read nothing out of " .. fault, function()
      box:fault(fault, { times = 1 })
      local probe = assert(sandbox.fetch(box.url .. "/api/v1/compute/text-inference",
        { method = "POST", body = body() }))
      local offer, message, err = spraay.x402.read(probe.status, probe.list, probe.body)
      assert.is_nil(offer)
      assert.equal("payment", err.kind)
      assert.truthy(message:find("offers nothing to pay", 1, true))
    end)
  end
end)
