-- SPDX-License-Identifier: MIT
--- The escrow dialect: credit lies in a contract, under the depositor's address. Deposit and refund are transactions
-- that the wallet signs and sends itself; balance and history are read from the chain and cost nothing.
--
-- What is signed is put together in the core from an amount and a pinned address. What the gateway would have
-- signed is asked for only with confirm = true, and then only compared: futures/compare.lua.
local call = require "spraay.call"
local compare = require "spraay.futures.compare"
local compat = require "spraay.compat"
local core = require "spraay.core"
local dialect = require "spraay.futures.dialect"
local engine = require "spraay.engine"
local errors = require "spraay.errors"
local events = require "spraay.evm.events"
local json = require "spraay.json"
local money = require "spraay.money"
local options = require "spraay.options"
local purchases = require "spraay.purchases"
local result = require "spraay.result"
local rpc = require "spraay.evm.rpc"
local sender = require "spraay.evm.sender"
local shared = require "spraay.futures.shared"
local tiers = require "spraay.futures.tiers"
local wei = require "spraay.evm.wei"
local wallets = require "spraay.wallet"

local escrow = {}

local exact = shared.exact

local DEPOSIT_GAS = 150000    -- what a deposit needs, before it can be estimated
local APPROVALS = 2           -- how often an allowance is given, where the first does not last
local PATIENCE = 10           -- how often a deposit that would be refused is looked at again, half a second apart

-- ---- where ---------------------------------------------------------------------------------------

--- The network and the contract of this client's escrow, or nil, message, err. What is built in is the contract of
-- gateway.spraay.app, and a sandbox's.
function escrow.place(client, where)
  local config = client.config
  for _, network in ipairs(config.core.networks) do
    local contract = config.escrow and config.escrow[network]
    if not contract and (config.production or config.loopback) then contract = core.evm_escrow(network) end
    if contract then return { network = network, contract = contract } end
  end
  return errors.usage(where .. ": no escrow contract is known for this gateway",
    "Name it with escrow = { base = \"0x…\" } in spraay.open, if you know that it is this gateway's", "contract")
end

--- Does the gateway name another contract than ours? Its credit would lie where nobody draws it.
function escrow.check_contract(client, body, where, payment)
  local place, _, err = escrow.place(client, where)
  if not place then
    err.paid, err.amount, err.purchase = call.paid_word(payment), payment.amount, payment.purchase
    return errors.fail(err)
  end
  local named = json.get(json.get(body, "contract"), "address")
  if type(named) ~= "string" or named:lower() == place.contract:lower() then return true end
  return errors.fail { kind = "policy", code = "contract", paid = call.paid_word(payment), amount = payment.amount,
    purchase = payment.purchase,
    message = ("%s: this gateway names the escrow %s, and %s is known; nothing was deposited"):format(where,
      errors.foreign(named, 60), place.contract),
    hint = "If the change is right, name the new one with escrow = in spraay.open" }
end

-- The same of what it has named before, in this process or in an earlier one; futures = "escrow" is the user's word.
local function named_before(client, place, where)
  local named = not client.config.futures and dialect.contract(client)
  if not named or named == place.contract:lower() then return true end
  return errors.fail { kind = "policy", code = "contract",
    message = ("%s: this gateway named the escrow %s, and %s is known; nothing was deposited"):format(where, named,
      place.contract),
    hint = "client.futures:pricing() asks what it names now. If the change is right, name the new one with escrow = "
      .. "in spraay.open" }
end

local function own_address(client)
  local wallet = wallets.on(client.config.wallets, "evm")
  return wallet and wallet:address() or nil
end

-- Is there a key here that could sign a transaction? What is asked of the gateway before is paid for.
local function can_sign(client, where)
  local wallet = wallets.on(client.config.wallets, "evm")
  if wallet and not wallet.sign then return true end
  return errors.fail { kind = "wallet", code = "missing",
    message = where .. ": it is a transaction that the wallet signs, and this client has no key for it",
    hint = "Open it with wallet = spraay.wallet.env(); keys elsewhere sign payments only" }
end

-- ---- deposit ---------------------------------------------------------------------------------------

local function latest_block(run)
  return run.node:number("eth_blockNumber", {})
end

local function reverted(run, name, data)
  local row = run:row(name, "reverted")
  local reason = run:revert_reason(row, data)
  return run:fail { kind = "gateway", code = "reverted", transaction = rpc.hex(row.hash),
    message = ("the transaction %s (%s) was mined and did nothing: %s"):format(rpc.hex(row.hash), name, reason),
    hint = "Nothing of it moved; call again when the reason is gone" }
end

local function too_little(run, has)
  return run:fail { kind = "wallet", code = "funds", amount = money.format(run.spec.amount),
    message = ("the wallet %s holds %s USDC on %s, and %s are to be deposited"):format(run.payer, money.short(has),
      purchases.network_name(run.spec.network), money.short(run.spec.amount)),
    hint = "Send it USDC, or deposit less" }
end

-- The value of a transaction that was mined, as it is kept and handed over.
local function settled_value(run, step)
  local row = run:row(step, "done")
  local receipt = run.receipt
  if not receipt or json.get(receipt, "transactionHash") ~= rpc.hex(row.hash) then
    local why
    receipt, why = run.node:call("eth_getTransactionReceipt", { rpc.hex(row.hash) })
    if type(receipt) ~= "table" then
      return run:unusable(why or { kind = "strange", message = "it shows no receipt any more" })
    end
  end
  run:count_earlier_gas()
  local amount, values = run:event_of(row, receipt)
  return { transaction = rpc.hex(row.hash), amount = amount or run.spec.amount, gas = run.spent,
    balance = values and values[3], depositor = run.payer, contract = run.contract, block = row.block }
end

-- The allowance is exactly what is deposited: nothing is left for anybody to take later.
local function approve(run, data, given)
  local has, why = run.node:contract(run.usdc, "balanceOf", { run.payer })
  if not has then return run:unusable(why) end
  if money.compare(has, run.spec.amount) < 0 then return too_little(run, has) end
  if given >= APPROVALS then
    return run:fail { kind = "gateway", code = "allowance",
      message = ("%d approvals did not last until the deposit: somebody else uses the allowance up, or the RPC is "
        .. "wrong about the wallet's nonce"):format(APPROVALS),
      hint = "See what else sends from this wallet, then call again" }
  end
  local fate, message, err = run:send("approve", run.usdc, data, DEPOSIT_GAS)
  if fate == false then
    return run:fail { kind = "gateway", code = "revert", message = "the approval would be refused: " .. message }
  end
  if fate == "reverted" then return reverted(run, "approve", data) end
  return fate, message, err
end

-- Would the deposit be refused although the allowance is there? Perhaps the node is behind its own blocks.
local function refused(run, reason, since)
  local newest = latest_block(run)
  local behind = not newest or newest <= since or reason:find("allowance", 1, true)
  if behind and run.node:left() > 1 and run.patience > 0 then
    run.patience = run.patience - 1
    if not run.node:pause(0.5) then return run:unusable { kind = "cancelled" } end
    return true
  end
  local has = run.node:contract(run.usdc, "balanceOf", { run.payer })
  if has and money.compare(has, run.spec.amount) < 0 then return too_little(run, has) end
  return run:fail { kind = "gateway", code = "revert", message = "the deposit would be refused: " .. reason,
    hint = "Nothing was deposited; call again when the reason is gone" }
end

local function deposit_steps(run)
  local approve_data = core.abi_call("approve", run.contract, run.spec.amount)
  local deposit_data = core.abi_call("deposit", run.spec.amount)
  local approvals, since = 0, 0
  run.patience = PATIENCE
  local fate, message, err = run:resume "deposit"
  if fate == nil and err then return nil, message, err end
  if fate == nil then
    local before
    before, message, err = run:resume "approve"
    if before == nil and err then return nil, message, err end
    if before == "reverted" then return reverted(run, "approve", approve_data) end
    if before == "done" then since = run:row("approve", "done").block end
  end
  while fate == nil do
    local allowance, why = run.node:contract(run.usdc, "allowance", { run.payer, run.contract })
    if not allowance then return run:unusable(why) end
    if money.compare(allowance, run.spec.amount) >= 0 then
      local reason
      fate, reason, err = run:send("deposit", run.contract, deposit_data)
      if fate == nil then return nil, reason, err end
      if fate == false then
        local again
        again, message, err = refused(run, reason, since)
        if not again then return nil, message, err end
        fate = nil
      end
    else
      local newest
      newest, why = latest_block(run)
      if not newest then return run:unusable(why) end
      if newest < since and not run.node:is_over() then   -- it has not seen the approval yet
        if not run.node:pause(0.5) then return run:unusable { kind = "cancelled" } end
      else
        local given
        given, message, err = approve(run, approve_data, approvals)
        if not given then return nil, message, err end
        approvals = approvals + 1
        local row = run:row("approve", "done")
        since = row and row.block or since
      end
    end
  end
  if fate == "gone" then return run:replaced(run:row("deposit", "open")) end
  if fate == "reverted" then return reverted(run, "deposit", deposit_data) end
  return settled_value(run, "deposit")
end

local function account_fields(client, run, value, place)
  local balance = value.balance or value.amount
  local tier = tiers.of(balance)
  local address = value.depositor or own_address(client)
  return { id = address, address = address, depositor = address, dialect = "escrow", contract = place.contract,
    network = place.network, payment = run:payment(value), deposited = money.format(value.amount),
    balance_at_deposit = money.format(balance), tier = tier.name, discount = tiers.words(tier),
    warning = tiers.warning(balance), transaction = value.transaction }
end

--- Deposit credit. `atomic` is checked. Returns the fields of an account, or nil, message, err.
function escrow.deposit(client, given, atomic, opts, where)
  if given.depositor ~= nil and not (shared.is_address(given.depositor)
    and given.depositor:lower() == tostring(own_address(client)):lower()) then
    return errors.usage(where .. ": in the escrow dialect the wallet deposits for itself; depositor cannot be another",
      "Leave depositor out", "depositor")
  end
  local place, message, err = escrow.place(client, where)
  if not place then return nil, message, err end
  local right
  right, message, err = named_before(client, place, where)
  if not right then return nil, message, err end
  if opts.max and money.compare(atomic, opts.max) > 0 then
    return errors.fail { kind = "policy", code = "over_max", amount = money.format(atomic),
      message = ("%s: %s USDC are more than max allows (%s)"):format(where, money.short(atomic), money.short(opts.max)),
      hint = "Raise max, or leave it out: the amount is written already" }
  end
  local compared, paid
  if given.confirm then
    local able
    able, message, err = can_sign(client, where)
    if not able then return nil, message, err end
    compared, paid, err = compare.deposit(client, place, atomic, opts, where)
    if not compared then return nil, paid, err end
  end
  local gas = client.config.gas
  local value, run
  value, run, err = sender.perform(client, { where = where, verb = "deposit", act = "deposit", network = place.network,
    contract = place.contract, amount = atomic, opts = opts, steps = deposit_steps,
    terms = { verb = where, amount = money.format(atomic), network = place.network,
      network_name = purchases.network_name(place.network), pay_to = place.contract,
      gas_max_eth = wei.ether(gas.cap) } })
  if value == nil then
    if not compared then return nil, run, err end
    compared:close()
    return errors.fail(shared.beside(err, paid, "what the gateway wrote out"))
  end
  local fields = account_fields(client, run, value, place)
  if compared then call.hand_over(compared) end
  run:taken()
  return fields
end

-- ---- looking -----------------------------------------------------------------------------------------

local function node_of(account, opts, where)
  local client = account.client
  local place, message, err = escrow.place(client, where)
  if not place then return nil, message, err end
  local by = engine.now() + (opts.total_ms or client.config.core.total_ms) / 1000
  local node, _, why = rpc.of(client, place.network, by, where)
  if not node then
    if where == "account:balance" then
      why.hint = why.hint .. "; { via = \"gateway\" } asks the gateway for 0.001 USDC"
    end
    return errors.fail(why)
  end
  local right, trouble = node:check_chain()
  if not right then return errors.fail(rpc.error(where, trouble)) end
  return node, place
end

local FIELDS = { "balance", "deposited", "totalDrawn", "totalRefunded", "jobCount", "tier", "discountBps" }

-- getAccount, as it is; or nil and the node's trouble.
local function read_account(node, contract, address)
  local values = compat.pack(node:contract(contract, "getAccount", { address }))
  if not values[1] then return nil, values[2] end
  local out = {}
  for i, name in ipairs(FIELDS) do out[name] = values[i] end
  return out
end

local function count_of(digits)
  return #digits <= 15 and compat.integer(tonumber(digits)) or nil
end

local function balance_over_gateway(account, opts, where)
  local answer, handle, err = shared.ask(account.client, "balance", nil, opts,
    "?address=" .. shared.escape(account.id), where, "escrow")
  if not answer then return nil, handle, err end
  call.hand_over(handle)
  local body = answer.body
  local told = dialect.learn(account.client, dialect.of(body), body)
  if told == "ledger" then return dialect.surprise(account.client, where, told, body, answer.payment) end
  local balance = exact(json.get(body, "balance"))
  return result.new { client = account.client, body = body, payment = answer.payment, dialect = "escrow",
    source = "gateway", balance = balance, deposited = exact(json.get(body, "deposited")),
    used = exact(json.get(body, "totalDrawn")), refunded = exact(json.get(body, "totalRefunded")),
    job_count = json.get(body, "jobCount"), warning = balance and tiers.warning(money.atomic(balance)),
    summary_ = ("%s: %s USDC left"):format(account.id, balance or "?") }
end

local VIA = { via = true }

--- What is left, from the contract; or from the gateway, { via = "gateway" }.
function escrow.balance(account, opts)
  local where = "account:balance"
  local checked, message, err = options.per_call(opts, where, VIA)
  if not checked then return nil, message, err end
  local via = checked.via
  if via ~= nil and via ~= "gateway" and via ~= "rpc" then
    return errors.usage(where .. ": via must be \"rpc\" or \"gateway\"", nil, "option")
  end
  if via == "gateway" then return balance_over_gateway(account, checked, where) end
  local node, place
  node, place, err = node_of(account, checked, where)
  if not node then return nil, place, err end
  local body, why = read_account(node, place.contract, account.id)
  if not body then return errors.fail(rpc.error(where, why)) end
  local tier = tiers.list[body.tier + 1] or tiers.of(body.balance)
  return result.new { client = account.client, body = body, payment = { status = "free" }, dialect = "escrow",
    source = "rpc", contract = place.contract, address = account.id,
    balance = money.format(body.balance), deposited = money.format(body.deposited),
    used = money.format(body.totalDrawn), refunded = money.format(body.totalRefunded),
    job_count = count_of(body.jobCount), tier = tier.name, discount = tiers.words(tier),
    discount_bps = count_of(body.discountBps), warning = tiers.warning(body.balance),
    summary_ = ("%s: %s USDC left"):format(account.id, money.format(body.balance)) }
end

--- The jobs that were drawn for, newest first, from the contract's events.
function escrow.history(account, limit, opts)
  local where = "account:history"
  local node, place, err = node_of(account, opts, where)
  if not node then return nil, place, err end
  local body, why = read_account(node, place.contract, account.id)
  if not body then return errors.fail(rpc.error(where, why)) end
  local found
  found, why = events.newest(node, { contract = place.contract, event = "DrawnDown", address = account.id,
    wanted = math.min(limit or 50, count_of(body.jobCount) or 50) })
  if not found then return errors.fail(rpc.error(where, why)) end
  local dated
  dated, why = events.date(node, found.list)
  if not dated then return errors.fail(rpc.error(where, why)) end
  local entries = {}
  for i, event in ipairs(found.list) do
    local charged, left = event.values[2], event.values[3]
    entries[i] = { charged = money.format(charged), balance_before = money.format(money.add(left, charged)),
      balance_after = money.format(left), job_number = count_of(event.values[4]), time = event.time,
      transaction = event.transaction, block = event.block }
  end
  return result.new { client = account.client, body = body, payment = { status = "free" }, dialect = "escrow",
    entries = entries, complete = found.complete, balance = money.format(body.balance),
    summary_ = ("%s: %d jobs"):format(account.id, #entries) }
end

-- ---- refund -------------------------------------------------------------------------------------------

local function refund_steps(run)
  local part = run.spec.act == "refund_part"
  local data = part and core.abi_call("refundPartial", run.spec.amount) or core.abi_call "refund"
  local fate, message, err = run:resume "refund"
  if fate == nil and err then return nil, message, err end
  if fate == nil then
    local account, why = read_account(run.node, run.contract, run.payer)
    if not account then return run:unusable(why) end
    if account.balance == "0" then
      return run:fail { kind = "gateway", code = "empty", message = "there is nothing left in the escrow to refund" }
    end
    if part and money.compare(account.balance, run.spec.amount) < 0 then
      return run:fail { kind = "usage", code = "amount",
        message = ("%s USDC are left in the escrow, less than %s"):format(money.short(account.balance),
          money.short(run.spec.amount)), hint = "Leave amount out to take all of it" }
    end
    local reason
    fate, reason, err = run:send("refund", run.contract, data)
    if fate == nil then return nil, reason, err end
    if fate == false then
      return run:fail { kind = "gateway", code = "revert", message = "the refund would be refused: " .. reason }
    end
  end
  if fate == "gone" then return run:replaced(run:row("refund", "open")) end
  if fate == "reverted" then return reverted(run, "refund", data) end
  return settled_value(run, "refund")
end

--- Take back what is left, or { amount = } of it, by a transaction of the wallet's own.
function escrow.refund(account, given, opts)
  local where, client = "account:refund", account.client
  local own = own_address(client)
  if given.depositor ~= nil then
    return errors.usage(where .. ": an escrow refunds the depositor only; leave depositor out", nil, "argument")
  end
  if not own then return errors.usage(where .. ": this client has no wallet", nil, "missing") end
  if own:lower() ~= account.id:lower() then
    return errors.usage(("%s: only %s can refund its escrow, and the wallet is %s"):format(where, account.id, own),
      "Open a client with the depositor's wallet", "depositor")
  end
  if given.confirm ~= nil and type(given.confirm) ~= "boolean" then
    return errors.usage(where .. ": confirm must be true or false", nil, "argument")
  end
  local atomic = "0"
  if given.amount ~= nil then
    local why
    atomic, why = money.atomic(given.amount)
    if not atomic then return errors.usage(where .. ": amount " .. why, nil, "amount") end
    if atomic == "0" then return errors.usage(where .. ": amount must be above 0", nil, "amount") end
  end
  local place, message, err = escrow.place(client, where)
  if not place then return nil, message, err end
  local compared, paid
  if given.confirm then
    if atomic ~= "0" then
      return errors.usage(where .. ": the gateway writes out whole refunds only", "Leave confirm or amount out",
        "argument")
    end
    local able
    able, message, err = can_sign(client, where)
    if not able then return nil, message, err end
    compared, paid, err = compare.refund(client, place, opts, where)
    if not compared then return nil, paid, err end
  end
  local value, run
  value, run, err = sender.perform(client, { where = where, verb = "refund",
    act = atomic == "0" and "refund" or "refund_part", network = place.network, contract = place.contract,
    amount = atomic, opts = opts, steps = refund_steps,
    terms = { verb = where, amount = "0.000000", network = place.network, refund = money.format(atomic),
      network_name = purchases.network_name(place.network), pay_to = place.contract,
      gas_max_eth = wei.ether(client.config.gas.cap) } })
  if value == nil then
    if not compared then return nil, run, err end
    compared:close()
    return errors.fail(shared.beside(err, paid, "what the gateway wrote out"))
  end
  local payment = run:payment(value)
  payment.status, payment.amount = run.restored and "restored" or "free", "0.000000"   -- but for gas
  local refunded = money.format(value.amount)
  local out = result.new { client = client, body = value, payment = payment, refunded = refunded, dialect = "escrow",
    transaction = value.transaction, balance = value.balance and money.format(value.balance),
    summary_ = ("%s: %s USDC refunded"):format(account.id, refunded) }
  if compared then call.hand_over(compared) end
  run:taken()
  return out
end

return escrow
