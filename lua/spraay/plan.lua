-- SPDX-License-Identifier: MIT
--- client:plan: what a list of jobs would cost, paid call by call, in batches, or from a prepaid account of either
-- dialect, with fees and gas; and which is the cheapest. It pays for nothing.
--
-- Per call the price is flat, whatever the model; a prepaid job costs the fee of execute and the discounted list
-- price of its model. In the ledger dialect the discount is that of the deposit; in the escrow it follows the
-- balance, so to keep it one deposits more than the jobs take, and has the rest refunded.
--
-- Amounts are whole millionths of a dollar throughout, far below what a Lua number holds exactly.
local args = require "spraay.args"
local call = require "spraay.call"
local compat = require "spraay.compat"
local dialect = require "spraay.futures.dialect"
local engine = require "spraay.engine"
local errors = require "spraay.errors"
local escrow = require "spraay.futures.escrow"
local fees = require "spraay.evm.fees"
local models = require "spraay.models"
local money = require "spraay.money"
local routes = require "spraay.routes"
local rpc = require "spraay.evm.rpc"
local tiers = require "spraay.futures.tiers"
local wei = require "spraay.evm.wei"

local plan = {}

local WHERE = "client:plan"
local TYPES = { "chat", "image", "video", "speak", "transcribe", "embed" }
local JOBS_MAX = 100000
local GAS = 56000 + 136000 + 52000    -- of approve, deposit and refund, as they are mined
local NODE_SECONDS = 5

local function number(atomic) return compat.integer(tonumber(atomic)) end
local function text(micro) return money.format(compat.integer_text(micro)) end
local function short(micro) return money.short(compat.integer_text(micro)) end

-- ---- the jobs -------------------------------------------------------------------------------------

-- One line of the list, checked: { verb=, type=, model=, count=, gate=, list= }.
local function read_line(client, item, index)
  local where = ("%s: job %d"):format(WHERE, index)
  if type(item) ~= "table" then return errors.usage(where .. " is not a table", nil, "argument") end
  local verb = routes.kinds[item.type or false]
  if not verb then
    local what = item.type == nil and " has no type" or " is of the unknown type " .. errors.show(item.type)
    return errors.usage(where .. what, errors.meant(item.type, TYPES, "Types are " .. errors.list(TYPES)), "argument")
  end
  local known = { "type", "model", "count" }
  for name in pairs(args.jobs[verb].fields) do known[#known + 1] = name end
  local key, strange = errors.stranger(item, known)
  if strange then return errors.unknown(where, "field", key, known) end
  local count = compat.integer(item.count == nil and 1 or item.count)
  if not count or count < 1 or count > JOBS_MAX then
    return errors.usage(where .. ": count must be a whole number from 1 on", nil, "argument")
  end
  local kind = routes.table[verb].kind
  local ok, why, hint = models.check(kind, item.model)
  if not ok then return errors.usage(where .. ": " .. why, hint, "model") end
  local entry = models.resolve(kind, item.model)
  return { verb = verb, type = kind, model = entry.id, label = entry.label, count = count,
    gate = number(call.price(client, routes.table[verb])), list = entry.price }
end

local function read_jobs(client, given)
  if type(given) ~= "table" or #given == 0 then
    return errors.usage(WHERE .. ": expected a list of jobs",
      "client:plan { { type = \"chat\", model = \"llama-3.2\", count = 100 }, … }", "argument")
  end
  local lines, total = {}, 0
  for key in pairs(given) do
    if not compat.integer(key) or key < 1 or key > #given then
      return errors.usage(("%s: unknown field %s in the list of jobs"):format(WHERE, errors.show(key)), nil, "argument")
    end
  end
  for i, item in ipairs(given) do
    local line, message, err = read_line(client, item, i)
    if not line then return nil, message, err end
    lines[i], total = line, total + line.count
  end
  if total > JOBS_MAX then
    return errors.usage(("%s: more than %d jobs"):format(WHERE, JOBS_MAX), "Plan them in parts", "argument")
  end
  return lines, total
end

-- ---- one job ---------------------------------------------------------------------------------------

-- Which is cheaper for this line alone, as a clause.
local function compare(line, fee)
  local out = { type = line.type, model = line.model, label = line.label, count = line.count,
    per_call = text(line.gate), list_price = text(number(line.list)), futures = {} }
  for _, tier in ipairs(tiers.list) do
    local price = fee + number(tiers.price(line.list, tier))
    out.futures[tier.name] = text(price)
    if not out.cheaper and price < line.gate then
      out.cheaper = tier.bps == 0 and "futures" or ("futures from %d%% on"):format(tier.bps / 100)
    end
  end
  out.cheaper = out.cheaper or "per call"
  return out
end

-- ---- prepaid ----------------------------------------------------------------------------------------

local function drawn_at(lines, tier)
  local sum = 0
  for _, line in ipairs(lines) do sum = sum + line.count * number(tiers.price(line.list, tier)) end
  return sum
end

local function tier_of(micro)
  local found = tiers.list[1]
  for _, tier in ipairs(tiers.list) do
    if micro >= number(tier.from) then found = tier end
  end
  return found
end

-- What the jobs draw from an escrow of this deposit, in their order; nil when it does not reach.
local function drawn_following(lines, deposit)
  local balance = deposit
  for _, line in ipairs(lines) do
    for _ = 1, line.count do
      local price = number(tiers.price(line.list, tier_of(balance)))
      if price > balance then return nil end
      balance = balance - price
    end
  end
  return deposit - balance
end

local MINIMUM = 1000000

-- A larger deposit must save at least this part of what it is larger by: whoever knows the account's name can
-- spend it.
local WORTH = 100

-- The best of the candidates: the smallest deposit, but for larger ones that are worth it.
local function cheapest(list)
  local best
  table.sort(list, function(a, b) return a.deposit < b.deposit end)
  for _, choice in ipairs(list) do
    if not best or (best.micro - choice.micro) * WORTH >= choice.deposit - best.deposit
      and choice.micro < best.micro then
      best = choice
    end
  end
  return best
end

local function within(list, limit)
  local out = {}
  for _, choice in ipairs(list) do
    if not limit or choice.deposit <= limit then out[#out + 1] = choice end
  end
  return out
end

local function ledger_choices(lines, total, fee, deposit_fee)
  local out = {}
  for i, tier in ipairs(tiers.list) do
    local drawn = drawn_at(lines, tier)
    local deposit = math.max(drawn, number(tier.from), MINIMUM)
    local upper = tiers.list[i + 1]
    if not upper or deposit < number(upper.from) then
      out[#out + 1] = { deposit = deposit, tier = tier.name, drawn = drawn, fees = deposit_fee + total * fee,
        micro = drawn + deposit_fee + total * fee }
    end
  end
  return out
end

local function escrow_choices(lines, total, fee, gas)
  local out = {}
  local function try(deposit)
    local drawn = drawn_following(lines, deposit)
    if drawn then
      out[#out + 1] = { deposit = deposit, tier = tier_of(deposit).name, drawn = drawn, fees = total * fee,
        micro = drawn + total * fee + (gas.micro or 0), refunded = deposit - drawn }
    end
  end
  try(math.max(drawn_at(lines, tiers.list[1]), MINIMUM))
  for _, tier in ipairs(tiers.list) do
    -- With this much on top of what they draw, every job has the discount.
    if tier.bps > 0 then try(number(tier.from) + drawn_at(lines, tier)) end
  end
  return out
end

-- ---- gas ---------------------------------------------------------------------------------------------

-- What approve, deposit and refund cost now, as far as a node tells: { wei=, micro= }.
local function gas_now(client)
  local config = client.config
  local place = escrow.place(client, WHERE)
  local node = place and rpc.of(client, place.network, engine.now() + NODE_SECONDS, WHERE)
  local market = node and node:check_chain() and fees.market(node)
  if not market then return {} end
  local cost = wei.times(market.expected, GAS)
  local dollars = config.gas.price and wei.dollars(cost, config.gas.price)
  return { wei = cost, micro = dollars and number(money.atomic(dollars)) }
end

-- ---- the whole -----------------------------------------------------------------------------------------

local NAMES = { per_call = "paying per call", batch = "batching", ledger = "a ledger account",
  escrow = "an escrow account" }
local ORDER = { "per_call", "batch", "ledger", "escrow" }

local function readable(name, choice)
  if not choice then return nil end
  local out = { name = name, cost = text(choice.micro), micro = choice.micro }
  for _, key in ipairs { "deposit", "drawn", "fees", "refunded" } do
    if choice[key] then out[key] = text(choice[key]) end
  end
  for _, key in ipairs { "tier", "calls", "gas", "gas_usd", "available" } do out[key] = choice[key] end
  return out
end

local function options_of(client, lines, total, limit)
  local fee, gas = number(call.price(client, routes.table.execute)), gas_now(client)
  local per_call = 0
  for _, line in ipairs(lines) do per_call = per_call + line.count * line.gate end
  local batches = math.ceil(total / routes.BATCH_MAX)
  local ledger = cheapest(within(ledger_choices(lines, total, fee,
    number(call.price(client, routes.table.deposit))), limit))
  local kept = cheapest(within(escrow_choices(lines, total, fee, gas), limit))
  if kept and gas.wei then
    kept.gas = wei.ether(gas.wei)
    kept.gas_usd = gas.micro and text(gas.micro) or nil
  end
  local told = dialect.recall(client)
  for name, choice in pairs { ledger = ledger or false, escrow = kept or false } do
    if choice then choice.available = told == nil or told == name end
  end
  local batch = batches * number(call.price(client, routes.table.batch))
  return {
    per_call = readable("per_call", { micro = per_call, calls = total, available = true }),
    batch = readable("batch", { micro = batch, calls = batches, available = true }),
    ledger = readable("ledger", ledger), escrow = readable("escrow", kept),
  }, told
end

local function reason_of(out, limit)
  local best, words = out.options[out.best], {}
  for _, name in ipairs(ORDER) do
    local option = out.options[name]
    if option and name ~= out.best and option.available then
      words[#words + 1] = ("%s %s"):format(NAMES[name], short(option.micro))
    end
  end
  local reason = ("%s costs %s USDC; %s"):format(NAMES[out.best], short(best.micro), errors.list(words))
  if best.deposit then
    reason = reason .. (" (deposit %s%s)"):format(money.short(money.atomic(best.deposit)),
      best.refunded and best.refunded ~= "0.000000" and ", " .. money.short(money.atomic(best.refunded))
        .. " of it come back by a refund" or "")
  end
  if best.gas and not best.gas_usd then reason = reason .. (", and %s ETH of gas beside it"):format(best.gas) end
  if best.deposit and out.best == "escrow" and not best.gas then reason = reason .. ", and gas beside it" end
  if best.deposit and not out.dialect then
    reason = reason .. "; whether this gateway keeps such accounts is told by client.futures:pricing()"
  end
  if limit and not out.options.escrow and not out.options.ledger then
    reason = reason .. "; a deposit large enough would exceed per_day"
  end
  return reason
end

local mt = { __name = "spraay.plan" }

mt.__tostring = function(self)
  local lines = {}
  for _, name in ipairs(ORDER) do
    local option = self.options[name]
    if option then
      lines[#lines + 1] = ("%s %-9s %12s USDC%s%s%s"):format(name == self.best and "*" or " ",
        (name:gsub("_", " ")), option.cost,
        option.deposit and ("  deposit %s, %s"):format(money.short(money.atomic(option.deposit)), option.tier) or "",
        option.gas and ("  gas %s ETH"):format(option.gas) or "",
        option.available and "" or "  (not this gateway's)")
    end
  end
  lines[#lines + 1] = self.reason
  return table.concat(lines, "\n")
end
mt.__concat = function(a, b) return tostring(a) .. tostring(b) end

--- Compare. jobs: { { type = "chat", model = …, count = 100 }, … } Returns { best=, reason=, count=, options=, jobs= };
-- tostring() of it is a small table.
function plan.of(client, jobs)
  local lines, total, err = read_jobs(client, jobs)
  if not lines then return nil, total, err end
  local limit = client.config.core.per_day and number(client.config.core.per_day)
  local options, told = options_of(client, lines, total, limit)
  local out = { count = total, options = options, dialect = told, jobs = {} }
  local fee = number(call.price(client, routes.table.execute))
  for i, line in ipairs(lines) do out.jobs[i] = compare(line, fee) end
  for _, name in ipairs(ORDER) do
    local option = options[name]
    if option and option.available and (not out.best or option.micro < options[out.best].micro) then out.best = name end
  end
  out.reason = reason_of(out, limit)
  for _, option in pairs(options) do option.micro = nil end
  return setmetatable(out, mt)
end

return plan
