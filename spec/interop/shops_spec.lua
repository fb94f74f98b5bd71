-- SPDX-License-Identifier: MIT
-- Our client buys from shops built of the official middlewares. The chain is the judge of what was paid.
local world = require "spec.interop.world"

local SHOPS = {
  { name = "@x402/express", url = world.express, version = 2, sold = "express" },
  { name = "@x402/hono", url = world.hono, version = 2, sold = "hono" },
  { name = "x402-express", url = world.legacy, version = 1, sold = "legacy" },
}

for _, shop in ipairs(SHOPS) do
  describe(shop.name .. ", V" .. shop.version, function()
    local payer, client
    setup(function()
      payer = world.payer(shop.name, { base = "20", ["base-sepolia"] = "5" })
      client = world.client(shop.url, payer)
      world.pull("calls", { clear = true })
    end)
    teardown(function()
      client:close()
      os.remove(payer.keyfile)
    end)

    local function bought(method, path, price, network)
      local before, merchant = world.balance(payer, network), world.pull("balance", { network = network,
        address = world.pay_to }).atomic
      local sold = world.pull("sold")[shop.sold]
      local body = method == "POST" and { question = "why " .. path, list = { 1, 2.5, "three" } } or nil
      local result = assert(client:request(method, path, body, { max = price, again = true }))
      assert.equal("settled", result.payment.status)
      assert.equal(world.atomic(price), world.atomic(result.payment.amount))
      assert.equal(path, result.body.goods)
      assert.equal(sold + 1, result.body.n)
      if body then assert.equal(body.question, result.body.got.question) end
      local price_atomic = world.atomic(price)
      assert.equal(tonumber(price_atomic), tonumber(before) - tonumber(world.balance(payer, network)))
      assert.equal(tonumber(price_atomic), tonumber(world.pull("balance", { network = network,
        address = world.pay_to }).atomic) - tonumber(merchant))
      local last = world.paid(payer, network)
      last = last[#last]
      assert.equal(result.payment.transaction, last.transaction)
      assert.equal(world.pay_to, last.to)
      return result
    end

    for _, price in ipairs(world.prices) do
      for _, method in ipairs { "GET", "POST" } do
        it(("sells for %s by %s, and that much moves"):format(price, method), function()
          bought(method, "/price/" .. price, price, "base")
          world.row { client = "spraay", server = shop.name, network = "base", version = shop.version, ok = true }
        end)
      end
    end

    it("sells on Base Sepolia", function()
      bought("GET", "/sepolia", "0.01", "base-sepolia")
      world.row { client = "spraay", server = shop.name, network = "base-sepolia", version = shop.version, ok = true }
    end)

    it("was asked in the version it speaks, and settled once for each", function()
      local calls, settled = world.pull("calls"), 0
      for _, call in ipairs(calls) do
        assert.equal(shop.version, call.version)
        if call.step == "settle" then
          assert.is_true(call.answer.success)
          settled = settled + 1
        end
      end
      assert.equal(2 * #world.prices + 1, settled)
    end)

    it("does not get a cent when the handler fails", function()
      local before = world.balance(payer)
      local result, message, err = client:request("POST", "/fails", { n = 1 }, { max = "0.01" })
      assert.is_nil(result)
      assert.equal("gateway", err.kind)
      assert.equal(500, err.status)
      assert.equal("maybe", err.paid, message)   -- the authorization is alive, whatever this shop does
      assert.equal("no", err.expect)
      assert.equal(before, world.balance(payer))
    end)

    it("gets nothing for more than max", function()
      local before = world.balance(payer)
      local result, _, err = client:request("GET", "/price/0.06", nil, { max = "0.059999" })
      assert.is_nil(result)
      assert.equal("over_max", err.code)
      assert.equal("no", err.paid)
      assert.equal(before, world.balance(payer))
    end)
  end)
end

describe("payment-identifier", function()
  for _, shop in ipairs { SHOPS[1], SHOPS[2] } do
    it("is given where " .. shop.name .. " demands one, the same for one purchase, another for the next", function()
      local payer = world.payer("identified", { base = "1" })
      local client = world.client(shop.url, payer)
      world.pull("calls", { clear = true })
      for _ = 1, 2 do assert(client:request("GET", "/identified", nil, { max = "0.01", again = true })) end
      client:close()
      os.remove(payer.keyfile)
      local ids = {}
      for _, call in ipairs(world.pull("calls")) do
        local id = call.extensions["payment-identifier"].info.id
        assert.truthy(id:match "^[%w_%-]+$" and #id >= 16 and #id <= 128)
        ids[#ids + 1] = id
      end
      assert.equal(4, #ids)
      assert.equal(ids[1], ids[2])   -- verify and settle of the first
      assert.equal(ids[3], ids[4])
      assert.not_equal(ids[1], ids[3])
      assert.equal(2, #world.paid(payer))
    end)
  end
end)
