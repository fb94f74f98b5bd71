-- SPDX-License-Identifier: MIT
-- The transport on nginx's cosockets: the core negotiates and signs, nginx carries the bytes.
local nginx = require "spec.support.nginx"
local raw = dofile "spec/support/server.lua"
local sandbox = require "spec.support.sandbox"

local missing = nginx.missing()
if missing then
  describe("nginx", function()
    pending("is not tried: " .. missing)
  end)
  return
end

local box, server, peer

local HTTP = [[
  lua_ssl_trusted_certificate %s;
  lua_ssl_verify_depth 3;
  init_by_lua_block {
    spraay = require "spraay"
    cosocket = require "spraay.transports.cosocket"
    transport = cosocket.new {}
    client = assert(spraay.open { wallet = spraay.wallet.env(), rate = false, ledger = false, transport = transport,
      timeout = { total = 5 } })
    -- As lua-resty-http answers: a map of headers, with lists of values; nil and a message when it breaks.
    resty = assert(spraay.open { wallet = spraay.wallet.env(), rate = false, ledger = false, timeout = { total = 1 },
      transport = function(request)
        local pays = request.headers["PAYMENT-SIGNATURE"] ~= nil
        if ngx.ctx.breaks == "before" then return nil, "connection refused" end
        local response, why = transport(request)
        if ngx.ctx.breaks == "after" and pays then return nil, "timeout" end
        if ngx.ctx.breaks == "raises" and pays then error "thrown by the transport" end
        if not response then return nil, why end
        local headers = {}
        for _, line in ipairs(response.headers) do
          local name, value = unpack(line)
          headers[name] = headers[name] and { headers[name], value } or value
        end
        return { status = response.status, headers = headers, body = response.body, reason = "OK" }
      end })
    function say(value, message, err)
      ngx.header["Content-Type"] = "application/json"
      ngx.print(require "cjson".encode { text = value and value.text, status = value and value.status,
        body = value and value.body, headers = value and value.headers, message = message, paid = err and err.paid,
        payment = value and value.payment })
    end
  }
]]

local LOCATIONS = [[
  location /chat { content_by_lua_block { say(client:chat(ngx.var.arg_q)) } }
  location /resty {
    content_by_lua_block {
      ngx.ctx.breaks = ngx.var.arg_breaks
      say(resty:chat(ngx.var.arg_q))
    }
  }
  location /image {
    content_by_lua_block {
      local answer, message, err = client:image { prompt = ngx.var.arg_q, width = 64, height = 64 }
      say(answer and { text = answer.urls[1], payment = answer.payment }, message, err)
    }
  }
  location /fetch {
    content_by_lua_block {
      local headers = {}
      if ngx.var.arg_paid then headers["PAYMENT-SIGNATURE"] = "x" end
      local options = { resolve = { localhost = "127.0.0.1", elsewhere = "127.0.0.1" } }
      if ngx.var.arg_most then options.max_body = tonumber(ngx.var.arg_most) end
      if ngx.var.arg_any then options.verify = false end
      local body = ngx.var.arg_body or ""
      say(cosocket.new(options) { method = ngx.var.arg_method or "GET", url = ngx.unescape_uri(ngx.var.arg_url),
        headers = headers, body = body, timeout = tonumber(ngx.var.arg_timeout) or 2 })
    }
  }
  location /wrong {
    content_by_lua_block {
      local ok, why = pcall(cosocket.new, { conect = 1 })
      local also, words = pcall(cosocket.new, { idle = -1 })
      ngx.say(tostring(ok), why, tostring(also), words)
    }
  }
]]

setup(function()
  box = sandbox.start{}
  peer = raw.start()
  server = nginx.start {
    workers = 1, http = HTTP:format(peer.ca_file), locations = LOCATIONS,
    env = { SPRAAY_GATEWAY = box.url, SPRAAY_PRIVATE_KEY = box.key, SPRAAY_BASE_RPC = box.rpc },
  }
end)

teardown(function()
  if server then server:stop() end
  peer:stop()
  box:stop()
end)

local function fetch(url, more)
  url = url:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end)
  return assert(server:get("/fetch?url=" .. url .. (more or ""))).json
end

describe("a transport in the shape of lua-resty-http", function()
  it("carries both legs of a paid call", function()
    local before = box:ledger().count
    local answer = server:get "/resty?q=shape"
    assert.equal("settled", (answer.json.payment or {}).status, answer.body)
    assert.equal(before + 1, box:ledger().count)
  end)

  it("that reaches nobody costs nothing", function()
    local before = #box:ledger().presented
    local answer = server:get("/resty?q=nobody&breaks=before").json
    assert.equal("no", answer.paid)
    assert.truthy(answer.message:find("connection refused", 1, true), answer.message)
    assert.equal(before, #box:ledger().presented)
  end)

  for _, breaks in ipairs { "after", "raises" } do
    it("that loses a paid answer may have cost something, and once at most: " .. breaks, function()
      local before = box:ledger().count
      local question = "/resty?q=lost_" .. breaks
      local answer = server:get(question .. "&breaks=" .. breaks).json
      assert.equal("maybe", answer.paid, answer.message)
      assert.equal(before + 1, box:ledger().count)
      answer = server:get(question).json   -- goes on with that purchase
      assert.truthy(answer.payment or answer.paid == "yes", answer.message)
      assert.equal(before + 1, box:ledger().count)
    end)
  end
end)

describe("the cosocket transport", function()
  it("carries both legs of a paid call", function()
    local before = box:ledger().count
    local answer = server:get "/chat?q=carried"
    assert.equal("settled", (answer.json.payment or {}).status, answer.body)
    assert.equal("0.030000", answer.json.payment.amount)
    assert.equal(before + 1, box:ledger().count)
  end)

  it("carries calls side by side, each paid once", function()
    local paths, before = {}, box:ledger().count
    for i = 1, 16 do paths[i] = (i % 2 == 0 and "/image?q=" or "/chat?q=") .. i end
    for _, answer in ipairs(server:get_all(paths)) do
      assert.equal("settled", (answer.json.payment or {}).status, answer.body)
    end
    assert.equal(before + 16, box:ledger().count)
  end)

  it("presents the same payment again when an answer is lost", function()
    box:fault("reset_before_settle", { times = 1 })
    local before = box:ledger().count
    local answer = server:get "/chat?q=lost"
    assert.equal("settled", (answer.json.payment or {}).status, answer.body)
    assert.equal(before + 1, box:ledger().count)
  end)

  it("says of a gateway that cannot be reached that nothing was paid", function()
    local answer = fetch(peer:mute "http", "&timeout=0.2")
    assert.truthy(answer.message:find("timeout", 1, true), answer.message)
    answer = fetch "http://127.0.0.1:1/"
    assert.truthy(answer.message:find("refused", 1, true), answer.message)
  end)

  it("checks certificates and names, unless told not to", function()
    local url = peer:tls "/ok"
    assert.same("xx", fetch((url:gsub("127%.0%.0%.1", "localhost"))).body)
    url = url:gsub("127%.0%.0%.1", "elsewhere")
    local answer = fetch(url)
    assert.truthy(answer.message:find("TLS: .*certificate"), answer.message)
    assert.equal(200, fetch(url, "&any=1").status)
    answer = fetch(url)
    assert.truthy(answer.message, "a connection that nobody checked was used by one who checks")
  end)

  for path, body in pairs { ["/until-close"] = "all there is", ["/trailer"] = "ok", ["/interim"] = "ok",
                            ["/ok?n=100000"] = ("x"):rep(100000), ["/garbage"] = false,
                            ["/truncate"] = false, ["/truncate-chunked"] = false, ["/truncate-head"] = false,
                            ["/no-colon"] = false, ["/bad-status"] = false, ["/close"] = false, ["/reset"] = false,
                            ["/headers?n=70000"] = false, ["/fields?n=3000"] = false, ["/endless-interim"] = false,
                            ["/stall"] = false } do
    it(body and "reads " .. path or "fails, and gives nothing, at " .. path, function()
      local answer = fetch(peer:url(path), "&timeout=0.5")
      assert.equal(body or nil, answer.body)
      assert.equal(not body, answer.message ~= nil)
    end)
  end

  it("sends again on a fresh connection what met one that was closed meanwhile, unless it pays", function()
    local function sent() return tonumber(sandbox.fetch(peer:url "/count?of=last").body) or 0 end
    assert.equal("ok", fetch(peer:url "/last?id=last").body)   -- kept; the peer closes it at the next request
    assert.equal("ok", fetch(peer:url "/last?id=last").body)   -- on a fresh one, which is not kept
    assert.equal("ok", fetch(peer:url "/last?id=last").body)   -- and this one is
    local before = sent()
    local answer = fetch(peer:url "/last?id=last", "&paid=1")
    assert.is_nil(answer.body)
    assert.equal(before + 1, sent())
  end)

  it("refuses an answer that is longer than it may be", function()
    local answer = fetch(box.url .. "/.well-known/x402.json", "&most=10")
    assert.truthy(answer.message:find("too long", 1, true), answer.message)
  end)

  it("refuses options that it does not know", function()
    local text = server:get("/wrong").body
    assert.truthy(text:find('false.-unknown option "conect"'), text)
    assert.truthy(text:find("idle must be a number above 0", 1, true), text)
  end)

  it("refuses a URL that is none, and one that breaks out of its line", function()
    assert.truthy(fetch("ftp://x/").message:find("URL", 1, true))
    assert.truthy(fetch(box.url .. "/x\r\nX-A: 1").message:find("URL", 1, true))
  end)
end)
