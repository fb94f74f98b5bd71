--- `spraay ledger reconcile | void | settle | trust | accept-price | claim`.
-- SPDX-License-Identifier: MIT
local client_of = require "spraay.client"
local core = require "spraay.core"
local errors = require "spraay.errors"
local json = require "spraay.json"
local ledger = require "spraay.ledger"
local money = require "spraay.money"
local networks = require "spraay.options.networks"
local options = require "spraay.options"
local print_ = require "spraay.cli.print"
local purchases = require "spraay.purchases"
local routes = require "spraay.routes"
local shared = require "spraay.cli.ledger.shared"
local wallets = require "spraay.wallet"

local acting = {}

function acting.reconcile(args)
  if not ledger.exists(args.path) then
    shared.nothing(args, { void = 0, paid_lost = 0, delivered = 0, open = 0, purchases = json.array {} })
    return 0
  end
  local from, wallet_err = shared.wallets_of(args)
  if not from then return shared.trouble_of(wallet_err) end
  local client, _, err = client_of.open { ledger = args.path, wallet = from, errors = "return" }
  if not client then return shared.trouble_of(err) end
  local done
  done, _, err = client:reconcile { timeout = args.timeout and args.timeout > 0 and args.timeout or nil }
  client:close()
  if not done then return shared.trouble_of(err) end
  if args.json then
    done.purchases = json.array(done.purchases)
    print_.json(done)
  elseif #done.purchases == 0 then
    print_.say("nothing is open")
  else
    for _, line in ipairs(done.purchases) do
      line.change = line.before == line.after and line.after or line.before .. " -> " .. line.after
    end
    print_.table({ { "purchase", "id" }, { "USDC", "amount", right = true }, { "state", "change" } }, done.purchases)
    for _, line in ipairs(done.purchases) do
      if line.hint then print_.say(line.id .. ": " .. line.hint) end
    end
  end
  return done.open > 0 and 5 or 0
end

-- ---- one's own word ---------------------------------------------------------------------------

local MEANS = {
  void = "It no longer counts against budget and per_day. Its nonce stays: if the same call pays again and this one "
    .. "did settle, USDC refuses the second.",
  void_chain = "It no longer counts against budget and per_day, and stands in no other's way. Its transactions may "
    .. "still be mined: do this only when the wallet used their nonce for something else.",
  void_solana = "It no longer counts against budget and per_day. If the same call pays again and this one did settle "
    .. "after all, it is paid twice unless an RPC says so first: nothing on Solana refuses the second.",
  settle = "It counts as spent, with its result lost. The same call says so instead of paying; { on_lost = \"repay\" } "
    .. "buys it again once the chain says that it was paid.",
}

local function close_by_hand(args, settled)
  local row, code = shared.row_of(args)
  if not row then return code end
  local _, wallet_err, key = shared.wallet_of(args, wallets.rail_of(row.network or ""))
  if not key then return shared.trouble_of(wallet_err) end
  local closed, _, err = ledger.ask(args.path, "close", { id = args.id, settled = settled, wallet = key })
  if not closed then return shared.trouble_of(err) end
  if args.json then
    print_.json { id = row.id, before = row.state, hand = settled and "settle" or "void",
      amount = money.format(row.atomic or "0") }
    return 0
  end
  print_.say(("%s (%s USDC) was %s and is %s, by your word."):format(row.id, money.format(row.atomic or "0"), row.state,
    settled and "settled" or "void"))
  local void = purchases.is_on_chain(row) and "void_chain"
    or wallets.rail_of(row.network or "") == "solana" and "void_solana" or "void"
  print_.say(MEANS[settled and "settle" or void])
  return 0
end

function acting.void(args) return close_by_hand(args, false) end
function acting.settle(args) return close_by_hand(args, true) end

function acting.trust(args)
  local origin, why = options.origin(args.origin:find("://", 1, true) and args.origin or "https://" .. args.origin)
  if not origin then return shared.trouble("ORIGIN " .. why) end
  if origin == options.PRODUCTION then
    return shared.trouble(("the receivers of %s are built in, and the ledger's word changes none: if it really has a "
      .. "new one, name it with pay_to = { %s } in spraay.open"):format(origin, errors.show(args.address)))
  end
  local network = networks[args.network] or args.network
  local rail = wallets.rail_of(network)
  if not network:match("^eip155:%d+$") and rail ~= "solana" then
    return shared.trouble("--network must be base, base-sepolia, solana, or a CAIP-2 id such as eip155:8453")
  end
  if rail == "evm" and (not args.address:match("^0[xX]%x+$") or #args.address ~= 42) then
    return shared.trouble("ADDRESS must be an EVM address, 0x and 40 hex digits")
  end
  if rail == "solana" and #(core.base58_decode(args.address) or "") ~= 32 then
    return shared.trouble("ADDRESS must be a Solana address")
  end
  local from, wallet_err, key = shared.wallet_of(args, rail)
  if not key then return shared.trouble_of(wallet_err) end
  local done, _, err = ledger.ask(args.path, "trust",
    { wallet = key, origin = origin, network = network, pay_to = args.address })
  if not done then return shared.trouble_of(err) end
  if args.json then
    print_.json { origin = origin, network = purchases.network_name(network), pay_to = args.address,
      payer = from:address() }
    return 0
  end
  print_.say(("%s is paid at %s on %s from now on, by %s."):format(origin, args.address,
    purchases.network_name(network), from:address()))
  print_.say("Any other receiver that it names is refused.")
  return 0
end

acting["accept-price"] = function(args)
  local route = routes.named(args.route)
  if not route or not route.price then
    local labels, known = {}, {}
    for name, one in pairs(routes.table) do
      if one.price then
        labels[#labels + 1] = routes.label(one)
        known[#known + 1], known[#known + 2] = name, labels[#labels]
      end
    end
    table.sort(labels)
    return shared.trouble(("no price is published for the route %s. %s"):format(errors.show(args.route),
      errors.meant(args.route, known, "Routes are " .. errors.list(labels))))
  end
  local atomic, why = money.atomic(args.price)
  if not atomic then return shared.trouble("PRICE " .. why) end
  local gateway = args.gateway or os.getenv("SPRAAY_GATEWAY")
  if gateway == nil or gateway == "" then gateway = options.PRODUCTION end
  local origin
  origin, why = options.origin(gateway)
  if not origin then return shared.trouble("--gateway " .. why) end
  local list, wallet_err = shared.all_wallets(args)
  if not list[1] then return shared.trouble_of(wallet_err) end
  local label, payers = routes.label(route), {}
  for i, one in ipairs(list) do   -- whichever of them pays
    local done, _, err = ledger.ask(args.path, "accept_price",
      { wallet = one.key, origin = origin, route = label, atomic = atomic })
    if not done then return shared.trouble_of(err) end
    payers[i] = one.address
  end
  if args.json then
    print_.json { origin = origin, route = label, price = money.format(atomic), payers = json.array(payers) }
    return 0
  end
  print_.say(("%s at %s may cost up to %s USDC, by %s; its published price is %s."):format(label, origin,
    money.short(atomic), errors.list(payers), money.short(route.price)))
  print_.say("per_call, per_day, budget and max still bound it.")
  return 0
end

-- ---- a claim ------------------------------------------------------------------------------------

function acting.claim(args)
  local row, code = shared.row_of(args)
  if not row then return code end
  if row.state ~= "paid_lost" then
    return shared.trouble(("%s is %s: a claim is for what was paid and lost"):format(row.id, row.state)
      .. (purchases.is_open(row) and "; `spraay ledger reconcile` asks the chain" or ""))
  end
  local shown = purchases.readable(row)
  print_.json {
    claim = "x402 payment settled, result not delivered", purchase = row.id, gateway = row.origin,
    request = { method = row.method, url = row.url }, payer = row.payer, pay_to = row.pay_to,
    amount = money.format(row.atomic or "0"), amount_atomic = row.atomic, asset = row.asset, network = row.network,
    nonce = not shown.memo and row.mark or nil, memo = shown.memo,
    transaction = row.transaction, presentations = row.sends,
    proof = row.hand == "settle" and "the payer's word" or "the chain, or the gateway's own receipt",
    times = { first_asked = print_.time(row.created), signed = row.signed_at and print_.time(row.signed_at) or nil,
      valid_before = row.valid_before and print_.time(row.valid_before) or nil },
    lost = row.note and print_.text(row.note) or nil,
  }
  return 0
end

return acting
