--- The levers of the chain, under /_sandbox/: balances, blocks, fees, what waits to be mined, and the
--- books of everything that was ever sent.
---
--- GET /_sandbox/transactions shows them as
---
---   transactions  list, oldest first: n, hash, from, to, nonce, method ("approve", "deposit", …), amount
---                 (the call's last word, digits), spender or depositor (its first of two), status
---                 ("pending", "mined", "reverted", "replaced", "dropped"), replaced_by, block, gas, fee
---                 (wei, the bytes' fee included), broadcasts (how often it came in), time, raw
---   refusals      list of what was not taken: hash, from, nonce, error, time
---   senders       address -> next_nonce, pending_nonce, usdc, eth, allowance (to the escrow), deposits and
---                 refunds (mined ones), nonces (of mined ones), fees (wei)
---   escrow        accounts (address -> balance, deposited, drawn, refunded, jobs, tier), held (what the
---                 contract holds), depositors, operator; all amounts micro-USDC
---   sent          how many broadcasts came in, good or not
-- SPDX-License-Identifier: MIT
local abi = require "spraay.sandbox.evm.abi"
local crypto = require "spraay.sandbox.crypto"
local escrow = require "spraay.sandbox.evm.escrow"
local json = require "spraay.sandbox.json"
local money = require "spraay.sandbox.money"
local pool = require "spraay.sandbox.evm.pool"
local reorg = require "spraay.sandbox.evm.reorg"
local reply = require "spraay.sandbox.reply"
local u256 = require "spraay.sandbox.evm.u256"
local usdc = require "spraay.sandbox.evm.usdc"

local levers = {}

local function refuse(text) return reply.json(400, { error = text }) end
local function done(body) return reply.json(200, body or { ok = true }) end

local function shown(address) return crypto.address(crypto.unhex(address, 20)) end

local function sorted(list)
  table.sort(list)
  return list
end

-- ---- books -------------------------------------------------------------------------------------

local function call_of(chain, tx)
  local contract = chain.contracts[tx.to]
  local entry = contract and contract.functions[tx.data:sub(1, 4)]
  local values = entry and abi.decode(entry.types, tx.data:sub(5))
  if not values then return { method = #tx.data == 0 and "" or "0x" .. crypto.hex(tx.data:sub(1, 4)) } end
  local call = { method = entry.name }
  local last = values[#values]
  if entry.types[#values] == "uint256" then call.amount = u256.digits(last) end
  if #values == 2 and entry.types[1] == "address" then
    call[entry.name == "drawdown" and "depositor" or "spender"] = shown(values[1])
  end
  return call
end

local function line_of(chain, record)
  local tx, line = record.tx, call_of(chain, record.tx)
  line.n, line.hash, line.from, line.to = record.n, tx.hash, shown(tx.from), shown(tx.to)
  line.nonce, line.status, line.replaced_by = tx.nonce, record.status, record.replaced_by
  line.block, line.gas, line.fee = record.block, record.gas, record.fee and u256.digits(record.fee)
  line.broadcasts, line.time, line.value = record.broadcasts, record.time, u256.digits(tx.value)
  line.out_of_gas, line.raw = record.out_of_gas, tx.unsigned and "0x" .. crypto.hex(tx.raw)
  return line
end

local function sender_of(chain, address)
  return {
    next_nonce = chain.pool:nonce(address), pending_nonce = chain.pool:pending_nonce(address),
    usdc = tostring(chain:balance(address)), eth = u256.ether_text(chain:ether(address)),
    wei = u256.digits(chain:ether(address)),
    allowance = u256.digits(chain.state:get(usdc.allowance_name(address, escrow.ADDRESS)) or u256.ZERO),
    deposits = 0, refunds = 0, nonces = json.array(), fees = u256.ZERO,
  }
end

local COUNTED = { deposit = "deposits", refund = "refunds", refundPartial = "refunds" }

local function books_of(chain)
  local transactions, senders, refusals = json.array(), {}, json.array()
  for i, record in ipairs(chain.pool.history) do
    local line = line_of(chain, record)
    transactions[i] = line
    local sender = senders[line.from] or sender_of(chain, record.tx.from)
    senders[line.from] = sender
    if record.block then
      sender.nonces[#sender.nonces + 1] = line.nonce
      sender.fees = u256.add(sender.fees, record.fee)
      local counter = record.status == "mined" and COUNTED[line.method]
      if counter then sender[counter] = sender[counter] + 1 end
    end
  end
  for _, sender in pairs(senders) do
    sender.fees = u256.digits(sender.fees)
    sorted(sender.nonces)
  end
  for i, refusal in ipairs(chain.pool.refusals) do
    refusals[i] = { hash = refusal.hash, from = refusal.from and shown(refusal.from), nonce = refusal.nonce,
                    error = refusal.error, time = refusal.time }
  end
  local accounts = {}
  for address in chain.state:names(escrow.account_name "") do
    accounts[shown(address)] = chain.state:get(escrow.account_name(address))
  end
  return {
    transactions = transactions, senders = senders, refusals = refusals, sent = chain.pool.sent,
    escrow = { accounts = accounts, held = chain:balance(escrow.ADDRESS),
               depositors = chain.state:get(escrow.COUNT) or 0, operator = shown(chain.state:get(escrow.OPERATOR)) },
  }
end

levers["GET transactions"] = function(sandbox)
  sandbox.chain:tick()
  return done(books_of(sandbox.chain))
end

-- ---- accounts ----------------------------------------------------------------------------------

local function account_of(chain, address)
  local account = sender_of(chain, address:lower())
  account.deposits, account.refunds, account.nonces, account.fees = nil, nil, nil, nil
  account.address = shown(address:lower())
  account.escrow = chain.state:get(escrow.account_name(address:lower())) or json.null
  return account
end

levers["GET account"] = function(sandbox, request)
  local address = request.query.address
  if not crypto.parse_address(address) then return refuse "address: not an address" end
  return done(account_of(sandbox.chain, address))
end

--- address, and what it shall have: usdc and eth as decimal strings, allowance (of the escrow, or of
--- `spender`) as a decimal string of USDC or "max", nonce.
levers["POST account"] = function(sandbox, request)
  local body, chain = request.body, sandbox.chain
  if not crypto.parse_address(body.address) then return refuse "address: not an address" end
  local address, micro, wei, allowance = body.address:lower(), nil, nil, nil
  if body.usdc then
    micro = money.parse(body.usdc)
    if not micro then return refuse "usdc: a decimal string of USDC, at most six places" end
  end
  if body.eth then
    wei = u256.ether(body.eth)
    if not wei then return refuse "eth: a decimal string of ether" end
  end
  if body.allowance then
    local parsed = money.parse(body.allowance)
    allowance = body.allowance == "max" and u256.MAX or parsed and u256.of(parsed)
    if not allowance then return refuse "allowance: a decimal string of USDC, or max" end
  end
  if body.nonce and not (math.tointeger(body.nonce) and body.nonce >= 0) then return refuse "nonce: a number" end
  chain:tick()
  local block = chain:height()
  if micro then chain:set_balance(address, micro) end
  if wei then chain:set_ether(address, wei) end
  if allowance then
    local spender = type(body.spender) == "string" and body.spender:lower() or escrow.ADDRESS
    chain.state:put(usdc.allowance_name(address, spender), allowance, block)
  end
  if body.nonce then chain.state:put("nonce " .. address, math.tointeger(body.nonce), block) end
  return done(account_of(chain, address))
end

--- Somebody's doing that needs no signature of his: deposit (money from nowhere goes into the escrow for
--- `depositor`) or drawdown (the operator takes it).
levers["POST escrow"] = function(sandbox, request)
  local body, chain = request.body, sandbox.chain
  local micro = money.parse(body.deposit or body.drawdown)
  if not crypto.parse_address(body.depositor) then return refuse "depositor: not an address" end
  if not micro then return refuse "deposit or drawdown: a decimal string of USDC" end
  local depositor, hash, why = body.depositor:lower(), nil, nil
  if body.drawdown then
    hash, why = chain:drawdown(depositor, micro)
  else
    chain:deposit_for(depositor, micro)
  end
  if why then return refuse(why) end
  local account = account_of(chain, depositor)
  account.transaction = hash
  return done(account)
end

-- ---- blocks and fees ---------------------------------------------------------------------------

levers["POST mine"] = function(sandbox)
  return done{ mined = json.array(sandbox.chain.pool:mine()), block = sandbox.chain:height() }
end

--- hash: of one waiting transaction; none: all of them.
levers["POST drop"] = function(sandbox, request)
  sandbox.chain:tick()
  return done{ dropped = sandbox.chain.pool:drop(request.body.hash) }
end

--- hash: of a mined transaction, which leaves its block with all that were mined after it; drop: true, to
--- lose them instead of letting them wait again.
levers["POST reorg"] = function(sandbox, request)
  local unmade, why = reorg.unmake(sandbox.chain, request.body.hash, request.body.drop == true)
  if not unmade then return refuse(why) end
  return done{ unmade = json.array(unmade) }
end

local function chain_settings(chain)
  return { mining = chain.pool.mode, base_fee = u256.digits(chain:base_fee()), block = chain:height(),
           log_range = chain.log_range, l1_fee_per_byte = chain.l1_fee_per_byte,
           waiting = #chain.pool.waiting }
end

levers["GET chain"] = function(sandbox)
  sandbox.chain:tick()
  return done(chain_settings(sandbox.chain))
end

--- mining: "clock", "instant" or "manual"; base_fee: digits of wei; log_range: blocks eth_getLogs may
--- span, 0 for any number; l1_fee_per_byte: wei.
levers["POST chain"] = function(sandbox, request)
  local body, chain = request.body, sandbox.chain
  local base_fee = body.base_fee and u256.of(money.digits(tostring(body.base_fee)) or "")
  if body.mining and not pool.MODES[body.mining] then return refuse "mining: clock, instant or manual" end
  if body.base_fee and (not base_fee or base_fee == u256.ZERO) then return refuse "base_fee: digits of wei" end
  if base_fee then chain:set_base_fee(base_fee) end
  if body.mining then chain.pool:set_mode(body.mining) end
  if body.log_range then
    chain.log_range = body.log_range > 0 and math.tointeger(body.log_range) or nil
  end
  if body.l1_fee_per_byte then chain.l1_fee_per_byte = math.tointeger(body.l1_fee_per_byte) end
  return done(chain_settings(chain))
end

return levers
