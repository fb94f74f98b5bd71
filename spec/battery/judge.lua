--- The judge: what the sandbox's books say about what a script was told to buy.
---
--- Settlements are counted per intent, a user-level call however often it was tried: by the route and
--- the digest of the body as the gateway saw them, never by anything the client says of itself.
-- SPDX-License-Identifier: MIT
local calls = require "spec.battery.calls"

local judge = {}

--- One verdict over some intents; verdicts add up in the report.
---@return table
function judge.new()
  return { trials = 0, once = 0, delivered = 0, reported = 0, violations = {} }
end

local function wrong(verdict, fmt, ...) verdict.violations[#verdict.violations + 1] = fmt:format(...) end
judge.wrong = wrong

-- ---- the intents -----------------------------------------------------------------------------------

-- What the books show of a settlement: equal requests are equal here. The name of an account, a job or
-- a payer differs from run to run, so where one is told the route alone counts.
local function group_of(row)
  for _, kind in pairs(calls.kinds) do
    if (kind.needs or kind.own) and kind.route == row.route then return row.route end
  end
  if row.path:find("%%") then return row.route .. " other " .. row.body end
  if row.path:find("?page=", 1, true) then return row.route .. row.path end
  return row.route .. " " .. row.body
end

--- How each call shows in the books, learned from a run in which nothing went wrong.
---@param books table     of that run, its calls made one after the other
---@param plan table
---@return table? identities  call id -> group
---@return string? why
function judge.identities(books, plan)
  local found = {}
  if #books.settled ~= #plan.calls then
    return nil, ("%d settled of %d calls, though nothing went wrong"):format(#books.settled, #plan.calls)
  end
  for i, call in ipairs(plan.calls) do found[call.id] = group_of(books.settled[i]) end
  return found
end

-- How many settlements the loop of one intent may lead to. A look that is lost is booked as spent and
-- the next one is a new purchase.
local function limit_of(call, tries)
  return calls.kinds[call.verb].class == "look" and tries or 1
end

-- ---- the settlements ---------------------------------------------------------------------------------

local function check_terms(verdict, row, home, prices)
  if not row.route then return wrong(verdict, "%s moved, and no request ever named it", row.amount) end
  if row.payTo:lower() ~= home.payTo:lower() then wrong(verdict, "paid to %s", row.payTo) end
  if row.network ~= home.network then wrong(verdict, "paid on %s", row.network) end
  if not prices[row.route] or tonumber(row.amount) > prices[row.route] then
    wrong(verdict, "%s settled %s", row.route, row.amount)
  end
end

local function published()
  local prices = {}
  for _, kind in pairs(calls.kinds) do prices[kind.route] = kind.price end
  return prices
end

-- A cap holds at every settlement, not only at the end.
local function check_cap(verdict, books, cap)
  local sum = 0
  for i, row in ipairs(books.settled) do
    sum = sum + tonumber(row.amount)
    if sum > cap then
      return wrong(verdict, "settlement %d brings the sum to %d, over the cap of %d", i, sum, cap)
    end
  end
end

-- ---- what was said ----------------------------------------------------------------------------------

local DELIVERED = { settled = true, unconfirmed = true, restored = true }

-- The lines of one call, in order, over all processes.
local function lines_by_call(outcomes)
  local by = {}
  for _, outcome in ipairs(outcomes) do
    for _, line in ipairs(outcome.lines) do
      if line.call then
        by[line.call] = by[line.call] or {}
        table.insert(by[line.call], line)
      end
    end
  end
  return by
end

local function check_lines(verdict, call, lines, count, law)
  local text = law.texts and law.texts[call.id]
  for _, line in ipairs(lines) do
    if line.message and (not utf8.len(line.message) or line.message:find "%c") then
      wrong(verdict, "%s: a message that is no text: %s", call.id, line.message:gsub("[^ -~]", "?"):sub(1, 120))
    end
    if line.ok then
      if DELIVERED[line.status] and count == 0 then
        wrong(verdict, "%s: %s but nothing settled", call.id, line.status)
      end
      if line.text and text and line.text ~= text then
        wrong(verdict, "%s: another result than was bought: %s", call.id, line.text:sub(1, 80))
      end
      if calls.kinds[call.verb].class ~= "look" then text = text or line.text end
    elseif line.paid == "yes" and count == 0 then
      wrong(verdict, "%s: said to be paid, nothing settled: %s", call.id, tostring(line.message))
    end
  end
  local last = lines[#lines]
  if last and not last.ok and last.paid == "no" and count > 0 and not law.lied then
    wrong(verdict, "%s: said to be unpaid, settled: %s", call.id, tostring(last.message))
  end
  return last
end

--- Judge what is in the books.
---@param books table        box:ledger()
---@param plan table         what the script was told
---@param outcomes table[]   of its processes, in order
---@param law table          identities, home (box:config()), cap (micro-USDC), texts (call id -> text),
---                          must ("deliver": a call has its result at the end; "settle": it is settled;
---                          "nothing": it is not; or a function of the call that says one of them),
---                          tries (of all processes together), lied (the RPC did: what it "proved" may be
---                          said, though it is wrong)
---@return table verdict
function judge.weigh(books, plan, outcomes, law)
  local verdict, groups, prices = judge.new(), {}, published()
  for _, row in ipairs(books.settled) do
    local group = row.route and group_of(row)
    if group then groups[group] = (groups[group] or 0) + 1 end
    check_terms(verdict, row, law.home, prices)
  end
  if law.cap then check_cap(verdict, books, law.cap) end
  for _, outcome in ipairs(outcomes) do
    if outcome.hung then wrong(verdict, "the script hangs: %s", outcome.errors:sub(-300)) end
    if outcome.errors:find("lua5.4:", 1, true) then wrong(verdict, "the script broke: %s", outcome.errors:sub(-300)) end
    for _, line in ipairs(outcome.lines) do
      if line.fatal then wrong(verdict, "no client: %s", line.fatal) end
    end
  end
  -- Equal calls share a group: together they may settle as often as they are.
  local allowed = {}
  for _, call in ipairs(plan.calls) do
    local group = law.identities[call.id]
    allowed[group] = (allowed[group] or 0) + limit_of(call, law.tries or plan.tries or 1)
  end
  for group, count in pairs(groups) do
    local most = allowed[group] or 0
    if count > most then wrong(verdict, "%s: settled %d times for %d", group, count, most) end
  end
  local by_call = lines_by_call(outcomes)
  for _, call in ipairs(plan.calls) do
    local group = law.identities[call.id]
    local count = groups[group] or 0
    local must = type(law.must) == "function" and law.must(call) or law.must
    verdict.trials = verdict.trials + 1
    if count > 0 and count <= allowed[group] then verdict.once = verdict.once + 1 end
    local last = check_lines(verdict, call, by_call[call.id] or {}, count, law)
    if last and last.ok then verdict.delivered = verdict.delivered + 1
    elseif last and not last.skipped then
      verdict.reported = verdict.reported + 1
      if must == "deliver" then
        wrong(verdict, "%s: not delivered: %s (paid: %s)", call.id, tostring(last.message), tostring(last.paid))
      end
    elseif must == "deliver" then
      wrong(verdict, "%s: never finished", call.id)
    end
    if must == "settle" and count == 0 then wrong(verdict, "%s: never settled", call.id) end
    if must == "nothing" and count > 0 then wrong(verdict, "%s: settled", call.id) end
  end
  return verdict
end

--- The texts that were delivered, by call: what later processes must give again.
function judge.texts(outcome)
  local texts = {}
  for _, line in ipairs(outcome.lines) do
    if line.ok and line.text then texts[line.call] = line.text end
  end
  return texts
end

return judge
