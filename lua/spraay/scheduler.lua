-- SPDX-License-Identifier: MIT
--- The scheduler beneath spraay.run: which tasks exist, what each waits for, and one turn of
-- the loop. It knows nothing about payments.
--
-- A task is a coroutine of ours. It waits for one of three things, or for the first of several:
--   poll   a function that says when the engine has brought what was awaited,
--   on     a list it is entered in; whoever owns the list wakes it,
--   at     a moment of the monotonic clock.
-- Tasks are resumed only from the top of a turn, never from inside engine:step, so C frames never
-- lie between a task and its scheduler. Coroutines that are not ours are never yielded into: a
-- call made inside one blocks.
local compat = require "spraay.compat"
local engine = require "spraay.engine"

local unpack, pack = compat.unpack, compat.pack

local scheduler = {}

-- coroutine -> task. Weak, so that a task nobody runs any more can be collected.
local tasks = setmetatable({}, { __mode = "k" })

-- What a task of ours yields; anything else yielded is the script's own business.
local TAG = {}

-- No single wait in C is longer than this, whatever the timers say.
local LONGEST_STEP = 60

local ready = { first = 1, last = 0 }   -- tasks to resume, in the order they became ready
local polled = {}                       -- tasks with a poll function
local timers = {}                       -- binary heap of { at, task, token }
local live = 0                          -- tasks that have not ended, but for those in the background
local running                           -- the task being resumed, if any

-- ---- timers ------------------------------------------------------------------

local function timer_push(entry)
  local i = #timers + 1
  timers[i] = entry
  while i > 1 do
    local parent = math.floor(i / 2)
    if timers[parent].at <= timers[i].at then break end
    timers[parent], timers[i] = timers[i], timers[parent]
    i = parent
  end
end

local function timer_pop()
  local top, n = timers[1], #timers
  timers[1] = timers[n]
  timers[n] = nil   -- in this order: they may be the same place
  n = n - 1
  local i = 1
  while true do
    local left, least = i * 2, i
    if left <= n and timers[left].at < timers[least].at then least = left end
    if left + 1 <= n and timers[left + 1].at < timers[least].at then least = left + 1 end
    if least == i then return top end
    timers[least], timers[i] = timers[i], timers[least]
    i = least
  end
end

-- The moment of the earliest timer somebody still waits for.
local function next_timer()
  while timers[1] and timers[1].task.token ~= timers[1].token do timer_pop() end
  return timers[1] and timers[1].at
end

-- ---- waiting and waking ---------------------------------------------------------

local function unpoll(task)
  local index = task.poll_index
  if not index then return end
  local last = polled[#polled]
  polled[index], last.poll_index = last, index
  polled[#polled] = nil
  task.poll_index, task.poll = nil, nil
end

--- End the wait of a task with "ready", "timeout" or "cancelled". Ignored when it waits no more.
function scheduler.wake(task, why)
  if not task.token then return end
  task.token = nil
  unpoll(task)
  task.why = why or "ready"
  ready.last = ready.last + 1
  ready[ready.last] = task
end

--- Wake every task entered in a list, and empty the list.
function scheduler.wake_all(list)
  for i = 1, #list do
    local entry = list[i]
    list[i] = nil
    if entry.task.token == entry.token then scheduler.wake(entry.task, "ready") end
  end
end

--- Suspend the current task until it is woken. Returns why it was.
function scheduler.suspend(task, wait)
  task.token = {}
  if wait.on then wait.on[#wait.on + 1] = { task = task, token = task.token } end
  if wait.poll and not wait.on then
    polled[#polled + 1] = task
    task.poll_index, task.poll = #polled, wait.poll
  end
  if wait.at then timer_push { at = wait.at, task = task, token = task.token } end
  return coroutine.yield(TAG)
end

--- The task this code runs in, or nil: in the main program, or in a coroutine of somebody else.
function scheduler.current()
  local co = coroutine.running()
  return co and tasks[co] or nil
end

--- The task being resumed, even when asked from a foreign coroutine nested inside it.
function scheduler.running()
  return running
end

--- How many tasks have not ended; tasks in the background do not count.
function scheduler.live()
  return live
end

-- ---- tasks ----------------------------------------------------------------------

--- Make a task of a function; it starts at the next turn. `ended` is called when it has.
function scheduler.add(task, fn, args, ended)
  task.co = coroutine.create(function() return fn(unpack(args, 1, args.n)) end)
  task.ended, task.waiters = ended, {}
  tasks[task.co] = task
  if not task.background then live = live + 1 end
  task.token = {}
  scheduler.wake(task, "ready")
  return task
end

--- Count a coroutine as part of a task: spraay.pcall runs its function in one where pcall
-- stops a yield.
function scheduler.adopt(co, task)
  tasks[co] = task
end

local function finish(task, results)
  task.finished = true
  if not task.background then live = live - 1 end
  if results[1] then
    task.results = pack(unpack(results, 2, results.n))
  else
    task.thrown = { value = results[2], traceback = debug.traceback(task.co) }
  end
  tasks[task.co] = nil
  if task.ended then task.ended(task) end
  scheduler.wake_all(task.waiters)
end

local function resume(task)
  local outer = running
  running = task
  local results = pack(coroutine.resume(task.co, task.why))
  running = outer
  if coroutine.status(task.co) == "dead" then
    finish(task, results)
  elseif results[2] ~= TAG then   -- the script yielded by itself: let the others have their turn
    task.token = {}
    scheduler.wake(task, nil)
  end
end

-- ---- one turn -------------------------------------------------------------------

local function check_polled()
  for i = #polled, 1, -1 do   -- downwards: waking moves the last one into the gap
    local task = polled[i]
    if task and task.poll() then scheduler.wake(task, "ready") end
  end
end

local function fire_timers(now)
  while true do
    local at = next_timer()
    if not at or at > now then return end
    scheduler.wake(timer_pop().task, "timeout")
  end
end

--- Let the engine move for at most `seconds`, then see who is ready. Resumes nobody.
function scheduler.step(seconds)
  local at = next_timer()
  if at then seconds = math.min(seconds, at - engine.now()) end
  seconds = math.max(0, math.min(seconds, LONGEST_STEP))
  assert(engine.get():step(math.ceil(seconds * 1000)))
  check_polled()
  fire_timers(engine.now())
end

--- Is there anything that could ever become ready by itself?
function scheduler.idle()
  return ready.first > ready.last and #polled == 0 and not next_timer()
end

--- One turn: move the engine (waiting at most `seconds` when nobody is ready) and resume
-- everybody who was ready then, or, with `stop_at`, until that moment has passed.
function scheduler.turn(seconds, stop_at)
  scheduler.step(ready.first <= ready.last and 0 or seconds)
  local last = ready.last
  while ready.first <= last do
    if stop_at and engine.now() >= stop_at then return end
    local task = ready[ready.first]
    ready[ready.first] = nil
    ready.first = ready.first + 1
    if not task.finished then resume(task) end
  end
end

return scheduler
