-- SPDX-License-Identifier: MIT
--- Waiting inside nginx (ngx_lua, OpenResty): in the rewrite, access, content and timer phases.
--
-- One light thread per worker, the ticker, steps the engine; it lives in a timer, and only while somebody waits
-- or the engine has something under way. Whoever waits does so on a semaphore, so nginx resumes it in its own
-- request, and a coroutine of the caller's, nested however deep, waits like anything else. Tasks are light
-- threads of the request that started them; those in the background run in a timer of their own.
--
-- Nothing is shared between workers, nor taken over from init_by_lua: the engine is made in the process that
-- first waits. A worker that is to leave (reload) first ends what it has under way.
local compat = require "spraay.compat"
local drivers = require "spraay.drivers"
local engine = require "spraay.engine"
local errors = require "spraay.errors"
local scheduler = require "spraay.scheduler"

local driver = { name = "ngx" }

local nginx = rawget(_G, "ngx")
local PHASES = { server_rewrite = true, rewrite = true, access = true, content = true, timer = true }

-- Seconds between two looks at the engine: the first while things happen, growing by as much to the longest.
local SHORT, LONG = 0.001, 0.003
-- After so many looks that left answers for the next one, one more is taken at a look.
local PATIENT_LOOKS = 4
-- The same when nobody waits, and the engine only ends what it has under way.
local UNWATCHED = 0.02
-- The ticker sleeps no longer than this when there is nothing but moments to wait for.
local REST = 1
-- After so long without a tick, or when nginx gives no timer, those who wait step by themselves, for DOUBT seconds.
local PATIENCE, DOUBT = 1, 10

local bell              -- a semaphore, rung to end the ticker's sleep
local ticking = false   -- or the number of the ticker that runs
local tickers = 0
local ticked = 0   -- when the last tick was
local trust_at = 0 -- a timer that never ran: no other is asked for until then
local moved = false   -- has something happened since?

--- Is this nginx?
function driver.running()
  return type(nginx) == "table" and type(nginx.get_phase) == "function"
end

--- Where nothing may wait: the error, with the way out. Otherwise nil.
function driver.refuse()
  if not driver.running() then return nil end
  local phase = nginx.get_phase()
  if not PHASES[phase] then
    local hint = "Make the call in rewrite, access or content, or hand it on: ngx.timer.at(0, function() … end)"
    if phase == "init" then
      hint = "A client may be opened here; make calls in a request, or from init_worker_by_lua* with "
        .. "ngx.timer.at(0, function() … end)"
    end
    return errors.new { kind = "usage", code = "phase", hint = hint,
      message = ("nothing can wait in %s_by_lua*, so no call can be made there"):format(phase) }
  end
  if compat.yieldable() then return nil end
  return errors.new { kind = "usage", code = "phase",
    message = "nothing can wait here: a C function such as table.sort, string.gsub or require lies in between",
    hint = "Make the call before or after it; blocking would stop the whole worker" }
end

--- Can code of this phase wait? Where it cannot after all, `refuse` was asked first.
function driver.can_wait()
  return driver.running() and PHASES[nginx.get_phase()] or false
end

-- Its module is loaded when first needed: outside nginx there is none.
local function new_semaphore()
  return require("ngx.semaphore").new(0)
end

-- ---- the ticker -------------------------------------------------------------------

local function busy()
  local e = engine.get()
  return e:pending() > 0 or e:timeout() ~= nil
end

-- Until nobody waits and nothing is under way, or another took over. Few answers are taken at a look, and the other
-- requests of the worker have their turn in between: what follows an answer, such as a signature, takes a while.
-- Only while they come faster than that are more taken.
local function tick_on(me)
  local pause, looks = SHORT, 0
  while ticking == me do
    local finished = scheduler.step(0, 1 + math.floor(looks / PATIENT_LOOKS))
    ticked = engine.now()
    local more = finished > 0 and engine.get():timeout() == 0
    looks = more and looks + 1 or 0
    if moved or finished > 0 then pause = SHORT else pause = math.min(pause + SHORT, LONG) end
    moved = false
    local polled, at = scheduler.waiting()
    local under_way = busy()
    if not polled and not at and not under_way then return end
    if not polled and not more then
      pause = under_way and UNWATCHED or REST
      if at then pause = math.max(SHORT, math.min(pause, at - ticked)) end
    end
    if more then nginx.sleep(SHORT) else bell:wait(pause) end   -- sleep(0) would not let the others in everywhere
  end
end

local function tick(_, me)
  local ok, why = pcall(tick_on, me)
  if ticking == me then ticking = false end
  if not ok then nginx.log(nginx.ERR, "spraay: the engine cannot go on: ", why) end
end

-- See that the ticker runs, and looks at once.
local function ring()
  bell = bell or new_semaphore()
  moved = true
  if ticking then
    if bell:count() < 1 then bell:post(1) end
    return
  end
  ticked = engine.now()
  if ticked < trust_at then return end
  tickers = tickers + 1
  ticking = nginx.timer.at(0, tick, tickers) and tickers or false
end

-- ---- the host of tasks: see scheduler.lua ---------------------------------------------

local host = {}

local children = setmetatable({}, { __mode = "k" })   -- coroutine -> the threads it started, { place=, most= }

-- A light thread that has ended stays until its parent waits for it, so those are waited for now and then.
local function adopt(thread, task)
  local parent = coroutine.running()
  local list = children[parent]
  if not list or list.place ~= nginx.ctx then   -- nginx uses coroutines again
    list = { most = 16, place = nginx.ctx }
    children[parent] = list
  end
  if #list >= list.most then
    local alive = { place = list.place }
    for _, child in ipairs(list) do
      if child.task.finished then nginx.thread.wait(child.thread) else alive[#alive + 1] = child end
    end
    alive.most = math.max(16, 2 * #alive)
    children[parent], list = alive, alive
  end
  list[#list + 1] = { thread = thread, task = task }
end

--- Start a task: at the next turn of nginx, as everywhere.
function host.start(task, body)
  if task.background then
    nginx.timer.at(0, function(premature)
      task.place = nginx.ctx
      if not premature then body() end
    end)
    return
  end
  task.semaphore = new_semaphore()
  adopt(nginx.thread.spawn(function()   -- which runs at once
    task.place = nginx.ctx
    task.semaphore:wait(PATIENCE)
    body()
  end), task)
  task.semaphore:post(1)
end

--- Is this the request that the task belongs to? A thread that was killed may be used again by another.
function host.mine(task)
  return task.place == nginx.ctx
end

--- Wait until the task is unparked.
function host.park(task)
  ring()
  task.semaphore = task.semaphore or new_semaphore()
  while task.token do
    task.parked = true
    local ok, why = task.semaphore:wait(ticking and PATIENCE or LONG)
    task.parked = false
    if not ok and why ~= "timeout" then error("spraay: nginx cannot wait: " .. tostring(why), 0) end
    if task.token and ticking and engine.now() - ticked > PATIENCE then
      ticking, trust_at = false, engine.now() + DOUBT
    end
    if task.token and not ticking then
      scheduler.step(0)
      if task.token then ring() end
    end
  end
end

--- Was its thread killed? nginx does that when the reader went away (lua_check_client_abort) or ngx.exit was called
-- beside it. It then waits for its semaphore no more, and its stack is used again: closures made there must not run.
function host.lost(task)
  return task.parked and task.semaphore:count() >= 0
end

--- Let it go on.
function host.unpark(task)
  moved = true
  if task.closes and host.lost(task) then return task.closes:close() end
  if task.semaphore then task.semaphore:post(1) end
end

if driver.running() then
  scheduler.place = function() return nginx.ctx end
  scheduler.host = function()
    return drivers.moved_by() == driver.name and driver.can_wait() and host or nil
  end
end

-- ---- waiting outside of tasks -------------------------------------------------------------

local spare = {}   -- semaphores

--- Wait for { poll=, on=, at= } (see scheduler.lua). Returns "ready" or "timeout".
function driver.wait(wait)
  if wait.poll and wait.poll() then return "ready" end
  local waiter = { host = host, semaphore = table.remove(spare) }
  local why = scheduler.suspend(waiter, wait)
  spare[#spare + 1] = waiter.semaphore
  return why
end

return driver
