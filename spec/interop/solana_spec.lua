-- SPDX-License-Identifier: MIT
-- Our client buys on Solana from shops of the official middlewares; the official facilitator signs as fee payer and
-- sends to a real Solana VM, whose token accounts are the judges. And the official client buys from our sandbox.
local live = require "spec.support.live"
local spraay = require "spraay"
local world = require "spec.interop.world"

local SHOPS = { { name = "@x402/express", shop = "express", version = 2 },
                { name = "@x402/hono", shop = "hono", version = 2 },
                { name = "x402-express", shop = "legacy", version = 1, devnet = false } }

-- Options of a client that pays on Solana, and perhaps on Base.
local function rails(payer, networks, more)
  local file = live.secret(payer.solana.secret .. "\n")
  local rpc = {}
  for name, url in pairs(world.rpc) do rpc[name] = url end
  local options = { wallet = { spraay.wallet.file(payer.keyfile), spraay.wallet.solana(file) }, networks = networks,
    rpc = rpc }
  for name, value in pairs(more or {}) do options[name] = value end
  return options, file
end

local function merchant(network)
  return world.pull("balance", { network = network, address = world.solana_pay_to }).atomic
end

for _, shop in ipairs(SHOPS) do
  describe(shop.name .. ", V" .. shop.version .. ", on Solana", function()
    for _, network in ipairs { "solana", "solana-devnet" } do
      if network == "solana" or shop.devnet ~= false then
        for _, method in ipairs(shop.version == 2 and { "GET", "POST" } or { "GET" }) do
          it(("sells on %s by %s: exactly that much moves"):format(network, method), function()
            local payer = world.payer("svm", { [network] = "3" })
            local options, file = rails(payer, { network })
            local client = world.client(world[shop.shop], payer, options)
            local before = merchant(network)
            for n = 1, 2 do   -- equal payments under one blockhash differ by their memo
              local result, message = client:request(method, "/" .. network, method == "POST" and { n = 1 } or nil,
                { max = "0.01", again = true })
              assert(result, message)
              assert.equal("settled", result.payment.status)
              assert.equal("0.010000", result.payment.amount)
              assert.equal(tostring(3000000 - n * 10000), world.balance(payer, network))
              local landed = world.pull("landed", { network = network })
              assert.equal(landed[#landed].signature, result.payment.transaction)
            end
            assert.equal(tonumber(before) + 20000, tonumber(merchant(network)))
            client:close()
            os.remove(file)
            os.remove(payer.keyfile)
            world.row { client = "spraay", server = shop.name, network = network, version = shop.version, ok = true,
              count = 2 }
          end)
        end
      end
    end

    it("refuses a payer with nothing, and nothing moves", function()
      local payer = world.payer("svm poor", { solana = "0.001" })
      local options, file = rails(payer, { "solana" })
      local client = world.client(world[shop.shop], payer, options)
      local result, message, err = client:request("GET", "/solana", nil, { max = "0.01" })
      assert.is_nil(result)
      assert.equal("payment", err.kind)
      assert.equal("maybe", err.paid, message)
      assert.equal("1000", world.balance(payer, "solana"))
      client:close()
      os.remove(file)
      os.remove(payer.keyfile)
    end)

    -- What the client says of an open purchase once its blockhash is dead.
    local function later(payer, options)
      local after = {}
      for name, value in pairs(options) do after[name] = value end
      after.clock = function() return os.time() + 600 end
      world.pull("warp", { network = "solana", slots = 400 })
      local client = world.client(world.proxy, payer, after)
      local found = assert(client:reconcile())
      client:close()
      return found
    end

    it("whose answer is lost: one transfer, and proof by the memo", function()
      local payer = world.payer("svm lost", { solana = "3" })
      local options, file = rails(payer, { "solana" })
      local client = world.client(world.proxy, payer, options)
      world.pull("proxy", { shop = shop.shop, lose = 1 })
      for _ = 1, 4 do
        local result, message, err = client:request("GET", "/solana", nil, { max = "0.01" })
        assert.is_nil(result)
        assert.equal("maybe", err.paid, message)
        assert.equal("2990000", world.balance(payer, "solana"))
      end
      client:close()
      assert.equal(1, later(payer, options).paid_lost)
      os.remove(file)
      os.remove(payer.keyfile)
      world.pull("proxy", {})
    end)

    it("that never settles: void once its blockhash is dead, and bought then with the rest", function()
      local payer = world.payer("svm void", { solana = "3" })
      local options, file = rails(payer, { "solana" })
      local client = world.client(world.proxy, payer, options)
      world.pull("proxy", { shop = shop.shop })
      world.pull("facilitator", { fail = { step = "settle", how = "reset" } })
      local result, message, err = client:request("GET", "/solana", nil, { max = "0.01" })
      assert.is_nil(result)
      assert.equal("maybe", err.paid, message)
      assert.equal(1, later(payer, options).void)
      assert.equal("3000000", world.balance(payer, "solana"))
      assert(client:request("GET", "/solana", nil, { max = "0.01" }))
      assert.equal("2990000", world.balance(payer, "solana"))
      client:close()
      os.remove(file)
      os.remove(payer.keyfile)
      world.pull("proxy", {})
    end)
  end)
end

describe("a shop that takes both", function()
  for _, first in ipairs { "base", "solana" } do
    it("is paid on the network the caller named first: " .. first, function()
      local payer = world.payer("either", { base = "1", solana = "1" })
      local options, file = rails(payer, { first, first == "base" and "solana" or "base" })
      local client = world.client(world.express, payer, options)
      assert(client:request("GET", "/either", nil, { max = "0.01" }))
      assert.equal("990000", world.balance(payer, first))
      assert.equal("1000000", world.balance(payer, first == "base" and "solana" or "base"))
      client:close()
      os.remove(file)
      os.remove(payer.keyfile)
    end)
  end
end)

-- The sandbox asks the price; the transfer goes to the VM, which the sandbox knows nothing of.
describe("a transfer that the payer sends himself", function()
  it("is one that a Solana VM executes: exactly that much, once, however often it is asked for", function()
    local box = live.start {}
    box:config { networks = { "base", "solana" } }
    local pay_to = box:config().solana.payTo
    local payer = world.payer("svm self paid", { solana = "3" })
    world.pull("fund", { network = "solana", address = payer.solana.address, lamports = 1000000 })
    world.pull("fund", { network = "solana", address = pay_to, amount = "0" })
    local before = world.pull("balance", { network = "solana", address = pay_to }).atomic
    local options, file = rails(payer, { "solana" }, { solana_tx = true, timeout = { total = 4 } })
    local client = world.client(box.url, payer, options)
    local purchase
    for _ = 1, 3 do
      local result, message, err = client:gpu { model = "flux-dev", input = { prompt = "a lighthouse" } }
      assert.is_nil(result)
      assert.equal("not_seen", err.code, message)
      assert.equal(purchase or err.purchase, err.purchase)
      purchase = err.purchase
      assert.equal("2940000", world.balance(payer, "solana"))
      assert.equal(tonumber(before) + 60000,
        tonumber(world.pull("balance", { network = "solana", address = pay_to }).atomic))
    end
    local landed = world.pull("landed", { network = "solana" })
    assert.same({ client:purchases { id = purchase }[1].nonce:sub(3, 34) }, landed[#landed].memo)
    client:close()
    live.stop(box)
    os.remove(file)
    os.remove(payer.keyfile)
    world.row { client = "spraay", server = "LiteSVM", network = "solana", version = 2, ok = true, count = 1 }
  end)
end)

describe("the official client buys on Solana from the sandbox", function()
  local box
  setup(function() box = live.start { rails = 2 } end)
  teardown(function() live.stop(box) end)

  for _, version in ipairs { 2, 1 } do
    it("V" .. version, function()
      box:reset()
      if version == 1 then box:config { x402_version = 1 } end
      local answer = world.pull("official", { method = "POST", url = box.url .. "/api/v1/compute/text-inference",
        rails = "svm", solana_secret = box.solana_key, rpc = box.solana_rpc,
        body = { messages = { { role = "user", content = "why?" } } } })
      assert.is_nil(answer.error)
      assert.equal(200, answer.status, answer.body)
      assert.is_true(answer.receipt.success)
      local books = box:ledger()
      assert.equal(1, books.count)
      assert.equal("30000", books.settled[1].amount)
      world.row { client = "@x402/fetch", server = "sandbox", network = "solana", version = version, ok = true }
    end)
  end
end)

