-- SPDX-License-Identifier: MIT
-- Against the transfer of the wallet's own (X-Solana-Tx): nodes and gateways that lie, callers who leave, clients that
-- differ. Judged by the sandbox's books and chain.
local cjson = require "cjson"
local live = require "spec.support.live"
local sandbox = require "spec.support.sandbox"
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
local PATIENT = { timeout = { connect = 2, idle = 1, total = 10 } }

-- Payments that were shown to the gateway.
local function shown() return #box:ledger().presented end

local function transport(request)
  local headers = {}
  for name, value in pairs(request.headers) do headers[name] = value end
  local path = request.url:match "^http://[^/]+(/.*)$"
  local answer, why = sandbox.fetch(box.url .. path, { method = request.method, headers = headers,
    body = request.body })
  if not answer then return nil, why end
  return { status = answer.status, headers = answer.headers, body = answer.body }
end

-- Time in which what is under way goes on.
local function rest(seconds)
  spraay.run(function() spraay.sleep(seconds) end)
end

-- Has the node been given the transfer by now?
local function sent()
  for _, fault in ipairs(box:faults().armed) do
    if fault.fault == "solana_send_late" and fault.struck > 0 then return true end
  end
  return false
end

-- Call, and go away as soon as the transfer has been sent, before it lands. Returns the error and what cancel said.
local function leave(client, seconds)
  box:fault("solana_send_late", { seconds = seconds or 2, times = 2 })
  local err, answer
  spraay.run(function()
    local task = spraay.spawn(gpu, client)
    repeat spraay.sleep(0.02) until sent()
    answer = task:cancel()
    err = select(3, task:wait())
  end)
  assert.equal("cancelled", err.kind)
  assert.equal("detached", answer)
  assert.equal("maybe", err.paid)
  return err
end

describe("an equal call that goes on with a transfer under way", function()
  it("takes over its flight", function()
    local client = open()
    leave(client)
    assert(gpu(client))
    the_row()
  end)

  it("and has no RPC waits no longer than it may, and pays nothing", function()
    local first = open()
    leave(first)
    local result, _, err = gpu(open{ rpc = false, solana_tx = false }, { timeout = 3 })
    assert.is_true(result ~= nil or err.paid ~= "no")
    assert(gpu(first))
    the_row()
  end)

  it("moves its bytes itself, or does so no more", function()
    leave(open{ transport = transport })
    assert(gpu(open()))
    the_row()
  end)
end)

describe("a reconciliation", function()
  for _, after in ipairs{ 100, 500, 1000 } do
    it("names no transfer to the gateway, " .. after .. " s after it", function()
      local client = open()
      local job = assert(gpu(client))
      box:fault("502_before_settle", { leg = "paid" })
      local look = open{ timeout = { connect = 2, idle = 1, total = 1.5 } }
      assert.is_nil((look:gpu_status(job.id)))
      assert.equal(2, moved())
      box:clear()
      pass(after)
      local before, requests = shown(), box:ledger().requests
      client:reconcile{ timeout = 10 }
      assert.equal(before, shown())
      assert.equal(requests, box:ledger().requests)
      assert.equal(2, moved())
    end)
  end
end)

describe("a caller's own transport", function()
  it("carries it", function()
    assert(gpu(open{ transport = transport }))
    the_row()
  end)

  for _, what in ipairs{ "its own", "none" } do
    it("that has gone leaves it to the next call, though that one has " .. what, function()
      leave(open{ transport = transport })
      rest(3)
      assert(gpu(open{ transport = what == "its own" and transport or nil }))
      the_row()
    end)
  end

  it("that has gone leaves it to another process", function()
    local first = open{ transport = transport }
    leave(first)
    rest(3.5)
    assert.equal(1, moved())
    assert.is_false(first:purchases{}[1].live)
    assert.equal("unknown", first:purchases{}[1].state)
  end)
end)

describe("a caller who goes away", function()
  it("before anything has left has nothing sent for him", function()
    box:fault("rpc_timeout", { method = "getSignatureStatuses", seconds = 0.5, times = 1 })
    local client = open{ timeout = { connect = 2, idle = 5, total = 10 } }
    spraay.run(function()
      local task = spraay.spawn(gpu, client)
      repeat spraay.sleep(0.02) until #box:faults().armed == 0
      task:cancel()
      task:wait()
    end)
    rest(2)
    assert.equal(0, moved())
    assert.equal(0, #client:purchases{})
    assert(gpu(client))
    the_row()
  end)
end)

-- Answers to "has it landed?" that say nothing, or the wrong thing.
local STATUSES = {
  nonsense = "\255", number = 7, list = { 1, 2 }, empty = { context = { slot = 1 }, value = cjson.empty_array },
  no_slot = { context = { slot = 1 }, value = { { err = cjson.null, confirmationStatus = "confirmed" } } },
  vast = { context = { slot = 1 }, value = { { err = cjson.null, confirmationStatus = "finalized", slot = 1.8e19 } } },
  negative = { context = { slot = 1 }, value = { { err = cjson.null, confirmationStatus = "finalized", slot = -1 } } },
  no_err = { context = { slot = 1 }, value = { { confirmationStatus = "finalized", slot = 7 } } },
  text = { context = { slot = 1 }, value = { "finalized" } },
  processed = { context = { slot = 1 }, value = { { err = cjson.null, confirmationStatus = "processed", slot = 7 } } },
}

describe("a node that says of the transfer", function()
  for name, result in pairs(STATUSES) do
    it(name .. " makes nobody pay twice", function()
      box:fault("rpc_answer", { method = "getSignatureStatuses", result = result, after = 1 })
      local _, message, err = try()
      assert.equal("maybe", err and err.paid, message)
      box:clear()
      assert(try(PATIENT))
      the_row()
    end)
  end

  it("that it is confirmed, when it is not, is not believed against the gateway", function()
    box:fault("solana_send_dropped")
    box:fault("rpc_answer", { method = "getSignatureStatuses", after = 1, result = { context = { slot = 1 },
      value = { { err = cjson.null, confirmationStatus = "confirmed", slot = 7 } } } })
    local _, message, err = try()
    assert.equal("maybe", err.paid, message)
    box:clear()
    assert(try(PATIENT))
    the_row()
  end)

  it("that it failed, when it landed, makes nobody pay twice", function()
    box:fault("rpc_answer", { method = "getSignatureStatuses", after = 1, result = { context = { slot = 1 },
      value = { { err = { InstructionError = { 2, { Custom = 1 } } }, confirmationStatus = "finalized",
        slot = 7 } } } })
    for _ = 1, 2 do
      local _, message, err = try()
      assert.equal("maybe", err.paid, message)
      pass(50)
    end
    pass(100)
    local _, message, err = try(PATIENT)
    assert.equal("yes", err.paid, message)
    assert.equal(1, moved())
    box:clear()
    assert.equal(1, moved())
  end)

  for _, error in ipairs{ { -32603, "Internal error" }, { -32005, "Node is behind by 42 slots" },
    { -32002, "Transaction simulation failed: Blockhash not found" },
    { -32002, "Transaction simulation failed: Error processing Instruction 2: custom program error: 0x1" },
    { -32002, "Transaction simulation failed: This transaction has already been processed" },
    { -32003, "Transaction signature verification failure" }, { -32601, "Method not found" } } do
    for _, seconds in ipairs{ 0, 5 } do
      it(("no: %s; and has it, %d s later"):format(error[2], seconds), function()
        box:fault("solana_send_denied", { code = error[1], message = error[2], seconds = seconds, times = 1 })
        local result, message, err = try()
        if not result then assert.equal("maybe", err.paid, message) end
        pass(30)
        if not result then assert(try(PATIENT)) end
        the_row()
      end)
    end
  end

  it("another name makes nobody pay twice", function()
    box:fault("rpc_answer", { method = "sendTransaction", result = ("5"):rep(87), times = 1 })
    local _, message, err = try()
    assert.equal("maybe", err.paid, message)
    assert(try(PATIENT))
    the_row()
  end)
end)

describe("a block whose time", function()
  for name, result in pairs{ vast = 1.8e19, negative = -5, text = "now", old = 1, tomorrow = os.time() + 86400 } do
    it("is " .. name .. " changes nothing", function()
      box:fault("rpc_answer", { method = "getBlockTime", result = result })
      box:fault("solana_tx_unseen", { times = 1 })
      local result_, message = gpu(open())
      if not result_ then result_, message = gpu(open()) end
      assert(result_, message)
      the_row()
    end)
  end
end)

-- With both wallets, and both chains to ask.
local function both(more)
  local all = { wallet = { spraay.wallet.file(box.keyfile), spraay.wallet.solana(world.key) },
    networks = { "base", "solana" }, rpc = { base = box.rpc, solana = box.solana_rpc } }
  for name, value in pairs(more or {}) do all[name] = value end
  return all
end

local function spent()
  local books = box:ledger()
  return books.count
end

describe("the option turned on", function()
  for _, first in ipairs{ "base", "solana" } do
    for _, named in ipairs{ false, true } do
      local what = (named and "a named" or "an") .. " equal purchase, begun on " .. first .. " by x402,"
      local opts = function() return named and { purchase = "lighthouse" } or nil end
      local before = function(more)
        local all = both{ solana_tx = false, networks = { first, first == "base" and "solana" or "base" } }
        for name, value in pairs(more or {}) do all[name] = value end
        return all
      end

      it("while " .. what .. " is open goes on with that", function()
        box:fault("settle_then_reset", { leg = "paid" })
        assert.is_nil((try(before(), opts())))
        box:clear()
        local result, message, err = try(both{ timeout = { total = 6 } }, opts())
        if not result then assert.not_equal("no", err.paid, message) end
        assert.equal(1, spent())
        pass(400)
        result, message, err = try(both{ timeout = { total = 10 } }, opts())
        if not result then assert.not_equal("no", err.paid, message) end
        assert.equal(1, spent())
      end)

      it("while " .. what .. " is void pays once", function()
        box:fault("reset_before_settle", { leg = "paid" })
        assert.is_nil((try(before(), opts())))
        box:clear()
        pass(400)
        local result, message = try(both{ timeout = { total = 10 } }, opts())
        assert(result, message)
        assert.equal(1, spent())
      end)

      it("while " .. what .. " is lost pays nothing, and once more when that is asked for", function()
        box:fault("settle_then_reset", { leg = "paid" })
        assert.is_nil((try(before(), opts())))
        box:clear()
        pass(700)
        local client = open(before())
        client:reconcile{ timeout = 5 }
        assert.equal("paid_lost", client:purchases{}[1].state)
        local _, message, err = try(both{ timeout = { total = 10 } }, opts())
        assert.equal("paid_lost", err and err.code, message)
        assert.equal(1, spent())
        local result
        result, message = try(both{ on_lost = "repay", timeout = { total = 10 } }, opts())
        assert(result, message)
        assert.equal(2, spent())
        assert.equal("self-paid", box:ledger().settled[2].via)
      end)
    end
  end

  it("and a token that is not USDC: the gateway would not see it", function()
    box:fault("solana_mint")
    local client = open{ assets = { { network = "solana", asset = "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo",
      decimals = 6 } } }
    assert.is_nil((client:quote("gpu", { model = "flux-dev", input = { prompt = "x" } }).self_paid))
    assert.is_nil((gpu(client)))
    for _, one in ipairs(box:ledger().settled) do assert.not_equal("self-paid", one.via) end
  end)

  for _, fault in ipairs{ "solana_tx_unsaid", "solana_tx_elsewhere", "price_raised" } do
    it("and a challenge with " .. fault .. " transfers nothing that would be gone", function()
      box:fault(fault, { mint = fault == "solana_tx_elsewhere" and world.n % 2 == 0 and solana.SYSTEM or nil })
      local result, message, err = gpu(open())
      if result then assert.equal(1, box:ledger().count) else assert.equal("no", err.paid, message) end
      for _, one in ipairs(box:ledger().settled) do assert.not_equal("self-paid", one.via) end
      assert.equal(box:ledger().count, moved())
    end)
  end
end)

describe("the caps", function()
  it("count it once, whatever becomes of it", function()
    local function totals() return open():purchases{} end
    box:fault("502_before_settle", { leg = "paid" })
    local client = open{ budget = "0.1", timeout = { connect = 2, idle = 1, total = 1.5 } }
    for _ = 1, 3 do assert.is_nil((gpu(client))) end
    world.n = world.n + 1000
    local result, _, err = gpu(client)
    assert.is_nil(result)
    assert.equal("over_budget", err.code)
    assert.equal(1, moved())
    assert.equal(1, #totals())
  end)

  it("have it back when it was never sent", function()
    local client = open{ budget = "0.1", timeout = { connect = 2, idle = 1, total = 1.5 } }
    for _ = 1, 3 do
      box:fault("rpc_down", { method = "getSignatureStatuses" })
      local _, message, err = gpu(client)
      assert.equal("no", err.paid, message)
      box:clear()
      world.n = world.n + 1000
    end
    assert(gpu(client))
    assert.equal(1, moved())
  end)
end)

describe("clocks that differ by an hour", function()
  for _, seconds in ipairs{ 3600, -3600 } do
    it(("ours %+d s: it is paid once"):format(seconds), function()
      world.ahead = seconds
      box:fault("solana_tx_unseen", { times = 1 })
      local result, message, err = gpu(open())
      if not result then
        assert.not_equal("no", err.paid, message)
        result, message = gpu(open())
      end
      assert(result, message)
      the_row()
    end)

    it(("ours %+d s from one try to the next: it is paid once"):format(seconds), function()
      box:fault("502_before_settle", { leg = "paid" })
      assert.is_nil((try()))
      box:clear()
      world.ahead = seconds
      open():reconcile{ timeout = 5 }
      local result, message = try(PATIENT)
      assert(result, message)
      the_row()
    end)

    it(("ours %+d s from one try to the next, and it was dropped: it is paid once"):format(seconds), function()
      box:fault("solana_send_dropped")
      assert.is_nil((try()))
      box:clear()
      world.ahead = seconds
      local client = open()
      client:reconcile{ timeout = 3 }
      local result, message = try(PATIENT)
      assert(result, message)
      the_row()
    end)
  end
end)

describe("a blockhash that dies between signing and sending", function()
  it("is found dead, proven so, and another is signed", function()
    box:fault("rpc_timeout", { method = "getSignatureStatuses", seconds = 0.5, times = 1 })
    local client, purchase = open{ timeout = { connect = 2, idle = 5, total = 10 } }, nil
    spraay.run(function()
      local task = spraay.spawn(gpu, client)
      repeat spraay.sleep(0.02) until #box:faults().armed == 0
      pass(200)
      purchase = assert(task:wait()).payment.purchase
    end)
    the_row()
    assert.equal(1, #client:purchases{})
    assert.equal(purchase, client:purchases{}[1].id)
  end)
end)

describe("an answer that", function()
  for _, status in ipairs{ 401, 403, 404, 405 } do
    it("turns the request away with " .. status .. " costs the result only for as long as it lasts", function()
      box:fault("solana_tx_turned_away", { status = status, leg = "paid", times = 1 })
      assert(gpu(open()))
      world.n = world.n + 1000
      box:fault("solana_tx_turned_away", { status = status, leg = "paid" })
      local _, message, err = try()
      assert.equal(status == 404 and "not_found" or "bad_request", err and err.code, message)
      assert.equal("yes", err.paid)
      box:clear()
      assert(try(PATIENT))
      assert.equal(2, moved())
    end)
  end

  it("says that the transfer failed is checked against the chain", function()
    box:fault("solana_tx_failed", { leg = "paid", times = 1 })
    assert(gpu(open()))
    the_row()
  end)
end)

describe("without a ledger on disk", function()
  it("the process remembers", function()
    box:fault("502_before_settle", { leg = "paid" })
    for _ = 1, 3 do assert.is_nil((try{ ledger = false })) end
    box:clear()
    assert(try{ ledger = false, timeout = { total = 10 } })
    the_row()
  end)

  it("a name is looked for on the chain", function()
    assert(try(PATIENT, { purchase = "attack " .. world.n }))
    world:move()
    for _ = 1, 2 do
      local _, message, err = try(PATIENT, { purchase = "attack " .. world.n })
      assert.equal("paid_before", err and err.code, message)
      assert.equal("yes", err.paid)
    end
    the_row()
  end)
end)

describe("spraay ledger", function()
  -- What a command prints, and its exit status.
  local function run(arguments)
    local line = ("env -u HOME -u XDG_STATE_HOME -u SPRAAY_STATE_DIR SPRAAY_SOLANA_KEY='%s' SPRAAY_GATEWAY=%s "
      .. "SPRAAY_SOLANA_RPC=%s lua5.4 -e %s /dev/null ledger %s --ledger %s"):format(box.solana_key, box.url,
      box.solana_rpc, "'os.exit(require \"spraay.cli\".main(arg))'", arguments, world.place)
    local pipe = io.popen("{ " .. line .. "; } 2>&1; echo \"status $?\"")
    local text = pipe:read "*a"
    pipe:close()
    return (text:gsub("status %d+\n$", "")), tonumber(text:match "status (%d+)\n$")
  end

  -- The name of the one transaction.
  local function landed()
    return solana.rpc(box, "getSignaturesForAddress", { solana.ata(box.solana_address),
      { commitment = "confirmed" } })[1].signature
  end

  local function lose()
    box:fault("502_before_settle", { leg = "paid" })
    local _, _, err = try()
    box:clear()
    return err.purchase
  end

  it("shows no transaction that could still be sent", function()
    box:fault("solana_send_dropped")
    local _, _, err = try()
    for _, command in ipairs{ "list", "list --json", "show " .. err.purchase, "verify" } do
      local text = run(command)
      assert.is_nil(text:match(("[%w+/=]"):rep(200)), text)
    end
  end)

  it("writes a claim that names the transaction", function()
    local id = lose()
    local name = landed()
    pass(700)
    local _, message, err = try(PATIENT)
    assert.equal("paid_lost", err and err.code, message)
    local text, status = run("claim " .. id)
    assert.equal(0, status, text)
    local claim = cjson.decode(text)
    assert.equal(name, claim.transaction)
  end)

  it("writes it where a reconciliation found out", function()
    local id = lose()
    local name = landed()
    pass(700)
    local client = open()
    client:reconcile{ timeout = 5 }
    client:close()
    local text, status = run("claim " .. id)
    assert.equal(0, status, text)
    assert.equal(name, cjson.decode(text).transaction)
    local result, message = try{ on_lost = "repay", timeout = { total = 10 } }
    assert(result, message)
    assert.equal(2, moved())
    local one = open()
    for _, row in ipairs(one:purchases{}) do
      if row.state == "taken" then assert.equal(result.payment.transaction, row.transaction) end
      if row.state == "paid_lost" then assert.equal(name, row.transaction) end
    end
  end)

  it("void and settle keep to their word", function()
    local id = lose()
    local text, status = run("settle " .. id)
    assert.equal(0, status, text)
    local _, message, err = try(PATIENT)
    assert.equal("paid_lost", err and err.code, message)
    assert.equal(1, moved())
  end)

  it("verify finds nothing, and repair keeps what can go on", function()
    local id = lose()
    local text, status = run("verify")
    assert.equal(0, status, text)
    text, status = run("repair")
    assert.equal(0, status, text)
    local result, message = try(PATIENT)
    assert(result, message)
    assert.equal(id, result.payment.purchase)
    the_row()
  end)
end)

describe("an error that comes between two tries", function()
  it("does not say yes where the gateway's node says that there is no such transfer", function()
    box:fault("solana_send_dropped")
    box:fault("rpc_answer", { method = "getSignatureStatuses", after = 1, result = { context = { slot = 1 },
      value = { { err = cjson.null, confirmationStatus = "confirmed", slot = 7 } } } })
    local client, err = open(), nil
    spraay.run(function()
      local task = spraay.spawn(gpu, client)
      repeat spraay.sleep(0.02) until shown() > 0
      spraay.sleep(0.3)
      task:cancel()
      err = select(3, task:wait())
    end)
    assert.equal("maybe", err.paid)
    box:clear()
    assert(try(PATIENT))
    the_row()
  end)
end)

describe("a process that ends", function()
  -- Of a script that buys and ends in the given way: what it writes.
  local function script(ending)
    local file = live.secret(([[
      local spraay = require "spraay"
      local client = assert(spraay.open{ gateway = %q, wallet = spraay.wallet.solana(%q), networks = { "solana" },
        solana_tx = true, rpc = { solana = %q }, per_day = "1000", ledger = %q,
        timeout = { connect = 2, idle = 5, total = 20 } })
      local function gpu() return client:gpu({ model = "flux-dev", input = { prompt = "lighthouse %d" } }) end
      %s
    ]]):format(box.url, world.key, box.solana_rpc, world.place, world.n, ending))
    local pipe = io.popen(("timeout 60 lua5.4 %s 2>&1"):format(file))
    local text = pipe:read "*a"
    pipe:close()
    os.remove(file)
    return text
  end

  for name, ending in pairs{
    ["by os.exit"] = "os.exit(0)", ["by os.exit, closing its state"] = "os.exit(0, true)",
    ["by SIGINT"] = 'os.execute("kill -INT $PPID") spraay.sleep(30)',
    ["by SIGKILL"] = 'os.execute("kill -KILL $PPID") spraay.sleep(30)',
  } do
    it(name .. " leaves it to the next", function()
      box:fault("solana_send_late", { seconds = 3, times = 9 })
      script("spraay.run(function() spraay.spawn(gpu) spraay.sleep(0.5) " .. ending .. " end)")
      local row = open():purchases{}[1]
      assert.is_true(moved() <= 1)
      rest(3)
      local result, message = try(PATIENT)
      assert(result, message)
      assert.equal(row and row.state == "taken" and 2 or 1, moved())
    end)
  end
end)

describe("two at the same moment", function()
  it("of one client are two purchases, and each is paid once", function()
    local client = open()
    spraay.run(function()
      local a, b = spraay.spawn(gpu, client), spraay.spawn(gpu, client)
      assert(a:wait())
      assert(b:wait())
    end)
    assert.equal(2, box:ledger().count)
    assert.equal(2, moved())
  end)

  it("that both go on with one transfer do not make another", function()
    local first = open()
    leave(first, 3)
    local done = 0
    spraay.run(function()
      for _, client in ipairs{ first, open() } do
        spraay.spawn(function()
          if gpu(client, { timeout = 8 }) then done = done + 1 end
        end)
      end
    end)
    assert.is_true(done >= 1)
    assert.equal(done, moved())
  end)
end)

describe("what the client says", function()
  it("never holds the transaction", function()
    local texts = {}
    box:fault("solana_send_dropped")
    local client = open{ on_pay = function(terms)
      for name, value in pairs(terms) do texts[#texts + 1] = name .. tostring(value) end
      return true
    end, log = function(line) texts[#texts + 1] = line end }
    local _, message, err = gpu(client)
    texts[#texts + 1] = message
    texts[#texts + 1] = tostring(err) .. tostring(client)
    for name, value in pairs(err) do texts[#texts + 1] = name .. tostring(value) end
    for _, row in ipairs(client:purchases{}) do
      for name, value in pairs(row) do texts[#texts + 1] = name .. tostring(value) end
    end
    local all = table.concat(texts, "\n")
    assert.is_nil(all:match(("[%w+/=]"):rep(200)), all)
  end)
end)

describe("a chain that cannot be asked any more", function()
  local ways = { ["is down"] = { fault = "rpc_down" }, ["never answers"] = { fault = "rpc_timeout" },
    ["refuses"] = { fault = "rpc_429" }, ["has no RPC"] = { open = { rpc = false, solana_tx = false } } }
  for name, way in pairs(ways) do
    it("because it " .. name .. " does not keep the gateway from its answer", function()
      box:fault("502_before_settle", { leg = "paid" })
      assert.is_nil((try()))
      box:clear()
      if way.fault then box:fault(way.fault) end
      local result, message, err
      for _ = 1, 2 do       -- the answer may come when the first has no time any more
        if not result then result, message, err = try(way.open) end
        if not result then assert.not_equal("no", err.paid) end
        rest(0.5)
      end
      assert(result, message)
      box:clear()
      the_row()
    end)

    it("because it " .. name .. " makes nobody pay twice for what never landed", function()
      box:fault("solana_send_dropped")
      assert.is_nil((try()))
      assert.is_nil((try()))
      box:clear()
      if way.fault then box:fault(way.fault) end
      for _ = 1, 2 do
        local _, message, err = try(way.open)
        assert.equal("maybe", err and err.paid, message)
      end
      box:clear()
      assert(try(PATIENT))
      the_row()
    end)
  end
end)
