-- SPDX-License-Identifier: MIT
--- A transport on nginx's cosockets: its resolver, its lua_ssl_trusted_certificate, its connection pools.
--
--   local cosocket = require "spraay.transports.cosocket"
--   local client = spraay.open { transport = cosocket.new { connect = 5 } }
--
-- HTTP/1.1. A request is sent once: what came of one that broke is for the core to judge, never for a second try
-- in here. The single exception bears no payment and met a kept connection that the peer had closed meanwhile.
local errors = require "spraay.errors"

local cosocket = {}

-- connect, idle, keepalive: seconds; pool: connections kept per worker and origin; max_body: bytes; verify: are
-- certificates checked; resolve: host -> address, for names that nginx's `resolver` is not to be asked for.
local DEFAULTS = { connect = 10, idle = 60, keepalive = 60, pool = 64, max_body = 64 * 1024 * 1024, verify = true,
  resolve = {} }
local KINDS = { number = "a number above 0", boolean = "true or false", table = "a table from host to address" }
local HEADERS_MAX = 64 * 1024   -- of an answer, all together
local CHUNK = 64 * 1024         -- read at once

local names = {}
for name in pairs(DEFAULTS) do names[#names + 1] = name end
table.sort(names)
cosocket.option_names = names

local PAYMENT = { ["payment-signature"] = true, ["x-payment"] = true }

-- ---- one connection -------------------------------------------------------------------

-- Give the socket the time that is left, at most `most` seconds. Returns nil, why when there is none.
local function grant(self, most)
  local left = math.min(most, self.by - ngx.now())
  if left <= 0 then return nil, "timeout" end
  local ms = math.ceil(left * 1000)
  self.socket:settimeouts(ms, ms, ms)
  return true
end

-- Asked for a session, resty.core looks at how the check of the certificate ended, also when the handshake was done
-- at once, and asserts that it went well; asked for none, it would say that all is well (lua-nginx-module, pull
-- request 2506).
local function handshake(socket, host, verify)
  local sound, session, why = pcall(socket.sslhandshake, socket, nil, host, verify)
  if sound and (session or why == nil) then return true end
  return nil, sound and tostring(why) or "the certificate was refused"
end

local function connect(self, url, options, fresh)
  local ok, why = grant(self, options.connect)
  if not ok then return nil, why end
  -- Whoever trusts anybody must not meet the connections of those who do not.
  local pool = ("spraay %s %s:%d %s%s"):format(url.scheme, url.host, url.port, tostring(options.verify),
    fresh and " fresh " .. tostring(self) or "")
  local host = options.resolve[url.host] or url.host
  ok, why = self.socket:connect(host, url.port, { pool = pool, pool_size = options.pool })
  if not ok then return nil, why end
  self.reused = (self.socket:getreusedtimes() or 0) > 0
  if url.scheme == "https" and not self.reused then
    ok, why = grant(self, options.connect)
    if not ok then return nil, why end
    ok, why = handshake(self.socket, (url.host:gsub("^%[(.*)%]$", "%1")), options.verify)
    if not ok then return nil, "TLS: " .. why end
  end
  return true
end

-- A line without its end; `room` is how long it may be.
local function read_line(self, room)
  local ok, why = grant(self, self.idle)
  if not ok then return nil, why end
  local reader = self.socket:receiveuntil("\n")
  local line
  line, why = reader(room)
  if not line then return nil, why or "closed" end
  local more, trouble = reader(1)
  if more then return nil, "a line of the answer is too long" end
  if trouble then return nil, trouble end
  return (line:gsub("\r$", ""))
end

-- ---- the answer -----------------------------------------------------------------------------

local function read_head(self)
  local room = HEADERS_MAX
  while true do
    local line, why = read_line(self, room)
    if not line then return nil, why end
    self.heard = true
    local minor, status = line:match "^HTTP/1%.(%d) (%d%d%d)"
    if not status then return nil, "the answer is not HTTP/1.1" end
    local headers, by_name = {}, {}
    room = room - #line
    while true do
      line, why = read_line(self, room)
      if not line then return nil, why end
      if line == "" then break end
      room = room - #line
      if room <= 0 then return nil, "the headers of the answer are too long" end
      local name, value = line:match "^([^:%s]+):%s*(.-)%s*$"
      if not name then return nil, "the answer has a header that is none" end
      headers[#headers + 1] = { name, value }
      by_name[name:lower()] = by_name[name:lower()] or value
    end
    status = tonumber(status)
    if status == 101 then return nil, "the gateway changed to another protocol" end
    if status >= 200 then return status, headers, by_name, minor end
  end
end

local function read_bytes(self, n, parts)
  while n > 0 do
    local ok, why = grant(self, self.idle)
    if not ok then return nil, why end
    local part
    part, why = self.socket:receive(math.min(n, CHUNK))
    if not part then return nil, why end
    parts[#parts + 1] = part
    n = n - #part
  end
  return true
end

local function read_chunked(self, most, parts)
  local size = 0
  while true do
    local line, why = read_line(self, 1024)
    if not line then return nil, why end
    local digits = line:match "^%s*(%x+)"
    if not digits or #digits > 12 then return nil, "the answer has a chunk without a length" end
    local n = tonumber(digits, 16)
    if n == 0 then break end
    size = size + n
    if size > most then return nil, "the answer is too long" end
    local ok
    ok, why = read_bytes(self, n, parts)
    if not ok then return nil, why end
    line, why = read_line(self, 2)
    if line ~= "" then return nil, why or "a chunk of the answer has the wrong length" end
  end
  repeat   -- trailers
    local line, why = read_line(self, 8192)
    if not line then return nil, why end
  until line == ""
  return true
end

local function read_to_the_end(self, most, parts)
  local size = 0
  while true do
    local ok, why = grant(self, self.idle)
    if not ok then return nil, why end
    local part, trouble, last = self.socket:receive(CHUNK)
    part = part or last
    if part and part ~= "" then
      parts[#parts + 1], size = part, size + #part
      if size > most then return nil, "the answer is too long" end
    end
    if trouble == "closed" then return true end
    if trouble then return nil, trouble end
  end
end

-- Returns whether the connection may be kept, or nil, why.
local function read_body(self, method, status, by_name, most, parts)
  if method == "HEAD" or status == 204 or status == 304 then return true end
  local coding, length = by_name["transfer-encoding"], by_name["content-length"]
  if coding then
    if coding:lower() ~= "chunked" then return nil, "the answer has a transfer encoding of its own" end
    return read_chunked(self, most, parts)
  end
  if length then
    if not length:match "^%d+$" or #length > 15 then return nil, "the answer has a length that is none" end
    if tonumber(length) > most then return nil, "the answer is too long" end
    return read_bytes(self, tonumber(length), parts)
  end
  local ok, why = read_to_the_end(self, most, parts)
  if not ok then return nil, why end
  return false
end

-- ---- the request --------------------------------------------------------------------------------

local function parse_url(text)
  local scheme, authority, target = tostring(text):match "^(https?)://([^/?#]+)([^#]*)"
  if not scheme then return nil end
  local host, port = authority:match "^(%[[%x:.]+%]):?(%d*)$"
  if not host then host, port = authority:match "^([^:@]+):?(%d*)$" end
  if not host then return nil end
  if target:sub(1, 1) ~= "/" then target = "/" .. target end
  return { scheme = scheme, host = host, authority = authority, target = target,
    port = tonumber(port) or (scheme == "https" and 443 or 80) }
end

-- Returns the head of the request, and whether it bears a payment; nil, why when something breaks out of it.
local function head_of(request, url)
  local lines, given, paid = { ("%s %s HTTP/1.1"):format(request.method, url.target) }, {}, false
  for name, value in pairs(request.headers or {}) do
    value = tostring(value)
    if not name:match "^[%w!#$%%&'*+%-.^_`|~]+$" or value:find "[%z\r\n]" then return nil, "a header is none" end
    given[name:lower()] = true
    paid = paid or PAYMENT[name:lower()] or false
    lines[#lines + 1] = name .. ": " .. value
  end
  if not given.host then lines[#lines + 1] = "Host: " .. url.authority end
  local body = request.body or ""
  if not given["content-length"] and (body ~= "" or request.method ~= "GET") then
    lines[#lines + 1] = "Content-Length: " .. #body
  end
  if lines[1]:find("[%z\r\n]") then return nil, "the URL is none" end
  return table.concat(lines, "\r\n") .. "\r\n\r\n", paid
end

-- One try. Returns the response, or nil, why, and whether nothing was heard on a connection that was kept.
local function try(request, url, head, options, by, fresh)
  local self = { socket = ngx.socket.tcp(), by = by, idle = options.idle }
  local function fail(why)
    self.socket:close()
    return nil, ("%s:%d: %s"):format(url.host, url.port, tostring(why)), self.reused and not self.heard
  end
  local ok, why = connect(self, url, options, fresh)
  if not ok then return fail(why) end
  ok, why = grant(self, options.idle)
  if not ok then return fail(why) end
  ok, why = self.socket:send { head, request.body or "" }
  if not ok then return fail(why) end
  local status, headers, by_name, minor = read_head(self)
  if not status then return fail(headers) end
  local parts = {}
  local keep
  keep, why = read_body(self, request.method, status, by_name, options.max_body, parts)
  if keep == nil then return fail(why) end
  if keep and minor ~= "0" and (by_name.connection or ""):lower() ~= "close" and not fresh then
    self.socket:setkeepalive(options.keepalive * 1000, options.pool)
  else
    self.socket:close()
  end
  return { status = status, headers = headers, body = table.concat(parts) }
end

local function check(given)
  local options = {}
  for name, value in pairs(DEFAULTS) do options[name] = value end
  for name, value in pairs(given or {}) do
    if DEFAULTS[name] == nil then
      error(("cosocket.new: unknown option %s. Its options are %s"):format(errors.show(name), errors.list(names)), 3)
    end
    if type(value) ~= type(DEFAULTS[name]) or (type(value) == "number" and (value <= 0 or value ~= value)) then
      error(("cosocket.new: %s must be %s"):format(name,
        KINDS[type(DEFAULTS[name])]), 3)
    end
    options[name] = value
  end
  return options
end

--- A transport for spraay.open: function(request { method, url, headers, body, timeout, fresh }) that returns a
-- response { status, headers, body }, or nil, message. May be made in init_by_lua.
function cosocket.new(given)
  if type(rawget(_G, "ngx")) ~= "table" then
    error("cosocket.new: cosockets are there inside nginx only. Leave `transport` out elsewhere", 2)
  end
  local options = check(given)
  return function(request)
    local url = parse_url(request.url)
    if not url then return nil, "the URL is none: " .. tostring(request.url) end
    local head, paid = head_of(request, url)
    if not head then return nil, paid end
    ngx.update_time()
    local by = ngx.now() + (request.timeout or 60)
    local response, why, stale = try(request, url, head, options, by, request.fresh)
    if stale and not paid then response, why = try(request, url, head, options, by, true) end
    return response, why
  end
end

return cosocket
