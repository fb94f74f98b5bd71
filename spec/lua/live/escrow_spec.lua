-- SPDX-License-Identifier: MIT
-- Compute futures of the escrow dialect against the sandbox, whose chain judges every transaction with code of its
-- own, and whose books are what these specs believe.
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

local function books() return box:request("GET", "/_sandbox/transactions").json end
local function sender() return books().senders[box.address] end
local function account() return books().escrow.accounts[box.address] end
local function deposits() return sender() and sender().deposits or 0 end

local function open(more)
  local all = { ledger = ("%s/%d.db"):format(folder, ledgers), timeout = { connect = 2, idle = 5, total = 20 } }
  for name, value in pairs(more or {}) do all[name] = value end
  return live.open(box, all)
end

-- A call that must fail like this, and leave no transaction behind.
local function refused(code, paid, fn)
  local before = books().sent
  local value, message, err = fn()
  assert.is_nil(value, tostring(value))
  assert.equal(code, err.code, message)
  assert.equal(paid, err.paid, message)
  assert.equal(before, books().sent, message)
  return message, err
end

-- Executes on one account are spaced by a second and a half, which nobody needs to sit out here.
local function hurry(by)
  engine.now = function()
    ahead = ahead + (by or 0.2)
    return real_now() + ahead
  end
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
  post("chain", { mining = "instant" })
  dialect.forget()
  ledgers = ledgers + 1
  client = open { futures = "escrow" }
end)
after_each(function()
  engine.now = real_now
  require "spraay.turns".forget()
  client:close()
end)

describe("an account in the escrow", function()
  it("lives from its deposit to its refund, and the contract's books agree", function()
    local one = assert(client.futures:deposit { amount = "50" })
    hurry()
    assert.equal("escrow", one.dialect)
    assert.equal(box.address, one.id)
    assert.equal(CONTRACT, one.contract)
    assert.equal("50.000000", one.deposited)
    assert.equal("scale", one.tier)
    assert.equal("settled", one.payment.status)
    assert.equal("50.000000", one.payment.amount)
    assert.truthy(one.payment.gas:match "^0%.00000%d+$")
    assert.truthy(one.warning:find("10% discount while at least 50 USDC are left, then 5% discount", 1, true))
    assert.equal(0, box:ledger().count)   -- the gateway was never asked
    assert.equal("0", sender().allowance)
    assert.same({ 0, 1 }, sender().nonces)

    local answer = assert(one:chat "hello")
    assert.is_true(#answer.text > 0)
    assert.equal("0.027000", answer.billing.charged)
    assert.equal("49.973000", answer.billing.balance)
    assert.equal("0.001000", answer.payment.amount)
    assert.truthy(answer.billing.transaction:match "^0x%x+$")
    assert.truthy(answer.billing.warning:find("the next job gets 5% instead of 10%", 1, true))
    assert.equal("0.028500", assert(one:chat "again").billing.charged)   -- 5% now
    assert.equal(1, #assert(one:image "a boat").urls)
    assert.equal(2, #assert(one:embed { "a", "b" }).vectors)
    assert.equal("video", assert(one:execute { type = "video", prompt = "a boat" }).kind)

    local before = box:ledger().count
    local balance = assert(one:balance())
    assert.equal("free", balance.payment.status)
    assert.equal(5, balance.job_count)
    assert.equal("builder", balance.tier)
    assert.equal("50", tostring(spraay.sum { balance.balance, balance.used }))
    local history = assert(one:history { limit = 2 })
    assert.equal(2, #history.entries)
    assert.equal(5, history.entries[1].job_number)
    assert.equal(balance.balance, history.entries[1].balance_after)
    assert.equal(5, #one:history().entries)
    assert.equal(before, box:ledger().count)   -- all of it from the chain
    local paid = assert(one:balance { via = "gateway" })
    assert.equal(balance.balance, paid.balance)
    assert.equal("0.001000", paid.payment.amount)

    local part = assert(one:refund { amount = "10.5" })
    assert.equal("10.500000", part.refunded)
    assert.equal("free", part.payment.status)
    local rest = assert(one:refund())
    assert.equal(balance.balance, spraay.sum { part.refunded, rest.refunded } .. ("0"):rep(
      #balance.balance - #tostring(spraay.sum { part.refunded, rest.refunded })))
    assert.equal(0, account().balance)
    assert.equal("0.000000", one:balance().balance)
    assert.equal(2, sender().refunds)
    assert.same({ 0, 1, 2, 3 }, sender().nonces)
  end)

  it("is topped up by the next deposit, and approved for no more than that", function()
    assert(client.futures:deposit "5")
    assert(client.futures:deposit "7")
    assert.equal(12000000, account().balance)
    assert.equal("0", sender().allowance)
    post("account", { address = box.address, allowance = "100" })
    assert(client.futures:deposit "3")   -- somebody has approved enough: no second approval
    assert.equal("97000000", sender().allowance)
    assert.equal(5, #sender().nonces)
  end)

  it("is read without a wallet that could pay", function()
    assert(client.futures:deposit "5")
    local other = open { wallet = false }
    assert.equal("5.000000", assert(other.futures:account(box.address:lower()):balance()).balance)
    assert.equal("0.000000", assert(other.futures:account("0x" .. ("12"):rep(20)):balance()).balance)
    other:close()
  end)

  it("pays with its balance to the last millionth, and the contract says the same", function()
    client = open { futures = "escrow", timeout = { connect = 2, idle = 5, total = 80000 } }
    local one = assert(client.futures:deposit { amount = "50" })
    hurry(2)
    local spent, left, jobs = spraay.usdc "0", nil, 0
    local dear = { "video", "chat", "image", "speak" }
    local ask = {
      video = function() return one:video "a boat" end,
      chat = function() return one:chat { messages = "x", model = "llama-3.1-405b" } end,
      image = function() return one:image "a boat" end, speak = function() return one:speak "hello" end,
    }
    while #dear > 0 do
      local value, message, err = ask[dear[1]]()
      if value then
        jobs = jobs + 1
        spent = spent + spraay.usdc(value.billing.charged)
        left = value.billing.balance
      else
        assert.equal("credits", err.code, message)
        table.remove(dear, 1)
      end
    end
    assert.is_true(jobs > 100)
    local row = account()
    assert.equal(jobs, row.jobs)
    assert.equal(left, assert(one:balance()).balance)
    assert.equal(tostring(spraay.usdc(left)), tostring(spraay.usdc "50" - spraay.usdc(one:balance().used)))
    assert.equal(50000000, row.balance + row.drawn)
    assert.is_true(row.balance < 28500)   -- too little for the cheapest of them
    local sum = spraay.usdc "0"
    for _, entry in ipairs(assert(one:history { limit = 1000 }).entries) do sum = sum + spraay.usdc(entry.charged) end
    assert.equal(("%d"):format(row.drawn), (tostring(spraay.usdc(one:balance().used) * 1000000)))
    assert.equal(tostring(sum), tostring(spraay.usdc(one:balance().used)))
    assert.is_true(jobs == #one:history { limit = 1000 }.entries)
    assert.is_true(spent <= spraay.usdc "50.01")   -- what is shown is rounded; what is drawn is exact
  end)

  it("has a history, however few blocks a node answers for at once", function()
    assert(client.futures:deposit "5")
    post("chain", { log_range = 700 })
    for i = 1, 3 do
      post("escrow", { depositor = box.address, drawdown = "0.0" .. i })
      box:advance(6000)   -- three thousand blocks
    end
    client:close()
    client = open { futures = "escrow", clock = function() return box:clock().now end }
    local history = assert(client.futures:account(box.address):history())
    assert.equal(3, #history.entries)
    assert.is_true(history.complete)
    for i, entry in ipairs(history.entries) do
      assert.equal(4 - i, entry.job_number)
      assert.equal("0.0" .. 4 - i .. "0000", entry.charged)
    end
    for i = 1, 2 do   -- what the chain says of its blocks
      assert.is_true(history.entries[i].time - history.entries[i + 1].time >= 6000)
    end
    assert.is_true(math.abs(history.entries[1].time + 6000 - box:clock().now) < 60)
    assert.equal("4.940000", history.entries[1].balance_after)
    assert.equal("4.970000", history.entries[1].balance_before)
    assert.equal(1, #client.futures:account(box.address):history { limit = 1 }.entries)
    assert.same({}, client.futures:account(CONTRACT):history().entries)
  end)

  it("has times of its jobs, each block asked for once, and none where the node tells none", function()
    assert(client.futures:deposit "5")
    post("chain", { mining = "manual" })
    for block = 1, 3 do
      for _ = 1, 2 do post("escrow", { depositor = box.address, drawdown = "0.01" }) end
      if block < 3 then post("mine", {}) end
    end
    post("mine", {})
    local methods = debug.getmetatable(engine.get()).__index
    local real, asked = methods.fetch, 0
    methods.fetch = function(self, request)
      if request.body and request.body:find("eth_getBlockByNumber", 1, true) then asked = asked + 1 end
      return real(self, request)
    end
    local ok, why = pcall(function()
      local one = assert(client.futures:account(box.address))
      box:fault("rpc_error", { method = "eth_getBlockByNumber", message = "not today" })
      for _, entry in ipairs(assert(one:history()).entries) do assert.is_nil(entry.time) end
      box:clear()
      box:fault("rpc_down", { method = "eth_getBlockByNumber" })
      asked = 0
      for _, entry in ipairs(assert(one:history()).entries) do assert.is_nil(entry.time) end
      assert.equal(1, asked)
      box:clear()
      asked = 0
      local entries, blocks, distinct = assert(one:history()).entries, {}, 0
      assert.equal(6, #entries)
      for _, entry in ipairs(entries) do
        local answer = box:request("POST", "/_sandbox/rpc", { body = { jsonrpc = "2.0", id = 1,
          method = "eth_getBlockByNumber", params = { ("0x%x"):format(entry.block), false } } })
        assert.equal(tonumber(answer.json.result.timestamp), entry.time)
        if not blocks[entry.block] then distinct = distinct + 1 end
        blocks[entry.block] = true
      end
      assert.equal(distinct, asked)
      assert(one:history())
      assert.equal(distinct, asked)
      client:close()
      client = open { futures = "escrow" }
      box:fault("rpc_answer", { method = "eth_getBlockByNumber", result = { hash = "0x" .. ("ab"):rep(32),
        timestamp = "0x1" } })   -- of another block
      for _, entry in ipairs(assert(client.futures:account(box.address):history()).entries) do
        assert.is_nil(entry.time)
      end
    end)
    methods.fetch = real
    assert(ok, why)
  end)

  it("hands over the result inside an error, and does not ask again", function()
    local one = assert(client.futures:deposit "5")
    box:fault("drawdown_fails", { times = 1 })
    local result = assert(one:chat "hello")
    assert.is_true(#result.text > 0)
    assert.equal("unconfirmed", result.payment.status)
    assert.equal("0.000000", result.billing.charged)
    assert.equal(5000000, account().balance)
    assert.equal(1, box:ledger().handled["POST /api/v1/compute-futures/execute"])
  end)
end)

describe("the dialect", function()
  it("is asked for once, for 0.001, where nothing is known", function()
    local other = open { per_day = "1000" }
    local message, err = refused("over_per_day", "yes", function() return other.futures:deposit "5000" end)
    assert.equal("0.001000", err.amount)
    assert.truthy(message:find("only the look at the gateway's pricing was paid for", 1, true), message)
    assert.equal(1, box:ledger().count)
    other:close()
    dialect.forget()
    ledgers = ledgers + 1   -- where nothing is on record
    other = open {}
    local one = assert(other.futures:deposit "5")
    assert.equal("escrow", one.dialect)
    assert.equal("5.001000", one.payment.amount)
    assert.equal("0.001000", one.payment.parts[1].amount)
    assert.equal("5.000000", one.payment.parts[2].amount)
    assert.equal(2, box:ledger().count)
    assert.equal("6.000000", assert(other.futures:deposit "6").payment.amount)
    assert.equal(2, box:ledger().count)
    other:close()
  end)

  it("is told by the shape of an account's name, and by every answer", function()
    local other = open {}
    assert(client.futures:deposit "5")
    local wrong = assert(other.futures:account "CFE-0123456789ABCDEF")
    local value, message, err = wrong:chat "x"
    assert.is_nil(value)
    assert.equal("dialect", err.code)
    assert.truthy(message:find("on-chain escrow", 1, true))
    assert.truthy(message:find("by its address", 1, true))
    assert.equal(0, box:ledger().count)
    refused("dialect", "no", function() return other.futures:account "CFE-0123456789ABCDEF" end)
    assert(other.futures:account(box.address):chat "x")
    other:close()
  end)

  it("that is forced is kept to, and the surprise says what was paid", function()
    local other = open { futures = "ledger" }
    local message, err = refused("dialect", "yes", function() return other.futures:deposit "5" end)
    assert.equal("0.010000", err.amount)
    assert.truthy(message:find("no credit was moved", 1, true))
    refused("dialect", "no", function() return other.futures:account(box.address) end)
    other:close()
  end)

  it("never lets a deposit go to a contract that the gateway does not name", function()
    local other = open { escrow = { base = "0x" .. ("12"):rep(20) } }
    local message = refused("contract", "yes", function() return other.futures:deposit "5" end)
    assert.truthy(message:lower():find(CONTRACT:lower(), 1, true), message)
    other:close()
  end)
end)

describe("a deposit is refused before anything is signed", function()
  it("over its caps: the whole amount counts", function()
    local other = open { futures = "escrow", per_day = "7" }
    refused("over_per_day", "no", function() return other.futures:deposit "8" end)
    refused("over_max", "no", function() return other.futures:deposit("5", { max = "4.999999" }) end)
    other:close()
    other = open { futures = "escrow", per_day = "7", budget = "6" }
    refused("over_budget", "no", function() return other.futures:deposit "6.5" end)
    assert(other.futures:deposit "5")
    local message, err = refused("over_budget", "no", function() return other.futures:deposit "2" end)
    assert.equal("budget", err.kind)
    assert.truthy(message:find("5 USDC of it are spent", 1, true), message)
    assert.equal("5.000000", other:summary().settled)
    other:close()
  end)

  it("over the cap on gas, which is told in ether and in dollars", function()
    local other = open { futures = "escrow", gas = { max_eth = "0.000001", eth_usd = "3000" } }
    local message = refused("over_gas", "no", function() return other.futures:deposit "5" end)
    assert.truthy(message:find("0.000001 ETH ($0.003000)", 1, true), message)
    other:close()
    box:fault("rpc_fee", { times = 1000 })
    refused("over_gas", "no", function() return client.futures:deposit "5" end)
  end)

  it("without ether, without enough USDC, by a hook, in a dry run, without a ledger", function()
    post("account", { address = box.address, eth = "0" })
    local message = refused("gas", "no", function() return client.futures:deposit "5" end)
    assert.truthy(message:find("holds 0 ETH on base", 1, true))
    post("account", { address = box.address, eth = "1", usdc = "4" })
    message = refused("funds", "no", function() return client.futures:deposit "5" end)
    assert.truthy(message:find("holds 4 USDC", 1, true))
    post("account", { address = box.address, usdc = "400" })
    local terms
    local hooked = open { futures = "escrow", on_pay = function(asked)
      terms = asked
      return false, "not today"
    end }
    message = refused("not_approved", "no", function() return hooked.futures:deposit "5" end)
    assert.truthy(message:find("not today", 1, true))
    assert.equal("5.000000", terms.amount)
    assert.equal(CONTRACT, terms.pay_to)
    assert.equal("0.0005", terms.gas_max_eth)
    for code, more in pairs { dry_run = { dry_run = true }, no_ledger = { ledger = false }, rpc = { rpc = false } } do
      more.futures = "escrow"
      local other = open(more)
      refused(code, "no", function() return other.futures:deposit "5" end)
      other:close()
    end
    assert.same({}, client:purchases {})
    hooked:close()
  end)

  it("by amounts that are none, and depositors that are others", function()
    live.unsent(box, function()
      local futures = client.futures
      for i, ask in ipairs {
        function() return futures:deposit {} end, function() return futures:deposit { amount = 50 } end,
        function() return futures:deposit "0.5" end, function() return futures:deposit "5.0000001" end,
        function() return futures:deposit { amount = "5", depositor = "0x" .. ("ab"):rep(20) } end,
        function() return futures:deposit { amount = "5", confirm = "yes" } end,
        function() return futures:account "0xaf4E43d512C73c6731769620ca6b73f0FCFF9118" end,
        function() return futures:account("0x" .. ("ab"):rep(20)):refund() end,
        function() return futures:account(box.address):refund { amount = "0" } end,
        function() return futures:account(box.address):refund { amount = 5 } end,
        function() return futures:account(box.address):refund { amount = "1", confirm = true } end,
        function() return futures:account(box.address):balance { via = "pigeon" } end,
      } do
        local value, message, err = ask()
        assert.is_nil(value, "case " .. i)
        assert.equal("usage", err.kind, message)
        assert.equal("no", err.paid)
      end
    end)
  end)
end)

describe("a refund", function()
  it("by somebody else is refused here, with both addresses", function()
    local message = refused("depositor", "no", function()
      return client.futures:account(CONTRACT):refund()
    end)
    assert.truthy(message:find(CONTRACT, 1, true))
    assert.truthy(message:find(box.address, 1, true))
  end)

  it("of more than there is, or of nothing, sends nothing", function()
    local one = client.futures:account(box.address)
    refused("empty", "no", function() return one:refund() end)
    post("escrow", { depositor = box.address, deposit = "5" })
    refused("amount", "no", function() return one:refund { amount = "5.000001" } end)
    assert.equal("5.000000", assert(one:refund { amount = "5" }).refunded)
  end)
end)

describe("what the gateway would have signed is compared, and never signed", function()
  it("a deposit and a refund that are right go on, and cost its fee", function()
    local one = assert(client.futures:deposit { amount = "5", confirm = true })
    assert.equal("0.010000", box:ledger().total_usdc)
    assert.equal("5.000000", assert(one:refund { confirm = true }).refunded)
    assert.equal("0.020000", box:ledger().total_usdc)
  end)

  local USDC, OTHER = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "0x" .. ("12"):rep(20)
  local word = ("0"):rep(24) .. CONTRACT:sub(3):lower() .. ("%064x"):format(5000000)
  local APPROVE, DEPOSIT = "0x095ea7b3" .. word, "0xb6b55f25" .. ("%064x"):format(5000000)

  local cases = {}
  local function case(verb, path, value) cases[#cases + 1] = { verb, path, value } end

  for i = 1, 2 do
    local at, data = ("transactions.%d."):format(i), i == 1 and APPROVE or DEPOSIT
    for _, to in ipairs { OTHER, "0x", "", (i == 1 and CONTRACT or USDC), USDC:lower():sub(1, 41) .. "f", 5 } do
      case("deposit", at .. "to", to)
    end
    for _, bad in ipairs { data:gsub(".$", "1"), data .. "00", data:sub(1, -3), (data:gsub("4c4b40$", "4c4b41")),
        data:upper(), "0x", "0xa9059cbb" .. word, (data:gsub("^0x", "")), DEPOSIT == data and APPROVE or DEPOSIT,
        "0x095ea7b3" .. ("0"):rep(24) .. OTHER:sub(3) .. ("%064x"):format(5000000),
        "0x095ea7b3" .. word:sub(1, 64) .. ("f"):rep(64) } do
      case("deposit", at .. "data", bad)
    end
    for _, value in ipairs { "0x1", "0", 0, "0x00" } do case("deposit", at .. "value", value) end
    for _, id in ipairs { 1, 84532, "8453" } do case("deposit", at .. "chainId", id) end
    for _, name in ipairs { "nonce", "gas", "accessList", "authorizationList", "from" } do
      case("deposit", at .. name, "0x1")
    end
    case("deposit", at .. "description", 5)
    case("deposit", ("transactions.%d"):format(i))
  end
  case("deposit", "transactions.3", { to = OTHER, data = "0x", value = "0x0", chainId = 8453 })
  case("deposit", "transactions")
  case("deposit", "transaction", { to = OTHER, data = "0x", value = "0x0", chainId = 8453 })
  case("deposit", "status", "active")
  case("deposit", "contract.address", OTHER)
  for _, to in ipairs { OTHER, USDC } do case("refund", "transaction.to", to) end
  for _, bad in ipairs { "0x", "0x590e1ae4", "0x590e1ae300", APPROVE, "0xb7fea2f8" .. ("0"):rep(63) .. "1" } do
    case("refund", "transaction.data", bad)
  end
  case("refund", "transaction.value", "0x1")
  case("refund", "transaction.chainId", 1)
  case("refund", "transaction.gas", "0x5208")
  case("refund", "transaction")
  case("refund", "transactions", { { to = USDC, data = APPROVE, value = "0x0", chainId = 8453 } })
  case("refund", "contract.address", OTHER)
  case("refund", "status", "refunded")

  it("in " .. #cases .. " alterations nothing is signed, and what the look cost is said", function()
    assert.is_true(#cases >= 60)
    client:close()
    client = open { futures = "escrow" }
    post("escrow", { depositor = box.address, deposit = "5" })
    local one = client.futures:account(box.address)
    for i, altered in ipairs(cases) do
      box:fault("answer_altered", { times = 1, path = altered[2], value = altered[3] })
      local before = box:ledger().count
      local value, message, err
      if altered[1] == "deposit" then
        value, message, err = client.futures:deposit { amount = "5", confirm = true }
      else
        value, message, err = one:refund { confirm = true }
      end
      local which = ("case %d, %s = %s: %s"):format(i, altered[2], tostring(altered[3]), tostring(message))
      assert.is_nil(value, which)
      assert.is_true(err.code == "altered" or err.code == "dialect", which)
      assert.equal("yes", err.paid, which)
      assert.equal("0.010000", err.amount, which)
      assert.equal(before + 1, box:ledger().count, which)
      box:clear()
    end
    assert.equal(0, books().sent)
  end)
end)

describe("a node that", function()
  local function deposit(more) return client.futures:deposit({ amount = "5" }, more) end

  for _, fault in ipairs { "broadcast_lost", "broadcast_502", "broadcast_denied", "broadcast_other_hash" } do
    it("has the transaction, though its answer says otherwise (" .. fault .. "), is no reason for another", function()
      box:fault(fault, { times = 2 })
      assert(deposit())
      assert.equal(5000000, account().balance)
      assert.same({ 0, 1 }, sender().nonces)
      assert.equal(2, #books().transactions)
    end)
  end

  for _, fault in ipairs { "broadcast_dropped", "broadcast_refused" } do
    it("does not have it (" .. fault .. ") gets the same bytes again", function()
      hurry()
      box:fault(fault, { times = 1 })
      assert(deposit { timeout = 600 })
      assert.same({ 0, 1 }, sender().nonces)
      assert.equal(2, #books().transactions)
      assert.equal(5000000, account().balance)
    end)
  end

  it("is of another chain, behind the time, down or full of errors is believed nothing", function()
    for fault, code in pairs { rpc_wrong_chain = "chain_id", rpc_lagging = "rpc_lagging", rpc_down = "rpc",
        rpc_reset = "rpc", rpc_error = "rpc" } do
      hurry()
      box:fault(fault, { times = 1000 })
      local message, err = refused(code, "no", function() return deposit { timeout = 30 } end)
      assert.truthy(message:find("rpc =", 1, true), message)
      assert.is_nil(err.amount)
      box:clear()
      engine.now = real_now
    end
    assert.same({}, client:purchases { state = "open" })
    assert(deposit())
  end)

  it("says that everything is there when nothing is makes nobody richer", function()
    box:fault("rpc_rich", { times = 1000 })
    local message = refused("revert", "no", function() return deposit { timeout = 3 } end)
    assert.truthy(message:find("exceeds allowance", 1, true))
    box:clear()
    assert.equal(0, deposits())
  end)

  it("invents receipts is not believed without the event that must be in them", function()
    post("chain", { mining = "manual" })
    box:fault("rpc_invents", { times = 1000 })
    local value, message, err = deposit { timeout = 2 }
    assert.is_nil(value)
    assert.truthy(err.code == "open" or err.code == "revert", message)
    box:clear()
    post("chain", { mining = "instant" })
    post("mine", {})
    assert(deposit())
    assert.equal(1, deposits())
    assert.equal(5000000, account().balance)
  end)

  it("hides receipts makes a deposit unsure, never a second one", function()
    box:fault("rpc_hides", { times = 1000 })
    local value, message, err = deposit { timeout = 10 }
    assert.is_nil(value)
    assert.equal("replaced", err.code, message)
    assert.equal("maybe", err.paid)
    assert.equal("5.000000", err.amount)
    assert.is_nil((deposit { timeout = 10 }))
    box:clear()
    local one = assert(deposit())
    assert.equal("5.000000", one.deposited)
    assert.equal(1, deposits())
    assert.equal(5000000, account().balance)
  end)

  it("is wrong about the nonce leaves no hole behind", function()
    hurry()
    box:fault("rpc_nonce", { times = 1000 })
    local value, _, err = deposit { timeout = 20 }
    assert.is_nil(value)
    assert.equal("no", err.paid)
    box:clear()
    assert(deposit { timeout = 600 })
    assert.equal(1, deposits())
    local nonces = sender().nonces
    for i, nonce in ipairs(nonces) do assert.equal(i - 1, nonce) end
  end)

  it("estimates too little gas costs the gas, and no more", function()
    box:fault("rpc_gas", { times = 1000, gas = "0xafc8" })
    local value, message, err = deposit()
    assert.is_nil(value)
    assert.equal("reverted", err.code)
    assert.equal("no", err.paid)
    assert.truthy(message:find("ETH went for gas", 1, true), message)
    assert.is_nil(client:purchases { state = "open" }[1])
    box:clear()
    assert(deposit())
    assert.equal(1, deposits())
  end)
end)

describe("a transaction that is stuck", function()
  it("is sent anew under its own nonce, with a higher fee, and only one is mined", function()
    post("chain", { mining = "manual" })
    local patient = open { futures = "escrow", gas = { bump_after = 0.3 } }
    local value, message, err = patient.futures:deposit({ amount = "5" }, { timeout = 2 })
    assert.is_nil(value)
    assert.equal("open", err.code, message)
    assert.equal("no", err.paid)   -- only the approval was signed
    local all = books().transactions
    assert.is_true(#all >= 3)
    for i, tx in ipairs(all) do
      assert.equal(0, tx.nonce)
      assert.equal(all[1].method, tx.method)
      assert.equal(i == #all and "pending" or "replaced", tx.status)
    end
    post("chain", { mining = "instant" })
    post("mine", {})
    assert(patient.futures:deposit { amount = "5" })
    assert.same({ 0, 1 }, sender().nonces)
    assert.equal(1, deposits())
    patient:close()
  end)

  it("has its fee raised only as far as the cap on gas", function()
    post("chain", { mining = "manual" })
    post("escrow", { depositor = box.address, deposit = "5" })
    local poor = open { futures = "escrow", gas = { bump_after = 0.1, max_eth = "0.00000075" } }
    local value, message, err = poor.futures:account(box.address):refund { timeout = 2 }
    assert.is_nil(value)
    assert.equal(1, #books().transactions)
    assert.equal("open", err.code)
    assert.truthy(message:find("cannot be raised within gas.max_eth", 1, true), message)
    poor:close()
  end)

  it("for want of ether goes out, the same bytes, when there is some", function()
    post("chain", { l1_fee_per_byte = 100000000000 })   -- what the layer below takes is not the wallet's to bound
    post("account", { address = box.address, eth = "0.000005", allowance = "5" })
    local value, message, err = client.futures:deposit { amount = "5" }
    assert.is_nil(value)
    assert.equal("gas", err.code, message)
    assert.equal("maybe", err.paid)
    assert.equal("no", err.expect)
    assert.truthy(message:find("Send it some ETH", 1, true))
    post("account", { address = box.address, eth = "1" })
    assert(client.futures:deposit { amount = "5" })
    assert.same({ 0 }, sender().nonces)
    assert.equal(1, #books().transactions)
    assert.equal(err.transaction, books().transactions[1].hash)
    post("chain", { l1_fee_per_byte = 0 })
  end)

  it("is mined before the next of the wallet is signed, whoever asks for that", function()
    post("chain", { mining = "manual" })
    local value, _, err = client.futures:deposit({ amount = "5" }, { timeout = 1 })
    assert.is_nil(value)
    local first = err.purchase
    value, _, err = client.futures:deposit({ amount = "6" }, { timeout = 1 })
    assert.is_nil(value)
    assert.equal("earlier_open", err.code)
    assert.equal("no", err.paid)
    assert.truthy(err.hint:find(first, 1, true))
    assert.equal(1, #books().transactions)
    post("chain", { mining = "instant" })
    post("mine", {})
    assert(client.futures:deposit "6")
    assert(client.futures:deposit "5")
    assert.equal(11000000, account().balance)
    assert.same({ 0, 1, 2, 3, 4 }, sender().nonces)   -- the second deposit used up what the first had approved
  end)

  it("goes on by itself when its task is cancelled, and the same call finds it", function()
    post("chain", { mining = "manual" })
    post("account", { address = box.address, allowance = "5" })
    local value, err
    spraay.run(function()
      local task = spraay.spawn(function() return client.futures:deposit { amount = "5" } end)
      spraay.sleep(0.5)
      task:cancel()
      local _
      value, _, err = task:wait()
    end)
    assert.is_nil(value)
    assert.equal("cancelled", err.kind)
    assert.equal("maybe", err.paid)
    assert.equal("5.000000", client:summary().open)
    post("chain", { mining = "instant" })
    post("mine", {})
    assert.equal(1, deposits())
    assert.equal("5.000000", assert(client.futures:deposit { amount = "5" }).deposited)
    assert.equal(1, deposits())
    assert.same({ 0 }, sender().nonces)
  end)

  it("counts as open until it is told, and by one's own word it no longer stands in the way", function()
    local ledger = require "spraay.ledger"
    post("chain", { mining = "manual" })
    post("account", { address = box.address, allowance = "5" })
    local value, _, err = client.futures:deposit({ amount = "5" }, { timeout = 1 })
    assert.is_nil(value)
    assert.equal("maybe", err.paid)
    assert.equal("5.000000", client:summary().open)
    local open_one = assert(client:purchases { state = "open" })[1]
    assert.equal("deposit", open_one.verb)
    assert.equal("unknown", open_one.state)
    assert.equal(books().transactions[1].hash, open_one.transaction)
    local told = assert(client:reconcile())   -- no authorization: the chain is not asked about its nonce
    assert.equal(1, told.open)
    assert.truthy(told.purchases[1].hint:find("the same call goes on", 1, true))
    post("drop", {})
    post("chain", { mining = "instant" })
    post("account", { address = box.address, nonce = 1 })   -- the wallet used it elsewhere
    value, _, err = client.futures:deposit({ amount = "5" }, { timeout = 10 })
    assert.is_nil(value)
    assert.equal("replaced", err.code)
    assert.truthy(err.hint:find("spraay ledger void " .. open_one.id, 1, true))
    assert(ledger.ask(client.config.ledger, "close", { id = open_one.id, wallet = client.config.wallets[1]:key() }))
    assert.equal("0.000000", client:summary().open)
    assert(client.futures:deposit { amount = "4" })
    assert.equal(4000000, account().balance)
    -- The same deposit goes on, by the owner's word, under another nonce; and what it signs then is held as ever.
    post("chain", { mining = "manual" })
    value = client.futures:deposit({ amount = "5" }, { timeout = 1 })
    assert.is_nil(value)
    local waiting = #books().transactions
    value = client.futures:deposit({ amount = "5" }, { timeout = 1 })
    assert.is_nil(value)
    assert.equal(waiting, #books().transactions)
    post("chain", { mining = "instant" })
    post("mine", {})
    assert(client.futures:deposit { amount = "5" })
    assert.equal(9000000, account().balance)
  end)
end)

describe("an allowance that somebody else uses up", function()
  -- A deposit, and somebody who mines what waits, so often, and takes the allowance away after the first of them.
  local function race(times)
    post("chain", { mining = "manual" })
    local value, message, err
    spraay.all {
      function()
        value, message, err = client.futures:deposit { amount = "5" }
        times = -1
        return true
      end,
      function()
        for i = 1, 40 do
          spraay.sleep(0.25)
          if times == -1 then break end
          post("mine", {})
          if i <= times then post("account", { address = box.address, allowance = "0" }) end
        end
        return true
      end,
    }
    return value, message, err
  end

  it("is given again, once, and the deposit is one", function()
    local value, message = race(1)
    assert.truthy(value, message)
    assert.equal(5000000, account().balance)
    assert.equal("0", sender().allowance)
    assert.same({ 0, 1, 2 }, sender().nonces)
  end)

  it("again and again ends the deposit, and what was reserved is free", function()
    local value, message, err = race(30)
    assert.is_nil(value)
    assert.equal("allowance", err.code, message)
    assert.equal("no", err.paid)
    assert.truthy(message:find("ETH went for gas", 1, true))
    assert.equal("0.000000", client:summary().open)
    assert.equal(0, deposits())
  end)
end)

describe("a block that turns out never to have been", function()
  it("takes its transaction along, which is broadcast again until one stays", function()
    post("chain", { mining = "instant" })
    local careful = open { futures = "escrow", gas = { confirmations = 3 }, timeout = { total = 2000 } }
    hurry(0.05)
    local undone = 0
    local results, errors = spraay.all {
      function() return careful.futures:deposit "5" end,
      function()
        for _ = 1, 40 do
          spraay.sleep(0.4)
          local all = books().transactions
          local newest = all[#all]
          if newest and newest.status == "mined" and undone < 2 then
            undone = undone + 1
            post("reorg", { hash = newest.hash, drop = true })
          else
            box:advance(4)
          end
          if deposits() == 1 and undone == 2 then break end
        end
        return true
      end,
    }
    assert.same({}, errors)
    assert.equal("5.000000", results[1].deposited)
    assert.equal(2, undone)
    assert.equal(5000000, account().balance)
    assert.same({ 0, 1 }, sender().nonces)
    careful:close()
  end)
end)

describe("several at once", function()
  it("take turns, and their nonces are one row", function()
    local results, errors = spraay.all {
      function() return client.futures:deposit "2" end, function() return client.futures:deposit "3" end,
      function() return client.futures:deposit "4" end,
    }
    assert.same({}, errors)
    assert.equal(3, #results)
    assert.equal(9000000, account().balance)
    assert.same({ 0, 1, 2, 3, 4, 5 }, sender().nonces)
  end)

  it("of equal deposits are as many deposits", function()
    local _, errors = spraay.all {
      function() return client.futures:deposit "2" end, function() return client.futures:deposit "2" end,
    }
    assert.same({}, errors)
    assert.equal(4000000, account().balance)
  end)

  it("under a name are one", function()
    local a = assert(client.futures:deposit("2", { purchase = "first" }))
    local b = assert(client.futures:deposit("2", { purchase = "first" }))
    assert.equal("settled", a.payment.status)
    assert.equal("restored", b.payment.status)
    assert.equal(a.transaction, b.transaction)
    assert.equal(2000000, account().balance)
    refused("purchase_mismatch", "no", function() return client.futures:deposit("3", { purchase = "first" }) end)
  end)
end)
