--- A ledger put back from an old copy, copied to another place, shared by a fork.
-- SPDX-License-Identifier: MIT
local calls = require "spec.battery.calls"
local process = require "spec.battery.process"

local copies = { title = "copies and forks" }

local function script()
  local list = {}
  for i = 1, 6 do list[i] = calls.new("chat", ("the %d. copy of a letter"):format(i)) end
  return list
end

local function first_of(list, n)
  local out = {}
  for i = 1, n do out[i] = list[i] end
  return out
end

-- Half is bought, the ledger is copied, the rest is bought, the copy is put back.
local function restored(fault)
  return function(t)
    local list = script()
    local plan = t:plan(list, { tries = 3, open = { run = "night", timeout = { connect = 5, idle = 2, total = 4 } } })
    t:learn(plan)
    t.box:config{ replay = true }
    t:run(t.but(plan, { calls = first_of(list, 3) }))
    os.execute(("mkdir %s/old && cp -a %s* %s/old/"):format(t.folder, t.ledger, t.folder))
    if fault then t.box:fault(fault, {}) end
    t:run(t.but(plan, { tries = 1 }))
    t.box:clear()
    os.execute(("rm -rf %s* && cp -a %s/old/* %s/"):format(t.ledger, t.folder, t.folder))
    t:run(plan)
    t:weigh(plan, { must = t.bench.has_nonce and "deliver" or nil })
    t:audit(plan, { lost = not t.bench.has_nonce })
    if t.bench.has_nonce then t:ask_command_line() end
  end
end

-- The same script at two places, one ledger copied from the other: two machines that know nothing of each
-- other derive the same nonces.
local function two_places(t)
  local list = script()
  local plan = t:plan(list, { tries = 3, open = { run = "night" } })
  t:learn(plan)
  t.box:config{ replay = true }
  t:run(t.but(plan, { calls = first_of(list, 2) }))
  os.execute(("mkdir %s/other && cp -a %s* %s/other/"):format(t.folder, t.ledger, t.folder))
  local other = t.but(plan, { open = t.but(plan.open, { ledger = t.folder .. "/other/ledger.db" }) })
  local a, b = t:start(plan), t:start(other)
  t:ended(a)
  t:ended(b)
  t:weigh(plan)
end

-- A second process under a live run name is refused, and what it was refused it did not pay.
local function one_live_run(t)
  local list = script()
  local plan = t:plan(list, { tries = 1, open = { run = "night" } })
  t:learn(plan)
  t.box:fault("handler_slow", { times = 1, seconds = 1 })
  local a = t:start(plan)
  while #t.box:ledger().presented == 0 do require("cqueues").sleep(0.002) end
  local b = t:start(plan)
  t:ended(b)
  for _, line in ipairs(t.outcomes[1].lines) do
    if line.ok or line.code ~= "run_live" or line.paid ~= "no" then
      t:wrong("a second process of the run got %s", tostring(line.code or line.status))
    end
  end
  t.outcomes = {}
  t:ended(a)
  t:weigh(plan, { must = "deliver" })
  t:audit(plan)
end

-- A picture that was bought, and whose link is dead when the run is started again.
local function dead_links(t)
  local plan = t:plan({ calls.new("image", "a faded picture"), calls.new("chat", "a faded picture") },
    { tries = 2, open = { run = "night" } })
  t:learn(plan)
  t:run(plan)
  t.box:config{ media_gone = true }
  t:run(t.but(plan, { save = t.folder }))
  t:weigh(plan, { must = "deliver" })
  for _, name in ipairs{ "image-a-faded-picture", "chat-a-faded-picture" } do
    if #(process.slurp(("%s/%s"):format(t.folder, name)) or "") == 0 then t:wrong("%s was not saved", name) end
  end
  t:audit(plan)
  t:ask_command_line()
end

local function forked(t)
  local list = { calls.new("chat", "before the fork") }
  for i = 1, 8 do
    local call = calls.new("chat", "worker " .. i)
    call.who = i % 2 == 0 and "parent" or "child"
    list[#list + 1] = call
  end
  -- An equal call in each: two intents, two purchases.
  for _, who in ipairs{ "parent", "child" } do
    list[#list + 1] = { id = "both " .. who, verb = "chat", subject = "both", who = who }
  end
  local plan = t:plan(list, { tries = 3 })
  t:learn(plan)
  t:run(t.but(plan, { act = "fork", fork = t.bench.paths.shim }))
  t:weigh(plan, { must = "deliver" })
  t:audit(plan)
  t:ask_command_line()
end

function copies.trials(bench)
  local list = {
    { row = "put back from an old copy", run = restored(nil) },
    { row = "put back, answers lost", run = restored "settle_then_reset" },
    { row = "put back, 502 before settling", run = restored "502_before_settle" },
    { row = "one live process per run", run = one_live_run },
    { row = "fork after open", run = forked },
    { row = "links that die", run = dead_links },
  }
  if bench.has_nonce then list[#list + 1] = { row = "two places at once", run = two_places } end
  return list
end

return copies
