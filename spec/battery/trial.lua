--- One trial: a folder of its own for the ledger, a lane's sandbox as it was on the first day, and the
--- processes of one script, judged at the end by the books.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local cqueues = require "cqueues"
local calls = require "spec.battery.calls"
local judge = require "spec.battery.judge"
local process = require "spec.battery.process"

local trial = {}
trial.__index = trial

--- Options every client of the battery has: no cap of its own but those of the trial.
trial.OPEN = { futures = "ledger", per_day = "100000", timeout = { connect = 5, idle = 5, total = 12 } }

-- The sandbox as it was on the first day.
local function fresh(box)
  box:clear()
  box:reset()
  box:config{ replay = false, job_seconds = 0 }
end

---@param bench table  paths, full, dice, identities, …: what all trials share
---@param box table    the lane's sandbox
function trial.new(bench, box)
  local self = setmetatable({ bench = bench, box = box, outcomes = {}, verdict = judge.new() }, trial)
  self.folder = os.tmpname()
  os.remove(self.folder)
  self.folder = self.folder .. ".battery"
  assert(os.execute("mkdir -p " .. self.folder))
  self.ledger = self.folder .. "/ledger.db"
  fresh(box)
  self.home = box:config()
  if bench.rail == "solana" then self.home = self.home.solana end
  return self
end

--- A script that buys `list`. `more` are further fields of the plan; more.open those of spraay.open.
function trial:plan(list, more)
  local plan = { calls = list, tries = 1 }
  for name, value in pairs(more or {}) do plan[name] = value end
  local open = { ledger = self.ledger, networks = self.bench.rail and { self.bench.rail } or nil }
  for name, value in pairs(trial.OPEN) do open[name] = value end
  for name, value in pairs(plan.open or {}) do open[name] = value end
  plan.open = open
  return plan
end

--- The same script with other fields.
function trial.but(plan, more)
  local other = {}
  for name, value in pairs(plan) do other[name] = value end
  for name, value in pairs(more) do other[name] = value end
  return other
end

--- Start a script; trial:ended(process) when it is done.
function trial:start(plan, options)
  local given = { folder = self.folder, box = self.box }
  for name, value in pairs(options or {}) do given[name] = value end
  return process.start(self.bench.paths, plan, given)
end

function trial:ended(running)
  local outcome = running:finish()
  self.outcomes[#self.outcomes + 1] = outcome
  return outcome
end

--- Run a script to its end.
function trial:run(plan, options) return self:ended(self:start(plan, options)) end

-- Texts that are the same in every sandbox.
local SAME = { chat = true, other = true }

--- How the calls of a plan show in the books, and what they say, from a run in which nothing goes wrong.
function trial:learn(plan)
  local name = cjson.encode(plan.calls)
  local known = self.bench.identities[name]
  if known then return known end
  local calm = trial.but(plan, { tries = 1, first = nil })
  calm.width, calm.save, calm.act, calm.first = nil, nil, nil, nil
  calm.open = { ledger = false, per_day = "100000", futures = plan.open.futures, networks = plan.open.networks }
  local outcome = process.start(self.bench.paths, calm, { folder = self.folder, box = self.box }):finish()
  local identities, why = judge.identities(self.box:ledger(), plan)
  if not identities then
    local said = {}
    for _, line in ipairs(outcome.lines) do said[#said + 1] = tostring(line.message or line.fatal or line.status) end
    error(why .. ": " .. table.concat(said, "; ") .. outcome.errors, 0)
  end
  known = { identities = identities, texts = {} }
  local texts = judge.texts(outcome)
  for _, call in ipairs(plan.calls) do
    if SAME[call.verb] then known.texts[call.id] = texts[call.id] end
  end
  self.bench.identities[name] = known
  local settings = self.box:config().config
  self.box:reset()
  self.box:config{ replay = settings.replay, job_seconds = settings.job_seconds }
  return known
end

--- Say how the calls of a plan show in the books, where no run can teach it.
function trial:know(plan, identities)
  self.bench.identities[cjson.encode(plan.calls)] = { identities = identities, texts = {} }
end

--- Run the first call of a plan while the gateway is honest, so that its receiver is known. Returns the script
--- of what is left.
function trial:after_the_first(plan)
  self:run(trial.but(plan, { calls = { plan.calls[1] } }))
  return trial.but(plan, { calls = { table.unpack(plan.calls, 2) } })
end

--- A trial inside of this one, with a folder and books of its own: its verdict counts for this one.
function trial:sub(fn)
  local inner = trial.new(self.bench, self.box)
  fn(inner)
  fresh(self.box)
  for _, name in ipairs{ "trials", "once", "delivered", "reported" } do
    self.verdict[name] = self.verdict[name] + inner.verdict[name]
  end
  for _, text in ipairs(inner.verdict.violations) do
    self:wrong("%s%s", text, self.bench.keep and " in " .. inner.folder or "")
  end
  if not self.bench.keep or #inner.verdict.violations == 0 then inner:close() end
end

--- A violation.
function trial:wrong(fmt, ...) judge.wrong(self.verdict, fmt, ...) end

-- The books, once the sandbox has come to an end with everything that was presented to it.
local function books_of(box)
  local deadline = cqueues.monotime() + 20
  while true do
    local books, busy = box:ledger(), false
    for _, shown in ipairs(books.presented) do busy = busy or shown.verdict == "verified" end
    if not busy or cqueues.monotime() > deadline then return books end
    cqueues.sleep(0.02)
  end
end

--- Judge the books against what the script was told to buy. See judge.weigh for the law.
function trial:weigh(plan, law)
  local known = self:learned(plan)
  local whole = { identities = known.identities, texts = known.texts, home = self.home,
                  tries = #self.outcomes * (plan.tries or 1) }
  for name, value in pairs(law or {}) do whole[name] = value end
  local verdict = judge.weigh(books_of(self.box), plan, self.outcomes, whole)
  for _, name in ipairs{ "trials", "once", "delivered", "reported" } do
    self.verdict[name] = self.verdict[name] + verdict[name]
  end
  for _, text in ipairs(verdict.violations) do self:wrong("%s", text) end
end

--- The calls of these verbs that ended with a result: id -> true.
function trial:delivered(plan, verbs)
  local verb, out = {}, {}
  for _, call in ipairs(plan.calls) do verb[call.id] = call.verb end
  for _, outcome in ipairs(self.outcomes) do
    for _, line in ipairs(outcome.lines) do
      if line.ok and verbs[verb[line.call]] then out[line.call] = true end
    end
  end
  return out
end

function trial:learned(plan)
  return assert(self.bench.identities[cjson.encode(plan.calls)], "the plan was not learned before the trial")
end

-- Money as text to micro-USDC.
local function micro(text)
  local whole, fraction = text:match "^(%d+)%.?(%d*)$"
  return math.tointeger(tonumber(whole) * 1000000 + tonumber((fraction .. "000000"):sub(1, 6)))
end

local FINAL = { delivered = true, taken = true, paid_lost = true, void = true }

local function write_clock(self)
  self.clock = self.folder .. "/clock"
  local file = assert(io.open(self.clock, "r+b") or io.open(self.clock, "wb"))
  file:write(string.pack("<i8i8", self.ahead or 0, self.skewed or 0))
  file:close()
end

--- Let time pass: on every clock of the scripts that are given `clock`, running ones too, and the sandbox's.
function trial:pass(seconds)
  self.ahead = (self.ahead or 0) + seconds
  write_clock(self)
  self.box:advance(seconds)
end

--- Set the wall clock of those scripts wrong, by so many seconds.
function trial:skew(seconds)
  self.skewed = seconds
  write_clock(self)
end

-- A look that is lost counts as spent, without waiting for the chain. Where nothing lets it be signed again before it
-- is dead, it may not have been.
local function is_lost_look(self, row)
  local kind = calls.kinds[(row.verb or ""):match "[%a_]*$"]     -- "futures:pricing"
  return not self.bench.has_nonce and row.state == "paid_lost" and kind ~= nil and kind.class == "look"
end

--- The ledger's own account of it all, once the time of every signature is over and the chain was asked:
--- nothing is open, its sum is what the books say, to the micro-USDC, and nothing was presented that is
--- not on record.
---@param law? table   lost: the ledger was lost in between, so it need not know everything; fault: how the
---                    RPC misbehaves meanwhile, so that it need not come to an end, but to no wrong one either
function trial:audit(plan, law)
  law = law or {}
  self.box:clear()
  if law.fault then self.box:fault(law.fault, {}) end
  self:pass(1500)
  local running = self:start(trial.but(plan, { act = "audit" }), { shim = { CLOCK = self.clock } })
  local outcome = running:finish()
  self.box:clear()
  local books, sum, known, used = self.box:ledger(), 0, {}, {}
  -- On Solana half of a purchase's mark is the memo, by which the books call it.
  local function mark_of(row)
    if not row.nonce then return nil end
    return self.bench.rail == "solana" and row.nonce:sub(3, 34) or row.nonce:lower()
  end
  -- A transfer of the payer's own is called by its signature there, and its memo told beside.
  local memos = {}
  for _, row in ipairs(books.settled) do
    if row.via == "self-paid" then memos[row.nonce] = row.memo end
    used[(memos[row.nonce] or row.nonce):lower()] = row.route
  end
  for _, line in ipairs(outcome.lines) do
    if line.fatal or line.message then self:wrong("audit: %s", tostring(line.fatal or line.message)) end
    local row = line.row
    if row then
      local mark = mark_of(row) or ""
      if row.state ~= "void" and FINAL[row.state] and not (is_lost_look(self, row) and not used[mark]) then
        sum = sum + micro(row.amount)
      end
      known[mark] = true
      if row.state == "void" and used[mark] then
        self:wrong("audit: %s is void, and was settled: %s", row.id, used[mark])
      end
      if not law.fault and not FINAL[row.state] and row.state ~= "reserved" and row.state ~= "intent" then
        self:wrong("audit: %s (%s) is %s though the chain was asked", row.id, tostring(row.verb), row.state)
      end
    end
  end
  if outcome.hung or not outcome.ok then self:wrong("audit: %s", outcome.errors:sub(-300)) end
  if law.lost or law.fault then return end
  if ("%d"):format(sum) ~= books.total then self:wrong("audit: the ledger says %d, the books %s", sum, books.total) end
  for _, shown in ipairs(books.presented) do
    local mark = type(shown.nonce) == "string" and (memos[shown.nonce] or shown.nonce):lower()
    if self.bench.rail == "solana" and mark and not mark:find "^%x+$" then mark = nil end     -- a memo of the server's
    if mark and not known[mark] then
      self:wrong("audit: %s was presented (%s) and is not on record", shown.nonce, shown.verdict)
    end
  end
end

--- A command of `spraay ledger`.
---@return string text, boolean ok
function trial:command(words)
  return process.command(self.bench.paths, { folder = self.folder, box = self.box },
    ("ledger %s --ledger %s"):format(words, self.ledger))
end

--- What the command line says of the ledger is what the books say.
function trial:ask_command_line()
  local text, ok = self:command "sum --json"
  local fine, sum = pcall(cjson.decode, text)
  local total = self.box:ledger().total_usdc
  if not ok or not fine then return self:wrong("spraay ledger sum: %s", text:sub(1, 200)) end
  if sum.settled ~= total or sum.open ~= "0.000000" then
    self:wrong("spraay ledger sum: %s settled, %s open; the books say %s", sum.settled, sum.open, total)
  end
  text, ok = self:command "verify"
  if not ok then self:wrong("spraay ledger verify: %s", text:sub(1, 200)) end
end

--- Remove what it left on disk.
function trial:close() os.execute("rm -rf " .. self.folder) end

return trial
