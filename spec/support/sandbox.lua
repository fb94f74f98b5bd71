--- The sandbox as a process of its own, for specs of any Lua:
---   local sandbox = require "spec.support.sandbox"
---   local box = sandbox.start{ faults = { "settle_then_reset:1" } }
---   box.url, box.rpc, box.key, box.address, box.solana_rpc, box.solana_key, box.solana_address
---   box:ledger()  box:fault(name, options)  box:clear()  box:fund(address, "5")  box:clock(600)
---   box:advance(300)  box:config{ job_seconds = 0 }  box:reset()  box:cancel(address, nonce)
---   box:request(method, path, options)  box:stop()
---   box.pid  box:cpu()  its process, and the CPU time it has used in seconds (Linux)
--- It always runs under lua5.4 and ends when this process does: its standard input is a pipe we hold.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local cqueues = require "cqueues"
local cqueues_socket = require "cqueues.socket"

local sandbox = {}

local here = debug.getinfo(1, "S").source:match "^@(.*)spec/support/sandbox%.lua$" or ""
if here == "" then here = "./" end

-- ---- a small HTTP client -----------------------------------------------------------------------

local function connect(host, port)
  local socket = assert(cqueues_socket.connect{ host = host, port = port, nodelay = true })
  socket:onerror(function(_, _, why) return why end)
  socket:setmode("b", "bn")
  socket:setmaxline(1024 * 1024)
  return socket
end

local function read_answer(socket, method, seconds)
  local deadline = cqueues.monotime() + seconds
  local function left() return math.max(0, deadline - cqueues.monotime()) end
  local line = socket:xread("*l", nil, left())
  local status = line and line:match "^HTTP/1%.[01] (%d%d%d)"
  if not status then return nil, line or "no answer" end
  local answer = { status = tonumber(status), headers = {}, list = {} }
  while true do
    line = socket:xread("*l", nil, left())
    if not line then return nil, "the headers break off", answer end
    line = line:gsub("\r$", "")
    if line == "" then break end
    local name, value = line:match "^([^:]+):%s*(.-)%s*$"
    name = name:lower()
    answer.headers[name] = answer.headers[name] or value
    answer.list[#answer.list + 1] = { name, value }
  end
  local length = tonumber(answer.headers["content-length"])
  if method == "HEAD" or answer.status == 204 then
    answer.body = ""
  elseif length then
    answer.body = length == 0 and "" or socket:xread(length, nil, left()) or ""
    if #answer.body < length then return nil, "the body breaks off", answer end
  else
    answer.body = socket:xread("*a", nil, left()) or ""
  end
  return answer
end

--- One request on a connection of its own.
---@param url string      http://host:port/path
---@param options? table  method, headers (name -> value), body (string, or table: JSON), seconds
---@return table? answer  status, headers (lower-case name -> first value), list, body, json
---@return string? why
function sandbox.fetch(url, options)
  options = options or {}
  local host, port, target = url:match "^http://([^:/]+):(%d+)(.*)$"
  local method = options.method or "GET"
  local body, headers = options.body, {}
  if type(body) == "table" then
    body = cjson.encode(body)
    headers["content-type"] = "application/json"
  end
  for name, value in pairs(options.headers or {}) do headers[name:lower()] = value end
  if body and not headers["content-length"] then headers["content-length"] = #body end
  local lines = { ("%s %s HTTP/1.1"):format(method, target == "" and "/" or target),
                  ("host: %s:%s"):format(host, port), "connection: close" }
  for name, value in pairs(headers) do
    if value then lines[#lines + 1] = ("%s: %s"):format(name, value) end
  end
  local socket = connect(host, port)
  socket:xwrite(table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or ""), nil, 10)
  local answer, why, partial = read_answer(socket, method, options.seconds or 20)
  socket:close()
  if not answer then return nil, why, partial end
  if (answer.headers["content-type"] or ""):find("json", 1, true) then
    local ok, value = pcall(cjson.decode, answer.body)
    answer.json = ok and value or nil
  end
  return answer
end

-- ---- the process -------------------------------------------------------------------------------

local box = {}
box.__index = box

local OPTIONS = { port = "--port", network = "--network", rails = "--rails", dialect = "--dialect",
                  job_seconds = "--job-seconds", upstream = "--upstream", upstream_model = "--upstream-model",
                  funds = "--funds", json_log = "--json-log", mining = "--mining", ether = "--ether" }
local FLAGS = { lenient = "--lenient", replay = "--replay" }

local function quoted(text) return "'" .. tostring(text):gsub("'", "'\\''") .. "'" end

local function command_line(options)
  local words = { "--quiet", "--until-eof", "--rate-limit", quoted(options.rate_limit or 0) }
  if not options.port then words[#words + 1] = "--port 0" end
  for name, word in pairs(OPTIONS) do
    if options[name] ~= nil then words[#words + 1] = word .. " " .. quoted(options[name]) end
  end
  for name, word in pairs(FLAGS) do
    if options[name] then words[#words + 1] = word end
  end
  for _, fault in ipairs(options.faults or {}) do words[#words + 1] = "--fault " .. quoted(fault) end
  for _, key in ipairs(options.api_keys or {}) do words[#words + 1] = "--api-key " .. quoted(key) end
  return table.concat(words, " ")
end

-- Lua 5.4 with the work tree's modules, whatever this process itself was given.
local function interpreter()
  local cpath = os.getenv "SPRAAY_SANDBOX_CPATH" or here .. "build/lua5.4/?.so;;"
  return ("LUA_PATH=%s LUA_CPATH=%s lua5.4 -e %s /dev/null sandbox"):format(
    quoted(here .. "lua/?.lua;" .. here .. "lua/?/init.lua;;"), quoted(cpath),
    quoted [[os.exit(require "spraay.cli".main(arg))]])
end

--- Start one.
---@param options? table  rate_limit (default 0: none), faults, rails, network, job_seconds, api_keys,
---                       lenient, replay, upstream, upstream_model, funds, json_log, port, mining, ether
---@return table box
function sandbox.start(options)
  options = options or {}
  local name = os.tmpname()
  local fifo = name .. ".ready"
  assert(os.execute("mkfifo " .. fifo))
  local process = io.popen(('exec >%s; echo "pid $$"; exec env %s %s')
    :format(fifo, interpreter(), command_line(options)), "w")
  local ready, values, pid = io.open(fifo), {}, nil
  for line in ready:lines() do
    pid = pid or line:match "^pid (%d+)$"
    local variable, value = line:match "^export ([%u_]+)='(.*)'$"
    if variable then values[variable] = value end
    if line == "# ready" then break end
  end
  ready:close()
  os.remove(fifo)
  os.remove(name)
  if not values.SPRAAY_GATEWAY then error("the sandbox did not start", 2) end
  return setmetatable({
    process = process, pid = pid, url = values.SPRAAY_GATEWAY, rpc = values.SPRAAY_BASE_RPC,
    key = values.SPRAAY_PRIVATE_KEY, address = values.SPRAAY_ADDRESS, solana_rpc = values.SPRAAY_SOLANA_RPC,
    solana_key = values.SPRAAY_SOLANA_KEY, solana_address = values.SPRAAY_SOLANA_ADDRESS,
  }, box)
end

--- End it. It is gone when this returns.
function box:stop()
  if not self.process then return end
  self.process:close()
  self.process = nil
end

--- Seconds of CPU time it has used so far: fields 14 and 15 of /proc/PID/stat, in hundredths; the
--- name before them may hold anything but ends with the last parenthesis.
---@return number
function box:cpu()
  local file = assert(io.open(("/proc/%s/stat"):format(self.pid)))
  local fields = file:read "*a":match "^.*%)(.*)$"
  file:close()
  local values = {}
  for value in fields:gmatch "%S+" do values[#values + 1] = tonumber(value) or 0 end
  return (values[12] + values[13]) / 100
end

--- Any request to it.
---@param method string
---@param path string
---@param options? table  as for sandbox.fetch
function box:request(method, path, options)
  local given = { method = method }
  for name, value in pairs(options or {}) do given[name] = value end
  return sandbox.fetch(self.url .. path, given)
end

-- A lever that must work.
local function lever(self, method, name, body)
  local answer, why = self:request(method, "/_sandbox/" .. name, { body = body })
  if not answer then error(("%s %s: %s"):format(method, name, tostring(why)), 3) end
  if answer.status ~= 200 then error(("%s %s: %s"):format(method, name, answer.body), 3) end
  return answer.json
end

--- The books: settled, count, total, total_usdc, balances, verified, handled, presented, requests.
function box:ledger() return lever(self, "GET", "ledger") end

--- Arm a fault. options: times, route, after, leg, and the fault's own.
function box:fault(name, options)
  local spec = { fault = name }
  for key, value in pairs(options or {}) do spec[key] = value end
  return lever(self, "POST", "faults", spec)
end

--- What is armed and what there is.
function box:faults() return lever(self, "GET", "faults") end

--- Disarm everything.
function box:clear() return lever(self, "DELETE", "faults") end

--- Give an address USDC, a decimal string.
function box:fund(address, amount, network)
  return lever(self, "POST", "fund", { address = address, amount = amount, network = network })
end

--- Set the clock's offset in seconds, or read the clock.
function box:clock(offset)
  if offset == nil then return lever(self, "GET", "clock") end
  return lever(self, "POST", "clock", { offset = offset })
end

--- Let seconds pass.
function box:advance(seconds) return lever(self, "POST", "clock", { advance = seconds }) end

--- Change settings: rate_limit, rate_limit_deposit, job_seconds, lenient, replay, rails, …
function box:config(settings) return lever(self, settings and "POST" or "GET", "config", settings) end

--- Void an authorization on chain, as its owner could.
function box:cancel(address, nonce)
  return lever(self, "POST", "cancel", { address = address, nonce = nonce })
end

--- Back to the beginning.
function box:reset() return lever(self, "POST", "reset", {}) end

--- The last requests the gateway saw: n, time, method, path, status, leg, fault, wire.
function box:requests() return lever(self, "GET", "requests").requests end

--- One JSON-RPC call to its chain.
---@return any result
---@return table? error
function box:chain(method, params)
  local answer = assert(self:request("POST", "/_sandbox/rpc", {
    body = { jsonrpc = "2.0", id = 1, method = method, params = params or {} },
  }))
  if not answer.json then return nil, { message = answer.body } end
  return answer.json.result, answer.json.error
end

return sandbox
