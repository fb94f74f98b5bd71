-- SPDX-License-Identifier: MIT
-- The same retry loop as in lost_answers_spec.lua on Solana, where no nonce protects the payer: only the memo on the
-- chain, and the ledger. With an RPC and without one, the judge is the sandbox's books: never two settlements for one
-- intent, and nothing signed again before the chain says that the first payment is dead.
local live = require "spec.support.live"
local processes = require "spec.support.processes"
local solana = require "spec.support.solana"
local spraay = require "spraay"

local MAINNET = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"

local box, key, n, ahead, clients

local function open(options)
  local all = { gateway = box.url, wallet = spraay.wallet.solana(key), networks = { "solana" },
    rpc = { solana = box.solana_rpc }, per_day = "1000", timeout = { connect = 2, idle = 1, total = 1.5 },
    clock = function() return os.time() + ahead end }
  for name, value in pairs(options or {}) do all[name] = value end
  local client = assert(spraay.open(all))
  clients[#clients + 1] = client
  return client
end

setup(function()
  box = live.start{}
  key = live.secret(box.solana_key)
  n = 0
end)

teardown(function()
  live.stop(box)
  os.remove(key)
end)

before_each(function()
  box:clear()
  box:reset()
  n, ahead, clients = n + 1, 0, {}
end)

after_each(function()
  for _, client in ipairs(clients) do client:close() end
end)

-- Time passes for everybody.
local function pass(seconds)
  box:advance(seconds)
  ahead = ahead + seconds
end

local function chat(client) return client:chat("question " .. n) end

-- A client of its own for every try.
local function three_tries(options)
  local errors = {}
  for _ = 1, 3 do
    local client = open(options)
    local result, _, err = chat(client)
    client:close()
    if result then return result, errors end
    errors[#errors + 1] = err
  end
  return nil, errors
end

local function moved() return solana.moved(box) end

-- Different payments that the gateway was shown, told by their bytes.
local function signed()
  local seen, count = {}, 0
  for _, one in ipairs(box:ledger().presented) do
    assert(type(one.key) == "string")
    if not seen[one.key] then seen[one.key], count = true, count + 1 end
  end
  return count
end

describe("a call", function()
  it("is paid on Solana, with the purchase's mark as its memo", function()
    local client = open()
    local result = assert(chat(client))
    assert.equal("settled", result.payment.status)
    assert.equal(MAINNET, result.payment.network)
    assert.equal(box.solana_address, result.payment.payer)
    assert.equal("0.030000", result.payment.amount)
    local books = box:ledger()
    assert.equal(1, books.count)
    assert.equal(result.payment.transaction, books.settled[1].transaction)
    local row = client:purchases{ id = result.payment.purchase }[1]
    assert.equal(row.nonce:sub(3, 34), books.settled[1].memo)
    assert.equal(1, moved())
  end)

  it("speaks x402 version 1 too", function()
    box:fault "v1"
    assert.equal("settled", assert(chat(open())).payment.status)
    assert.equal(1, box:ledger().count)
  end)

  it("takes the blockhash that the offer brings, with an RPC and without one", function()
    box:fault "solana_blockhash"
    assert.equal("settled", assert(chat(open())).payment.status)
    assert.equal("settled", assert(open{ rpc = false }:chat "without one").payment.status)
    assert.equal(2, box:ledger().count)
  end)

  it("carries the memo that the offer demands", function()
    box:fault "solana_memo"
    local seen
    local client = open{ on_pay = function(terms) seen = terms return true end }
    assert.equal("settled", assert(chat(client)).payment.status)
    assert.equal("order-7", seen.memo)
    assert.equal(box:ledger().settled[1].payer, seen.payer)
    assert.is_string(seen.fee_payer)
    assert.equal("order-7", box:ledger().settled[1].memo)
  end)

  it("is refused without an RPC when the offer brings no blockhash, unsigned", function()
    local result, message, err = chat(open{ rpc = false })
    assert.is_nil(result)
    assert.equal("policy", err.kind)
    assert.equal("rpc", err.code)
    assert.equal("no", err.paid)
    assert.truthy(message:find("SPRAAY_SOLANA_RPC", 1, true))
    assert.equal(0, #box:ledger().presented)
  end)

  for _, fault in ipairs{ "rpc_down", "rpc_reset", "rpc_500", "rpc_429", "rpc_garbage", "rpc_wrong_chain",
    "rpc_error" } do
    it("is not signed when the RPC is asked for a blockhash and meets " .. fault, function()
      box:fault(fault)
      local result, _, err = chat(open())
      assert.is_nil(result)
      assert.equal("connection", err.kind)
      assert.equal("rpc", err.code)
      assert.equal("no", err.paid)
      assert.equal(0, #box:ledger().presented)
      box:clear()
      assert.equal("settled", assert(chat(open())).payment.status)
      assert.equal(1, box:ledger().count)
    end)
  end

  it("dies with its blockhash, and is then paid anew when the chain says that it did not settle", function()
    box:fault("rpc_lagging", { times = 2, seconds = 600 })   -- genesis and a blockhash of ten minutes ago
    local result, _, err = chat(open())
    assert.is_nil(result)
    assert.not_equal("yes", err.paid)
    assert.equal(0, box:ledger().count)
    pass(200)
    assert.equal("settled", assert(chat(open{ timeout = { total = 10 } })).payment.status)
    assert.equal(1, box:ledger().count)
    assert.equal(1, moved())
  end)
end)

-- Settled, and the answer lost or spoiled. `delivered`: it arrives all the same.
local AFTER = {
  { "settle_then_402" }, { "settle_then_402_bare" }, { "settle_then_402_changed" }, { "settle_then_429" },
  { "settle_then_500" }, { "settle_then_502" }, { "settle_then_503" }, { "settle_then_504" },
  { "settle_then_close" }, { "settle_then_html" }, { "settle_then_pending" }, { "settle_then_redirect" },
  { "settle_then_reset" }, { "settle_then_truncate" }, { "settle_then_truncate_headers" },
  { "settle_then_unclear" },
  { "settle_then_no_receipt", delivered = "unconfirmed" }, { "settle_then_receipt_false", delivered = "unconfirmed" },
  { "settle_then_receipt_garbled", delivered = "unconfirmed" },
  { "settle_then_receipt_other_network", delivered = "unconfirmed" },
  { "settle_then_receipt_other_payer", delivered = "unconfirmed" },
  { "settle_then_receipt_text", delivered = "unconfirmed" },
}

for _, rpc in ipairs{ "with an RPC", "without one" } do
  describe("after settling, " .. rpc .. ", a three-try loop pays once when the gateway's answer is", function()
    for _, case in ipairs(AFTER) do
      it((case[1]:gsub("settle_then_", "")), function()
        local options = {}
        if rpc == "without one" then
          box:fault "solana_blockhash"
          options.rpc = false
        end
        box:fault(case[1], { times = 1 })
        local result, errors = three_tries(options)
        assert.equal(1, box:ledger().count)
        assert.equal(1, moved())
        if case.delivered then
          assert.equal(case.delivered, assert(result).payment.status)
          return
        end
        for _, err in ipairs(errors) do
          assert.not_equal("no", err.paid)
          assert.equal(errors[1].purchase, err.purchase)
        end
        -- Long after, the chain tells, and still nothing is signed again.
        pass(700)
        local late, _, err = chat(open(options))
        assert.equal(1, box:ledger().count)
        assert.equal(1, signed())
        if late then
          assert.is_not_equal("settled", late.payment.status)
        else
          assert.equal(rpc == "with an RPC" and "yes" or "maybe", err.paid)
        end
      end)
    end
  end)
end

-- Lost before settling: the gateway recovers, so the call must succeed, paid once.
local BEFORE = { "reset_on_probe", "close_on_accept", "reset_before_settle", "502_before_settle", "503_before_settle",
                 "handler_crash", "upstream_503", "verify_down", "facilitator_nonsense", "settle_unclear",
                 "settle_crashes", "html_502", "redirect_same", "huge_challenge" }

describe("before settling, a three-try loop gets its answer and pays once after", function()
  for _, fault in ipairs(BEFORE) do
    it(fault, function()
      box:fault(fault, { times = 1 })
      local result, errors = three_tries{ timeout = { connect = 2, idle = 1, total = 3 } }
      assert(result, tostring(errors[#errors]))
      assert.equal("settled", result.payment.status)
      assert.equal(1, box:ledger().count)
      assert.equal(1, moved())
    end)
  end
end)

describe("a payment that nobody settled", function()
  -- Presented once, and the gateway keeps silent about it until its blockhash has died.
  local function lose(options)
    box:fault("reset_before_settle")
    local result, _, err = chat(open(options))
    assert.is_nil(result)
    assert.equal("maybe", err.paid)
    box:clear()
    return err
  end

  it("is presented again with the same bytes while it lives", function()
    local err = lose()
    local result = assert(chat(open()))
    assert.equal("settled", result.payment.status)
    assert.equal(err.purchase, result.payment.purchase)
    assert.equal(1, signed())
  end)

  it("is signed again with the same memo once the chain says that it is dead", function()
    local err = lose()
    pass(200)
    local result = assert(chat(open{ timeout = { total = 10 } }))
    assert.equal("settled", result.payment.status)
    assert.equal(err.purchase, result.payment.purchase)
    local books = box:ledger()
    assert.equal(1, books.count)
    assert.equal(2, signed())
    for _, one in ipairs(books.presented) do assert.equal(books.settled[1].memo, one.nonce) end
  end)

  it("is never signed again without an RPC", function()
    box:fault "solana_blockhash"
    box:fault("reset_before_settle")
    local _, _, err = chat(open{ rpc = false })
    assert.equal("maybe", err.paid)
    box:clear()
    box:fault "solana_blockhash"
    for _, seconds in ipairs{ 100, 200, 2000 } do
      pass(seconds)
      local result, _, later = chat(open{ rpc = false })
      assert.is_nil(result)
      assert.equal("maybe", later.paid)
      assert.equal(err.purchase, later.purchase)
    end
    assert.equal(0, box:ledger().count)
    assert.equal(1, signed())
  end)

  it("is not signed again while its end is not final", function()
    lose()
    box:fault("solana_unfinal")
    pass(200)
    local result, _, err = chat(open())
    assert.is_nil(result)
    assert.equal("maybe", err.paid)
    assert.equal(1, signed())
    box:clear()
    assert.equal("settled", assert(chat(open{ timeout = { total = 10 } })).payment.status)
    assert.equal(1, box:ledger().count)
  end)

  for _, fault in ipairs{ "rpc_down", "rpc_reset", "rpc_500", "rpc_429", "rpc_garbage", "rpc_wrong_chain", "rpc_error",
    "rpc_lagging", "rpc_split" } do
    it("is not signed again when the chain is asked and meets " .. fault, function()
      lose()
      pass(200)
      box:fault(fault)
      local result, _, err = chat(open())
      assert.is_nil(result)
      assert.equal("maybe", err.paid)
      assert.equal(1, signed())
      assert.equal(0, box:ledger().count)
    end)
  end

  it("moves once through an RPC that lags behind the blockhash of the offer", function()
    box:fault "solana_blockhash"
    box:fault("rpc_lagging", { seconds = 800 })
    box:fault("settle_then_reset", { times = 1 })
    assert.equal("maybe", select(3, chat(open())).paid)
    for _ = 1, 4 do
      pass(200)
      local result, _, err = chat(open())
      assert.is_nil(result)
      assert.not_equal("no", err.paid)
      assert.is_true(moved() <= 1)
    end
    box:clear()   -- it has caught up
    pass(600)
    local result, _, err = chat(open{ timeout = { total = 10 } })
    assert.is_true(result ~= nil or err.paid == "yes")
    assert.equal(1, moved())
  end)

  it("is signed over the RPC's own blockhash where that does not know the server's, and ends with it", function()
    lose()
    pass(200)
    box:fault "solana_blockhash"
    box:fault("rpc_lagging", { seconds = 800, method = "isBlockhashValid" })
    box:fault "reset_before_settle"
    assert.equal("maybe", select(3, chat(open{ timeout = { total = 10 } })).paid)
    assert.equal(2, signed())
    assert.equal(0, moved())
    box:clear()
    pass(300)
    assert.equal("settled", assert(chat(open{ timeout = { total = 10 } })).payment.status)
    assert.equal(1, moved())
  end)

  it("is not signed again on the word of a ledger whose last height was changed", function()
    local place = processes.place()
    lose{ ledger = place }
    for _, client in ipairs(clients) do client:close() end
    local changed = os.execute(("sqlite3 -cmd '.timeout 9000' %s 'UPDATE purchase SET last_height = 1'"):format(place))
    assert.truthy(changed == true or changed == 0)
    local result, _, err = chat(open{ ledger = place, timeout = { total = 10 } })
    processes.clear(place)
    assert.is_nil(result)
    assert.equal("ledger_corrupt", err.code)
    assert.equal(1, signed())
  end)

  it("may land late: it is found by its memo, and not bought again", function()
    box:fault("solana_settle_late", { times = 1, seconds = 45 })
    local _, _, err = chat(open())
    assert.equal("maybe", err.paid)
    pass(40)
    box:fault("reset_before_settle")
    local _, _, second = chat(open())
    assert.equal("maybe", second.paid)
    box:clear()
    pass(160)
    local _, _, third = chat(open())
    assert.equal("yes", third.paid)
    assert.equal("paid_lost", third.code)
    assert.equal(err.purchase, third.purchase)
    assert.equal(1, box:ledger().count)
    assert.equal(1, moved())
  end)

  it("is told from strangers' transfers to the same account", function()
    lose()
    solana.lever(box, "noise", { address = box.solana_address, count = 1200, amount = "0.000001" })
    pass(200)
    assert.equal("settled", assert(chat(open{ timeout = { total = 20 } })).payment.status)
    assert.equal(1, box:ledger().count)
  end)
end)
