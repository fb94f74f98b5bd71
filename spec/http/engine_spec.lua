-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local server = dofile "spec/support/server.lua"

describe("the engine", function()
  local host, engine

  setup(function() host = server.start() end)
  teardown(function() host:stop() end)
  before_each(function() engine = core.engine() end)
  after_each(function() engine:close() end)

  local function start(url, options)
    local o = { url = url, proxy = "", total_ms = 20000 }
    for k, v in pairs(options or {}) do o[k] = v end
    return assert(engine:fetch(o))
  end

  local function wait(t)
    while not t:done() do assert(engine:step()) end
    return t
  end

  -- result, info
  local function get(url, options)
    local t = wait(start(url, options))
    return assert(t:result()), t:info()
  end

  -- NAME, sentence, info
  local function fails(url, options)
    local t = wait(start(url, options))
    local result, sentence, name = t:result()
    assert.is_nil(result)
    return name, sentence, t:info()
  end

  local function count(of)
    local e = core.engine()
    local t = assert(e:fetch { url = host:url("/count?of=" .. of), proxy = "" })
    while not t:done() do assert(e:step()) end
    e:close()
    return tonumber(t:result().body)
  end

  describe("sends a request", function()
    it("as it was described, with nothing that was not asked for", function()
      local r = get(host:url "/echo?a=b", {
        method = "POST", body = '{"x":1}', user_agent = "spraay-lua/1",
        headers = { { "Content-Type", "application/json" }, { "X-Empty", "" }, { "x-Case", " v " } },
      })
      assert.equal(table.concat({
        "POST /echo?a=b HTTP/1.1", "Host: 127.0.0.1:" .. host.plain_port, "User-Agent: spraay-lua/1",
        "Accept: */*", "Accept-Encoding: *", "Content-Type: application/json", "X-Empty:", "x-Case: v",
        "Content-Length: 7", "", '{"x":1}' }, "\r\n"),
        (r.body:gsub("Accept%-Encoding: [^\r]*", "Accept-Encoding: *")))
    end)

    it("without calling a bodiless POST or a nameless body a form", function()
      local post = get(host:url "/echo", { method = "POST" }).body
      assert.truthy(post:find("Content-Length: 0", 1, true))
      assert.is_nil(post:lower():find("content-type", 1, true))
      local nameless = get(host:url "/echo", { method = "POST", body = "b" }).body
      assert.is_nil(nameless:lower():find("content-type", 1, true))
    end)

    for _, method in ipairs { "GET", "PUT", "PATCH", "DELETE", "OPTIONS" } do
      it("by " .. method, function()
        assert.equal(method .. " /echo HTTP/1.1",
          get(host:url "/echo", { method = method }).body:match "^[^\r]*")
      end)
    end

    it("by HEAD, and does not wait for the body it was promised", function()
      local r = get(host:url "/ok?n=50", { method = "HEAD" })
      assert.equal("50", r.headers["content-length"])
      assert.equal("", r.body)
    end)

    it("with a body that holds every byte value", function()
      local bytes = {}
      for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
      local body = table.concat(bytes)
      assert.equal(body, get(host:url "/echo", { method = "POST", body = body }).body:sub(-256))
    end)

    it("with a large body, without waiting for 100 Continue", function()
      local body = ("abcdefgh"):rep(256 * 1024)
      local r = get(host:url "/echo", { method = "POST", body = body })
      assert.is_nil(r.body:find("Expect", 1, true))
      assert.equal(body, r.body:sub(-#body))
    end)
  end)

  describe("refuses", function()
    local bad = {
      { { method = "GE T" }, "SYNTAX", "a space in the method" },
      { { method = "GET\r\nX: y" }, "SYNTAX", "a line break in the method" },
      { { method = "CONNECT" }, "UNSUPPORTED", "CONNECT" },
      { { url = "http://127.0.0.1/a\r\nb" }, "SYNTAX", "a line break in the URL" },
      { { url = "http://127.0.0.1/\0" }, "SYNTAX", "a NUL in the URL" },
      { { url = "http://user:secret@127.0.0.1/" }, "SYNTAX", "a user name in the URL" },
      { { url = "file:///etc/passwd" }, "UNSUPPORTED", "a file" },
      { { url = "ftp://127.0.0.1/" }, "UNSUPPORTED", "ftp" },
      { { headers = { { "X", "a\r\nY: b" } } }, "SYNTAX", "a line break in a header" },
      { { headers = { { "X", "a\nb" } } }, "SYNTAX", "a bare line feed in a header" },
      { { headers = { { "X", "a\0b" } } }, "SYNTAX", "a NUL in a header" },
      { { headers = { { "X Y", "a" } } }, "SYNTAX", "a space in a header's name" },
      { { headers = { { "X:", "a" } } }, "SYNTAX", "a colon in a header's name" },
      { { headers = { { "", "a" } } }, "SYNTAX", "a header without a name" },
      { { headers = { { "host", "elsewhere" } } }, "UNSUPPORTED", "a Host of the caller's" },
      { { headers = { { "Content-Length", "3" } } }, "UNSUPPORTED", "a length of the caller's" },
      { { headers = { { "Transfer-Encoding", "chunked" } } }, "UNSUPPORTED", "a framing of the caller's" },
      { { user_agent = "a\nb" }, "SYNTAX", "a line break in the user agent" },
      { { resolve = { "example.com:80" } }, "SYNTAX", "a resolve entry without an address" },
      { { resolve = { "example.com:eighty:127.0.0.1" } }, "SYNTAX", "a resolve entry without a port" },
    }
    for _, case in ipairs(bad) do
      it(case[3], function()
        local o = { url = host:url "/ok", proxy = "" }
        for k, v in pairs(case[1]) do o[k] = v end
        local t, sentence, name = engine:fetch(o)
        assert.is_nil(t)
        assert.equal("string", type(sentence))
        assert.equal(case[2], name)
        assert.equal(0, engine:pending())
      end)
    end

    it("an option it does not know, and values of the wrong type", function()
      local function raises(what, options)
        assert.error_matches(function() engine:fetch(options) end, what)
      end
      raises("unknown option max_bodi", { url = "http://a/", max_bodi = 1 })
      raises("url must be a string", { url = 1 })
      raises("url is missing", {})
      raises("total_ms", { url = "http://a/", total_ms = -1 })
      raises("total_ms", { url = "http://a/", total_ms = 0.5 })
      raises("pair", { url = "http://a/", headers = { "X: y" } })
    end)
  end)

  describe("reads an answer", function()
    it("with any status", function()
      for _, code in ipairs { 200, 402, 404, 500, 503 } do
        assert.equal(code, get(host:url("/ok?code=" .. code)).status)
      end
    end)

    it("keeping header values as they are, names without case, repetitions in order", function()
      local h = get(host:url "/odd-fields").headers
      assert.equal("one, two", h["x-twice"])
      assert.equal("a b c", h["x-folded"])
      assert.equal("", h["x-empty"])
      assert.equal("a:b: c", h["x-colon"])
    end)

    it("that was preceded by interim ones, which leave no trace", function()
      local r = get(host:url "/interim")
      assert.equal(200, r.status)
      assert.equal("yes", r.headers["x-final"])
      assert.is_nil(r.headers["x-interim"])
    end)

    it("without taking a trailer for a header", function()
      local r = get(host:url "/trailer")
      assert.equal("ok", r.body)
      assert.is_nil(r.headers["x-late"])
    end)

    it("and does not follow a redirect", function()
      local r = get(host:url "/redirect?to=/ok")
      assert.equal(302, r.status)
      assert.equal("/ok", r.headers.location)
    end)

    it("that ends where the connection does", function()
      assert.equal("all there is", get(host:url "/until-close").body)
    end)

    it("that was compressed", function()
      assert.equal(("\0"):rep(100000), get(host:url "/gzip?n=100000").body)
    end)

    it("of a megabyte", function()
      assert.equal(1048576, #get(host:url "/ok?n=1048576").body)
    end)
  end)

  describe("limits", function()
    it("header bytes: 64 KiB pass, one more does not", function()
      assert.equal(200, get(host:url "/headers?n=65536").status)
      local name, _, info = fails(host:url "/headers?n=65537")
      assert.equal("HEADERS_TOO_LARGE", name)
      assert.equal(200, info.status)
      assert.is_true(info.sent)
    end)

    it("a header line that is beyond what libcurl reads", function()
      assert.equal("HEADERS_TOO_LARGE", (fails(host:url "/headers?n=150000")))
    end)

    it("many small headers and endless interim answers just the same", function()
      assert.equal("HEADERS_TOO_LARGE", (fails(host:url "/fields?n=5000")))
      assert.equal("HEADERS_TOO_LARGE", (fails(host:url "/endless-interim")))
    end)

    it("the body: the cap itself passes, one more does not", function()
      assert.equal(1000, #get(host:url "/ok?n=1000", { max_body = 1000 }).body)
      local name, _, info = fails(host:url "/ok?n=1001", { max_body = 1000 })
      assert.equal("BODY_TOO_LARGE", name)
      assert.equal(200, info.status)
      assert.equal("text/plain", info.headers["content-type"])
    end)

    it("what a compressed body grows to, not what it weighs", function()
      assert.equal("BODY_TOO_LARGE", (fails(host:url "/gzip?n=2000000", { max_body = 1000000 })))
    end)

    it("memory, by moving a larger body to a file of its owner's", function()
      local r = get(host:url "/ok?n=300000", { max_body = 1000, spill_dir = host.dir })
      assert.is_nil(r.body)
      local f = assert(io.open(r.file, "rb"))
      assert.equal(("x"):rep(300000), f:read "*a")
      f:close()
      local stat = io.popen("stat -c %a " .. r.file)
      assert.equal("600", stat:read "*l")
      stat:close()
    end)

    it("that file too, and removes it with the transfer", function()
      local dir = host.dir .. "/spill"
      assert(os.execute("mkdir " .. dir))
      local name, _, info = fails(host:url "/ok?n=300000",
        { max_body = 1000, max_spill = 200000, spill_dir = dir })
      assert.equal("BODY_TOO_LARGE", name)
      assert.is_true(info.body_bytes <= 200000)
      collectgarbage()
      collectgarbage()
      local ls = io.popen("ls " .. dir)
      assert.equal("", ls:read "*a")
      ls:close()
    end)

    it("and says so when the file cannot be written", function()
      assert.equal("FILE", (fails(host:url "/ok?n=3000", { max_body = 10, spill_dir = "/nowhere" })))
    end)
  end)

  describe("names a failure", function()
    local unsent = {
      { "RESOLVE", "an unknown host", function() return "http://nowhere.invalid/" end },
      { "CONNECT", "a port where nobody listens", function() return "http://127.0.0.1:1/" end },
      { "TLS", "a stranger's certificate", function() return host:tls "/ok" end },
    }
    for _, case in ipairs(unsent) do
      it("of " .. case[2] .. ", where nothing was sent", function()
        local name, sentence, info = fails(case[3]())
        assert.equal(case[1], name)
        assert.matches("^%l.+: .+", sentence)
        assert.is_false(info.sent)
      end)
    end

    it("of a certificate for another name", function()
      local name, _, info = fails(("https://example.com:%d/ok"):format(host.tls_port), {
        ca_file = host.ca_file, resolve = { ("example.com:%d:127.0.0.1"):format(host.tls_port) } })
      assert.equal("TLS", name)
      assert.is_false(info.sent)
    end)

    it("of a proxy that refuses the tunnel", function()
      local name, _, info = fails("https://example.com/", { proxy = host:url "" })
      assert.equal("PROXY", name)
      assert.is_false(info.sent)
    end)

    it("when the connection closes or is reset before the answer", function()
      for path, body in pairs { ["/close"] = "b", ["/reset"] = ("x"):rep(300000) } do
        local name, _, info = fails(host:url(path), { method = "POST", body = body })
        assert.equal("RESET", name)
        assert.is_true(info.sent)
        assert.equal(0, info.status)
      end
    end)

    -- OpenSSL writes without asking for silence, and the signal would end this process.
    it("when a TLS connection is reset while writing to it, and outlives the SIGPIPE", function()
      local name, _, info = fails(host:tls "/reset",
        { method = "POST", body = ("x"):rep(3000000), ca_file = host.ca_file })
      assert.equal("RESET", name)
      assert.is_true(info.sent)
    end)

    it("when it is reset in the middle of the answer", function()
      local name, _, info = fails(host:url "/reset-body", { method = "POST", body = ("x"):rep(300000) })
      assert.equal("TRUNCATED", name)
      assert.is_true(info.sent)
    end)

    it("when the answer is shorter than it said, keeping status and headers", function()
      local name, _, info = fails(host:url "/truncate")
      assert.equal("TRUNCATED", name)
      assert.is_false(info.complete)
      assert.equal(200, info.status)
      assert.equal("yes", info.headers["x-kept"])
      assert.equal(40, info.body_bytes)
      assert.equal("TRUNCATED", (fails(host:url "/truncate-chunked")))
    end)

    -- libcurl reports success with whatever header fields it has.
    it("when the connection ends among the header fields", function()
      local name, _, info = fails(host:url "/truncate-head")
      assert.equal("TRUNCATED", name)
      assert.equal(200, info.status)
    end)

    it("when what comes back is not HTTP", function()
      assert.equal("PROTOCOL", (fails(host:url "/garbage")))
      assert.equal("PROTOCOL", (fails(host:url "/bad-status")))
    end)
  end)

  describe("runs out of time", function()
    it("while connecting, the TLS handshake included", function()
      local name, _, info = fails(host:mute "https", { connect_ms = 100 })
      assert.equal("TIMEOUT_CONNECT", name)
      assert.is_false(info.sent)
    end)

    it("while waiting for an answer, whatever the limits for other phases", function()
      local name, _, info = fails(host:mute "http", { connect_ms = 50, idle_ms = 50, total_ms = 300 })
      assert.equal("TIMEOUT_TOTAL", name)
      assert.is_true(info.sent)
    end)

    it("when the answer began and fell silent", function()
      local name, _, info = fails(host:url "/stall", { idle_ms = 100 })
      assert.equal("TIMEOUT_IDLE", name)
      assert.equal(200, info.status)
      assert.equal(5, info.body_bytes)
    end)

    it("not while bytes keep coming", function()
      assert.equal("........", get(host:url "/drip?n=8&ms=50", { idle_ms = 300 }).body)
    end)

    it("in the whole, even while bytes keep coming", function()
      local limits = { idle_ms = 1000, total_ms = 300 }
      assert.equal("TIMEOUT_TOTAL", (fails(host:url "/drip?n=100&ms=50", limits)))
    end)
  end)

  describe("uses connections", function()
    it("again for the next request", function()
      get(host:url "/ok")
      local before = count "connections"
      for _ = 1, 5 do get(host:url "/ok") end
      assert.equal(before + 1, count "connections")   -- the counting itself takes one
    end)

    it("of its own when asked for a fresh one, which nobody uses after it", function()
      get(host:url "/ok")
      local before = count "connections"
      get(host:url "/ok", { fresh = true })
      get(host:url "/ok", { fresh = true })
      get(host:url "/ok")
      assert.equal(before + 3, count "connections")
    end)

    it("and admits that libcurl sent a request again on finding a kept one dead", function()
      get(host:url "/last")
      local _, info = get(host:url "/ok?id=resent", { method = "POST", body = "b" })
      assert.equal(2, info.sends)
      assert.equal(2, count "resent")
    end)

    it("so that a fresh one sends exactly once", function()
      get(host:url "/last")
      local _, info = get(host:url "/ok?id=once", { method = "POST", body = "b", fresh = true })
      assert.equal(1, info.sends)
      assert.equal(1, count "once")
      local name, _, lost = fails(host:url "/close?id=lost", { method = "POST", body = "b", fresh = true })
      assert.equal("RESET", name)
      assert.equal(1, lost.sends)
      assert.equal(1, count "lost")
    end)

    it("to where resolve says, for this transfer alone", function()
      local at = ("elsewhere.invalid:%d:127.0.0.1"):format(host.plain_port)
      local url = ("http://elsewhere.invalid:%d/echo"):format(host.plain_port)
      assert.matches("Host: elsewhere%.invalid:", get(url, { resolve = { at } }).body)
      assert.equal("RESOLVE", (fails(url)))
    end)

    it("over TLS to a host it was told to trust, by name or address", function()
      assert.equal(200, get(host:tls "/ok", { ca_file = host.ca_file }).status)
      local by_name = ("https://localhost:%d/ok"):format(host.tls_port)
      assert.equal(200, get(by_name, { ca_file = host.ca_file }).status)
    end)

    it("not through the environment's proxy when the host is this machine", function()
      local script = ([[
        local e = require "spraay.core".engine()
        local t = e:fetch { url = "%s" }
        while not t:done() do e:step() end
        print(t:result().status)]]):format(host:url "/ok")
      local path = os.tmpname()
      local f = assert(io.open(path, "w"))
      f:write(script)
      f:close()
      local lua = arg[-1] or "lua5.4"
      local p = io.popen(("http_proxy=http://127.0.0.1:1 %s %s"):format(lua, path))
      assert.equal("200", p:read "*l")
      p:close()
      os.remove(path)
    end)
  end)

  describe("speaks HTTP/2 where TLS agrees on it", function()
    it("sharing one connection among parallel requests", function()
      if host.h2_port == 0 then return pending "lua-http is not installed" end
      local all = {}
      for i = 1, 30 do all[i] = start(host:h2 "/?ms=20", { ca_file = host.ca_file }) end
      for i = 1, 30 do
        assert.equal("HTTP/2, connection 1", assert(wait(all[i]):result()).body)
      end
    end)

    it("but not when told to keep to HTTP/1.1", function()
      if host.h2_port == 0 then return pending "lua-http is not installed" end
      local r = get(host:h2 "/", { ca_file = host.ca_file, http1 = true })
      assert.matches("^HTTP/1%.1,", r.body)
    end)
  end)

  describe("carries many transfers", function()
    it("of which at most 256 are on the network, in few descriptors, the others in line", function()
      local all = {}
      for i = 1, 300 do all[i] = start(host:url "/gate") end
      while count "held" < 256 do assert(engine:step(10)) end
      for _ = 1, 20 do assert(engine:step(0)) end
      assert.equal(256, count "held")
      assert.equal(300, engine:pending())

      local fds = io.popen("ls /proc/$PPID/fd | wc -l")
      assert.is_true(fds:read "*n" < 256 + 60)
      fds:close()

      local opener = core.engine()
      while engine:pending() > 0 do
        local open = opener:fetch { url = host:url "/open", proxy = "" }
        while not open:done() do assert(opener:step()) end
        assert(engine:step(10))
      end
      opener:close()
      for i = 1, 300 do assert.equal("through", all[i]:result().body) end
    end)

    it("and gives a cancelled one's place to the next", function()
      local stuck = {}
      for i = 1, 256 do stuck[i] = start(host:mute "http") end
      local waiting = start(host:url "/ok")
      assert(engine:step(0))
      assert.is_false(waiting:done())
      stuck[1]:cancel()
      assert.equal("CANCELLED", select(3, stuck[1]:result()))
      wait(waiting)
      assert.equal(200, waiting:result().status)
    end)
  end)

  describe("ends", function()
    it("with transfers in flight, which then count as cancelled", function()
      local t = start(host:mute "http")
      engine:step(0)
      engine:close()
      assert.is_true(t:done())
      assert.equal("CANCELLED", select(3, t:result()))
      assert.error_matches(function() engine:step(0) end, "closed")
    end)

    it("when it is collected before its transfers", function()
      local e = core.engine()
      local t = assert(e:fetch { url = host:mute "http", proxy = "" })
      e = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      assert.is_true(t:done())
    end)

    it("without leaving a descriptor behind", function()
      -- A new descriptor gets the lowest number that is free.
      local function lowest_free()
        local e = core.engine()
        local fd = e:pollfd()
        e:close()
        return fd
      end
      collectgarbage()
      collectgarbage()
      local before = lowest_free()
      for _ = 1, 5 do
        local e = core.engine()
        local t = assert(e:fetch { url = host:url "/ok", proxy = "" })
        while not t:done() do e:step() end
        assert(e:fetch { url = host:mute "http", proxy = "" })
        assert(e:fetch { url = "http://127.0.0.1:1/", proxy = "" })
        e:step(0)
        e:close()
      end
      collectgarbage()
      assert.equal(before, lowest_free())
    end)
  end)

  describe("waits", function()
    it("as long as told when nothing happens, and not at all when nothing can", function()
      assert.equal(0, engine:step(5))
      assert.equal(0, engine:step())
      assert.is_nil(engine:timeout())
    end)

    it("for nothing while it has more to hand over than it was asked for", function()
      local left = 3
      for _ = 1, left do start "http://127.0.0.1:1/" end   -- refused, all of them at the first step
      while left > 0 do
        assert.equal(1, engine:step(1000, 1))
        left = left - 1
        assert.equal(left, engine:pending())
        if left > 0 then assert.equal(0, engine:timeout()) end
      end
      assert.equal(0, engine:step(0, 1))
      assert.has_error(function() engine:step(0, 0) end)
    end)

    it("no longer than until it is woken", function()
      engine:wake()
      assert.equal(0, engine:step(60000))
    end)

    it("on a descriptor that other loops can watch", function()
      local cqueues_found, cqueues = pcall(require, "cqueues")
      if not cqueues_found then return pending "cqueues is not installed" end
      local loop, body = cqueues.new(), nil
      loop:wrap(function()
        local t = start(host:url "/ok?ms=30")
        while not t:done() do
          cqueues.poll { pollfd = engine:pollfd(), events = "r" }
          engine:step(0)
        end
        body = t:result().body
      end)
      assert(loop:loop(10))
      assert.equal("xx", body)
    end)
  end)
end)
