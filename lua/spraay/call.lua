-- SPDX-License-Identifier: MIT
--- One purchase, driven to its end.
-- The core decides everything about money; this file waits for it, asks the caller's hooks when
-- the core asks for them, and turns what came out into an answer or an error.
local clauses = require "spraay.options.clauses"
local compat = require "spraay.compat"
local core = require "spraay.core"
local engine = require "spraay.engine"
local errors = require "spraay.errors"
local failure = require "spraay.failure"
local money = require "spraay.money"
local options = require "spraay.options"
local pace = require "spraay.pace"
local place = require "spraay.options.place"
local routes = require "spraay.routes"
local scheduler = require "spraay.scheduler"
local step = require "spraay.step"
local task = require "spraay.task"
local wait = require "spraay.wait"

local call = {}

-- Network ids as people call them.
local NAMES = {}
for name, id in pairs(options.networks) do NAMES[id] = name end

--- "base" for "eip155:8453"; the id itself when it has no name.
function call.network_name(id)
  return NAMES[id] or id
end

-- ---- the core's client -------------------------------------------------------------

-- The keys of all wallets, as a list; none with the error of the first that cannot be used.
local function wallet_keys(wallets)
  if #wallets == 0 then
    return {}, errors.new { kind = "wallet", code = "missing", message = "this client has no wallet",
      hint = "Open it with wallet = spraay.wallet.env(), which reads SPRAAY_PRIVATE_KEY" }
  end
  local keys = {}
  for i, one in ipairs(wallets) do
    local key, _, err = one:key()
    if not key then return {}, err end
    keys[i] = key
  end
  return keys
end

local function same_keys(a, b)
  if a == nil or #a ~= #b then return false end
  for i = 1, #a do
    if a[i] ~= b[i] then return false end
  end
  return true
end

--- The core's client of this process, and the error of the wallet when it has none.
function call.core_client(client)
  local config = client.config
  local made = engine.get()
  local keys, wallet_err = wallet_keys(config.wallets)
  if client.core and client.core_engine == made and same_keys(client.core_keys, keys) then
    return client.core, wallet_err
  end
  local settings = { wallet = keys, previous = client.core, ledger = config.ledger }   -- whose budget goes on
  for name, value in pairs(config.core) do settings[name] = value end
  settings.spill_dir = config.ledger and config.ledger .. ".d/spill"   -- see src/ledger/place.h
  settings.headers = {}
  for i, line in ipairs(config.headers) do settings.headers[i] = line end
  if config.api_key then settings.headers[#settings.headers + 1] = { "X-API-Key", config.api_key } end
  local handle, why, code = core.client(made, settings)
  if not handle then
    return nil, errors.new { kind = "usage", code = code and code:lower() or "option",
      message = "spraay.open: " .. tostring(why) }
  end
  if client.core then client.core:close() end
  client.core, client.core_engine, client.core_keys = handle, made, keys
  return handle, wallet_err
end

--- The published price of a route, atomic, with the caller's own prices over it. nil when it is free.
function call.price(client, route)
  return client.config.prices[route.name] or route.price
end

--- The value is in the caller's hands: the purchase is history.
function call.hand_over(handle)
  handle:taken()
  handle:close()
end

local function read_file(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

-- ---- the caller's hooks ---------------------------------------------------------------

--- Terms for people: amounts as decimal USDC, the network by name.
function call.readable_terms(raw, verb)
  local terms = { verb = verb }
  for key, value in pairs(raw or {}) do terms[key] = value end
  if terms.atomic then terms.amount = money.format(terms.atomic) end
  if terms.price then terms.price = money.format(terms.price) end
  terms.network_name = terms.network and call.network_name(terms.network)
  return terms
end

local function terms_of(handle, verb)
  return call.readable_terms(handle:terms(), verb)
end

-- ": reason", or nothing.
local function because(reason)
  local words = reason ~= nil and errors.foreign(tostring(reason))
  return words and ": " .. words or ""
end

local function ask_approval(handle, client, verb)
  local ok, answer, why = task.pcall(client.config.on_pay, terms_of(handle, verb))
  if not ok then return handle:approve(false, "it failed" .. because(answer)) end
  if answer == true then return handle:approve(true) end
  if answer ~= false and why == nil then   -- "no", 0 and a table are true to Lua, but nobody's yes
    return handle:approve(false, ("it returned %s, and must return true to allow a payment"):format(
      answer == nil and "nothing" or "a " .. type(answer)))
  end
  return handle:approve(false, why ~= nil and errors.foreign(tostring(why)) or nil)
end

local function ask_signature(handle, client, verb)
  local wallet
  for _, one in ipairs(client.config.wallets) do wallet = wallet or (one.sign and one) end
  if not wallet then return handle:signature(nil, "the wallet has no signer") end
  local typed, digest = handle:typed_data()
  local ok, signature, why = task.pcall(wallet.sign, typed, digest, terms_of(handle, verb))
  if not ok then return handle:signature(nil, "the signer failed" .. because(signature)) end
  if type(signature) ~= "string" then
    return handle:signature(nil, "the signer refused" .. because(why))
  end
  return handle:signature(signature)
end

-- ---- what is thrown ---------------------------------------------------------------------

local function through(ok, ...)
  if ok then return ... end
  if not errors.is((...)) then scheduler.dropped() end
  error((...), 0)
end

--- Run a function that makes calls. What it throws goes on, for want of memory, say; the calls it was in are nobody's
-- from then on.
function call.guarded(fn, ...)
  local guard = compat.pcall_here()
  if not guard then return fn(...) end
  return through(guard(fn, ...))
end

-- ---- one call ---------------------------------------------------------------------------

-- The core's own word on a call that was cancelled: it alone knows whether money can have moved.
local function cancelled(handle, client, request)
  if handle:state() ~= "done" then handle:cancel() end
  local raw = handle:result()
  handle:close()
  if raw.ok then
    raw = { kind = "cancelled", code = "cancelled", message = "the call was cancelled", paid = "maybe" }
  end
  if raw.paid == "maybe" and raw.purchase then client.told[raw.purchase] = true end
  local err = failure.of(client, raw, request)
  err.kind = "cancelled"
  if err.paid ~= "no" and not err.hint then
    err.hint = "Make the same call again: it continues this purchase instead of paying anew"
  end
  return errors.fail(err)
end

local function moved(handle) return handle:state() ~= "running" end

--- Drive a core call until it is done, wants bytes carried ("send", only for external calls) or has an answer
-- to be read while it comes ("stream"); or until `ready(handle)` is true.
-- Returns its state, or nil, message, err when the task was cancelled.
function call.advance(handle, client, request, ready)
  ready = ready or moved
  local current = scheduler.current()
  local outer = current and current.call
  if current then current.call = handle end
  local closes = request.turn and request.turn:with(handle) or handle
  local state
  while true do
    local why = wait.until_ { poll = function() return ready(handle) end, finishing = true,
      closes = closes }   -- then an equal call may continue it
    if why == "cancelled" or (current and current.cancelled) then
      if current then current.call = outer end
      return cancelled(handle, client, request)
    end
    state = handle:state()
    if state == "approve" then
      ask_approval(handle, client, request.verb)
    elseif state == "sign" then
      ask_signature(handle, client, request.verb)
    else
      break
    end
    if current and current.cancelled then
      current.call, current.told = outer, true
      return cancelled(handle, client, request)
    end
  end
  if current then current.call = outer end
  return state
end

--- Headers as a list of { name, value } from a map (values may be lists) or such a list; nil and a
-- clause when they are neither.
function call.header_list(headers)
  if headers ~= nil and type(headers) ~= "table" then return nil, "its headers are no table" end
  local list = {}
  local function add(name, value)
    if type(value) == "number" then value = tostring(value) end
    if type(name) ~= "string" or not name:match("^[%w!#$%%&'*+%-.^_`|~]+$") or type(value) ~= "string"
      or value:find("[%z\r\n]") then
      return false
    end
    list[#list + 1] = { name, value }
    return true
  end
  for key, value in pairs(headers or {}) do
    local fine = true
    if type(key) == "number" then
      fine = type(value) == "table" and add(value[1], value[2])
    elseif type(value) == "table" then
      for _, item in ipairs(value) do fine = fine and add(key, item) end
    else
      fine = add(key, value)
    end
    if not fine then return nil, "it has a header that is none: " .. errors.show(key) end
  end
  return list
end

--- Feed an external call the answer its caller got. Whatever cannot be read as an answer counts as lost:
-- a payment may have been taken with it.
function call.feed(handle, status, headers, body)
  local code = compat.integer(status)
  if not code or code < 100 or code > 999 then
    return handle:lost("the answer has no HTTP status: " .. errors.show(status))
  end
  if body ~= nil and type(body) ~= "string" then return handle:lost("the answer's body is no text") end
  local list, why = call.header_list(headers)
  if not list then return handle:lost("the answer cannot be read: " .. why) end
  local fed, reason = handle:answer(code, list, body or "")
  if not fed then return handle:lost("the answer cannot be read: " .. tostring(reason)) end
end

-- What transports carry just now: handle -> { url=, body=, and where: co=, place= }.
local carried = setmetatable({}, { __mode = "k" })
local WEAK = { __mode = "v" }

-- A coroutine killed inside a transport (ngx.thread.kill, coroutine.close, a reader who left) leaves a call that
-- nobody is in and that nothing tells of. Such a call is let go, so that an equal one goes on with its purchase: at
-- once where its coroutine can be asked, else when collected.
local function let_go_of_killed(request)
  local here, equal = scheduler.place and scheduler.place(), false
  for handle, asked in pairs(carried) do
    if asked.place == here and asked.co and coroutine.status(asked.co) == "dead" then
      carried[handle] = nil
      handle:close()
    elseif asked.url == request.url and asked.body == request.body then
      equal = true
    end
  end
  if equal then
    collectgarbage()
    collectgarbage()   -- what a finalizer let go of
  end
end

-- Carry one request of an external call over the caller's transport, which has until the moment `by`.
-- `fresh` says that a payment must not travel on a connection that was kept: it cannot be presented again.
local function carry(handle, transport, by, class)
  local request = handle:request()
  local headers = {}
  for _, line in ipairs(request.headers) do headers[line[1]] = line[2] end
  local ok, response, why = task.pcall(transport,
    { method = request.method, url = request.url, headers = headers, body = request.body,
      timeout = math.max(0.001, by - engine.now()), fresh = request.paid and class ~= "repeat" or nil })
  if not ok then return handle:lost("the transport failed" .. because(response)) end
  if type(response) ~= "table" then return handle:lost("the transport gave no response" .. because(why)) end
  return call.feed(handle, response.status, response.headers, response.body)
end

local function log_line(client, verb, raw)
  local log = client.config.log
  if not log then return end
  local line
  if raw.ok then
    local payment = raw.payment or {}
    line = ("%s: %s"):format(verb, payment.status or "free")
    if payment.atomic then line = line .. (" %s USDC"):format(money.format(payment.atomic)) end
    if payment.network then line = line .. " on " .. call.network_name(payment.network) end
    if payment.purchase then line = line .. ", purchase " .. payment.purchase end
  else
    line = ("%s: %s, paid: %s"):format(verb, tostring(raw.kind), tostring(raw.paid))
    if raw.purchase then line = line .. ", purchase " .. raw.purchase end
  end
  task.pcall(log, line)   -- a log that fails must not cost what was paid for
end

--- What a payment looks like in a result.
function call.payment_of(raw)
  local payment = raw.payment or { status = "free" }
  return {
    status = payment.status, amount = payment.atomic and money.format(payment.atomic) or nil,
    network = payment.network, transaction = payment.transaction, payer = payment.payer,
    purchase = payment.purchase,
  }
end

--- Several payments as one, with its parts; the first is the one that says whose.
function call.joined(parts)
  local total
  local payment = {}
  for key, value in pairs(parts[1] or { status = "free" }) do payment[key] = value end
  for _, part in ipairs(parts) do
    if part.amount then total = money.add(total, (money.atomic(part.amount))) end
    if part.status == "unconfirmed" then payment.status = "unconfirmed" end
    if part.status == "settled" and payment.status == "restored" then payment.status = "settled" end
  end
  payment.amount, payment.parts = total and money.format(total) or nil, parts
  return payment
end

--- What an error says was paid for an answer that came with this payment.
function call.paid_word(payment)
  local status = payment and payment.status
  if status == "settled" or status == "restored" then return "yes" end
  return status == "unconfirmed" and "maybe" or "no"
end

local function path_key(client, url)
  return client.config.gateway .. " " .. url:gsub("^%a+://[^/]+", ""):gsub("%?.*$", "")
end

local function pace_call(client, request, paid, by)
  local rate = client.config.rate
  if not rate or request.method == "GET" or not request.url:find(client.config.gateway .. "/", 1, true) then
    return true
  end
  local limit, window = request.slots or 30, nil
  if type(rate) == "table" then limit, window = rate.limit or limit, rate.window end
  local slots = paid and not client.config.api_key and 2 or 1
  return pace.take(path_key(client, request.url), slots, limit, window, by)
end

--- Seconds since 1970 by the client's clock. Where that clock fails: by the system's, and what went wrong.
function call.now(client)
  local clock = client.config.clock
  if not clock then return compat.integer(core.wall_s()) end
  local ok, value = task.pcall(clock)
  local now = ok and type(value) == "number" and compat.integer(math.floor(value))
  if now then return now end
  return compat.integer(core.wall_s()), ok and "it returned " .. errors.show(value) or "it failed" .. because(value)
end

--- What the caller's clock is ahead of the system's, in seconds, nil without one; or nil and what is wrong with it.
function call.clock_offset(client)
  if not client.config.clock then return nil end
  local now, wrong = call.now(client)
  if wrong then return nil, wrong end
  return now - compat.integer(core.wall_s())
end

--- Prepare a core call. Returns the handle and the wallet's error, or nil, message, err.
function call.start(client, request, external)
  local opts = request.opts or {}
  if client.closed then
    return errors.usage(request.verb .. ": the client was closed", nil, "closed")
  end
  local handle, wallet_err = call.core_client(client)
  if not handle then return errors.fail(wallet_err) end
  task.bury()
  if external then let_go_of_killed(request) end
  local paid = request.class ~= "free" and request.pay ~= false
  -- Without a key a route known to cost money need not be asked; with an API key it may cost nothing.
  if paid and wallet_err and request.price and not client.config.api_key then
    return errors.fail(wallet_err)
  end
  local headers = {}
  if request.body then headers[1] = { "Content-Type", request.content_type or "application/json" } end
  for _, line in ipairs(opts.headers or {}) do headers[#headers + 1] = line end
  -- What may be signed must be remembered somewhere first.
  if paid and not wallet_err and not client.config.ledger and not client.config.ledger_off then
    return errors.fail(place.missing())
  end
  local offset, wrong = call.clock_offset(client)
  if wrong then
    return errors.usage(request.verb .. ": the clock given to spraay.open tells no time: " .. wrong,
      "It must return seconds since 1970; leave it out to go by the system's clock", "clock")
  end
  local route = request.route
  local started, why, code = handle:call {
    verb = request.verb, model = clauses.is_name(request.model) and request.model or nil,
    route = routes.label(route), step = step.path(client), reconcile = request.reconcile,
    self_paid = client.config.solana_tx and route ~= nil and route.solana_tx or nil,
    repay = (opts.on_lost or client.config.on_lost) == "repay",
    price_fixed = route ~= nil and client.config.prices[route.name or false] ~= nil,
    method = request.method, url = request.url, headers = headers, body = request.body,
    class = opts.once and paid and request.class ~= "free" and "never" or request.class,
    price = request.price, max = request.max or opts.max,
    purchase = opts.purchase, scope = opts.scope or client.config.core.scope,
    again = opts.again, pay = paid, total_ms = opts.total_ms, external = external or nil, stream = opts.stream,
    approve = client.config.on_pay ~= nil and not request.reconcile, clock_offset = offset,
  }
  if not started then
    return errors.usage(("%s: %s"):format(request.verb, tostring(why)), nil,
      code and code:lower() or "argument")
  end
  return started, nil, wallet_err
end

--- The error value of a finished call that is not ok.
function call.failed(client, raw, request, wallet_err)
  if raw.kind == "policy" or raw.kind == "budget" then call.count(client, "refused") end
  if raw.paid == "maybe" and raw.purchase then client.told[raw.purchase] = true end
  return errors.fail(failure.of(client, raw, request, wallet_err))
end

--- Count what client:summary tells: "refused" or "restored" calls of this client.
function call.count(client, what)
  client.counts[what] = (client.counts[what] or 0) + 1
end

-- With dry_run the terms are all there is.
local function dry(raw, request)
  local terms = call.readable_terms(raw.terms, request.verb)
  return errors.fail {
    kind = "policy", code = "dry_run", terms = terms, amount = terms.amount,
    message = ("dry run: %s would have cost %s USDC"):format(request.verb, tostring(terms.amount)),
    hint = "Open the client without dry_run, and unset SPRAAY_DRY_RUN, to pay",
  }
end

--- What is done after a paid call; see reconcile.lua.
function call.used(_) end

--- Log and count what a call came to, the core's table of it.
function call.account(client, request, raw)
  if request.class ~= "free" and request.pay ~= false then call.used(client) end
  log_line(client, request.verb, raw)
  local status = raw.payment and raw.payment.status
  if not raw.ok then
    if raw.paid == "yes" then task.note_payment(raw.atomic) end
  elseif status == "settled" or status == "unconfirmed" then
    task.note_payment(raw.payment.atomic)
  elseif status == "restored" then
    call.count(client, "restored")
  end
end

--- What a call that is done came to: the core's table; or nil, message, err, and the call is closed.
function call.finish(handle, client, request, wallet_err)
  local current = scheduler.current()
  local outer = current and current.call
  if current then current.call = handle end   -- until it is accounted for: should memory run out here
  local raw = handle:result()
  call.account(client, request, raw)
  if current then current.call = outer end
  if raw.ok then return raw end
  handle:close()
  return call.failed(client, raw, request, wallet_err)
end

--- Make one request and pay for it when it asks.
-- request: { verb=, method=, url=, body=, model=, route=, class=, price=, slots=, opts= (checked),
--   pay=false for a quote }
-- Returns { body= (decoded), text= (as received), payment=, status=, headers=, terms= } and the core's
-- call: :taken() is due when the value is handed over, :close() when it is not, so that an equal call
-- may pick the answer up. With opts.stream `coming` may be there, what the core says of an answer's head:
-- then the call goes on, and stream.lua reads it. Or nil, message, err.
function call.perform(client, request)
  local ok, message, err = wait.may_begin()
  if not ok then return nil, message, err end
  local opts = request.opts or {}
  local paid = request.class ~= "free" and request.pay ~= false
  if paid and client.config.dry_run then request.pay, request.dry, paid = false, true, false end
  ok, message, err = pace_call(client, request, paid, opts.total_ms and engine.now() + opts.total_ms / 1000)
  if not ok then return nil, message, err end

  local transport = client.config.transport
  local by = engine.now() + (opts.total_ms or client.config.core.total_ms) / 1000
  local handle, start_message, started = call.start(client, request, transport ~= nil)
  if not handle then return nil, start_message, started end
  local wallet_err = started
  local state
  repeat
    state, message, err = call.advance(handle, client, request)
    if not state then return nil, message, err end
    if state == "send" then
      carried[handle] = setmetatable({ url = request.url, body = request.body, co = coroutine.running(),
        place = scheduler.place and scheduler.place() }, WEAK)
      carry(handle, transport, by, request.class)
      carried[handle] = nil
    end
  until state == "done" or state == "stream"

  if state == "stream" then
    local head = handle:begin()
    head.ok = true
    return { payment = call.payment_of(head), status = head.status, headers = head.headers, coming = head }, handle
  end
  local raw
  raw, message, err = call.finish(handle, client, request, wallet_err)
  if not raw then return nil, message, err end
  if request.dry and raw.terms then
    handle:close()
    return dry(raw, request)
  end
  local text = raw.body or ""
  if raw.file then   -- what is too large for memory lies beside the ledger until it is taken
    text = read_file(raw.file)
    if not text then
      handle:close()
      return errors.fail { kind = "ledger", code = "file_missing", paid = call.paid_word(raw.payment),
        amount = raw.payment.atomic and money.format(raw.payment.atomic), purchase = raw.payment.purchase,
        message = ("the answer was kept in %s, which cannot be read"):format(raw.file),
        hint = "Put the file back and call again; { again = true } buys anew" }
    end
  end
  return {
    body = failure.body(text), text = text, file = raw.file, payment = call.payment_of(raw),
    status = raw.status,
    headers = raw.headers or {}, terms = raw.terms, atomic = raw.payment and raw.payment.atomic,
  }, handle
end

return call
