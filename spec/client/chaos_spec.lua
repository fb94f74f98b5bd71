-- SPDX-License-Identifier: MIT
-- A random walk over everything that can happen to a few equal and different calls at once, held against
-- a model of the rules: which purchase a call continues, under which nonce it pays, what is committed in
-- whose budget, and what an end may say about money. The server keeps books of its own.
--
-- A walk is its seed. SPRAAY_CHAOS=FROM-TO walks others than the usual ones, SPRAAY_CHAOS_LOG=1 tells the steps.
local exchange = require "spec.support.exchange"
local core = require "spraay.core"
local sandbox = require "spec.support.sandbox"

local KEY = ("\23"):rep(32)
local STEPS = 150
local HOLD = 3600

-- ---- chance ----------------------------------------------------------------------------------------

local Chance = {}
Chance.__index = Chance

local function chance(seed) return setmetatable({ state = seed % 2147483646 + 1 }, Chance) end

--- A whole number from 1 to n.
function Chance:upto(n)
  self.state = self.state * 16807 % 2147483647
  return math.floor(self.state / 2147483647 * n) + 1
end

function Chance:percent(p) return self:upto(100) <= p end
function Chance:one(list) return list[self:upto(#list)] end

-- ---- the walk --------------------------------------------------------------------------------------

local Walk = {}
Walk.__index = Walk

local function say(...)
  if os.getenv "SPRAAY_CHAOS_LOG" then io.stderr:write(table.concat({ ... }, " "), "\n") end
end

local function wrong(fmt, ...) error(fmt:format(...), 0) end

local INTENTS = {
  { body = "1", class = "repeat" }, { body = "2", class = "repeat" }, { body = "3", class = "once" },
  { body = "4", class = "never" }, { body = "5", class = "look" }, { body = "6", class = "repeat", purchase = "mine" },
}

---@param sabotage? table  what the client under test does behind the model's back
local function walk(seed, sabotage)
  local self = setmetatable({ seed = seed, chance = chance(seed), wall = 0, boot = 0, rows = {}, calls = {},
                              nonces = {}, settled = {}, taken = {}, sabotage = sabotage or {} }, Walk)
  local c = self.chance
  self.outside = c:percent(30)
  local wallet = self.outside and core.wallet_signer{ address = core.evm_address(KEY), nonce_secret = ("s"):rep(32) }
    or nil
  local first = exchange.new{ wallet = wallet, pay_to = { exchange.PAY_TO }, total_ms = 600,
                              budget = c:percent(50) and "150000" or nil }
  self.first = first
  self.clients = { { gateway = first, budget = first.config.budget and 150000 } }
  local budget = c:percent(50) and 100000 or nil
  self.clients[2] = { gateway = first:again{ budget = budget and tostring(budget) or nil }, budget = budget }
  if not budget and first.config.budget then
    self.clients[2].gateway = exchange.again(first, { budget = "999999999" })
  end
  return self
end

function Walk:now() return core.wall_s() + self.wall end
function Walk:boot_now() return core.boot_ms() / 1000 + self.boot end

-- ---- the model of a purchase -------------------------------------------------------------------------

-- fresh: nothing is out.  open: something is.  delivered, lost: spent.  taken, booked: history.
local ADOPTABLE = { open = true, delivered = true, lost = true }
local SPENT = { delivered = true, lost = true, taken = true, booked = true }

local function left_of_hold(self, row)
  if row.intent.purchase then return HOLD end
  return math.max(row.dies - self:now(), row.dies_boot - self:boot_now()) + HOLD
end

function Walk:committed(client, except)
  local sum = 0
  for _, row in ipairs(self.rows) do
    if row ~= except and (SPENT[row.state] or row.state == "open") then
      sum = sum + (row.shares[client] or 0)
    end
  end
  return sum
end

function Walk:begin_row(intent)
  local row = { intent = intent, state = "fresh", amount = 0, shares = {}, sends = 0, dies = 0, dies_boot = 0 }
  self.rows[#self.rows + 1] = row
  return row
end

--- A name stands for one purchase for ever, and for one call at a time.
function Walk:claim_named(call)
  for _, row in ipairs(self.rows) do
    if row.intent == call.intent then
      if row.call then
        call.expected = "purchase_in_flight"
        return { intent = call.intent, state = "fresh", shares = {}, sends = 0 }
      end
      row.call = call
      return row
    end
  end
  local row = self:begin_row(call.intent)
  row.call = call
  return row
end

--- Which purchase a new call gets.
function Walk:claim(call)
  if call.intent.purchase then return self:claim_named(call) end
  for _, row in ipairs(self.rows) do
    local continued = row.intent == call.intent and not row.call and ADOPTABLE[row.state]
    if continued and call.again then row.let_go = true end -- nobody continues what was bought anew since
    if continued and not call.again and not row.let_go and
      left_of_hold(self, row) >= 0 then
      -- A look that cannot be presented again is spent, and the next one begins.
      local spent = row.state == "lost" or
        row.state == "open" and row.sends > 0 and (row.sends >= 2 or row.header_dies - self:now() < 30)
      if row.intent.class == "look" and spent then
        row.state = "booked"
      else
        row.call = call
        return row
      end
    end
  end
  local row = self:begin_row(call.intent)
  row.call = call
  return row
end

--- Nothing of what a call decides by time may hang on the second that passes meanwhile.
function Walk:steady()
  local again
  repeat
    again = false
    for _, row in ipairs(self.rows) do
      if row.state == "open" or row.state == "delivered" or row.state == "lost" then
        for _, at in ipairs{ left_of_hold(self, row), (row.header_dies or 0) - self:now() - 30 } do
          if math.abs(at) < 4 then again = true end
        end
      end
    end
    if again then
      self.wall, self.boot = self.wall + 9, self.boot + 9
    end
  until not again
end

--- An authorization exists, or is about to: it was shown to a signer, or is presented.
function Walk:authorized(call, nonce, amount, dies)
  local row = call.row
  if row.nonce and row.nonce ~= nonce then wrong("a second nonce for one purchase: %s, %s", row.nonce, nonce) end
  local other = self.nonces[nonce]
  if not row.nonce and other and (other.intent ~= row.intent or not row.intent.purchase) then
    wrong("a nonce of another purchase: %s", nonce)
  end
  row.nonce, self.nonces[nonce] = nonce, row
  if row.state ~= "open" then row.amount, row.shares = 0, {} end
  row.state = "open"
  row.amount = math.max(row.amount, amount)
  row.shares[call.client] = math.max(row.shares[call.client] or 0, amount)
  row.dies = math.max(row.dies, dies)
  row.dies_boot = math.max(row.dies_boot, core.boot_ms() / 1000 + call.boot + dies - core.wall_s() - call.wall)
end

-- ---- what calls do -----------------------------------------------------------------------------------

function Walk:finished(call)
  local r = call.handle:result()
  local row = call.row
  local state = row.state
  local paid = r.ok and r.payment.status or r.paid
  say("  done", call.name, state, tostring(r.code or r.payment.status), "paid " .. tostring(paid))
  local right
  if r.ok then
    right = state == "delivered" and (paid == "settled" or paid == "unconfirmed" or paid == "restored") or
      state == "taken" and row.intent.purchase and paid == "restored" or
      paid == "free" and (state == "fresh" or state == "open" and row.sends == 0)
    if state == "delivered" and r.payment.atomic ~= ("%d"):format(row.amount) then
      wrong("the result tells %s, the purchase costs %d", r.payment.atomic, row.amount)
    end
  else
    -- One whose time ended while its result was being written down cannot tell yet.
    local late = state == "delivered" and r.code == "timeout_total"
    right = paid == ({ fresh = "no", open = "maybe", lost = "yes", delivered = late and "maybe" })[state]
  end
  if not right then wrong("%s: '%s' where the purchase is %s (%s)", call.name, paid, state, tostring(r.message)) end
  if paid == "no" and row.nonce and self.settled[row.nonce] then wrong("'no', and it is settled") end
  local id = r.ok and r.payment.purchase or r.purchase
  if id and paid ~= "free" then
    if row.id and row.id ~= id then wrong("one purchase with two names: %s, %s", row.id, id) end
    row.id = id
  end
  call.done = true
  if state ~= "delivered" or not r.ok then
    row.call = nil
    if state == "fresh" then self:drop(row) end
  end
  if call.expected and not r.ok and r.code ~= call.expected and r.code ~= "timeout_total" then
    wrong("%s: %s, expected %s", call.name, r.code, call.expected)
  end
end

function Walk:drop(row)
  for i, other in ipairs(self.rows) do
    if other == row then
      table.remove(self.rows, i)
      return
    end
  end
end

--- Look at what a call wants now, after anything happened to it.
function Walk:look_at(call)
  if call.done then return end
  local state = exchange.settle(call.handle) -- it may keep its schedule by waiting a little
  if state == "done" then return self:finished(call) end
  if state == "sign" and not call.shown then
    local typed = call.handle:typed_data()
    local value, dies, nonce = typed:match '"value":"(%d+)".-"validBefore":"(%d+)","nonce":"(0x%x+)"'
    call.shown, call.was_open = true, call.row.state == "open"
    self:authorized(call, nonce, tonumber(value), tonumber(dies))
    return
  end
  if state ~= "send" then return end
  call.request = call.handle:request()
  if not call.request.paid then return end
  if call.request.url:find(self.first.origin, 1, true) ~= 1 then wrong("paid to %s", call.request.url) end
  local payment, header = exchange.payment_of(call.request)
  local a, row = payment.payload.authorization, call.row
  if row.in_air then wrong("%s: two presentations of one purchase at a time", call.name) end
  if row.header ~= header then -- the same again commits nobody to more
    self:authorized(call, a.nonce, tonumber(a.value), tonumber(a.validBefore))
    row.header = header
  end
  row.header_dies = tonumber(a.validBefore)
  row.in_air = call
  row.sends = row.sends + 1
  call.sends = call.sends + 1
  call.authorization = a
end

function Walk:start()
  self:steady()
  local c = self.chance
  local intent = c:one(INTENTS)
  local client = c:one(self.clients)
  local call = { intent = intent, client = client, wall = self.wall, boot = self.boot, -- its clocks, to its end
                 again = c:percent(5), sends = 0,
                 name = ("%s/%d"):format(intent.class, #self.calls + 1) }
  call.row = self:claim(call)
  call.was_claimed_open = call.row.state == "open"
  say("start", call.name, "row", call.row.state, tostring(call.row.nonce), call.again and "again" or "")
  for _, r in ipairs(self.rows) do
    say("      ", r.intent.class, r.state, tostring(r.nonce), "hold", left_of_hold(self, r), (r.call or r).name)
  end
  call.handle = client.gateway:call{
    body = intent.body, class = intent.class, purchase = intent.purchase, price = "none",
    again = call.again or self.sabotage.again,
    clock_offset = self.wall, boot_offset = self.boot,
    -- On disk a short time ends anywhere, which the model cannot foresee.
    total_ms = c:percent(10) and not exchange.ledger and 30 or 600,
  }
  self.calls[#self.calls + 1] = call
  self:look_at(call)
end

-- Our answers to the unpaid leg. True: the terms are acceptable.
function Walk:challenge(call)
  local c = self.chance
  local amount = c:one{ 10000, 20000, 30000, 50000 }
  local fields = { amount = ("%d"):format(amount), maxTimeoutSeconds = c:one{ 31, 60, 300, 300 } }
  local options = {}
  local expected
  if c:percent(6) then
    fields.payTo, expected = exchange.STRANGER, "pay_to"
  elseif c:percent(4) then
    fields.amount, expected = "600001", "over_per_call"
  elseif c:percent(4) then
    options.text, expected = '{"x402Version":2}', "malformed"
  else
    local row, client = call.row, call.client
    local share = row.state == "open" and math.max(row.shares[client] or 0, amount) or amount
    if client.budget and self:committed(client, row) + share > client.budget then
      expected = "over_budget"
    elseif c:percent(5) then
      expected = "clock"
      options.date = "Sat, 01 Jan 2000 00:00:00 GMT"
      if row.state == "open" then -- reserved before the clocks were compared
        row.amount = math.max(row.amount, amount)
        row.shares[client] = share
      end
    end
  end
  call.expected = expected
  return self.first:challenge(fields, options)
end

local function plain(...) return exchange.plain(...) end

function Walk:answer_unpaid(call)
  local c = self.chance
  local what = c:upto(100)
  local row = call.row
  if what <= 70 then
    self:feed(call, self:challenge(call))
  elseif what <= 76 then
    if row.state == "open" and row.sends > 0 then row.state = "delivered" end
    self:feed(call, plain(200))
  elseif what <= 82 then
    self:feed(call, plain(307, "", { { "Location", "/moved" } }))
  elseif what <= 90 then
    self:feed(call, plain(c:one{ 400, 404, 429, 500, 503 }))
  elseif what <= 95 then
    call.handle:lost "reset"
  else
    call.handle:lost("refused", true)
  end
end

-- The server's own mind: it may settle or not, and tell or not.
function Walk:answer_paid(call)
  local c = self.chance
  local row, a = call.row, call.authorization
  row.in_air = nil
  if c:percent(8) then
    if call.sends == 1 and not call.was_claimed_open then
      row.state = call.was_open and "open" or "fresh"
    end
    row.sends = row.sends - 1
    say("  unsent", call.name)
    call.handle:lost("refused", true)
    return
  end
  local alive = tonumber(a.validBefore) > self:now()
  local fits = alive and not self.settled[a.nonce]
  if fits and c:percent(60) then
    if self.settled[a.nonce] then wrong "settled twice" end
    self.settled[a.nonce] = tonumber(a.value)
    local what = c:upto(100)
    if what <= 40 then
      row.state = "delivered"
      return self:feed(call, self.first:answer(200))
    elseif what <= 50 then
      row.state = "delivered"
      return self:feed(call, plain(200))
    elseif what <= 58 then
      row.state = "lost"
      return self:feed(call, self.first:answer(c:one{ 500, 404 }))
    end
  elseif self.settled[a.nonce] and c:percent(50) then
    return self:feed(call, self.first:challenge(nil, { error = "invalid_exact_evm_nonce_already_used" }))
  end
  local what = c:upto(8)
  if what == 1 then self:feed(call, plain(c:one{ 400, 404, 409, 429, 500, 502, 503, 504 }))
  elseif what == 2 then self:feed(call, self.first:challenge{ amount = "10000" })
  elseif what == 3 then self:feed(call, self.first:challenge(nil, { error = "insufficient_funds" }))
  elseif what == 4 then
    self:feed(call, self.first:answer(402, "{}", { success = false, transaction = "",
                                                    errorReason = c:one{ "insufficient_funds", "fetch failed" } }))
  elseif what == 5 then self:feed(call, plain(c:one{ 302, 307 }, "", { { "Location", "https://evil.test/" } }))
  elseif what == 6 then self:feed(call, plain(402))
  else call.handle:lost "reset" end
end

function Walk:feed(call, answer)
  say("  answer", call.name, tostring(answer.status), tostring(call.expected))
  assert(call.handle:answer(answer.status, answer.headers, answer.body))
end

function Walk:sign(call)
  local c = self.chance
  local what = c:upto(10)
  call.shown = false
  if what <= 7 then
    local _, digest = call.handle:typed_data()
    call.handle:signature(core.hex_encode(core.secp_sign(core.hex_decode(digest:sub(3)), KEY)))
  elseif what == 8 then
    call.handle:signature(c:one{ "", "0x", ("0"):rep(130), ("z"):rep(65) })
  else
    if not call.was_open then call.row.state = "fresh" end
    call.handle:signature(nil, "no")
  end
end

--- The caller stops waiting, one way or the other; what it leaves behind stays as it is.
function Walk:leave(call, how)
  local row = call.row
  say("  leave", call.name, how, row.state)
  if how == "cancel" then
    local before = row.state
    local word = call.handle:cancel "enough"
    local expected = before == "open" and "detached" or "aborted"
    if not call.done and word ~= expected then
      wrong("%s: cancelled '%s' where the purchase is %s", call.name, word, before)
    end
    if not call.done then self:finished(call) end
  end
  call.handle:close()
  call.gone = true
  if row.call == call then row.call = nil end
  if row.in_air == call then row.in_air = nil end
  if row.state == "fresh" then self:drop(row) end
end

function Walk:take(call)
  local row = call.row
  if row.state == "delivered" and row.call == call then
    if self.taken[row.id] and not row.intent.purchase then wrong("%s was handed over twice", row.id) end
    self.taken[row.id] = true
    row.state, row.call = "taken", nil
  end
  if not self.sabotage.never_taken then call.handle:taken() end
  call.handle:close()
  call.gone = true
end

function Walk:pick(fits)
  local list = {}
  for _, call in ipairs(self.calls) do
    if not call.gone and fits(call) then list[#list + 1] = call end
  end
  return #list > 0 and self.chance:one(list) or nil
end

local function wanting(call) return not call.done end
local function is_done(call) return call.done end

function Walk:step()
  local c = self.chance
  local what = c:upto(100)
  local call
  if what <= 22 then
    local open = 0
    for _, one in ipairs(self.calls) do open = open + (one.gone and 0 or 1) end
    if open < 6 then self:start() end
    return
  elseif what <= 72 then
    call = self:pick(wanting)
    if not call then return end
    if call.handle:state() == "sign" then self:sign(call)
    elseif call.request.paid then self:answer_paid(call)
    else self:answer_unpaid(call) end
    self:look_at(call) -- before the engine steps: a deadline must not come between
  elseif what <= 84 then
    call = self:pick(is_done)
    if call then self:take(call) end
  elseif what <= 88 then
    call = self:pick(is_done)
    if call then self:leave(call, "close") end
  elseif what <= 91 then
    call = self:pick(wanting)
    if call then self:leave(call, c:one{ "cancel", "close" }) end
  elseif what <= 92 then
    exchange.engine:step(c:one{ 0, 40 })
  elseif what <= 96 then
    local s = c:one{ 3, 20, 60, 250, 400 }
    self.wall, self.boot = self.wall + s, self.boot + s
  elseif what <= 97 then
    self.wall = self.wall + c:one{ -500, 500, 5000 }
  elseif what <= 98 then
    self.wall, self.boot = self.wall + 3000, self.boot + 3000
  end
end

-- ---- what must hold after every step --------------------------------------------------------------------

function Walk:check()
  for i, client in ipairs(self.clients) do
    local committed, spent = self:committed(client), client.gateway:totals()
    if tonumber(spent.committed) ~= committed then
      wrong("client %d has committed %s, the model %d", i, spent.committed, committed)
    end
    if client.budget and committed > client.budget then wrong("client %d is over its budget", i) end
  end
end

--- Settlements against what they were for: no intent is settled more often than it was bought.
function Walk:check_books()
  local bought, settled = {}, {}
  for _, row in pairs(self.nonces) do bought[row.intent] = (bought[row.intent] or 0) + 1 end
  for nonce in pairs(self.settled) do
    local intent = self.nonces[nonce].intent
    settled[intent] = (settled[intent] or 0) + 1
    if settled[intent] > bought[intent] then wrong "more settlements than purchases" end
  end
end

function Walk:run()
  local at = 0
  local ok, why = pcall(function()
    for i = 1, STEPS do
      at = i
      self:step()
      -- Deadlines pass by themselves.
      exchange.engine:step(0)
      for _, call in ipairs(self.calls) do
        if not (call.done or call.gone) and call.handle:state() == "done" then
          if call.row.in_air == call then call.row.in_air = nil end
          self:finished(call)
        end
      end
      self:check()
    end
    self:check_books()
  end)
  for _, call in ipairs(self.calls) do
    if not call.gone then call.handle:close() end
  end
  if ok then return true end
  return nil, ("seed %d, step %d: %s"):format(self.seed, at, why)
end

local function range()
  local from, to = (os.getenv "SPRAAY_CHAOS" or exchange.ledger and "1-30" or "1-150"):match "^(%d+)-(%d+)$"
  return tonumber(from), tonumber(to)
end

describe("any course of events", function()
  it("costs one nonce per purchase, stays in every budget, and is told truly", function()
    local from, to = range()
    for seed = from, to do assert(walk(seed):run()) end
  end)
end)

-- ---- the same over real sockets -------------------------------------------------------------------------

local FAULTS = { "settle_then_reset", "settle_then_402", "settle_then_500", "settle_then_truncate", "settle_then_slow",
                 "settle_then_close", "settle_then_unclear", "reset_before_settle", "503_before_settle", "verify_down",
                 "reset_on_probe", "handler_crash", "timeout_before_settle", "429_retry_after", "redirect_same" }

describe("callers that keep changing their minds", function()
  local box
  setup(function() box = sandbox.start{} end)
  teardown(function() box:stop() end)

  --- Loops around one call each, that leave it at any moment and begin again, until each has its answer.
  local function minds(seed)
    local c = chance(seed)
    box:reset()
    box:clear()
    local gateway = exchange.new{ gateway = box.url, rpc = { ["eip155:8453"] = box.rpc }, retries = 1 }
    gateway.origin = box.url
    box:fund(gateway.wallet:address(), "100")
    local loops, lost = {}, 0
    for i = 1, 12 do loops[i] = { body = ('{"messages":[{"role":"user","content":"%d %d"}]}'):format(seed, i) } end
    for _ = 1, 3 do
      local name = c:one(FAULTS)
      box:fault(name, { times = c:upto(4), seconds = name:find "slow" and 0.3 or name:find "timeout" and 0.2 or nil })
    end
    local limit, open = core.mono_ms() + 20000, #loops
    while open > 0 do
      assert(core.mono_ms() < limit, "it does not come to an end")
      exchange.engine:step(c:upto(10))
      for _, loop in ipairs(loops) do
        local call = loop.call
        if not loop.over and not call and c:percent(50) then
          loop.call = gateway:call{ external = false, body = loop.body, total_ms = 200 + c:upto(2000),
                                    headers = { { "Content-Type", "application/json" } } }
        elseif call and call:state() == "done" then
          local r = call:result()
          loop.call = nil
          if r.ok and c:percent(80) then
            call:taken()
            loop.over, open = true, open - 1
          elseif not r.ok and r.paid == "yes" then
            loop.over, open, lost = true, open - 1, lost + 1
          end
          call:close()
        elseif call and c:percent(3) then
          loop.call = nil
          if c:percent(50) then call:cancel() end
          call:close()
        end
      end
    end
    collectgarbage()
    local books, nonces, n = box:ledger(), {}, 0
    for _, one in ipairs(books.presented) do
      if not nonces[one.nonce] then
        nonces[one.nonce], n = true, n + 1
      end
    end
    return books, n, gateway, lost
  end

  it("pay once", function()
    for seed = 1, 6 do
      local books, nonces, gateway, lost = minds(seed)
      local ok = books.count <= 12 and nonces <= 12
      assert(ok, ("seed %d: %d settled, %d nonces for 12 intents"):format(seed, books.count, nonces))
      assert.equal(tostring(12 * 30000), gateway:totals().settled)
      assert.equal("0", gateway:totals().open)
      assert.is_true(lost <= 12)
    end
  end)
end)

describe("the model notices", function()
  local function noticed(sabotage)
    for seed = 1, 20 do
      local ok, why = walk(seed, sabotage):run()
      if not ok then
        assert.truthy(why:find("seed %d+, step %d+: ."), why)
        return
      end
    end
    error "nothing was noticed in twenty walks"
  end

  it("a client that buys anew instead of continuing", function() noticed{ again = true } end)

  it("a client that hands over what it handed over before", function()
    noticed{ never_taken = true }
  end)
end)
