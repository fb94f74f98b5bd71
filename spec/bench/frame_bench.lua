--- What spraay.update(0.002) takes out of a game's frames while paid calls are under way, beside frames of the same
--- run in which nothing is. Plain HTTP: a TLS handshake is one piece of work, and counts in its frame. The frames
--- are a millisecond apart, not sixteen, so that more of them have something to do.
-- SPDX-License-Identifier: MIT
local cqueues = require "cqueues"
local server = require "spec.bench.server"
local spraay = require "spraay"

local FRAMES, AT_ONCE, DELAY_MS = 10000, 16, 50
local SECONDS, MOST_MS = 0.002, 4

local function show(name, value, unit, note)
  print(("%-44s %10.3f %-3s %s"):format(name, value, unit, note or ""))
end

local process, url = server.start()
local pipe = assert(io.popen "mktemp -d")
local folder = pipe:read "*l"
pipe:close()

-- Milliseconds that each update took, in order of size.
local function frames(n)
  local times = {}
  collectgarbage()
  for i = 1, n do
    local began = cqueues.monotime()
    assert(spraay.update(SECONDS))
    times[i] = (cqueues.monotime() - began) * 1000
    cqueues.poll(0.001)
  end
  table.sort(times)
  return function(part) return times[math.max(1, math.ceil(n * part))] end
end

local function measure(what, ledger)
  local client = assert(spraay.open { gateway = url, wallet = spraay.wallet.generate(), per_day = "1000",
    ledger = ledger, networks = { "base" } })
  local idle = frames(FRAMES / 10)
  local going, calls = true, 0
  for i = 1, AT_ONCE do
    spraay.spawn(function()
      spraay.sleep(i / AT_ONCE * DELAY_MS / 1000)   -- or all would come and go in the same frame
      while going do
        calls = calls + 1
        assert(client:request("POST", ("/%d/x"):format(DELAY_MS), { n = calls }))
      end
    end)
  end
  local busy = frames(FRAMES)
  going = false
  while spraay.update() > 0 do cqueues.poll(0.001) end
  client:close()

  print(("%d frames, %d paid calls at once, %s: %d calls"):format(FRAMES, AT_ONCE, what, calls))
  show("  an update, median", busy(0.5), "ms", ("idle: %.4f ms"):format(idle(0.5)))
  show("  p99", busy(0.99), "ms", ("at most %d; idle: %.4f ms"):format(MOST_MS, idle(0.99)))
  show("  the longest", busy(1), "ms", ("idle: %.4f ms"):format(idle(1)))
  show("  p99 / p99 of idle updates", busy(0.99) / idle(0.99), "x")
  return busy(0.99) <= MOST_MS
end

print(rawget(_G, "jit") and "LuaJIT" or _VERSION)
local good = measure("a ledger on disk", folder .. "/ledger.db")
good = measure("a ledger in memory", false) and good
process:close()
os.execute("rm -rf " .. folder)
if not good then os.exit(1) end
