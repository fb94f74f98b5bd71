--- The sandbox on a socket: lua-http reads requests and writes answers; answers that misbehave are
--- written underneath it, on the bare socket.
--- https://daurnimator.github.io/lua-http/
-- SPDX-License-Identifier: MIT
local cqueues = require "cqueues"
local http_headers = require "http.headers"
local http_server = require "http.server"
local core = require "spraay.core"
local crypto = require "spraay.sandbox.crypto"
local json = require "spraay.sandbox.json"
local reply = require "spraay.sandbox.reply"
local transport = require "spraay.sandbox.transport"

local server = {}

local IDLE_SECONDS = 5              -- the gateway closes idle connections after as many
local READ_SECONDS = 30
local MAX_LINE = 128 * 1024         -- of one request header: echoed challenges are long
local MAX_OTHER_BODY = 1024 * 1024  -- bodies nobody parses are read this far

-- ---- reading --------------------------------------------------------------------------------

local function header_table(headers)
  local out = {}
  for name, value in headers:each() do
    local before = out[name]
    out[name] = before and before .. ", " .. value or value   -- repeated ones are joined, as by Node
  end
  return out
end

-- The body, or what the parser says about it; neither when the client left in the middle of it.
---@return table? body
---@return table? refusal
local function read_body(stream, headers, ours)
  if headers.expect and headers.expect:lower() == "100-continue" then stream:write_continue(READ_SECONDS) end
  local is_json, refusal = transport.is_json(headers["content-type"])
  if refusal then return nil, refusal end
  local length = math.tointeger(tonumber(headers["content-length"]))
  local limit = is_json and not ours and transport.MAX_BODY or MAX_OTHER_BODY
  if length and length > limit then return nil, transport.too_large() end
  local text = ""
  if length and length > 0 or headers["transfer-encoding"] then
    text = stream:get_body_chars(limit + 1, READ_SECONDS) or ""
  end
  if length and #text < length then return nil end
  if #text > limit then return nil, transport.too_large() end
  if not is_json then return {} end
  return transport.parse(text)
end

-- A length that is no number, or two that differ, is how requests are smuggled; nothing is read.
local function bad_length(headers)
  local length = headers["content-length"]
  return length and not (length:find("^%d+$") and #length < 16)
end

---@return table? request
---@return "bad"|"cut"|nil trouble  not HTTP, or the client left in the middle of it
local function read_request(stream, origin)
  local raw = stream:get_headers(READ_SECONDS)
  if not raw then return nil, "bad" end
  local headers = header_table(raw)
  if bad_length(headers) then return nil, "bad" end
  local target = headers[":path"] or "/"
  local path, query = target:match("^([^?]*)%??(.*)$")
  local request = {
    method = headers[":method"], target = target, path = transport.unescape(path),
    query = transport.query(query), headers = headers,
    origin = headers[":authority"] and "http://" .. headers[":authority"] or origin,
  }
  local _, peer = stream:peername()               -- nobody, if the client is gone already
  request.ip = (headers["x-forwarded-for"] or ""):match("^%s*([^,%s]+)") or peer or "gone"
  request.body, request.refusal = read_body(stream, headers, path:find("^/_sandbox/") ~= nil)
  if not request.body and not request.refusal then return nil, "cut" end
  return request
end

-- ---- writing --------------------------------------------------------------------------------

local function body_text(response)
  local body = response.body
  if body == nil then return "" end
  if type(body) == "string" then return body end
  return json.encode(body)
end

-- The framework's name for a body, for whoever asks whether it is still the same.
local function etag_of(text)
  return ('W/"%x-%s"'):format(#text, crypto.base64(crypto.keccak(text)):sub(1, 27))
end

-- 304, if the caller has this answer already. It was paid for all the same.
local function not_modified(request, response, etag)
  return (request.method == "GET" or request.method == "HEAD") and response.status == 200
    and request.headers["if-none-match"] == etag
end

local function send(stream, request, response, date)
  local text = body_text(response)
  local etag = not response.content_type and response.status ~= 204 and etag_of(text)
  local headers = http_headers.new()
  headers:append(":status", ("%d"):format(response.status))
  headers:append("date", date)
  for _, pair in ipairs(response.headers) do headers:append(pair[1], pair[2]) end
  if etag then headers:append("etag", etag) end
  if etag and not_modified(request, response, etag) then
    headers:upsert(":status", "304")
    return stream:write_headers(headers, true, READ_SECONDS)
  end
  if response.status ~= 204 then
    headers:append("content-type", response.content_type or "application/json; charset=utf-8")
    headers:append("content-length", ("%d"):format(#text))
  end
  if request.refusal then headers:append("connection", "close") end
  if request.method == "HEAD" or #text == 0 then return stream:write_headers(headers, true, READ_SECONDS) end
  if stream:write_headers(headers, false, READ_SECONDS) then
    stream:write_chunk(text, true, READ_SECONDS)
  end
end

-- The head of an answer as bytes, for the socket underneath.
local function raw_head(response, date, length)
  local lines = { ("HTTP/1.1 %d %s"):format(response.status, response.status == 200 and "OK" or "Answer"),
                  "date: " .. date }
  for _, pair in ipairs(response.headers) do lines[#lines + 1] = pair[1] .. ": " .. pair[2] end
  lines[#lines + 1] = "content-type: " .. (response.content_type or "application/json; charset=utf-8")
  lines[#lines + 1] = ("content-length: %d"):format(length)
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

-- Take the socket away from lua-http; from here on errors are values.
local function take_socket(stream)
  local socket = stream.connection:take_socket()
  if socket then
    socket:onerror(function(_, _, why) return why end)
    socket:setmode("b", "bn")
  end
  return socket
end

-- Be done with a connection whose request was not read to its end. lua-http must not see that end:
-- a body that breaks off sends its own shutdown round in circles for ever.
local function abandon(stream)
  for _ = 1, 64 do                   -- read on for a while, so that closing does not reset the answer
    if not stream.connection.socket or not stream:get_next_chunk(1) then break end
  end
  local socket = take_socket(stream)
  if socket then socket:close() end
end

-- What is not HTTP ends its connection, as at Node. If lua-http kept it, an empty line before the
-- end of the connection would be read again and again for ever.
local function refuse(stream)
  local socket = take_socket(stream)
  if not socket then return end
  socket:xwrite("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "bn", 1)
  socket:close()
end

local wire = {}

function wire.close(socket) socket:close() end

-- An RST instead of a FIN.
function wire.reset(socket)
  if core.socket_reset then core.socket_reset(socket:pollfd()) end
  socket:close()
end

-- Say nothing until the other side gives up.
function wire.hang(socket, options)
  local deadline = cqueues.monotime() + (options.seconds or 600)
  while cqueues.monotime() < deadline do
    if not socket:xread(-4096, "b", deadline - cqueues.monotime()) then break end
  end
  socket:close()
end

function wire.truncate(socket, _, response, date)
  local text = body_text(response)
  socket:xwrite(raw_head(response, date, #text) .. text:sub(1, #text // 2), READ_SECONDS)
  socket:close()
end

function wire.truncate_headers(socket, _, response, date)
  local head = raw_head(response, date, 10)
  socket:xwrite(head:sub(1, #head // 2), READ_SECONDS)
  socket:close()
end

function wire.drip(socket, options, response, date)
  local text = body_text(response)
  if not socket:xwrite(raw_head(response, date, #text), READ_SECONDS) then return socket:close() end
  for i = 1, #text do
    cqueues.sleep(options.seconds)
    if not socket:xwrite(text:sub(i, i), READ_SECONDS) then break end
  end
  socket:close()
end

-- Server-sent events, a chunk each. A fault may hold them back after the first, until the lever is pulled,
-- or end the connection in the middle.
function wire.events(socket, options, response, date)
  local head = raw_head(response, date, 0):gsub("content%-length: 0", "transfer-encoding: chunked")
  local open = socket:xwrite(head, READ_SECONDS)
  for i, piece in ipairs(options.list) do
    if not open or i - 1 == options.cut then return socket:close() end
    open = socket:xwrite(("%x\r\n%s\r\n"):format(#piece, piece), READ_SECONDS)
    if options.hold and i == 1 then options.hold:wait() end
  end
  if open then socket:xwrite("0\r\n\r\n", READ_SECONDS) end
  socket:close()
end

-- A body filled up with spaces, which JSON does not mind.
local function pad(socket, response, date)
  local text = body_text(response)
  local total = math.max(math.floor(response.pad_to), #text)
  if not socket:xwrite(raw_head(response, date, total) .. text, READ_SECONDS) then return socket:close() end
  local left, block = total - #text, (" "):rep(65536)
  while left > 0 do
    if not socket:xwrite(block:sub(1, left), READ_SECONDS) then break end
    left = left - #block
  end
  socket:close()
end

local function deliver(stream, request, response, date)
  local how = response.wire
  if how and how.kind == "slow" then
    cqueues.sleep(how.seconds)
    how = nil
  end
  if not how and not response.pad_to then return send(stream, request, response, date) end
  local socket = take_socket(stream)
  if not socket then return end
  if response.pad_to then return pad(socket, response, date) end
  wire[how.kind](socket, how, response, date)
end

-- ---- serving --------------------------------------------------------------------------------

-- Should the connection be dropped before its request is read? The levers stay reachable: the
-- request line is looked at and put back.
local function dropped(sandbox, stream)
  if #sandbox.faults.armed == 0 then return false end
  local socket = stream.connection.socket
  local line = socket and socket:xread("*L", READ_SECONDS)
  if not line then return false end
  if not line:find("^%u+ /_sandbox/") and sandbox.faults:take("accept", { title = line }) then
    wire.reset(take_socket(stream))
    return true
  end
  socket:unget(line)
  return false
end

--- Listen on loopback. The sandbox learns its port and origin.
---@param sandbox table
---@param options table  port (0: any), quiet, on_error
---@return table? server  cqueues controller in `.cq`
---@return string? why
function server.listen(sandbox, options)
  local function onstream(_, stream)
    stream.connection:setmaxline(MAX_LINE)
    if dropped(sandbox, stream) then return end
    local request, trouble = read_request(stream, sandbox.origin)
    if trouble == "bad" then return refuse(stream) end
    if trouble == "cut" then return abandon(stream) end
    local ok, response = pcall(sandbox.respond, sandbox, request)
    if not ok then                           -- a bug of ours: say so, on both ends
      if options.on_error then options.on_error(tostring(response)) end
      response = reply.json(500, { error = "sandbox: " .. tostring(response) })
    end
    deliver(stream, request, response, sandbox.clock:http_date())
    if request.refusal then abandon(stream) end
  end
  local listener, why = http_server.listen{
    host = sandbox.host, port = options.port or 0, tls = false, version = 1.1, reuseaddr = true,
    onstream = onstream,
    onerror = function(_, context, op, err)
      if not options.on_error or op == "get_next_incoming_stream" or op == "wrap" then return end
      options.on_error(("%s on %s: %s"):format(op, tostring(context), tostring(err)))
    end,
  }
  if not listener then return nil, tostring(why) end
  listener.intra_stream_timeout = IDLE_SECONDS
  local ok, trouble = listener:listen()
  if not ok then return nil, tostring(trouble) end
  local _, _, port = listener:localname()
  sandbox.port = math.tointeger(port)
  sandbox.origin = ("http://%s:%d"):format(sandbox.host, sandbox.port)
  sandbox.background = function(fn) listener.cq:wrap(fn) end
  return listener
end

return server
