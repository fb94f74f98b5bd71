-- SPDX-License-Identifier: MIT
--- What the core says of a call that came to nothing, as an error value: with the gateway's own words, and
-- with what to do next.
local errors = require "spraay.errors"
local json = require "spraay.json"
local money = require "spraay.money"
local networks = require "spraay.options.networks"
local routes = require "spraay.routes"

local failure = {}

local NAMES = {}
for name, id in pairs(networks) do NAMES[id] = name end

--- An answer's body: decoded when it is JSON, else as it is.
function failure.body(text)
  if type(text) ~= "string" or text == "" then return nil end
  local value = json.decode(text)
  if value == nil then return text end
  return value
end

-- What the gateway itself wrote and the core's sentence does not already say, as a clause.
local function gateway_words(body, headers, message)
  local words
  if type(body) == "table" then
    local said, more = json.get(body, "error"), json.get(body, "message")
    if type(said) == "string" and not message:find(errors.foreign(said) or "", 1, true) then
      words = errors.foreign(said)
    elseif type(said) == "string" and not said:find(" ", 1, true) and type(more) == "string" then
      words = errors.foreign(more)   -- `error` was a code; `message` is its sentence
    end
  elseif type(body) == "string" and body ~= "" then
    local kind = headers and headers["content-type"] or ""
    if kind:find("html", 1, true) or body:match("^%s*<") then
      return ", with a web page instead of an answer"
    end
    words = errors.foreign(body, 120)
  end
  if not words or message:find(words, 1, true) then return "" end
  return (", saying \"%s\""):format(words)
end

-- What to do next, where the core has no better advice.
local function advice(err)
  local status = err.status or 0
  local refused = err.kind == "gateway" and status >= 400 and status < 500
  if err.paid == "yes" then return "Use { again = true } to pay for it anew" end
  if err.paid == "maybe" then
    if refused and err.expect == "no" then return "Change the request: this one would be answered alike" end
    return "Call again with the same arguments: it continues this purchase and never pays a second time"
  end
  if err.kind == "connection" then return "Nothing is lost: call again when the server can be reached" end
  if err.kind == "timeout" then return "Call again, or allow more time with timeout" end
  if err.kind ~= "gateway" then return nil end
  if status == 404 then return "Check the gateway's address and the path" end
  return refused and "Change the request: this one would be answered alike" or "Call again later"
end

-- ---- commands that mend it -------------------------------------------------------------

local function quoted(word)
  if word:match("^[%w%._/:%-]+$") then return word end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- `spraay ledger …` for the ledger of a client.
function failure.command(client, words)
  local config = client.config
  local path = config.ledger_given and config.ledger
  return "`spraay ledger " .. words .. (path and " --ledger " .. quoted(path) or "") .. "`"
end

local commands = {}

-- The price asked for is the one that max would have to allow.
function commands.price_raised(client, fields, request)
  local label, price = routes.label(request.route), (fields.hint or ""):match("max = \"([%d%.]+)\"")
  if not label or not price then return nil end
  local max = ("Allow it for this call with max = \"%s\""):format(price)
  if not client.config.ledger then
    return max .. (", or accept it with prices = { [\"%s\"] = \"%s\" }"):format(label, price)
  end
  local gateway = client.config.production and "" or " --gateway " .. quoted(client.config.gateway)
  return ("%s, or accept it for good: %s"):format(max,
    failure.command(client, ("accept-price %s %s%s"):format(label, price, gateway)))
end

function commands.pay_to(client, fields, _, raw)
  local origin, address = tostring(fields.message):match("^(%S+) asks to be paid at (%w+)")
  if not origin then return nil end
  local once = ("If you know that the change is right, name the receiver in pay_to = { \"%s\" }"):format(address)
  if not client.config.ledger then return once end
  local network = raw.terms and raw.terms.network
  local where = network and network ~= networks.base and " --network " .. quoted(NAMES[network] or network) or ""
  return once .. ", or for good: " .. failure.command(client, ("trust %s %s%s"):format(quoted(origin), address, where))
end

function commands.paid_lost(client, fields)
  local repay = "{ on_lost = \"repay\" } buys it again, once the chain says that it was paid"
  if not client.config.ledger or not fields.purchase then return repay end
  return repay .. "; " .. failure.command(client, "claim " .. fields.purchase)
    .. " writes a claim for the gateway's operator"
end

-- The name of a purchase was made of its URL.
function commands.purchase_mismatch(_, fields, request)
  if not (request.opts and request.opts.by_url) then return nil end
  fields.message = "this URL was paid for once, with another body"
  return "Leave out once = true to pay for each"
end

-- ---- the error ----------------------------------------------------------------------------

--- The error of a core result that is not ok. `request` is the call's own: its verb, and perhaps its route.
function failure.of(client, raw, request, wallet_err)
  local body = failure.body(raw.body)
  local fields = {
    kind = raw.kind, code = raw.code, message = raw.message, hint = raw.hint, status = raw.status,
    paid = raw.paid or "no", expect = raw.expect, until_ = raw.until_, purchase = raw.purchase,
    amount = raw.atomic and money.format(raw.atomic) or nil, retry_after = raw.retry_after,
    headers = raw.headers, body = body, verb = request.verb,
  }
  if raw.kind == "wallet" and wallet_err and fields.paid == "no" then
    fields.code, fields.message, fields.hint = wallet_err.code, wallet_err.message, wallet_err.hint
  end
  if raw.kind == "gateway" then
    local message = tostring(fields.message or "the gateway refused")
    fields.message = message:gsub("%.$", "") .. gateway_words(body, raw.headers, message)
    local said = json.get(body, "error")
    if raw.status == 402 and type(said) == "string" and said:find("compute credits", 1, true) then
      fields.code = "credits"
      fields.hint = fields.hint or "The compute future is used up; make a new deposit"
    end
  end
  local command = commands[fields.code]
  fields.hint = command and command(client, fields, request, raw) or fields.hint or advice(fields)
  return errors.new(fields)
end

return failure
