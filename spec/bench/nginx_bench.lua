--- Paid calls inside nginx with four workers: what the engine's ticker costs beside cosockets, and what others whom
--- the same workers serve notice of it. Rounds interleave what is compared; every figure is the median of its rounds,
--- every ratio that of the ratios inside a round.
-- SPDX-License-Identifier: MIT
local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local WORKERS, AT_ONCE, DELAY_MS = 4, 32, 50
local ROUNDS, SECONDS = 7, 1.5
local PING_MS = 8   -- between two pings of one worker
local MOST_ADDED_MS, MOST_PING_RATIO, MOST_PLAIN_RATIO = 10, 3, 2

-- ---- connections, so many to each worker ---------------------------------------------

local function get(conn, path)
  conn:write("GET ", path, " HTTP/1.1\r\nHost: bench\r\n\r\n")
  local length
  local status = conn:read "*l"
  if not status then return nil end
  for line in conn:lines "*l" do
    line = line:gsub("\r$", "")
    if line == "" then break end
    length = tonumber(line:match "^[Cc]ontent%-[Ll]ength: (%d+)$") or length
  end
  return status:match "%d%d%d", conn:read(length or 0)
end

-- Kept connections to a port: `each` to every worker.
local function connect(port, each)
  local list, to = {}, {}
  for _ = 1, 5000 do
    if #list == each * WORKERS then return list end
    local conn = assert(socket.connect("127.0.0.1", port))
    conn:setmode("b", "bn")
    local _, pid = get(conn, "/pid")
    to[pid] = to[pid] or 0
    if to[pid] < each then
      to[pid], list[#list + 1] = to[pid] + 1, conn
    else
      conn:close()
    end
  end
  error "not every worker accepts connections"
end

local function percentile(times, share)
  table.sort(times)
  return times[math.max(1, math.ceil(#times * share))]
end

-- ---- the load: a process of its own, that the pings need not share one -----------------

if (...) == "load" then
  local _, port, path, at_once, seconds = ...
  local conns, times = connect(tonumber(port), math.max(1, math.floor(at_once / WORKERS))), {}
  local loop, until_ = cqueues.new(), nil
  for i = 1, tonumber(at_once) do
    loop:wrap(function()
      cqueues.sleep(i / at_once * DELAY_MS / 1000)   -- or all would come and go at the same moment
      repeat
        local began = cqueues.monotime()
        local status, body = get(conns[i], path)
        assert(status == "200", body or "the connection was closed")
        times[#times + 1] = (cqueues.monotime() - began) * 1000
      until cqueues.monotime() > until_
    end)
  end
  print "begins"
  io.stdout:flush()
  until_ = cqueues.monotime() + tonumber(seconds)
  assert(loop:loop())
  print(percentile(times, 0.5), percentile(times, 0.99), #times)
  return
end

-- ---- nginx, a gateway behind it -----------------------------------------------------------

local nginx = require "spec.support.nginx"
local server = require "spec.bench.server"

local missing = nginx.missing()
if missing then
  print("nginx: not measured, " .. missing)
  return
end

-- What would be other machines stands back: pings and workers wait for each other, not for these.
local BACK = "nice -n 10"
local process, url = server.start(BACK)

local pipe = assert(io.popen "mktemp -d")
local folder = pipe:read "*l"
pipe:close()

local host = nginx.start {
  workers = WORKERS,
  env = { GATEWAY = url },
  http = [[
    keepalive_requests 1000000;
    init_by_lua_block {
      spraay = require "spraay"
      local cosocket = require "spraay.transports.cosocket"
      carry = cosocket.new()
      clients = {}
      for mode, transport in pairs { engine = false, cosocket = carry } do
        for where, ledger in pairs { memory = false, disk = "]] .. folder .. [[/ledger.db" } do
          clients[mode .. "_" .. where] = assert(spraay.open { gateway = os.getenv "GATEWAY", per_day = "100000",
            wallet = spraay.wallet.generate(), ledger = ledger, networks = { "base" }, transport = transport or nil })
        end
      end
      payment = ngx.encode_base64(('{"from":"0x%s","pad":"%s"}'):format(("5a"):rep(20), ("x"):rep(2400)))
      function reply(text)
        ngx.header.content_length = #text
        ngx.print(text)
      end
      count = 0
    }
  ]],
  locations = [[
    location /pid { return 200 $pid; }
    location /plain {   # the two requests alone: no offer is read, nothing is signed and nothing remembered
      content_by_lua_block {
        local request = { method = "POST", url = os.getenv "GATEWAY" .. "/]] .. DELAY_MS .. [[/x",
          headers = { ["Content-Type"] = "application/json" }, body = '{"n":1}' }
        assert(assert(carry(request)).status == 402)
        request.headers["PAYMENT-SIGNATURE"], request.fresh = payment, true   -- as a payment for this route travels
        local answer = assert(carry(request))
        assert(answer.status == 200)
        reply(answer.body)
      }
    }
    location ~ ^/paid/(\w+)$ {
      content_by_lua_block {
        count = count + 1
        local result = assert(clients[ngx.var[1] ]:request("POST", "/]] .. DELAY_MS .. [[/x",
          { n = count, by = ngx.worker.pid() }))
        assert(result.payment.status == "settled")
        reply "done"
      }
    }
  ]],
}

-- CPU time the workers have used so far, in ms.
local function cpu()
  local sum = 0
  for _, pid in ipairs(host:workers()) do
    local file = assert(io.open(("/proc/%s/stat"):format(pid)))
    local values = {}
    for value in file:read "*a":match "^.*%)(.*)$":gmatch "%S+" do values[#values + 1] = tonumber(value) or 0 end
    file:close()
    sum = sum + (values[12] + values[13]) * 10
  end
  return sum
end

-- Every worker is pinged on a connection of its own. A ping that took longer than the time between two stands for
-- those too that would have been sent meanwhile. Returns the p99 in ms.
local pingers = connect(host.port, 1)

local function pings(seconds)
  local times, loop, over = {}, cqueues.new(), cqueues.monotime() + seconds
  for i, conn in ipairs(pingers) do
    loop:wrap(function()
      cqueues.sleep(i / WORKERS * PING_MS / 1000)
      repeat
        local began = cqueues.monotime()
        assert(get(conn, "/ping") == "200")
        local took = (cqueues.monotime() - began) * 1000
        for late = took, 0, -PING_MS do times[#times + 1] = late end
        cqueues.sleep((PING_MS - took % PING_MS) / 1000)
      until cqueues.monotime() > over
    end)
  end
  assert(loop:loop())
  return percentile(times, 0.99)
end

-- { median =, p99 =, ping =, cpu = } of one path, in ms.
local function load(path, at_once, seconds)
  local stream = assert(io.popen(("exec %s lua5.4 spec/bench/nginx_bench.lua load %d %s %d %s"):format(BACK, host.port,
    path, at_once, seconds)))
  assert(stream:read "*l" == "begins", "there is no load")
  local before = cpu()
  local ping = pings(seconds)
  local median, p99, n = stream:read("*n", "*n", "*n")
  assert(stream:close() and n, "the load failed:\n" .. host:log())
  return { median = median, p99 = p99, ping = ping, cpu = (cpu() - before) / n, rate = n / seconds }
end

local function median(rounds, value)
  local list = {}
  for i, round in ipairs(rounds) do list[i] = value(round) end
  return percentile(list, 0.5)
end

local PLAIN, NAMES = "/plain", { memory = "in memory", disk = "on disk" }
local PATHS = { PLAIN, "/paid/cosocket_memory", "/paid/engine_memory", "/paid/cosocket_disk", "/paid/engine_disk" }
for _, path in ipairs(PATHS) do load(path, AT_ONCE, 0.2) end
local rounds = {}   -- what was measured, by path
for i = 1, ROUNDS do
  rounds[i] = {}
  rounds[i].idle = { ping = pings(SECONDS) }
  for _, path in ipairs(PATHS) do rounds[i][path] = load(path, AT_ONCE, SECONDS) end
end
local single = {}
for i = 1, 3 do
  single[i] = { cosocket = load("/paid/cosocket_memory", 1, SECONDS), engine = load("/paid/engine_memory", 1, SECONDS) }
end
local fine = true

local function show(name, value, note)
  print(("  %-44s %8.2f ms  %s"):format(name, value, note or ""))
end

-- The figures of one path; with `base`, also what it adds to that one's.
local function report(title, path, base)
  local function of(name) return median(rounds, function(r) return r[path][name] end) end
  local note = ("p99 %.1f, %.2f ms of CPU a call, %.0f calls/s"):format(of "p99", of "cpu", of "rate")
  if base then
    local added = median(rounds, function(r) return r[path].median - r[base].median end)
    note = ("%s; %+.1f ms, %d allowed"):format(note, added, MOST_ADDED_MS)
    fine = fine and added <= MOST_ADDED_MS
  end
  show(title .. ", median", of "median", note)
  local idle = median(rounds, function(r) return r[path].ping / r.idle.ping end)
  local plain = median(rounds, function(r) return r[path].ping / r[PLAIN].ping end)
  show("  /ping beside it, p99", of "ping", ("%.1f times idle, %.1f times that beside the bare requests"):format(idle,
    plain))
  -- Where the bare requests alone cost the pings that much, they are the measure.
  if base then fine = fine and (idle <= MOST_PING_RATIO or plain <= MOST_PLAIN_RATIO) end
end

print(("nginx with %d workers, %d paid calls at once, each request answered after %d ms; %d rounds"):format(WORKERS,
  AT_ONCE, DELAY_MS, ROUNDS))
show("/ping, p99, nothing else", median(rounds, function(r) return r.idle.ping end))
report("the two requests alone, on cosockets", PLAIN)
for _, where in ipairs { "memory", "disk" } do
  report(("cosocket transport, ledger %s"):format(NAMES[where]), "/paid/cosocket_" .. where)
  report(("engine, ledger %s"):format(NAMES[where]), "/paid/engine_" .. where, "/paid/cosocket_" .. where)
end
print(("  /ping passes at %d times idle, or %.1f times that beside the bare requests"):format(MOST_PING_RATIO,
  MOST_PLAIN_RATIO))
local one = median(single, function(r) return r.engine.median - r.cosocket.median end)
show("engine, one at a time, median", median(single, function(r) return r.engine.median end),
  ("%+.1f ms to cosockets"):format(one))

host:stop()
process:close()
os.execute("rm -rf " .. folder)
os.exit(fine)
