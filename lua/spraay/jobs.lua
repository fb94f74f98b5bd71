-- SPDX-License-Identifier: MIT
--- Jobs: work the gateway has begun and not finished. Video always is one; an image, speech, a
-- transcription or a gpu run becomes one when it takes longer than the gateway waits.
--
-- Each look at a job costs money, so looks are few and spaced by what the job usually takes. The
-- gateway passes Replicate's words through; here they are always one of
--   processing  completed  failed  canceled
local call = require "spraay.call"
local compat = require "spraay.compat"
local engine = require "spraay.engine"
local errors = require "spraay.errors"
local json = require "spraay.json"
local money = require "spraay.money"
local options = require "spraay.options"
local result = require "spraay.result"
local routes = require "spraay.routes"
local task = require "spraay.task"
local wait = require "spraay.wait"

local jobs = {}

local WORDS = {
  starting = "processing", queued = "processing", pending = "processing", processing = "processing",
  succeeded = "completed", completed = "completed",
  failed = "failed",
  canceled = "canceled", cancelled = "canceled", aborted = "canceled",
}

--- One of our four words for a raw one; an unknown word is work in progress.
function jobs.status(raw)
  return WORDS[type(raw) == "string" and raw:lower() or false] or "processing"
end

-- Ages in seconds at which to look, then every STEP seconds.
local LOOKS = {
  video = { 8, 20, 45, 85, 130, 185 },
  other = { 3, 8, 20, 40, 70, 120 },
}
local STEP = 60

local KIND_NAMES = { "image", "video", "speak", "transcribe", "gpu" }
local KINDS = {}
for _, name in ipairs(KIND_NAMES) do KINDS[name] = true end

-- How many looks whose answer was lost one wait may cost.
local LOST_LOOKS = 2

-- How many looks in a row may fail before payment before wait gives up.
local MISSES = 4

local Job = {}
jobs.methods = Job
local mt = { __name = "spraay.job" }

-- job -> { client=, born=, seen= (the decoded answer last seen), paid= (atomic, looks), opts= (of the call
-- that began it), named= (the purchase its files are kept under), files= }
local hidden = setmetatable({}, { __mode = "k" })

mt.__index = function(self, key)
  local method = Job[key]
  if method then return method end
  local own = hidden[self]
  local value = own and json.get(own.seen, key)
  return value
end

mt.__tostring = function(self)
  return ("job %s (%s, %s)"):format(tostring(self.id), self.kind or "unknown kind", self.status)
end

local function give(client, value, message, err)
  if value ~= nil then return value end
  if client.config.errors == "raise" then error(err, 0) end
  return nil, message, err
end

-- Take over what an answer says about the job.
local function see(self, body)
  local own = hidden[self]
  own.seen = body
  local raw = json.get(body, "status")
  if type(raw) == "string" then
    self.raw_status, self.status = raw, jobs.status(raw)
  end
  if self.status == "completed" then
    local out = {}
    if json.get(body, "output") ~= nil then
      result.read(out, "output", body)
    elseif self.kind then
      result.read(out, self.kind, body)
    end
    self.urls, self.text = out.urls, out.text
  end
  self.body = body
end

--- A job from the answer that began it. fields: { client=, kind=, id=, body=, payment=, billing= }
function jobs.new(fields)
  local self = setmetatable({
    id = fields.id, kind = fields.kind, status = "processing", raw_status = nil,
    payment = fields.payment, billing = fields.billing,
  }, mt)
  hidden[self] = { client = fields.client, born = engine.now(), attached = fields.attached, looks = 0,
    first = fields.payment }
  if fields.body then see(self, fields.body) end
  return self
end

--- Is this a job?
function jobs.is(value)
  return type(value) == "table" and getmetatable(value) == mt
end

--- Can this be the id of a job? It becomes part of a path.
function jobs.valid_id(id)
  return type(id) == "string" and #id <= 128 and id:match("^[%w%-_]+$") ~= nil
end

--- A job made anew from its id, in this process or another.
function jobs.attach(client, id, kind)
  if not jobs.valid_id(id) then
    return errors.usage("client:job: expected the id of a job, a short word", nil, "argument")
  end
  if kind ~= nil then
    local name = KINDS[kind] and kind or routes.kinds[kind]
    if not name or not KINDS[name] then
      return errors.usage(("client:job: no job is of kind %s"):format(errors.show(kind)),
        errors.meant(kind, KIND_NAMES, "Kinds are " .. errors.list(KIND_NAMES)), "argument")
    end
    kind = name
  end
  return jobs.new { client = client, id = id, kind = kind, attached = true }
end

--- The error of a job that ended badly. `amount` is what was paid for it, decimal, if known.
function jobs.failed_error(self)
  local reason = json.get(hidden[self].seen, "error")
  local words = errors.foreign(reason)
  local paid = self.payment and self.payment.amount
  return errors.new {
    kind = "gateway", code = self.status, body = self.body, job = self,
    message = ("the %s job %s %s%s"):format(self.kind or "compute", tostring(self.id), self.status,
      words and (", saying \"%s\""):format(words) or ""),
    paid = call.paid_word(self.payment), amount = paid,
    purchase = self.payment and self.payment.purchase,
    hint = "The provider charges for the try; change the request before you buy another",
  }
end

--- Where its files are kept, and under which purchase; see media.lua.
function jobs.set_files(self, purchase, files)
  local own = hidden[self]
  own.named, own.files = purchase, files
end

-- Keep the files of a job that has just completed; media.lua does it.
function jobs.keep(_, _, _, _) end

-- What was paid for a job so far: what began it, and the looks.
local function total_payment(self)
  local own = hidden[self]
  local first = own.first
  local parts, atomic = {}, own.paid
  if first then
    parts[1] = first
    if first.amount then atomic = money.add(atomic, (money.atomic(first.amount))) end
  end
  for _, part in ipairs(own.parts or {}) do parts[#parts + 1] = part end
  local payment = {}
  for key, value in pairs(first or parts[1] or { status = "free" }) do payment[key] = value end
  payment.amount = atomic and money.format(atomic) or nil
  payment.parts = parts
  return payment
end

-- One look: asks the cheap status route, which knows gpu jobs too.
local function look(self, opts)
  local own = hidden[self]
  local route = routes.table.status
  local answer, handle, err = call.perform(own.client, {
    verb = "job:poll", method = "GET", url = own.client.config.gateway .. route.path .. self.id,
    route = route, class = route.class, price = call.price(own.client, route), slots = route.slots, opts = opts or {},
  })
  own.looks = own.looks + 1
  own.parts = own.parts or {}
  if not answer then
    if err.paid == "yes" and err.amount then   -- settled, and its answer lost
      own.paid = money.add(own.paid, (money.atomic(err.amount)))
      own.parts[#own.parts + 1] = { status = "settled", amount = err.amount, purchase = err.purchase }
      self.payment = total_payment(self)
    end
    return nil, handle, err
  end
  if type(answer.body) ~= "table" then
    call.hand_over(handle)   -- a look is soon stale: the next one is bought anew
    return errors.fail { kind = "gateway", code = "answer", status = answer.status,
      paid = call.paid_word(answer.payment), amount = answer.payment.amount,
      message = "the gateway's answer about the job is not JSON", hint = "Look again later" }
  end
  see(self, answer.body)
  own.paid = money.add(own.paid, answer.atomic)
  own.parts[#own.parts + 1] = answer.payment
  self.payment = total_payment(self)
  if self.status == "completed" and (own.named or own.attached) then
    jobs.keep(own.client, self, { purchase = own.named, total_ms = opts and opts.total_ms }, own.named or self.id)
  end
  call.hand_over(handle)
  return answer
end

--- Look once (0.001 USDC); costs nothing when the job is known to have ended. Returns the job, or
-- nil, message, err. A job that failed is no failed look: read job.status.
function Job:poll(opts)
  local client = hidden[self].client
  local checked, message, err = options.per_call(opts, "job:poll")
  if not checked then return give(client, nil, message, err) end
  if self.status ~= "processing" then return self end
  local answer
  answer, message, err = call.guarded(look, self, checked)
  if not answer then return give(client, nil, message, err) end
  return self
end

local function finished(self)
  local value = result.new {
    client = hidden[self].client, body = self.body, id = self.id, kind = self.kind,
    status = self.status, raw_status = self.raw_status, urls = self.urls, text = self.text,
    payment = self.payment, billing = self.billing,
  }
  result.set_files(value, hidden[self].files)
  return value
end

-- The age at which to look next, after `age`.
local function next_age(kind, age)
  local list = LOOKS[kind == "video" and "video" or "other"]
  for _, at in ipairs(list) do
    if at > age then return at end
  end
  local last = list[#list]
  return last + (math.floor((age - last) / STEP) + 1) * STEP
end

-- An error of a wait, with what its looks have cost before: `spent` surely, `open` perhaps.
local function with_looks(err, spent, open)
  local own_amount = err.paid ~= "no" and err.amount and money.atomic(err.amount) or nil
  local atomic = money.add(money.add(spent, open), own_amount)
  if open or err.paid == "maybe" then
    err.paid = "maybe"
  elseif spent then
    err.paid = "yes"
  end
  err.amount = atomic and money.format(atomic) or err.amount
  return errors.fail(err)
end

local function not_done(self, code, message)
  return errors.new {
    kind = "timeout", code = code, job = self, message = message,
    hint = ("The work goes on: call job:wait again, or client:job(\"%s\"%s) in another process")
      :format(self.id, self.kind and ", \"" .. self.kind .. "\"" or ""),
  }
end

-- Tell the caller of a look. What that function throws is an error of the wait: the job itself goes on.
local function report(self, on_progress)
  local ok, thrown = task.pcall(on_progress, self)
  if ok then return nil end
  if errors.is(thrown) then return thrown end
  local err = not_done(self, "thrown", ("on_progress failed%s"):format(thrown ~= nil and ": "
    .. (errors.foreign(tostring(thrown)) or "") or ""))
  err.kind, err.thrown = "usage", thrown
  return err
end

local WAIT_OPTIONS = { "timeout", "polls", "on_progress", "max" }
jobs.wait_names = WAIT_OPTIONS

local function wait_options(given)
  if given == nil then return { timeout = 600, polls = 10 } end
  if type(given) ~= "table" then return nil, "expected a table of options" end
  local key, strange = errors.stranger(given, WAIT_OPTIONS)
  if strange then return nil, "unknown option " .. errors.show(key), errors.meant(key, WAIT_OPTIONS) end
  local timeout, polls, max = given.timeout or 600, given.polls or 10, nil
  if type(timeout) ~= "number" or timeout ~= timeout or timeout <= 0 then
    return nil, "timeout must be seconds above 0"
  end
  if not compat.integer(polls) or polls < 1 then return nil, "polls must be a whole number from 1 on" end
  if given.on_progress ~= nil and type(given.on_progress) ~= "function" then
    return nil, "on_progress must be a function(job)"
  end
  if given.max ~= nil then
    local why
    max, why = money.atomic(given.max)
    if not max then return nil, "max " .. why end
  end
  return { timeout = timeout, polls = polls, on_progress = given.on_progress, max = max }
end

-- Is this failure, before anything was paid, likely to pass by itself?
local function passing(err)
  return err.kind == "connection" or err.kind == "timeout"
    or (err.kind == "gateway" and err.status ~= nil and err.status >= 429)
end

-- The loop of wait. Returns the result, or nil, message, err.
local function wait_for(self, given)
  local own = hidden[self]
  local start = engine.now()
  local deadline = start + given.timeout
  local looks, lost, misses, spent, open, last_look = 0, 0, 0, nil, nil, nil
  while self.status == "processing" do
    if looks >= given.polls then
      local message = ("the job %s is not done after %d looks"):format(self.id, looks)
      return with_looks(not_done(self, "polls", message), spent, open)
    end
    local at
    if own.attached and not last_look then
      at = engine.now()   -- an old job: it may long be done
    else
      at = own.born + next_age(self.kind, math.max(engine.now(), last_look or 0) - own.born)
    end
    if at > deadline then
      local before = last_look or start
      if deadline - before < 5 or engine.now() >= deadline then
        if engine.now() < deadline and wait.until_ { at = deadline } == "cancelled" then
          return with_looks(wait.cancelled_error(), spent, open)
        end
        local message = ("the job %s is not done after %g s"):format(self.id, given.timeout)
        return with_looks(not_done(self, "timeout", message), spent, open)
      end
      at = deadline   -- one last look before giving up
    end
    if wait.until_ { at = at } == "cancelled" then
      return with_looks(wait.cancelled_error(), spent, open)
    end
    looks, last_look = looks + 1, math.max(engine.now(), at)
    local answer, _, err = look(self, { max = given.max })
    if answer then
      misses, spent = 0, money.add(spent, answer.atomic)
      local failed = given.on_progress and report(self, given.on_progress)
      if failed then return with_looks(failed, spent, open) end
    elseif err.paid ~= "no" then   -- a look whose answer was lost is spent
      lost = lost + 1
      if lost > LOST_LOOKS then return with_looks(err, spent, open) end
      local atomic = err.amount and money.atomic(err.amount) or nil
      if err.paid == "yes" then spent = money.add(spent, atomic) else open = money.add(open, atomic) end
    elseif passing(err) then
      misses = misses + 1
      if misses > MISSES then return with_looks(err, spent, open) end
    else
      return with_looks(err, spent, open)
    end
  end
  if self.status ~= "completed" then return errors.fail(jobs.failed_error(self)) end
  return finished(self)
end

--- Wait until the job has ended, looking seldom: { timeout = 600, polls = 10, on_progress = fn(job) }.
-- Returns the result, or nil, message, err; after a timeout the job goes on and may be waited for again.
function Job:wait(given)
  local client = hidden[self].client
  local checked, why, hint = wait_options(given)
  if not checked then return give(client, errors.usage("job:wait: " .. why, hint, "option")) end
  return give(client, call.guarded(wait_for, self, checked))
end

--- Save the output of a job that has completed.
function Job:save(path)
  local client = hidden[self].client
  if self.status ~= "completed" then
    return give(client, errors.usage(("job:save: the job is %s"):format(self.status), "Call job:wait first",
      "unfinished"))
  end
  return finished(self):save(path)
end

return jobs
