-- SPDX-License-Identifier: MIT
--- One job on a prepaid account: the same in both dialects but for how the account is named.
local args = require "spraay.args"
local ask = require "spraay.ask"
local call = require "spraay.call"
local dialect = require "spraay.futures.dialect"
local errors = require "spraay.errors"
local json = require "spraay.json"
local ledger = require "spraay.ledger"
local media = require "spraay.media"
local models = require "spraay.models"
local money = require "spraay.money"
local options = require "spraay.options"
local routes = require "spraay.routes"
local shared = require "spraay.futures.shared"
local task = require "spraay.task"
local tiers = require "spraay.futures.tiers"
local turns = require "spraay.turns"
local verbs = require "spraay.verbs"
local wait = require "spraay.wait"

local execute = {}

local exact = shared.exact

-- Executes on one account follow each other by this much: the gateway reads the balance, works, and
-- writes it back, so two at once could both start from the same balance.
local SPACING = 1.5

-- ---- what it costs ---------------------------------------------------------------------------

-- The gate's fee and the list price together, against the caller's limits: the draw on the account is
-- money too, though it is not signed for.
local function check_price(client, kind, model, opts)
  local entry = models.resolve(kind, model)
  local cost = money.add(call.price(client, routes.table.execute), entry and entry.price)
  local limit, name = opts.max, "max"
  local per_call = client.config.core.per_call
  if not limit or money.compare(per_call, limit) < 0 then limit, name = per_call, "per_call" end
  if limit and money.compare(cost, limit) > 0 then
    return errors.fail {
      kind = "policy", code = "over_" .. name, amount = money.format(cost),
      message = ("the job may cost %s USDC (fee and list price), more than %s allows (%s)")
        :format(money.short(cost), name, money.short(limit)),
      hint = ("Raise %s, or choose a cheaper model"):format(name),
    }
  end
  return true
end

-- The billing part of an execute answer, exact, with the gateway's own texts beside it.
local function billing_of(body)
  local billing = json.get(body, "billing")
  if type(billing) ~= "table" then return nil end
  local out = {
    charged = exact(json.get(billing, "charged")), balance = exact(json.get(billing, "balanceRemaining")),
    base_price = exact(json.get(billing, "basePrice")), discount = json.get(billing, "discount"),
    job_number = json.get(billing, "jobNumber"), status = json.get(billing, "accountStatus"),
    transaction = json.get(billing, "drawdownTx"), original = billing,
  }
  if json.get(billing, "settlement") == "on-chain" then out.warning = tiers.fallen(out.discount, out.balance) end
  return out
end

-- A result although the answer is an error: the work was done and only the booking failed.
local function salvage(client, verb, err)
  local body = err.body
  local compute = json.get(body, "compute")
  local inner = json.get(compute, "result")
  if type(inner) ~= "table" then return nil end
  -- The caller has what it was for: the next equal job is another one.
  if err.purchase then ledger.ask_client(client, "close", { id = err.purchase, book = true }) end
  return ask.shape(client, verb, { body = body }, inner, {
    payment = { status = "unconfirmed", amount = err.amount, purchase = err.purchase,
      expect = err.expect or "no" },
    billing = { charged = "0.000000", original = json.get(body, "billing"),
      note = "the gateway could not charge the account" },
  })
end

-- ---- the job -----------------------------------------------------------------------------------

local SKIP = { type = true }

local function read_job(verb, given, opts, where)
  local kind = routes.table[verb].kind
  if type(given) == "string" then given = { [verbs.text_field[verb]] = given } end
  if verb == "embed" then given = verbs.embed_arguments(given) end
  return args.job(verb, given, where, { kind = kind, unchecked = opts.unchecked, many = true, skip = SKIP })
end

--- Run one job on an account. `account` has client, id and dialect.
function execute.run(account, verb, given, opts, where)
  local client = account.client
  local checked, message, err = options.per_call(opts, where)
  if not checked then return nil, message, err end
  local kind = routes.table[verb].kind
  local body
  body, message, err = read_job(verb, given, checked, where)
  if not body then return nil, message, err end
  local ok
  ok, message, err = check_price(client, kind, body.model, checked)
  if not ok then return nil, message, err end
  body[account.dialect == "escrow" and "depositor" or "futuresId"], body.type = account.id, kind
  checked.max = nil   -- it bounds fee and draw together, checked above; the fee has its published price

  local turn = turns.take(client.config.gateway .. " " .. account.id:lower(), SPACING)
  if not turn then return errors.fail(wait.cancelled_error()) end
  local function leave(went, ...)
    turn:leave()
    if not went then error((...), 0) end
    return ...
  end

  local answer, handle
  answer, handle, err = leave(task.pcall(shared.ask, client, "execute", body, checked, nil, where, account.dialect,
    turn))
  if not answer then
    local saved = salvage(client, verb, err)
    if saved then return saved end
    return nil, handle, err
  end
  local told = dialect.learn(client, dialect.of(answer.body), answer.body)
  if told and told ~= account.dialect then
    call.hand_over(handle)
    return dialect.surprise(client, where, told, answer.body, answer.payment)
  end
  local inner = json.get(json.get(answer.body, "compute"), "result")
  local value = ask.shape(client, verb, answer, type(inner) == "table" and inner or nil,
    { billing = billing_of(answer.body) })
  media.keep(client, value, checked, answer.payment.purchase)
  call.hand_over(handle)
  return value
end

return execute
