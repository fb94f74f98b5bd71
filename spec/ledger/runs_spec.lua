-- SPDX-License-Identifier: MIT
-- Named runs in one process: which occurrence of equal calls is meant, whatever its clients, tasks and errors do.
local core = require "spraay.core"
local exchange = require "spec.support.exchange"
local processes = require "spec.support.processes"

local drive, result, nonces = exchange.drive, exchange.result, exchange.nonces

for _, where in ipairs{ "in memory", "on disk" } do
  describe("a run, " .. where .. ",", function()
    local before, place, serial = nil, nil, 0

    before_each(function()
      before, place = exchange.ledger, processes.place()
      exchange.ledger = where == "on disk" and place or nil
    end)
    after_each(function()
      exchange.ledger = before
      processes.clear(place)
    end)

    local function open(config)
      serial = serial + 1
      local all = { run = ("run %d %s"):format(serial, place) }
      for key, value in pairs(config or {}) do all[key] = value end
      return exchange.new(all)
    end

    it("buys an equal call anew after the first was handed out", function()
      local gateway = open()
      local one, a = gateway:buy()
      local two, b = gateway:buy()
      assert.equal(2, #nonces(a, b))
      assert.not_equal(one.payment.purchase, two.payment.purchase)
    end)

    it("gives the place of a failed call to the next", function()
      local gateway = open()
      local one, a = gateway:lose()
      local call = gateway:call{ total_ms = 6000 }
      local b = drive(call, { gateway:answer() })
      local two = result(call)
      assert.equal(1, #nonces(a, b))
      assert.equal(one.purchase, two.payment.purchase)
    end)

    it("counts a result that came inside an error as handed out, and buys the next anew", function()
      local gateway = open()
      local one, a = gateway:lose{ class = "never" }
      local op = core.ledger(exchange.engine, exchange.ledger or ""):ask("close",
        { wallet = gateway.wallet, id = one.purchase, book = true })
      assert(exchange.outcome(op))
      local two, b = gateway:buy{ class = "never" }
      assert.is_true(two.ok, two.message)
      assert.equal(2, #nonces(a, b))
      assert.not_equal(one.purchase, two.payment.purchase)
      assert.equal("60000", gateway:totals().committed)
    end)

    it("gives the place of a result that nobody took to the next", function()
      local gateway = open()
      local call = gateway:call()
      local a = drive(call, { gateway:challenge(), gateway:answer() })
      call:close()
      local two, b = gateway:buy()
      assert.equal("restored", two.payment.status)
      assert.equal(1, #nonces(a, b))
    end)

    it("gives calls under way at the same time places of their own", function()
      local gateway = open()
      local one, two = gateway:call(), gateway:call()
      local a = drive(one, { gateway:challenge() })
      local b = drive(two, { gateway:challenge(), gateway:answer() })
      local c = drive(one, { gateway:answer() })
      assert.equal(2, #nonces(a, b, c))
      assert.not_equal(result(one).payment.purchase, result(two).payment.purchase)
    end)

    it("counts over all clients of its name", function()
      local gateway = open()
      local other = gateway:again()
      local one, a = gateway:buy()
      local two, b = other:buy()
      assert.equal(2, #nonces(a, b))
      assert.not_equal(one.payment.purchase, two.payment.purchase)
      assert.equal("60000", other:totals().settled) -- and so does its budget
    end)

    it("lets another client of its name take over what one left in the air", function()
      local gateway = open()
      local other = gateway:again()
      local one = gateway:call()
      local a = drive(one, { gateway:challenge() })
      exchange.settle(one)
      one:cancel "enough"
      one:close()
      local two = other:call{ total_ms = 6000 }
      local b = drive(two, { gateway:answer() })
      local r = result(two)
      assert.is_true(r.ok, r.message)
      for _, nonce in ipairs(nonces(b)) do assert.equal(nonces(a)[1] or nonce, nonce) end
      assert.equal(1, #nonces(a, b))
    end)

    it("pays nothing for a place that a cancelled call gave up before it signed", function()
      local gateway = open()
      local one = gateway:call{ approve = true }
      drive(one, { gateway:challenge() })
      one:cancel "enough"
      one:close()
      local two, b = gateway:buy()
      assert.equal("settled", two.payment.status)
      assert.equal(1, #nonces(b))
      assert.equal("30000", gateway:totals().committed)
    end)
  end)
end
