--- The ledger is lost between two runs. With `run` or `purchase` the nonce is derived from the name, so
--- what was paid before cannot be paid again.
-- SPDX-License-Identifier: MIT
local calls = require "spec.battery.calls"

local deleted = { title = "the ledger deleted between runs" }

local function script(named)
  local function opts(name) return named and { purchase = name } or nil end
  return { calls.new("chat", "a lost diary", opts "one"), calls.new("embed", "a lost diary", opts "two"),
           calls.new("image", "a lost diary", opts "three"), calls.new("video", "a lost diary", opts "four") }
end

local WAYS = {
  { "finished", {} },
  { "its answers lost", { fault = "settle_then_reset" } },
  { "its answers 502", { fault = "settle_then_502" } },
  { "killed", { shim = true } },
}

local function run(bench, way, named, keeps, memory)
  return function(t)
    local roll = bench.dice("deleted " .. way[1])
    local plan = t:plan(script(named), { open = { run = not named and "night" or nil } })
    if memory then plan.open.ledger = false end
    t:learn(plan)
    for _ = 1, (bench.full and way[2].shim) and 10 or 1 do
      t:sub(function(s)
        local own = s.but(plan, { open = s.but(plan.open, { ledger = not memory and s.ledger or false }) })
        s.box:config{ replay = keeps }
        if way[2].fault then s.box:fault(way[2].fault, {}) end
        local shim = way[2].shim and { AT = "net:" .. roll(24), DO = "kill_after" } or nil
        s:run(own, { shim = shim })
        s.box:clear()
        os.execute(("rm -rf %s*"):format(s.ledger))
        s:run(s.but(own, { tries = 3 }))
        s:weigh(plan, { must = function(call)
          if bench.has_nonce and keeps and calls.kinds[call.verb].class == "repeat" then return "deliver" end
        end })
      end)
    end
  end
end

function deleted.trials(bench)
  local list = {}
  for _, way in ipairs(WAYS) do
    for _, named in ipairs{ false, true } do
      for _, keeps in ipairs{ false, true } do
        for _, memory in ipairs{ false, true } do
          if bench.full or (keeps == named) then
            list[#list + 1] = {
              row = ("%s; %s%s"):format(way[1], named and "purchase =" or "run =", memory and ", ledger = false" or ""),
              run = run(bench, way, named, keeps, memory),
            }
          end
        end
      end
    end
  end
  return list
end

return deleted
