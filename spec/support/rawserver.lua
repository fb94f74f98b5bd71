-- An HTTP server that misbehaves on request, run as a process of its own:
-- `lua5.4 rawserver.lua CERTIFICATE REPORT`. It listens on four ports of the
-- loopback interface (plain, TLS, HTTP/2 over TLS, and one that never says a
-- word), makes itself a certificate for localhost and 127.0.0.1, writes it to the
-- file CERTIFICATE and the ports to the file REPORT, and ends when its standard
-- input does.
--
-- The path chooses the behaviour: see `paths` below. Plain sockets, because a
-- library would refuse to send most of this.
-- SPDX-License-Identifier: MIT

local certificate_file, report_file = ...

local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local socket = require "cqueues.socket"
local altname = require "openssl.x509.altname"
local context = require "openssl.ssl.context"
local name = require "openssl.x509.name"
local pkey = require "openssl.pkey"
local x509 = require "openssl.x509"

local loop = cqueues.new()
local connections = 0   -- accepted so far
local held = {}         -- requests waiting at /gate
local gate = condition.new()
local seen = {}         -- how often each ?id= arrived
local most, now = 0, 0  -- requests inside at the same time

-- ---- certificate ----

local key = pkey.new { type = "EC", curve = "prime256v1" }

local function self_signed()
  local cert, subject, alt = x509.new(), name.new(), altname.new()
  subject:add("CN", "localhost")
  alt:add("DNS", "localhost")
  alt:add("IP", "127.0.0.1")
  cert:setVersion(3)
  cert:setSerial(os.time())
  cert:setSubject(subject)
  cert:setIssuer(subject)
  cert:setSubjectAlt(alt)
  cert:setBasicConstraints { CA = true }
  cert:setBasicConstraintsCritical(true)
  cert:setLifetime(os.time() - 3600, os.time() + 86400)
  cert:setPublicKey(key)
  cert:sign(key)
  return cert
end

local cert = self_signed()

-- Takes the first of its protocols that the client offers.
local function tls_context(...)
  local ours = { ... }
  local ctx = context.new("TLS", true)
  ctx:setCertificate(cert)
  ctx:setPrivateKey(key)
  ctx:setAlpnSelect(function(_, offered)
    for _, mine in ipairs(ours) do
      for _, p in ipairs(offered) do if p == mine then return p end end
    end
    return nil
  end)
  return ctx
end

-- ---- HTTP/1.1 by hand ----

local function send(conn, ...)
  return conn:xwrite(table.concat { ... }, "bn")
end

local function head(status, fields)
  local lines = { "HTTP/1.1 " .. status }
  for _, f in ipairs(fields or {}) do lines[#lines + 1] = f end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

local function reply(conn, status, body, ...)
  return send(conn, head(status, { "Content-Length: " .. #body, ... }), body)
end

-- Until the peer closes.
local function wait_for_end(conn)
  while conn:xread(-4096, "bn") do end
end

local function read_request(conn)
  local line = conn:xread("*L", "bn")
  if not line then return nil end
  local req = { raw = { line }, length = 0, query = {} }
  req.method, req.target = line:match "^(%S+) (%S+)"
  if not req.target then return nil end
  req.path = req.target:match "^[^?]*"
  for k, v in req.target:gmatch "[?&]([^=&]+)=([^&]*)" do req.query[k] = tonumber(v) or v end
  repeat
    line = conn:xread("*L", "bn")
    if not line then return nil end
    req.raw[#req.raw + 1] = line
    local n = line:lower():match "^content%-length: *(%d+)"
    if n then req.length = tonumber(n) end
  until line == "\r\n"
  return req
end

local function read_body(conn, req)
  local body = req.length > 0 and conn:xread(req.length, "bn") or ""
  req.raw[#req.raw + 1] = body
  return body
end

local function note(req)
  local id = req.query.id
  if id then seen[id] = (seen[id] or 0) + 1 end
end

-- Behaviours return true to keep the connection.
local paths = {}

-- What arrived, byte for byte.
paths["/echo"] = function(conn, req)
  reply(conn, "200 OK", table.concat(req.raw))
  return true
end

-- ?n= bytes, ?ms= later.
paths["/ok"] = function(conn, req)
  if req.query.ms then cqueues.sleep(req.query.ms / 1000) end
  return reply(conn, (req.query.code or 200) .. " Fine", ("x"):rep(req.query.n or 2),
    "Content-Type: text/plain")
end

-- Waits until /open.
paths["/gate"] = function(conn)
  held[#held + 1] = true
  gate:wait()
  return reply(conn, "200 OK", "through")
end

paths["/open"] = function(conn)
  local n = #held
  held = {}
  gate:signal()
  return reply(conn, "200 OK", tostring(n))
end

paths["/count"] = function(conn, req)
  local of = { connections = connections, held = #held, most = most }
  return reply(conn, "200 OK", tostring(of[req.query.of] or seen[req.query.of] or 0))
end

paths["/never"] = function(conn) wait_for_end(conn) end

-- Half an answer, then silence.
paths["/stall"] = function(conn)
  send(conn, head("200 OK", { "Content-Length: 10" }), "half.")
  wait_for_end(conn)
end

-- ?n= bytes, one every ?ms=.
paths["/drip"] = function(conn, req)
  send(conn, head("200 OK", { "Content-Length: " .. req.query.n }))
  for _ = 1, req.query.n do
    cqueues.sleep(req.query.ms / 1000)
    if not send(conn, ".") then return end
  end
  return true
end

paths["/close"] = function() end   -- no answer at all

-- These leave the request's body unread, or its end, which turns closing into a reset. The second reads
-- until the client has nothing left to write, so that it is reading when the reset comes.
paths["/reset"] = function() end
paths["/reset-body"] = function(conn, req)
  conn:xread(req.length - 8192, "bn")
  send(conn, head("200 OK", { "Content-Length: 100" }), ("x"):rep(40))
end

paths["/truncate"] = function(conn)
  send(conn, head("200 OK", { "Content-Length: 100", "X-Kept: yes" }), ("x"):rep(40))
end

paths["/truncate-chunked"] = function(conn)
  send(conn, head("200 OK", { "Transfer-Encoding: chunked" }), "5\r\nhello\r\n")
end

paths["/truncate-head"] = function(conn) send(conn, "HTTP/1.1 200 OK\r\nX-First: 1\r\nX-Sec") end

-- The body ends where the connection does.
paths["/until-close"] = function(conn) send(conn, head("200 OK"), "all there is") end

-- A header block of exactly ?n= bytes, status line and empty line included.
paths["/headers"] = function(conn, req)
  local rest = #head("200 OK", { "Content-Length: 2", "X-Big: " })
  send(conn, head("200 OK", { "Content-Length: 2", "X-Big: " .. ("h"):rep(req.query.n - rest) }),
    "ok")
  return true
end

-- ?n= fields of some 30 bytes.
paths["/fields"] = function(conn, req)
  local fields = { "Content-Length: 2" }
  for i = 1, req.query.n do fields[#fields + 1] = ("X-Field-%06d: value %06d"):format(i, i) end
  send(conn, head("200 OK", fields), "ok")
  return true
end

paths["/odd-fields"] = function(conn)
  send(conn, head("200 OK", { "Content-Length: 2", "X-Twice: one", "x-twice:\t two \t", "X-Folded: a",
    "  b", "\tc", "X-Empty:", "X-Colon: a:b: c" }), "ok")
  return true
end

paths["/interim"] = function(conn)
  send(conn, head("100 Continue", { "X-Interim: 1" }), head("103 Early Hints", { "X-Interim: 2" }),
    head("200 OK", { "Content-Length: 2", "X-Final: yes" }), "ok")
  return true
end

paths["/endless-interim"] = function(conn)
  while send(conn, head("103 Early Hints", { "Link: " .. ("l"):rep(1000) })) do end
end

paths["/trailer"] = function(conn)
  send(conn, head("200 OK", { "Transfer-Encoding: chunked", "Trailer: X-Late" }),
    "2\r\nok\r\n0\r\nX-Late: trailer\r\n\r\n")
  return true
end

paths["/redirect"] = function(conn, req)
  return reply(conn, "302 Found", "", "Location: " .. (req.query.to or "/ok"))
end

-- ?n= zero bytes, compressed.
paths["/gzip"] = function(conn, req)
  local pipe = io.popen("head -c " .. req.query.n .. " /dev/zero | gzip -9", "r")
  local packed = pipe:read "a"
  pipe:close()
  return reply(conn, "200 OK", packed, "Content-Encoding: gzip")
end

paths["/no-colon"] = function(conn)
  send(conn, head("200 OK", { "Content-Length: 2", "no colon here" }), "ok")
end

paths["/garbage"] = function(conn) send(conn, "SSH-2.0-OpenSSH_9.2\r\n") end
paths["/bad-status"] = function(conn) send(conn, "HTTP/1.1 banana\r\n\r\n") end

-- Answers, then ignores whatever comes next on this connection and closes it.
paths["/last"] = function(conn)
  reply(conn, "200 OK", "ok")
  local following = read_request(conn)
  if following then note(following) end
end

local unread = { ["/reset"] = true, ["/reset-body"] = true }

local function serve(conn)
  local req = read_request(conn)
  if not req then return false end
  note(req)
  now = now + 1
  most = math.max(most, now)
  if not unread[req.path] then read_body(conn, req) end
  local behave = paths[req.path]
  local keep
  if behave then keep = behave(conn, req) else keep = reply(conn, "404 Not Found", "") end
  now = now - 1
  return keep
end

local function accept_into(listener, ctx)
  loop:wrap(function()
    while true do
      local conn = listener:accept { nodelay = true }
      connections = connections + 1
      loop:wrap(function()
        conn:onerror(function(_, _, why) return why end)
        conn:setmode("bn", "bn")
        if not ctx or conn:starttls(ctx, 10) then
          while serve(conn) do end
        end
        if ctx then conn:shutdown "w" end
        conn:close()
      end)
    end
  end)
end

local function listen()
  local listener = socket.listen { host = "127.0.0.1", port = 0 }
  assert(listener:listen(5))
  return listener, select(3, listener:localname())
end

-- ---- HTTP/2 by lua-http, which Debian keeps under 5.1's directory ----

local function listen_h2()
  package.path = package.path .. ";/usr/share/lua/5.1/?.lua"
  local found, http = pcall(require, "http.server")
  if not found then return 0 end
  local headers = require "http.headers"
  local known, n_known = {}, 0
  local server = http.listen {
    host = "127.0.0.1", port = 0, tls = true, ctx = tls_context("h2", "http/1.1"), cq = loop,
    onstream = function(_, stream)
      local req = assert(stream:get_headers())
      stream:get_body_as_string()
      local res, path = headers.new(), req:get ":path"
      local ms = tonumber(path:match "ms=(%d+)")
      if ms then cqueues.sleep(ms / 1000) end
      if not known[stream.connection] then
        known[stream.connection] = true
        n_known = n_known + 1
      end
      local body = ("HTTP/%s, connection %d"):format(stream.connection.version, n_known)
      res:append(":status", "200")
      res:append("content-length", tostring(#body))
      assert(stream:write_headers(res, false))
      assert(stream:write_body_from_string(body))
    end,
    onerror = function() end,
  }
  assert(server:listen())
  return select(3, server:localname())
end

-- ---- start ----

local plain, plain_port = listen()
local secure, secure_port = listen()
accept_into(plain)
accept_into(secure, tls_context "http/1.1")
local h2_port = listen_h2()
local _, mute_port = listen()   -- the kernel accepts, nobody answers

local f = assert(io.open(certificate_file, "w"))
f:write(cert:toPEM())
f:close()
f = assert(io.open(report_file, "w"))
f:write(("%d %d %d %d\n"):format(plain_port, secure_port, h2_port, mute_port))
f:close()

loop:wrap(function()
  local stdin = socket.fdopen(0)
  stdin:onerror(function(_, _, why) return why end)
  while stdin:read(1) do end
  os.exit(0, false)
end)

while true do
  local ok, why = loop:step()
  if not ok then io.stderr:write("rawserver: ", tostring(why), "\n") end
end
