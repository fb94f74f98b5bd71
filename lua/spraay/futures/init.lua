-- SPDX-License-Identifier: MIT
--- Compute futures: credit deposited once, drawn down call by call. Two dialects: "ledger", where an account is a
-- row at the gateway named CFE-…, and "escrow", where it is a contract's record under the depositor's address.
-- Which one a gateway keeps is told by its answers, never by discovery: futures/dialect.lua.
local call = require "spraay.call"
local compat = require "spraay.compat"
local core = require "spraay.core"
local dialect = require "spraay.futures.dialect"
local errors = require "spraay.errors"
local escrow = require "spraay.futures.escrow"
local execute = require "spraay.futures.execute"
local ledger = require "spraay.futures.ledger"
local money = require "spraay.money"
local options = require "spraay.options"
local result = require "spraay.result"
local routes = require "spraay.routes"
local shared = require "spraay.futures.shared"

local futures = {}

local Futures, Account = {}, {}

futures.deposit_fields = { "amount", "confirm", "depositor", "expires_in_days" }
futures.dialect_of = dialect.of

local DIALECTS = { ledger = ledger, escrow = escrow }

local futures_mt = { __name = "spraay.futures", __index = Futures }
local account_mt = { __name = "spraay.account", __index = Account }

local function give(client, value, message, err)
  if value ~= nil then return value end
  if client.config.errors == "raise" then error(err, 0) end
  return nil, message, err
end

--- The futures of a client.
function futures.new(client)
  return setmetatable({ client = client }, futures_mt)
end

local function new_account(client, fields)
  fields.client = client
  return setmetatable(fields, account_mt)
end

-- ---- client.futures ------------------------------------------------------------------------

local function pricing(client, opts, where)
  local answer, handle, err = shared.ask(client, "pricing", nil, opts, nil, where)
  if not answer then return nil, handle, err end
  local told = dialect.learn(client, dialect.of_pricing(answer.body), answer.body)
  local value = result.new { client = client, body = answer.body, payment = answer.payment,
    dialect = told }
  call.hand_over(handle)
  return value, answer
end

-- What an earlier process has heard may not be true any more, and a deposit in the escrow asks the gateway nothing.
-- So it is asked for a balance without saying whose: it verifies the fee, complains in its own words, and takes none.
local function confirm_dialect(client, remembered, opts, where)
  local answer, handle, err = shared.ask(client, "balance", nil, { total_ms = opts.total_ms }, nil, where)
  local told = dialect.learn(client, dialect.of((answer or err).body), (answer or err).body)
  if answer then call.hand_over(handle) end
  if told then return told, answer and answer.payment end
  if answer then return dialect.unknown(where, answer) end
  err.message = ("%s: nothing was deposited, for this gateway did not say whether it keeps compute futures as it "
    .. "did: %s"):format(where, err.message)
  err.hint = err.hint or "futures = \"" .. remembered .. "\" in spraay.open says it"
  return errors.fail(err)
end

-- Which dialect a deposit is to be made in; where that is not known, the gateway is asked, and what that cost is the
-- second value.
local function settle_dialect(client, opts, where)
  local told, sure = dialect.recall(client)
  if sure or told and client.config.dry_run then return told end   -- a dry run moves nothing, wherever that would be
  if told then return confirm_dialect(client, told, opts, where) end
  local value, message, err = pricing(client, { total_ms = opts.total_ms }, where)
  if not value then return nil, message, err end
  if not value.dialect then return dialect.unknown(where, value) end
  if value.dialect == "escrow" then
    local ok
    ok, message, err = escrow.check_contract(client, value.body, where, value.payment)
    if not ok then return nil, message, err end
  end
  return value.dialect, value.payment
end

-- The payment of a deposit that began with a look at the pricing.
local function with_look(look, payment)
  local out = {}
  for key, value in pairs(payment) do out[key] = value end
  out.amount = money.format(money.add(money.atomic(look.amount), money.atomic(payment.amount or "0")))
  out.parts = { look, payment }
  return out
end

-- It came to nothing, but the look was paid for.
local function owed_look(look, err)
  err.results = err.results or { look }
  if err.paid ~= "no" then return errors.fail(err) end
  err.paid, err.amount, err.purchase = call.paid_word(look), look.amount, look.purchase
  err.message = err.message .. "; only the look at the gateway's pricing was paid for"
  return errors.fail(err)
end

local MINIMUM = "1000000"

local function deposit(client, given, opts)
  local where = "futures:deposit"
  if type(given) == "string" then given = { amount = given } end
  local ok, message, err = shared.check_names(given, futures.deposit_fields, where)
  if not ok then return nil, message, err end
  local checked
  checked, message, err = options.per_call(opts, where)
  if not checked then return nil, message, err end
  if given.amount == nil then
    return errors.usage(where .. ": amount is required, such as \"50\"", nil, "amount")
  end
  local atomic, why = money.atomic(given.amount)
  if not atomic then return errors.usage(where .. ": amount " .. why, nil, "amount") end
  if money.compare(atomic, MINIMUM) < 0 then
    return errors.usage(where .. ": the gateway takes deposits from 1 USDC on", nil, "amount")
  end
  if given.confirm ~= nil and type(given.confirm) ~= "boolean" then
    return errors.usage(where .. ": confirm must be true or false", nil, "argument")
  end
  if given.depositor ~= nil and not shared.is_address(given.depositor) then
    return errors.usage(where .. ": depositor must be an EVM address, 0x and 40 hex digits", nil, "argument")
  end
  local days = given.expires_in_days == nil and 90 or compat.integer(given.expires_in_days)
  if not days or days < 1 or days > 3650 then
    return errors.usage(where .. ": expires_in_days must be a whole number of days", nil, "argument")
  end
  local told, look
  told, look, err = settle_dialect(client, checked, where)
  if not told then return nil, look, err end
  if look and look.status ~= "settled" and look.status ~= "unconfirmed" then look = nil end   -- it cost nothing now
  local fields
  fields, message, err = DIALECTS[told].deposit(client, given, atomic, checked, where)
  if not fields and look then return owed_look(look, err) end
  if not fields then return nil, message, err end
  if look then fields.payment = with_look(look, fields.payment) end
  return new_account(client, fields)
end

--- Deposit credit: { amount = "50" } gives an account. In the ledger dialect the call itself costs 0.01 USDC; in
-- the escrow dialect the deposit is a transaction of the wallet's own, and costs gas.
function Futures:deposit(given, opts)
  return give(self.client, call.guarded(deposit, self.client, given, opts))
end

local function account_of(client, id)
  local where = "futures:account"
  local told = dialect.known(client)
  if shared.is_address(id) then
    local address, _, code = core.evm_address_parse(id:gsub("^0X", "0x"), "checksum")
    if not address then
      return errors.usage(where .. ": " .. (code == "CHECKSUM" and "the address is misspelt: its checksum is wrong"
        or "the address is none"), nil, "argument")
    end
    if told == "ledger" then return dialect.mismatch(where, told, client.config.futures ~= nil) end
    return new_account(client, { id = address, address = address, depositor = address, dialect = "escrow" })
  end
  if type(id) ~= "string" or not id:upper():match("^CFE%-[%w]+$") or #id > 64 then
    return errors.usage(where .. ": expected an id such as \"CFE-0123456789ABCDEF\", or the depositor's address", nil,
      "argument")
  end
  if told == "escrow" then return dialect.mismatch(where, told, client.config.futures ~= nil) end
  return new_account(client, { id = id:upper(), dialect = "ledger" })
end

--- An account by its id (ledger dialect) or by its address (escrow dialect).
function Futures:account(id)
  return give(self.client, account_of(self.client, id))
end

--- Tiers and prices of both kinds of futures; result.dialect says which the gateway keeps.
function Futures:pricing(opts)
  local checked, message, err = options.per_call(opts, "futures:pricing")
  if not checked then return give(self.client, nil, message, err) end
  local value
  value, message, err = call.guarded(pricing, self.client, checked, "futures:pricing")
  return give(self.client, value, message, err)
end

-- ---- an account ------------------------------------------------------------------------------

--- One job on the account: { type = "chat", … }. Costs 0.001 USDC and the job's discounted list price
-- from the balance. The same shape as the per-call verbs, with result.billing.
function Account:execute(given, opts)
  local where = "account:execute"
  local verb = type(given) == "table" and routes.kinds[given.type or false]
  if not verb then
    return give(self.client, errors.usage(where .. ": expected a table with a type",
      "Types are chat, image, video, speak, transcribe and embed", "argument"))
  end
  return give(self.client, call.guarded(execute.run, self, verb, given, opts, where))
end

for _, verb in ipairs { "chat", "image", "video", "speak", "transcribe", "embed" } do
  Account[verb] = function(self, given, opts)
    return give(self.client, call.guarded(execute.run, self, verb, given, opts, "account:" .. verb))
  end
end

--- What is left: result.balance, .deposited, .used (exact decimal strings), .job_count, .tier. Of an escrow account
-- the chain is asked, which costs nothing; { via = "gateway" } asks the gateway.
function Account:balance(opts)
  return give(self.client, call.guarded(DIALECTS[self.dialect].balance, self, opts))
end

local function history(self, given, opts)
  local where = "account:history"
  local ok, message, err = shared.check_names(given or {}, { "limit" }, where)
  if not ok then return nil, message, err end
  local checked
  checked, message, err = options.per_call(opts, where)
  if not checked then return nil, message, err end
  local limit
  if given and given.limit ~= nil then
    limit = compat.integer(given.limit)
    if not limit or limit < 1 then
      return errors.usage(where .. ": limit must be a whole number from 1 on", nil, "argument")
    end
  end
  return DIALECTS[self.dialect].history(self, limit, checked)
end

--- The jobs run on the account, newest first: result.entries, exact. { limit = 50 } Of an escrow account they are
-- read from the contract's events, which costs nothing.
function Account:history(given, opts)
  return give(self.client, call.guarded(history, self, given, opts))
end

local REFUND = { "amount", "confirm", "depositor" }

local function refund(self, opts)
  local where = "account:refund"
  if opts ~= nil and type(opts) ~= "table" then
    return errors.usage(where .. ": expected a table of options", nil, "option")
  end
  local own, rest = {}, {}
  for key, value in pairs(opts or {}) do rest[key] = value end
  for _, name in ipairs(REFUND) do own[name], rest[name] = rest[name], nil end
  local checked, message, err = options.per_call(rest, where)
  if not checked then return nil, message, err end
  return DIALECTS[self.dialect].refund(self, own, checked)
end

--- Give the rest back, or { amount = "10" } of it in the escrow dialect: result.refunded. The ledger's gateway only
-- closes the account; from the escrow the wallet takes the money itself, by a transaction of its own.
function Account:refund(opts)
  return give(self.client, call.guarded(refund, self, opts))
end

-- A ledger id can spend the account, so it is not shown whole; an address is public.
account_mt.__tostring = function(self)
  if self.dialect == "escrow" then return "compute future of " .. self.id end
  return ("compute future %s…"):format(self.id:sub(1, 8))
end

return futures
