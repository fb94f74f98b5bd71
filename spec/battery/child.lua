-- The script under test: `lua5.4 spec/battery/child.lua PLAN`, where PLAN is a file of JSON:
--   open     options of spraay.open; wallet and gateway come from the environment
--   calls    what to buy (calls.lua)
--   tries    how often each is tried, in the loop a careful beginner writes (1)
--   width    how many at once; without it one after the other, outside of spraay.run
--   first    how many of the calls are made before that, one after the other (0)
--   linger   stay, with everything open, until killed
--   save     a folder to save texts and pictures in
--   act      instead of all that: "audit", "turns" or "fork", see below
-- Every try that ends is told at once in a line of JSON on standard output.
-- SPDX-License-Identifier: MIT
local calls = require "spec.battery.calls"
local cjson = require "cjson"
local json = require "spraay.sandbox.json"
local core = require "spraay.core"
local spraay = require "spraay"

local function read_plan(path)
  local file = assert(io.open(path))
  local plan = cjson.decode(file:read "*a")
  file:close()
  return plan
end

local plan = read_plan(arg[1])

local function say(line)
  io.stdout:write(cjson.encode(line), "\n")
  io.stdout:flush()
end

local function open(more)
  local options = {}
  for name, value in pairs(plan.open or {}) do options[name] = value end
  for name, value in pairs(more or {}) do options[name] = value end
  local client, message = spraay.open(options)
  if not client then
    say{ fatal = message }
    os.exit(2)
  end
  return client
end

-- What a result is, in one text: equal when it was bought once and given twice.
local function text_of(result)
  if type(result) ~= "table" then return tostring(result) end
  return result.text or (result.body and json.encode(result.body)) or tostring(result)
end

local function told(call, try, result, message, err)
  local line = { call = call.id, try = try, ok = result ~= nil }
  if result then
    local payment = result.payment or {}
    line.status, line.amount, line.purchase = payment.status, payment.amount, payment.purchase
    local fine, text = pcall(text_of, result)
    line.text = fine and text or nil
  elseif err then
    line.kind, line.code, line.paid, line.purchase = err.kind, err.code, err.paid, err.purchase
    line.message, line.expect, line.amount = message, err.expect, err.amount
  else
    line.skipped = true
  end
  say(line)
end

local tried = {}

local function buy(client, call, earlier)
  local first = calls.first(call)
  while first and plan.width and not tried[first.id] do spraay.sleep(0.002) end
  for try = 1, plan.tries or 1 do
    local result, message, err = calls.make(client, call, earlier)
    told(call, try, result, message, err)
    if result then
      earlier[call.id] = result
      if plan.save and (call.verb == "chat" or call.verb == "image") then
        assert(result:save(plan.save .. "/" .. call.id:gsub("%W", "-")))
      end
      break
    end
    if not err then break end                 -- what it needs was not to be had
  end
  tried[call.id] = true
end

local acts = {}

function acts.buy()
  local client, earlier = open(), {}
  local rest = {}
  for i, call in ipairs(plan.calls) do
    if plan.width and i > (plan.first or 0) then rest[#rest + 1] = call else buy(client, call, earlier) end
  end
  if #rest > 0 then
    spraay.run(function()
      spraay.map(rest, { limit = plan.width }, function(call)
        buy(client, call, earlier)
        return true
      end)
    end)
  end
  if plan.linger then spraay.sleep(600) end
  client:close()
end

-- The loop goes on while a purchase waits for the disk: turns are counted until the file plan.release
-- can be made, which is what lets the disk go on.
function acts.turns()
  local client, earlier, turns, over = open(), {}, 0, false
  spraay.run(function()
    spraay.spawn(function()
      buy(client, plan.calls[1], earlier)
      over = true
    end)
    while not over do
      spraay.sleep(0.001)
      turns = turns + 1
      if turns == plan.turns then
        say{ turns = turns }
        io.stdin:read "*l"                     -- the judge looks at the books
        assert(io.open(plan.release, "w")):close()
      end
    end
  end)
  client:close()
end

-- Close what is open by proof, then say what the ledger holds.
function acts.audit()
  local client = open()
  local found, message = client:reconcile()
  say{ reconciled = found ~= nil, message = message }
  local rows
  rows, message = client:purchases()
  say{ rows = rows ~= nil, message = message }
  for _, row in ipairs(rows or {}) do
    say{ row = { id = row.id, state = row.state, amount = row.amount, verb = row.verb, nonce = row.nonce } }
  end
  client:close()
end

-- Two processes after the first purchase, as nginx makes its workers: both buy all the rest.
function acts.fork()
  local client, earlier = open(), {}
  buy(client, plan.calls[1], earlier)
  local before = core.pid()
  assert(package.loadlib(plan.fork, "battery_fork"))()
  local who = core.pid() == before and "parent" or "child"
  for i = 2, #plan.calls do
    if plan.calls[i].who == who then buy(client, plan.calls[i], earlier) end
  end
  client:close()
end

acts[plan.act or "buy"]()
