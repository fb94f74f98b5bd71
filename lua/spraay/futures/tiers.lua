-- SPDX-License-Identifier: MIT
--- Discounts of compute futures. A ledger account keeps the tier of its deposit; in the escrow the tier follows
-- the balance, so that the first job may cost the discount of all later ones.
local core = require "spraay.core"
local money = require "spraay.money"

local tiers = {}

--- From this many millionths on; the discount in basis points.
tiers.list = {
  { name = "starter", from = "0", bps = 0 }, { name = "builder", from = "10000000", bps = 500 },
  { name = "scale", from = "50000000", bps = 1000 }, { name = "enterprise", from = "200000000", bps = 1500 },
}

--- The tier of a balance, or of a deposit.
function tiers.of(atomic)
  local found = tiers.list[1]
  for _, tier in ipairs(tiers.list) do
    if money.compare(atomic, tier.from) >= 0 then found = tier end
  end
  return found
end

--- "10% discount", as the gateway says it.
function tiers.words(tier)
  return tier.bps > 0 and ("%d%% discount"):format(tier.bps / 100) or "No discount"
end

--- What a job of this list price costs in a tier, in millionths: list - list * bps / 10000, exact.
function tiers.price(list, tier)
  local off = core.amount_mul(list, tier.bps)
  off = off:sub(1, -5)
  return core.amount_sub(list, off == "" and "0" or off)
end

local function below(tier)
  for i, other in ipairs(tiers.list) do
    if other == tier then return tiers.list[i - 1] end
  end
end

--- The warning that goes with a balance in the escrow; nil where no discount can be lost.
function tiers.warning(atomic)
  local tier = tiers.of(atomic)
  local lower = below(tier)
  if not lower then return nil end
  return ("the discount follows the balance: %s while at least %s USDC are left, then %s"):format(
    tiers.words(tier), money.short(tier.from), tiers.words(lower))
end

--- Did a job take the balance below the tier that it was priced in? "10%" and "49.973000": the warning, or nil.
function tiers.fallen(discount, balance)
  local percent = type(discount) == "string" and tonumber(discount:match "^(%d+)%%") or 0
  local atomic = balance and money.atomic(balance)
  if not atomic then return nil end
  local now = tiers.of(atomic)
  if now.bps >= percent * 100 then return nil end
  return ("the balance fell to %s USDC: the next job gets %s instead of %d%%"):format(money.short(atomic),
    now.bps > 0 and ("%d%%"):format(now.bps / 100) or "no discount", percent)
end

return tiers
