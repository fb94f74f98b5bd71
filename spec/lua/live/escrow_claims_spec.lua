-- SPDX-License-Identifier: MIT
-- What is said of the escrow dialect, sentence by sentence, where no other spec shows it: executes of one account,
-- names of reverts, warnings, accounts of the wrong kind, numbers for amounts.
local dialect = require "spraay.futures.dialect"
local engine = require "spraay.engine"
local live = require "spec.support.live"
local spraay = require "spraay"

local box, client, folder, ledgers = nil, nil, nil, 0
local real_now, ahead = engine.now, 0
local CFE = "CFE-0123456789ABCDEF"

local function post(name, body)
  local answer = box:request("POST", "/_sandbox/" .. name, { body = body })
  assert(answer.status == 200, answer.body)
  return answer.json
end

local function books() return box:request("GET", "/_sandbox/transactions").json end
local function executed() return box:ledger().handled["POST /api/v1/compute-futures/execute"] or 0 end

local function open(more)
  local all = { ledger = ("%s/%d.db"):format(folder, ledgers), timeout = { connect = 2, idle = 5, total = 20 } }
  for name, value in pairs(more or {}) do all[name] = value end
  return live.open(box, all)
end

local function hurry()
  engine.now = function()
    ahead = ahead + 0.2
    return real_now() + ahead
  end
end

setup(function()
  box = live.start { dialect = "escrow", job_seconds = 0, mining = "instant" }
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
  dialect.forget()
  ledgers = ledgers + 1
  client = open { futures = "escrow" }
end)
after_each(function()
  engine.now = real_now
  require "spraay.turns".forget()
  client:close()
end)

describe("executes on one account", function()
  it("follow each other, however its address is spelt and whichever client asks", function()
    post("escrow", { depositor = box.address, deposit = "5" })
    local other = open { futures = "escrow" }
    local methods = debug.getmetatable(assert(require "spraay.call".core_client(client))).__index
    local real, under_way, most = methods.call, 0, 0
    methods.call = function(...)
      local handle, why, code = real(...)
      under_way = under_way + 1
      most = math.max(most, under_way)
      return handle, why, code
    end
    local function one(of, address, text)
      return function()
        local value, message = of.futures:account(address):chat(text)
        under_way = under_way - 1
        assert(value, message)
      end
    end
    hurry()
    local ok, why = pcall(spraay.all, {
      one(client, box.address, "a"), one(client, box.address:lower(), "b"), one(other, box.address, "c"),
    })
    methods.call = real
    assert(ok, why)
    assert.equal(1, most)
    assert.equal(3, executed())
    assert.equal(3, books().escrow.accounts[box.address].jobs)
    other:close()
  end)

  it("are presented once when the answer is lost, by every later equal call too", function()
    post("escrow", { depositor = box.address, deposit = "5" })
    hurry()
    local one = client.futures:account(box.address)
    box:fault("settle_then_reset", { times = 1, route = "execute" })
    for attempt = 1, 3 do
      local value, message, err = one:chat "x"
      assert.is_nil(value)
      assert.equal(attempt == 1 and "maybe" or err.paid, err.paid, message)
      assert.not_equal("no", err.paid)
      assert.equal(1, executed())
      assert.equal(1, #box:ledger().presented)
      assert.equal(1, books().escrow.accounts[box.address].jobs)
    end
    assert.equal("4.970000", one:balance().balance)
    assert(one:chat("x", { again = true }))
    assert.equal(2, books().escrow.accounts[box.address].jobs)
  end)
end)

describe("what a contract says when it gives up", function()
  it("is told by name, with its figures, before anything is signed", function()
    post("escrow", { depositor = box.address, deposit = "5" })
    box:fault("rpc_rich", {})
    local value, message, err = client.futures:account(box.address):refund { amount = "6" }
    assert.is_nil(value)
    assert.equal("revert", err.code, message)
    assert.truthy(message:find("InsufficientBalance(6000000, 5000000)", 1, true), message)
    assert.equal(0, books().sent)
  end)

  it("is told of a transaction that was mined and did nothing, too", function()
    post("escrow", { depositor = box.address, deposit = "5" })
    post("chain", { mining = "manual" })
    local one = client.futures:account(box.address)
    assert.is_nil((one:refund { amount = "5", timeout = 1 }))
    post("escrow", { depositor = box.address, drawdown = "1" })
    post("chain", { mining = "instant" })
    post("mine", {})
    local value, message, err = one:refund { amount = "5", timeout = 5 }
    assert.is_nil(value)
    assert.equal("reverted", err.code, message)
    assert.truthy(message:find("InsufficientBalance(5000000, 4000000)", 1, true), message)
    assert.truthy(message:find("ETH went for gas", 1, true), message)
    assert.equal("4.000000", assert(one:balance()).balance)
  end)
end)

describe("the tier of an account in the escrow", function()
  it("is warned of wherever a balance with a discount to lose is told", function()
    for _, case in ipairs { { "9", false }, { "10", "5% discount while at least 10 USDC are left, then No discount" },
        { "50", "10% discount while at least 50 USDC are left, then 5% discount" },
        { "200", "15% discount while at least 200 USDC are left, then 10% discount" } } do
      box:reset()
      post("escrow", { depositor = box.address, deposit = case[1] })
      for _, via in ipairs { "rpc", "gateway" } do
        local balance = assert(client.futures:account(box.address):balance { via = via })
        local warning = balance.warning
        if case[2] then
          assert.truthy(warning and warning:lower():find(case[2]:lower(), 1, true), tostring(warning))
        else
          assert.is_nil(warning)
        end
      end
    end
  end)
end)

describe("gas", function()
  it("is told in dollars, too, where a price of ether is given", function()
    local other = open { futures = "escrow", gas = { eth_usd = "3000" } }
    local payment = assert(other.futures:deposit "5").payment
    local wei, dollars = payment.gas, payment.gas_usd
    assert.truthy(tonumber(wei) > 0)
    assert.is_true(math.abs(tonumber(wei) * 3000 - tonumber(dollars)) <= 0.000001)
    local fees = books().senders[box.address].fees
    assert.equal(tonumber(fees) / 1e18, tonumber(wei))   -- the chain's own sum
    other:close()
    assert.is_nil(assert(client.futures:deposit "5").payment.gas_usd)
  end)
end)

describe("an account of the wrong kind", function()
  local function told(ask, wanted)
    local value, message, err = ask()
    assert.is_nil(value, message)
    assert.equal("dialect", err.code, message)
    assert.equal(wanted, err.dialect, message)
    assert.equal("no", err.expect or err.paid, message)
    assert.truthy(message:find("no credit was moved", 1, true), message)
    assert.equal(0, box:ledger().count)
    assert.equal(0, books().sent)
  end

  it("by a CFE id at an escrow gateway is told as that, whatever is asked of it, and nothing is settled", function()
    hurry()
    local free = open {}
    local one = assert(free.futures:account(CFE))
    for i, ask in ipairs { function() return one:balance() end, function() return one:refund() end,
        function() return one:chat "x" end,
        function() return one:execute { type = "image", prompt = "x" } end } do
      dialect.forget()
      local ok, why = pcall(told, ask, "escrow")
      assert(ok, ("case %d: %s"):format(i, tostring(why)))
    end
    dialect.forget()   -- a history fails there in words that tell nothing, and nothing is made of them
    local value, message, err = one:history()
    assert.is_nil(value)
    assert.equal("server_error", err.code, message)
    assert.equal("no", err.expect)
    assert.equal(0, box:ledger().count)
    assert.is_nil((one:balance()))
    value, message, err = free.futures:account(CFE)   -- known by now
    assert.is_nil(value)
    assert.equal("dialect", err.code, message)
    free:close()
  end)

  it("by an address at a ledger gateway is told as that, too", function()
    local escrow_box = box
    box = live.start { dialect = "ledger", job_seconds = 0, mining = "instant" }
    local ok, why = pcall(function()
      hurry()
      local free = open { ledger = folder .. "/other.db" }
      local one = assert(free.futures:account(box.address))
      for i, ask in ipairs { function() return one:balance { via = "gateway" } end, function() return one:chat "x" end,
          function() return one:execute { type = "image", prompt = "x" } end } do
        dialect.forget()
        local went, said = pcall(told, ask, "ledger")
        assert(went, ("case %d: %s"):format(i, tostring(said)))
      end
      free:close()
    end)
    live.stop(box)
    box = escrow_box
    assert(ok, why)
  end)
end)

describe("a gateway that names another contract", function()
  it("in any answer gets no deposit from then on, in no process, until it names ours again", function()
    local free = open {}
    local one = assert(free.futures:deposit "5")
    box:fault("answer_altered", { path = "contract", value = "0x" .. ("12"):rep(20), route = "execute", times = 1 })
    assert(one:chat "x")
    local sent = books().sent
    for _ = 1, 2 do
      local value, message, err = free.futures:deposit "6"
      assert.is_nil(value)
      assert.equal("contract", err.code, message)
      assert.equal("no", err.paid)
      assert.truthy(message:find("0x" .. ("12"):rep(20), 1, true), message)
      assert.equal(sent, books().sent)
      free:close()
      dialect.forget()   -- as in another process
      free = open {}
    end
    assert(free.futures:pricing())
    assert.equal("6.000000", assert(free.futures:deposit "6").deposited)
    free:close()
  end)
end)

describe("amounts that are numbers", function()
  it("are refused by name, whatever they are for, and nothing is asked", function()
    live.unsent(box, function()
      local one = client.futures:account(box.address)
      for i, ask in ipairs { function() return client.futures:deposit(50) end,
          function() return client.futures:deposit { amount = 50 } end,
          function() return client.futures:deposit { amount = 50.0 } end,
          function() return client.futures:deposit({ amount = "50" }, { max = 60 }) end,
          function() return one:refund { amount = 5 } end, function() return one:chat("x", { max = 0.05 }) end } do
        local value, message, err = ask()
        assert.is_nil(value, "case " .. i)
        assert.equal("usage", err.kind, message)
        assert.equal("no", err.paid)
        if i > 1 then assert.truthy(message:find("string", 1, true), message) end
      end
    end)
    assert.equal(0, books().sent)
  end)
end)

describe("a balance", function()
  it("without an RPC says who else can be asked, and the gateway is then paid", function()
    post("escrow", { depositor = box.address, deposit = "5" })
    local other = open { futures = "escrow", rpc = false }
    local one = other.futures:account(box.address)
    local value, message, err = one:balance()
    assert.is_nil(value)
    assert.equal("rpc", err.code)
    assert.truthy(message:find('{ via = "gateway" } asks the gateway for 0.001 USDC', 1, true), message)
    assert.equal(0, box:ledger().count)
    assert.equal("5.000000", assert(one:balance { via = "gateway" }).balance)
    assert.equal("0.001000", box:ledger().total_usdc)
    other:close()
  end)
end)
