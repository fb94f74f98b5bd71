-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"

-- A world with some purchases on record, and a ledger file that is there (the fake keeps nothing in it).
local function recorded(options)
  local spraay, world = fake.new()
  world.folder = os.tmpname()
  os.remove(world.folder)
  os.execute("mkdir " .. world.folder)
  io.open(world.folder .. "/ledger.db", "w"):close()
  world.answer = function(request)
    if request.body:find("lost", 1, true) then
      return { price = "30000", error = { kind = "timeout", message = "no answer", paid = "maybe", atomic = "30000",
        until_ = world.wall() + 300 } }
    end
    return { price = "30000", body = { choices = {} } }
  end
  return spraay, world, assert(spraay.open(options))
end

local function tidy(world) os.execute("rm -r " .. world.folder) end

describe("client:purchases", function()
  local spraay, world, client = recorded { run = "r" }
  client:chat "one"
  client:chat "lost"
  spraay.sleep(100)
  assert(spraay.open {}):chat "two"
  teardown(function() tidy(world) end)

  it("gives plain tables, oldest first: decimal amounts, networks by name, moments in seconds", function()
    local list = assert(client:purchases())
    assert.equal(3, #list)
    local one = list[1]
    assert.equal("0.030000", one.amount)
    assert.equal("base", one.network)
    assert.equal("taken", one.state)
    assert.equal("settled", one.payment)
    assert.equal("chat", one.verb)
    assert.equal("compute/text-inference", one.route)
    assert.equal("r", one.run)
    assert.is_true(one.named)
    assert.equal(world.wall() - 100, one.created)
    assert.equal("unknown", list[2].state)
    assert.equal("0x" .. ("ab"):rep(32), one.nonce)
    assert.is_nil(one.atomic)
  end)

  it("chooses by state, run, moment, id and origin", function()
    local function ids(filter)
      local out = {}
      for i, row in ipairs(assert(client:purchases(filter))) do out[i] = row.id end
      return table.concat(out, " ")
    end
    assert.equal("p2", ids { state = "unknown" })
    assert.equal("p2", ids { state = "open" })
    assert.equal("p1 p2", ids { run = "r" })
    assert.equal("p3", ids { since = world.wall() - 50 })
    assert.equal("p3", ids { since = world.wall() - 50.5 })
    assert.equal("p2", ids { id = "p2" })
    assert.equal("p1", ids { limit = 1 })
    assert.equal("p1 p2 p3", ids { origin = "https://gateway.spraay.app/" })
    assert.equal("", ids { origin = "https://x.example" })
  end)

  for _, case in ipairs {
    { { states = "open" }, "Did you mean \"state\"?" }, { { state = "payed" }, "must be a state" },
    { { limit = 0 }, "whole number" }, { { since = "today" }, "since 1970" }, { { run = 5 }, "short text" },
    { { origin = "x" }, "not an origin" }, { "open", "table of filters" },
  } do
    it("refuses a filter that is none: " .. case[2], function()
      local value, message, err = client:purchases(case[1])
      assert.is_nil(value)
      assert.equal("usage", err.kind)
      assert.truthy(message:find(case[2], 1, true), message)
    end)
  end

  it("makes no file that is not there: nothing was bought yet", function()
    local asked = #world.questions
    assert.same({}, assert(spraay.open { ledger = "/nowhere/ledger.db" }):purchases())
    assert.equal(asked, #world.questions)
  end)

  it("says so when there is no place for a ledger, or none can be read", function()
    local folder = world.folder
    world.folder = nil
    assert.equal("no_place", select(3, assert(spraay.open {}):purchases()).code)
    world.folder, world.ledger_trouble = folder, "it is no database"
    local _, message, err = client:purchases()
    world.ledger_trouble = nil
    assert.equal("ledger", err.kind)
    assert.truthy(message:find(folder .. "/ledger.db cannot answer: it is no database", 1, true), message)
  end)
end)

describe("client:summary", function()
  local spraay, world, client

  before_each(function() spraay, world, client = recorded { run = "r", budget = "0.10" } end)
  after_each(function() tidy(world) end)

  it("tells what was paid, may have been, was refused and was restored", function()
    client:chat "one"
    client:chat "lost"
    client:chat("dear", { max = "0.01" })
    local summary = assert(client:summary())
    assert.equal("0.030000", summary.settled)
    assert.equal("0.030000", summary.open)
    assert.equal(1, summary.refused)
    assert.equal(0, summary.restored)
    assert.equal("0.100000", summary.budget)
    assert.equal("0.040000", summary.left)
    assert.equal(1, #summary.purchases)
    assert.equal("unknown", summary.purchases[1].state)
  end)

  it("is a small table for people, with a way to go on", function()
    client:chat "one"
    client:chat "lost"
    local text = tostring(assert(client:summary()))
    local head = "settled       0.030000  USDC\nopen          0.030000  USDC in 1 purchase\n"
      .. "refused              0\nrestored             0\nbudget        0.100000  USDC, 0.040000 left\n  p2  "
    assert.equal(head, text:sub(1, #head))
    assert.truthy(text:find("the same call continues it; from ", 1, true), text)
    spraay.sleep(400)
    text = tostring(assert(client:summary()))
    assert.truthy(text:find("`spraay ledger reconcile` asks the chain", 1, true), text)
  end)

  it("lists, without a run, the purchases that this client told of", function()
    client:chat "lost"
    local other = assert(spraay.open {})
    assert.equal(0, #assert(other:summary()).purchases)
    other:chat "lost too"
    assert.equal(1, #assert(other:summary()).purchases)
    assert.is_nil(assert(other:summary()).left)
  end)

  it("works before anything was bought, and in memory", function()
    assert.equal("0.000000", assert(spraay.open { ledger = "/nowhere/x.db" }):summary().settled)
    local memory = assert(spraay.open { ledger = false })
    memory:chat "x"
    assert.equal("0.030000", assert(memory:summary()).settled)
  end)

  it("is refused by a closed client", function()
    client:close()
    assert.equal("closed", select(3, client:summary()).code)
  end)
end)

describe("client:reconcile", function()
  local spraay, world, client

  before_each(function() spraay, world, client = recorded {} end)
  after_each(function() tidy(world) end)

  it("asks the chain about each open purchase, and pays for nothing", function()
    for i = 1, 6 do client:chat("lost " .. i) end
    world.row.p1.fate, world.row.p2.fate, world.row.p3.fate = "void", "paid_lost", "delivered"
    world.row.p5.live = true
    world.row.p6.payer = "0x" .. ("1"):rep(40)
    world.calls = {}
    local done = assert(client:reconcile())
    assert.equal(1, done.void)
    assert.equal(1, done.paid_lost)
    assert.equal(1, done.delivered)
    assert.equal(3, done.open)
    assert.equal(0, #world.settled)
    local after = {}
    for i, line in ipairs(done.purchases) do
      assert.equal("unknown", line.before)
      assert.equal("0.030000", line.amount)
      after[i] = line.after
    end
    assert.same({ "void", "paid_lost", "delivered", "unknown", "unknown", "unknown" }, after)
    assert.truthy(done.purchases[2].hint:find("spraay ledger claim p2", 1, true))
    assert.truthy(done.purchases[4].hint:find("the same call continues it", 1, true))
    assert.equal("a call is under way", done.purchases[5].hint)
    assert.truthy(done.purchases[6].hint:find("another wallet's", 1, true))
    assert.equal(4, #world.calls)   -- what is held, and what is another's, is left alone
    for _, call in ipairs(world.calls) do assert.truthy(call.reconcile) end
  end)

  it("says what one's own word can do where there is no proof", function()
    client:chat "lost"
    spraay.sleep(1000)
    local hint = assert(client:reconcile()).purchases[1].hint
    assert.truthy(hint:find("`spraay ledger void p1` or `spraay ledger settle p1`", 1, true), hint)
  end)

  it("never asks a sandbox's chain about real money, or the other way round", function()
    client:chat "lost"
    world.row.p1.fate = "void"
    local sandboxed = assert(spraay.open { gateway = "http://127.0.0.1:8402" })
    local done = assert(sandboxed:reconcile())
    assert.equal(1, done.open)
    assert.truthy(done.purchases[1].hint:find("https://gateway.spraay.app", 1, true))
    assert.equal("unknown", world.row.p1.state)
    assert.equal(1, assert(client:reconcile()).void)
  end)

  it("has nothing to do when nothing is open", function()
    client:chat "one"
    assert.same({ void = 0, paid_lost = 0, delivered = 0, open = 0, purchases = {} }, client:reconcile())
    assert.same({}, assert(spraay.open { ledger = "/nowhere/x.db" }):reconcile().purchases)
  end)

  it("stops in time, and says what it did not look at", function()
    for i = 1, 6 do client:chat("lost " .. i) end
    local done = assert(client:reconcile { timeout = 0.07 })
    assert.equal(6, done.open)
    assert.equal(6, #done.purchases)
  end)

  it("wants the wallet that pays, and sends nothing without it", function()
    client:chat "lost"
    world.calls = {}
    local done, _, err = assert(spraay.open { wallet = false }):reconcile()
    assert.is_nil(done)
    assert.equal("wallet", err.kind)
    assert.equal(0, #world.calls)
  end)

  it("overlaps with other tasks", function()
    client:chat "lost"
    spraay.run(function()
      local other = spraay.spawn(function() return client:chat "meanwhile" end)
      assert(client:reconcile())
      assert(other:wait())
    end)
  end)

  for _, case in ipairs {
    { { timeout = 0 }, "above 0" }, { { tiemout = 5 }, "Did you mean" }, { "x", "table of options" },
  } do
    it("refuses options that are none: " .. case[2], function()
      local value, message, err = client:reconcile(case[1])
      assert.is_nil(value)
      assert.equal("usage", err.kind)
      assert.truthy(message:find(case[2], 1, true), message)
    end)
  end
end)

describe("after the first paid call of a process", function()
  local spraay, world, client

  before_each(function()
    spraay, world, client = recorded {}
    client:chat "lost"
    client:chat("lost", { purchase = "named" })
    spraay.sleep(1000)
    client:chat "lost later"
    for id in pairs(world.row) do world.row[id].fate = "void" end
    world.process = world.process + 1
  end)
  after_each(function() tidy(world) end)

  it("what has expired is looked at in the background, once, and nobody waits for it", function()
    local before = world.now
    assert(client:chat "new")
    assert.is_true(world.now - before < 0.2)
    assert.equal("unknown", world.row.p1.state)
    assert.equal(0, spraay.update(0))
    spraay.sleep(5)
    assert.equal("void", world.row.p1.state)
    assert.equal("void", world.row.p2.state)
    local lists = 0
    assert(client:chat "another")
    spraay.sleep(5)
    for _, question in ipairs(world.questions) do lists = lists + (question.kind == "list" and 1 or 0) end
    assert.equal(2, lists)   -- one for each process
  end)

  it("what still lives is left alone: the chain could not tell", function()
    assert(client:chat "new")
    spraay.sleep(5)
    assert.equal("unknown", world.row.p3.state)
  end)

  it("so is what a call holds, what another wallet pays, and what another chain knows", function()
    world.row.p1.live, world.row.p2.payer = true, "0x" .. ("1"):rep(40)
    assert(client:chat "new")
    spraay.sleep(5)
    assert.equal("unknown", world.row.p1.state)
    assert.equal("unknown", world.row.p2.state)
    world.process = world.process + 1
    world.row.p1.live = false
    assert(assert(spraay.open { gateway = "http://127.0.0.1:1" }):chat "new")
    spraay.sleep(5)
    assert.equal("unknown", world.row.p1.state)
  end)

  it("no run waits for it", function()
    spraay.run(function() assert(client:chat "new") end)
    assert.equal("unknown", world.row.p1.state)
  end)

  it("trouble with it is nobody's business", function()
    world.ledger_trouble = "the disk is gone"
    assert(client:chat "new")
    spraay.sleep(5)
    assert(client:chat "newer")
  end)
end)
