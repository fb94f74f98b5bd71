--- kill -9 at every I/O call of paid calls: before it, after it, and in the middle of what it writes.
--- Then the same script runs to its end.
-- SPDX-License-Identifier: MIT
local calls = require "spec.battery.calls"

local kill_each = { title = "kill -9 at each I/O call, then run again" }

local DEEDS = { "kill", "kill_after", "kill_half" }
local LANES = 4
local MOST = 600             -- I/O calls; a script that makes more of them than this is another script

local FLOWS = {
  { row = "chat", list = function() return { calls.new("chat", "a harbour") } end },
  { row = "chat, answers kept", keeps = true, list = function() return { calls.new("chat", "a harbour") } end },
  { row = "video and a look", long = true, list = function()
    return { calls.new("video", "a harbour"), calls.new("status", "a harbour") }
  end },
  { row = "deposit, execute, balance", long = true, list = function()
    return { calls.new("deposit", "a harbour"), calls.new("execute", "a harbour"), calls.new("balance", "a harbour") }
  end },
  { row = "batch, answers kept", long = true, keeps = true, list = function()
    return { calls.new("batch", "a harbour") }
  end },
  { row = "gpu, by a transfer of one's own", rail = "solana", open = { solana_tx = true }, list = function()
    return { calls.new("gpu", "a harbour") }
  end },
}

-- What the flow opens its client with, and the name of its run where it has one.
local function opened(flow, run)
  local open = { run = run }
  for name, value in pairs(flow.open or {}) do open[name] = value end
  return { open = open }
end

-- One kill. Returns whether it came to that.
local function kill_at(t, flow, k, deed)
  local killed
  t:sub(function(s)
    local list = flow.list()
    local plan = s:plan(list, opened(flow, "night"))
    plan.save, plan.tries = s.folder, 1
    s.box:config{ replay = flow.keeps or false }
    killed = s:run(plan, { shim = { AT = "all:" .. k, DO = deed } }).killed
    s:run(s.but(plan, { tries = 3 }))
    s:weigh(plan, { tries = 4, must = function(call)
      if flow.keeps and calls.kinds[call.verb].class == "repeat" then return "deliver" end
    end })
    s:audit(plan)
  end)
  return killed
end

local function run(bench, flow, lane)
  return function(t)
    t:learn(t:plan(flow.list(), opened(flow)))
    local roll = bench.dice("kill_each " .. flow.row .. lane)
    local kills, step = 0, bench.full and LANES or LANES * 5
    for k = lane, MOST, step do
      local any = false
      for _, deed in ipairs(bench.full and not flow.long and DEEDS or { DEEDS[roll(#DEEDS)] }) do
        if kill_at(t, flow, k, deed) then any, kills = true, kills + 1 end
      end
      if not any then break end
    end
    if kills < 3 then t:wrong("only %d kills: are the calls caught?", kills) end
  end
end

function kill_each.trials(bench)
  local list = {}
  for _, flow in ipairs(FLOWS) do
    if (bench.full or not flow.long) and (flow.rail or bench.rail) == bench.rail then
      for lane = 1, LANES do list[#list + 1] = { row = flow.row, run = run(bench, flow, lane) } end
    end
  end
  return list
end

return kill_each
