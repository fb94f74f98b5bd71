--- What the durable ledger costs: the same paid call with it and with `ledger = false`, taken in turns in
--- one run, and how long the steps of a loop last while many purchases are being recorded; on this disk, and on one
--- whose every sync takes 20 ms longer, which no step may wait for.
-- SPDX-License-Identifier: MIT
local cqueues = require "cqueues"
local server = require "spec.bench.server"
local spraay = require "spraay"

-- Run anew under a preloaded shim that makes syncs slow.
local SLOW_US, slow = 20000, arg[1] == "slow"

local ROUNDS, MOST_MS = 1500, 1.0
local IN_FLIGHT, MOST_STEP_MS = 64, 1.0

local place = os.tmpname()
local process, url = server.start()
local wallet = spraay.wallet.generate()

local function open(ledger)
  return assert(spraay.open { gateway = url, wallet = wallet, per_day = "100000", networks = { "base" },
    ledger = ledger })
end

local memory, disk = open(false), open(place)
local count = 0

local function pay(client)
  count = count + 1
  local start = cqueues.monotime()
  local result = assert(client:request("POST", "/0/x", { n = count }))
  local took = (cqueues.monotime() - start) * 1000
  assert(result.payment.status == "settled", result.payment.status)
  return took
end

local function at(list, part)
  return list[math.max(1, math.ceil(#list * part))]
end

local function show(name, value, unit, note)
  print(("%-44s %10.3f %-3s %s"):format(name, value, unit, note or ""))
end

-- ---- one call ----------------------------------------------------------------------

local function one()
  local with, without = {}, {}
  for _ = 1, 50 do pay(memory) pay(disk) end
  for i = 1, ROUNDS do
    without[i] = pay(memory)
    with[i] = pay(disk)
  end
  table.sort(with)
  table.sort(without)
  local added = at(with, 0.5) - at(without, 0.5)
  print(("%d paid calls each, in turns"):format(ROUNDS))
  show("  median without a ledger", at(without, 0.5), "ms", ("p99 %.3f"):format(at(without, 0.99)))
  show("  median with it, at full durability", at(with, 0.5), "ms", ("p99 %.3f"):format(at(with, 0.99)))
  show("  with / without", at(with, 0.5) / at(without, 0.5), "x")
  show("  what it adds", added, "ms", ("at most %.1f"):format(MOST_MS))
  return added <= MOST_MS
end

-- ---- the steps of a loop ------------------------------------------------------------

-- Milliseconds in which this thread wanted a processor and others had it: no step's doing.
local function queued()
  local file = io.open "/proc/thread-self/schedstat"
  if not file then return 0 end
  local ns = file:read("*l"):match "^%d+ (%d+)"
  file:close()
  return tonumber(ns) / 1e6
end

-- How long steps last while so many purchases are under way; the loop itself waits for nothing. A step takes one
-- transfer that has ended, so that what it does besides is not lost in that.
local function steps(client, calls)
  local engine = require "spraay.engine".get()
  local handle = require "spraay.call".core_client(client)
  local lengths, running, begun = {}, {}, 0
  while begun < calls or #running > 0 do
    while #running < IN_FLIGHT and begun < calls do
      begun, count = begun + 1, count + 1
      running[#running + 1] = assert(handle:call { method = "POST", url = url .. "/0/x", class = "repeat",
        headers = { { "Content-Type", "application/json" } }, body = ('{"n":%d}'):format(count) })
    end
    local others, start = queued(), cqueues.monotime()
    engine:step(0, 1)
    local took = (cqueues.monotime() - start) * 1000
    lengths[#lengths + 1] = math.max(0, took - (queued() - others))
    for i = #running, 1, -1 do
      local call = running[i]
      if call:state() == "done" then
        assert(call:result().ok)
        call:taken()
        call:close()
        table.remove(running, i)
      end
    end
    if lengths[#lengths] < 0.02 then engine:step(1) end   -- nothing to do: let others have the processor
  end
  table.sort(lengths)
  return lengths
end

local function loop()
  local calls = slow and 640 or 2000
  steps(memory, 200)
  steps(disk, 200)
  local without, with = steps(memory, calls), steps(disk, calls)
  print(("%d paid calls, %d at once%s: how long one step lasts"):format(calls, IN_FLIGHT,
    slow and (", every sync %d ms longer"):format(SLOW_US / 1000) or ""))
  for _, part in ipairs { 0.5, 0.99, 0.999, 1 } do
    show(("  p%g without a ledger"):format(part * 100), at(without, part), "ms")
    show(("  p%g with it"):format(part * 100), at(with, part), "ms")
  end
  local added = at(with, 0.999) - at(without, 0.999)
  show("  what it adds at p99.9", added, "ms", ("at most %.1f"):format(MOST_STEP_MS))
  return added <= MOST_STEP_MS
end

-- The same on a slow disk, in a process of its own.
local function slow_loop()
  local shim = (os.getenv "SPRAAY_SPEC_BUILD" or "build") .. "/spec/battery/shim.so"
  local file = io.open(shim)
  if not file then error(shim .. " is missing: `make bench` builds it", 0) end
  file:close()
  local pipe = io.popen(("exec env LD_PRELOAD=%s BATTERY_FOLDER=/tmp BATTERY_SYNC_US=%d %s %s slow"):format(
    shim, SLOW_US, arg[-1], arg[0]))
  for line in pipe:lines() do print(line) end
  return pipe:close() == true
end

if not slow then print(_VERSION) end
local good = slow or one()
good = loop() and good
if not slow then good = slow_loop() and good end
process:close()
memory:close()
disk:close()
os.execute("rm -rf " .. place .. "*")
if not good then
  print "over the limit"
  os.exit(1)
end
