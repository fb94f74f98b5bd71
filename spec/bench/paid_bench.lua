--- What paying costs beside the network. Every figure is a ratio to something measured in the same
--- run: many calls at once to the time the server makes them wait, one paid call to the same two
--- requests without our client, one payment to its signature.
-- SPDX-License-Identifier: MIT
local bench = require "spec.bench.bench"
local core = require "spraay.core"
local server = require "spec.bench.server"
local spraay = require "spraay"

local CALLS, AT_ONCE, DELAY_MS = 400, 100, 200
local MOST_RATIO, MOST_MB = 1.3, 64

-- Most memory this process has held so far, in MB; nil where the system does not tell.
local function peak_mb()
  local file = io.open "/proc/self/status"
  local kb = file and file:read "*a":match "VmHWM:%s*(%d+)"
  if file then file:close() end
  return kb and kb / 1024
end

local function show(name, value, unit, note)
  print(("%-44s %10.2f %-3s %s"):format(name, value, unit, note or ""))
end

local process, url = server.start()
local wallet = spraay.wallet.generate()
local client = assert(spraay.open { gateway = url, wallet = wallet, per_day = "100", ledger = false,
  networks = { "base" } })

local count = 0
local function pay(delay_ms)
  count = count + 1
  local result = assert(client:request("POST", ("/%d/x"):format(delay_ms), { n = count }))
  assert(result.payment.status == "settled", result.payment.status)
  return result
end

-- ---- many at once ----------------------------------------------------------------

local function many()
  local list = {}
  for i = 1, CALLS do list[i] = i end
  local start, cpu = core.mono_ms(), os.clock()
  local results, errors = spraay.map(list, { limit = AT_ONCE }, function() return pay(DELAY_MS) end)
  local took, used = core.mono_ms() - start, os.clock() - cpu
  for i = 1, CALLS do assert(results[i], errors[i]) end

  local ideal = CALLS / AT_ONCE * 2 * DELAY_MS
  local peak = peak_mb()
  print(("%d paid calls, %d at once, each request answered after %d ms"):format(CALLS, AT_ONCE, DELAY_MS))
  show("  time / what the server makes them wait", took / ideal, "x",
    ("%d ms; at most %.1f"):format(took, MOST_RATIO))
  show("  processor time a call", used / CALLS * 1e6, "us")
  if peak then show("  most memory held", peak, "MB", ("at most %d"):format(MOST_MB)) end
  return took / ideal <= MOST_RATIO and (not peak or peak < MOST_MB)
end

-- ---- one, and the same requests bare --------------------------------------------------

local engine = core.engine()

local function fetch(headers)
  local transfer = assert(engine:fetch { method = "POST", url = url .. "/0/x", headers = headers, body = '{"n":1}' })
  while not transfer:done() do engine:step(1000) end
  return assert(transfer:result())
end

-- Milliseconds and processor microseconds of one call, the best of some rounds.
local function best(fn)
  local wall, cpu = math.huge, math.huge
  for _ = 1, 5 do
    collectgarbage()
    local start, used = core.mono_ms(), os.clock()
    for _ = 1, 100 do fn() end
    wall = math.min(wall, (core.mono_ms() - start) / 100)
    cpu = math.min(cpu, (os.clock() - used) / 100 * 1e6)
  end
  return wall, cpu
end

local POLICY = { max = "0.01", networks = { "base" } }

local function one()
  local json = { "Content-Type", "application/json" }
  local asked = fetch { json }
  local name, value = spraay.x402.pay(assert(spraay.x402.read(asked.status, asked.headers, asked.body)), wallet,
    POLICY)
  local paid = { json, { name, value } }
  local bare_ms, bare_us = best(function()
    assert(fetch({ json }).status == 402)
    assert(fetch(paid).status == 200)
  end)
  local paid_ms, paid_us = best(function() pay(0) end)
  print "one paid call, and the same two requests bare"
  show("  time / bare", paid_ms / bare_ms, "x", ("%.2f ms and %.2f ms"):format(paid_ms, bare_ms))
  show("  processor time / bare", paid_us / bare_us, "x", ("%.0f us and %.0f us"):format(paid_us, bare_us))
  return asked
end

-- ---- no network at all --------------------------------------------------------------------

local function micro(asked)
  local key = assert(wallet:key())
  local offer = assert(core.x402_read(asked.status, asked.headers, asked.body))
  local policy = { networks = { "base" }, payer = key:address(), max = "10000", origin = url }
  local prepared = assert(core.x402_prepare(offer, policy))
  local _, header = core.x402_finish(prepared, key)
  local signature = core.hex_decode((assert(core.base64_decode(header)):match '"signature":"0x(%x+)"'))

  print "no network"
  local with = bench.run("  a payment from its terms, signed", function()
    assert(core.x402_finish(prepared, key))
  end)
  local without = bench.run("  the same, the signature given and checked", function()
    assert(core.x402_finish(prepared, signature))
  end)
  local sign = with - without
  show("  a signature: the difference", sign, "us")
  local whole = bench.run("  from the 402 to the payment", function()
    local read = core.x402_read(asked.status, asked.headers, asked.body)
    assert(core.x402_finish(assert(core.x402_prepare(read, policy)), key))
  end)
  show("  402 to payment / signature", whole / sign, "x")
  local ok = { ["payment-response"] = core.base64_encode(
    ('{"success":true,"transaction":"0x%s","network":"eip155:8453","payer":"%s"}'):format(("5a"):rep(32),
    key:address())) }
  local call = bench.run("  a whole purchase, by a session", function()
    count = count + 1
    local session = assert(spraay.x402.session(client, { method = "POST", url = url .. "/s", body = tostring(count) }))
    assert(session:step() == "send")
    assert(session:step(402, asked.headers, asked.body) == "send")
    assert(session:step(200, ok, "{}") == "done")
  end)
  show("  a whole purchase / signature", call / sign, "x")
end

print(_VERSION)
local good = many()
micro(one())
process:close()
if not good then
  print "slower or larger than it must be"
  os.exit(1)
end
