-- SPDX-License-Identifier: MIT
-- Paying by a transfer of the wallet's own that the request then names (X-Solana-Tx). The money moves before the work
-- begins, so the one thing that must never happen is a second transfer. Judged by the sandbox's books and chain.
local self_paid = require "spec.support.self_paid"
local solana = require "spec.support.solana"
local spraay = require "spraay"

local world = self_paid.fresh()
local box
setup(function() box = world.box end)

local function open(more) return world:open(more) end
local function gpu(client, opts) return world:gpu(client, opts) end
local function try(more, opts) return world:try(more, opts) end
local function pass(seconds) return world:pass(seconds) end
local function moved() return world:moved() end
local function the_row() return world:the_row() end

describe("a transfer of one's own", function()
  it("pays for a GPU run, and the request names it", function()
    local result = assert(gpu(open()))
    local row = the_row()
    assert.equal("self-paid", row.via)
    assert.equal("POST /api/v1/gpu/run", row.route)
    assert.equal("60000", row.amount)
    assert.equal(1, row.redeemed)
    assert.equal("settled", result.payment.status)
    assert.equal("0.060000", result.payment.amount)
    assert.equal(row.transaction, result.payment.transaction)
    assert.equal(box.solana_address, result.payment.payer)
    assert.equal("taken", open():purchases{ id = result.payment.purchase }[1].state)
  end)

  it("carries the purchase's mark as its memo", function()
    local client = open()
    local result = assert(gpu(client))
    local row = client:purchases{ id = result.payment.purchase }[1]
    assert.equal(row.nonce:sub(3, 34), the_row().memo)
  end)

  it("pays for a look at a run", function()
    local client = open()
    local job = assert(gpu(client))
    assert(client:gpu_status(job.id))
    local books = box:ledger()
    assert.equal(2, books.count)
    assert.equal("self-paid", books.settled[2].via)
    assert.equal("5000", books.settled[2].amount)
  end)

  it("pays for nothing else: those routes do not look at it", function()
    assert(open():chat("question " .. world.n))
    assert.not_equal("self-paid", the_row().via)
  end)

  it("is made on Solana alone, whatever network comes first", function()
    local client = open{ wallet = { spraay.wallet.file(box.keyfile), spraay.wallet.solana(world.key) },
      networks = { "base", "solana" }, rpc = { base = box.rpc, solana = box.solana_rpc } }
    assert(gpu(client))
    assert(client:chat("question " .. world.n))
    local books = box:ledger()
    assert.equal("self-paid", books.settled[1].via)
    assert.equal("eip155:8453", books.settled[2].network)
  end)

  it("is shown before it is signed, and not made when that is refused", function()
    local seen
    local client = open{ on_pay = function(terms) seen = terms return false, "no" end }
    local result, _, err = gpu(client)
    assert.is_nil(result)
    assert.equal("not_approved", err.code)
    assert.equal("no", err.paid)
    assert.is_true(seen.self_paid)
    assert.is_nil(seen.fee_payer)
    assert.equal(0, moved())
    assert.is_true(client:quote("gpu", { model = "flux-dev", input = { prompt = "x" } }).self_paid)
    assert.equal(0, moved())
  end)

  it("takes the amount from the offer, under the caps", function()
    local result, _, err = gpu(open{ per_call = "0.05" })
    assert.is_nil(result)
    assert.equal("over_per_call", err.code)
    result, _, err = gpu(open{ budget = "0.05" })
    assert.is_nil(result)
    assert.equal("over_budget", err.code)
    box:fault("price_raised", { times = 1 })
    result, _, err = gpu(open())
    assert.is_nil(result)
    assert.equal("no", err.paid)
    assert.equal(0, moved())
  end)

  it("is asked for twice by equal calls that overlap, and once by a call after the other", function()
    local client = open()
    local a = assert(gpu(client))
    local b = assert(gpu(client))
    assert.not_equal(a.payment.purchase, b.payment.purchase)
    assert.equal(2, moved())
    local named = assert(gpu(client, { purchase = "one" }))
    assert.equal("restored", assert(gpu(client, { purchase = "one" })).payment.status)
    assert.equal("settled", named.payment.status)
    assert.equal(3, moved())
  end)
end)

-- Answers after which the same transaction is named again, in the same call.
describe("the same transfer is named again when the gateway", function()
  for _, fault in ipairs{ "solana_tx_unseen", "solana_tx_error", "solana_tx_store_down", "settle_then_reset",
    "settle_then_truncate", "settle_then_502", "settle_then_402", "settle_then_pending", "settle_then_unclear",
    "reset_before_settle", "502_before_settle", "html_404", "refuse", "verify_down", "409" } do
    it("answers " .. fault, function()
      box:fault(fault, { times = 1, leg = "paid" })
      assert.equal("settled", assert(gpu(open())).payment.status)
      the_row()
    end)

    it("keeps on answering " .. fault .. ", in every try of a loop", function()
      box:fault(fault, { leg = "paid" })
      local purchase
      for _ = 1, 3 do
        local result, message, err = try()
        assert.is_nil(result)
        assert.equal(fault == "solana_tx_unseen" and "maybe" or "yes", err.paid, message)
        assert.equal(purchase or err.purchase, err.purchase)
        purchase = err.purchase
      end
      assert.equal(1, moved())
      box:clear()
      assert.equal("settled", assert(try{ timeout = { total = 10 } }).payment.status)
      assert.equal(1, moved())
    end)
  end

  it("asks for patience", function()
    box:fault("429", { times = 1, leg = "paid", wait = 1 })
    assert(gpu(open()))
    the_row()
  end)
end)

describe("what cannot be had any more", function()
  it("is paid and lost when the transfer has grown too old, and never paid again by itself", function()
    box:fault("502_before_settle", { leg = "paid" })
    local result, _, err = try()
    assert.is_nil(result)
    assert.equal("yes", err.paid)
    box:clear()
    pass(400)
    for _ = 1, 2 do
      local message
      result, message, err = try()
      assert.is_nil(result)
      assert.equal("paid_lost", err.code, message)
      assert.equal("yes", err.paid)
    end
    assert.equal(1, moved())
    result = assert(try{ on_lost = "repay", timeout = { total = 10 } })
    assert.equal("settled", result.payment.status)
    assert.equal(2, moved())
  end)

  it("is paid and lost where a signature is taken once, and the answer to it was lost", function()
    box:config{ solana_single_use = true }
    box:fault("settle_then_reset", { times = 1, leg = "paid" })
    local result, message, err = gpu(open())
    assert.is_nil(result)
    assert.equal("paid_lost", err.code, message)
    assert.equal("yes", err.paid)
    result, message, err = try()
    assert.is_nil(result)
    assert.equal("paid_lost", err.code, message)
    the_row()
  end)

  it("is lost when the gateway finds fault with the request", function()
    for _ = 1, 2 do
      local result, message, err = open():gpu({ model = "unheard-of", input = {} }, { unchecked = true })
      assert.is_nil(result)
      assert.equal("yes", err.paid, message)
      assert.equal(1, moved())
    end
  end)

  it("may come after a failure of the gateway's own work", function()
    box:fault("handler_crash", { leg = "paid", times = 1 })
    assert(gpu(open()))
    assert.equal(1, moved())
  end)
end)

describe("a node that", function()
  it("drops the transaction makes nobody pay twice", function()
    box:fault("solana_send_dropped")
    local result, message, err = try()
    assert.is_nil(result)
    assert.equal("maybe", err.paid, message)
    assert.equal(0, moved())
    box:clear()
    assert(try{ timeout = { total = 10 } })     -- the same bytes, sent again
    the_row()
  end)

  it("drops it for as long as it could settle makes it signed again, once it is dead", function()
    box:fault("solana_send_dropped")
    assert.is_nil((try()))
    box:clear()
    pass(300)
    assert(try{ timeout = { total = 10 } })
    the_row()
  end)

  it("has it late is waited for", function()
    box:fault("solana_send_late", { seconds = 3, times = 1 })
    assert(gpu(open()))
    the_row()
  end)

  it("takes it and loses its own answer is asked again", function()
    box:fault("solana_send_lost", { times = 1 })
    assert(gpu(open()))
    the_row()
  end)

  it("confirms nothing in time says maybe, and the next call goes on", function()
    box:fault("solana_send_late", { seconds = 20, times = 1 })
    local result, _, err = try()
    assert.is_nil(result)
    assert.equal("maybe", err.paid)
    pass(30)
    assert(try{ timeout = { total = 10 } })
    the_row()
  end)

  it("goes away between signing and sending leaves nothing paid", function()
    box:fault("rpc_down", { method = "getSignatureStatuses" })
    local result, message, err = try()
    assert.is_nil(result)
    assert.equal("no", err.paid, message)
    assert.equal("connection", err.kind)
    box:clear()
    assert(try{ timeout = { total = 10 } })
    the_row()
  end)

  it("serves another chain is not sent to", function()
    box:fault("rpc_wrong_chain")
    local result, _, err = try()
    assert.is_nil(result)
    assert.equal("no", err.paid)
    assert.equal(0, moved())
  end)

  it("refuses what the account cannot pay says so", function()
    for _, lever in ipairs{ "balance", "sol" } do
      solana.lever(box, lever, { address = box.solana_address, amount = "0" })
      local result, message, err = try()
      assert.is_nil(result)
      assert.equal("insufficient_funds", err.code, message)
      assert.equal("no", err.expect)
      assert.equal(0, moved())
      solana.lever(box, lever, { address = box.solana_address, amount = "1" })
    end
    assert(try{ timeout = { total = 10 } })
    the_row()
  end)

  it("has it as a failure makes it signed again once it is dead", function()
    box:fault("solana_send_late", { seconds = 10, times = 1 })
    assert.is_nil((try()))
    solana.lever(box, "balance", { address = box.solana_address, amount = "0" })
    pass(30)
    local result, message, err = try()
    assert.is_nil(result)
    assert.equal("transaction_failed", err.code, message)
    assert.equal("maybe", err.paid)
    solana.lever(box, "balance", { address = box.solana_address, amount = "1" })
    pass(200)
    assert(try{ timeout = { total = 10 } })
    the_row()
  end)
end)

describe("a caller who", function()
  it("stops waiting has the answer from the next call", function()
    box:fault("settle_then_slow", { seconds = 2, times = 1, leg = "paid" })
    local client = open{ timeout = { connect = 2, idle = 5, total = 10 } }
    local result, _, err = gpu(client, { timeout = 1.2 })
    assert.is_nil(result)
    assert.not_equal("no", err.paid)
    assert(gpu(client))
    assert.equal(1, moved())
  end)

  it("reconciles meanwhile is told, and can still have the answer", function()
    box:fault("502_before_settle", { leg = "paid" })
    assert.is_nil((try()))
    box:clear()
    pass(100)
    local client = open()
    client:reconcile{ timeout = 10 }
    assert(gpu(client))
    the_row()
  end)

  it("reconciles when it is too late is told that it is lost", function()
    box:fault("502_before_settle", { leg = "paid" })
    assert.is_nil((try()))
    box:clear()
    pass(600)
    local client = open()
    client:reconcile{ timeout = 10 }
    local _, message, err = gpu(client)
    assert.equal("paid_lost", err.code, message)
    assert.equal(1, moved())
  end)

  it("turns the option off goes on with the transfer that was made", function()
    box:fault("502_before_settle", { leg = "paid" })
    assert.is_nil((try()))
    box:clear()
    assert(try{ solana_tx = false, timeout = { total = 10 } })
    the_row()
  end)
end)
