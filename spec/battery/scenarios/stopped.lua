--- A script stopped at one of its I/O calls for longer than an authorization lives, and let go on. The
--- clocks of the script and of the sandbox both show that the time has passed.
-- SPDX-License-Identifier: MIT
local calls = require "spec.battery.calls"
local cqueues = require "cqueues"

local stopped = { title = "stopped for longer than the validity" }

local LANES = 2
local SECONDS = 2000

local function script() return { calls.new("chat", "a frozen sea") } end

local function stop_at(t, k)
  local came
  t:sub(function(s)
    local plan = s:plan(script(), {
      tries = 3, open = { run = "night", timeout = { connect = 5000, idle = 5000, total = 9000 } },
    })
    s:pass(0)
    local running = s:start(plan, { shim = { AT = "all:" .. k, DO = "stop", CLOCK = s.clock } })
    local over = false
    cqueues.running():wrap(function()
      s:ended(running)
      over = true
    end)
    while not over and not running:is_stopped() do cqueues.sleep(0.002) end
    came = not over
    if came then
      s:pass(SECONDS)
      running:signal "CONT"
    end
    while not over do cqueues.sleep(0.002) end
    s:run(s.but(plan, { tries = 3 }), { shim = { CLOCK = s.clock } })
    s:weigh(plan)
    s:audit(plan)
    if #s.verdict.violations > 0 then s:wrong("stopped at call %d", k) end
  end)
  return came
end

local function run(bench, lane)
  return function(t)
    t:learn(t:plan(script()))
    for k = lane, 400, bench.full and LANES or LANES * 6 do
      if not stop_at(t, k) then break end
    end
  end
end

function stopped.trials(bench)
  local list = {}
  for lane = 1, LANES do list[lane] = { row = "SIGSTOP at each I/O call", run = run(bench, lane) } end
  return list
end

return stopped
