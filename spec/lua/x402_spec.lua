-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"

describe("a session", function()
  local spraay, world, client

  before_each(function()
    spraay, world = fake.new()
    client = assert(spraay.open {})
  end)

  it("says what to send, is fed what came, and ends in a result", function()
    local session = assert(spraay.x402.session(client,
      { method = "POST", url = "/api/v1/compute/text-inference",
      body = { messages = {} } }))
    local what, headers = session:step()
    assert.equal("send", what)
    assert.is_nil(headers["PAYMENT-SIGNATURE"])
    assert.equal("application/json", headers["Content-Type"])
    what, headers = session:step(402, { ["PAYMENT-REQUIRED"] = "…" }, "{}")
    assert.equal("send", what)
    assert.equal("signed", headers["PAYMENT-SIGNATURE"])
    local result
    what, result = session:step(200, {}, "{\"choices\":[{\"message\":{\"content\":\"hi\"}}]}")
    assert.equal("done", what)
    assert.equal("hi", result.text)
    assert.equal("0.030000", result.payment.amount)
    assert.equal("done", session:cancel())
    assert.same({ "done", result }, { session:step() })
  end)

  it("may begin with the answer to a request already made", function()
    local session = assert(spraay.x402.session(client, { url = "https://gateway.spraay.app/x" }))
    assert.equal("send", (session:step(402, {}, "{}")))
  end)

  it("ends in an error that says what may have been paid when no answer came", function()
    local session = assert(spraay.x402.session(client, { url = "/x" }))
    session:step(402, {}, "{}")
    local what, message, err = session:step(false, "the connection was reset")
    assert.is_nil(what)
    assert.equal("maybe", err.paid)
    assert.truthy(message:find("connection was reset", 1, true))
    assert.equal(err, select(3, session:step()))
  end)

  -- Its call was closed, and the next step threw.
  it("says so again when its task was cancelled", function()
    local session
    local asking = assert(spraay.open { on_pay = function() spraay.sleep(5) return true end })
    world.answer = function() return { price = "30000", body = {} } end
    local task = spraay.spawn(function()
      session = assert(spraay.x402.session(asking, { url = "/x" }))
      session.handle.stage = "approve"
      return session:step()
    end)
    spraay.sleep(1)
    task:cancel()
    task:wait()
    local what, _, err = session:step()
    assert.is_nil(what)
    assert.equal("cancelled", err.kind)
    assert.equal("done", session:cancel())
  end)

  it("counts an answer that is none as lost", function()
    for _, answer in ipairs { { 42 }, { 200, "X: y" }, { 200, { { "X" } } }, { 200, {}, {} } } do
      local session = assert(spraay.x402.session(client, { url = "/x" }))
      session:step(402, {}, "{}")
      local what, _, err = session:step(answer[1], answer[2], answer[3])
      assert.is_nil(what)
      assert.equal("maybe", err.paid)
    end
  end)

  it("checks its request as client:request does", function()
    for _, bad in ipairs { "x", {}, { url = "x" }, { url = "/x", method = "HEAD" }, { uri = "/x" },
      { url = "/x", headers = { ["X-PAYMENT"] = "a" } } } do
      local session, _, err = spraay.x402.session(client, bad)
      assert.is_nil(session)
      assert.equal("usage", err.kind)
    end
  end)
end)

describe("the thin forms", function()
  local spec = require "spec.helper"
  local spraay, world = fake.new()

  -- A challenge of the real gateway's shape, as another implementation wrote it.
  local function challenge()
    local accepts = { { scheme = "exact", network = "eip155:8453", amount = "30000",
      asset = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
      payTo = "0xAd62f03C7514bb8c51f1eA70C2b75C37404695c8",
      maxTimeoutSeconds = 300, extra = { name = "USD Coin", version = "2" } } }
    local core = require "spraay.core"
    return core.base64_encode(assert(core.json_encode { x402Version = 2, error = "Payment required",
      resource = { url = "https://gateway.spraay.app/x" }, accepts = accepts }))
  end

  it("read a challenge, or say that there is none", function()
    assert(spraay.x402.read(402, { ["PAYMENT-REQUIRED"] = challenge() }, "{}"))
    local offer, message = spraay.x402.read(200, {}, "")
    assert.is_nil(offer)
    assert.truthy(message:find("offers nothing", 1, true))
  end)

  it("pay an offer with an external signer, within the policy", function()
    local core = require "spraay.core"
    local key = spec.unhex(("11"):rep(32))
    local wallet = assert(spraay.wallet.signer { address = core.evm_address(key), sign = function(_, digest)
      return spec.hex(core.secp_sign(spec.unhex(digest), key))
    end })
    world.given = nil
    local offer = assert(spraay.x402.read(402, { ["PAYMENT-REQUIRED"] = challenge() }, "{}"))
    local name, value = spraay.x402.pay(offer, wallet, { max = "0.03", networks = { "base" } })
    assert.equal("PAYMENT-SIGNATURE", name)
    assert.truthy(core.base64_decode(value):find("\"signature\"", 1, true))
    local none, message, err = spraay.x402.pay(offer, wallet, { max = "0.01" })
    assert.is_nil(none)
    assert.equal("policy", err.kind)
    assert.truthy(message:find("0.01", 1, true))
  end)

  it("need a limit, and take no unknown field", function()
    local offer = assert(spraay.x402.read(402, { ["PAYMENT-REQUIRED"] = challenge() }, "{}"))
    for _, policy in ipairs { {}, { max = 0.03 }, { mx = "0.03" } } do
      local name, _, err = spraay.x402.pay(offer, spraay.wallet.env(), policy)
      assert.is_nil(name)
      assert.equal("usage", err.kind)
    end
  end)
end)
