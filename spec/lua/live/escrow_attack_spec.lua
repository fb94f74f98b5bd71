-- SPDX-License-Identifier: MIT
-- Escrow deposits and refunds under attack: nodes that lie, blocks that are undone, processes that die in the worst
-- moment, ledgers that lost a page. The sandbox's chain counts what was deposited.
local dialect = require "spraay.futures.dialect"
local engine = require "spraay.engine"
local live = require "spec.support.live"
local spraay = require "spraay"

local CONTRACT = "0xaF4e43d512C73c6731769620ca6b73f0FCFF9118"

local box, client, folder, ledgers = nil, nil, nil, 0
local real_now, ahead = engine.now, 0

local function post(name, body)
  local answer = box:request("POST", "/_sandbox/" .. name, { body = body })
  assert(answer.status == 200, answer.body)
  return answer.json
end

local function mining(mode) post("chain", { mining = mode }) end
local function books() return box:request("GET", "/_sandbox/transactions").json end
local function mine() return books().senders[box.address] end
local function account() return books().escrow.accounts[box.address] end
local function allow(amount) post("account", { address = box.address, allowance = amount }) end
local function ledger_path() return ("%s/%d.db"):format(folder, ledgers) end

local function open(more)
  local all = { ledger = ledger_path(), futures = "escrow", timeout = { connect = 2, idle = 5, total = 20 } }
  for name, value in pairs(more or {}) do all[name] = value end
  return live.open(box, all)
end

-- The process is the next one: nothing of this one's memory goes on.
local function reopen(more)
  client:close()
  client = open(more)
end

local function deposit(amount, timeout)
  return client.futures:deposit({ amount = amount or "5" }, { timeout = timeout or 10 })
end

-- Nobody needs to sit out here how long a client waits.
local function hurry(by)
  engine.now = function()
    ahead = ahead + (by or 0.2)
    return real_now() + ahead
  end
end

local function transaction(method)
  for _, tx in ipairs(books().transactions) do
    if tx.method == method then return tx end
  end
end

-- Run fn while the nth use of a method of the core's sender breaks the process off.
local function broken_off(name, nth, fn)
  local handle = assert(require "spraay.call".core_client(client))
  local probe = handle:evm { act = "deposit", network = "eip155:8453", amount = "1", gas_cap = "1" }
  local methods = debug.getmetatable(probe).__index
  local real, count = methods[name], 0
  probe:close()
  methods[name] = function(...)
    count = count + 1
    if count == nth then error "killed" end
    return real(...)
  end
  local ok, why = pcall(fn)
  methods[name] = real
  assert.is_false(ok)
  assert.truthy(tostring(why):find("killed", 1, true), tostring(why))
end

local function nonces_are_whole()
  for i, nonce in ipairs(mine().nonces) do assert.equal(i - 1, nonce) end
end

setup(function()
  box = live.start { dialect = "escrow", job_seconds = 0, funds = 100000 }
  local pipe = assert(io.popen "mktemp -d")
  folder = pipe:read "*l"
  pipe:close()
end)
teardown(function()
  live.stop(box)
  os.execute("rm -rf '" .. folder .. "'")
end)
before_each(function()
  box:clear()
  box:reset()
  mining "instant"
  dialect.forget()
  ledgers = ledgers + 1
  client = open()
end)
after_each(function()
  engine.now = real_now
  require "spraay.turns".forget()
  client:close()
end)

describe("a block that is undone", function()
  it("takes the approval with it, and the deposit that waits behind is not stuck for ever", function()
    mining "manual"
    assert.is_nil((deposit("5", 1)))
    post("mine", {})
    assert.is_nil((deposit("5", 1)))
    assert.equal("pending", transaction "deposit".status)
    post("reorg", { hash = transaction "approve".hash, drop = true })
    assert.equal("dropped", transaction "approve".status)
    mining "instant"
    hurry(0.05)
    local one, message = deposit("5", 60)
    assert(one, message)
    assert.equal(5000000, account().balance)
    assert.same({ 0, 1 }, mine().nonces)
    assert.equal(2, #books().transactions)   -- the same bytes, and no others
  end)

  it("takes a deposit with it that was seen done: the same bytes go out again", function()
    allow "5"
    broken_off("deliver", 1, function() return deposit() end)
    assert.equal(1, mine().deposits)
    post("reorg", { hash = transaction "deposit".hash, drop = true })
    reopen()
    hurry(0.05)
    local one, message = deposit("5", 60)
    assert(one, message)
    assert.equal(5000000, account().balance)
    assert.same({ 0 }, mine().nonces)
    assert.equal(1, #books().transactions)
  end)

  it("takes what others of the wallet's had sent, too", function()
    assert(deposit "5")
    post("reorg", { hash = transaction "approve".hash, drop = true })
    hurry(0.05)
    local one, message = deposit("6", 60)
    assert(one, message)
    nonces_are_whole()
  end)
end)

describe("a process that ends", function()
  it("between two notes about one nonce leaves a deposit that is found done", function()
    for _, at in ipairs { "settle", "deliver" } do   -- before all is noted, and after
      box:reset()
      ledgers = ledgers + 1
      allow "5"
      mining "manual"
      reopen { gas = { bump_after = 0.2 } }
      assert.is_nil((deposit("5", 2)))
      assert.is_true(#books().transactions >= 4)
      post("mine", {})
      broken_off(at, 1, function() return deposit() end)
      reopen()
      local one, message = deposit("5", 10)
      assert(one, ("at %s: %s"):format(at, tostring(message)))
      assert.equal(1, mine().deposits)
      assert.same({}, client:purchases { state = "open" })
    end
  end)

  it("while another waits for its turn gives the turn back", function()
    mining "manual"
    local child = assert(io.popen(("GATEWAY=%s RPC=%s KEYFILE=%s LEDGER=%s sh -c 'echo $$; exec %s "
      .. "spec/support/deposit_child.lua' 2>&1"):format(box.url, box.rpc, box.keyfile, ledger_path(),
      (arg and arg[-1] or "lua"))))
    local pid = child:read "*l"
    repeat spraay.sleep(0.1) until #books().transactions == 1   -- it waits for its approval
    local task = spraay.spawn(function() return client.futures:deposit({ amount = "6" }, { timeout = 15 }) end)
    spraay.sleep(1)
    os.execute("kill -9 " .. pid)
    child:close()
    mining "instant"
    post("mine", {})
    local one, message = task:wait()
    assert(one, message)
    assert.equal(6000000, account().balance)
    assert(deposit())
    assert.equal(11000000, account().balance)
  end)
end)

describe("a ledger", function()
  it("that lost the transactions of an open deposit makes no second one", function()
    allow "5"
    mining "manual"
    local _, _, err = deposit("5", 1)
    client:close()
    os.execute(("sqlite3 %s 'DELETE FROM chain_tx'"):format(ledger_path()))
    client = open()
    local value, message, again = deposit("5", 2)
    assert.is_nil(value)
    assert.equal("maybe", again.paid, message)
    assert.equal(err.purchase, again.purchase)
    mining "instant"
    post("mine", {})
    deposit("5", 2)
    assert.equal(1, mine().deposits)
    assert.truthy(message:find(transaction "deposit".hash, 1, true), message)
  end)

  it("that somebody closed by hand goes on: the same call makes a deposit, and one that was mined is found", function()
    local ledger = require "spraay.ledger"
    local function close(id, settled)
      return assert(ledger.ask(client.config.ledger, "close", { id = id, settled = settled,
        wallet = client.config.wallets[1]:key() }))
    end
    allow "5"
    mining "manual"
    local _, _, err = deposit("5", 1)
    close(err.purchase)
    mining "instant"
    post("mine", {})   -- it was not so dead
    assert.equal(1, mine().deposits)
    local one = assert(deposit())
    assert.equal(err.purchase, one.payment.purchase)
    assert.equal(1, mine().deposits)

    -- A node whose receipts are a moment behind its nonces is no reason for another.
    allow "5"
    mining "manual"
    _, _, err = deposit("5", 1)
    close(err.purchase)
    mining "instant"
    post("mine", {})
    box:fault("rpc_answer", { times = 8, method = "eth_getTransactionReceipt", result = require "cjson".null })
    assert.equal(err.purchase, assert(deposit()).payment.purchase)
    assert.equal(2, mine().deposits)
    box:clear()

    allow "5"
    mining "manual"
    _, _, err = deposit("5", 1)
    post("drop", {})
    mining "instant"
    post("account", { address = box.address, nonce = 3 })   -- the wallet used it elsewhere
    hurry()
    local value, message, gone = deposit("5", 60)
    assert.is_nil(value)
    assert.equal("replaced", gone.code, message)
    close(err.purchase)
    one, message = deposit("5", 60)
    assert(one, message)
    assert.equal(3, mine().deposits)
    -- And what was signed after that is watched like any other.
    allow "5"
    mining "manual"
    _, _, err = deposit("5", 60)
    assert.equal("maybe", err.paid)
    value, message, err = deposit("6", 5)
    assert.is_nil(value)
    assert.equal("earlier_open", err.code, message)
  end)
end)

describe("what was signed for a sandbox", function()
  it("is never broadcast to the node of another gateway", function()
    mining "manual"
    allow "5"
    assert.is_nil((deposit("5", 1)))
    post("drop", {})
    mining "instant"
    local other = open { gateway = "https://gateway.example", escrow = { base = CONTRACT } }
    local value, message, err = other.futures:deposit({ amount = "6" }, { timeout = 3 })
    assert.equal("dropped", transaction "deposit".status)
    assert.is_nil(value)
    assert.equal("earlier_open", err.code, message)
    assert.equal("no", err.paid)
    assert.truthy(err.hint:find("spraay ledger void", 1, true), err.hint)
    other:close()
  end)
end)

describe("a node that", function()
  local function word(n) return ("%064x"):format(n) end
  local owner = function() return ("0"):rep(24) .. box.address:sub(3):lower() end
  local DEPOSITED = "0x5df5d723cf2b779a4bc7bbd4fa1082ab1a37397e0d8c408d7b2546c69585ee15"

  local function receipt_of(hash, more)
    local out = { transactionHash = hash, from = box.address, to = CONTRACT, status = "0x1", blockNumber = "0x10",
      blockHash = "0x" .. ("ab"):rep(32), gasUsed = "0x5208", effectiveGasPrice = "0x1",
      logs = { { address = CONTRACT, topics = { DEPOSITED, "0x" .. owner() },
        data = "0x" .. word(5000000) .. word(5000000) .. word(0) } } }
    for name, value in pairs(more or {}) do out[name] = value end
    return out
  end

  it("answers nonsense, of any size, is no reason to break down", function()
    local huge = "0x" .. ("f"):rep(64)
    local nonsense = { false, 0, 1, 1.5, "", "0x", "0x0", "0x1", huge, huge .. "f", "1e3", "-0x1", {}, { {} }, { 1 },
      { baseFeePerGas = huge, timestamp = "0x7fffffff", number = huge }, { hash = 5, baseFeePerGas = "0x5" },
      { status = 1 }, ("x"):rep(100000) }
    reopen { per_day = "100000" }
    hurry(0.3)
    for _, method in ipairs { "eth_chainId", "eth_getBlockByNumber", "eth_call", "eth_estimateGas", "eth_getBalance",
        "eth_getTransactionCount", "eth_maxPriorityFeePerGas", "eth_blockNumber", "eth_sendRawTransaction",
        "eth_getTransactionReceipt", "eth_getLogs" } do
      for i, result in ipairs(nonsense) do
        box:fault("rpc_answer", { times = 1000, method = method, result = result })
        local which = ("%s, %d"):format(method, i)
        local ok, value, message, err = pcall(deposit, "5", 5)
        assert.is_true(ok, which .. ": " .. tostring(value))
        if not value then
          assert.equal("table", type(err), which)
          assert.truthy(err.paid, which .. tostring(message))
        end
        local one = client.futures:account(box.address)
        ok, value = pcall(one.history, one, { limit = 3 }, { timeout = 3 })
        assert.is_true(ok, which .. ": " .. tostring(value))
        ok, value = pcall(one.balance, one, { timeout = 3 })
        assert.is_true(ok, which .. ": " .. tostring(value))
        ok, value = pcall(function() return client:plan { { type = "chat" } } end)
        assert.is_true(ok, which .. ": " .. tostring(value))
        box:clear()
      end
      engine.now = real_now
      local value, message = deposit "5"
      assert(value, ("after nonsense of %s: %s"):format(method, tostring(message)))
      assert.equal(account().balance / 5000000, mine().deposits)
      hurry(0.3)
    end
    nonces_are_whole()
  end)

  it("shows receipts with nonsense in them is no reason to break down", function()
    local huge = "0x" .. ("f"):rep(64)
    for i, more in ipairs { { gasUsed = huge, effectiveGasPrice = huge, l1Fee = huge }, { blockHash = 5 },
        { blockHash = {} }, { blockHash = ("x"):rep(5000) }, { blockNumber = huge }, { logs = 5 },
        { logs = { 1, "x" } },
        { logs = { { address = CONTRACT, topics = { "0x" }, data = "0x" } } }, { logs = { { topics = 7 } } },
        { logs = { { address = CONTRACT, topics = { "0x12", "0x12" }, data = "0x12" } } }, { status = {} },
        { logs = { { address = CONTRACT, topics = { DEPOSITED }, data = "0x" } } },
        { logs = { { address = CONTRACT, topics = { DEPOSITED, "0x" .. owner() }, data = "0x12" } } } } do
      allow "5"
      mining "manual"
      assert.is_nil((deposit("5", 1)))
      local list = books().transactions
      local hash = list[#list].hash
      box:fault("rpc_answer", { times = 1000, method = "eth_getTransactionReceipt", result = receipt_of(hash, more) })
      local ok, value = pcall(deposit, "5", 0.5)
      assert.is_true(ok, i .. ": " .. tostring(value))
      box:clear()
      box:reset()
      ledgers = ledgers + 1
      reopen()
    end
  end)

  it("shows a receipt of another amount, or one that contradicts itself, is not believed", function()
    for i, more in ipairs {
      { logs = { { address = CONTRACT, topics = { DEPOSITED, "0x" .. owner() },
        data = "0x" .. word(50000000) .. word(50000000) .. word(2) } } },
      { status = "0x0" },   -- it did nothing, and left an event
    } do
      allow "5"
      mining "manual"
      assert.is_nil((deposit("5", 1)))
      local list = books().transactions
      box:fault("rpc_answer", { times = 1000, method = "eth_getTransactionReceipt",
        result = receipt_of(list[#list].hash, more) })
      local value, message, err = deposit("5", 1)
      assert.is_nil(value)
      assert.equal("open", err.code, i .. tostring(message))
      assert.equal("maybe", err.paid)
      box:clear()
      mining "instant"
      post("mine", {})
      assert(deposit())
      assert.equal(1, mine().deposits)
      box:reset()
      ledgers = ledgers + 1
      reopen()
    end
  end)

  it("says of a deposit that it reverted, while the account in the contract grew, gets no second one", function()
    allow "5"
    mining "manual"
    assert.is_nil((deposit("5", 1)))
    mining "instant"
    post("mine", {})
    local real = box:chain("eth_getTransactionReceipt", { transaction "deposit".hash })
    real.status, real.logs = "0x0", {}
    setmetatable(real.logs, require "cjson".array_mt)
    box:fault("rpc_answer", { times = 1000, method = "eth_getTransactionReceipt", result = real })
    for _ = 1, 2 do
      local value, message, err = deposit("5", 2)
      assert.is_nil(value)
      assert.equal("maybe", err.paid, message)
      assert.truthy(message:find("the contract's books show", 1, true), message)
      assert.falsy(err.hint:find("void", 1, true), err.hint)
    end
    box:clear()
    assert(deposit())
    assert.equal(1, mine().deposits)
    assert.equal(5000000, account().balance)
  end)

  it("wants no gas, or more than there is in a block, is told so", function()
    for _, gas in ipairs { "0x0", "0x1312d00" } do
      reopen { gas = { max_eth = "0.9" } }
      box:fault("rpc_gas", { times = 1000, gas = gas })
      local value, message, err = deposit()
      assert.is_nil(value)
      assert.not_equal("ledger", err.kind, message)
      assert.equal("no", err.paid)
      assert.truthy(message:find("gas", 1, true))
      box:clear()
    end
    assert.equal(0, books().sent)
  end)

  it("gives logs for a few blocks at a time, and says so by its status, is asked for fewer", function()
    local one = assert(deposit())
    hurry()
    for _ = 1, 3 do assert(one:chat "hello") end
    post("chain", { log_range = 700 })
    local history, message = one:history()
    assert(history, message)
    assert.equal(3, #history.entries)
  end)

  it("was wrong about the nonce of a deposit is seen through, when it tells the truth again", function()
    allow "5"
    box:fault("rpc_nonce", { times = 1000 })
    local value, message, err = deposit("5", 2)
    assert.is_nil(value)
    assert.equal("maybe", err.paid, message)
    box:clear()
    value, message = deposit("5", 3)
    assert.is_nil(value)
    assert.truthy(message:find("waits for 5 others", 1, true), message)
    assert.equal(0, mine().deposits)
  end)
end)

describe("what was paid beside a deposit that came to nothing", function()
  it("is in its error: the look at the dialect, or what the gateway wrote out", function()
    post("account", { address = box.address, eth = "0" })
    local other = spraay.open(live.options(box, { ledger = ledger_path() }))
    local value, message, err = other.futures:deposit "5"
    assert.is_nil(value)
    assert.equal("gas", err.code, message)
    assert.equal("0.001000", box:ledger().total_usdc)
    assert.equal("yes", err.paid, message)
    assert.equal("0.001000", err.amount)
    other:close()
    value, message, err = client.futures:deposit { amount = "5", confirm = true }
    assert.is_nil(value)
    assert.equal("gas", err.code, message)
    assert.equal("0.011000", box:ledger().total_usdc)
    assert.equal("yes", err.paid)
    assert.equal("0.010000", err.amount)
    post("account", { address = box.address, eth = "1" })
    assert(client.futures:deposit { amount = "5", confirm = true })
    assert.equal("0.011000", box:ledger().total_usdc)   -- it was not paid for again
  end)

  it("is nothing where no key could sign the deposit", function()
    local other = open { wallet = spraay.wallet.signer { address = box.address, nonce_secret = ("x"):rep(32),
      sign = function() return nil end } }
    local value, message, err = other.futures:deposit { amount = "5", confirm = true }
    assert.is_nil(value)
    assert.equal("wallet", err.kind, message)
    assert.equal("no", err.paid)
    assert.equal(0, box:ledger().count)
    other:close()
  end)
end)

describe("a result that came inside an error", function()
  it("was handed over: the next equal job is another one", function()
    local one = assert(deposit())
    hurry()
    box:fault("drawdown_fails", { times = 1 })
    assert.is_true(#assert(one:chat "hello").text > 0)
    local second, message = one:chat "hello"
    assert(second, message)
    assert.equal("settled", second.payment.status)
    assert.equal(2, box:ledger().handled["POST /api/v1/compute-futures/execute"])
  end)
end)

describe("gas", function()
  it("is told of all that was mined for a deposit, whichever process waited for it", function()
    mining "manual"
    assert.is_nil((deposit("5", 1)))
    post("mine", {})
    assert.is_nil((deposit("5", 1)))
    post("mine", {})
    reopen()
    local one = assert(deposit())
    local wei = 0
    for _, tx in ipairs(books().transactions) do wei = wei + tonumber(tx.fee) end
    assert.equal(("%d"):format(wei), (require "spraay.core".amount_to_atomic(one.payment.gas, 18)))
  end)

  it("that failures used up is told as that, and the cap holds", function()
    reopen { gas = { max_eth = "0.000003" } }
    box:fault("rpc_gas", { times = 1000, gas = "0xafc8" })
    local value, message, err
    for _ = 1, 8 do
      value, message, err = deposit()
      assert.is_nil(value)
      if err.code ~= "reverted" then break end
    end
    assert.equal("over_gas", err.code, message)
    assert.truthy(message:find("with what was signed for this one before", 1, true), message)
    assert.is_true(tonumber(mine().fees.gas or mine().fees) < 3e12)
    box:clear()
    assert.equal(0, mine().deposits)
  end)

  it("that became dear stops a deposit at its cap, and it goes on when it is cheap again", function()
    allow "5"
    reopen { gas = { max_eth = "0.00001", bump_after = 0.1 } }
    mining "manual"
    assert.is_nil((deposit("5", 0.5)))
    post("chain", { base_fee = "900000000" })
    mining "clock"
    local value, message, err = deposit("5", 4)
    assert.is_nil(value)
    assert.equal("maybe", err.paid)
    assert.truthy(message:find("cannot be raised within gas.max_eth", 1, true), message)
    post("chain", { base_fee = "5000000", mining = "instant" })
    post("mine", {})
    assert(deposit())
    assert.equal(1, mine().deposits)
    assert.same({ 0 }, mine().nonces)
  end)
end)

describe("wallets of two rails", function()
  local solana_file
  before_each(function() solana_file = live.secret(box.solana_key .. "\n") end)
  after_each(function() os.remove(solana_file) end)

  it("deposit with the key of Base, whichever rail is preferred", function()
    local both = open { wallet = { spraay.wallet.solana(solana_file), spraay.wallet.file(box.keyfile) },
      networks = { "solana", "base" }, rpc = { base = box.rpc, solana = box.solana_rpc } }
    local one = assert(both.futures:deposit "5")
    assert.equal(box.address, one.id)
    assert(one:chat "hello")
    assert.equal("5.000000", assert(one:refund { amount = "1" }) and one:balance().deposited)
    both:close()
  end)

  it("deposit nothing with a key of Solana alone", function()
    local only = open { wallet = spraay.wallet.solana(solana_file), networks = { "solana", "base" },
      rpc = { base = box.rpc, solana = box.solana_rpc } }
    for _, confirm in ipairs { false, true } do
      local value, message, err = only.futures:deposit { amount = "5", confirm = confirm }
      assert.is_nil(value)
      assert.equal("wallet", err.kind, message)
      assert.equal("no", err.paid)
    end
    local value, _, err = only.futures:account(box.address):refund { confirm = true }
    assert.is_nil(value)
    assert.equal("no", err.paid)
    only:close()
    assert.equal(0, box:ledger().count)
    assert.equal(0, books().sent)
  end)
end)

describe("a dialect that is remembered, and not true any more", function()
  it("costs the fee of the wrong question, and moves nothing else", function()
    local free = spraay.open(live.options(box, { ledger = ledger_path() }))
    dialect.learn(free, "ledger")
    local value, message, err = free.futures:deposit "8"
    assert.is_nil(value)
    assert.equal("dialect", err.code, message)
    assert.equal("yes", err.paid)
    assert.equal("0.010000", err.amount)
    assert.equal(0, books().sent)
    assert.equal("escrow", assert(free.futures:deposit "8").dialect)   -- it is known now
    assert.equal("0.010000", box:ledger().total_usdc)
    free:close()
  end)

  it("is corrected by the first answer, and what lies in the escrow can be had back", function()
    local other = live.start { dialect = "ledger", job_seconds = 0 }
    local free = live.open(other, { ledger = ledger_path() })
    dialect.learn(free, "escrow")
    local one = assert(free.futures:deposit "8")
    local value, message, err = one:chat "hello"
    assert.is_nil(value)
    assert.equal("dialect", err.code, message)
    assert.equal("no", err.expect or err.paid)
    assert.equal("8.000000", assert(one:refund()).refunded)
    assert.equal("ledger", assert(free.futures:deposit "7").dialect)
    free:close()
    live.stop(other)
  end)
end)

describe("a task that is stopped", function()
  it("in the middle of a deposit leaves one that goes on", function()
    mining "manual"
    for i = 1, 6 do
      local _, message, err = spraay.within(i * 0.05, function() return client.futures:deposit "5" end)
      assert.truthy(err, message)
    end
    mining "instant"
    post("mine", {})
    assert(deposit())
    assert.equal(1, mine().deposits)
    assert.equal(2, #books().transactions)
  end)
end)

describe("a disk that takes no more", function()
  local function sql(text)
    local pipe = assert(io.popen(("sqlite3 -cmd '.timeout 9000' %s \"%s\" 2>&1"):format(ledger_path(), text)))
    assert.equal("", pipe:read "*a")
    pipe:close()
  end
  local function full(name, condition)
    sql(("CREATE TRIGGER full BEFORE INSERT ON %s WHEN %s BEGIN SELECT RAISE(ABORT, 'full'); END"):format(name,
      condition))
  end

  for _, at in ipairs { { "chain_tx", "NEW.step = 'approve' AND NEW.fate = 'open'", "no", 0 },
      { "chain_tx", "NEW.step = 'approve' AND NEW.fate = 'done'", "no", 0 },
      { "chain_tx", "NEW.step = 'deposit' AND NEW.fate = 'open'", "no", 0 },
      { "chain_tx", "NEW.step = 'deposit' AND NEW.fate = 'done'", "maybe", 1 }, { "answer", "1", "done", 1 } } do
    it(("at %s, %s, is no reason for a second deposit"):format(at[1], at[2]), function()
      assert.same({}, assert(client:purchases {}))
      local probe = open()
      assert.is_nil((probe.futures:deposit("2000", { timeout = 1 })))   -- over the cap: the tables are made
      probe:close()
      full(at[1], at[2])
      local value, message, err = deposit()
      if at[3] == "done" then
        assert(value, message)
      else
        assert.is_nil(value)
        assert.equal(at[3], err.paid, message)
        assert.equal("ledger", err.kind, message)
      end
      assert.equal(at[4], mine() and mine().deposits or 0)
      sql "DROP TRIGGER full"
      reopen()
      assert(deposit())
      assert.equal(1, mine().deposits)
      assert.equal(2, #books().transactions)
    end)
  end
end)

describe("a transaction of the wallet's own software", function()
  local hand = require "spec.sandbox.sender"

  it("that takes the nonce of the approval costs another approval", function()
    mining "manual"
    assert.is_nil((deposit("5", 1)))
    local alice = hand.new(box)
    assert(alice:send { to = hand.USDC, data = hand.approve(hand.ESCROW, 0), nonce = 0, fee_cap = 90000000,
      tip_cap = 9000000 })
    assert.equal("replaced", books().transactions[1].status)
    mining "instant"
    post("mine", {})
    local one, message = deposit("5", 20)
    assert(one, message)
    assert.equal(1, mine().deposits)
    nonces_are_whole()
  end)

  it("that takes the nonce of the deposit is the end of it only when its owner says so", function()
    allow "5"
    mining "manual"
    assert.is_nil((deposit("5", 1)))
    local alice = hand.new(box)
    assert(alice:send { to = hand.ESCROW, data = hand.deposit(5000000), nonce = 0, fee_cap = 90000000,
      tip_cap = 9000000 })
    mining "instant"
    post("mine", {})
    local value, message, err = deposit("5", 20)
    assert.is_nil(value)
    assert.equal("replaced", err.code, message)
    assert.equal("maybe", err.paid)
    assert.equal(5000000, account().balance)
    assert.equal(err.purchase, client:purchases { state = "open" }[1].id)
  end)
end)

describe("without a ledger file", function()
  it("a result inside an error is handed over once, too", function()
    assert(deposit())
    hurry()
    local other = open { ledger = false }
    local one = other.futures:account(box.address)
    box:fault("drawdown_fails", { times = 1 })
    assert(one:chat "hello")
    assert.equal("settled", assert(one:chat "hello").payment.status)
    other:close()
  end)
end)

describe("a deposit made again", function()
  it("while the first is open is another, after the first, and each is one", function()
    mining "manual"
    assert.is_nil((deposit("5", 1)))
    local value, _, err = client.futures:deposit({ amount = "5" }, { timeout = 1, again = true })
    assert.is_nil(value)
    assert.equal("earlier_open", err.code)
    mining "instant"
    post("mine", {})
    assert(deposit())
    assert.is_true(mine().deposits <= 2)
    nonces_are_whole()
    assert.equal(mine().deposits * 5000000, account().balance)
  end)
end)

describe("in a run", function()
  it("a result inside an error was handed out, and the next of its name is another", function()
    assert(deposit())
    hurry()
    local run = open { run = "night" }
    local one = run.futures:account(box.address)
    box:fault("drawdown_fails", { times = 1 })
    assert(one:chat "hello")
    local second, message = one:chat "hello"
    assert(second, message)
    assert.equal(2, box:ledger().handled["POST /api/v1/compute-futures/execute"])
    run:close()
  end)
end)
