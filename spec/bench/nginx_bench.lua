--- Paid calls inside one nginx worker: what the engine's ticker costs beside cosockets, and what others in the same
--- worker notice of it. Ratios and differences of one run.
-- SPDX-License-Identifier: MIT
local cqueues = require "cqueues"
local nginx = require "spec.support.nginx"
local server = require "spec.bench.server"

local missing = nginx.missing()
if missing then
  print("nginx: not measured, " .. missing)
  return
end

local AT_ONCE, EACH, DELAY_MS = 32, 12, 50
local MOST_ADDED_MS, MOST_PING_RATIO = 10, 3

local function show(name, value, unit, note)
  print(("%-44s %10.2f %-3s %s"):format(name, value, unit, note or ""))
end

local process, url = server.start()

local pipe = assert(io.popen "mktemp -d")
local folder = pipe:read "*l"
pipe:close()

local host = nginx.start {
  workers = 1,
  env = { GATEWAY = url },
  http = [[
    init_by_lua_block {
      spraay = require "spraay"
      local cosocket = require "spraay.transports.cosocket"
      clients = {}
      for mode, transport in pairs { engine = false, cosocket = cosocket.new() } do
        for where, ledger in pairs { memory = false, disk = "]] .. folder .. [[/ledger.db" } do
          clients[mode .. " " .. where] = assert(spraay.open { gateway = os.getenv "GATEWAY", per_day = "1000",
            wallet = spraay.wallet.generate(), ledger = ledger, networks = { "base" }, transport = transport or nil })
        end
      end
    }
  ]],
  locations = [[
    location /load {
      content_by_lua_block {
        local client, at_once, each = clients[ngx.unescape_uri(ngx.var.arg_of)], tonumber(ngx.var.arg_at_once),
          tonumber(ngx.var.arg_each)
        local times, threads = {}, {}
        for i = 1, at_once do
          threads[i] = ngx.thread.spawn(function()
            ngx.sleep(i / at_once * ]] .. DELAY_MS / 1000 .. [[)   -- or all would come and go at the same moment
            for j = 1, each do
              ngx.update_time()
              local began = ngx.now()
              local result = assert(client:request("POST", "/]] .. DELAY_MS .. [[/x", { n = i * 1000 + j, at = began }))
              assert(result.payment.status == "settled")
              ngx.update_time()
              times[#times + 1] = ngx.now() - began
            end
          end)
        end
        for i = 1, at_once do assert(ngx.thread.wait(threads[i])) end
        table.sort(times)
        ngx.print(times[math.ceil(#times / 2)] * 1000, " ", times[math.ceil(#times * 0.99)] * 1000)
      }
    }
  ]],
}

-- CPU time the worker has used so far, in ms.
local function cpu()
  local file = assert(io.open(("/proc/%s/stat"):format(host:workers()[1])))
  local values = {}
  for value in file:read "*a":match "^.*%)(.*)$":gmatch "%S+" do values[#values + 1] = tonumber(value) or 0 end
  file:close()
  return (values[12] + values[13]) * 10
end

-- Pings, one after the other, until `done` says so: their p99 in ms.
local function pings(done)
  local times = {}
  repeat
    local began = cqueues.monotime()
    assert(host:get("/ping").status == 200)
    times[#times + 1] = cqueues.monotime() - began
    cqueues.sleep(0.002)
  until done(#times)
  table.sort(times)
  return times[math.ceil(#times * 0.99)] * 1000, #times
end

-- Median and p99 of paid calls, p99 of the pings beside them, and CPU time of a call with its share of those.
local function load(of, at_once, each)
  local median, worst, ping
  local before = cpu()
  local loop, over = cqueues.new(), false
  loop:wrap(function()
    local answer = assert(host:get(("/load?of=%s&at_once=%d&each=%d"):format(of:gsub(" ", "%%20"), at_once, each),
      { seconds = 60 }))
    assert(answer.status == 200, host:log())
    median, worst = answer.body:match "^(%S+) (%S+)$"
    over = true
  end)
  loop:wrap(function() ping = pings(function() return over end) end)
  assert(loop:loop())
  return tonumber(median), tonumber(worst), ping, (cpu() - before) / at_once / each
end

local fine = true
for _, of in ipairs { "cosocket memory", "engine memory", "cosocket disk", "engine disk" } do load(of, AT_ONCE, 1) end
local idle
local loop = cqueues.new()
loop:wrap(function() idle = pings(function(n) return n >= 400 end) end)
assert(loop:loop())
show("/ping, p99, nothing else", idle, "ms")
for _, where in ipairs { "memory", "disk" } do
  local base, base_worst, base_ping, base_cpu = load("cosocket " .. where, AT_ONCE, EACH)
  local median, worst, ping, used = load("engine " .. where, AT_ONCE, EACH)
  show(("cosockets, %d at once, ledger on %s: median"):format(AT_ONCE, where), base, "ms",
    ("p99 %.1f, %.2f ms of CPU"):format(base_worst, base_cpu))
  show(("engine, %d at once, ledger on %s: median"):format(AT_ONCE, where), median, "ms",
    ("p99 %.1f, %.2f ms of CPU; %+.1f ms at the median, %d allowed"):format(worst, used, median - base, MOST_ADDED_MS))
  show("  /ping beside it, p99", ping, "ms", ("%.1f times idle, %d allowed; beside cosockets %.1f"):format(
    ping / idle, MOST_PING_RATIO, base_ping / idle))
  -- On a busy machine pings wait for it, not for us: then cosockets are the measure.
  fine = fine and median - base <= MOST_ADDED_MS and ping <= math.max(MOST_PING_RATIO * idle, base_ping)
end
show("engine, one at a time: median", (load("engine memory", 1, 20)), "ms",
  ("cosockets %.2f"):format((load("cosocket memory", 1, 20))))

host:stop()
process:close()
os.execute("rm -rf " .. folder)
os.exit(fine)
