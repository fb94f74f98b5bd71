-- SPDX-License-Identifier: MIT
-- What was paid and lost is bought again only when its user says so, once nothing signed before can settle, and the
-- money that it cost stays spent. In memory and on disk alike.
local core = require "spraay.core"
local exchange = require "spec.support.exchange"
local processes = require "spec.support.processes"
local sandbox = require "spec.support.sandbox"

local JSON = { { "Content-Type", "application/json" } }
local BODY = '{"messages":[{"role":"user","content":"lost"}]}'

for _, where in ipairs{ "in memory", "on disk" } do
  describe("a result that was paid and lost, " .. where .. ",", function()
    local box, before, place

    setup(function() box = sandbox.start{} end)
    teardown(function() box:stop() end)
    before_each(function()
      box:reset()
      box:clear()
      box:clock(0)
      before = exchange.ledger
      place = processes.place()
      exchange.ledger = where == "on disk" and place or nil
    end)
    after_each(function()
      exchange.ledger = before
      processes.clear(place)
    end)

    local function open(config)
      local all = { gateway = box.url, origin = box.url, rpc = { ["eip155:8453"] = box.rpc } }
      for key, value in pairs(config or {}) do all[key] = value end
      local gateway = exchange.new(all)
      box:fund(gateway.wallet:address(), "5")
      return gateway
    end

    local function call(gateway, more)
      local all = { external = false, body = BODY, headers = JSON, total_ms = 6000 }
      for key, value in pairs(more or {}) do all[key] = value end
      return gateway:call(all)
    end

    local function come(c)
      local limit = core.mono_ms() + 20000
      while c:state() ~= "done" do
        assert(core.mono_ms() < limit)
        exchange.engine:step(50)
      end
      return exchange.result(c)
    end

    local function lost(gateway)
      box:fault("settle_then_reset", { times = 1 })
      local r = come(call(gateway))
      assert.is_false(r.ok)
      assert.equal("paid_lost", r.code)
      assert.equal("yes", r.paid)
      return r
    end

    it("is never bought again by itself", function()
      local gateway = open()
      local first = lost(gateway)
      box:clock(900)
      local r = come(call(gateway, { clock_offset = 900 }))
      assert.equal("paid_lost", r.code)
      assert.equal(first.purchase, r.purchase)
      assert.equal("30000", gateway:totals().settled)
    end)

    it("is not bought again while what was signed for it may still settle", function()
      local gateway = open()
      lost(gateway)
      local r = come(call(gateway, { ["repay"] = true }))
      assert.equal("paid_lost", r.code)
      assert.equal("yes", r.paid)
      assert.truthy(r.hint:find("expired", 1, true))
      assert.equal("30000", gateway:totals().settled)
    end)

    it("is bought again under another nonce, and both count", function()
      local gateway = open{ budget = "70000" }
      local first = lost(gateway)
      box:clock(900)
      local r = come(call(gateway, { clock_offset = 900, ["repay"] = true }))
      assert.is_true(r.ok, r.message)
      assert.equal("settled", r.payment.status)
      assert.equal(first.purchase, r.payment.purchase)
      assert.equal("60000", gateway:totals().settled)
      r = come(call(gateway, { clock_offset = 901, body = BODY:gsub("lost", "more") }))
      assert.equal("over_budget", r.code)
    end)

    it("is bought again once, however often its user says so", function()
      local gateway = open()
      lost(gateway)
      box:clock(900)
      local c = call(gateway, { clock_offset = 900, ["repay"] = true })
      local limit = core.mono_ms() + 5000
      while not c:committed() and core.mono_ms() < limit do exchange.engine:step(5) end
      c:cancel()
      c:close()
      local r = come(call(gateway, { clock_offset = 901, ["repay"] = true }))
      assert.is_true(r.ok, r.message)
      assert.equal("60000", gateway:totals().settled)
    end)

    it("is said to be paid by a call that stops waiting while the chain is asked", function()
      local gateway = open()
      lost(gateway)
      box:clock(900)
      local c = call(gateway, { clock_offset = 900, ["repay"] = true })
      gateway:totals() -- the claim has been answered by then, and the chain is being asked
      c:cancel "enough"
      local r = c:result()
      c:close()
      assert.equal("cancelled", r.kind)
      assert.equal("yes", r.paid)
    end)
  end)
end
