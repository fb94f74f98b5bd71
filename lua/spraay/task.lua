-- SPDX-License-Identifier: MIT
--- Tasks: spraay.run, spawn, all, map, first, within, sleep, update and pcall.
--
-- The same call blocks in a plain script and yields inside spraay.run, so nothing here needs an
-- `await`. A task that is stopped never loses money silently: a call whose authorization has left
-- is finished first (`first`, `within`), or its error says "maybe" (`cancel`).
local compat = require "spraay.compat"
local engine = require "spraay.engine"
local errors = require "spraay.errors"
local log = require "spraay.log"
local money = require "spraay.money"
local scheduler = require "spraay.scheduler"
local step = require "spraay.step"
local wait = require "spraay.wait"

local unpack, pack = compat.unpack, compat.pack

local task = {}

local Task = { __name = "spraay.task" }
Task.__index = Task

-- What a run waits for: its live tasks. Tasks spawned outside any run belong to none.
local function new_scope()
  return { live = 0, members = {}, waiters = {}, next = false }
end

local function check_function(fn, name, level)
  if type(fn) ~= "function" then
    error(("spraay.%s: expected a function, got %s"):format(name, type(fn)), level + 1)
  end
end

local function check_seconds(seconds, name, level)
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
    error(("spraay.%s: expected seconds, a number that is not negative"):format(name), level + 1)
  end
end

-- The task that starts another, for its books. A chain of tasks that each start the next and end must
-- not grow, so ended ancestors are left out.
local function starter()
  local current = scheduler.current() or scheduler.running()
  while current and current.parent and current.parent.finished do
    current.parent = current.parent.parent
  end
  return current
end

-- Has a payment left in the call that a task is in, and of how much, if that is known?
local function has_left(self)
  if not (self.call and self.call:committed()) then return false end
  return true, (self.call:terms() or {}).atomic
end

-- A task ended in the middle of a call: whoever held its coroutine killed it, say. What became of the money is
-- noted, and the call let go, so that an equal one has its answer.
local function let_go(self)
  local call = self.call
  self.call = nil
  if call:state() == "done" then
    local raw = call:result()
    local payment = raw.ok and raw.payment or raw
    self.left_open = raw.paid == "maybe" or payment.status == "unconfirmed"
    if self.left_open then
      self.open_atomic = payment.atomic
    elseif raw.paid == "yes" or payment.status == "settled" then
      self.paid_atomic = money.add(self.paid_atomic, payment.atomic)
    end
    self.answered = raw.ok and payment.status ~= "free"
  else
    self.left_open = call:committed()
    self.open_atomic = self.left_open and (call:terms() or {}).atomic or nil
  end
  call:close()
end

local function spawn(scope, fn, args)
  local parent = starter()
  local self = setmetatable({ scope = scope, parent = parent, background = parent and parent.background,
    cancelled = false, cancelled_as = false }, Task)   -- to cancel must not need memory
  step.inherit(self)
  if scope then
    scope.live = scope.live + 1
    scope.members[self] = true
  end
  scheduler.add(self, fn, args, function()
    if self.call then let_go(self) end
    if scope then
      scope.live = scope.live - 1
      if self.thrown == nil or self.observed then scope.members[self] = nil end
      if scope.live == 0 then scheduler.wake_all(scope.waiters) end
    end
    if self.bell then scheduler.wake_all(self.bell) end
  end)
  wait.started()
  return self
end

--- Start a function as a task; it runs whenever its starter waits. Returns the task.
function task.spawn(fn, ...)
  check_function(fn, "spawn", 2)
  local parent = scheduler.current() or scheduler.running()
  return spawn(parent and parent.scope, fn, pack(...))
end

--- A task that belongs to nobody: no run waits for it, it does not count among the live ones, and what it
-- throws is nobody's business. It goes on whenever somebody waits.
function task.background(fn, ...)
  local self = setmetatable({ background = true }, Task)
  return scheduler.add(self, task.pcall, pack(fn, ...), nil)
end

-- ---- how a task ended ---------------------------------------------------------

--- Book a payment on the task it was made in and on those that started it, so that an error can say
-- what was paid.
function task.note_payment(atomic)
  local current = scheduler.current() or scheduler.running()
  while current and atomic and atomic ~= "0" do
    current.paid_atomic = money.add(current.paid_atomic, atomic)
    current = current.parent
  end
end

-- What a task has under way: has a payment left, and how much is known of its amount?
local function under_way(self)
  if self.finished then return false end
  local committed, atomic = has_left(self)
  for _, child in ipairs(self.children or {}) do
    local also, more = under_way(child)
    if also then committed, atomic = true, money.add(atomic, more) end
  end
  return committed, atomic
end

-- What a task has paid, and what it may have, as error fields. `open`: a payment is under way, of
-- `open_atomic` if that is known.
local function paid_fields(self, fields, open, open_atomic)
  local atomic = money.add(self.paid_atomic, open and open_atomic or nil)
  fields.paid = open and "maybe" or self.paid_atomic and "yes" or "no"
  if atomic and fields.paid ~= "no" then fields.amount = money.format(atomic) end
  return fields
end

-- paid and amount of several errors together: what was surely paid counts with what may have been.
local function paid_together(list)
  local paid, atomic = "no", nil
  for _, err in ipairs(list) do
    if err.paid == "maybe" or (err.paid == "yes" and paid == "no") then paid = err.paid end
    if err.paid ~= "no" and err.amount then atomic = money.add(atomic, (money.atomic(err.amount))) end
  end
  return paid, atomic and money.format(atomic) or nil
end

-- An error value for whatever a function threw.
local function thrown_error(self)
  local value = self.thrown.value
  if errors.is(value) then return value end
  return errors.new(paid_fields(self, {
    kind = "usage", code = "thrown", thrown = value, traceback = self.thrown.traceback,
    message = "a task ended with an error: " .. tostring(value),
    hint = (self.left_open or self.answered)
      and "Make the same call again: it continues the purchase instead of paying anew" or nil,
  }, self.left_open, self.open_atomic))
end

-- The results of a task that has ended, or nil, message, err when it threw.
local function outcome(self)
  self.observed = true
  if self.scope then self.scope.members[self] = nil end
  if self.thrown then return errors.fail(thrown_error(self)) end
  return unpack(self.results, 1, self.results.n)
end

-- nil, message, err of a failure among the packed results of a function; nothing when it went well.
local function failure(results)
  if results.n < 2 or results[1] then return nil end
  local err = results[3]
  if not errors.is(err) then
    if results[2] == nil then return nil end
    err = errors.new { kind = "usage", code = "returned", message = tostring(results[2]), value = err }
  end
  return err
end

-- The one value that stands for a task in an array without holes: value, err.
local function value_of(self)
  local results = pack(outcome(self))
  local err = failure(results)
  if err then return false, err end
  if results[1] == nil then return true end
  return results[1]
end

-- ---- stopping -----------------------------------------------------------------

local function stop_all(children, how)
  local answer = "aborted"
  for _, child in ipairs(children) do
    if not child.finished and how(child) == "detached" then answer = "detached" end
  end
  return answer
end

-- Stop gently: what is past its signature is finished first, then nothing new begins.
local function stop(self)
  if self.finished then return "done" end
  if self.call then
    if self.call:committed() then
      self.stopping = true
      return "detached"
    end
    self.call:cancel()
  end
  if self.children and stop_all(self.children, stop) == "detached" then
    self.stopping = true
    return "detached"
  end
  self.cancelled = true
  scheduler.wake(self, "cancelled")
  return "aborted"
end

--- Stop now. "aborted": nothing of it was sent, no money can move. "detached": a payment had left;
-- the engine finishes it, and an equal call made later gets its answer. "done": it had ended.
function Task:cancel()
  if self.finished then return "done" end
  local _, open = under_way(self)
  self.open_atomic = open
  self.cancelled = true
  local answer = self.call and self.call:cancel() or "aborted"
  if self.children and stop_all(self.children, Task.cancel) == "detached" then answer = "detached" end
  self.cancelled_as = answer
  scheduler.wake(self, "cancelled")
  return answer
end

--- Has it ended?
function Task:done()
  return self.finished == true
end

--- Wait for the task and return its results. With { timeout = seconds } it may give nil, message,
-- err of kind "timeout"; the task goes on. A task that threw gives nil, message, err.
function Task:wait(options)
  if options ~= nil and type(options) ~= "table" then
    error("task:wait: expected { timeout = seconds }", 2)
  end
  for key in pairs(options or {}) do
    if key ~= "timeout" then error(("task:wait: unknown option %s"):format(tostring(key)), 2) end
  end
  local seconds = options and options.timeout
  if seconds ~= nil then check_seconds(seconds, "task:wait", 2) end
  if scheduler.current() == self then error("task:wait: a task cannot wait for itself", 2) end
  if not self.finished then
    local why = wait.until_ {
      poll = function() return self.finished end, on = self.waiters,
      at = seconds and engine.now() + seconds,
    }
    if why == "cancelled" then return errors.fail(wait.cancelled_error()) end
    if why == "timeout" then
      return errors.fail(paid_fields(self, {
        kind = "timeout", code = "wait", message = ("the task was not done after %g s"):format(seconds),
        hint = "It goes on; wait again, or cancel it", task = self,
      }, under_way(self)))
    end
  end
  return outcome(self)
end

Task.__tostring = function(self)
  local state = self.finished and (self.thrown and "failed" or "done") or "running"
  return "task (" .. state .. ")"
end

-- Wait for children of the current task; when it is cancelled, so are they.
-- Returns false when cancelled.
local function wait_children(children)
  local current = scheduler.current()
  local outer = current and current.children
  if current then current.children = children end
  local told = false
  for _, child in ipairs(children) do
    if not child.finished and not told then
      local why = wait.until_ {
        poll = function() return child.finished end, on = child.waiters, finishing = true,
      }
      told = why == "cancelled"
    end
  end
  if current then current.children = outer end
  return not told
end

-- Runs whose wait failed, for want of memory, say, while they had tasks: these must not go on without them.
local orphans = false

local function cancel_orphans()
  while orphans do
    for member in pairs(orphans.members) do Task.cancel(member) end
    orphans = orphans.next
  end
end

--- Whatever nobody can be in any more is let go: see scheduler.bury. Said before a call begins.
function task.bury()
  cancel_orphans()
  scheduler.bury()
end

local function ran(scope, ok, ...)
  if ok then return ... end
  if scope.live > 0 then
    scheduler.dropped()
    scope.next, orphans = orphans, scope
    pcall(cancel_orphans)   -- else before the next call
  end
  error((...), 0)
end

-- fn(scope, ...), which starts tasks and waits for them. Outside any run these make up one of their own, so that they
-- end with the wait.
local function together(fn, ...)
  local current, guard = scheduler.current() or scheduler.running(), compat.pcall_here()
  local scope = current and current.scope
  if scope or not guard then return fn(scope, ...) end
  cancel_orphans()
  scope = new_scope()
  return ran(scope, guard(fn, scope, ...))
end

local function cancelled_child(child)
  local detached = child.cancelled_as == "detached"
  return errors.new(paid_fields(child, {
    kind = "cancelled", code = "cancelled", message = "the task was cancelled",
    hint = detached and "Make the same call again: it continues the purchase instead of paying anew" or nil,
  }, detached, child.open_atomic))
end

local function check_each(list, name)
  if type(list) ~= "table" then error(("spraay.%s: expected a list of functions"):format(name), 3) end
  for i, item in ipairs(list) do
    if getmetatable(item) ~= Task and type(item) ~= "function" then
      error(("spraay.%s: item %d is neither a function nor a task"):format(name, i), 3)
    end
  end
end

local function start_each(scope, list)
  local children = {}
  for i, item in ipairs(list) do
    children[i] = getmetatable(item) == Task and item or spawn(scope, item, pack())
  end
  return children
end

local function collect(scope, list)
  local children = start_each(scope, list)
  local results, failures = {}, {}
  wait_children(children)
  for i, child in ipairs(children) do
    if child.finished then
      results[i], failures[i] = value_of(child)
    else
      results[i], failures[i] = false, cancelled_child(child)
    end
  end
  return results, failures
end

--- Run functions (or tasks) together, each to its end. results[i] is the first value of the i-th,
-- or false when it failed, and then errors[i] is its error.
function task.all(list)
  check_each(list, "all")
  return together(collect, list)
end

-- The error of an item whose function threw, with what was paid in it.
local function item_error(me, index, value)
  if errors.is(value) then return value end
  me = me or {}
  if me.call then let_go(me) end
  local open, atomic = me.left_open, me.open_atomic
  me.left_open, me.open_atomic = nil, nil
  return errors.new(paid_fields(me, { kind = "usage", code = "thrown", thrown = value,
    message = ("item %d ended with an error: %s"):format(index, tostring(value)) }, open, atomic))
end

local function map(scope, list, limit, fn)
  local results, failures, next_index = {}, {}, 1
  local workers = {}
  local function work()
    local me = scheduler.current()
    while next_index <= #list and not (me and (me.cancelled or me.stopping)) do
      local index = next_index
      next_index = next_index + 1
      local before = me and me.paid_atomic
      if me then me.paid_atomic = nil end   -- what this item alone will have paid
      local answer = pack(task.pcall(fn, list[index], index))
      if answer[1] then
        local values = pack(unpack(answer, 2, answer.n))
        local err = failure(values)
        if err then
          results[index], failures[index] = false, err
        elseif values[1] == nil then
          results[index] = true
        else
          results[index] = values[1]
        end
      else
        results[index], failures[index] = false, item_error(me, index, answer[2])
      end
      if me then me.paid_atomic = money.add(before, me.paid_atomic) end
    end
  end
  for i = 1, math.min(limit, #list) do
    workers[i] = spawn(scope, work, pack())
  end
  wait_children(workers)
  for i = 1, #list do
    if results[i] == nil then
      local detached, failed = false, nil
      for _, worker in ipairs(workers) do
        detached = detached or worker.cancelled_as == "detached"
        failed = failed or worker.thrown and worker
      end
      results[i] = false
      failures[i] = failed and thrown_error(failed)
        or cancelled_child { cancelled_as = i < next_index and detached and "detached" or nil }
    end
  end
  return results, failures
end

--- fn(item, index) for every item, `limit` at a time (8 unless told). Results as for spraay.all.
function task.map(list, options, fn)
  if fn == nil and type(options) == "function" then options, fn = nil, options end
  check_function(fn, "map", 2)
  if type(list) ~= "table" then error("spraay.map: expected a list", 2) end
  for key in pairs(options or {}) do
    if key ~= "limit" then error(("spraay.map: unknown option %s"):format(tostring(key)), 2) end
  end
  local limit = options and options.limit or 8
  if not compat.integer(limit) or limit < 1 then error("spraay.map: limit is a whole number from 1 on", 2) end
  return together(map, list, limit, fn)
end

local function first(scope, list)
  local children = start_each(scope, list)
  local current = scheduler.current()
  local bell, winner, winner_value, failures = {}, nil, nil, {}
  for _, child in ipairs(children) do child.bell = bell end
  if current then current.children = children end
  while not winner do
    local alive = false
    for i, child in ipairs(children) do
      if child.finished and failures[i] == nil then
        local value, err = value_of(child)
        if err then
          failures[i] = err
        else
          winner, winner_value = i, value
          break
        end
      end
      alive = alive or not child.finished
    end
    if winner or not alive then break end
    local seen = 0
    for _, child in ipairs(children) do seen = seen + (child.finished and 1 or 0) end
    local why = wait.until_ {
      poll = function()
        local now = 0
        for _, child in ipairs(children) do now = now + (child.finished and 1 or 0) end
        return now > seen
      end,
      on = bell, finishing = true,
    }
    if why == "cancelled" then
      if current then current.children = nil end
      return errors.fail(wait.cancelled_error())
    end
  end
  if current then current.children = nil end
  if not winner then
    local last = failures[#children]
    local paid, amount = paid_together(failures)
    return errors.fail { kind = last.kind, code = "all_failed", errors = failures, paid = paid,
      amount = amount,
      message = ("all %d failed; the last: %s"):format(#children, tostring(last.message)), hint = last.hint }
  end
  local left = {}
  for i, child in ipairs(children) do
    if i ~= winner and not child.finished and stop(child) == "detached" then left[#left + 1] = child end
  end
  return winner_value, winner, left
end

--- The first function to succeed: value, index, left. The others are cancelled, except those whose
-- payment had left: they are finished and listed in `left`. When all fail: nil, message, err.
function task.first(list)
  check_each(list, "first")
  if #list == 0 then error("spraay.first: the list is empty", 2) end
  return together(first, list)
end

local function within(scope, seconds, fn, ...)
  local child = spawn(scope, fn, pack(...))
  local me = scheduler.current()
  local outer = me and me.children
  if me then me.children = { child } end
  local why = wait.until_ {
    poll = function() return child.finished end, on = child.waiters, at = engine.now() + seconds,
    finishing = true,
  }
  if me then me.children = outer end
  if why == "ready" then return outcome(child) end
  if why == "cancelled" then return errors.fail(cancelled_child(child)) end
  local _, open = under_way(child)
  local detached = stop(child) == "detached"
  child.observed = true
  return errors.fail(paid_fields(child, {
    kind = "timeout", code = "within", task = child, message = ("not done within %g s"):format(seconds),
    hint = detached and "A payment had left, so that call is being finished: err.task:wait() gives its answer"
      or nil,
  }, detached, open))
end

--- fn(...) for at most `seconds`: its results, or nil, message, err of kind "timeout" with the
-- task in err.task. Then nothing new begins in it, and a payment that had left is finished.
function task.within(seconds, fn, ...)
  check_seconds(seconds, "within", 2)
  check_function(fn, "within", 2)
  return together(within, seconds, fn, ...)
end

--- Sleep. Other tasks go on. Returns true, or nil, message, err when the task was cancelled.
function task.sleep(seconds)
  check_seconds(seconds, "sleep", 2)
  local why = wait.until_ { at = engine.now() + seconds }
  if why == "cancelled" then return errors.fail(wait.cancelled_error()) end
  return true
end

--- Once per frame: resume what is ready, without waiting, and begin nothing after `seconds`; what is left over
-- goes on in the next frame. Returns how many tasks have not ended; nil, message, err where there are no frames:
-- inside a task, and in the loop of a host, which moves tasks by itself.
function task.update(seconds)
  if seconds ~= nil then check_seconds(seconds, "update", 2) end
  local loop = wait.moved_by()
  if loop then
    return errors.usage(("spraay.update: the loop of %s moves tasks here, there are no frames"):format(loop),
      'Leave it out, or choose spraay.use "frame" if this loop of yours draws frames', "update")
  end
  if scheduler.running() then
    return errors.usage("spraay.update: it belongs into the loop that draws frames, not into a task",
      "Inside a task, spraay.sleep lets the others go on", "update")
  end
  if seconds then scheduler.frame(engine.now() + seconds) else scheduler.turn(0) end
  return scheduler.live()
end

-- pcall through which a task may wait. Only PUC 5.1 needs the long way: the function runs in a
-- coroutine of its own, and what it yields is passed on.
local function pcall_yielding(fn, ...)
  local current = scheduler.current()
  if not current or not compat.yieldable() then return pcall(fn, ...) end
  local co = coroutine.create(function(...) return fn(...) end)
  scheduler.adopt(co, current)
  local function go(ok, ...)
    if not ok or coroutine.status(co) == "dead" then return ok, ... end
    return go(coroutine.resume(co, coroutine.yield(...)))
  end
  return go(coroutine.resume(co, ...))
end

--- pcall that may be used around calls on every Lua.
task.pcall = compat.pcall_yields and pcall or pcall_yielding

-- An error in a task that nobody waited for must not vanish.
local function report(self)
  local text = self.thrown.value
  log.problem("a task that nobody waited for ended with an error: " .. tostring(text))
end

local function run(scope, fn, ...)
  local main = spawn(scope, fn, pack(...))
  local why = wait.until_ { poll = function() return main.finished end, on = main.waiters, finishing = true }
  if why ~= "cancelled" and main.thrown then
    for member in pairs(scope.members) do
      if member ~= main then stop(member) end
    end
  end
  if why ~= "cancelled" and scope.live > 0 then
    why = wait.until_ { poll = function() return scope.live == 0 end, on = scope.waiters, finishing = true }
  end
  if why == "cancelled" then
    local members = {}
    for member in pairs(scope.members) do members[#members + 1] = member end
    stop_all(members, Task.cancel)
    return errors.fail(wait.cancelled_error())
  end
  main.observed = true
  for member in pairs(scope.members) do
    if member.thrown and not member.observed and not errors.is(member.thrown.value) then report(member) end
  end
  if main.thrown then error(main.thrown.value, 0) end
  return unpack(main.results, 1, main.results.n)
end

--- Run fn(...) and every task spawned inside to their ends; returns fn's results. When fn throws,
-- the tasks are stopped (a payment that had left is finished) and the error goes on.
function task.run(fn, ...)
  check_function(fn, "run", 2)
  cancel_orphans()
  local scope, guard = new_scope(), compat.pcall_here()
  if not guard then return run(scope, fn, ...) end
  return ran(scope, guard(run, scope, fn, ...))
end

return task
