-- SPDX-License-Identifier: MIT
-- Repair keeps all that is sound, says what it could not keep, and leaves a file that works.
local core = require "spraay.core"
local exchange = require "spec.support.exchange"
local live = require "spec.support.live"
local processes = require "spec.support.processes"

local function sqlite(path, sql)
  local pipe = assert(io.popen(("sqlite3 -cmd '.timeout 9000' %s \"%s\" 2>&1"):format(path, sql), "r"))
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

local function size(path)
  local file = assert(io.open(path, "rb"))
  local n = file:seek "end"
  file:close()
  return n
end

--- Overwrite bytes of a file.
local function scribble(path, at, text)
  local file = assert(io.open(path, "r+b"))
  file:seek("set", at)
  file:write(text)
  file:close()
end

describe("a ledger that is repaired", function()
  local place, keys, before, running

  local function start(key, client)
    local one = processes.start{ ledger = place, key = key, client = client }
    running[#running + 1] = one
    return one
  end

  --- Lines of what a wallet's process is told; "" for nothing.
  local ASK = [[
    local op = core.ledger(exchange.engine, exchange.ledger):ask(kind, { wallet = gateway.wallet })
    local lines, why, code = exchange.outcome(op)
    if not lines then return "error " .. code .. " " .. why end
    local all = {}
    for _, line in ipairs(lines) do all[#all + 1] = (line.id or "") .. " " .. (line.what or line.state) end
    return table.concat(all, "\n")
  ]]
  local function ask(one, kind) return one:run(("kind = %q "):format(kind) .. ASK) end

  local LOSE = [[ return gateway:lose{ body = ("{\"n\":%d}"):format(n) }.purchase ]]
  local BUY = [[ local r, sent = gateway:buy{ body = ("{\"n\":%d}"):format(n) }
                 return { ok = r.ok, code = r.code, message = r.message, nonces = exchange.nonces(sent) } ]]

  before_each(function()
    before, exchange.ledger = exchange.ledger, processes.place()
    place, running = exchange.ledger, {}
    keys = { processes.key(), processes.key() }
  end)

  after_each(function()
    for _, one in ipairs(running) do one:kill() end
    exchange.ledger = before
    processes.clear(place)
    for _, key in ipairs(keys) do os.remove(key) end
  end)

  it("keeps the records, sums, receivers, prices and words of every wallet, also of those it has no key of", function()
    local one, two = start(keys[1], { per_day = "200000" }), start(keys[2])
    one:run("n = 1 " .. BUY)
    one:run("n = 2 " .. LOSE)
    two:run("n = 3 " .. BUY)
    two:run("n = 4 " .. LOSE)
    two:run [[
      local l = core.ledger(exchange.engine, exchange.ledger)
      exchange.outcome(l:ask("learn", { wallet = gateway.wallet, origin = gateway.origin, name = "futures",
                                        word = "escrow" }))
      return exchange.outcome(l:ask("accept_price", { wallet = gateway.wallet, origin = gateway.origin, route = "x/y",
                                                      atomic = "5" }))
    ]]
    local columns = "SELECT id, state, amount, hex(tag) FROM purchase ORDER BY n"
    local records = sqlite(place, columns)
    local sums = sqlite(place, "SELECT amount, hex(tag) FROM spend_scope ORDER BY 1, 2")
    assert.equal("", ask(one, "repair"))
    assert.equal(records, sqlite(place, columns))
    assert.equal(sums, sqlite(place, "SELECT amount, hex(tag) FROM spend_scope ORDER BY 1, 2"))
    assert.equal("", ask(one, "verify"))
    assert.equal("", ask(two, "verify"))
    assert.equal("5", sqlite(place, "SELECT atomic FROM price"))
    assert.equal("escrow", sqlite(place, "SELECT word FROM learned"))
    assert.equal("2", sqlite(place, "SELECT count(*) FROM pin"))
    assert.is_true(two:run("n = 5 " .. BUY).ok)
    assert.is_true(one:run("n = 6 " .. BUY).ok)
    local r = one:run [[ local r = gateway:buy{ body = "{\"n\":7}" } return r.code or r.message ]]
    assert.equal("over_per_day", r) -- 6 x 30000 were spent, by both
  end)

  it("leaves behind the record that does not fit, and keeps the others", function()
    local one = start(keys[1])
    one:run("n = 1 " .. BUY)
    local bad, good = one:run("n = 2 " .. LOSE), one:run("n = 3 " .. LOSE)
    sqlite(place, ("UPDATE purchase SET amount = 1 WHERE id = '%s'"):format(bad))
    assert.equal("ledger_corrupt", one:run("n = 4 " .. BUY).code)
    local lost = ask(one, "repair")
    assert.truthy(lost:find(bad, 1, true))
    assert.is_nil(lost:find(good, 1, true))
    assert.equal("", ask(one, "verify"))
    assert.equal(good, sqlite(place, "SELECT id FROM purchase WHERE state <> 'taken'"))
    assert.is_true(one:run("n = 4 " .. BUY).ok)
  end)

  it("makes sums anew that do not fit, and names receivers and prices that it left behind", function()
    local one = start(keys[1], { per_day = "70000" })
    one:run("n = 1 " .. BUY)
    one:run("n = 2 " .. BUY)
    one:run [[
      return exchange.outcome(core.ledger(exchange.engine, exchange.ledger):ask("learn", { wallet = gateway.wallet,
        origin = gateway.origin, name = "futures", word = "escrow" }))
    ]]
    sqlite(place, "UPDATE spend_day SET amount = 1; UPDATE spend_scope SET amount = 1; UPDATE pin SET pay_to = 'x'")
    sqlite(place, "UPDATE learned SET word = 'ledger'")
    assert.equal("ledger_corrupt", one:run("n = 3 " .. BUY).code)
    local lost = ask(one, "repair")
    assert.truthy(lost:find("the sum of a day", 1, true))
    assert.truthy(lost:find("the sum of a budget", 1, true))
    assert.truthy(lost:find("the receiver on record", 1, true))
    assert.truthy(lost:find("the word on record", 1, true))
    assert.equal("0", sqlite(place, "SELECT count(*) FROM learned"))
    assert.equal("", ask(one, "verify"))
    assert.equal("over_per_day", one:run("n = 3 " .. BUY).code)
    assert.equal("60000", sqlite(place, "SELECT amount FROM spend_scope"))
  end)

  it("does not buy again what a living process holds while it is repaired", function()
    local one, two = start(keys[1]), start(keys[1])
    local nonce = one:run [[
      call = gateway:call()
      exchange.drive(call, { gateway:challenge() })
      exchange.settle(call)
      return exchange.payment_of(call:request()).payload.authorization.nonce
    ]]
    assert.equal("", ask(two, "repair"))
    assert.is_true(one:run [[
      exchange.drive(call, { gateway:answer() })
      return exchange.result(call).ok
    ]])
    assert.equal("", ask(one, "verify")) -- and what is written without waiting for it is written
    local rows = sqlite(place, "SELECT state, lower(hex(mark)) FROM purchase")
    assert.equal("taken|" .. nonce:sub(3):lower(), rows)
  end)

  it("keeps what can be read when pages are damaged, wherever they are", function()
    local one = start(keys[1])
    for n = 1, 30 do one:run(("n = %d "):format(n) .. (n % 3 == 0 and LOSE or BUY)) end
    one:stop()
    local pages = math.floor(size(place) / 4096)
    assert.is_true(pages > 8)
    local page_step = math.max(1, math.floor(pages / 12))
    local sound = place .. ".sound"
    assert(os.execute(("cp %s %s"):format(place, sound)))
    for page = 1, pages, page_step do
      os.execute(("rm -f %s-wal %s-shm; cp %s %s"):format(place, place, sound, place))
      scribble(place, (page - 1) * 4096, ("\255\0\171"):rep(1365))
      local two = processes.start{ ledger = place, key = keys[1] }
      local lost = ask(two, "repair")
      assert.is_nil(lost:find("^error"), lost)
      assert.equal("", ask(two, "verify"), "page " .. page)
      assert.is_true(two:run("n = 99 " .. BUY).ok, "page " .. page)
      two:kill()
    end
  end)

  it("is found by verify when any byte of a record was flipped", function()
    local one = start(keys[1])
    one:run("n = 2 " .. LOSE)
    one:stop()
    local file = assert(io.open(place, "rb"))
    local text = file:read "*a"
    file:close()
    local at = assert(text:find("unknown", 1, true)) -- in the record
    local missed = ""
    for offset = at - 60, at + 240, 7 do
      local byte = text:byte(offset + 1)
      scribble(place, offset, string.char((byte + 1) % 256))
      local two = processes.start{ ledger = place, key = keys[1] }
      local said = ask(two, "verify")
      if said == "" then missed = missed .. " " .. (offset - at) end
      two:stop()
      os.execute(("rm -f %s-wal %s-shm"):format(place, place))
      local whole = assert(io.open(place, "wb"))
      whole:write(text)
      whole:close()
    end
    assert.equal("", missed)
  end)
end)

describe("a ledger of the first version", function()
  it("is read as it was written", function()
    local before, place = exchange.ledger, processes.place()
    exchange.ledger = place
    sqlite(place, ".read spec/ledger/version_1.sql")
    local rows = exchange.outcome(core.ledger(exchange.engine, place):ask("list", {}))
    assert.equal(2, #rows)
    assert.equal("unknown", rows[1].state)
    assert.equal("taken", rows[2].state)
    assert.equal("30000", rows[1].atomic)
    assert.is_true(exchange.new():buy().ok)
    local wallet = assert(core.wallet_signer{ address = rows[1].payer, nonce_secret = ("fixture."):rep(4) })
    assert.same({}, exchange.outcome(core.ledger(exchange.engine, place):ask("verify", { wallet = wallet })))
    assert.equal("3", sqlite(place, "PRAGMA user_version"))
    assert.equal("0", sqlite(place, "SELECT DISTINCT last_height FROM purchase"))
    exchange.ledger = before
    processes.clear(place)
  end)

  it("goes on with what it left in the air, under the same nonce", function()
    local before, place = exchange.ledger, processes.place()
    exchange.ledger = place
    sqlite(place, ".read spec/ledger/version_1.sql")
    local open = exchange.outcome(core.ledger(exchange.engine, place):ask("list", { open = true }))[1]
    local wallet = assert(core.wallet_signer{ address = open.payer, nonce_secret = ("fixture."):rep(4) })
    local gateway = exchange.new{ wallet = wallet, origin = open.origin }
    local call = gateway:call{ body = "{\"lost\":1}", clock_offset = open.signed_at + 10 - os.time() }
    local sent = exchange.drive(call, { gateway:answer() })
    assert.same({ open.mark }, exchange.nonces(sent))
    assert.equal(open.id, exchange.result(call).payment.purchase)
    assert.equal("2", sqlite(place, "SELECT count(*) FROM purchase"))
    exchange.ledger = before
    processes.clear(place)
  end)
end)

describe("a ledger of the second version", function()
  it("is read as it was written, transactions and all", function()
    local before, place = exchange.ledger, processes.place()
    exchange.ledger = place
    sqlite(place, ".read spec/ledger/version_2.sql")
    local key = live.secret("0x" .. ("46"):rep(32))
    local wallet = assert(core.wallet_file(key))
    os.remove(key)
    local ledger = core.ledger(exchange.engine, place)
    local rows = exchange.outcome(ledger:ask("list", { wallet = wallet }))
    assert.equal(3, #rows)
    assert.equal("taken", rows[1].state)
    assert.equal("unknown", rows[2].state)
    assert.equal("unknown", rows[3].state)
    assert.same({}, exchange.outcome(ledger:ask("verify", { wallet = wallet })))
    local word = { wallet = wallet, origin = "https://gateway.test", name = "futures", word = "escrow" }
    assert.is_true(exchange.outcome(ledger:ask("learn", word)))
    assert.equal("escrow", exchange.outcome(ledger:ask("recall", word))[1].what)
    assert.equal("3", sqlite(place, "PRAGMA user_version"))
    assert.equal("approve|0|open", sqlite(place, "SELECT step, nonce, fate FROM chain_tx"))
    assert.same({}, exchange.outcome(ledger:ask("verify", { wallet = wallet })))
    exchange.ledger = before
    processes.clear(place)
  end)
end)

describe("what was learned of a gateway", function()
  it("is one word under a name, of one wallet, until another word or none is learned", function()
    local place = processes.place()
    local ledger = core.ledger(exchange.engine, place)
    local one, two = assert(core.wallet_random()), assert(core.wallet_random())
    local function ask(kind, wallet, origin, word, name)
      return exchange.outcome(ledger:ask(kind, { wallet = wallet, origin = origin, name = name or "futures",
        word = word }))
    end
    local function words(...)
      local out = {}
      for i, line in ipairs(ask("recall", ...)) do out[i] = line.what end
      return out
    end
    assert(ask("learn", one, "https://a.test", "escrow"))
    assert.same({ "escrow" }, words(one, "https://a.test"))
    assert.same({}, words(two, "https://a.test"))
    assert.same({}, words(one, "https://b.test"))
    assert.same({}, words(one, "https://a.test", nil, "other"))
    assert(ask("learn", one, "https://a.test", "ledger"))
    assert.same({ "ledger" }, words(one, "https://a.test"))
    assert(ask("learn", one, "https://a.test", ""))
    assert.same({}, words(one, "https://a.test"))
    for _, wrong in ipairs { { one, "https://a.test" }, { one, "https://a.test", ("x"):rep(64) }, { one, nil, "x" },
      { nil, "https://a.test", "x" } } do
      assert.is_nil((ask("learn", wrong[1], wrong[2], wrong[3])))
    end
    processes.clear(place)
  end)
end)
