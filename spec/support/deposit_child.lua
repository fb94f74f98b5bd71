-- SPDX-License-Identifier: MIT
-- A script that deposits, or refunds, and that is killed at its n-th step: a request to the node about to go
-- out, its answer read, an operation of the ledger about to begin, begun, or done.
--   GATEWAY RPC KEYFILE LEDGER [KILL_AT] [ACT] [AMOUNT] [FUTURES=ask] lua5.4 spec/support/deposit_child.lua
-- With FUTURES=ask the gateway is asked for its dialect first; calls of it, and what is learned, are steps then, too.
-- Prints what it came to, and how many steps there were.
local core = require "spraay.core"
local engine = require "spraay.engine"
local spraay = require "spraay"

local kill_at = tonumber(os.getenv "KILL_AT" or "")
local steps = 0

local function count()
  steps = steps + 1
  if steps == kill_at then
    os.execute("kill -9 " .. ("%d"):format(core.pid()))
    error "still alive"
  end
end

-- Count before a method of a class is called, and after.
local function watch(methods, name, after)
  local real = assert(methods[name], name)
  methods[name] = function(...)
    count()
    if not after then return real(...) end
    local a, b, c, d = real(...)
    count()
    return a, b, c, d
  end
end

watch(debug.getmetatable(engine.get()).__index, "fetch")
local transfer = engine.get():fetch { url = "http://127.0.0.1:1/", total_ms = 1 }
steps = 0
watch(debug.getmetatable(transfer).__index, "result")

local client = assert(spraay.open { gateway = os.getenv "GATEWAY", rpc = { base = os.getenv "RPC" },
  wallet = spraay.wallet.file(os.getenv "KEYFILE"), ledger = os.getenv "LEDGER", per_day = "1000",
  futures = os.getenv "FUTURES" ~= "ask" and "escrow" or nil,
  timeout = { connect = 2, idle = 5, total = 30 } })

-- The class of senders is made with the first one.
local handle = assert(require "spraay.call".core_client(client))
local sender = handle:evm { act = "deposit", network = "eip155:8453", amount = "1", gas_cap = "1" }
for _, name in ipairs { "claim", "reserve", "turn", "sign", "settle", "deliver", "void" } do
  watch(debug.getmetatable(sender).__index, name, true)
end
watch(debug.getmetatable(sender).__index, "result")
watch(debug.getmetatable(sender).__index, "taken", true)
sender:close()

-- So is the class of calls.
local function watch_calls()
  local methods = debug.getmetatable(handle).__index
  local real, seen = methods.call, false
  methods.call = function(...)
    count()
    local begun, why, code = real(...)
    if begun and not seen then
      seen = true
      local class = debug.getmetatable(begun).__index
      for _, name in ipairs { "result", "taken" } do watch(class, name, true) end
    end
    count()
    return begun, why, code
  end
  local ledger = core.ledger(engine.get(), os.getenv "LEDGER")
  watch(debug.getmetatable(ledger).__index, "ask", true)
  ledger:close()
end
if os.getenv "FUTURES" == "ask" then watch_calls() end

local value, message, err
if os.getenv "ACT" == "refund" then
  value, message, err = client.futures:account(assert(client:address())):refund { amount = os.getenv "AMOUNT" }
else
  value, message, err = client.futures:deposit { amount = os.getenv "AMOUNT" or "5" }
end
count()
print(value and "done" or "failed", value and value.payment.status or message, err and err.code or "",
  err and err.paid or "")
print("steps " .. steps)
os.exit(0)
