-- SPDX-License-Identifier: MIT
-- Where a ledger lies: what is made there, what is refused, and what happens when the file is taken away.
local core = require "spraay.core"
local exchange = require "spec.support.exchange"
local processes = require "spec.support.processes"

local function output(command)
  local pipe = assert(io.popen(command, "r"))
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

local BUY = [[ local r = gateway:buy{ body = ("{\"n\":%d}"):format(n) } return r.ok and r.payment.status or r.message ]]
local STATES = [[
  local all = {}
  for _, row in ipairs(exchange.outcome(core.ledger(exchange.engine, exchange.ledger):ask("list", {}))) do
    all[#all + 1] = row.state
  end
  return table.concat(all, " ")
]]

describe("the place of a ledger", function()
  local place, key, running, before

  local function start(config)
    local all = { ledger = place, key = key }
    for name, value in pairs(config or {}) do all[name] = value end
    local one = processes.start(all)
    running[#running + 1] = one
    return one
  end

  before_each(function()
    place, key, running, before = processes.place(), processes.key(), {}, exchange.ledger
    exchange.ledger = place
  end)
  after_each(function()
    for _, one in ipairs(running) do one:kill() end
    exchange.ledger = before
    processes.clear(place)
    os.remove(key)
  end)

  it("is not touched by a client that pays nothing", function()
    local gateway = exchange.new()
    assert.is_truthy(gateway)
    assert.equal("", output("ls -A " .. place:gsub("/[^/]*$", "")))
  end)

  it("is readable by its owner alone, whatever the umask", function()
    local one = start{ under = "sh -c 'umask 0; exec \"$@\"' sh" }
    assert.equal("settled", one:run("n = 1 " .. BUY))
    for _, file in ipairs{ place, place .. "-wal", place .. "-shm" } do
      assert.equal("600", output("stat -c %a " .. file), file)
    end
    for _, folder in ipairs{ place .. ".d", place .. ".d/owners", place .. ".d/spill" } do
      assert.equal("700", output("stat -c %a " .. folder), folder)
    end
  end)

  it("is closed to others when it was open to them", function()
    os.execute(("touch %s; chmod 666 %s; mkdir -m 777 %s.d"):format(place, place, place))
    assert.equal("settled", start():run("n = 1 " .. BUY))
    assert.equal("600", output("stat -c %a " .. place))
    assert.equal("700", output("stat -c %a " .. place .. ".d"))
  end)

  it("is made with the folders that lead to it", function()
    local deep = place:gsub("[^/]*$", "a/b/ledger.db")
    assert.equal("settled", start{ ledger = deep }:run("n = 1 " .. BUY))
  end)

  it("is made anew when the file is deleted, and what is signed then is on record there", function()
    local one = start()
    one:run("n = 1 " .. BUY)
    local nonce = one:run [[
      call = gateway:call()
      exchange.drive(call, { gateway:challenge() })
      exchange.settle(call)
      return exchange.payment_of(call:request()).payload.authorization.nonce
    ]]
    os.execute("rm -f " .. place .. " " .. place .. "-wal " .. place .. "-shm")
    assert.is_true(one:run [[ exchange.drive(call, { gateway:answer() }) return exchange.result(call).ok ]])
    one:run("n = 2 " .. BUY)
    one:run(STATES)
    local two = start()
    assert.equal("taken taken", two:run(STATES))
    assert.equal(nonce:sub(3),
      output(("sqlite3 %s 'SELECT lower(hex(mark)) FROM purchase ORDER BY n LIMIT 1'"):format(place)))
  end)

  it("keeps the log of a file that took its name when the old one is closed", function()
    local one = start()
    one:run("n = 1 " .. BUY)
    one:run(STATES) -- all of it is written by then
    os.execute(("mv %s %s.old; rm -f %s-wal %s-shm"):format(place, place, place, place))
    local two = start()
    two:run("n = 2 " .. BUY)
    one:stop() -- closes a file that has no name any more
    two:run("n = 3 " .. BUY)
    two:run(STATES)
    two:kill()
    assert.equal("taken taken", start():run(STATES))
  end)

  it("is opened anew by every process after one has repaired it, and no log is taken for another's", function()
    local one, two, three = start(), start(), start()
    one:run("n = 1 " .. BUY)
    two:run("n = 2 " .. BUY)
    for round = 1, 4 do
      assert.equal(0, three:run [[
        return #assert(exchange.outcome(core.ledger(exchange.engine, exchange.ledger):ask("repair",
          { wallet = gateway.wallet })))
      ]])
      one:run(("n = %d "):format(round * 10) .. BUY)
      two:run(("n = %d "):format(round * 10 + 1) .. BUY)
    end
    one:run(STATES)
    one:kill()
    two:stop()
    assert.equal(("taken "):rep(10), three:run(STATES) .. " ")
    assert.equal(0, three:run [[
      return #assert(exchange.outcome(core.ledger(exchange.engine, exchange.ledger):ask("verify",
        { wallet = gateway.wallet })))
    ]])
  end)

  it("says what is wrong when it cannot be made, and pays nothing", function()
    local nowhere = "/proc/ledger.db"
    exchange.ledger = nowhere
    local gateway = exchange.new()
    local call = gateway:call()
    local sent = exchange.drive(call, { gateway:challenge(), gateway:answer() })
    local r = exchange.result(call)
    assert.same({}, sent)
    assert.equal("ledger_open", r.code)
    assert.equal("no", r.paid)
    assert.truthy(r.message:find("/proc/ledger.db", 1, true))
    assert.truthy(r.hint:find("ledger =", 1, true))
    local op = core.ledger(exchange.engine, nowhere):ask("list", {})
    local _, why = exchange.outcome(op)
    assert.truthy(why:find("/proc/ledger.db", 1, true))
  end)

  it("is shared by processes that name it differently", function()
    local one = start()
    assert.equal("settled", one:run("n = 1 " .. BUY))
    one:run [[ exchange.drive(gateway:call{ total_ms = 100 }, { gateway:challenge(), exchange.lost() }) ]]
    one:kill()
    local link = place:gsub("ledger%.db$", "other.db")
    os.execute(("ln -s %s %s"):format(place, link))
    local two = start{ ledger = place:gsub("/ledger%.db$", "/./ledger.db") }
    assert.equal("taken unknown", two:run(STATES))
  end)

  it("has the files of the dead cleared away", function()
    for n = 1, 3 do
      local one = start()
      one:run(("n = %d "):format(n) .. BUY)
      one:kill()
    end
    local two = start()
    two:run("n = 9 " .. BUY)
    assert.equal("1", output("ls " .. place .. ".d/owners | wc -l"))
  end)
end)
