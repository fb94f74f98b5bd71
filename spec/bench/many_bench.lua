--- A thousand calls in flight in one plain process: how long they take beside what the server makes them wait, what
--- memory and how many descriptors they need, and what happens to them where descriptors are few.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local server = require "spec.bench.server"
local spraay = require "spraay"

local CALLS, DELAY_MS = 1000, 200
local MOST_MS, MOST_MB = 3000, 96
local AT_ONCE = 256   -- the engine has so many on the network; the others wait in line
local FEW = 256       -- descriptors, in the last row

local few = arg[1] == "few"   -- started by ourselves, under a limit

local function status(name)
  local file = io.open "/proc/self/status"
  local value = file and file:read "*a":match(name .. ":%s*(%d+)")
  if file then file:close() end
  return tonumber(value)
end

local function descriptors()
  local pipe = io.popen("ls /proc/" .. core.pid() .. "/fd | wc -l")
  local n = pipe:read "*n"
  pipe:close()
  return n
end

local function limit()
  local file = io.open "/proc/self/limits"
  local n = file and file:read "*a":match "Max open files%s+(%S+)" or "those"
  if file then file:close() end
  return n
end

local function show(name, value, unit, note)
  print(("%-44s %10.2f %-3s %s"):format(name, value, unit, note or ""))
end

local process, url
if few then url = arg[2] else process, url = server.start() end
local client = assert(spraay.open { gateway = url, wallet = spraay.wallet.generate(), per_day = "1000", ledger = false,
  networks = { "base" }, rate = false })

-- CALLS calls, all of them begun before the first is answered: milliseconds, descriptors in use, errors.
local function many(call)
  local list, errors = {}, {}
  local began, used = core.mono_ms(), nil
  spraay.run(function()
    for i = 1, CALLS do list[i] = spraay.spawn(call, i) end
    spraay.sleep(DELAY_MS / 2000)
    if not few then used = descriptors() end
    for i = 1, CALLS do
      local value, _, err = list[i]:wait()
      if not value then errors[#errors + 1] = err end
    end
  end)
  return core.mono_ms() - began, used, errors
end

local function free(i)
  return client:request("GET", ("/%d/%d"):format(DELAY_MS, i))
end

local function paid(i)
  local result, message, err = client:request("POST", ("/%d/%d"):format(DELAY_MS, i), { n = i })
  if result and result.payment.status ~= "settled" then error(result.payment.status) end
  return result, message, err
end

-- ---- under a limit ----------------------------------------------------------------------------

if few then
  for name, call in pairs { free = free, paid = paid } do
    local took, _, errors = many(call)
    local words = errors[1] and tostring(errors[1]) or ""
    local wrong = 0
    for _, err in ipairs(errors) do wrong = wrong + (err.paid ~= "no" and 1 or 0) end
    print(("%s %d %d %d %s"):format(name, took, #errors, wrong, words))
  end
  os.exit(0)
end

local function limited()
  local pipe = io.popen(("ulimit -n %d; exec %s spec/bench/many_bench.lua few %s"):format(FEW, arg[-1], url))
  local fine = true
  for line in pipe:lines() do
    local name, took, failed, wrong, words = line:match "^(%a+) (%d+) (%d+) (%d+) (.*)$"
    fine = fine and name ~= nil and tonumber(wrong) == 0
    if name then
      show(("  the same with %d descriptors, %s"):format(FEW, name), tonumber(took), "ms",
        failed == "0" and "fewer at once, none failed" or failed .. " failed: " .. words)
    else
      print(line)
    end
  end
  pipe:close()
  return fine
end

-- ---- all of them --------------------------------------------------------------------------------

print(_VERSION)
local good = true
for _, row in ipairs { { "free", free, 1 }, { "paid", paid, 2 } } do
  local took, used, errors = many(row[2])
  local ideal = CALLS / AT_ONCE * row[3] * DELAY_MS
  print(("%d %s calls at once, each request answered after %d ms"):format(CALLS, row[1], DELAY_MS))
  show(("  time / what the server makes them wait, %d at once"):format(AT_ONCE), took / ideal, "x",
    ("%d ms; at most %d"):format(took, MOST_MS))
  show("  descriptors in use", used, "", ("of %s that the process may have"):format(limit()))
  if errors[1] then print("  " .. tostring(errors[1])) end
  good = good and #errors == 0 and took < MOST_MS
end
local peak = status "VmHWM"
if peak then show("  most memory held", peak / 1024, "MB", ("at most %d"):format(MOST_MB)) end
good = good and (not peak or peak / 1024 < MOST_MB)
good = limited() and good
process:close()
os.exit(good)
