--- What the durable ledger costs: the same paid call with it and with `ledger = false`, taken in turns in
--- one run, and how long the steps of a loop last while many purchases are being recorded.
-- SPDX-License-Identifier: MIT
local cqueues = require "cqueues"
local server = require "spec.bench.server"
local spraay = require "spraay"

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

-- How long steps last while so many purchases are under way; the loop itself waits for nothing.
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
    local start = cqueues.monotime()
    engine:step(0)
    lengths[#lengths + 1] = (cqueues.monotime() - start) * 1000
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
  steps(memory, 200)
  steps(disk, 200)
  local without, with = steps(memory, 2000), steps(disk, 2000)
  print(("2000 paid calls, %d at once: how long one step lasts"):format(IN_FLIGHT))
  for _, part in ipairs { 0.5, 0.99, 0.999 } do
    show(("  p%g without a ledger"):format(part * 100), at(without, part), "ms")
    show(("  p%g with it"):format(part * 100), at(with, part), "ms")
  end
  local added = at(with, 0.999) - at(without, 0.999)
  show("  what it adds at p99.9", added, "ms", ("at most %.1f"):format(MOST_STEP_MS))
  return added <= MOST_STEP_MS
end

print(_VERSION)
local good = one()
good = loop() and good
process:close()
memory:close()
disk:close()
os.execute("rm -rf " .. place .. "*")
if not good then
  print "over the limit"
  os.exit(1)
end
