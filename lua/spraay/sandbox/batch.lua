--- Batches: up to fifty jobs of any kind for one flat price.
--- The first malformed job refuses the whole batch; a job that fails at its provider fails alone.
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local js = require "spraay.sandbox.js"
local json = require "spraay.sandbox.json"
local models = require "spraay.sandbox.models"
local providers = require "spraay.sandbox.providers"

local batch = {}

local MAX_JOBS = 50

-- Names every JavaScript object answers to: they pass the gateway's type test and break later.
local PROTOTYPE = { toString = true, constructor = true, valueOf = true, hasOwnProperty = true }

-- "batch_" and the first twelve characters of a UUID, the hyphen among them.
local function new_id()
  local hex = crypto.hex(crypto.random(6))
  return ("batch_%s-%s"):format(hex:sub(1, 8), hex:sub(9, 11))
end

-- Check every job before any runs.
---@return table? plan
---@return string? refusal
local function plan_of(jobs)
  local plan = {}
  for i, job in ipairs(jobs) do
    if job == json.null then error({ details = "Cannot read properties of null (reading 'type')" }, 0) end
    local kind = type(job) == "table" and job.type or nil
    if PROTOTYPE[kind] then error({ details = "Cannot read properties of undefined (reading 'find')" }, 0) end
    if type(kind) ~= "string" or not models.registry[kind] then
      return nil, ("Job %d: invalid type. Must be one of: %s"):format(i - 1, models.TYPES_TEXT)
    end
    local model = models.resolve(kind, job.model)
    if not model then
      return nil, ("Job %d: model '%s' not available for %s."):format(i - 1, models.named(job.model), kind)
    end
    local params = providers.job_params(job, 512)
    params.temperature, params.num_outputs = 0.7, 1       -- not read from batch jobs
    plan[i] = { kind = kind, model = model, params = params }
  end
  return plan
end

local function run_all(sandbox, request, plan)
  local results, counts, subtotal = json.array(), { completed = 0, processing = 0, failed = 0 }, 0
  for i, job in ipairs(plan) do
    subtotal = subtotal + job.model.price
    local result, details = providers.try(function()
      return sandbox.providers:run(request, job.kind, job.model, job.params)
    end)
    local status = not result and "failed" or result.status or "completed"
    counts[status] = counts[status] + 1
    results[i] = { job_index = i - 1, type = job.kind, status = status, result = result, error = details }
  end
  return results, counts, subtotal
end

function batch.handle(sandbox, request)
  local jobs = request.body.jobs
  if type(jobs) ~= "table" or #jobs == 0 then
    return 400, { error = "jobs array is required and must not be empty." }
  end
  if #jobs > MAX_JOBS then return 400, { error = "Maximum 50 jobs per batch." } end
  local refusal
  local plan, details = providers.try(function()
    local list, why = plan_of(jobs)
    refusal = why
    return list or {}
  end)
  if not plan then return 502, { error = "Batch compute failed", details = details } end
  if refusal then return 400, { error = refusal } end
  local results, counts, subtotal = run_all(sandbox, request, plan)
  return 200, {
    batch_id = new_id(), jobs_submitted = #plan, jobs_completed = counts.completed,
    jobs_processing = counts.processing, jobs_failed = counts.failed, results = results,
    subtotal_usdc = js.fixed(subtotal, 3), discount_percent = "10%",
    total_cost_usdc = js.fixed(subtotal - subtotal * 0.10, 3),
  }
end

return batch
