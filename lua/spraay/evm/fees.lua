-- SPDX-License-Identifier: MIT
--- What gas costs now, and what it may cost at most: gas = { max_eth = "0.0005", … } of spraay.open.
-- Fees of EIP-1559: https://eips.ethereum.org/EIPS/eip-1559
local compat = require "spraay.compat"
local errors = require "spraay.errors"
local json = require "spraay.json"
local money = require "spraay.money"
local rpc = require "spraay.evm.rpc"
local wei = require "spraay.evm.wei"

local fees = {}

local MAX_ETH = "0.0005"        -- of one deposit or refund, all its transactions together
local BUMP_AFTER = 30           -- seconds without a block before the fee is raised
local TIP = "1000000"           -- a thousandth of a gwei: where the node names no tip
local DIGITS_MAX = 24           -- of wei: a million ether for one unit of gas
local MARGIN = 125              -- percent of what was estimated
local BUMP = 113                -- percent: nodes take a replacement from 110 on

local FIELDS = { "max_eth", "eth_usd", "bump_after", "confirmations" }
fees.fields = FIELDS

--- Check gas = { … }. Returns { cap=, price=, bump_after=, confirmations= }, or nil and a clause.
function fees.options(given)
  if type(given) ~= "table" then return nil, "must be a table such as { max_eth = \"0.0005\" }" end
  local key, strange = errors.stranger(given, FIELDS)
  if strange then
    return nil, "has an unknown part " .. errors.show(key), errors.meant(key, FIELDS, "Its parts are "
      .. errors.list(FIELDS))
  end
  local cap, why = wei.of_ether(given.max_eth or MAX_ETH)
  if not cap then return nil, "max_eth " .. why end
  local price
  if given.eth_usd ~= nil then
    price, why = money.atomic(given.eth_usd)
    if not price then return nil, "eth_usd " .. why end
  end
  local after = given.bump_after or BUMP_AFTER
  if type(after) ~= "number" or after ~= after or after <= 0 or after > 86400 then
    return nil, "bump_after must be seconds, a number above 0"
  end
  local confirmations = compat.integer(given.confirmations or 1)
  if not confirmations or confirmations < 1 or confirmations > 1000 then
    return nil, "confirmations must be a whole number from 1 on"
  end
  return { cap = cap, price = price, bump_after = after, confirmations = confirmations }
end

--- What a transaction should offer now, and what it would cost: { max_fee=, max_tip=, expected= } in digits; or nil
-- and the node's trouble.
-- Twice the base fee: it can double six times over, an eighth a block, before one is left behind.
function fees.market(node)
  local block, why = node:call("eth_getBlockByNumber", { "latest", false })
  if block == nil then return nil, why end
  local base = rpc.digits(json.get(block, "baseFeePerGas"))
  if not base or #base > DIGITS_MAX then
    return nil, { kind = "strange", message = "its newest block has no base fee that can be" }
  end
  local tip = node:quantity("eth_maxPriorityFeePerGas", {}) or TIP
  if #tip > DIGITS_MAX then return nil, { kind = "strange", message = "it names a tip that cannot be" } end
  if tip == "0" then tip = "1" end
  return { max_fee = wei.add(wei.times(base, 2), tip), max_tip = tip, expected = wei.add(base, tip) }
end

--- The fees of a replacement: enough above the last ones for nodes to take it, and what the market asks.
function fees.raised(last, market)
  local max_fee, max_tip = wei.percent(last.max_fee, BUMP), wei.percent(last.max_tip, BUMP)
  if wei.compare(market.max_fee, max_fee) > 0 then max_fee = market.max_fee end
  if wei.compare(market.max_tip, max_tip) > 0 then max_tip = market.max_tip end
  if wei.compare(max_tip, max_fee) > 0 then max_fee = max_tip end
  return { max_fee = max_fee, max_tip = max_tip }
end

--- Gas with a margin: what is estimated now may be a little more when it is mined.
function fees.with_margin(gas)
  return math.floor(gas * MARGIN / 100)
end

--- The most that so much gas costs at these fees, in wei.
function fees.most(gas, offer)
  return wei.times(offer.max_fee, compat.integer(gas))
end

return fees
