-- SPDX-License-Identifier: MIT
-- A ledger that somebody else wrote in, or that the disk damaged: it is noticed, named, refused and repaired.
local core = require "spraay.core"
local exchange = require "spec.support.exchange"
local processes = require "spec.support.processes"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function sqlite(path, sql)
  local pipe = assert(io.popen(("sqlite3 -cmd '.timeout 9000' %s \"%s\" 2>&1"):format(path, sql), "r"))
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

describe("a ledger that was changed by somebody else", function()
  local place, wallet, before

  local function open(config)
    local all = { wallet = wallet }
    for key, value in pairs(config or {}) do all[key] = value end
    return exchange.new(all)
  end

  local function ask(kind, words)
    local op = assert(core.ledger(exchange.engine, place)):ask(kind, words or {})
    return exchange.outcome(op)
  end

  local function whats(lines)
    local all = {}
    for _, line in ipairs(lines) do all[#all + 1] = (line.id or "") .. " " .. line.what end
    return table.concat(all, "\n")
  end

  before_each(function()
    before, exchange.ledger = exchange.ledger, processes.place()
    place, wallet = exchange.ledger, assert(core.wallet_random())
  end)

  after_each(function()
    exchange.ledger = before
    processes.clear(place)
  end)

  it("is sound when nobody did", function()
    local gateway = open()
    gateway:buy()
    gateway:lose{ body = "{\"lost\":1}" }
    assert.same({}, ask("verify", { wallet = wallet }))
    assert.same({}, ask "verify")
  end)

  for _, change in ipairs{
    { "an amount", "UPDATE purchase SET amount = 1 WHERE state <> 'taken'" },
    { "a receiver",
      "UPDATE purchase SET pay_to = '0x1111111111111111111111111111111111111111' WHERE state <> 'taken'" },
    { "a state", "UPDATE purchase SET state = 'void' WHERE state <> 'taken'" },
    { "an authorization", "UPDATE purchase SET header_value = 'e30=' WHERE state <> 'taken'" },
    { "a share of a budget", "UPDATE purchase SET shares = x'' WHERE state <> 'taken'" },
    { "a sum of a day", "UPDATE spend_day SET amount = 1" },
    { "a sum of a budget", "UPDATE spend_scope SET amount = 1" },
  } do
    it("refuses to pay when " .. change[1] .. " was changed, and says which", function()
      local gateway = open()
      gateway:buy()
      gateway:lose{ body = "{\"lost\":1}" }
      assert.equal("", sqlite(place, change[2]))
      local call = gateway:call{ body = "{\"new\":1}" }
      local sent = exchange.drive(call, { gateway:challenge(), gateway:answer() })
      local r = exchange.result(call)
      assert.same({}, exchange.nonces(sent))
      assert.is_false(r.ok)
      assert.equal("ledger", r.kind)
      assert.equal("ledger_corrupt", r.code)
      assert.equal("no", r.paid)
      assert.truthy(r.message:find(place, 1, true))
      assert.truthy(r.hint:find("spraay ledger repair", 1, true))
      assert.equal(1, #ask("verify", { wallet = wallet }))
    end)
  end

  it("calls a named purchase damaged when what it asked for was changed, not another request", function()
    local gateway = open()
    gateway:buy{ purchase = "mine" }
    assert.equal("", sqlite(place, "UPDATE purchase SET request = zeroblob(32)"))
    local call = gateway:call{ purchase = "mine" }
    exchange.settle(call)
    assert.equal("ledger_corrupt", call:result().code)
    call:close()
  end)

  it("refuses an answer that is not the one that was stored", function()
    local gateway = open()
    local call = gateway:call()
    exchange.drive(call, { gateway:challenge(), gateway:answer() })
    call:close()
    assert.equal("", sqlite(place, "UPDATE answer SET body = x'7b7d'"))
    call = gateway:call()
    exchange.drive(call, {})
    local r = exchange.result(call)
    assert.equal("ledger_corrupt", r.code)
    assert.truthy(r.message:find("answer", 1, true))
    assert.truthy(whats(ask("verify", { wallet = wallet })):find("answer", 1, true))
  end)

  it("says that a result was paid and lost when the stored answer is gone, and buys nothing in its place", function()
    local gateway = open()
    local call = gateway:call()
    exchange.drive(call, { gateway:challenge(), gateway:answer() })
    call:close()
    assert.equal("1", sqlite(place, "DELETE FROM answer; SELECT changes()"))
    assert.truthy(whats(ask("verify", { wallet = wallet })):find("answer is not here", 1, true))
    call = gateway:call()
    local sent = exchange.drive(call, { gateway:challenge(), gateway:answer() })
    local r = exchange.result(call)
    assert.same({}, exchange.nonces(sent))
    assert.equal("paid_lost", r.code)
    assert.equal("yes", r.paid)
    assert.equal("30000", gateway:totals().settled)
  end)

  it("says the same of a named purchase that was handed over before", function()
    local gateway = open()
    gateway:buy{ purchase = "order 1" }
    gateway:buy{ purchase = "order 2" }
    assert.equal("2", sqlite(place, "DELETE FROM answer; SELECT changes()"))
    local call = gateway:call{ purchase = "order 1" }
    assert.same({}, exchange.nonces(exchange.drive(call, { gateway:challenge() })))
    assert.equal("paid_lost", exchange.result(call).code)
    assert.equal("60000", gateway:totals().settled)
    assert.equal(1, #ask("list", { state = "paid_lost" }))
  end)

  it("finds receivers and prices that were changed", function()
    open():buy()
    assert(ask("trust", { wallet = wallet, origin = "https://a.test", network = "eip155:8453",
                          pay_to = exchange.PAY_TO }))
    assert(ask("accept_price", { wallet = wallet, origin = "https://a.test", route = "x/y", atomic = "5" }))
    assert.same({}, ask("verify", { wallet = wallet }))
    sqlite(place, "UPDATE pin SET pay_to = '0x1111111111111111111111111111111111111111'; UPDATE price SET atomic = '6'")
    local found = whats(ask("verify", { wallet = wallet }))
    assert.truthy(found:find("the receiver on record for https://a.test", 1, true))
    assert.truthy(found:find("the price accepted on record for x/y", 1, true))
  end)

  it("finds a purchase that is held by a process nobody knows, which would be under way for ever", function()
    local gateway = open()
    local lost = gateway:lose()
    ask "list"                            -- its release is on disk by then
    sqlite(place, "UPDATE purchase SET owner = '00112233445566778899aabbccddeeff'")
    local call = gateway:call{ total_ms = 300 }
    assert.same({}, exchange.nonces(exchange.drive(call, {})))
    assert.is_false(exchange.result(call).ok)
    assert.truthy(whats(ask("verify", { wallet = wallet })):find(lost.purchase .. " is held by a process", 1, true))
    assert.same({}, ask("repair", { wallet = wallet }))
    assert.same({}, ask("verify", { wallet = wallet }))
    call = gateway:call{ total_ms = 6000 }
    local sent = exchange.drive(call, { gateway:answer() })
    assert.is_true(exchange.result(call).ok)
    assert.equal(1, #exchange.nonces(sent))
  end)

  it("finds sums that were removed, by the records that they were made of", function()
    for _, sums in ipairs{ "spend_day", "spend_scope" } do
      local gateway = open()
      gateway:buy()
      gateway:buy{ body = "{\"other\":1}" }
      assert.same({}, ask("verify", { wallet = wallet }))
      assert.equal("", sqlite(place, "DELETE FROM " .. sums))
      local found = whats(ask("verify", { wallet = wallet }))
      assert.truthy(found:find("less than the records", 1, true), sums .. ": " .. found)
      ask("repair", { wallet = wallet })
      assert.same({}, ask("verify", { wallet = wallet }))
      assert.equal("60000", gateway:totals().settled)
    end
  end)

  it("finds all that was changed, not only the first of it", function()
    local gateway = open()
    gateway:buy()
    gateway:lose{ body = "{\"lost\":1}" }
    sqlite(place, "UPDATE purchase SET amount = 1; UPDATE spend_day SET amount = 1; UPDATE spend_scope SET amount = 1")
    assert.equal(4, #ask("verify", { wallet = wallet }))
  end)

  it("notices what was changed before the wallet came that can tell", function()
    local one, two = processes.key(), processes.key()
    local first = processes.start{ ledger = place, key = one }
    first:run [[ return gateway:lose().ok ]]
    first:stop()
    sqlite(place, "UPDATE purchase SET amount = 1")
    local second = processes.start{ ledger = place, key = two }
    assert.is_true(second:run [[ return gateway:buy().ok ]]) -- nobody there can tell
    second:run(("key = %q"):format(one))
    assert.equal("ledger_corrupt", second:run [[
      gateway = exchange.new{ wallet = core.wallet_file(key), origin = "https://gateway.test" }
      return gateway:buy{ body = "{\"new\":1}" }.code
    ]])
    second:kill()
    os.remove(one)
    os.remove(two)
  end)

  it("takes no foreign word for a history that counts", function()
    local gateway = open{ per_day = "40000" }
    gateway:lose()
    sqlite(place, "UPDATE purchase SET payer = '0x1111111111111111111111111111111111111111', amount = 0")
    local call = gateway:call()
    local sent = exchange.drive(call, { gateway:challenge(), gateway:answer() })
    assert.same({}, exchange.nonces(sent))
    assert.is_false(exchange.result(call).ok)
  end)
end)

describe("a file that is no ledger", function()
  local place, before

  before_each(function()
    before, exchange.ledger = exchange.ledger, processes.place()
    place = exchange.ledger
  end)

  after_each(function()
    exchange.ledger = before
    processes.clear(place)
  end)

  local function refused()
    local gateway = exchange.new()
    local call = gateway:call()
    local sent = exchange.drive(call, { gateway:challenge(), gateway:answer() })
    assert.same({}, exchange.nonces(sent))
    local r = exchange.result(call)
    assert.equal("ledger", r.kind)
    assert.equal("no", r.paid)
    assert.truthy(r.message:find(place, 1, true))
    assert.not_equal("", r.hint)
    return r
  end

  it("is refused when a later release wrote it, and left as it is", function()
    sqlite(place, "PRAGMA application_id = 1397772889; PRAGMA user_version = 99; CREATE TABLE later (x)")
    local bytes = read(place)
    assert.equal("ledger_newer", refused().code)
    assert.equal(bytes, read(place))
  end)

  it("is refused when it is the database of something else, and left as it is", function()
    sqlite(place, "CREATE TABLE users (name); INSERT INTO users VALUES ('a')")
    local bytes = read(place)
    local r = refused()
    assert.equal("ledger_open", r.code)
    assert.truthy(r.message:find("something else", 1, true))
    assert.equal(bytes, read(place))
  end)

  it("is refused when it is no database at all, and left as it is", function()
    write(place, ("this is a letter\n"):rep(400))
    local bytes = read(place)
    assert.equal("ledger_corrupt", refused().code)
    assert.equal(bytes, read(place))
  end)

  it("is refused when it is a folder", function()
    assert(os.execute("mkdir " .. place))
    assert.equal("ledger_open", refused().code)
  end)

  it("is refused when its folder beside it is a link to somewhere", function()
    assert(os.execute("ln -s /tmp " .. place .. ".d"))
    assert.equal("ledger_open", refused().code)
  end)
end)
