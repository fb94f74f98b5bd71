--- Predictions: work at the media provider that has an id and takes a while.
---
---   starting -> processing -> succeeded | failed | canceled
---
--- Nothing runs: a prediction knows when it will be ready and what it will then say, and the
--- sandbox's clock decides. Words in the prompt steer it: [slow] takes its time even where jobs
--- are immediate, [fail] fails, [cancel] is canceled, [empty] succeeds with nothing to show.
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local js = require "spraay.sandbox.js"
local json = require "spraay.sandbox.json"

local jobs = {}
jobs.__index = jobs
jobs.__name = "spraay.sandbox.jobs"

function jobs.new(clock)
  return setmetatable({ clock = clock, byid = {}, count = 0, seed = crypto.random(16) }, jobs)
end

local LETTERS = "abcdefghjkmnpqrstvwxyz0123456789"

-- 26 letters and digits, as the provider's ids look.
local function new_id(self)
  self.count = self.count + 1
  local hash = crypto.keccak(self.seed .. self.count)
  return (hash:sub(1, 26):gsub(".", function(c)
    local at = c:byte() % #LETTERS + 1
    return LETTERS:sub(at, at)
  end))
end

--- Start a prediction.
---@param spec table  model, prompt, seconds (until ready), output (function, called once it is there)
---@return table job
function jobs:start(spec)
  local prompt = spec.prompt or ""
  local function marked(word) return prompt:find("[" .. word .. "]", 1, true) ~= nil end
  local seconds = spec.seconds
  if marked "slow" then seconds = math.max(seconds, spec.slow_seconds or 4) end
  local job = {
    id = new_id(self), model = spec.model, created = self.clock:precise(), began = self.clock:elapsed(),
    seconds = seconds, output_of = spec.output,
    ending = marked "fail" and "failed" or marked "cancel" and "canceled" or "succeeded",
    empty = marked "empty",
  }
  self.byid[job.id] = job
  return job
end

--- Look at a prediction now.
---@return string status  Replicate's word
function jobs:look(job)
  local age = self.clock:elapsed() - job.began
  if age < job.seconds then
    return age < math.min(1, job.seconds / 4) and "starting" or "processing"
  end
  if not job.completed then
    job.completed = job.created + job.seconds
    if job.ending == "succeeded" and not job.empty then job.output = job.output_of() end
    if job.ending == "failed" then job.error = "Prediction failed: the model could not make this." end
  end
  return job.ending
end

---@return table? job
function jobs:find(id) return self.byid[id] end

--- The provider's own record of a prediction.
---@return table
function jobs:record(job)
  local status = self:look(job)
  local done = job.completed ~= nil
  return {
    id = job.id, model = job.model, status = status,
    output = job.output ~= nil and job.output or json.null,
    error = job.error or json.null,
    created_at = js.iso(job.created),
    completed_at = done and js.iso(job.completed) or json.null,
    metrics = done and status == "succeeded" and { predict_time = math.max(job.seconds, 0.5) } or json.null,
    logs = done and "" or ("step 1: %s\n"):format(status),
  }
end

return jobs
