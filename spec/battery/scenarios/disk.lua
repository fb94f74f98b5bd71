--- A disk that is full, read-only, broken, slow, or far away, at every call that writes to it. Then the
--- disk is well again and the script runs once more.
-- SPDX-License-Identifier: MIT
local calls = require "spec.battery.calls"
local process = require "spec.battery.process"

local disk = { title = "the disk fails, then is well again" }

local LANES = 4

-- What is called, and what the client is opened with besides.
local CHATS = { verb = "chat" }
local OWN = { verb = "gpu", solana_tx = true, row = ", a transfer of one's own" }

local function script(flow) return { calls.new(flow.verb, "an old shoebox"), calls.new(flow.verb, "a new shoebox") } end

-- The script under a bad disk, and after it. What the gateway answered is kept there, so everything can be had.
local function under(t, shim, law, flow)
  local counts
  t:sub(function(s)
    local plan = s:plan(script(flow), { open = { run = "night", solana_tx = flow.solana_tx } })
    s.box:config{ replay = true }
    local first = s:run(plan, { shim = shim })
    counts = first.counts
    local books = s.box:ledger()
    for _, line in ipairs(first.lines) do
      if line.call and not line.ok and line.kind ~= "ledger" then
        s:wrong("a bad disk is told as %s/%s: %s", tostring(line.kind), tostring(line.code),
          tostring(line.message))
      end
      if line.kind == "ledger" and not (line.message or ""):find(s.folder, 1, true) then
        s:wrong("the error does not name the place: %s", tostring(line.message))
      end
    end
    if law == "nothing" and #books.presented > 0 then
      s:wrong("%d authorizations left without a ledger", #books.presented)
    end
    s:run(s.but(plan, { tries = 3 }))
    s:weigh(plan, { must = "deliver" })
    s:audit(plan)
    if #s.verdict.violations > 0 then s:wrong("at %s %s", tostring(shim.AT), tostring(shim.DO or shim.STATFS)) end
  end)
  return counts
end

local function each(bench, class, deed, lane, flow)
  return function(t)
    t:learn(t:plan(script(flow), { open = { solana_tx = flow.solana_tx } }))
    local calm = under(t, {}, nil, flow)
    if not calm then return t:wrong "no counts" end
    local last = class == "sync" and calm.sync or calm.file
    if last < 4 then t:wrong("only %d calls of class %s: are they caught?", last, class) end
    local step = bench.full and LANES or math.max(LANES, last // 6)
    for k = lane, last, step do under(t, { AT = class .. ":" .. k, DO = deed }, nil, flow) end
  end
end

local function always(shim, law)
  return function(t)
    t:learn(t:plan(script(CHATS)))
    under(t, shim, law, CHATS)
  end
end

-- What a run in peace does, in order: "sync", "disk", "send".
local function steps_of(t, plan)
  local steps = {}
  t:sub(function(s)
    local trace = s.folder .. "/trace"
    s:run(s.but(plan, { open = s.but(plan.open, { ledger = s.ledger }) }), { shim = { TRACE = trace } })
    for line in (process.slurp(trace) or ""):gmatch "[^\n]+" do
      local name = line:match "^%d+ (%w+)"
      steps[#steps + 1] = name:find "sync" and "sync" or name == "send" and "send"
        or (name == "pwrite" or name == "write") and "disk" or nil
    end
  end)
  return steps
end

-- Where the n-th thing was sent, and the number of syncs before it. The paid leg is the second.
local function leg(steps, n)
  local sends, syncs = 0, 0
  for i, step in ipairs(steps) do
    if step == "sync" then syncs = syncs + 1 end
    if step == "send" then sends = sends + 1 end
    if sends == n then return i, syncs end
  end
end

-- Nothing leaves between a write of the record and the sync that makes it last.
local function synced(t)
  local plan = t:plan{ calls.new("chat", "a slow disk") }
  t:learn(plan)
  local steps = steps_of(t, plan)
  local at = leg(steps, t.bench.has_nonce and 2 or 4)   -- the chain is asked two things in between
  if not at then return t:wrong "the paid request was not seen" end
  if steps[at - 1] ~= "sync" then t:wrong("before the paid request came a %s", tostring(steps[at - 1])) end
  t:run(plan)
  t:weigh(plan, { must = "deliver" })
end

-- A disk that stalls in a sync: the loop turns five hundred times meanwhile, nothing is lost; and while the
-- record of the payment is not on the disk, the payment does not leave.
local function stalled(which)
  return function(t)
    local plan = t:plan({ calls.new("chat", "a slow disk") }, { act = "turns", turns = 500 })
    t:learn(plan)
    local at = 1
    -- Between the two legs the record of the signature is what is synced first.
    if which == "signed" then at = select(2, leg(steps_of(t, t.but(plan, { act = "buy" })), 1)) + 1 end
    plan.release = t.folder .. "/release"
    local fifo = t.folder .. "/fifo"
    assert(os.execute("mkfifo " .. fifo))
    local running = t:start(plan, {
      shim = { AT = "sync:" .. at, DO = "hold", HOLD = plan.release }, stdin = fifo, seconds = 30,
    })
    local gate = assert(io.open(fifo, "w"))
    local line = running:line()
    local turned = line and line.turns
    if not turned then
      t:wrong("the loop stands still while the disk does (%s)", line and tostring(line.message) or "no turns")
      process.spill(plan.release, "")
    elseif #t.box:ledger().presented > 0 then
      t:wrong "an authorization left before its record was on the disk"
    end
    gate:write "go on\n"
    gate:close()
    t:ended(running)
    t:weigh(plan, { must = "deliver" })
    t:audit(plan)
  end
end

function disk.trials(bench)
  local list = {
    { row = "a network file system", run = always({ STATFS = "0x6969" }, "nothing") },
    { row = "read-only from the start", run = always({ AT = "file:1", DO = "fail_on=EROFS" }, "nothing") },
    { row = "full from the start", run = always({ AT = "file:1", DO = "fail_on=ENOSPC" }, "nothing") },
    { row = "every sync fails", run = always({ AT = "sync:1", DO = "fail_on=EIO" }, "nothing") },
    { row = "synced before it leaves", run = synced },
    { row = "the first sync stalls", run = stalled "first" },
    { row = "the sync of the signature stalls", run = stalled "signed" },
  }
  for _, case in ipairs{
    { "full, once", "file", "fail=ENOSPC" }, { "full from there on", "file", "fail_on=ENOSPC" },
    { "read-only from there on", "file", "fail_on=EROFS" }, { "I/O error, once", "file", "fail=EIO" },
    { "I/O error on sync, once", "sync", "fail=EIO" }, { "I/O error on sync from there on", "sync", "fail_on=EIO" },
    { "half written", "file", "short" },
  } do
    for lane = 1, bench.full and LANES or 1 do
      list[#list + 1] = { row = case[1], run = each(bench, case[2], case[3], lane, CHATS) }
      if bench.rail == "solana" then
        list[#list + 1] = { row = case[1] .. OWN.row, run = each(bench, case[2], case[3], lane, OWN) }
      end
    end
  end
  return list
end

return disk
