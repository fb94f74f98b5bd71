-- SPDX-License-Identifier: MIT
--- A core for the specs of the Lua layer: the real one where it only computes, and a scripted one
-- where it would touch clock, network, keys or money. Time stands still until somebody waits.
--
--   local fake = require "spec.support.fakecore"
--   local spraay, world = fake.new()
--   world.answer = function(request) return { body = {…}, price = "30000", after = 0.2 } end
--
-- An answer is { status = 200, body = table or text, headers = {}, price = atomic or nil, after = seconds,
-- error = { kind=, paid=, … } }. The fake keeps one rule of the real core because the Lua layer leans
-- on it: a delivered answer that was not taken is handed to the next equal call, unpaid.
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

function Engine:step(ms)
  local world = self.world
  if world.broken then return nil, "a system call failed", "IO" end
  world.steps = world.steps + 1
  local limit = world.now + ms / 1000
  table.sort(world.events, function(a, b) return a.at < b.at end)
  local first = world.events[1]
  if first and first.at <= limit then
    world.now = math.max(world.now, first.at)
    while world.events[1] and world.events[1].at <= world.now do
      table.remove(world.events, 1).fn()
    end
  else
    world.now = limit
  end
  return 0
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
  if answer.price then world.kept[purchase_key(call.spec)] = result end
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
      settle({ world = world, spec = spec, purchase = self.purchase }, answer)
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
  local kept = not spec.again and world.kept[purchase_key(spec)]
  if kept then
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

function Client:spent() return { committed = "30000", settled = "30000", open = "0" } end
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
    purchases = 0, asked = 0, env = env or { SPRAAY_PRIVATE_KEY = "0x01" }, process = 1, clients = {} }
  function world.at(after, fn) world.events[#world.events + 1] = { at = world.now + after, fn = fn } end
  world.answer = function() return nil end

  local core = setmetatable({
    mono_ms = function() return math.floor(world.now * 1000 + 0.5) end,
    wall_s = function() return 1700000000 + math.floor(world.now) end,
    pid = function() return world.process end,
    engine = function() return setmetatable({ world = world }, Engine) end,
    client = function(_, config)
      local client = setmetatable({ world = world, config = config }, Client)
      world.clients[#world.clients + 1] = client
      return client
    end,
    wallet_env = function(name)
      if world.env[name] then return setmetatable({}, Wallet) end
      return nil, "it is not set", "MISSING"
    end,
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
  spraay.open = function(options) return open(options, function(name) return world.env[name] end) end
  package.loaded["spraay.core"] = real   -- for the next one
  return spraay, world
end

return fake
