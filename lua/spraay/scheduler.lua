-- SPDX-License-Identifier: MIT
--- The scheduler beneath spraay.run: which tasks exist, what each waits for, and one turn of
-- the loop. It knows nothing about payments.
--
-- A task is a coroutine of ours. It waits for one of three things, or for the first of several:
--   poll   a function that says when the engine has brought what was awaited,
--   on     a list it is entered in; whoever owns the list wakes it,
--   at     a moment of the monotonic clock.
-- With `closes`, something that has a close(): that is called when nobody is left who could be resumed.
-- Tasks are resumed only from the top of a turn, never from inside engine:step, so C frames never
-- lie between a task and its scheduler. Coroutines that are not ours are never yielded into: a
-- call made inside one blocks.
--
-- Where a host has threads of its own that only it may resume (nginx: drivers/ngx.lua), a task is one of
-- those: the host starts it, parks it where it would yield, and unparks it where it would be resumed.
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

--- Set by such a host: a function that returns, where code may wait here and now,
-- { start = function(task, body), park = function(task), unpark = function(task),
--   mine = function(task): is this code in the thread that the task was started in?,
--   lost = function(task): was the thread that is parked here killed? }
scheduler.host = nil

--- Set by such a host: a function that returns what code of one request shares. Of coroutines, only those of the
-- request that asks tell the truth about their state.
scheduler.place = nil

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
  task.poll_index, task.poll = false, false
end

-- Called when something became due earlier than it was: see scheduler.bell.
local bells = {}

local function ring()
  for i = 1, #bells do bells[i]() end
end

--- Have a function called whenever scheduler.due() may have become less. It must not wait.
function scheduler.bell(fn)
  bells[#bells + 1] = fn
end

--- End the wait of a task with "ready", "timeout" or "cancelled". Ignored when it waits no more.
function scheduler.wake(task, why)
  if not task.token then return end
  task.token = nil
  unpoll(task)
  task.why = why or "ready"
  if task.host then return task.host.unpark(task) end
  ready[ready.last + 1] = task   -- first: it may need memory
  ready.last = ready.last + 1
  ring()
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
  if task.token then unpoll(task) end   -- PUC 5.1 raised an error in place of its last yield
  task.token = {}
  if wait.on then wait.on[#wait.on + 1] = { task = task, token = task.token } end
  if wait.poll and not wait.on then
    task.poll, task.closes = wait.poll, wait.closes
    polled[#polled + 1] = task
    task.poll_index = #polled
  end
  if wait.at then timer_push { at = wait.at, task = task, token = task.token } end
  ring()
  if not task.host then return coroutine.yield(TAG) end
  task.host.park(task)
  return task.why
end

--- The task this code runs in, or nil: in the main program, or in a coroutine of somebody else.
function scheduler.current()
  local co = coroutine.running()
  local task = co and tasks[co] or nil
  if task and task.host and not task.host.mine(task) then return nil end   -- nginx uses a thread again
  return task
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

-- Who fails for want of memory has failed all the same.
local NO_MEMORY = { value = "not enough memory" }

local function keep(task, ok, ...)
  if ok then
    task.results = pack(...)
    task.thrown = nil
  else
    task.thrown = { value = (...), traceback = task.traceback or debug.traceback(task.co) }
  end
end

-- ok and the results, as pcall gives them.
local function finish(task, ...)
  task.finished, task.thrown = true, NO_MEMORY
  if not task.background then live = live - 1 end
  tasks[task.co] = nil
  keep(task, ...)
  if task.ended then task.ended(task) end
  scheduler.wake_all(task.waiters)
end

-- A task in a thread of the host.
local function start_thread(task, fn, args)
  task.host.start(task, function()
    task.co = coroutine.running()
    tasks[task.co] = task
    finish(task, xpcall(function() return fn(unpack(args, 1, args.n)) end, function(value)
      task.traceback = debug.traceback("", 2)
      return value
    end))
  end)
end

--- Make a task of a function; it starts at the next turn. `ended` is called when it has.
function scheduler.add(task, fn, args, ended)
  task.ended, task.waiters = ended, {}
  if not task.background then live = live + 1 end
  task.host = scheduler.host and scheduler.host()
  if task.host then
    start_thread(task, fn, args)
    return task
  end
  task.co = coroutine.create(function() return fn(unpack(args, 1, args.n)) end)
  tasks[task.co] = task
  task.token = {}
  scheduler.wake(task, "ready")
  return task
end

--- Count a coroutine as part of a task: spraay.pcall runs its function in one where pcall
-- stops a yield.
function scheduler.adopt(co, task)
  tasks[co] = task
end

--- Set by a host whose own functions yield from tasks: a function(task, results of coroutine.resume) that returns
-- true when it took the wait over, and ends it with scheduler.wake once task.answer holds what to resume with.
scheduler.foreign = nil

-- Nothing here needs memory before `running` is what it was.
local function resumed(task, outer, ...)
  running = outer
  if coroutine.status(task.co) == "dead" then
    finish(task, ...)
    if live == 0 then ring() end   -- a loop need not watch for us any more
  elseif select(2, ...) ~= TAG then   -- the script yielded by itself: let the others have their turn
    task.token = {}
    if not (scheduler.foreign and scheduler.foreign(task, pack(...))) then scheduler.wake(task, nil) end
  end
end

local function resume(task)
  local outer, answer = running, task.answer
  running, task.answer = task, nil
  if answer then
    resumed(task, outer, coroutine.resume(task.co, unpack(answer, 1, answer.n)))
  else
    resumed(task, outer, coroutine.resume(task.co, task.why))
  end
end

-- ---- one turn -------------------------------------------------------------------

-- Was the thread of a host that this task waited in killed?
local function lost(task)
  return task.host and task.host.lost and task.host.lost(task)
end

--- Counts the times that everybody who waits was looked at: see `lost`.
scheduler.round = 0

local function check_polled()
  scheduler.round = scheduler.round + 1
  for i = #polled, 1, -1 do   -- downwards: waking moves the last one into the gap
    local task = polled[i]
    -- In this order: what the function knew lay on the stack of the thread.
    if task and (lost(task) or task.poll()) then
      scheduler.wake(task, "ready")
    end
  end
end

local function fire_timers(now)
  while true do
    local at = next_timer()
    if not at or at > now then return end
    scheduler.wake(timer_pop().task, "timeout")
  end
end

--- Let the engine move for at most `seconds`, then see who is ready. Resumes nobody. Returns how many
-- transfers finished: no more than `most`, the others are left for the next step.
function scheduler.step(seconds, most)
  local at = next_timer()
  if at then seconds = math.min(seconds, at - engine.now()) end
  seconds = math.max(0, math.min(seconds, LONGEST_STEP))
  local finished = assert(engine.get():step(math.ceil(seconds * 1000), most))
  check_polled()
  fire_timers(engine.now())
  return finished
end

--- Does anybody wait for the engine, and until when does the first of those wait who wait for a moment?
function scheduler.waiting()
  return #polled > 0, next_timer()
end

local dropped = false

--- Something was thrown through code that makes calls: those it was in are garbage now.
function scheduler.dropped()
  dropped = true
end

--- Find the waits in calls that nobody is in any more, and end them: the coroutine was killed by whoever held it,
-- or it goes on although it waits, because PUC 5.1 raised an error in place of the yield. Such a call is let go at
-- once, so that an equal one made now goes on with its purchase. Those that were dropped let go when collected.
function scheduler.bury()
  if dropped then
    collectgarbage()
    collectgarbage()   -- what a finalizer let go of
    dropped = false
  end
  scheduler.round = scheduler.round + 1
  for i = #polled, 1, -1 do
    if polled[i] and lost(polled[i]) then scheduler.wake(polled[i], "ready") end
  end
  if not compat.waits_break then return end
  local current, here = scheduler.current(), coroutine.running()
  for i = #polled, 1, -1 do
    local task = polled[i]
    local held = task.held
    local co = task.co
    if held then co = held.co end
    if held and co and (coroutine.status(co) == "dead" or co == here) then
      if held.what and held.what.closes then held.what.closes:close() end
      scheduler.wake(task, "ready")
    elseif not held and task == current then
      task.token = nil
      unpoll(task)
      if task.call then task.call:close() end
      task.call = nil
    elseif not held and co and coroutine.status(co) == "dead" then
      task.token = nil
      unpoll(task)
      finish(task, false, "its coroutine was closed")
    end
  end
end

--- Is there anything that could ever become ready by itself?
function scheduler.idle()
  return ready.first > ready.last and #polled == 0 and not next_timer()
end

--- Seconds until something is due that no descriptor tells of, or nil.
function scheduler.due()
  if ready.first <= ready.last then return 0 end
  local at = next_timer()
  return at and math.max(0, at - engine.now())
end

-- Resume whoever has been ready longest.
local function resume_first()
  local task = ready[ready.first]
  ready[ready.first] = nil
  ready.first = ready.first + 1
  if not task.finished then resume(task) end
end

--- One turn: move the engine (waiting at most `seconds` when nobody is ready) and resume everybody who was
-- ready then.
function scheduler.turn(seconds)
  scheduler.step(ready.first <= ready.last and 0 or seconds)
  local last = ready.last
  while ready.first <= last do resume_first() end
end

--- The turn of one frame: it waits for nothing, and begins nothing once the moment `stop_at` has come. Answers
-- are taken one by one, for what follows an answer may take a while, such as a signature; a task that is ready has
-- its turn between two of them, so that neither keeps the other waiting from frame to frame.
function scheduler.frame(stop_at)
  local more
  repeat
    more = scheduler.step(0, 1) > 0
    if engine.now() >= stop_at then return end
    if more and ready.first <= ready.last then
      resume_first()
      if engine.now() >= stop_at then return end
    end
  until not more
  local last = ready.last
  while ready.first <= last and engine.now() < stop_at do resume_first() end
end

--- One turn that waits for nothing, for the loop of a host. Inside a task nobody is resumed: it could bury
-- the very task that is waited for.
function scheduler.move()
  if running then return scheduler.step(0) end
  scheduler.turn(0)
end

return scheduler
