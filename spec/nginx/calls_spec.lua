-- SPDX-License-Identifier: MIT
-- Calls inside nginx, where they wait without stopping the worker. The nginx is Debian's own, with four workers.
local cjson = require "cjson"
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"

local missing = nginx.missing()

local box, server

local HTTP = [[
  lua_shared_dict notes 1m;
  upstream balanced {
    server 0.0.0.1;
    balancer_by_lua_block {
      note("balancer", client:chat "in balancer")
      assert(require "ngx.balancer".set_current_peer("127.0.0.1", ngx.var.server_port))
    }
  }
  init_by_lua_block {
    spraay = require "spraay"
    client = assert(spraay.open { wallet = spraay.wallet.env(), log = true, rate = false, per_day = "100" })
    local answer, message, err = client:chat "in init"
    ngx.shared.notes:set("init", ("%s|%s|%s|%s"):format(tostring(answer), message, err.code, err.hint))
    function say(answer, message, err)
      ngx.header["X-Worker"] = ngx.worker.pid()
      ngx.header["Content-Type"] = "application/json"
      ngx.print(require "cjson".encode { text = answer and answer.text, message = message, code = err and err.code,
        paid = err and err.paid, hint = err and err.hint, payment = answer and answer.payment })
    end
    function note(name, answer, message, err)
      ngx.shared.notes:set(name, ("%s|%s|%s|%s"):format(tostring(answer), tostring(message), tostring(err and err.code),
        tostring(err and err.hint)))
    end
  }
]]

local LOCATIONS = [[
  server_rewrite_by_lua_block {
    if ngx.var.uri == "/server_rewrite" then ngx.ctx.answer = { client:chat(ngx.var.arg_q) } end
  }
  location /server_rewrite { content_by_lua_block { say(unpack(ngx.ctx.answer)) } }
  location /notes { content_by_lua_block { ngx.print(ngx.shared.notes:get(ngx.var.arg_name) or "") } }
  location /content { content_by_lua_block { say(client:chat(ngx.var.arg_q)) } }
  location /rewrite {
    rewrite_by_lua_block { ngx.ctx.answer = { client:chat(ngx.var.arg_q) } }
    content_by_lua_block { say(unpack(ngx.ctx.answer)) }
  }
  location /access {
    access_by_lua_block { ngx.ctx.answer = { client:chat(ngx.var.arg_q) } }
    content_by_lua_block { say(unpack(ngx.ctx.answer)) }
  }
  location /timer {
    content_by_lua_block {
      local done, question, answer = require "ngx.semaphore".new(0), ngx.var.arg_q, nil
      assert(ngx.timer.at(0, function()
        answer = { client:chat(question) }
        done:post(1)
      end))
      assert(done:wait(10))
      say(unpack(answer))
    }
  }
  location /wrap {
    content_by_lua_block {
      local question = ngx.var.arg_q
      local inner = coroutine.wrap(function()
        coroutine.yield "first"
        local answer = coroutine.wrap(function() return client:chat(question) end)()
        coroutine.yield(answer)
      end)
      assert(inner() == "first")
      say(inner())
    }
  }
  location /threads {
    content_by_lua_block {
      local threads, texts = {}, {}
      for i = 1, 3 do
        threads[i] = ngx.thread.spawn(function() return client:chat(ngx.var.arg_q .. i) end)
      end
      for i = 1, 3 do
        local ok, answer = ngx.thread.wait(threads[i])
        assert(ok)
        texts[i] = answer.payment.status
      end
      ngx.print(table.concat(texts, " "))
    }
  }
  location /tasks {
    content_by_lua_block {
      spraay.run(function()
        local began, most, under_way = ngx.now(), 0, 0
        local answers, errors = spraay.map({ "a", "b", "c", "d", "e" }, { limit = 3 }, function(letter)
          under_way = under_way + 1
          most = math.max(most, under_way)
          local answer, message, err = client:chat(ngx.var.arg_q .. letter)
          ngx.say(letter, " ", answer and answer.payment.status or message)   -- a task is in its own request
          under_way = under_way - 1
          return answer, message, err
        end)
        local timely, message = spraay.within(0.01, function() spraay.sleep(5) end)
        ngx.say("within: ", timely == nil and message)
        local task = spraay.spawn(function() return "spawned" end)
        ngx.say("before: ", tostring(task:done()))
        ngx.say("spawned: ", task:wait())
        local first, index = spraay.first { function() spraay.sleep(5) end, function() return "quick" end }
        ngx.say("first: ", first, " ", index)
        ngx.say("together: ", most, " of ", #answers)
      end)
      local ok, why = pcall(spraay.run, function()
        spraay.spawn(function() spraay.sleep(0.001) end)
        error "thrown"
      end)
      ngx.say(ok, " ", why)
      for _ = 1, 100 do spraay.run(function() spraay.all { function() spraay.sleep(0) end, function() end } end) end
      ngx.say("many")
    }
  }
  location /header_filter {
    content_by_lua_block { ngx.say "x" }
    header_filter_by_lua_block { note("header_filter", client:chat "in header_filter") }
  }
  location /body_filter {
    content_by_lua_block { ngx.say "x" }
    body_filter_by_lua_block { note("body_filter", client:chat "in body_filter") }
  }
  location /log {
    content_by_lua_block { ngx.say "x" }
    log_by_lua_block { note("log", client:chat "in log") }
  }
  location /set {
    set_by_lua_block $x { note("set", client:chat "in set") return "x" }
    return 200 $x;
  }
  location /balancer { proxy_pass http://balanced/ping; }
  location /sort {
    content_by_lua_block {
      local function within()
        local answer, message, err
        table.sort({ 1, 2 }, function()
          answer, message, err = client:chat "in sort"
          return false
        end)
        return answer, message, err
      end
      note("sort", within())
      note("sort_in_a_task", spraay.run(within))
      ngx.say "x"
    }
  }
  location /sleeping {
    header_filter_by_lua_block {
      local ok, err = pcall(spraay.sleep, 0.01)
      note("sleeping", ok, tostring(err), err)
    }
    content_by_lua_block { ngx.say "x" }
  }
]]

if missing then
  describe("nginx", function()
    pending("is not tried: " .. missing)
  end)
  return
end

setup(function()
  box = sandbox.start{}
  local state = os.getenv "SPRAAY_STATE_DIR"
  server = nginx.start {
    http = HTTP, locations = LOCATIONS, init_worker = [[note("init_worker", client:chat "in init_worker")]],
    env = { SPRAAY_GATEWAY = box.url, SPRAAY_PRIVATE_KEY = box.key, SPRAAY_BASE_RPC = box.rpc,
            SPRAAY_STATE_DIR = state },
  }
end)

teardown(function()
  if server then server:stop() end
  box:stop()
end)

describe("a call inside nginx", function()
  for _, phase in ipairs { "server_rewrite", "rewrite", "access", "content", "timer" } do
    it("is paid and answered in the phase " .. phase, function()
      local before = box:ledger().count
      local answer = assert(server:get(("/%s?q=%s"):format(phase, phase)))
      assert.equal(200, answer.status, answer.body)
      assert.equal("settled", (answer.json.payment or {}).status, answer.body)
      assert.equal("0.030000", answer.json.payment.amount)
      assert.equal(before + 1, box:ledger().count)
    end)
  end

  it("waits in coroutines of the handler's own, however deep", function()
    local answer = server:get "/wrap?q=deep"
    assert.equal("settled", answer.json.payment.status, answer.body)
  end)

  it("waits in the handler's own light threads", function()
    assert.equal("settled settled settled", server:get("/threads?q=t").body)
  end)

  it("is made in tasks, each in its own request", function()
    local text = server:get("/tasks?q=x").body
    local lines = {}
    for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
    for _, letter in ipairs { "a", "b", "c", "d", "e" } do
      assert.truthy(("\n" .. text):find("\n" .. letter .. " settled\n", 1, true), text)
    end
    assert.same({ "within: not done within 0.01 s. Nothing was paid.",
      "before: false", "spawned: spawned", "first: quick 2", "together: 3 of 5" },
      { lines[6], lines[7], lines[8], lines[9], lines[10] })
    assert.truthy(lines[11]:find("^false .*thrown$"), text)
    assert.equal("many", lines[12])
  end)

  it("leaves its line in nginx's log, and nothing of the key", function()
    server:get "/content?q=logged"
    local log = server:log()
    assert.truthy(log:find("%[notice%][^\n]*spraay: chat: settled 0%.030000 USDC"), log)
    assert.falsy(log:find(box.key:sub(3), 1, true))
    assert.falsy(log:find("%[error%]") or log:find("%[alert%]") or log:find("%[warn%]"), log)
  end)

  it("of 32 at once is paid once each, by all workers together", function()
    local paths, before, workers, n = {}, box:ledger().count, {}, 0
    for i = 1, 32 do paths[i] = "/content?q=many" .. i end
    for i, answer in ipairs(server:get_all(paths)) do
      assert.is_table(answer, "no answer to " .. i)
      assert.equal("settled", (answer.json.payment or {}).status, answer.body)
      n = n + (workers[answer.headers["x-worker"]] and 0 or 1)
      workers[answer.headers["x-worker"]] = true
    end
    assert.equal(before + 32, box:ledger().count)
    assert.is_true(n >= 2)
  end)
end)

describe("a call in an nginx that has no timers left", function()
  local none = { ["to start"] = "lua_max_pending_timers 0;", ["to run"] = "lua_max_running_timers 0;" }
  for name, directive in pairs(none) do
    it("is made all the same: none " .. name, function()
      local poor = nginx.start {
        http = HTTP .. directive, locations = LOCATIONS, workers = 1,
        env = { SPRAAY_GATEWAY = box.url, SPRAAY_PRIVATE_KEY = box.key, SPRAAY_BASE_RPC = box.rpc,
                SPRAAY_STATE_DIR = os.getenv "SPRAAY_STATE_DIR" },
      }
      local answer, log = poor:get("/content?q=poor" .. #name), poor:log()
      poor:stop()
      assert.equal("settled", ((answer.json or {}).payment or {}).status, answer.body .. log)
    end)
  end
end)

describe("where nginx lets nothing wait", function()
  local function note(name)
    return cjson.encode(server:get("/notes?name=" .. name).body)
  end

  for _, phase in ipairs { "header_filter", "body_filter", "log", "set", "balancer" } do
    it("a call in " .. phase .. " fails at once and names the way out", function()
      local before = box:ledger().requests
      server:get("/" .. phase)
      local text = note(phase)
      assert.truthy(text:find("nil|nothing can wait in " .. phase .. "_by_lua*", 1, true), text)
      assert.truthy(text:find("|phase|", 1, true), text)
      assert.truthy(text:find("rewrite, access or content, or hand it on: ngx.timer.at(0", 1, true), text)
      assert.equal(before, box:ledger().requests)
    end)
  end

  it("a call in init_worker names the way out", function()
    local text = note "init_worker"
    assert.truthy(text:find("nothing can wait in init_worker_by_lua*", 1, true), text)
    assert.truthy(text:find("ngx.timer.at(0", 1, true), text)
  end)

  it("a call in init names the way out, and opening a client there is harmless", function()
    local text = note "init"
    assert.truthy(text:find("nothing can wait in init_by_lua*", 1, true), text)
    assert.truthy(text:find("init_worker_by_lua*", 1, true), text)
  end)

  for _, name in ipairs { "sort", "sort_in_a_task" } do
    it("a call inside a C function fails at once, and nothing is begun: " .. name, function()
      local before = box:ledger().requests
      assert.equal(200, server:get("/sort").status)
      local text = note(name)
      assert.truthy(text:find("nil|nothing can wait here: a C function such as table.sort", 1, true), text)
      assert.equal(before, box:ledger().requests)
    end)
  end

  it("anything else that waits raises the same", function()
    server:get "/sleeping"
    local text = note "sleeping"
    assert.truthy(text:find("false|nothing can wait in header_filter_by_lua*", 1, true), text)
  end)
end)
