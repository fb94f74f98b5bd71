-- SPDX-License-Identifier: MIT
-- Answers that are read while they come, against a sandbox that can hold one back, and cut it off. What was
-- paid is read from its books.
local engine = require "spraay.engine"
local live = require "spec.support.live"
local spraay = require "spraay"

local box, client
local story = 0   -- purchases are remembered as long as the process lives: each spec asks for another one

setup(function() box = live.start() end)
teardown(function() live.stop(box) end)
before_each(function()
  story = story + 1
  box:clear()
  box:reset()
  client = live.open(box)
end)
after_each(function() client:close() end)

local function ask(about, options)
  local given = { stream = true, max = "0.01" }
  for name, value in pairs(options or {}) do given[name] = value end
  return client:request("POST", "/api/v1/chat/completions",
    { stream = true, messages = { { role = "user", content = about or "story " .. story } } }, given)
end

local function go() box:request("POST", "/_sandbox/streams", { body = {} }) end

-- When an earlier spec failed in the middle: no stream is left waiting.
after_each(go)

local function text_of(result)
  local all = {}
  for event in result:events() do all[#all + 1] = event.text end
  return table.concat(all)
end

local function settled(n) assert.equal(n, box:ledger().count) end

describe("a streamed answer", function()
  it("gives its events, and the receipt of its head", function()
    local result = assert(ask())
    assert.equal("settled", result.payment.status)
    assert.equal("0.005000", result.payment.amount)
    assert.equal("text/event-stream", result.http.headers["content-type"])
    assert.matches("%w+ .+%.", text_of(result))
    assert.equal(box:ledger().settled[1].transaction, result.payment.transaction)
    settled(1)
  end)

  it("is there before its end has been sent", function()
    box:fault("settle_then_hold_stream", { times = 1 })
    local result = assert(ask())
    local first = assert(result:read())
    assert.matches("^data: ", first)
    go()
    local rest = {}
    for bytes in function() return result:read() end do rest[#rest + 1] = bytes end
    assert.matches("%[DONE%]\n\n$", table.concat(rest))
    assert.is_nil((result:read()))
    settled(1)
  end)

  it("is handed over at its end: the same call then buys anew", function()
    text_of(assert(ask()))
    text_of(assert(ask()))
    settled(2)
  end)

  it("has no time limit once it has begun, but the one for silence", function()
    box:fault("settle_then_hold_stream", { times = 1 })
    local result = assert(ask(nil, { timeout = 1 }))
    spraay.sleep(1.2)
    go()
    assert.matches("%.$", text_of(result))
  end)

  it("falls silent: an error that knows it was paid", function()
    client:close()
    client = live.open(box, { timeout = { connect = 2, idle = 0.3, total = 5 } })
    box:fault("settle_then_hold_stream", { times = 1 })
    local result = assert(ask())
    assert(result:read())
    local bytes, _, err = result:read()
    assert.is_nil(bytes)
    assert.equal("timeout", err.kind)
    assert.equal("yes", err.paid)
    go()
    settled(1)
  end)

  it("breaks off: the loop raises an error that knows it was paid, and nobody pays again", function()
    box:fault("settle_then_hold_stream", { times = 1, events = 3 })
    local result = assert(ask())
    go()
    local seen = 0
    local ok, err = spraay.pcall(function()
      for _ in result:events() do seen = seen + 1 end
    end)
    assert.is_false(ok)
    assert.equal(3, seen)
    assert.equal("connection", err.kind)
    assert.equal("yes", err.paid)
    assert.equal("0.005000", err.amount)
    assert.matches("broke off", err.message)
    assert.same({ result:read() }, { result:read() })   -- and says so again
    local again, _, same = ask()
    assert.is_nil(again)
    assert.equal("yes", same.paid)
    assert.equal(err.purchase, same.purchase)
    settled(1)
    assert.equal(1, #box:ledger().presented)
  end)

  it("breaks off, and is bought anew by who asks for that", function()
    box:fault("settle_then_hold_stream", { times = 1, events = 3 })
    local result = assert(ask())
    go()
    while result:read() do end
    box:advance(1000)
    local clock = function() return os.time() + 1000 end
    client:close()
    client = live.open(box, { clock = clock, on_lost = "repay" })
    assert.matches("%.$", text_of(assert(ask())))
    settled(2)
  end)

  it("is enough when it is closed: the connection goes, and the same call buys anew", function()
    box:fault("settle_then_hold_stream", { times = 1 })
    local result = assert(ask())
    assert(result:read())
    result:close()
    result:close()
    assert.is_nil((result:read()))
    assert.equal(0, engine.get():pending())
    go()
    assert.matches("%.$", text_of(assert(ask())))
    settled(2)
  end)

  it("keeps what was read of it under a name", function()
    box:fault("settle_then_hold_stream", { times = 1 })
    local result = assert(ask(nil, { purchase = "first" }))
    local first = assert(result:read())
    result:close()
    go()
    local again = assert(ask(nil, { purchase = "first" }))
    assert.equal("restored", again.payment.status)
    assert.equal(first, again:read())
    assert.is_nil((again:read()))
    settled(1)
  end)

  it("is kept whole for an equal call when its task is cancelled", function()
    box:fault("settle_then_hold_stream", { times = 1 })
    local result, err
    spraay.run(function()
      local task = spraay.spawn(function()
        result = assert(ask())
        assert(result:read())
        err = select(3, result:read())
      end)
      while not (result or task:done()) do spraay.sleep(0.01) end
      spraay.sleep(0.01)
      task:cancel()
      task:wait()
    end)
    assert.equal("cancelled", err.kind)
    assert.equal("maybe", err.paid)
    go()
    local again = assert(ask())
    assert.matches("%.$", text_of(again))
    assert.equal(err.purchase, again.payment.purchase)
    settled(1)
  end)

  it("is kept whole for an equal call when it is dropped", function()
    box:fault("settle_then_hold_stream", { times = 1 })
    assert(ask())
    collectgarbage()
    collectgarbage()
    go()
    assert.matches("%.$", text_of(assert(ask())))
    settled(1)
  end)

  it("comes beside others in tasks", function()
    box:fault("settle_then_hold_stream", { times = 2 })
    local done = 0
    spraay.run(function()
      local tasks = {}
      for i, about in ipairs { "the sea", "the sky" } do
        tasks[i] = spraay.spawn(function()
          local result = assert(ask(about))
          assert(result:read())
          done = done + 1
          while done < 2 do spraay.sleep(0.01) end   -- both have begun before either may end
          if done == 2 then
            done = 3
            go()
          end
          while result:read() do end
          return true
        end)
      end
      for _, task in ipairs(tasks) do assert(task:wait()) end
    end)
    settled(2)
  end)

  it("reads like any other where the bytes come over another transport", function()
    client:close()
    local sandbox = require "spec.support.sandbox"
    client = live.open(box, { transport = function(request)
      return (sandbox.fetch(request.url, { method = request.method, headers = request.headers,
        body = request.body }))
    end })
    assert.matches("%.$", text_of(assert(ask())))
    settled(1)
  end)

  it("is not streamed when it is an error", function()
    local result, _, err = client:request("POST", "/api/v1/chat/completions", { stream = true },
      { stream = true, max = "0.01" })
    assert.is_nil(result)
    assert.equal(400, err.status)
    settled(0)
  end)
end)

describe("its events", function()
  it("can be taken one at a time, and then let other tasks run on every Lua", function()
    box:fault("settle_then_hold_stream", { times = 1 })
    local result, order, text = nil, {}, {}
    spraay.run(function()
      local reader = spraay.spawn(function()
        result = assert(ask())
        while true do
          local event = result:event()
          if not event then break end
          text[#text + 1] = event.text
        end
        order[#order + 1] = "reader"
      end)
      spraay.spawn(function()
        while not result do spraay.sleep(0.01) end
        order[#order + 1] = "other"
        go()
      end)
      reader:wait()
    end)
    assert.same({ "other", "reader" }, order)
    assert.matches("%.$", table.concat(text))
    assert.equal("settled", result.payment.status)
  end)

  it("end with the answer's error", function()
    box:fault("settle_then_hold_stream", { times = 1, events = 2 })
    local result = assert(ask())
    go()
    assert(result:event())
    assert(result:event())
    local event, message, err = result:event()
    assert.is_nil(event)
    assert.matches("broke off", message)
    assert.equal("yes", err.paid)
  end)
end)

describe("leaving the loop", function()
  it("closes the answer, where Lua can", function()
    box:fault("settle_then_hold_stream", { times = 1 })
    local result = assert(ask())
    for event in result:events() do
      if event.json then break end
    end
    if _VERSION == "Lua 5.4" then
      assert.equal(0, engine.get():pending())
    else
      assert.equal(1, engine.get():pending())
      result:close()
    end
    go()
    settled(1)
  end)
end)

describe("a result that came whole", function()
  it("says so to who wants to stream it", function()
    local result = assert(client:chat "hello")
    local ok, err = pcall(function() return result:events() end)
    assert.is_false(ok)
    assert.matches("stream = true", tostring(err))
    result:close()
  end)

  it("is what a wrong option gets", function()
    local _, _, err = ask(nil, { stream = "yes" })
    assert.equal("usage", err.kind)
    _, _, err = client:chat("hello", { stream = true })
    assert.equal("usage", err.kind)
  end)
end)
