-- SPDX-License-Identifier: MIT
-- Whatever is pending when a Lua state, an engine or a handle goes away: nothing crashes, nothing hangs, and what was
-- begun is on record.
local processes = require "spec.support.processes"

local key, place

local function start(config)
  local all = { ledger = place, key = key }
  for name, value in pairs(config or {}) do all[name] = value end
  return processes.start(all)
end

--- Run a chunk in a process that then ends by itself, and say how: "" when all is well.
local function ends(chunk, config)
  local one = start(config)
  one.into:write(#chunk, "\n", chunk)
  return (one:stop():gsub("^{[^\n]*}\n", ""))
end

local LIST = [[
  local all = {}
  for _, row in ipairs(exchange.outcome(core.ledger(exchange.engine, exchange.ledger):ask("list", {}))) do
    all[#all + 1] = row.state
  end
  return table.concat(all, " ")
]]

local function states()
  local one = start()
  local all = one:run(LIST)
  one:stop()
  return all
end

describe("a process that ends", function()
  before_each(function() place, key = processes.place(), processes.key() end)
  after_each(function()
    processes.clear(place)
    os.remove(key)
  end)

  for _, what in ipairs{
    { "with a question to the ledger pending",
      [[ op = core.ledger(exchange.engine, exchange.ledger):ask("list", {}) ]] },
    { "with a question pending whose handle is closed",
      [[ local l = core.ledger(exchange.engine, exchange.ledger) op = l:ask("list", {}) l:close() ]] },
    { "with a question pending that nobody holds",
      [[ core.ledger(exchange.engine, exchange.ledger):ask("verify", {}) collectgarbage() ]] },
    { "with a claim pending", [[ call = gateway:call() ]] },
    { "with a claim pending that was cancelled", [[ call = gateway:call() call:cancel "no" ]] },
    { "with a call that is asked to approve", [[ call = gateway:call{ approve = true }
        exchange.drive(call, { gateway:challenge() }) ]] },
    { "with its engine closed before", [[ call = gateway:call() exchange.engine:close() ]] },
    { "with sums pending", [[ op = gateway.client:totals() ]] },
    { "with another engine in place of the first", [[ call = gateway:call() exchange.engine:close()
        exchange.engine = core.engine() gateway:again() ]] },
  } do
    it(what[1] .. " ends in peace and leaves no trace", function()
      for _ = 1, 5 do assert.equal("", ends(what[2])) end
      assert.equal("", states())
      assert.equal(0, #assert(io.popen("ls " .. place .. ".d/owners")):read "*a")
    end)
  end

  it("with a signature being recorded leaves it on record, or nothing", function()
    for _ = 1, 10 do
      assert.equal("", ends [[
        call = gateway:call()
        call:answer(402, gateway:challenge().headers, "{}")
        exchange.settle(call)
        local c = gateway:challenge()
        call:answer(c.status, c.headers, c.body)
      ]])
    end
    for state in states():gmatch "%a+" do assert.equal("unknown", state) end
  end)

  it("with a payment in the air leaves it to be continued", function()
    assert.equal("", ends [[
      call = gateway:call()
      exchange.drive(call, { gateway:challenge() })
      exchange.settle(call)
      assert(call:request().paid)
    ]])
    assert.equal("unknown", states())
  end)

  it("by os.exit does so too", function()
    assert.equal("", ends [[ op = core.ledger(exchange.engine, exchange.ledger):ask("list", {}) os.exit(0) ]])
    assert.equal("", ends [[ op = core.ledger(exchange.engine, exchange.ledger):ask("list", {}) os.exit(0, true) ]])
    assert.equal("", states())
  end)
end)
