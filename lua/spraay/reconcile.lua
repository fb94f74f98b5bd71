-- SPDX-License-Identifier: MIT
--- client:reconcile: what became of the purchases whose answers were lost, as the chain tells.
--
-- Chains are read and records updated; no paid request is ever sent. After the first paid call of a process
-- the same is done by itself, in the background, for those whose authorization has expired.
local call = require "spraay.call"
local clauses = require "spraay.options.clauses"
local core = require "spraay.core"
local engine = require "spraay.engine"
local errors = require "spraay.errors"
local failure = require "spraay.failure"
local ledger = require "spraay.ledger"
local origin = require "spraay.options.origin"
local purchases = require "spraay.purchases"
local task = require "spraay.task"
local wait = require "spraay.wait"
local wallets = require "spraay.wallet"

local reconcile = {}

-- How many purchases are looked at side by side.
local PARALLEL = 4

local OPTIONS = { "timeout" }
reconcile.option_names = OPTIONS

-- A gateway on this machine is a sandbox with a chain of its own, which knows nothing of real money; and the
-- other way round. Returns why the chain that this client asks is not the row's, or nil.
local function other_chain(client, row)
  local _, _, loopback = origin.parse(row.origin)
  if (loopback or false) == client.config.loopback then return nil end
  return ("it was bought from %s: ask with a client of that gateway"):format(tostring(row.origin))
end

local UNDER_WAY = "a call is under way"

-- Ask about one purchase. Returns its new state, or nil and why it stays open.
local function look(client, row, deadline)
  local left = math.floor((deadline - engine.now()) * 1000)
  if left < 1 then return nil, "the time was up before it was looked at" end
  local request = { verb = "reconcile", method = "GET", url = client.config.gateway .. "/", class = "repeat",
    reconcile = row.id, opts = { total_ms = left } }
  local handle, message, wallet_err = call.start(client, request)
  if not handle then return nil, message end
  local state, why = call.advance(handle, client, request)
  if not state then return nil, why end   -- cancelled
  local raw = handle:result()
  handle:close()
  if raw.ok then return "delivered" end
  if raw.code == "void" or raw.code == "paid_lost" then return raw.code end
  if raw.code == "purchase_in_flight" then return nil, UNDER_WAY end
  return nil, failure.of(client, raw, request, wallet_err).message
end

local function hint_of(client, row, after, why)
  if after == "paid_lost" then return failure.command(client, "claim " .. row.id) .. " writes a claim" end
  if after == "void" then return "nothing was taken" end
  if after == "delivered" then return "the same call hands the result over" end
  if why == UNDER_WAY then return why end
  local now = call.now(client)
  if row.valid_before and now <= row.valid_before + purchases.GRACE then
    return purchases.hint(row, now, "spraay ledger reconcile")
  end
  local hand = ("without proof, your word counts: %s or %s"):format(failure.command(client, "void " .. row.id),
    failure.command(client, "settle " .. row.id))
  return (why and errors.foreign(why, 160) .. "; " or "") .. hand
end

-- The addresses of a client's wallets.
local function payers_of(client)
  local list = {}
  for _, wallet in ipairs(client.config.wallets) do list[#list + 1] = wallet:address() or nil end
  return list
end

local function is_theirs(payers, row)
  for _, payer in ipairs(payers) do
    if wallets.same_address(row.payer, payer) then return true end
  end
  return false
end

-- What came of one row, as a line of the summary.
local function judge(client, row, payers, deadline)
  local after, why, hint
  if row.live then
    hint = UNDER_WAY
  elseif purchases.is_on_chain(row) then
    hint = purchases.hint(row)
  elseif row.payer and #payers > 0 and not is_theirs(payers, row) then
    hint = "it is another wallet's, " .. row.payer
  elseif other_chain(client, row) then
    hint = other_chain(client, row)
  else
    after, why = look(client, row, deadline)
    hint = hint_of(client, row, after, why)
  end
  local shown = purchases.readable(row)
  return { id = row.id, before = row.state, after = after or row.state, amount = shown.amount, verb = row.verb,
    run = row.run, hint = hint }
end

-- The open purchases that are to be looked at, each through judge.
local function run(client, rows, deadline)
  local payers = payers_of(client)
  local out = { void = 0, paid_lost = 0, delivered = 0, open = 0, purchases = {} }
  local lines = task.map(rows, { limit = PARALLEL }, function(row) return judge(client, row, payers, deadline) end)
  for i, row in ipairs(rows) do
    local line = lines[i] or { id = row.id, before = row.state, after = row.state,
      amount = purchases.readable(row).amount, hint = "it was not looked at" }
    out.purchases[i] = line
    local count = out[line.after] and line.after or "open"
    out[count] = out[count] + 1
  end
  return out
end

-- "pid path", and whose chain -> the task that has looked at it by itself, or does; see below.
local own = {}

local function own_key(client)
  return ("%s %s %s"):format(core.pid(), client.config.ledger, tostring(client.config.loopback))
end

-- What we look at by ourselves would seem to be under way to the caller: it is let finish.
local function wait_for_own(client, deadline)
  local looking = client.config.ledger and own[own_key(client)]
  if looking and not looking.finished then
    return wait.until_ { poll = function() return looking.finished end, at = deadline }
  end
end

--- client:reconcile { timeout = seconds }.
function reconcile.of_client(client, given)
  local where = "client:reconcile"
  if given ~= nil and type(given) ~= "table" then
    return errors.usage(where .. ": expected a table of options, got " .. type(given), nil, "option")
  end
  local key, strange = errors.stranger(given or {}, OPTIONS)
  if strange then return errors.unknown(where, "option", key, OPTIONS) end
  local total_ms = client.config.core.total_ms
  if given and given.timeout ~= nil then
    total_ms = clauses.seconds_ms(given.timeout, 86400)
    if not total_ms then return errors.usage(where .. ": timeout must be seconds, a number above 0", nil, "option") end
  end
  if client.closed then return errors.usage(where .. ": the client was closed", nil, "closed") end
  local _, wallet_err = call.core_client(client)
  if wallet_err then return errors.fail(wallet_err) end   -- only the wallet that pays reads its own records
  local deadline = engine.now() + total_ms / 1000
  if wait_for_own(client, deadline) == "cancelled" then return errors.fail(wait.cancelled_error()) end
  local rows, message, err = ledger.ask_client(client, "list", { open = true })
  if not rows then return nil, message, err end
  return run(client, rows, deadline)
end

-- ---- by itself ------------------------------------------------------------------------------

-- How many are looked at after one start; the next start has the rest.
local AT_ONCE = 32

-- Can the chain tell, and is it this client's business? An equal call that arrives meanwhile waits for what
-- the chain says, as it would have to without us.
local function is_due(client, row, payers, now)
  if row.live or purchases.is_on_chain(row) then return false end
  return row.valid_before and now > row.valid_before + purchases.GRACE
    and row.payer and is_theirs(payers, row) and not other_chain(client, row)
end

local function look_after(client)
  local payers = payers_of(client)
  local rows = #payers > 0 and ledger.ask_client(client, "list", { open = true })
  local now, due = call.now(client), {}
  for _, row in ipairs(rows or {}) do
    if #due < AT_ONCE and is_due(client, row, payers, now) then due[#due + 1] = row end
  end
  if #due > 0 then run(client, due, engine.now() + client.config.core.total_ms / 1000) end
end

--- A paid call was made: once per process and ledger, what has expired is looked at in the background.
-- The task belongs to nobody: no run waits for it, and what goes wrong in it is not told.
function call.used(client)
  if not client.config.ledger or own[own_key(client)] then return end
  own[own_key(client)] = task.background(look_after, client)
end

return reconcile
