-- SPDX-License-Identifier: MIT
--- A core for the specs of the Lua layer: the real one where it only computes, and a scripted one
-- where it would touch clock, network, keys or money. Time stands still until somebody waits.
--
--   local fake = require "spec.support.fakecore"
--   local spraay, world = fake.new()
--   world.answer = function(request) return { body = {…}, price = "30000", after = 0.2 } end
--
-- An answer is { status = 200, body = table or text, headers = {}, price = atomic or nil, after = seconds,
-- error = { kind=, paid=, … } }. The fake keeps two rules of the real core because the Lua layer leans
-- on them: a delivered answer that was not taken is handed to the next equal call, unpaid; and what has
-- a name (run, purchase=) is handed out again, in a run as often as it was bought.
--
-- world.rows are the purchases on record; a row's `fate` is what the chain will say of it: "void",
-- "paid_lost", "delivered", or nothing. world.restart() is the same machine with a new process.
local real = require "spraay.core"

local fake = {}

local PAYER = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"

local function lower(headers)
  local out = { ["content-type"] = "application/json; charset=utf-8" }
  for name, value in pairs(headers or {}) do out[name:lower()] = value end
  return out
end

local function text_of(body)
  if type(body) == "table" then return assert(real.json_encode(body)) end
  return body or ""
end

-- ---- time and the engine ---------------------------------------------------------------

local Engine = {}
Engine.__index = Engine

function Engine:step(ms, most)
  local world = self.world
  if world.broken then return nil, "a system call failed", "IO" end
  world.steps = world.steps + 1
  local limit = world.now + ms / 1000
  table.sort(world.events, function(a, b) return a.at < b.at end)
  local first, n = world.events[1], 0
  if first and first.at <= limit then
    world.now = math.max(world.now, first.at)
    while n < (most or math.huge) and world.events[1] and world.events[1].at <= world.now do
      table.remove(world.events, 1).fn()
      n = n + 1
    end
  else
    world.now = limit
  end
  return n
end

function Engine:close() self.closed = true end

local Transfer = {}
Transfer.__index = Transfer
function Transfer:done() return self.finished end
function Transfer:cancel() self.finished, self.answer = true, nil end
function Transfer:result()
  if self.answer then return self.answer end
  return nil, self.why or "the connection was refused", "CONNECT"
end

function Engine:fetch(request)
  local world = self.world
  local transfer = setmetatable({}, Transfer)
  world.fetched[#world.fetched + 1] = request
  world.at(0.01, function()
    local page = world.web[request.url]
    if page and not page.why then
      transfer.answer = { status = page.status or 200, headers = lower(page.headers),
        body = page.body or "", file = page.file }
    end
    transfer.why = page and page.why
    transfer.finished = true
  end)
  return transfer
end

-- ---- calls -------------------------------------------------------------------------------

local Call = {}
Call.__index = Call

local function purchase_key(spec)
  return table.concat({ spec.method, spec.url, spec.body or "", spec.purchase or "", spec.scope or "",
    spec.step or "" },
    "\n")
end

-- How a purchase is called that has a name, and which of its equals it is; nil when it has none.
local function name_of(call)
  local spec, run = call.spec, call.client and call.client.config.run
  if spec.purchase then return "purchase " .. spec.purchase, 1 end
  if not run then return nil end
  local name = table.concat({ "run", run, spec.step or "", spec.method, spec.url, spec.body or "" }, "\n")
  return name, (call.world.handed[name] or 0) + 1
end

local function named_answer(call)
  local name, k = name_of(call)
  local list = name and call.world.named[name]
  return list and list[k]
end

-- The record of a purchase.
local function note(call, fields)
  local world, spec = call.world, call.spec
  local row = world.row[call.purchase]
  if not row then
    row = { id = call.purchase, created = world.wall(), live = false, sends = 1, epoch = 0,
      named = name_of(call) ~= nil, run = call.client and call.client.config.run, step = spec.step,
      verb = spec.verb, model = spec.model, route = spec.route, method = spec.method, url = spec.url,
      origin = spec.url:match("^%a+://[^/]+"), payer = PAYER, network = "eip155:8453", asset = "0xUSDC",
      pay_to = "0xPAY", mark = "0x" .. ("ab"):rep(32) }
    world.row[row.id] = row
    world.rows[#world.rows + 1] = row
  end
  for key, value in pairs(fields) do row[key] = value end
end

local function finish(call, result)
  call.stage, call.outcome = "done", result
end

-- Something after the signature: the answer, the settlement, or their loss.
local function settle(call, answer)
  local world = call.world
  local payment
  if answer.price then
    world.settled[#world.settled + 1] = { atomic = answer.price, url = call.spec.url, body = call.spec.body }
    payment = { status = answer.unconfirmed and "unconfirmed" or "settled", atomic = answer.price,
      network = "eip155:8453",
      transaction = "0xabc", payer = PAYER, purchase = call.purchase }
  end
  local result = { ok = true, status = answer.status or 200, headers = lower(answer.headers),
    body = text_of(answer.body),
    payment = payment or { status = "free" } }
  if answer.price then
    world.kept[purchase_key(call.spec)] = result
    local name, k = name_of(call)
    if name then
      world.named[name] = world.named[name] or {}
      world.named[name][k] = result
    end
    note(call, { state = "delivered", atomic = answer.price, payment = payment.status, transaction = "0xabc" })
  end
  call.kept = result
  finish(call, result)
end

local function failed(call, answer)
  local err = answer.error
  local result = { ok = false, kind = err.kind or "gateway", code = err.code,
    message = err.message or "it failed",
    hint = err.hint, status = answer.status or err.status, paid = err.paid or "no", expect = err.expect,
    until_ = err.until_, atomic = err.atomic, purchase = err.purchase, retry_after = err.retry_after,
    headers = lower(answer.headers), body = text_of(answer.body) }
  if result.paid == "maybe" then
    result.purchase = result.purchase or call.purchase
    note(call, { state = "unknown", atomic = err.atomic or "0", note = result.message,
      valid_before = err.until_ or call.world.wall() + 300 })
  end
  finish(call, result)
end

local function second_leg(call)
  local answer = call.answer
  call.stage, call.signed = "running", true
  call.world.at(answer.after or 0.1, function()
    if call.stage == "done" then return end
    if answer.error then return failed(call, answer) end
    settle(call, answer)
  end)
end

local function ask_signature(call)
  if call.client.config.wallet.external then
    call.stage = "sign"
  else
    second_leg(call)
  end
end

local function first_answer(call)
  local world, spec, answer = call.world, call.spec, call.answer
  if answer.early then return failed(call, answer) end
  if not answer.price then
    if answer.error then return failed(call, answer) end
    return settle(call, answer)
  end
  call.terms_ = { atomic = answer.price, amount = answer.price, network = "eip155:8453", asset = "0xUSDC",
    pay_to = "0xPAY", price = spec.price, url = spec.url, method = spec.method, payer = PAYER,
      purchase = call.purchase }
  if not spec.pay then
    return finish(call, { ok = true, status = 402, headers = lower(), body = "",
      payment = { status = "free" },
      terms = call.terms_ })
  end
  local limit = spec.max or spec.price
  if limit and real.amount_cmp(answer.price, limit) > 0 then
    return failed(call, { status = 402,
      error = { kind = "policy", code = "price_raised", message = "the price was raised" } })
  end
  if not call.client.config.wallet then
    return failed(call, { status = 402,
      error = { kind = "wallet", code = "missing", message = "no wallet" } })
  end
  world.asked = world.asked + 1
  if spec.approve then
    call.stage = "approve"
  else
    ask_signature(call)
  end
end

function Call:state() return self.stage end
function Call:terms() return self.terms_ or { purchase = self.purchase } end
function Call:result() return self.outcome end
function Call:typed_data() return "{\"primaryType\":\"TransferWithAuthorization\"}", "0xd1" end

function Call:approve(yes, why)
  if self.stage ~= "approve" then return end
  if yes then return ask_signature(self) end
  failed(self, { error = { kind = "policy", code = "refused", message = why or "refused" } })
end

function Call:signature(signature, why)
  if self.stage ~= "sign" then return end
  if signature then return second_leg(self) end
  failed(self, { error = { kind = "wallet", code = "signature", message = why } })
end

function Call:cancel()
  if self.stage == "done" then return "aborted" end
  if self.signed then
    -- the flight goes on without the caller; what it brings is kept for an equal call
    local spec, answer, world = self.spec, self.answer, self.world
    world.at(answer.after or 0.1, function()
      if answer.error then return end
      settle({ world = world, spec = spec, purchase = self.purchase, client = self.client }, answer)
    end)
    finish(self, { ok = false, kind = "cancelled", message = "the call was cancelled", paid = "maybe",
      atomic = answer.price, purchase = self.purchase, until_ = 1700003600 })
    return "detached"
  end
  finish(self, { ok = false, kind = "cancelled", message = "cancelled", paid = "no" })
  return "aborted"
end

function Call:committed() return self.signed == true and self.stage ~= "done" end

function Call:close() self.closed = true end

function Call:taken()
  self.was_taken = true
  local key = purchase_key(self.spec)
  if self.world.kept[key] and self.kept == self.world.kept[key] then self.world.kept[key] = nil end
  local name, k = name_of(self)
  if name and not self.spec.purchase and named_answer(self) then self.world.handed[name] = k end
  local row = self.world.row[self.purchase]
  if row and row.state == "delivered" then row.state = "taken" end
end

-- External calls: the caller carries the bytes.
function Call:request()
  local headers = {}
  for i, line in ipairs(self.spec.headers or {}) do headers[i] = line end
  if self.signed then headers[#headers + 1] = { "PAYMENT-SIGNATURE", "signed" } end
  return { method = self.spec.method, url = self.spec.url, headers = headers, body = self.spec.body }
end

function Call:answer(status, _, body)
  if status == 402 and not self.signed then
    self.answer_ = { price = "30000" }
    self.terms_ = { atomic = "30000", network = "eip155:8453", url = self.spec.url }
    self.signed, self.stage = true, "send"
  elseif status < 300 then
    self.answer = nil
    settle(self, { status = status, body = body, price = self.signed and "30000" or nil })
  else
    failed(self, { status = status, body = body,
      error = { kind = "gateway", message = "the gateway answered " .. status } })
  end
  return true
end

function Call:lost(why)
  failed(self, { error = { kind = "connection", message = why, paid = self.signed and "maybe" or "no",
    atomic = "30000" } })
end

local Client = {}
Client.__index = Client

function Client:call(spec)
  local world = self.world
  world.calls[#world.calls + 1] = spec
  world.purchases = world.purchases + 1
  local call = setmetatable({ world = world, client = self, spec = spec, stage = "running",
    purchase = "p" .. world.purchases }, Call)
  if spec.reconcile then
    world.at(0.05, function() if call.stage ~= "done" then call:look() end end)
    return call
  end
  local kept = not spec.again and spec.pay ~= false and (named_answer(call) or world.kept[purchase_key(spec)])
  if kept then
    call.purchase = kept.payment.purchase
    world.at(0.01, function()
      local again = {}
      for key, value in pairs(kept) do again[key] = value end
      again.payment = {}
      for key, value in pairs(kept.payment) do again.payment[key] = value end
      again.payment.status = "restored"
      call.kept = kept
      finish(call, again)
    end)
    return call
  end
  if spec.external then
    call.stage = "send"
    return call
  end
  world.at(0.05, function()
    if call.stage == "done" then return end
    call.answer = world.answer(spec, world) or { status = 404, error = { message = "no such page" },
      early = true }
    first_answer(call)
  end)
  return call
end

-- A reconcile= call: only what is on record, and what the chain says of it.
function Call:look()
  local world, id = self.world, self.spec.reconcile
  local row = world.row[id]
  self.purchase = id
  if not row then
    return failed(self, { error = { kind = "usage", code = "purchase_missing", message = "no such purchase" } })
  end
  local fate = row.fate
  if not fate then
    return failed(self, { error = { kind = "payment", code = "unanswered", message = "no answer tells", paid = "maybe",
      atomic = row.atomic, purchase = id, until_ = row.valid_before } })
  end
  row.state, row.fate = fate, nil
  if fate == "delivered" then
    return finish(self, { ok = true, status = 200, headers = lower(), body = "{}",
      payment = { status = "restored", atomic = row.atomic, purchase = id } })
  end
  failed(self, { error = { kind = "payment", code = fate, message = "the chain says so",
    paid = fate == "void" and "no" or "yes", atomic = row.atomic, purchase = id } })
end

-- ---- questions -----------------------------------------------------------------------------

local Op = {}
Op.__index = Op
function Op:done() return self.over end
function Op:result()
  assert(self.over, "not done yet")
  if self.code then return nil, self.why, self.code end
  return self.value
end

-- An operation that is done a little later.
local function asked(world, fn)
  local op = setmetatable({}, Op)
  world.at(0.01, function()
    op.value, op.why, op.code = fn()
    op.over = true
  end)
  return op
end

local OPEN = { asked = true, signed = true, sent = true, unknown = true }

local function sum_of(rows)
  local settled, open = "0", "0"
  for _, row in ipairs(rows) do
    if row.state == "delivered" or row.state == "taken" or row.state == "paid_lost" then
      settled = real.amount_add(settled, row.atomic)
    elseif OPEN[row.state] then
      open = real.amount_add(open, row.atomic)
    end
  end
  return { settled = settled, open = open, committed = real.amount_add(settled, open) }
end

local Ledger = {}
Ledger.__index = Ledger

local answers = {}

function answers.list(world, args)
  local out = {}
  for _, row in ipairs(world.rows) do
    local wanted = (not args.open or OPEN[row.state]) and (not args.since or row.created >= args.since)
    for _, name in ipairs { "state", "run", "origin", "id" } do
      wanted = wanted and (args[name] == nil or args[name] == row[name])
    end
    if wanted and not (args.limit and args.limit > 0 and #out >= args.limit) then
      local copy = {}
      for key, value in pairs(row) do copy[key] = value end
      out[#out + 1] = copy
    end
  end
  return out
end

function answers.close(world, args)
  local row = world.row[args.id]
  if not row then return nil, "there is no such purchase", "MISSING" end
  if not OPEN[row.state] then return nil, "this purchase is not open", "STATE" end
  if not args.wallet then return nil, "only the wallet that pays can close it", "KEY" end
  row.state, row.hand = args.settled and "paid_lost" or "void", args.settled and "settle" or "void"
  if not args.settled then row.atomic = "0" end
  return true
end

function answers.verify(world) return world.findings or {} end

function answers.learn(world, args)
  world.learned = world.learned or {}
  world.learned[args.origin .. " " .. args.name] = args.word
  return true
end

function answers.recall(world, args)
  local word = world.learned and world.learned[args.origin .. " " .. args.name]
  return { word and { what = word } or nil }
end

function Ledger:ask(kind, args)
  local world = self.world
  world.questions[#world.questions + 1] = { kind = kind, args = args or {} }
  return asked(world, function()
    if world.ledger_trouble then return nil, world.ledger_trouble, "IO" end
    return answers[kind](world, args or {})
  end)
end
function Ledger:close() self.closed = true end

function Client:totals()
  return asked(self.world, function()
    if self.world.ledger_trouble then return nil, self.world.ledger_trouble, "IO" end
    return sum_of(self.world.rows)
  end)
end
function Client:close() self.closed = true end

-- ---- wallets --------------------------------------------------------------------------------

local Wallet = {}
Wallet.__index = Wallet
function Wallet:address() return self.given or PAYER end
function Wallet:kind() return "evm" end
function Wallet:close() self.closed = true end
Wallet.__tostring = function() return "wallet 0x19E7...ff2A (evm, fake)" end

-- ---- a world ----------------------------------------------------------------------------------

--- A fresh spraay over a fresh world. env holds the environment spraay.open sees.
function fake.new(env)
  local world = { now = 1000, events = {}, calls = {}, settled = {}, kept = {}, web = {}, fetched = {},
    steps = 0,
    rows = {}, row = {}, named = {}, handed = {}, questions = {}, folder = "/nowhere/state",
    purchases = 0, asked = 0, env = env or { SPRAAY_PRIVATE_KEY = "0x01" }, process = 1, clients = {}, ledgers = {} }
  function world.at(after, fn) world.events[#world.events + 1] = { at = world.now + after, fn = fn } end
  world.answer = function() return nil end
  function world.wall() return 1700000000 + math.floor(world.now) end
  function world.restart() world.handed, world.kept = {}, {} end

  local core = setmetatable({
    mono_ms = function() return math.floor(world.now * 1000 + 0.5) end,
    wall_s = world.wall,
    pid = function() return world.process end,
    engine = function() return setmetatable({ world = world }, Engine) end,
    client = function(_, config)
      config.wallet = config.wallet and config.wallet[1]   -- one of a list is enough here
      local client = setmetatable({ world = world, config = config }, Client)
      world.clients[#world.clients + 1] = client
      return client
    end,
    ledger = function(_, path)
      world.ledgers[#world.ledgers + 1] = path or ""
      return setmetatable({ world = world }, Ledger)
    end,
    wallet_env = function(name)
      if world.env[name] then return setmetatable({}, Wallet) end
      return nil, "it is not set", "MISSING"
    end,
    wallet_env_rail = function(name)
      local key = world.env[name]
      return key and (key:match("^0x") and "evm" or "solana")
    end,
    wallet_solana = function() return nil, "its mode is 0644", "PERMISSION" end,
    wallet_file = function() return nil, "its mode is 0644", "PERMISSION" end,
    wallet_signer = function(spec) return setmetatable({ external = true, given = spec.address }, Wallet) end,
    wallet_random = function() return setmetatable({}, Wallet) end,
  }, { __index = real })

  for name in pairs(package.loaded) do
    if name:match("^spraay") then package.loaded[name] = nil end
  end
  package.loaded["spraay.core"] = core
  local spraay = require "spraay"
  local open = require("spraay.client").open
  -- Purchases have a place unless a spec says otherwise; nothing is ever written there.
  local function env_of(name)
    if name == "SPRAAY_STATE_DIR" and world.env[name] == nil then return world.folder end
    return world.env[name]
  end
  spraay.open = function(options) return open(options, env_of) end
  package.loaded["spraay.core"] = real   -- for the next one
  return spraay, world
end

return fake
