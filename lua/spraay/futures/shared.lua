-- SPDX-License-Identifier: MIT
--- What both dialects of compute futures share: requests, amounts, fields.
local ask = require "spraay.ask"
local compat = require "spraay.compat"
local dialect = require "spraay.futures.dialect"
local errors = require "spraay.errors"
local json = require "spraay.json"
local money = require "spraay.money"

local shared = {}

--- "$49.973 USDC" as "49.973000"; nil for what is no amount.
function shared.exact(text)
  local atomic = money.shown(text)
  return atomic and money.format(atomic) or nil
end

-- Days from 1970 to the first of March of a year, and to the month after that (Gregorian).
local function days_of(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  local leap = math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
  return 365 * year + leap + math.floor((153 * (month - 3) + 2) / 5) + day - 719469
end

--- "2026-11-24T17:04:43.120Z" as whole seconds since 1970; nil for what is no moment.
function shared.seconds(text)
  if type(text) ~= "string" then return nil end
  local year, month, day, hour, minute, second = text:match "^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)%.?%d*Z$"
  if not year then return nil end
  return compat.integer(days_of(tonumber(year), tonumber(month), tonumber(day)) * 86400 + tonumber(hour) * 3600
    + tonumber(minute) * 60 + tonumber(second))
end

function shared.escape(text)
  return (text:gsub("[^%w%-_%.~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

function shared.is_address(text)
  return type(text) == "string" and #text == 42 and text:match("^0[xX]%x+$") ~= nil
end

function shared.check_names(given, known, where)
  if type(given) ~= "table" then return errors.usage(where .. ": expected a table", nil, "argument") end
  local key, strange = errors.stranger(given, known)
  if strange then
    return errors.unknown(where, "field", key, known, "Its fields are " .. errors.list(known))
  end
  return true
end

--- An error of a call that had paid for something else before: the payment is said in it.
function shared.beside(err, payment, what)
  local amount = payment and (payment.status == "settled" or payment.status == "unconfirmed") and payment.amount
  if not amount then return err end
  err.message = ("%s; %s USDC were paid for %s"):format(err.message, money.short((money.atomic(amount))), what)
  if err.paid == "no" then
    err.paid, err.amount = payment.status == "settled" and "yes" or "maybe", amount
  end
  return err
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

--- Ask a route of compute futures. `expected` is the dialect that it is asked in: an error that tells of the
-- other one is told as that. `turn` is the one it is asked in, if any. Returns the answer and the core's call, or nil,
-- message, err.
function shared.ask(client, name, body, opts, query, verb, expected, turn)
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
  local told = dialect.learn(client, dialect.of(err.body), err.body)
  if expected and told and told ~= expected and err.code ~= "credits" then
    return dialect.surprise(client, verb, told, err.body, nil, err)
  end
  return nil, errors.sentence(err), err
end

return shared
