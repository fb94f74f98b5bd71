--- `spraay ledger list | sum | show | verify`.
-- SPDX-License-Identifier: MIT
local json = require "spraay.json"
local ledger = require "spraay.ledger"
local money = require "spraay.money"
local print_ = require "spraay.cli.print"
local purchases = require "spraay.purchases"
local shared = require "spraay.cli.ledger.shared"
local wei = require "spraay.evm.wei"

local reading = {}

local function none(args)
  if ledger.exists(args.path) then print_.say("no purchase fits") else shared.nothing(args) end
end

local LIST = { { "time", "time" }, { "USDC", "amount", right = true }, { "state", "state" }, { "what", "what" },
  { "run", "place" }, { "host", "host" }, { "purchase", "id" } }
local LIST_CSV = { "time", "id", "state", "amount", "network", "verb", "model", "route", "run", "step", "host", "payer",
  "pay_to", "transaction" }

-- A purchase with what tables show of it.
local function shown(row)
  local out = purchases.readable(row)
  out.time, out.host = print_.time(row.created), shared.host(row)
  out.what = (row.verb or row.route or row.method or "?") .. (row.model and " " .. row.model or "")
  out.place = (row.run or "") .. (row.step and "/" .. row.step or "")
  return out
end

function reading.list(args)
  local rows, code = shared.chosen(args)
  if not rows then return code end
  local limit, all = args.limit or ((args.json or args.csv) and 0 or 50), #rows
  local out = {}
  for i = limit > 0 and math.max(1, all - limit + 1) or 1, all do
    out[#out + 1] = args.json and purchases.readable(rows[i]) or shown(rows[i])
  end
  if args.json then
    print_.json(out, true)
  elseif args.csv then
    print_.csv(LIST_CSV, out)
  elseif all == 0 then
    none(args)
  else
    print_.table(LIST, out)
    if #out < all then print_.say(("%d older ones are left out: --limit 0 shows all"):format(all - #out)) end
  end
  return 0
end

local GROUP = {
  day = function(row) return (print_.time(row.spent_at or row.created):sub(1, 10)) end,
  model = function(row) return row.model or "-" end,
  host = shared.host,
  run = function(row) return row.run or "-" end,
  verb = function(row) return row.verb or "-" end,
}
local SPENT = { delivered = true, taken = true, paid_lost = true }

-- Sums by group, in the order of their names, and over all.
local function sums(rows, key_of)
  local groups, names, total = {}, {}, { purchases = 0 }
  for _, row in ipairs(rows) do
    local column = SPENT[row.state] and "settled" or purchases.is_open(row) and "open" or nil
    if column then
      local key = key_of(row)
      local group = groups[key]
      if not group then
        group = { purchases = 0 }
        groups[key], names[#names + 1] = group, key
      end
      for _, sum in ipairs { group, total } do
        sum.purchases = sum.purchases + 1
        sum[column] = money.add(sum[column], row.atomic)
      end
    end
  end
  table.sort(names)
  local out = {}
  for i, key in ipairs(names) do out[i] = { key = key, sum = groups[key] } end
  return out, total
end

local function sum_line(key, sum, by)
  return { [by] = key, purchases = sum.purchases, settled = money.format(sum.settled or "0"),
    open = money.format(sum.open or "0") }
end

function reading.sum(args)
  local by = args.by
  if not GROUP[by] then return shared.trouble("--by is day, model, host, run or verb, not " .. print_.text(by)) end
  local rows, code = shared.chosen(args)
  if not rows then return code end
  local groups, total = sums(rows, GROUP[by])
  local out = {}
  for i, group in ipairs(groups) do out[i] = sum_line(group.key, group.sum, by) end
  if args.json then
    local all = sum_line(nil, total, by)
    all.by, all.groups = by, json.array(out)
    print_.json(all)
  elseif args.csv then
    print_.csv({ by, "purchases", "settled", "open" }, out)
  elseif #out == 0 then
    none(args)
  else
    out[#out + 1] = sum_line("all", total, by)
    print_.table({ { by, by }, { "purchases", "purchases", right = true }, { "settled", "settled", right = true },
      { "open", "open", right = true } }, out)
  end
  return 0
end

local TIMES = { created = true, signed_at = true, valid_before = true, spent_at = true }

-- What a purchase sent to a chain itself, for people and programs: what each is, and what its gas costs at most.
local function transactions_of(args, row)
  if not purchases.is_on_chain(row) then return nil end
  local list, _, err = ledger.ask(args.path, "transactions", { id = row.id })
  if not list then return nil, shared.trouble_of(err) end
  local out = {}
  for i, tx in ipairs(list) do
    out[i] = { transaction = tx.hash, step = tx.step, nonce = tx.nonce, state = tx.fate, block = tx.block,
      to = tx.to, created = tx.created, gas_at_most = wei.ether(wei.times(tx.max_fee, tx.gas)) }
  end
  return out
end

local function say_transactions(list)
  for _, tx in ipairs(list) do
    print_.say(("%-13s %s, nonce %d, %s%s, gas at most %s ETH"):format(tx.step, tx.transaction, tx.nonce, tx.state,
      tx.block and (" in block %d"):format(tx.block) or "", tx.gas_at_most))
  end
end

function reading.show(args)
  local row, code = shared.row_of(args)
  if not row then return code end
  local out = purchases.readable(row)
  local list, trouble = transactions_of(args, row)
  if trouble then return trouble end
  if args.json then out.transactions = list and json.array(list) end
  if args.json then
    print_.json(out)
    return 0
  end
  local names = {}
  for name in pairs(out) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = TIMES[name] and print_.time(out[name]) or print_.text(out[name])
    print_.say(("%-13s %s"):format(name, value))
  end
  say_transactions(list or {})
  local hint = purchases.hint(row, os.time(), "spraay ledger reconcile")
  if hint then print_.say("\n" .. hint:gsub("^%l", string.upper) .. ".") end
  return 0
end

-- Lines of what is wrong, each about a purchase or about the file.
local function print_findings(findings)
  for _, finding in ipairs(findings) do
    print_.say((finding.id and finding.id ~= "" and finding.id .. ": " or "") .. print_.text(finding.what))
  end
end

local function plain_findings(findings)
  local list = {}
  for i, finding in ipairs(findings) do list[i] = { id = finding.id, what = finding.what } end
  return json.array(list)
end

-- What a wallet wrote is checked with its key alone.
local function say_unchecked(strangers)
  if #strangers == 0 then return end
  print_.say("not checked, for want of their keys: the records of " .. table.concat(strangers, ", "))
end

function reading.verify(args)
  if not ledger.exists(args.path) then
    shared.nothing(args, { findings = json.array {}, authenticated = false, unchecked = json.array {} })
    return 0
  end
  local list, wallet_err = shared.all_wallets(args)
  if wallet_err and (args.key_file or wallet_err.code ~= "missing") then return shared.trouble_of(wallet_err) end
  shared.know(args, list)
  local findings, _, err = ledger.ask(args.path, "verify", {})
  if not findings then return shared.trouble_of(err) end
  -- A ledger that cannot be listed has been found wanting above.
  local strangers = #findings == 0 and shared.strangers(args, list) or {}
  if args.json then
    print_.json({ findings = plain_findings(findings), authenticated = #list > 0 and #strangers == 0,
      unchecked = json.array(strangers) })
  else
    print_findings(findings)
    if #findings == 0 then print_.say(args.path .. " is sound") end
    if #list == 0 then
      print_.say("without a key it was not checked who wrote the records: set SPRAAY_PRIVATE_KEY, or name --key-file")
    end
    say_unchecked(#list > 0 and strangers or {})
  end
  return #findings > 0 and 8 or 0
end

function reading.repair(args)
  if not ledger.exists(args.path) then
    shared.nothing(args, { lost = json.array {} })
    return 0
  end
  local list, wallet_err = shared.all_wallets(args)
  if not list[1] then return shared.trouble_of(wallet_err) end
  shared.know(args, list)
  local lost, _, err = ledger.ask(args.path, "repair", { wallet = list[1].key })
  if not lost then return shared.trouble_of(err) end
  local strangers = shared.strangers(args, list) or {}
  if args.json then
    print_.json({ lost = plain_findings(lost), unchecked = json.array(strangers) })
  else
    print_.say(("what is sound is in %s; the damaged file is beside it."):format(args.path))
    print_findings(lost)
    if #lost == 0 then print_.say("nothing was lost") end
    say_unchecked(strangers)
  end
  return #lost > 0 and 8 or 0
end

return reading
