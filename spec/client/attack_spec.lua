-- SPDX-License-Identifier: MIT
-- Attacks on the money path, each of which got through once: by a gateway, by a clock, by two clients
-- of one process, by a signer, by an engine that went away under a payment.
local exchange = require "spec.support.exchange"
local core = require "spraay.core"
local sandbox = require "spec.support.sandbox"

local drive, lost, unsent, plain = exchange.drive, exchange.lost, exchange.unsent, exchange.plain
local nonces, result, sign, signer = exchange.nonces, exchange.result, exchange.sign, exchange.signer

local HOUR, DAY = 3600, 86400
local JSON = { { "Content-Type", "application/json" } }
local BODY = '{"messages":[{"role":"user","content":"x"}]}'

--- Lose the answers to a payment made for 30 s until it is too old to be presented, then answer.
local function outlive(call, answer)
  while exchange.settle(call) == "send" and call:request().paid do call:lost "reset" end
  drive(call, { answer })
end

describe("a gateway that asks for money", function()
  it("where nothing costs anything is refused, wallet or not", function()
    local gateway = exchange.new()
    local call = gateway:call{ class = "free", price = "none" }
    local sent = drive(call, { gateway:challenge(), gateway:answer() })
    assert.equal(1, #sent)
    local r = result(call)
    assert.equal("policy", r.kind)
    assert.equal("not_free", r.code)
    assert.equal("no", r.paid)
    assert.equal("0", gateway:totals().committed)
  end)

  it("in a stale challenge beside the words of an empty account is not paid", function()
    local gateway = exchange.new()
    for _, stale in ipairs{ true, false } do
      local call = gateway:call()
      local answer = stale and gateway:challenge() or plain(402)
      answer.body = '{"error":"Insufficient compute credits. Balance: 0"}'
      assert.equal(1, #drive(call, { answer, gateway:answer() }))
      local r = result(call)
      assert.equal("gateway", r.kind)
      assert.equal("credits", r.code)
      assert.equal("no", r.paid)
    end
  end)

  it("and claims a clock far behind ours is refused by that name, without asking the signer", function()
    local gateway = exchange.new{ wallet = signer() }
    local call = gateway:call()
    drive(call, { gateway:challenge(nil, { date = "Sat, 01 Jan 2000 00:00:00 GMT" }) })
    local r = result(call)
    assert.equal("clock", r.code)
    assert.equal("no", r.paid)
    assert.equal("0", gateway:totals().committed)
  end)

  it("and answers a payment with an interim status has not delivered anything", function()
    local gateway = exchange.new()
    local call = gateway:call{ total_ms = 300 }
    drive(call, { gateway:challenge(), plain(101) })
    local r = result(call)
    assert.is_false(r.ok)
    assert.equal("maybe", r.paid)
  end)

  it("and then gives for nothing what it may have been paid for is not called free", function()
    local gateway = exchange.new()
    gateway:lose()
    local call = gateway:call{ clock_offset = 320 }
    drive(call, { plain(200, '{"a":1}') })
    local r = result(call)
    assert.is_true(r.ok)
    assert.equal('{"a":1}', r.body)
    assert.equal("unconfirmed", r.payment.status)
    assert.equal("30000", gateway:totals().settled)
  end)

  it("cannot make a transport present a payment over and over by an answer that cannot be read", function()
    local pair = { "x", "y" }
    local answers = {
      { 200, { { "x", ("y"):rep(400 * 1024) } }, "{}" }, { 200, { { "x", {} } }, "{}" }, { 200, { pair, 1 }, "{}" },
      { 200, "x", "{}" }, { 0, { pair }, "{}" }, { 1000, { pair }, "{}" }, { 200.5, { pair }, "{}" },
      { "x", { pair }, "{}" }, { nil, nil, nil }, { 200, { pair }, {} },
    }
    for i = 1, 10 do
      local gateway = exchange.new()
      local call = gateway:call{ total_ms = 300 }
      drive(call, { gateway:challenge() })
      assert.equal("send", exchange.settle(call))
      local nonce = call:request().headers[1] and exchange.payment_of(call:request()).payload.authorization.nonce
      local ok, why = call:answer(answers[i][1], answers[i][2], answers[i][3])
      assert.is_nil(ok)
      assert.truthy(why:find("cannot be read", 1, true))
      assert.equal("done", exchange.settle(call))
      assert.equal("maybe", result(call).paid)
      call = gateway:call{ total_ms = 6000 }
      assert.same({ nonce }, nonces(drive(call, { gateway:answer() })))
      result(call)
    end
  end)

  it("and offers other terms for what expired leaves nothing of the old ones to be read", function()
    local gateway = exchange.new()
    local call = gateway:call{ total_ms = 8000 }
    drive(call, { gateway:challenge{ maxTimeoutSeconds = 30 } })
    outlive(call, gateway:challenge{ amount = "700000" })
    local r = result(call)
    assert.equal("price_raised", r.code)
    assert.equal("maybe", r.paid)
    assert.is_nil(r.terms)
  end)

  it("at another address after a redirect is paid there again, not at the first", function()
    local gateway = exchange.new()
    local call = gateway:call{ total_ms = 300 }
    drive(call, { plain(308, "", { { "Location", "/v2/chat" } }), gateway:challenge(), lost() })
    result(call)
    call = gateway:call{ total_ms = 6000 }
    local sent = drive(call, { gateway:answer() })
    assert.equal(gateway.origin .. "/v2/chat", sent[1].url)
    assert.is_true(result(call).ok)
  end)
end)

describe("a payment header", function()
  it("of the caller's own making is refused: there is one, and it is ours", function()
    local gateway = exchange.new()
    for _, name in ipairs{ "PAYMENT-SIGNATURE", "x-payment" } do
      local call, _, code = gateway.client:call{ method = "POST", url = gateway.origin .. "/x", body = "{}",
                                                 external = true, headers = { { name, "e30=" } } }
      assert.is_nil(call)
      assert.equal("UNSUPPORTED", code)
    end
  end)
end)

describe("a signer outside", function()
  it("that declines to sign again does not make the first payment undone", function()
    local gateway = exchange.new{ wallet = signer() }
    local call = gateway:call{ total_ms = 8000 }
    drive(call, { gateway:challenge{ maxTimeoutSeconds = 30 } })
    local nonce = sign(call)
    outlive(call, gateway:challenge())
    assert.equal("sign", exchange.settle(call))
    call:signature(nil, "no")
    local r = result(call)
    assert.equal("maybe", r.paid)
    assert.equal("30000", gateway:totals().open)
    call = gateway:call()
    drive(call, { gateway:challenge() })
    assert.equal(nonce, sign(call))
    call:close()
  end)

  it("that declines in a later call does not make an earlier showing undone", function()
    local gateway = exchange.new{ wallet = signer() }
    local call = gateway:call()
    drive(call, { gateway:challenge() })
    local nonce = call:typed_data():match '"nonce":"(0x%x+)"'
    call:cancel() -- it may have signed all the same
    assert.equal("maybe", result(call).paid)
    call = gateway:call()
    drive(call, { gateway:challenge() })
    call:signature(nil, "no")
    local r = result(call)
    assert.equal("maybe", r.paid)
    assert.equal("30000", gateway:totals().open)
    call = gateway:call()
    drive(call, { gateway:challenge() })
    assert.equal(nonce, sign(call))
    call:close()
  end)

  it("is on record with the life of everything it was shown", function()
    local gateway = exchange.new{ wallet = signer() }
    local function shown(offset)
      local call = gateway:call{ clock_offset = offset, boot_offset = offset }
      drive(call, { gateway:challenge() })
      assert.equal("sign", exchange.settle(call))
      local nonce = call:typed_data():match '"nonce":"(0x%x+)"'
      call:cancel()
      call:close()
      return nonce
    end
    local first = shown(0)               -- dies after 300 s, held until 3900
    assert.equal(first, shown(3000))     -- dies after 3300 s, held until 6900
    assert.equal(first, shown(4500))
  end)

  it("has one nonce for one purchase, whatever secret another wallet of the same address has", function()
    local gateway = exchange.new{ wallet = signer(("a"):rep(32)) }
    local call = gateway:call{ total_ms = 300 }
    drive(call, { gateway:challenge() })
    local first = sign(call)
    drive(call, { lost() })
    assert.equal("maybe", result(call).paid)
    local other = gateway:again{ wallet = signer(("b"):rep(32)) }
    call = other:call{ clock_offset = 320 }
    drive(call, { gateway:challenge() })
    assert.equal(first, sign(call))
    drive(call, { gateway:answer() })
    assert.is_true(result(call).ok)
  end)
end)

describe("a name", function()
  for _, how in ipairs{ "purchase", "run" } do
    it("(" .. how .. ") of one payer is not another's", function()
      local run = how == "run" and "attack" or nil
      local name = how == "purchase" and "attack" or nil
      local gateway = exchange.new{ run = run }
      local _, a = gateway:lose{ purchase = name }
      local other = gateway:again{ wallet = assert(core.wallet_random()) }
      local r, b = other:buy{ purchase = name, clock_offset = 320 }
      assert.equal("purchase_mismatch", r.code)
      assert.same({}, b)
      assert.equal(1, #nonces(a, b))
    end)
  end

  it("too long to be hashed is refused, not ignored", function()
    local gateway = exchange.new()
    local call = gateway:call{ purchase = ("x"):rep(70000) }
    assert.same({}, drive(call, { gateway:challenge(), gateway:answer() }))
    assert.equal("no", result(call).paid)
  end)
end)

describe("a look whose answers are lost", function()
  it("is looked for anew in a named run", function()
    local gateway = exchange.new{ run = "looking" }
    local call = gateway:look()
    local a = drive(call, { gateway:challenge{ amount = "1000" }, lost(), lost() })
    assert.equal("maybe", result(call).paid)
    for _ = 1, 2 do
      call = gateway:look()
      local b = drive(call, { gateway:challenge{ amount = "1000" }, gateway:answer() })
      assert.equal(2, #nonces(a, b))
      assert.is_true(result(call).ok)
    end
  end)

  it("but has a name of its own is one purchase", function()
    local gateway = exchange.new()
    local call = gateway:look{ purchase = "the look", total_ms = 2500 }
    local a = drive(call, { gateway:challenge{ amount = "1000" }, lost(), lost(), lost() })
    assert.equal("maybe", result(call).paid)
    call = gateway:look{ purchase = "the look" }
    local b = drive(call, { gateway:answer() })
    assert.equal(1, #nonces(a, b))
    assert.is_true(result(call).ok)
  end)

  it("may be looked for anew where the receiver has changed", function()
    local gateway = exchange.new{ pay_to = { exchange.PAY_TO, exchange.STRANGER } }
    local call = gateway:look()
    drive(call, { gateway:challenge{ amount = "1000" }, lost(), lost() })
    result(call)
    call = gateway:look()
    drive(call, { gateway:challenge{ amount = "1000", payTo = exchange.STRANGER }, gateway:answer() })
    assert.is_true(result(call).ok)
  end)
end)

describe("a budget", function()
  it("keeps what was signed under it when another client continues the purchase", function()
    local gateway = exchange.new{ budget = "50000" }
    gateway:lose{ body = "1" }
    local other = gateway:again{ budget = "10000" }
    local call = other:call{ body = "1" }
    drive(call, { gateway:answer() })
    assert.is_true(result(call).ok)
    assert.equal("30000", gateway:totals().settled)
    assert.equal("0", other:totals().committed)
    assert.equal("over_budget", gateway:buy{ body = "2" }.code)
  end)

  it("must have room for what is signed again under it, and both then count it", function()
    local gateway = exchange.new{ budget = "50000" }
    gateway:lose{ body = "1" }
    local poor = gateway:again{ budget = "10000" }
    local r = poor:buy{ body = "1", clock_offset = 320 }
    assert.equal("over_budget", r.code)
    assert.equal("maybe", r.paid)
    local rich = gateway:again{ budget = "40000" }
    assert.is_true(rich:buy{ body = "1", clock_offset = 320 }.ok)
    for _, one in ipairs{ gateway, rich } do
      assert.equal("30000", one:totals().committed)
      assert.equal("over_budget", one:buy{ body = "2" }.code)
    end
  end)

  it("is one for all clients of a scope, and another for a run of that name and for the rest", function()
    local gateway = exchange.new{ budget = "50000" }
    assert.is_true(gateway:again{ scope = "s" }:buy{ body = "1" }.ok)
    local same = gateway:again{ scope = "s" }
    assert.equal("30000", same:totals().committed)
    assert.equal("over_budget", same:buy{ body = "2" }.code)
    for _, other in ipairs{ { scope = "t" }, { run = "s" }, { run = "u", scope = "s" }, {} } do
      assert.equal("0", gateway:again(other):totals().committed)
    end
  end)

  it("is the same for a client that was made anew", function()
    local gateway = exchange.new{ budget = "50000" }
    assert.is_true(gateway:buy{ body = "1" }.ok)
    local other = gateway:again{ previous = gateway.client }
    assert.equal("30000", other:totals().settled)
    assert.equal("over_budget", other:buy{ body = "2" }.code)
  end)
end)

describe("a clock set forward", function()
  it("does not let an unproven payment out of the day", function()
    local gateway = exchange.new{ per_host = "30000" }
    gateway:lose{ body = "1" }
    local later = 2 * DAY
    assert.equal("over_per_host", gateway:buy{ body = "2", clock_offset = later }.code)
    assert.is_true(gateway:buy{ body = "2", clock_offset = later, boot_offset = later }.ok)
  end)

  it("does not let an equal call buy anew while the payment may be alive", function()
    local gateway = exchange.new()
    local _, a = gateway:lose()
    local r, b = gateway:buy{ clock_offset = 2 * HOUR }
    assert.is_true(r.ok)
    assert.equal(1, #nonces(a, b))
  end)

  it("and back again does not lock the day", function()
    local gateway = exchange.new{ per_host = "30000" }
    assert.is_true(gateway:buy{ body = "1", clock_offset = 365 * DAY }.ok)
    assert.equal("over_per_host", gateway:buy{ body = "2", boot_offset = DAY - HOUR, clock_offset = DAY - HOUR }.code)
    assert.is_true(gateway:buy{ body = "2", boot_offset = DAY + HOUR, clock_offset = DAY + HOUR }.ok)
  end)

  it("beyond all reason is refused", function()
    local gateway = exchange.new()
    local most = rawget(math, "maxinteger") or 2 ^ 62   -- from 5.3 on
    for _, offset in ipairs{ most, -most } do
      assert.has_error(function() gateway:call{ clock_offset = offset } end)
    end
  end)
end)

describe("a day after it died", function()
  it("a payment has left the window for good, however many calls come after", function()
    local gateway = exchange.new{ per_host = "30000" }
    gateway:lose{ body = "1" }
    local later = 2 * DAY
    for i = 1, 70 do -- rows that nobody continues any more are let go of now and then
      local call = gateway:call{ body = "none " .. i, clock_offset = later, boot_offset = later }
      drive(call, { plain(404) })
      assert.equal("no", result(call).paid)
    end
    assert.is_true(gateway:buy{ body = "2", clock_offset = later, boot_offset = later }.ok)
    assert.equal("60000", gateway:totals().committed) -- the budget remembers it
  end)
end)

describe("an hour after it died", function()
  it("a payment is forgotten, but its money is not", function()
    local gateway = exchange.new{ budget = "50000" }
    gateway:lose()
    local later = 300 + HOUR + 10
    assert.equal("over_budget", gateway:buy{ clock_offset = later, boot_offset = later }.code)
  end)
end)

describe("the last word", function()
  it("that comes after the caller's time is over buys nothing", function()
    local gateway = exchange.new()
    local call = gateway:call{ approve = true, total_ms = 50 }
    drive(call, { gateway:challenge() })
    assert.equal("approve", exchange.settle(call))
    local till = core.mono_ms() + 60
    while core.mono_ms() < till do end -- a hook that blocks: nobody steps the engine
    call:approve(true)
    assert.same({}, drive(call, { gateway:answer() }))
    local r = result(call)
    assert.equal("timeout", r.kind)
    assert.equal("no", r.paid)
    assert.equal("0", gateway:totals().committed)
  end)
end)

describe("the receiver on record", function()
  it("is the same in another spelling", function()
    local gateway = exchange.new()
    for _, spelling in ipairs{ exchange.PAY_TO, exchange.PAY_TO:lower() } do
      assert.is_true(gateway:buy({ body = spelling }, { payTo = spelling }).ok)
    end
  end)

  it("stays when the purchase that put it there came to nothing, if another was signed to it", function()
    local gateway = exchange.new()
    local one = gateway:call{ body = "1" }
    drive(one, { gateway:challenge() }) -- reserves, signs, is about to send
    gateway:lose{ body = "2" }
    drive(one, { unsent() })
    assert.equal("no", result(one).paid)
    assert.equal("pay_to", gateway:buy({ body = "3" }, { payTo = exchange.STRANGER }).code)
  end)
end)

describe("a proof that nothing moved", function()
  local box
  setup(function() box = sandbox.start{} end)
  teardown(function() box:stop() end)
  before_each(function() box:clock(0) end)

  -- A payment that was lost, and expired while nobody settled it: the chain says so.
  local function voided()
    local gateway = exchange.new{ rpc = { ["eip155:8453"] = box.rpc } }
    local _, a = gateway:lose()
    box:clock(400)
    local call = gateway:call{ clock_offset = 370 }
    drive(call, { unsent() })
    assert.equal("no", result(call).paid)
    assert.equal("0", gateway:totals().committed)
    return gateway, a
  end

  it("does not change the nonce: proofs can be wrong", function()
    local gateway, a = voided()
    local r, b = gateway:buy{ clock_offset = 371 }
    assert.is_true(r.ok)
    assert.equal(1, #nonces(a, b))
    assert.equal("30000", gateway:totals().settled)
  end)

  it("does not change it either when the next attempt never leaves", function()
    local gateway, a = voided()
    local call = gateway:call{ clock_offset = 371 }
    local b = drive(call, { gateway:challenge(), unsent() })
    assert.equal("no", result(call).paid)
    assert.equal("0", gateway:totals().committed)
    local r, c = gateway:buy{ clock_offset = 372 }
    assert.is_true(r.ok)
    assert.equal(1, #nonces(a, b, c))
  end)

  it("is not asked for over and over when the chain and the gateway contradict each other", function()
    local gateway = exchange.new{ rpc = { ["eip155:8453"] = box.rpc } }
    gateway:lose()
    box:clock(400)
    local call = gateway:call{ clock_offset = 370, total_ms = 4000 }
    local requests = 0
    while exchange.settle(call) == "send" do
      requests = requests + 1
      assert.is_true(requests < 20, "it goes round in circles")
      local answer = call:request().paid and
        gateway:challenge(nil, { error = "invalid_exact_evm_nonce_already_used" }) or gateway:challenge()
      -- The chain of the sandbox moves with us: what was signed just now is dead at once.
      if call:request().paid then box:advance(400) end
      call:answer(answer.status, answer.headers, answer.body)
    end
    local r = result(call)
    assert.equal("nonce_used", r.code)
    assert.truthy(requests <= 4)
  end)

  it("leaves an hour for it", function()
    local gateway, a = voided()
    local later = 300 + HOUR + 10
    local r, b = gateway:buy{ clock_offset = later, boot_offset = later }
    assert.is_true(r.ok)
    assert.equal(2, #nonces(a, b))
  end)
end)

describe("a call that finds an equal one's payment in the air", function()
  local box
  setup(function() box = sandbox.start{} end)
  teardown(function() box:stop() end)
  before_each(function() box:reset() end)

  --- A call over the engine, left while its paid request is on its way.
  local function left_in_the_air(config, fault)
    local all = { gateway = box.url, wallet = assert(core.wallet_random()), total_ms = 3000 }
    for key, value in pairs(config or {}) do all[key] = value end
    local gateway = exchange.new(all)
    gateway.origin = box.url
    box:fund(gateway.wallet:address(), "5")
    box:fault(fault.name, fault)
    local call = gateway:call{ external = false, body = BODY, headers = JSON }
    local limit = core.mono_ms() + 5000
    while not call:committed() and core.mono_ms() < limit do exchange.engine:step(5) end
    assert.equal("detached", call:cancel())
    call:close()
    return gateway, all
  end

  it("waits for that one, and nothing is sent twice at the same time", function()
    local gateway = left_in_the_air({}, { name = "settle_then_slow", times = 1, seconds = 0.5 })
    local call = gateway:call{ external = false, body = BODY, headers = JSON }
    assert.equal("done", exchange.settle(call))
    assert.is_true(result(call).ok)
    local books = box:ledger()
    assert.equal(1, books.count)
    assert.equal(1, #books.presented)
  end)

  it("finds nothing when it never left after all, and neither does the money", function()
    local other = sandbox.start{}
    local gateway = exchange.new{ gateway = other.url, total_ms = 3000 }
    gateway.origin = other.url
    local request = { external = false, class = "once", approve = true, body = BODY, headers = JSON }
    local call = gateway:call(request)
    assert.equal("approve", exchange.settle(call))
    other:stop()
    call:approve(true) -- begins to connect, and before it can fail nobody waits any more
    if exchange.ledger then -- on disk it is not even signed yet
      assert.equal("aborted", call:cancel())
      assert.equal("no", call:result().paid)
    else
      assert.equal("detached", call:cancel())
      assert.equal("maybe", call:result().paid)
      assert.equal("30000", gateway:totals().open)
    end
    call:close()
    local limit = core.mono_ms() + 3000
    while gateway:totals().open ~= "0" and core.mono_ms() < limit do exchange.engine:step(20) end
    assert.equal("0", gateway:totals().committed)
    -- The receiver it would have paid is not on record either.
    assert.is_true(gateway:buy({ external = true, body = "2" }, { payTo = exchange.STRANGER }).ok)
  end)

  it("decides itself about what is signed again", function()
    -- Twice: libcurl repeats what a kept connection, closing, did not answer.
    local gateway, all = left_in_the_air({}, { name = "timeout_before_settle", times = 2, seconds = 0.4 })
    local mine = { external = false, body = BODY, headers = JSON, total_ms = 6000, clock_offset = 280 }
    local call = gateway:again(all):call{
      external = false, body = BODY, headers = JSON, total_ms = 6000, clock_offset = 280, max = "10000",
    }
    assert.equal("done", exchange.settle(call))
    local r = result(call)
    assert.equal("over_max", r.code)
    assert.equal("maybe", r.paid)
    assert.equal(0, box:ledger().count)
    box:clock(280)
    mine.approve = true
    call = gateway:again(all):call(mine)
    assert.equal("approve", exchange.settle(call))
    call:approve(true)
    assert.equal("done", exchange.settle(call))
    assert.is_true(result(call).ok)
    assert.equal(1, box:ledger().count)
  end)
end)

describe("an engine that is closed under a payment", function()
  it("leaves it unknown, and an equal call on the next engine presents it again", function()
    local gateway = exchange.new{ total_ms = 300 }
    local engine = assert(core.engine())
    local before = exchange.engine
    -- Nothing listens there: the payment hangs in the air until the engine goes.
    finally(function()
      exchange.engine = before
      assert(core.client(before, gateway.config))
    end)
    exchange.engine = engine
    local one = gateway:again()
    local call = one:call()
    local a = drive(call, { gateway:challenge() })
    assert.equal("send", exchange.settle(call))
    engine:close()
    exchange.engine = assert(core.engine())
    local two = gateway:again()
    assert.equal("done", call:state())
    local r = result(call)
    assert.is_false(r.ok)
    assert.equal("maybe", r.paid)
    call = two:call{ total_ms = 6000 }
    local b = drive(call, { gateway:answer() })
    assert.is_true(result(call).ok)
    assert.equal(1, #b)
    assert.is_true(#nonces(a, b) <= 1)
    exchange.engine:close()
  end)

  it("starts nothing any more", function()
    local gateway = exchange.new()
    local before = exchange.engine
    finally(function()
      exchange.engine = before
      assert(core.client(before, gateway.config))
    end)
    exchange.engine = assert(core.engine())
    local one = gateway:again()
    exchange.engine:close()
    local call, _, code = one.client:call{ method = "POST", url = gateway.origin .. "/x", body = "{}", external = true }
    assert.is_nil(call)
    assert.equal("STATE", code)
  end)
end)
