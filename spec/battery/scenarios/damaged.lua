--- A ledger that was torn or altered between two runs. It may be refused by name; it may never cost twice,
--- give another answer than was bought, or stay unusable once it is repaired or put aside.
-- SPDX-License-Identifier: MIT
local calls = require "spec.battery.calls"
local process = require "spec.battery.process"

local damaged = { title = "the ledger damaged between runs" }

local LANES = 4

local function script()
  return { calls.new("chat", "a torn page"), calls.new("embed", "a torn page"), calls.new("chat", "a lost page") }
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

-- change(text) -> text, on one of the ledger's files.
local function rewrite(path, change)
  local text = process.slurp(path)
  if text then process.spill(path, change(text)) end
end

local function torn(at) return function(text) return text:sub(1, at % (#text + 1)) end end

local function flipped(at, bit)
  return function(text)
    local i = at % #text + 1
    return text:sub(1, i - 1) .. string.char(text:byte(i) ~ (1 << bit)) .. text:sub(i + 1)
  end
end

-- The run before the damage: two answers arrive and one is lost. Killed, it leaves its log behind.
local function before(s, plan, killed)
  s.box:fault("settle_then_reset", { times = 1, after = 2 })
  if not killed then return s:run(plan) end
  local running = s:start(s.but(plan, { linger = true }))
  local last
  for _ = 1, #plan.calls do last = running:line() or last end
  running:signal "KILL"
  s:ended(running)
end

local function one(t, suffix, change, killed, text, mend)
  t:sub(function(s)
    local plan = s:plan(script(), { open = { run = "night", timeout = { connect = 5, idle = 2, total = 5 } } })
    s.box:config{ replay = true }
    before(s, plan, killed)
    s.box:clear()
    if not exists(s.ledger .. suffix) then return end
    rewrite(s.ledger .. suffix, change)
    local again = s:run(s.but(plan, { tries = 3 }))
    local refused = false
    for _, line in ipairs(again.lines) do
      if line.kind == "ledger" then
        refused = true
      elseif line.call and not line.ok and line.paid ~= "yes" then
        s:wrong("neither refused nor delivered: %s/%s: %s", tostring(line.kind), tostring(line.code),
          tostring(line.message))
      end
    end
    -- Put right, or put aside: names do the rest.
    if refused then
      local said = "put aside"
      if mend then said = s:command "repair" else os.execute(("rm -rf %s*"):format(s.ledger)) end
      for _, line in ipairs(s:run(s.but(plan, { tries = 3 })).lines) do
        if line.kind == "ledger" then s:wrong("%s: still %s", said:sub(1, 200), tostring(line.message)) end
      end
    end
    -- What lay on the damaged page may be gone, and is told as paid and lost; a file put aside is no loss.
    s:weigh(plan, { must = s.bench.has_nonce and refused and not mend and "deliver" or nil })
    s:audit(plan, { lost = true })
    if #s.verdict.violations > 0 then s:wrong("%s of the ledger%s", text, suffix) end
  end)
end

local function run(bench, suffix, kind, killed, lane)
  return function(t)
    t:learn(t:plan(script()))
    local roll = bench.dice(("damaged %s %s %d"):format(suffix, kind, lane))
    for _ = 1, bench.full and 15 or 2 do
      local at, bit = roll(1000000), roll(8) - 1
      local change = kind == "torn" and torn(at) or flipped(at, bit)
      one(t, suffix, change, killed, ("%s at %d mod its length, bit %d,"):format(kind, at, bit),
        roll(2) == 1)
    end
  end
end

function damaged.trials(bench)
  local list = {}
  for _, case in ipairs{ { "", "torn" }, { "", "flipped" }, { "-wal", "torn", true }, { "-wal", "flipped", true },
                         { "-shm", "flipped", true } } do
    for lane = 1, bench.full and LANES or 1 do
      local row = ("%s: ledger.db%s"):format(case[2], case[1])
      list[#list + 1] = { row = row, run = run(bench, case[1], case[2], case[3], lane) }
    end
  end
  return list
end

return damaged
