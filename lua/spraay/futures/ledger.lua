-- SPDX-License-Identifier: MIT
--- The ledger dialect: an account is a row at the gateway, named CFE-…; whoever knows the id can spend it.
local call = require "spraay.call"
local compat = require "spraay.compat"
local dialect = require "spraay.futures.dialect"
local errors = require "spraay.errors"
local json = require "spraay.json"
local money = require "spraay.money"
local options = require "spraay.options"
local result = require "spraay.result"
local shared = require "spraay.futures.shared"
local wallets = require "spraay.wallet"

local ledger = {}

local exact = shared.exact

-- Take an answer over, or say that it is the other dialect's.
local function in_dialect(client, where, answer, handle)
  local told = dialect.learn(client, dialect.of(answer.body))
  if told ~= "escrow" then return true end
  call.hand_over(handle)
  return dialect.surprise(client, where, told, answer.body, answer.payment)
end

-- The caller's address: given, or the wallet's.
local function address_of(client, given, where)
  if given ~= nil then
    if not shared.is_address(given) then
      return errors.usage(where .. ": depositor must be an EVM address, 0x and 40 hex digits", nil,
        "argument")
    end
    return given
  end
  local wallet = wallets.on(client.config.wallets, "evm")
  if not wallet then
    return errors.usage(where .. ": without a wallet, depositor is required", nil, "argument")
  end
  return wallet:address()
end

--- Deposit credit. `atomic` is checked. Returns the fields of an account, or nil, message, err.
function ledger.deposit(client, given, atomic, opts, where)
  local days = compat.integer(given.expires_in_days or 90)
  local depositor, message, err = address_of(client, given.depositor, where)
  if not depositor then return nil, message, err end
  local answer, handle
  answer, handle, err = shared.ask(client, "deposit",
    { depositor = depositor, amount = money.short(atomic), expiresInDays = days }, opts, nil, where, "ledger")
  if not answer then return nil, handle, err end
  local ok
  ok, message, err = in_dialect(client, where, answer, handle)
  if not ok then return nil, message, err end
  local row = json.get(answer.body, "computeFuture")
  local id = json.get(row, "id")
  if type(id) ~= "string" then
    handle:close()
    return errors.fail { kind = "gateway", code = "answer", body = answer.body,
      paid = call.paid_word(answer.payment), amount = answer.payment.amount, purchase = answer.payment.purchase,
      message = where .. ": the gateway's answer names no account", hint = "The answer is in err.body" }
  end
  local fields = {
    id = id:upper(), depositor = json.get(row, "depositor") or depositor, payment = answer.payment,
    body = answer.body, dialect = "ledger",
    deposited = exact(json.get(row, "depositAmount")),
    balance_at_deposit = exact(json.get(row, "balanceRemaining")),
    tier = json.get(row, "tier"), discount = json.get(row, "discount"),
    expires_at = json.get(row, "expiresAt"),
  }
  call.hand_over(handle)
  return fields
end

function ledger.balance(account, opts)
  local where = "account:balance"
  local checked, message, err = options.per_call(opts, where)
  if not checked then return nil, message, err end
  local answer, handle
  answer, handle, err = shared.ask(account.client, "balance", nil, checked, "?id=" .. shared.escape(account.id), where,
    "ledger")
  if not answer then return nil, handle, err end
  local ok
  ok, message, err = in_dialect(account.client, where, answer, handle)
  if not ok then return nil, message, err end
  local body = answer.body
  call.hand_over(handle)
  account.depositor = account.depositor or json.get(body, "depositor")
  return result.new {
    client = account.client, body = body, payment = answer.payment, dialect = "ledger",
    balance = exact(json.get(body, "balanceRemaining")),
    deposited = exact(json.get(body, "depositAmount")), used = exact(json.get(body, "totalUsed")),
    job_count = json.get(body, "jobCount"), expires_at = json.get(body, "expiresAt"),
    summary_ = ("%s: %s USDC left"):format(account.id, exact(json.get(body, "balanceRemaining")) or "?"),
  }
end

--- `limit` is checked; nil when there is none.
function ledger.history(account, limit, opts)
  local where = "account:history"
  local query = "?id=" .. shared.escape(account.id)
  if limit then query = query .. "&limit=" .. compat.integer_text(limit) end
  local answer, handle, err = shared.ask(account.client, "history", nil, opts, query, where, "ledger")
  if not answer then return nil, handle, err end
  local ok, message
  ok, message, err = in_dialect(account.client, where, answer, handle)
  if not ok then return nil, message, err end
  local body = answer.body
  call.hand_over(handle)
  local entries = {}
  local usage = json.get(body, "usage")
  for i, row in ipairs(type(usage) == "table" and usage or {}) do
    entries[i] = {
      type = json.get(row, "jobType"), model = json.get(row, "model"), label = json.get(row, "modelLabel"),
      base_price = exact(json.get(row, "basePrice")), charged = exact(json.get(row, "effectivePrice")),
      balance_before = exact(json.get(row, "balanceBefore")),
      balance_after = exact(json.get(row, "balanceAfter")),
      time = shared.seconds(json.get(row, "timestamp")), timestamp = json.get(row, "timestamp"),
    }
  end
  return result.new { client = account.client, body = body, payment = answer.payment, entries = entries,
    dialect = "ledger", balance = exact(json.get(body, "balanceRemaining")),
    summary_ = ("%s: %d jobs"):format(account.id, #entries) }
end

--- The gateway only closes the account; nothing moves on a chain.
function ledger.refund(account, given, opts)
  local where = "account:refund"
  if given.amount ~= nil or given.confirm ~= nil then
    return errors.usage(where .. ": an account of the ledger dialect is refunded whole, by its gateway",
      "Leave amount and confirm out", "argument")
  end
  local caller, message, err = address_of(account.client, given.depositor or account.depositor, where)
  if not caller then return nil, message, err end
  local answer, handle
  answer, handle, err = shared.ask(account.client, "refund", { futuresId = account.id, caller = caller }, opts, nil,
    where, "ledger")
  if not answer then return nil, handle, err end
  local ok
  ok, message, err = in_dialect(account.client, where, answer, handle)
  if not ok then return nil, message, err end
  call.hand_over(handle)
  local part = json.get(answer.body, "refund")
  local refunded = exact(json.get(part, "refundAmount"))
  return result.new { client = account.client, body = answer.body, payment = answer.payment, refunded = refunded,
    dialect = "ledger", used = exact(json.get(part, "totalUsed")),
    summary_ = ("%s: %s USDC refunded"):format(account.id, refunded or "?") }
end

return ledger
