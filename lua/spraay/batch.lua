-- SPDX-License-Identifier: MIT
--- Batches: up to fifty jobs in one purchase at one flat price. Each job has its own result or
-- error, in order; the price is paid whatever becomes of them.
local args = require "spraay.args"
local ask = require "spraay.ask"
local call = require "spraay.call"
local compat = require "spraay.compat"
local errors = require "spraay.errors"
local jobs = require "spraay.jobs"
local json = require "spraay.json"
local result = require "spraay.result"
local routes = require "spraay.routes"

local batch = {}

local WHERE = "client:batch"
local TYPES = { "chat", "image", "video", "speak", "transcribe", "embed" }
local SKIP = { type = true }

-- One job as the gateway wants it and the verb it belongs to, or nil, message, err.
local function job_of(item, index, opts)
  local where = ("%s: job %d"):format(WHERE, index)
  if type(item) ~= "table" then return errors.usage(where .. " is not a table", nil, "argument") end
  local verb = routes.kinds[item.type or false]
  if not verb then
    local what = item.type == nil and " has no type" or " is of the unknown type " .. errors.show(item.type)
    return errors.usage(where .. what, errors.meant(item.type, TYPES, "Types are " .. errors.list(TYPES)),
      "argument")
  end
  local kind = routes.table[verb].kind
  local body, message, err = args.job(verb, item, where,
    { kind = kind, unchecked = opts.unchecked, batch = true, many = true, skip = SKIP })
  if not body then return nil, message, err end
  body.type = kind
  return body, verb
end

--- The request of a batch, with the verb of each job in request.kinds; or nil, message, err.
function batch.request(client, given, opts)
  if type(given) ~= "table" or #given == 0 then
    return errors.usage(WHERE .. ": expected a list of jobs",
      "client:batch { { type = \"chat\", messages = … }, … }", "argument")
  end
  for key in pairs(given) do
    if not compat.integer(key) or key < 1 or key > #given then
      return errors.usage(("%s: unknown field %s in the list of jobs"):format(WHERE, errors.show(key)), nil,
        "argument")
    end
  end
  if #given > routes.BATCH_MAX then
    return errors.usage(("%s: %d jobs, and a batch takes at most %d"):format(WHERE, #given, routes.BATCH_MAX),
      "Split them into several batches", "argument")
  end
  local list, kinds = {}, {}
  for i, item in ipairs(given) do
    local body, verb, err = job_of(item, i, opts)
    if not body then return nil, verb, err end
    list[i], kinds[i] = body, verb
  end
  local request, message, err = ask.request(client, "batch", { jobs = list }, opts)
  if not request then return nil, message, err end
  request.kinds = kinds
  return request
end

-- The error of one job of a batch that was paid for.
local function job_error(index, kind, item, payment)
  local words = errors.foreign(json.get(item, "error"))
  local why = item == nil and "the gateway's answer says nothing about job %d (%s)" or "job %d (%s) failed"
  return errors.new {
    kind = "gateway", code = item == nil and "missing" or "failed", body = item, purchase = payment.purchase,
    message = why:format(index, kind) .. (words and (", saying \"%s\""):format(words) or ""),
    paid = call.paid_word(payment), amount = payment.amount,
    hint = "That is the price of the whole batch, which is paid whatever becomes of its jobs",
  }
end

--- The result of a batch from its answer: result[i] is a result, a job, or an error, which is in
-- result.errors[i] too.
function batch.result(client, request, answer)
  local payment, items = answer.payment, {}
  -- A job's own payment has no amount: adding them up must not count the batch many times.
  local share = { status = payment.status, network = payment.network, payer = payment.payer,
    transaction = payment.transaction, purchase = payment.purchase, part_of = payment }
  local raw = json.get(answer.body, "results")
  for i, item in ipairs(type(raw) == "table" and raw or {}) do
    items[(compat.integer(json.get(item, "job_index")) or i - 1) + 1] = item
  end
  local value, failures, done = {}, {}, 0
  for i, kind in ipairs(request.kinds) do
    local item = items[i]
    local inner, status = json.get(item, "result"), jobs.status(json.get(item, "status"))
    if type(inner) == "table" and (status == "completed" or status == "processing") then
      value[i] = ask.shape(client, kind, { body = item, payment = share }, inner)
      done = done + 1
    else
      failures[i] = job_error(i, kind, item, payment)
      value[i] = failures[i]
    end
  end
  value.client, value.body, value.payment, value.errors = client, answer.body, payment, failures
  value.summary_ = ("batch of %d: %d done, %d failed"):format(#request.kinds, done, #request.kinds - done)
  return result.new(value)
end

return batch
