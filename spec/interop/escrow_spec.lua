-- SPDX-License-Identifier: MIT
-- The escrow's whole life with transactions of our client's own making, mined by a real EVM into a contract of that
-- ABI: deposit, draw by the operator, balance, history, a part taken back, the rest taken back. The contract's own
-- books and the token's are the judges.
local world = require "spec.interop.world"

local function read(name, ...) return world.pull("read", { network = "base", contract = "escrow", functionName = name,
  args = { ... } }) end

-- balance, deposited, totalDrawn, totalRefunded, jobCount, tier, discountBps: as decimal strings
local function books(payer)
  local list = read("getAccount", payer.address)
  for i, value in ipairs(list) do list[i] = tostring(value):gsub("%.0$", "") end
  return list
end

local function allowance(payer)
  return world.pull("read", { network = "base", contract = "usdc", functionName = "allowance",
    args = { payer.address, world.escrow } })
end

describe("the escrow", function()
  local payer, client, folder
  local function open(more)
    local options = { futures = "escrow", networks = { "base" }, ledger = folder .. "/ledger.db", per_day = "100000",
      budget = "100000" }
    for name, value in pairs(more or {}) do options[name] = value end
    client = world.client(world.express, payer, options)
  end
  before_each(function()
    payer = world.payer("escrow", { base = "500" })
    world.pull("fund", { network = "base", address = payer.address, ether = "1" })
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir -m 700 " .. folder))
  end)
  after_each(function()
    if client then client:close() end
    os.execute("rm -r " .. folder)
    os.remove(payer.keyfile)
  end)

  it("is filled, drawn on, looked at, and emptied; every figure is the contract's", function()
    open()
    local account, message = client.futures:deposit { amount = "50" }
    assert(account, message)
    assert.same({ "50000000", "50000000", "0", "0", "0", "2", "1000" }, books(payer))
    assert.equal("450000000", world.balance(payer))
    assert.equal("0", tostring(allowance(payer)))   -- nothing is left that anybody could take
    assert.equal(payer.address, account.address)
    assert.truthy(account.transaction:match "^0x%x+$")

    for _ = 1, 2 do
      local drawn = world.pull("send", { network = "base", contract = "escrow", functionName = "drawdown",
        args = { payer.address, "27000" } })
      assert.equal("success", drawn.status)
    end
    local balance = assert(account:balance())
    assert.equal("49.946000", balance.balance)
    assert.equal(2, balance.job_count)
    assert.equal("builder", balance.tier)   -- the discount follows the balance
    local history = assert(account:history())
    local drawn = 0
    for _, entry in ipairs(history.entries) do
      if entry.charged == "0.027000" then drawn = drawn + 1 end
    end
    assert.equal(2, drawn)

    local part = assert(account:refund { amount = "9.946" })
    assert.equal("9.946000", part.refunded)
    assert.equal("459946000", world.balance(payer))
    assert.same({ "40000000", "50000000", "54000", "9946000", "2", "1", "500" }, books(payer))
    local rest = assert(account:refund())
    assert.equal("40.000000", rest.refunded)
    assert.equal("499946000", world.balance(payer))
    assert.same({ "0", "50000000", "54000", "49946000", "2", "0", "0" }, books(payer))
    world.row { client = "spraay", server = "escrow contract", network = "base", version = 2, ok = true, count = 3 }
  end)

  it("pays for jobs bought through the official gate: the fee by x402, the rest drawn from it", function()
    open()
    local account = assert(client.futures:deposit { amount = "10.02" })
    local before = tonumber(world.balance(payer))
    for n, charged in ipairs { "0.028500", "0.030000" } do   -- the second job finds less than 10 and no discount
      local job, message = account:chat { messages = "why " .. n }
      assert(job, message)
      assert.equal(charged, job.billing.charged)
      assert.equal("settled", job.payment.status)
      assert.equal("0.001000", job.payment.amount)
      assert.truthy(job.text:match "^express %d+$")
      assert.equal(before - n * 1000, tonumber(world.balance(payer)))
    end
    assert.same({ "9961500", "10020000", "58500", "0", "2", "0", "0" }, books(payer))
    local rest = assert(account:refund())
    assert.equal("9.961500", rest.refunded)
    local job, _, err = account:chat { messages = "and now?" }   -- no credit left: nothing is charged at the gate
    assert.is_nil(job)
    assert.equal("credits", err.code)
    assert.equal(before - 2000 + 9961500, tonumber(world.balance(payer)))
  end)

  it("is filled twice by two deposits, and once by the same one named", function()
    open()
    assert(client.futures:deposit({ amount = "5" }, { purchase = "once" }))
    assert(client.futures:deposit({ amount = "5" }, { purchase = "once" }))
    assert.equal("5000000", books(payer)[1])
    assert(client.futures:deposit({ amount = "5" }, { again = true }))
    assert.equal("10000000", books(payer)[1])
  end)

  it("takes nothing from a payer without enough USDC", function()
    open()
    local account, message, err = client.futures:deposit { amount = "501" }
    assert.is_nil(account)
    assert.equal("wallet", err.kind, message)
    assert.equal("no", err.paid)
    assert.equal("500000000", world.balance(payer))
    assert.equal("0", tostring(allowance(payer)))
  end)

  it("takes nothing from a payer without ether", function()
    open()
    world.pull("fund", { network = "base", address = payer.address, ether = "0" })
    local account, message, err = client.futures:deposit { amount = "5" }
    assert.is_nil(account)
    assert.equal("no", err.paid, message)
    assert.equal("500000000", world.balance(payer))
  end)

  it("gives nothing back to whom it owes nothing", function()
    open()
    local account = assert(client.futures:account(payer.address))
    local refund, message, err = account:refund()
    assert.is_nil(refund)
    assert.equal("no", err.paid, message)
  end)
end)

