-- SPDX-License-Identifier: MIT
-- Several processes and one ledger: each is led step by step, so every interleaving here is the one that is meant.
local processes = require "spec.support.processes"

--- Begin a call there, and answer as far as the paid request. Returns its nonce.
local PAY = [[
  call = gateway:call(request)
  sent = exchange.drive(call, { gateway:challenge(), nil })
  exchange.settle(call)
  local payment = exchange.payment_of(call:request())
  return payment and payment.payload.authorization.nonce
]]
--- Buy there from beginning to end. Returns { ok, status, nonces … }.
local BUY = [[
  local call = gateway:call(request)
  local sent = exchange.drive(call, { gateway:challenge(), gateway:answer(200, '{"bought":true}') })
  local nonces = exchange.nonces(sent)
  local r = exchange.result(call)
  return { ok = r.ok, status = r.payment and r.payment.status, nonces = nonces, code = r.code, kind = r.kind,
           paid = r.paid, body = r.body, message = r.message, hint = r.hint,
           purchase = r.purchase or (r.payment and r.payment.purchase) }
]]
--- Call there and answer nothing: what an error says. Short of patience.
local ASK = [[
  local all = { total_ms = 700 }
  for k, v in pairs(request or {}) do all[k] = v end
  local call = gateway:call(all)
  local sent = exchange.drive(call, {})
  local r = exchange.result(call)
  return { ok = r.ok, status = r.payment and r.payment.status, code = r.code, kind = r.kind, paid = r.paid,
           state = call_state, message = r.message, hint = r.hint }
]]

describe("processes that share a ledger", function()
  local place, key, running

  local function start(config)
    local all = { ledger = place, key = key }
    for name, value in pairs(config or {}) do all[name] = value end
    local one = processes.start(all)
    running[#running + 1] = one
    return one
  end

  before_each(function() place, key, running = processes.place(), processes.key(), {} end)
  after_each(function()
    for _, one in ipairs(running) do one:kill() end
    processes.clear(place)
    os.remove(key)
  end)

  it("buy apart what they ask for at the same time", function()
    local one, two = start(), start()
    local a, b = one:run(PAY), two:run(PAY)
    assert.is_string(a)
    assert.is_string(b)
    assert.not_equal(a, b)
  end)

  it("continue what a killed one left in the air, under the same nonce", function()
    local one = start()
    local nonce = one:run(PAY)
    one:kill()
    local two = start()
    local r = two:run [[
      local call = gateway:call{ total_ms = 8000 }
      local sent = exchange.drive(call, { gateway:answer() })
      return { nonces = exchange.nonces(sent), ok = exchange.result(call).ok }
    ]]
    assert.same({ nonce }, r.nonces)
    assert.is_true(r.ok)
  end)

  it("hand over the result that a killed one never took", function()
    local one = start()
    one:run [[
      call = gateway:call()
      exchange.drive(call, { gateway:challenge(), gateway:answer(200, '{"late":1}') })
      return exchange.settle(call)
    ]]
    one:kill()
    local r = start():run(BUY)
    assert.equal("restored", r.status)
    assert.equal('{"late":1}', r.body)
    assert.same({}, r.nonces)
  end)

  it("wait for one that still has the answer to come, and take its result", function()
    local one, two = start(), start()
    local nonce = one:run(PAY)
    one:run [[ call:cancel "enough" ]] -- the paid request stays in the air
    two:begin [[
      local call = gateway:call{ total_ms = 9000 }
      local sent = exchange.drive(call, { gateway:answer() })
      local r = exchange.result(call)
      return { ok = r.ok, status = r.payment and r.payment.status, nonces = exchange.nonces(sent) }
    ]]
    one:run [[
      if call:state() == "send" then call:answer(200, {}, "{}") end
      local until_ = core.mono_ms() + 700
      while core.mono_ms() < until_ do exchange.engine:step(50) end
    ]]
    local r = two:finish()
    assert.is_true(r.ok)
    for _, n in ipairs(r.nonces) do assert.equal(nonce, n) end
  end)

  it("keep a budget together, whoever spends", function()
    local options = { client = { per_day = "70000" } }
    local one, two = start(options), start(options)
    assert.is_true(one:run(BUY).ok)
    assert.is_string(two:run(PAY)) -- reserved and signed
    local r = one:run('request = { body = "{\\"other\\":1}" } ' .. BUY)
    assert.is_false(r.ok)
    assert.equal("over_per_day", r.code)
    assert.equal("no", r.paid)
    two:kill() -- what it signed may be out: it counts until it is proven dead
    r = one:run(BUY)
    assert.equal("over_per_day", r.code)
  end)

  it("leave no trace of what a killed one had not signed", function()
    local one, two = start(), start()
    one:run [[
      call = gateway:call{ approve = true }
      exchange.drive(call, { gateway:challenge() })
      return exchange.settle(call)
    ]]
    one:kill()
    local COUNT = [[ return #exchange.outcome(core.ledger(exchange.engine, exchange.ledger):ask("list", {})) ]]
    assert.equal(0, two:run(COUNT))
    assert.equal("settled", two:run(BUY).status)
  end)

  it("are told that the name of a run is in use, as long as its process lives", function()
    local one, two = start{ client = { run = "nightly" } }, start{ client = { run = "nightly" } }
    assert.is_true(one:run(BUY).ok)
    local r = two:run(BUY)
    assert.equal("usage", r.kind)
    assert.equal("run_live", r.code)
    assert.equal("no", r.paid)
    assert.truthy(r.message:find("nightly", 1, true))
    one:kill()
    r = two:run(BUY)
    assert.equal("restored", r.status)
    assert.same({}, r.nonces)
    r = two:run(BUY) -- the second equal one of the run
    assert.equal("settled", r.status)
  end)

  it("give every equal call of a run its own answer again, in order, and buy none twice", function()
    local options = { client = { run = "nightly" } }
    local one = start(options)
    local first = {}
    for i = 1, 3 do first[i] = one:run(BUY) end
    one:kill()
    local two = start(options)
    local second = {}
    for i = 1, 3 do second[i] = two:run(BUY) end
    for i = 1, 3 do
      assert.equal("restored", second[i].status)
      assert.equal(first[i].purchase, second[i].purchase)
    end
    assert.equal("settled", two:run(BUY).status)
  end)

  it("sign a purchase of one name with one nonce, even without the ledger of the other", function()
    local one = start{ client = {} }
    one:run [[ request = { purchase = "order 7" } ]]
    local nonce = one:run(PAY)
    one:kill()
    assert(os.execute(("rm -rf %s %s-wal %s-shm %s.d"):format(place, place, place, place)))
    local two = start()
    two:run [[ request = { purchase = "order 7" } ]]
    assert.equal(nonce, two:run(PAY))
  end)

  it("do not buy anew while the fate of an equal purchase is looked up", function()
    local one = start{ client = { rpc = { ["eip155:8453"] = "http://127.0.0.1:9/" } } }
    local id = one:run [[
      local r = gateway:lose()
      return r.purchase
    ]]
    one:run(("id = %q"):format(id))
    -- held by the look, in this process, until it is stepped on
    one:run [[ look = gateway:call{ method = "GET", body = "none", url = gateway.origin .. "/", reconcile = id } ]]
    local two = start()
    local r = two:run(ASK)
    assert.is_false(r.ok)
    assert.not_equal("no", r.paid)
  end)

  it("say maybe when they give up waiting for another's payment", function()
    local one, two = start(), start()
    one:run(PAY)
    one:run [[ call:cancel "enough" gateway:totals() ]] -- and it is let go of
    local r = two:run [[
      local call = gateway:call{ total_ms = 5000 }
      gateway:totals() -- the claim has been answered by then
      call:cancel "no more"
      local r = call:result()
      call:close()
      return { ok = r.ok, paid = r.paid, kind = r.kind }
    ]]
    assert.equal("cancelled", r.kind)
    assert.equal("maybe", r.paid)
  end)

  it("are not held up by a folder of owners that was removed under them", function()
    local one = start{ client = { total_ms = 30000 } }
    local nonce = one:run(PAY)
    assert(os.execute("rm -rf " .. place .. ".d/owners"))
    assert(os.execute("mkdir -m 700 " .. place .. ".d/owners"))
    local two = start() -- takes the first for dead
    local r = two:run(BUY)
    for _, n in ipairs(r.nonces) do assert.equal(nonce, n) end
    assert.is_true(one:run [[
      exchange.drive(call, { gateway:answer() })
      return exchange.result(call).ok
    ]])
    one:run [[ request = { body = '{"other":1}' } ]]
    one:run(PAY)
    one:kill()
    -- what it began after it was taken for dead is let go of all the same
    local rows = two:run [[
      local rows = exchange.outcome(core.ledger(exchange.engine, exchange.ledger):ask("list", {}))
      local live = 0
      for _, row in ipairs(rows) do if row.live then live = live + 1 end end
      return { n = #rows, live = live }
    ]]
    assert.equal(0, rows.live)
  end)
end)
