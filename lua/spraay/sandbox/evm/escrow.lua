--- The escrow of the compute futures: depositors put USDC in, the operator draws it down job by job, and
--- what is left goes back to the depositor and nobody else. The tier follows the balance at every
--- change, not what was deposited.
--- The interface is that of SpraayComputeFutures on Base, 0xaF4e43d512C73c6731769620ca6b73f0FCFF9118.
-- SPDX-License-Identifier: MIT
local abi = require "spraay.sandbox.evm.abi"
local u256 = require "spraay.sandbox.evm.u256"
local usdc = require "spraay.sandbox.evm.usdc"

local escrow = {}

escrow.ADDRESS = "0xaf4e43d512c73c6731769620ca6b73f0fcff9118"

escrow.TIERS = {                     -- by number from 0; micro-USDC, hundredths of a percent
  [0] = { name = "starter", from = 0, discount = 0 },
  { name = "builder", from = 10000000, discount = 500 },
  { name = "scale", from = 50000000, discount = 1000 },
  { name = "enterprise", from = 200000000, discount = 1500 },
}
local TIERS = escrow.TIERS

escrow.TOPICS = {
  deposited = abi.topic "Deposited(address,uint256,uint256,uint8)",
  drawn = abi.topic "DrawnDown(address,uint256,uint256,uint256)",
  refunded = abi.topic "Refunded(address,uint256,uint256)",
  operator_started = abi.topic "OperatorTransferStarted(address,address)",
  operator_changed = abi.topic "OperatorTransferred(address,address)",
}
local TOPICS, topic_of = escrow.TOPICS, usdc.topic_of

local NOBODY = "0x" .. ("00"):rep(20)
local EMPTY = { deposited = 0, balance = 0, drawn = 0, refunded = 0, jobs = 0, tier = 0 }

--- Names under which the contract's state is kept.
function escrow.account_name(depositor) return "escrow account " .. depositor end
local COUNT, OPERATOR, PENDING = "escrow depositors", "escrow operator", "escrow pending operator"
escrow.OPERATOR, escrow.COUNT = OPERATOR, COUNT

local function tier_of(balance)
  local tier = 0
  for number = 1, #TIERS do
    if balance >= TIERS[number].from then tier = number end
  end
  return tier
end

local function discount_of(tier) return TIERS[tier] and TIERS[tier].discount or 0 end

-- An account as it would be changed: a copy, since the old one may be asked for again.
local function account_of(frame, depositor)
  local stored = frame:load(escrow.account_name(depositor), false)
  local account = {}
  for name, value in pairs(stored or EMPTY) do account[name] = value end
  return account, stored ~= false
end

local function save(frame, depositor, account, tier)
  account.tier = tier or tier_of(account.balance)
  frame:save(escrow.account_name(depositor), account)
end

local function existing(frame, depositor)
  local account, exists = account_of(frame, depositor)
  if not exists then abi.revert "AccountNotFound()" end
  return account
end

local function positive(amount)
  if amount == u256.ZERO then abi.revert "ZeroAmount()" end
end

-- The amount as an integer, if the account has it.
local function covered(account, amount)
  local micro = u256.integer(amount)
  if not micro or micro > account.balance then
    abi.revert("InsufficientBalance(uint256,uint256)", amount, account.balance)
  end
  return micro
end

local function token(frame) return frame.chain.rail.asset:lower() end

local function pay(frame, to, micro)
  frame:call(token(frame), abi.call("transfer(address,uint256)", to, micro))
end

local function operator_only(frame)
  if frame.sender ~= frame:load(OPERATOR) then abi.revert "OnlyOperator()" end
end

local functions = {}

functions["deposit(uint256)"] = function(frame, amount)
  positive(amount)
  local depositor = frame.sender
  frame:call(token(frame),
    abi.call("transferFrom(address,address,uint256)", depositor, frame.here, amount))
  local micro = u256.integer(amount)              -- the token had it, so it is one
  local account, exists = account_of(frame, depositor)
  if not exists then
    local count = frame:load(COUNT, 0)
    frame:save(("escrow depositor %d"):format(count), depositor)
    frame:save(COUNT, count + 1)
  end
  account.deposited, account.balance = account.deposited + micro, account.balance + micro
  save(frame, depositor, account)
  frame:log({ TOPICS.deposited, topic_of(depositor) }, abi.words(micro, account.balance, account.tier))
  return ""
end

functions["drawdown(address,uint256)"] = function(frame, depositor, amount)
  operator_only(frame)
  positive(amount)
  local account = existing(frame, depositor)
  local micro = covered(account, amount)
  account.balance, account.drawn = account.balance - micro, account.drawn + micro
  account.jobs = account.jobs + 1
  save(frame, depositor, account)
  pay(frame, frame:load(OPERATOR), micro)
  frame:log({ TOPICS.drawn, topic_of(depositor) }, abi.words(micro, account.balance, account.jobs))
  return ""
end

local function give_back(frame, account, micro, tier)
  account.balance, account.refunded = account.balance - micro, account.refunded + micro
  save(frame, frame.sender, account, tier)
  pay(frame, frame.sender, micro)
  frame:log({ TOPICS.refunded, topic_of(frame.sender) }, abi.words(micro, account.balance))
  return ""
end

functions["refund()"] = function(frame)
  local account = existing(frame, frame.sender)
  if account.balance == 0 then abi.revert "ZeroAmount()" end
  return give_back(frame, account, account.balance, 0)
end

functions["refundPartial(uint256)"] = function(frame, amount)
  positive(amount)
  local account = existing(frame, frame.sender)
  return give_back(frame, account, covered(account, amount))
end

functions["getAccount(address)"] = function(frame, depositor)
  local a = account_of(frame, depositor)
  return abi.words(a.balance, a.deposited, a.drawn, a.refunded, a.jobs, a.tier, discount_of(a.tier))
end

functions["accounts(address)"] = function(frame, depositor)        -- another order, and one member more
  local a, exists = account_of(frame, depositor)
  return abi.words(a.deposited, a.balance, a.drawn, a.refunded, a.jobs, a.tier, exists)
end

functions["balanceOf(address)"] = function(frame, depositor)
  return abi.word(account_of(frame, depositor).balance)
end

functions["getDiscount(uint8)"] = function(_, tier) return abi.word(discount_of(tier)) end

functions["totalDeposits()"] = function(frame)
  return frame:call(token(frame), abi.call("balanceOf(address)", frame.here))
end

functions["depositorCount()"] = function(frame) return abi.word(frame:load(COUNT, 0)) end

functions["depositors(uint256)"] = function(frame, index)
  local at = u256.integer(index)
  if not at or at >= frame:load(COUNT, 0) then abi.refuse() end
  return abi.word(frame:load(("escrow depositor %d"):format(at)))
end

functions["usdc()"] = function(frame) return abi.word(token(frame)) end
functions["operator()"] = function(frame) return abi.word(frame:load(OPERATOR)) end
functions["pendingOperator()"] = function(frame) return abi.word(frame:load(PENDING, NOBODY)) end

functions["transferOperator(address)"] = function(frame, heir)
  operator_only(frame)
  if heir == NOBODY then abi.revert "ZeroAddress()" end
  frame:save(PENDING, heir)
  frame:log({ TOPICS.operator_started, topic_of(frame.sender), topic_of(heir) }, "")
  return ""
end

functions["acceptOperator()"] = function(frame)
  if frame.sender ~= frame:load(PENDING, NOBODY) then abi.revert "OnlyPendingOperator()" end
  frame:log({ TOPICS.operator_changed, topic_of(frame:load(OPERATOR)), topic_of(frame.sender) }, "")
  frame:save(OPERATOR, frame.sender)
  frame:save(PENDING, NOBODY)
  return ""
end

for number = 0, #TIERS do
  local tier, name = TIERS[number], TIERS[number].name:upper()
  functions[("DISCOUNT_%s()"):format(name)] = function() return abi.word(tier.discount) end
  if number > 0 then functions[("TIER_%s()"):format(name)] = function() return abi.word(tier.from) end end
end

--- The contract.
function escrow.new() return { address = escrow.ADDRESS, functions = abi.dispatch(functions), call_gas = 3000 } end

return escrow
