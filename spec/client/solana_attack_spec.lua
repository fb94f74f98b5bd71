-- SPDX-License-Identifier: MIT
-- Ways by which a payment on Solana could be made twice, or be told wrongly. Judged by the sandbox's books and chain.
local cjson = require "cjson"
local core = require "spraay.core"
local ledger_of = require "spraay.ledger"
local live = require "spec.support.live"
local processes = require "spec.support.processes"
local solana = require "spec.support.solana"
local spraay = require "spraay"

local box, key, n, ahead, clients, place
local places = {}

local function open(options)
  local all = { gateway = box.url, wallet = { spraay.wallet.file(box.keyfile), spraay.wallet.solana(key) },
    networks = { "solana", "base" }, rpc = { solana = box.solana_rpc, base = box.rpc }, per_day = "1000",
    ledger = place, timeout = { connect = 2, idle = 1, total = 1.5 }, clock = function() return os.time() + ahead end }
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
  for _, one in ipairs(places) do processes.clear(one) end
end)

before_each(function()
  box:clear()
  box:reset()
  box:config{ networks = { "base", "solana" } }
  n, ahead, clients, place = n + 1, 0, {}, processes.place()
end)

after_each(function()
  for _, client in ipairs(clients) do client:close() end
  places[#places + 1] = place
end)

local function pass(seconds)
  box:advance(seconds)
  ahead = ahead + seconds
end

local function chat(client, opts) return client:chat("question " .. n, opts) end

local function moved() return solana.moved(box) end

describe("an RPC that comes and goes", function()
  it("does not prove dead what was signed without one", function()
    box:fault("reset_before_settle")
    assert.is_nil((chat(open())))
    box:clear()
    pass(200)
    local client = open()
    client:reconcile{ timeout = 10 }
    client:close()
    box:fault "solana_blockhash"
    box:fault("solana_settle_late", { times = 1, seconds = 59 })
    local result, _, err = chat(open{ rpc = false })
    assert.is_nil(result)
    assert.equal("maybe", err.paid)
    box:clear()
    pass(62)
    result, _, err = chat(open())
    assert.is_nil(result)
    assert.not_equal("no", err.paid)
    pass(300)
    assert.is_true(moved() <= 1)
    chat(open())
    assert.equal(1, moved())
  end)

  it("does not prove dead too early what was signed while it lagged", function()
    box:fault "solana_blockhash"
    box:fault("rpc_lagging", { seconds = 160, route = "rpc/solana" })
    box:fault("solana_settle_late", { times = 1, seconds = 59 })
    local result, _, err = chat(open())
    assert.is_nil(result)
    assert.equal("maybe", err.paid)
    box:clear()
    pass(62)
    chat(open())
    pass(300)
    assert.equal(1, moved())
  end)
end)

describe("a memo that the offer demands", function()
  -- Several at once, of the same price: nothing but the blockhash tells their messages from each other.
  local function crowd(options)
    local client, tasks, results = open(options), {}, {}
    for i = 1, 4 do
      tasks[i] = spraay.spawn(function() return client:chat(("question %d of %d"):format(i, n)) end)
    end
    for i, task in ipairs(tasks) do
      local result, _, err = task:wait()
      results[i] = result and { paid = result.payment.status } or { paid = err.paid, code = err.code }
    end
    return results
  end

  for _, kept in ipairs{ "on disk", "in memory" } do
    it("does not make one transfer of several purchases, " .. kept, function()
      box:fault "solana_memo"
      local ledger = kept == "on disk" and place
      for _, one in ipairs(crowd{ timeout = { total = 10 }, ledger = ledger }) do assert.equal("settled", one.paid) end
      assert.equal(4, moved())
      box:fault("solana_memo", { blockhash = solana.lever(box).blockhash })
      for _, one in ipairs(crowd{ timeout = { total = 10 }, ledger = ledger }) do assert.equal("settled", one.paid) end
      assert.equal(8, moved())
    end)

    it("is paid for one purchase of several where only the server gives a blockhash, " .. kept, function()
      box:fault("solana_memo", { blockhash = solana.lever(box).blockhash })
      local settled = 0
      for _, one in ipairs(crowd{ rpc = false, ledger = kept == "on disk" and place }) do
        if one.paid == "settled" then settled = settled + 1 else assert.same({ paid = "no", code = "memo" }, one) end
      end
      assert.equal(1, settled)
      assert.equal(1, moved())
    end)
  end

  it("is still known for another purchase's when the ledger was repaired in between", function()
    box:fault("solana_memo", { blockhash = solana.lever(box).blockhash })
    local client = open{ rpc = false }
    assert.equal("settled", assert(chat(client)).payment.status)
    assert.same({}, ledger_of.ask(place, "repair", { wallet = client.config.wallets[1]:key() }))
    local result, _, err = client:chat "another"
    assert.is_nil(result)
    assert.equal("memo", err.code)
    assert.equal("no", err.paid)
    assert.equal(1, #box:ledger().presented)
    assert.equal(1, moved())
  end)

  for _, kept in ipairs{ "on disk", "in memory" } do
    it("cannot make another purchase look paid, " .. kept, function()
      local ledger = kept == "on disk" and place
      box:fault "reset_before_settle"
      local _, _, lost = chat(open{ ledger = ledger })
      assert.equal("maybe", lost.paid)
      box:clear()
      box:fault("solana_memo", { memo = box:ledger().presented[1].nonce })
      local result, _, err = open{ ledger = ledger }:chat "another"
      assert.is_nil(result)
      assert.equal("memo", err.code)
      assert.equal("no", err.paid)
      assert.equal(0, moved())
      pass(300)
      result = assert(chat(open{ ledger = ledger, timeout = { total = 10 } }))   -- its own purchase may have it
      assert.equal(lost.purchase, result.payment.purchase)
      assert.equal(1, moved())
    end)
  end
end)

describe("the owner's word", function()
  local function close(id, settled)
    local wallet
    for _, one in ipairs(clients[#clients].config.wallets) do
      if one:address() == box.solana_address then wallet = one:key() end
    end
    return ledger_of.ask(place, "close", { id = id, settled = settled, wallet = wallet })
  end

  it("that a payment never settles is not taken while it may", function()
    box:fault("solana_settle_late", { times = 1, seconds = 30 })
    local _, _, lost = chat(open())
    assert.equal("maybe", lost.paid)
    local done, why, err = close(lost.purchase, false)
    assert.is_nil(done)
    assert.equal("purchase_state", err.code)
    assert.truthy(why:find "can settle until %d%d:%d%d:%d%d UTC")
    box:clear()
    chat(open())
    pass(31)
    chat(open{ timeout = { total = 10 } })
    assert.equal(1, moved())
  end)

  it("that a payment never settled is not taken where the chain says that it did", function()
    ahead = -400   -- as if it had been signed a while ago
    box:fault "solana_blockhash"
    box:fault "settle_then_reset"
    local _, _, lost = chat(open{ rpc = false })
    assert.equal("maybe", lost.paid)
    assert(close(lost.purchase, false))
    box:clear()
    ahead = 0
    local client = open()
    local result, message, err = chat(client)
    assert.is_nil(result)
    assert.equal("paid_lost", err.code, message)
    assert.equal("yes", err.paid)
    assert.equal(lost.purchase, err.purchase)
    assert.equal(1, moved())
    local row = client:purchases{ id = lost.purchase }[1]
    assert.equal("paid_lost", row.state)
    assert.equal("30000", box:ledger().settled[1].amount)
    assert.equal("0.030000", row.amount)
    pass(700)
    assert.equal("settled", assert(chat(open{ on_lost = "repay", timeout = { total = 10 } })).payment.status)
    assert.equal(2, moved())
  end)

  it("that a payment never settled is taken where the chain has it nowhere, or cannot be asked", function()
    for i, rpc in ipairs{ box.solana_rpc, false } do
      ahead = -400
      box:fault "solana_blockhash"
      box:fault "reset_before_settle"
      local _, _, lost = open{ rpc = false }:chat(("question %d.%d"):format(n, i))
      assert(close(lost.purchase, false))
      box:clear()
      ahead = 0
      box:fault "solana_blockhash"
      local result = assert(open{ rpc = rpc and { solana = rpc } }:chat(("question %d.%d"):format(n, i)))
      assert.equal(lost.purchase, result.payment.purchase)
      assert.equal(i, moved())
    end
  end)

  it("that a payment settled is taken at any time", function()
    box:fault("solana_settle_late", { times = 1, seconds = 30 })
    local _, _, lost = chat(open())
    assert(close(lost.purchase, true))
    local _, _, err = chat(open())
    assert.equal("paid_lost", err.code)
    pass(31)
    assert.equal(1, moved())
  end)
end)

describe("a name", function()
  it("is never paid under a memo of the server's, though it was signed under its own before", function()
    for _, options in ipairs{ { run = "r" }, {} } do
      local opts = not options.run and { purchase = "named " .. n } or nil
      box:fault "reset_before_settle"
      assert.is_nil((chat(open(options), opts)))
      box:clear()
      pass(300)
      box:fault "solana_memo"
      local before = #box:ledger().presented
      options.timeout = { total = 10 }
      local result, _, err = chat(open(options), opts)
      assert.is_nil(result)
      assert.equal("memo", err.code)
      assert.equal("no", err.paid)
      assert.equal(before, #box:ledger().presented)
      box:clear()
      assert.equal("settled", assert(chat(open(options), opts)).payment.status)
    end
    assert.equal(2, moved())
  end)
end)

describe("the bytes moved by another client", function()
  local function ask(client)
    return assert(spraay.x402.session(client, { method = "POST", url = "/api/v1/compute/text-inference",
      body = { model = "meta-llama/Llama-3.3-70B-Instruct", messages = { { role = "user", content = "n " .. n } } } }))
  end

  local function post(headers)
    return box:request("POST", "/api/v1/compute/text-inference", { headers = headers, body = assert(cjson.encode{
      model = "meta-llama/Llama-3.3-70B-Instruct", messages = { { role = "user", content = "n " .. n } } }) })
  end

  local function drive(client, from)
    local session, seen = ask(client), {}
    local what, headers, err = session:step()
    while what == "send" do
      seen[#seen + 1] = headers["PAYMENT-SIGNATURE"] or "probe"
      local answer, why = post(headers)
      if answer then
        what, headers, err = session:step(answer.status, answer.headers, answer.body)
      else
        what, headers, err = session:step(false, tostring(why))
      end
    end
    return what, headers, err, seen, from
  end

  it("pay once over a lost answer, and again by nobody", function()
    box:fault("settle_then_reset", { times = 1 })
    local what, _, err = drive(open{ timeout = { total = 3 } })
    assert.is_nil(what)
    assert.not_equal("no", err.paid)
    pass(300)
    what, _, err = drive(open{ timeout = { total = 3 } })
    assert.is_nil(what)
    assert.equal("paid_lost", err.code)
    assert.equal("yes", err.paid)
    assert.equal(1, moved())
  end)

  it("are signed anew when the chain says that they are dead", function()
    box:fault("reset_before_settle")
    assert.is_nil((drive(open{ timeout = { total = 2 } })))
    box:clear()
    pass(300)
    local what, result, err = drive(open{ timeout = { total = 10 } })
    assert.equal("done", what, tostring(err))
    assert.equal("settled", result.payment.status)
    assert.equal(1, moved())
  end)
end)

describe("a stream paid on Solana", function()
  local function stream(client)
    return client:request("POST", "/api/v1/chat/completions",
      { stream = true, messages = { { role = "user", content = "story " .. n } } }, { stream = true, max = "0.05" })
  end

  for _, fault in ipairs{ "settle_then_reset", "settle_then_truncate", "settle_then_502", "settle_then_402",
    "reset_before_settle", "settle_then_no_receipt" } do
    it("is paid once: " .. fault, function()
      box:fault(fault, { times = 1 })
      local result, _, err = stream(open())
      local first = result and (result.payment.status) or err.paid
      if result then
        local piece
        repeat
          piece, _, err = result:read()
        until not piece
      end
      local count = moved()
      assert.is_true(count <= 1)
      if count == 1 then assert.not_equal("no", err and err.paid or first) end
      pass(300)
      local again, _, later = stream(open{ timeout = { total = 10 } })
      assert.equal(first == "unconfirmed" and 2 or 1, moved())   -- what was handed over is history
      if again then again:close() end
      if count == 1 and later then assert.equal("yes", later.paid) end
    end)
  end
end)

describe("wallets that change", function()
  local sets = {
    both = function() return { spraay.wallet.file(box.keyfile), spraay.wallet.solana(key) } end,
    solana = function() return spraay.wallet.solana(key) end,
    base = function() return spraay.wallet.file(box.keyfile) end,
  }

  -- The third: a rail whose wallet has gone.
  local cases = { { "solana", "both" }, { "both", "solana", "base" }, { "both", "base", "solana" }, { "base", "both" } }

  for _, case in ipairs(cases) do
    for _, order in ipairs{ { "solana", "base" }, { "base", "solana" } } do
      for _, kept in ipairs{ "on disk", "in memory" } do
        it(("do not make a call pay twice: %s, then %s, preferring %s, %s"):format(case[1], case[2], order[1], kept),
          function()
            local function again(wallets)
              return chat(open{ wallet = sets[wallets](), networks = order, ledger = kept == "on disk" and place })
            end
            box:fault "settle_then_reset"
            local result, _, err = again(case[1])
            assert.is_nil(result)
            assert.not_equal("no", err.paid)
            box:clear()
            local later, message, other = again(case[2])
            assert.equal(1, box:ledger().count)
            if later then
              assert.equal(err.purchase, later.payment.purchase)
            else
              assert.not_equal("no", other.paid)
              assert.not_equal("no", other.expect)
            end
            if case[3] == order[1] then
              assert.equal("other_wallet", other.code)
              assert.truthy(message:find(case[3] == "solana" and box.solana_address or box.address, 1, true))
            end
          end)
      end
    end
  end

  it("do not go on with what another key of the same rail began, and say so", function()
    box:fault "settle_then_reset"
    assert.is_nil((chat(open())))
    box:clear()
    local seed = ("\66"):rep(32)
    local other = live.secret(core.base58_encode(seed .. core.ed25519_public(seed)))
    local result, message, err = chat(open{ wallet = { spraay.wallet.file(box.keyfile), spraay.wallet.solana(other) } })
    assert.is_nil(result)
    assert.equal("other_wallet", err.code)
    assert.equal("maybe", err.paid)
    assert.truthy(message:find(box.solana_address, 1, true))
    os.remove(other)
    assert.equal(1, box:ledger().count)
  end)
end)
