--- A stopwatch for `make bench`: the best of several rounds, since on a shared
--- machine everything else only adds. Numbers are to be compared with each other
--- on one machine, never across machines, and no spec depends on them.
-- SPDX-License-Identifier: MIT

local bench = {}

local ROUNDS = 5
local ROUND_S = 0.1   -- processor time one round should take

local function seconds(times, fn)
  collectgarbage()
  local start = os.clock()
  for _ = 1, times do fn() end
  return os.clock() - start
end

--- Time one operation and print it.
---@param name string   what is measured, for people
---@param fn function   does it once
---@return number us    microseconds of processor time, best of the rounds
function bench.run(name, fn)
  local times = 1
  while seconds(times, fn) < ROUND_S / 4 do times = times * 2 end
  local best = math.huge
  for _ = 1, ROUNDS do best = math.min(best, seconds(times * 4, fn) / (times * 4)) end
  local us = best * 1e6
  print(("%-44s %10.2f us"):format(name, us))
  return us
end

return bench
