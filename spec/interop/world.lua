--- The world of the interop specs, from Lua: chains, shops and facilitator, run by `world.mjs`.
---   local world = require "spec.interop.world"
---   local payer = world.payer("somebody", { base = "5" })    a key of its own, with USDC
---   world.pull("proxy", { lose = 1 })                         a lever of the control door
---   world.row{ client = "spraay", server = "…", network = "base", version = 2, what = "…" }
--- Its address is in $SPRAAY_INTEROP, which `spec/interop/run` sets.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local live = require "spec.support.live"
local sandbox = require "spec.support.sandbox"
local spraay = require "spraay"

local path = os.getenv "SPRAAY_INTEROP"
if not path then error("start these with `make interop`: they need the world of spec/interop/run", 0) end
local file = assert(io.open(path))
local world = cjson.decode(file:read "*l")
file:close()

--- Pull a lever; its value, or an error with the stack of the other side.
function world.pull(name, arguments)
  local text = arguments and next(arguments) and cjson.encode(arguments) or "{}"
  local answer = assert(sandbox.fetch(world.control .. "/" .. name, { method = "POST", body = text, seconds = 60,
    headers = { ["content-type"] = "application/json" } }))
  if answer.status ~= 200 then error(answer.json and answer.json.error or answer.body, 2) end
  return answer.json.value
end

--- An account nobody else has: { key, address, keyfile, solana = { secret, address } }, with USDC as decimal
--- strings per network.
local count = 0
function world.payer(label, funds)
  count = count + 1
  local payer = world.pull("account", { label = ("%s %d %s"):format(label, count, path) })
  payer.keyfile = live.secret(payer.key .. "\n")
  for network, amount in pairs(funds or {}) do
    world.pull("fund", { network = network, address = network:match "^solana" and payer.solana.address
      or payer.address, amount = world.atomic(amount) })
  end
  return payer
end

--- "0.01" as atomic units of USDC.
function world.atomic(usdc)
  return (require "spraay.core".amount_to_atomic(usdc, 6))
end

function world.balance(payer, network)
  network = network or "base"
  return world.pull("balance", { network = network,
    address = network:match "^solana" and payer.solana.address or payer.address }).atomic
end

--- What an account really paid, in the chain's own words.
function world.paid(payer, network)
  return world.pull("paid", { network = network or "base", address = payer.address })
end

--- Our client, for a shop of this world.
function world.client(url, payer, more)
  local options = { gateway = url, wallet = spraay.wallet.file(payer.keyfile), ledger = false, per_day = "1000",
    networks = { "base", "base-sepolia" },
    rpc = { base = world.rpc.base, ["base-sepolia"] = world.rpc["base-sepolia"] },
    timeout = { connect = 2, idle = 20, total = 30 } }
  for name, value in pairs(more or {}) do options[name] = value end
  return assert(spraay.open(options))
end

--- What the chain says once every authorization has expired: client:reconcile, on the chain and by the clock of
--- some minutes later. Options are those of the client.
function world.reconciled_later(url, payer, more)
  local seconds = 600
  local options = { clock = function() return os.time() + seconds end }
  for name, value in pairs(more or {}) do options[name] = value end
  local id = world.pull("later", { network = "base", seconds = seconds })
  local client = world.client(url, payer, options)
  local found, message = client:reconcile()
  client:close()
  world.pull("back", { network = "base", id = id })
  return assert(found, message)
end

--- One line for the table at the end.
function world.row(row)
  local rows = assert(io.open(path .. ".rows", "a"))
  rows:write(cjson.encode(row), "\n")
  rows:close()
end

--- Say in the output why a spec is pending, which the tally alone does not tell: pending(world.because(why))
function world.because(why)
  world.row { pending = why }
  return why
end

return world
