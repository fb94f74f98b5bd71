-- SPDX-License-Identifier: MIT
-- Calls that are cut short: by a Lua state that is closed, by whoever cancels or drops them, and by functions of
-- the caller's own that throw. The judge is the gateway's books: nothing is lost, and nothing is paid twice.
local cqueues = require "cqueues"
local live = require "spec.support.live"
local payer = require "spec.support.payer"
local processes = require "spec.support.processes"
local socket = require "cqueues.socket"
local spraay = require "spraay"

local box, x, n
local clients = {}

setup(function() box, n = live.start { replay = true }, 0 end)
teardown(function() live.stop(box) end)
before_each(function()
  box:clear()
  box:reset()
  n = n + 1
  x = "cut short " .. n
end)
after_each(function()
  for i = 1, #clients do clients[i]:close() end
  clients = {}
end)

local function open(options)
  local client = live.open(box, options)
  clients[#clients + 1] = client
  return client
end

local function slow(seconds)
  box:fault("handler_slow", { seconds = seconds, times = 1 })
end

local function until_(what)
  local by = cqueues.monotime() + 20
  while not what() do
    assert(cqueues.monotime() < by, "it did not come to that")
    cqueues.sleep(0.01)
  end
end

local function presented(times)
  return function() return #box:ledger().presented == times end
end

-- ---- a state that is closed ---------------------------------------------------------------

-- A program that makes a call in a task, goes on until `flag` is there, and ends in some way.
local PROGRAM = [[
local spraay = require "spraay"
local client = assert(spraay.open { gateway = %q, wallet = spraay.wallet.file(%q), ledger = %q, per_day = "1000",
  rpc = { base = false } })
spraay.spawn(function() client:request(%q, %q, %s) end)
for _ = 1, 2000 do
  spraay.sleep(0.01)
  local flag = io.open(%q)
  if flag then flag:close() break end
end
%s
]]

local interpreter, i = arg[-1], -1
while arg[i] do interpreter, i = arg[i], i - 1 end

-- Start the program, call `then_` and let it end: what it wrote, which is nothing when all is well.
local function ends(fields, then_)
  local flag, script = os.tmpname(), os.tmpname()
  os.remove(flag)
  local file = assert(io.open(script, "w"))
  file:write(PROGRAM:format(fields.gateway or box.url, box.keyfile, fields.place, fields.method or "POST", fields.path,
    fields.method and "nil" or ("{ messages = { { role = 'user', content = %q } } }"):format(x), flag,
    fields.ending or ""))
  file:close()
  local pipe = assert(io.popen(("%s %s 2>&1; echo ended $?"):format(interpreter, script)))
  then_()
  assert(io.open(flag, "w")):close()
  local said = pipe:read "*a"
  pipe:close()
  os.remove(script)
  os.remove(flag)
  return said
end

local CHAT = "/api/v1/compute/text-inference"

describe("a Lua state that is closed", function()
  local place
  before_each(function() place = processes.place() end)
  after_each(function() processes.clear(place) end)

  for how, ending in pairs { ["at its end"] = "", ["by os.exit"] = "os.exit(0, true)",
    ["by an error"] = "os.exit(pcall(error) and 1 or 0)" } do
    it(how .. " with a free call in flight is gone without a word", function()
      local listener = socket.listen("127.0.0.1", 0)
      local _, _, port = listener:localname()
      local conn
      assert.equal("ended 0\n", ends({ gateway = ("http://127.0.0.1:%d"):format(port), place = place, method = "GET",
        path = "/health", ending = ending }, function()
        conn = assert(listener:accept(20))
        assert.truthy(conn:xread("*l", nil, 20):find("GET /health", 1, true))
      end))
      conn:close()
      listener:close()
    end)

    it(how .. " with a call in flight that has not paid leaves nothing to pay", function()
      box:fault("timeout_on_probe", { times = 1 })
      assert.equal("ended 0\n", ends({ place = place, path = CHAT, ending = ending }, function()
        until_(function() return box:ledger().requests == 1 end)
      end))
      for _, row in ipairs(assert(open { ledger = place }:purchases {})) do
        assert.truthy(row.state == "intent" or row.state == "refused", row.state)
      end
      assert.equal(0, box:ledger().count)
    end)

    it(how .. " with a payment in flight leaves it on record, and an equal call continues it", function()
      slow(0.3)
      assert.equal("ended 0\n", ends({ place = place, path = CHAT, ending = ending }, function()
        until_(presented(1))
      end))
      local client = open { ledger = place }
      local rows = assert(client:purchases {})
      assert.equal(1, #rows)
      assert.equal("unknown", rows[1].state)
      local answer = assert(client:request("POST", CHAT, { messages = { { role = "user", content = x } } }))
      assert.equal(rows[1].id, answer.payment.purchase)
      assert.equal(1, box:ledger().count)
    end)
  end
end)

describe("a process that may have few descriptors", function()
  it("has fewer calls on the network at once, and none fails", function()
    local place, script = processes.place(), os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write(([[
      local spraay = require "spraay"
      local client = assert(spraay.open { gateway = %q, wallet = spraay.wallet.file(%q), ledger = %q,
        per_day = "1000", rpc = { base = false } })
      local all = {}
      for i = 1, 60 do
        all[i] = function()
          if i %% 3 > 0 then return client:health() end
          return client:chat(%q .. i)
        end
      end
      local _, errors = spraay.all(all)
      for _, err in pairs(errors) do print(err) end
    ]]):format(box.url, box.keyfile, place, x))
    file:close()
    local pipe = assert(io.popen(("ulimit -n 40; %s %s 2>&1"):format(interpreter, script)))
    assert.equal("", pipe:read "*a")
    pipe:close()
    os.remove(script)
    processes.clear(place)
    assert.equal(20, box:ledger().count)
  end)
end)

-- ---- cancelling -----------------------------------------------------------------------------

describe("a call that is cancelled", function()
  -- Each: when, what cancel() says, what the error says was paid, how often the gateway was shown a payment.
  for _, stage in ipairs {
    { "before it began", "aborted", "no", 0, function() end },
    { "before its terms came", "aborted", "no", 0, function()
      until_(function()
        spraay.sleep(0.01)
        return box:ledger().requests == 1
      end)
    end, fault = { "timeout_on_probe", { times = 1 } } },
    { "while on_pay thinks", "aborted", "no", 0, function(seen)
      repeat spraay.sleep(0.01) until seen.on_pay
    end, hook = "on_pay" },
    { "while a signer outside thinks", "detached", "maybe", 0, function(seen)   -- what it was shown, it may sign
      repeat spraay.sleep(0.01) until seen.sign
    end, hook = "sign" },
    { "after its payment has left", "detached", "maybe", 1, function()
      repeat spraay.sleep(0.01) until presented(1)()
    end, fault = { "handler_slow", { seconds = 0.4, times = 1 } } },
  } do
    it(stage[1] .. " says " .. stage[2] .. ", paid: " .. stage[3] .. (stage[3] == "no" and "" or
      ", and how to go on"), function()
      local seen = {}
      local function think(name, answer)
        return function(...)
          if stage.hook ~= name or seen.over then return answer(...) end
          seen[name] = true
          spraay.sleep(30)
          return answer(...)
        end
      end
      local key = require "spraay.core".hex_decode((box.key:gsub("^0x", "")))
      local core = require "spraay.core"
      local client = open {
        on_pay = think("on_pay", function() return true end),
        wallet = stage.hook == "sign" and spraay.wallet.signer { address = box.address, nonce_secret = ("s"):rep(32),
          sign = think("sign", function(_, digest)
            return "0x" .. core.hex_encode(core.secp_sign(core.hex_decode((digest:gsub("^0x", ""))), key))
          end) } or nil,
      }
      if stage.fault then box:fault(stage.fault[1], stage.fault[2]) end
      local answer, err, again
      spraay.run(function()
        local task = spraay.spawn(client.chat, client, x)
        stage[5](seen)
        answer = task:cancel()
        err = select(3, task:wait())
        assert.equal(stage[4], #box:ledger().presented)
        seen.over = true
        again = assert(client:chat(x))
        assert.equal("done", task:cancel())
      end)
      assert.equal("cancelled", err.kind)
      assert.equal(stage[2], answer)
      assert.equal(stage[3], err.paid)
      if err.paid ~= "no" then
        assert.truthy(err.hint:find("the same", 1, true), err.hint)
        assert.equal("0.030000", err.amount)
      end
      assert.equal("string", type(again.text))
      assert.equal(1, box:ledger().count)
      local nonces = {}
      for _, one in ipairs(box:ledger().presented) do nonces[one.nonce or 1] = true end
      assert.is_nil(next(nonces, (next(nonces))))
    end)
  end
end)

-- ---- dropping ---------------------------------------------------------------------------------

describe("a session that is dropped", function()
  it("with its payment made keeps the purchase: an equal one presents the same authorization", function()
    local client = open()
    local request = { method = "POST", url = CHAT, body = { messages = { { role = "user", content = x } } } }
    local asked = box:request("POST", CHAT, { body = request.body })
    local function paid()
      local session = assert(spraay.x402.session(client, request))
      assert.equal("send", (session:step()))
      local what, headers = session:step(402, asked.headers, asked.body)
      assert.equal("send", what)
      return headers["PAYMENT-SIGNATURE"], session
    end
    local first = paid()
    collectgarbage()
    collectgarbage()
    local session = assert(spraay.x402.session(client, request))
    local what, headers = session:step()
    assert.equal("send", what)
    assert.equal(first, headers["PAYMENT-SIGNATURE"])
    local answer = box:request("POST", CHAT, { body = request.body, headers = headers })
    assert.equal("done", (session:step(answer.status, answer.headers, answer.body)))
    assert.equal("settled", payer.receipt(answer).success and "settled")
    assert.equal(1, box:ledger().count)
  end)
end)

-- ---- functions that throw -----------------------------------------------------------------------

describe("a function of the caller's that fails", function()
  it("as a clock is told before anything is sent, with the way out", function()
    for what, clock in pairs { ["it failed: .*no battery"] = function() error "no battery" end,
      ["it returned a table"] = function() return {} end, ["it returned \"noon\""] = function() return "noon" end,
      ["it returned a nil"] = function() end, ["it returned nan"] = function() return 0 / 0 end } do
      local client = open { clock = clock }
      local value, message, err = client:chat(x)
      assert.is_nil(value)
      assert.equal("clock", err.code)
      assert.equal("no", err.paid)
      assert.truthy(message:find(what) or (what:find "nan" and message:find "it returned %-?nan"), message)
      assert.truthy(message:find("leave it out", 1, true), message)
      assert.equal("number", type(client:summary().calls or 0))
    end
    assert.equal(0, box:ledger().requests)
  end)

  it("as a signer is told, and the next call pays once", function()
    local core, broken = require "spraay.core", true
    local key = core.hex_decode((box.key:gsub("^0x", "")))
    local client = open { wallet = spraay.wallet.signer { address = box.address, nonce_secret = ("s"):rep(32),
      sign = function(_, digest)
        if broken then error "the device is locked" end
        return "0x" .. core.hex_encode(core.secp_sign(core.hex_decode((digest:gsub("^0x", ""))), key))
      end } }
    local value, message, err = client:chat(x)
    assert.is_nil(value)
    assert.equal("wallet", err.kind)
    assert.truthy(message:find("the device is locked", 1, true), message)
    broken = false
    assert.equal("settled", assert(client:chat(x)).payment.status)
    assert.equal(1, box:ledger().count)
    broken = true
    local offer = box:request("POST", CHAT, { body = {} })
    value, message = spraay.x402.pay(assert(spraay.x402.read(402, offer.headers, offer.body)),
      client.config.wallets[1], { max = "1" })
    assert.is_nil(value)
    assert.truthy(message:find("the device is locked", 1, true), message)
  end)

  it("as a transport after the payment has left leaves it to an equal call", function()
    local broken = true
    local client = open { retries = 0, transport = function(request)
      local answer = box:request(request.method, request.url:match "^http://[^/]+(.*)$",
        { headers = request.headers, body = request.body })
      if broken and request.headers["PAYMENT-SIGNATURE"] then error "the cable was pulled" end
      return answer
    end, timeout = 1 }
    local value, message, err = client:chat(x)
    assert.is_nil(value)
    assert.equal("maybe", err.paid)
    assert.truthy(message:find("the cable was pulled", 1, true), message)
    assert.equal(1, box:ledger().count)
    broken = false
    assert.equal(err.purchase, assert(client:chat(x)).payment.purchase)
    assert.equal(1, box:ledger().count)
  end)

  it("as a task leaves what it had paid for to whoever asks again", function()
    local client = open()
    local err = select(3, spraay.spawn(function()
      client:chat(x)
      error "and then this"
    end):wait())
    assert.equal("thrown", err.code)
    assert.equal("yes", err.paid)
    assert.equal("0.030000", err.amount)
  end)
end)
