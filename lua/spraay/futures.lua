-- SPDX-License-Identifier: MIT
--- Compute futures: credit deposited once, drawn down call by call. This version speaks the ledger
-- dialect, in which an account is a row at the gateway named CFE-…; whoever knows the id can spend
-- it. The other dialect keeps the credit in a contract; it is told by its answers, never by
-- discovery, and refused with what was paid and what to do.
local args = require "spraay.args"
local ask = require "spraay.ask"
local call = require "spraay.call"
local compat = require "spraay.compat"
local errors = require "spraay.errors"
local json = require "spraay.json"
local media = require "spraay.media"
local models = require "spraay.models"
local money = require "spraay.money"
local options = require "spraay.options"
local result = require "spraay.result"
local routes = require "spraay.routes"
local task = require "spraay.task"
local turns = require "spraay.turns"
local verbs = require "spraay.verbs"
local wait = require "spraay.wait"

local futures = {}

-- Executes on one account follow each other by this much: the gateway reads the balance, works, and
-- writes it back, so two at once could both start from the same balance.
local SPACING = 1.5

local Futures, Account = {}, {}

futures.deposit_fields = { "amount", "depositor", "expires_in_days" }
local futures_mt = { __name = "spraay.futures", __index = Futures }
local account_mt = { __name = "spraay.account", __index = Account }

local function give(client, value, message, err)
  if value ~= nil then return value end
  if client.config.errors == "raise" then error(err, 0) end
  return nil, message, err
end

-- ---- money texts ---------------------------------------------------------------------

-- "$49.973 USDC" as "49.973000"; nil for what is no amount.
local function exact(text)
  local atomic = money.shown(text)
  return atomic and money.format(atomic) or nil
end

-- The billing part of an execute answer, exact, with the gateway's own texts beside it.
local function billing_of(body)
  local billing = json.get(body, "billing")
  if type(billing) ~= "table" then return nil end
  return {
    charged = exact(json.get(billing, "charged")), balance = exact(json.get(billing, "balanceRemaining")),
    base_price = exact(json.get(billing, "basePrice")), discount = json.get(billing, "discount"),
    job_number = json.get(billing, "jobNumber"), status = json.get(billing, "accountStatus"),
    original = billing,
  }
end

-- ---- dialects --------------------------------------------------------------------------

-- "ledger", "escrow" or nil: what an answer tells about who gave it.
local function dialect_of(body)
  if type(body) ~= "table" then return nil end
  local said = json.get(body, "error")
  local billing = json.get(body, "billing")
  if json.get(body, "status") == "sign_required" or json.get(body, "transactions")
    or json.get(body, "transaction")
    or json.get(body, "source") == "on-chain" or json.get(body, "onChain") or json.get(body, "howItWorks")
    or json.get(billing, "settlement") == "on-chain" then
    return "escrow"
  end
  if type(said) == "string" then
    if said:find("address query param", 1, true) or said:find("depositor (address)", 1, true)
      or said:find("depositor address required", 1, true) or said:find("No compute credits", 1, true) then
      return "escrow"
    end
    if said:find("id query param", 1, true) or said:find("futuresId", 1, true)
      or said:find("Compute future not found", 1, true) then
      return "ledger"
    end
  end
  if json.get(body, "computeFuture") or json.get(body, "refund") or json.get(body, "expiresAt")
    or json.get(billing, "jobNumber") then
    return "ledger"
  end
  return nil
end

futures.dialect_of = dialect_of

-- The error for an answer in the other dialect. `answer` was paid for when it has a payment.
local function escrow_error(verb, body, payment)
  local paid = payment and payment.status ~= "free"
  return errors.new {
    kind = "gateway", code = "escrow", body = body,
    paid = call.paid_word(payment),
    amount = paid and payment.amount or nil, purchase = payment and payment.purchase,
    message = verb .. ": this gateway keeps compute futures in an on-chain escrow, and this version speaks "
      .. "the ledger dialect only; no credit was moved",
    hint = paid and "That is the gateway's fee for its answer, which is in err.body with the transactions it "
      .. "wants signed; do not sign them unread" or "Pay per call instead",
  }
end

local CARRIED = { "paid", "expect", "until_", "amount", "purchase", "status" }

-- An error of a call, told anew when it is the escrow speaking.
local function translate(verb, message, err)
  if dialect_of(err.body) == "escrow" and err.code ~= "credits" then
    local told = escrow_error(verb, err.body)
    for _, key in ipairs(CARRIED) do told[key] = err[key] end
    return errors.fail(told)
  end
  return nil, message, err
end

-- ---- requests ----------------------------------------------------------------------------

local function escape(text)
  return (text:gsub("[^%w%-_%.~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

-- What these routes do cannot be undone, so their payments are presented once: after a lost answer the
-- advice is to look, not to call again.
local AFTER_LOSS = {
  execute = "See in account:balance() whether the job was charged; { again = true } runs it anew",
  deposit = "The account may be there without anybody knowing its id; { again = true } deposits anew",
  refund = "See in account:balance() whether the account was refunded",
}

-- The same for an account that can do no more.
local function account_is_over(err)
  local said = json.get(err.body, "error")
  return type(said) == "string"
    and (said:find("account status is", 1, true) or said:find("has expired", 1, true)) ~= nil
end

local function ask_route(client, name, body, opts, query, verb, turn)
  local request, message, err = ask.request(client, name, body, opts, query)
  if not request then return nil, message, err end
  request.verb, request.turn = verb, turn
  local answer, handle
  answer, handle, err = ask.json(client, request)
  if answer then return answer, handle end
  if err.paid == "maybe" and err.expect ~= "no" and AFTER_LOSS[name] then
    err.hint = AFTER_LOSS[name]
  elseif name == "execute" and account_is_over(err) then
    err.code, err.hint = "account", "The account can do no more; make a new deposit"
  end
  return translate(verb, errors.sentence(err), err)
end

local function check_names(given, known, where)
  if type(given) ~= "table" then return errors.usage(where .. ": expected a table", nil, "argument") end
  local key, strange = errors.stranger(given, known)
  if strange then
    return errors.unknown(where, "field", key, known, "Its fields are " .. errors.list(known))
  end
  return true
end

local function is_address(text)
  return type(text) == "string" and #text == 42 and text:match("^0[xX]%x+$") ~= nil
end

-- The caller's address: given, or the wallet's.
local function address_of(client, given, where)
  if given ~= nil then
    if not is_address(given) then
      return errors.usage(where .. ": depositor must be an EVM address, 0x and 40 hex digits", nil,
        "argument")
    end
    return given
  end
  local wallet = client.config.wallets[1]
  if not wallet then
    return errors.usage(where .. ": without a wallet, depositor is required", nil, "argument")
  end
  return wallet:address()
end

-- ---- client.futures ------------------------------------------------------------------------

--- The futures of a client.
function futures.new(client)
  return setmetatable({ client = client }, futures_mt)
end

local function new_account(client, fields)
  fields.client = client
  return setmetatable(fields, account_mt)
end

local function deposit(client, given, opts)
  local where = "futures:deposit"
  if type(given) == "string" then given = { amount = given } end
  local ok, message, err = check_names(given, futures.deposit_fields, where)
  if not ok then return nil, message, err end
  local checked
  checked, message, err = options.per_call(opts, where)
  if not checked then return nil, message, err end
  if given.amount == nil then
    return errors.usage(where .. ": amount is required, such as \"50\"", nil, "amount")
  end
  local atomic, why = money.atomic(given.amount)
  if not atomic then return errors.usage(where .. ": amount " .. why, nil, "amount") end
  if money.compare(atomic, "1000000") < 0 then
    return errors.usage(where .. ": the gateway takes deposits from 1 USDC on", nil, "amount")
  end
  local days = given.expires_in_days == nil and 90 or compat.integer(given.expires_in_days)
  if not days or days < 1 or days > 3650 then
    return errors.usage(where .. ": expires_in_days must be a whole number of days", nil, "argument")
  end
  local depositor
  depositor, message, err = address_of(client, given.depositor, where)
  if not depositor then return nil, message, err end
  local answer, handle
  answer, handle, err = ask_route(client, "deposit",
    { depositor = depositor, amount = money.short(atomic), expiresInDays = days }, checked, nil, where)
  if not answer then return nil, handle, err end
  if dialect_of(answer.body) == "escrow" then
    call.hand_over(handle)
    return errors.fail(escrow_error(where, answer.body, answer.payment))
  end
  local row = json.get(answer.body, "computeFuture")
  local id = json.get(row, "id")
  if type(id) ~= "string" then
    handle:close()
    return errors.fail { kind = "gateway", code = "answer", body = answer.body,
      paid = call.paid_word(answer.payment), amount = answer.payment.amount, purchase = answer.payment.purchase,
      message = where .. ": the gateway's answer names no account", hint = "The answer is in err.body" }
  end
  local account = new_account(client, {
    id = id:upper(), depositor = json.get(row, "depositor") or depositor, payment = answer.payment,
    body = answer.body,
    deposited = exact(json.get(row, "depositAmount")),
    balance_at_deposit = exact(json.get(row, "balanceRemaining")),
    tier = json.get(row, "tier"), discount = json.get(row, "discount"),
    expires_at = json.get(row, "expiresAt"),
  })
  call.hand_over(handle)
  return account
end

--- Deposit credit: { amount = "50" } gives an account. The deposit call itself costs 0.01 USDC.
function Futures:deposit(given, opts)
  return give(self.client, call.guarded(deposit, self.client, given, opts))
end

--- An account by its id.
function Futures:account(id)
  local where = "futures:account"
  if is_address(id) then
    return give(self.client, errors.usage(where .. ": an address names an account of the escrow dialect, "
      .. "which this version does not speak", "An account of the ledger dialect is named by its CFE- id",
        "escrow"))
  end
  if type(id) ~= "string" or not id:upper():match("^CFE%-[%w]+$") or #id > 64 then
    return give(self.client, errors.usage(where .. ": expected an id such as \"CFE-0123456789ABCDEF\"", nil,
      "argument"))
  end
  return new_account(self.client, { id = id:upper() })
end

local function pricing(client, opts)
  local checked, message, err = options.per_call(opts, "futures:pricing")
  if not checked then return nil, message, err end
  local answer, handle
  answer, handle, err = ask_route(client, "pricing", nil, checked, nil, "futures:pricing")
  if not answer then return nil, handle, err end
  local value = result.new { client = client, body = answer.body, payment = answer.payment,
    dialect = json.get(answer.body, "contract") and "escrow" or "ledger" }
  call.hand_over(handle)
  return value
end

--- Tiers and prices of both kinds of futures; result.dialect says which the gateway keeps.
function Futures:pricing(opts)
  return give(self.client, call.guarded(pricing, self.client, opts))
end

-- ---- an account ------------------------------------------------------------------------------

local EXECUTE_SKIP = { type = true }

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

-- A result although the answer is an error: the work was done and only the booking failed.
local function salvage(client, verb, err)
  local body = err.body
  local compute = json.get(body, "compute")
  local inner = json.get(compute, "result")
  if type(inner) ~= "table" then return nil end
  return ask.shape(client, verb, { body = body }, inner, {
    payment = { status = "unconfirmed", amount = err.amount, purchase = err.purchase,
      expect = err.expect or "no" },
    billing = { charged = "0.000000", original = json.get(body, "billing"),
      note = "the gateway could not charge the account" },
  })
end

local function execute(self, verb, given, opts, where)
  local client = self.client
  local checked, message, err = options.per_call(opts, where)
  if not checked then return nil, message, err end
  local kind = routes.table[verb].kind
  if type(given) == "string" then given = { [verbs.text_field[verb]] = given } end
  if verb == "embed" then given = verbs.embed_arguments(given) end
  local body
  body, message, err = args.job(verb, given, where, { kind = kind, unchecked = checked.unchecked, many = true,
    skip = EXECUTE_SKIP })
  if not body then return nil, message, err end
  local ok
  ok, message, err = check_price(client, kind, body.model, checked)
  if not ok then return nil, message, err end
  body.futuresId, body.type = self.id, kind
  checked.max = nil   -- it bounds fee and draw together, checked above; the fee has its published price

  local turn = turns.take(client.config.gateway .. " " .. self.id, SPACING)
  if not turn then return errors.fail(wait.cancelled_error()) end
  local function leave(went, ...)
    turn:leave()
    if not went then error((...), 0) end
    return ...
  end

  local answer, handle
  answer, handle, err = leave(task.pcall(ask_route, client, "execute", body, checked, nil, where, turn))
  if not answer then
    local saved = salvage(client, verb, err)
    if saved then return saved end
    return nil, handle, err
  end
  if dialect_of(answer.body) == "escrow" then
    call.hand_over(handle)
    return errors.fail(escrow_error(where, answer.body, answer.payment))
  end
  local inner = json.get(json.get(answer.body, "compute"), "result")
  local value = ask.shape(client, verb, answer, type(inner) == "table" and inner or nil,
    { billing = billing_of(answer.body) })
  media.keep(client, value, checked, answer.payment.purchase)
  call.hand_over(handle)
  return value
end

--- One job on the account: { type = "chat", … }. Costs 0.001 USDC and the job's discounted list price
-- from the balance. The same shape as the per-call verbs, with result.billing.
function Account:execute(given, opts)
  local where = "account:execute"
  local verb = type(given) == "table" and routes.kinds[given.type or false]
  if not verb then
    return give(self.client, errors.usage(where .. ": expected a table with a type",
      "Types are chat, image, video, speak, transcribe and embed", "argument"))
  end
  return give(self.client, call.guarded(execute, self, verb, given, opts, where))
end

for _, verb in ipairs { "chat", "image", "video", "speak", "transcribe", "embed" } do
  Account[verb] = function(self, given, opts)
    return give(self.client, call.guarded(execute, self, verb, given, opts, "account:" .. verb))
  end
end

local function balance(self, opts)
  local checked, message, err = options.per_call(opts, "account:balance")
  if not checked then return nil, message, err end
  local answer, handle
  answer, handle, err = ask_route(self.client, "balance", nil, checked, "?id=" .. escape(self.id),
    "account:balance")
  if not answer then return nil, handle, err end
  local body = answer.body
  call.hand_over(handle)
  if dialect_of(body) == "escrow" then
    return errors.fail(escrow_error("account:balance", body, answer.payment))
  end
  self.depositor = self.depositor or json.get(body, "depositor")
  return result.new {
    client = self.client, body = body, payment = answer.payment,
    balance = exact(json.get(body, "balanceRemaining")),
    deposited = exact(json.get(body, "depositAmount")), used = exact(json.get(body, "totalUsed")),
    job_count = json.get(body, "jobCount"), expires_at = json.get(body, "expiresAt"),
    summary_ = ("%s: %s USDC left"):format(self.id, exact(json.get(body, "balanceRemaining")) or "?"),
  }
end

--- What is left: result.balance, .deposited, .used (exact decimal strings), .job_count, .status, .tier.
function Account:balance(opts)
  return give(self.client, call.guarded(balance, self, opts))
end

local function history(self, given, opts)
  local where = "account:history"
  local ok, message, err = check_names(given or {}, { "limit" }, where)
  if not ok then return nil, message, err end
  local checked
  checked, message, err = options.per_call(opts, where)
  if not checked then return nil, message, err end
  local query = "?id=" .. escape(self.id)
  if given and given.limit ~= nil then
    local limit = compat.integer(given.limit)
    if not limit or limit < 1 then
      return errors.usage(where .. ": limit must be a whole number from 1 on", nil, "argument")
    end
    query = query .. "&limit=" .. compat.integer_text(limit)
  end
  local answer, handle
  answer, handle, err = ask_route(self.client, "history", nil, checked, query, where)
  if not answer then return nil, handle, err end
  local body = answer.body
  call.hand_over(handle)
  if dialect_of(body) == "escrow" then return errors.fail(escrow_error(where, body, answer.payment)) end
  local entries = {}
  local usage = json.get(body, "usage")
  for i, row in ipairs(type(usage) == "table" and usage or {}) do
    entries[i] = {
      type = json.get(row, "jobType"), model = json.get(row, "model"), label = json.get(row, "modelLabel"),
      base_price = exact(json.get(row, "basePrice")), charged = exact(json.get(row, "effectivePrice")),
      balance_before = exact(json.get(row, "balanceBefore")),
      balance_after = exact(json.get(row, "balanceAfter")),
      timestamp = json.get(row, "timestamp"),
    }
  end
  return result.new { client = self.client, body = body, payment = answer.payment, entries = entries,
    balance = exact(json.get(body, "balanceRemaining")),
    summary_ = ("%s: %d jobs"):format(self.id, #entries) }
end

--- The jobs run on the account, newest first: result.entries, exact. { limit = 50 }
function Account:history(given, opts)
  return give(self.client, call.guarded(history, self, given, opts))
end

local function refund(self, opts)
  local where = "account:refund"
  local given = { depositor = type(opts) == "table" and opts.depositor or nil }
  local rest = {}
  for key, value in pairs(type(opts) == "table" and opts or {}) do
    if key ~= "depositor" then rest[key] = value end
  end
  if opts ~= nil and type(opts) ~= "table" then rest = opts end
  local checked, message, err = options.per_call(rest, where)
  if not checked then return nil, message, err end
  local caller
  caller, message, err = address_of(self.client, given.depositor or self.depositor, where)
  if not caller then return nil, message, err end
  local answer, handle
  answer, handle, err = ask_route(self.client, "refund", { futuresId = self.id, caller = caller }, checked,
    nil, where)
  if not answer then return nil, handle, err end
  call.hand_over(handle)
  if dialect_of(answer.body) == "escrow" then
    return errors.fail(escrow_error(where, answer.body, answer.payment))
  end
  local part = json.get(answer.body, "refund")
  local refunded = exact(json.get(part, "refundAmount"))
  return result.new { client = self.client, body = answer.body, payment = answer.payment, refunded = refunded,
    used = exact(json.get(part, "totalUsed")),
    summary_ = ("%s: %s USDC refunded"):format(self.id, refunded or "?") }
end

--- Give the rest back: result.refunded. The ledger's gateway only closes the account; nothing moves on a
-- chain.
function Account:refund(opts)
  return give(self.client, call.guarded(refund, self, opts))
end

-- The id can spend the account, so it is not shown whole.
account_mt.__tostring = function(self)
  return ("compute future %s…"):format(self.id:sub(1, 8))
end

return futures
