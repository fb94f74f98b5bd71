-- SPDX-License-Identifier: MIT
--- Purchases on record, for people: amounts as decimal USDC, networks by name, and what can be done about
-- the open ones.
local clauses = require "spraay.options.clauses"
local compat = require "spraay.compat"
local errors = require "spraay.errors"
local ledger = require "spraay.ledger"
local money = require "spraay.money"
local networks = require "spraay.options.networks"
local origin = require "spraay.options.origin"

local purchases = {}

--- Their states, in the order they are gone through.
purchases.states = { "intent", "reserved", "asked", "signed", "sent", "unknown", "void", "paid_lost", "delivered",
  "taken" }

local STATES, OPEN = {}, { asked = true, signed = true, sent = true, unknown = true }
for _, name in ipairs(purchases.states) do STATES[name] = true end

--- Seconds after the end of an authorization from which the chain's answer about it is final.
purchases.GRACE = 60

local NAMES = {}
for name, id in pairs(networks) do NAMES[id] = name end

--- "base" for "eip155:8453"; the id itself when it has no name.
function purchases.network_name(id)
  return NAMES[id] or id
end

--- May its authorization still move money?
function purchases.is_open(row)
  return OPEN[row.state] == true
end

--- Is it a transaction of the wallet's own, a deposit or a refund? No authorization: no chain knows its nonce.
function purchases.is_on_chain(row)
  return row.method == "CHAIN"
end

local COPIED = { "id", "state", "named", "run", "step", "verb", "model", "route", "method", "url", "origin", "payer",
  "asset", "pay_to", "created", "signed_at", "valid_before", "spent_at", "sends", "payment", "transaction", "note",
  "epoch", "live", "hand" }
purchases.fields = { "amount", "network", "nonce", "memo" }
for _, name in ipairs(COPIED) do purchases.fields[#purchases.fields + 1] = name end

--- A row of the core as a plain table.
function purchases.readable(row)
  -- On Solana half of the mark is the memo, unless the server demanded one of its own.
  local on_solana = row.mark and row.network and row.network:match("^solana:")
  local out = { amount = money.format(row.atomic or "0"), nonce = row.mark,
    memo = on_solana and row.mark:sub(3, 34) or nil,
    network = row.network and purchases.network_name(row.network) or nil }
  for _, name in ipairs(COPIED) do out[name] = row[name] end
  out.sends, out.epoch = out.sends or 0, out.epoch or 0
  return out
end

--- How to go on with an open purchase; nil when it is closed. `command` writes a command of spraay ledger.
function purchases.hint(row, now, command)
  if not OPEN[row.state] then return nil end
  if row.live then return "a call is under way" end
  if purchases.is_on_chain(row) then return "the same call goes on with its transactions, and signs nothing anew" end
  local until_ = (row.valid_before or 0) + purchases.GRACE
  if row.valid_before and now <= until_ then
    return ("the same call continues it; from %s on the chain can tell"):format(os.date("!%H:%M:%S UTC", until_))
  end
  return ("the same call continues it; `%s` asks the chain"):format(command)
end

-- ---- asking for some --------------------------------------------------------------------

local FILTERS = { "state", "run", "since", "id", "origin", "limit" }
purchases.filters = FILTERS

local wrong = {}   -- filter -> a clause when the value is none

function wrong.state(value)
  if STATES[value] or value == "open" then return nil end
  return "must be a state, not " .. errors.show(value),
    errors.meant(value, purchases.states, "States are open, " .. errors.list(purchases.states))
end

local function name(value)
  if not clauses.is_name(value) then return "must be a short text" end
end
wrong.run, wrong.id = name, name

function wrong.origin(value)
  local parsed, why = origin.parse(value)
  if not parsed then return why end
end

function wrong.since(value)
  if type(value) ~= "number" or value ~= value or value < 0 or value > 1e12 then
    return "must be a moment, in seconds since 1970"
  end
end

function wrong.limit(value)
  if not compat.integer(value) or value < 1 or value > 1000000 then return "must be a whole number from 1 on" end
end

--- Check { state=, run=, since=, id=, origin=, limit= } and write it as the core wants it, or nil,
-- message, err. The state "open" means all that are.
function purchases.question(given, where)
  if given == nil then given = {} end
  if type(given) ~= "table" then
    return errors.usage(("%s: expected a table of filters, got %s"):format(where, type(given)), nil, "option")
  end
  local key, strange = errors.stranger(given, FILTERS)
  if strange then
    return errors.unknown(where, "option", key, FILTERS, "Filters are " .. errors.list(FILTERS))
  end
  local out = {}
  for _, filter in ipairs(FILTERS) do
    if given[filter] ~= nil then
      local why, hint = wrong[filter](given[filter])
      if why then return errors.usage(("%s: %s %s"):format(where, filter, why), hint, "option") end
      out[filter] = given[filter]
    end
  end
  if out.state == "open" then out.state, out.open = nil, true end
  if out.origin then out.origin = origin.parse(out.origin) end
  if out.since then out.since = compat.integer(math.floor(out.since)) end
  out.limit = out.limit and compat.integer(out.limit)
  return out
end

--- client:purchases.
function purchases.of_client(client, given)
  local question, message, err = purchases.question(given, "client:purchases")
  if not question then return nil, message, err end
  local rows
  rows, message, err = ledger.ask_client(client, "list", question)
  if not rows then return nil, message, err end
  local out = {}
  for i, row in ipairs(rows) do out[i] = purchases.readable(row) end
  return out
end

return purchases
