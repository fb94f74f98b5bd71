-- SPDX-License-Identifier: MIT
-- What belongs to one worker and what to all of them: budgets, reloads, and workers that leave.
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"

local missing = nginx.missing()
if missing then
  describe("nginx", function()
    pending("is not tried: " .. missing)
  end)
  return
end

local box, server, folder

local HTTP = [[
  lua_shared_dict notes 1m;
  init_by_lua_block {
    spraay = require "spraay"
    client = assert(spraay.open { wallet = spraay.wallet.env(), rate = false, per_day = "0.30" })
    team = assert(spraay.open { wallet = spraay.wallet.env(), rate = false, per_day = "100", scope = "team",
      budget = "0.15" })
    others = assert(spraay.open { wallet = spraay.wallet.env(), rate = false, per_day = "100", scope = "others",
      budget = "0.06" })
    carried = assert(spraay.open { wallet = spraay.wallet.env(), rate = false, per_day = "100",
      transport = require "spraay.transports.cosocket".new() })
    function say(answer, message, err)
      ngx.header["X-Worker"] = ngx.worker.pid()
      ngx.header["Content-Type"] = "application/json"
      ngx.print(require "cjson".encode { text = answer and answer.text, message = message, kind = err and err.kind,
        paid = err and err.paid, payment = answer and answer.payment })
    end
  }
]]

local LOCATIONS = [[
  location /chat {
    content_by_lua_block {
      ngx.shared.notes:set("asked", ngx.worker.pid())
      say(client:chat(ngx.var.arg_q))
    }
  }
  location /asked { content_by_lua_block { ngx.print(ngx.shared.notes:get "asked") } }   # the worker that was last
  location /team { content_by_lua_block { say(team:chat(ngx.var.arg_q)) } }
  location /others { content_by_lua_block { say(others:chat(ngx.var.arg_q)) } }
  location /kill {   # a light thread is killed in its call once /now was asked for, and the same is asked again
    content_by_lua_block {
      local question, asked = ngx.var.arg_q, _G[ngx.var.arg_of]
      local thread = ngx.thread.spawn(function() return asked:chat(question) end)
      while not ngx.shared.notes:get "kill" do ngx.sleep(0.001) end
      assert(ngx.thread.kill(thread))
      say(asked:chat(question))
    }
  }
  location /now { content_by_lua_block { ngx.shared.notes:set("kill", true) } }
  location /gone {   # the reader goes away, and nobody waits for the answer any more
    lua_check_client_abort on;
    content_by_lua_block { say(_G[ngx.var.arg_of]:chat(ngx.var.arg_q)) }
  }
]]

-- Until it is true; each look asks something that answers, so it needs no pause.
local function eventually(fn)
  for _ = 1, 3000 do
    if fn() then return true end
    box:ledger()
  end
  return false
end

before_each(function()
  box = sandbox.start{}
  local pipe = assert(io.popen "mktemp -d")
  folder = pipe:read "*l"
  pipe:close()
end)

local function start(workers)
  server = nginx.start {
    http = HTTP, locations = LOCATIONS, workers = workers,
    env = { SPRAAY_GATEWAY = box.url, SPRAAY_PRIVATE_KEY = box.key, SPRAAY_BASE_RPC = box.rpc,
            SPRAAY_STATE_DIR = folder },
  }
end

after_each(function()
  if server then server:stop() end
  box:stop()
  os.execute("rm -rf " .. folder)
end)

-- Does one of these processes exist?
local function any_alive(pids)
  for _, pid in ipairs(pids) do
    local answer = os.execute("kill -0 " .. pid .. " 2> /dev/null")
    if answer == true or answer == 0 then return true end
  end
  return false
end

-- How many different authorizations the gateway has seen.
local function signed()
  local nonces, n = {}, 0
  for _, row in ipairs(box:ledger().presented) do
    n = n + (nonces[row.nonce] and 0 or 1)
    nonces[row.nonce] = true
  end
  return n
end

-- How many of these requests were paid for and how many were refused by a budget, each in at least two workers.
local function tally(paths)
  local workers, settled, refused = {}, 0, 0
  for i, answer in ipairs(server:get_all(paths)) do
    assert.is_table(answer, "no answer to " .. paths[i])
    workers[answer.headers["x-worker"]] = true
    if answer.json.payment then
      assert.equal("settled", answer.json.payment.status)
      settled = settled + 1
    else
      assert.equal("budget", answer.json.kind, answer.body)
      assert.equal("no", answer.json.paid)
      refused = refused + 1
    end
  end
  assert.truthy(next(workers, next(workers)), "one worker answered everything")
  return settled, refused
end

describe("the workers of nginx", function()
  it("keep one per_day together, to the last cent, however many ask at once", function()
    start(4)
    assert.equal("settled", server:get("/chat?q=first").json.payment.status)   -- there is a ledger
    local paths = {}
    for i = 1, 32 do paths[i] = "/chat?q=question" .. i end
    assert.same({ 9, 23 }, { tally(paths) })
    assert.equal("0.300000", box:ledger().total_usdc)
  end)

  it("keep one budget for each scope, to the last cent, also when they are started anew", function()
    start(4)
    assert.equal("settled", server:get("/team?q=first").json.payment.status)
    local paths = {}
    for i = 1, 32 do paths[i] = (i % 2 == 0 and "/team?q=" or "/others?q=") .. i end
    assert.same({ 4 + 2, 26 }, { tally(paths) })
    assert.equal("0.210000", box:ledger().total_usdc)
    server:stop()
    start(4)
    assert.equal("budget", server:get("/team?q=later").json.kind)
    assert.equal(7, box:ledger().count)
  end)

  it("answer what is in flight when the configuration is read anew, and then leave", function()
    start(4)
    local old = server:workers()
    assert.equal(4, #old)
    box:fault("handler_slow", { times = 1, seconds = 0.5 })
    local answers = server:get_all({ "/chat?q=slow" }, nil, function()
      assert(eventually(function() return #box:ledger().presented == 1 end), "no payment arrived")
      server:reload()
      assert(eventually(function() return #server:workers() > 4 or not any_alive(old) end), "nothing was reloaded")
    end)
    assert.equal(200, answers[1].status)
    assert.equal("settled", answers[1].json.payment.status, answers[1].body)
    assert.equal(1, box:ledger().count)
    assert.is_true(eventually(function() return not any_alive(old) end), "an old worker stays")
    assert.equal("settled", server:get("/chat?q=after").json.payment.status)
    assert.falsy(server:log():find("%[alert%]"), server:log())
    assert.falsy(server:log():find("exited on signal", 1, true), server:log())
  end)

  it("leave at once when nothing is in flight", function()
    start(4)
    server:get "/chat?q=before"
    local old = server:workers()
    server:reload()
    assert.is_true(eventually(function() return not any_alive(old) end), "an old worker stays")
    assert.falsy(server:log():find("%[alert%]"), server:log())
  end)

  it("finish a payment whose reader went away, and hand the answer to whoever asks again", function()
    start(1)
    box:fault("handler_slow", { times = 1, seconds = 0.3 })
    assert.is_nil((server:get("/gone?q=left&of=client", { seconds = 0.2 })))
    assert(eventually(function() return box:ledger().count == 1 end), "the payment was dropped")
    local answer = server:get "/chat?q=left"
    assert.truthy(answer.json.payment, answer.body)   -- "restored", or "settled" when it was still on its way
    assert.falsy(server:log():find("%[error%]"), server:log())
    assert.equal(1, box:ledger().count)
  end)

  it("go on with a payment that a transport carried when its reader went away", function()
    start(1)
    box:fault("handler_slow", { times = 1, seconds = 0.3 })
    assert.is_nil((server:get("/gone?q=left&of=carried", { seconds = 0.2 })))
    local answer = server:get "/gone?q=left&of=carried"
    assert.truthy(answer.json.payment or answer.json.paid == "yes", answer.body)
    assert.equal(1, signed())
    assert.equal(1, box:ledger().count)
  end)

  for _, of in ipairs { "client", "carried" } do
    for sent = 0, 1 do
      it(("let go of a call whose light thread was killed, and an equal one goes on with it: %s, %d payments presented")
        :format(of, sent), function()
        start(1)
        box:fault("handler_slow", { times = 1, seconds = 0.3 })
        local answers = server:get_all({ "/kill?q=killed&of=" .. of }, nil, function()
          assert(eventually(function() return #box:ledger().presented >= sent end), "no payment arrived")
          server:get "/now"
        end)
        local body = answers[1].body
        assert.equal(1, signed())
        -- What a killed thread was reading itself is lost with it, and this gateway gives an answer once.
        assert.truthy(answers[1].json.payment or (of == "carried" and answers[1].json.paid == "yes"), body)
        assert.equal(1, box:ledger().count)
        assert.falsy(server:log():find "%[error%]", server:log())
      end)
    end
  end

  for _, n in ipairs { 1, 4 } do
    it(("that are killed with a payment on its way leave it to the next one, which does not pay again: %d of them")
      :format(n), function()
      start(n)
      local killed
      box:fault("handler_slow", { times = 1, seconds = 0.3 })
      local answers = server:get_all({ "/chat?q=killed" }, nil, function()
        assert(eventually(function() return #box:ledger().presented == 1 end), "no payment arrived")
        killed = server:get("/asked").body
        os.execute("kill -9 " .. killed)
      end)
      assert.is_false(answers[1])
      assert(eventually(function() return #server:workers() == n and not any_alive { killed } end))
      assert(eventually(function() return box:ledger().count == 1 end), "the payment never settled")
      local answer = server:get "/chat?q=killed"
      -- This gateway gives an answer once, so it may be lost; what was paid for it is told.
      assert.truthy(answer.json.payment or answer.json.paid == "yes", answer.body)
      assert.not_equal(killed, answer.headers["x-worker"])
      assert.equal(1, box:ledger().count)
    end)
  end
end)
