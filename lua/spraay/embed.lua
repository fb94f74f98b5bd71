-- SPDX-License-Identifier: MIT
--- Embeddings of a list. The gateway joins an array into one text, so every text is a purchase of
-- its own, or one of up to fifty jobs of a batch where that is cheaper. When some fail, what was paid
-- for is in err.results, and the same call made again restores it and buys only the rest.
local args = require "spraay.args"
local ask = require "spraay.ask"
local call = require "spraay.call"
local compat = require "spraay.compat"
local errors = require "spraay.errors"
local json = require "spraay.json"
local money = require "spraay.money"
local result = require "spraay.result"
local routes = require "spraay.routes"
local task = require "spraay.task"

local embed = {}

-- How many purchases are under way at once.
local PARALLEL = 4

-- Room for the frame of a batch around its jobs, in bytes.
local BATCH_FRAME = 64

local function batch_job(model, input)
  return { type = "embeddings", model = model, input = input }
end

-- The last input of the largest batch that can begin at `first`.
local function batch_end(inputs, model, first)
  local last, bytes = first - 1, BATCH_FRAME
  while last < #inputs and last - first + 1 < routes.BATCH_MAX do
    bytes = bytes + #json.encode(batch_job(model, inputs[last + 1])) + 1
    if bytes > routes.BODY_MAX then break end
    last = last + 1
  end
  return math.max(last, first)
end

--- Cut a list into purchases, each { first=, last=, single= }, the cheaper way.
function embed.plan(client, inputs, model)
  local one, batch = call.price(client, routes.table.embed), call.price(client, routes.table.batch)
  local parts, first = {}, 1
  while first <= #inputs do
    local last = batch_end(inputs, model, first)
    local count = last - first + 1
    if count > 1 and money.compare(money.times(one, count), batch) > 0 then
      parts[#parts + 1] = { first = first, last = last }
    else
      for i = first, last do parts[#parts + 1] = { first = i, last = i, single = true } end
    end
    first = last + 1
  end
  return parts
end

--- The request of one purchase, or nil, message, err.
function embed.request(client, part, inputs, model, opts)
  if part.single then
    return ask.request(client, "embed", { input = inputs[part.first], model = model }, opts)
  end
  local list = {}
  for i = part.first, part.last do list[#list + 1] = batch_job(model, inputs[i]) end
  return ask.request(client, "batch", { jobs = list }, opts)
end

-- Options of the index-th purchase: a name of its own under the caller's.
local function part_options(opts, index)
  local out = {}
  for key, value in pairs(opts) do out[key] = value end
  if opts.purchase then out.purchase = ("%s#%d"):format(opts.purchase, index) end
  return out
end

-- The requests of all purchases, or nil, message, err: everything is written before anything is sent.
local function requests_of(client, parts, inputs, model, opts)
  for i, input in ipairs(inputs) do   -- each must fit by itself
    local fits, _, too_large = ask.request(client, "embed", { input = input, model = model }, opts)
    if not fits then
      too_large.message = ("%s (input %d)"):format(too_large.message, i)
      return errors.fail(too_large)
    end
  end
  local requests = {}
  for i, part in ipairs(parts) do
    local request, message, err = embed.request(client, part, inputs, model, part_options(opts, i))
    if not request then return nil, message, err end
    requests[i] = request
  end
  return requests
end

local function first_vector(body)
  local vectors = result.read({}, "embed", body or {}).vectors
  return vectors and vectors[1]
end

-- Put the vectors of one purchase where they belong. Returns the reasons of those that are missing.
local function take_vectors(part, answer, vectors)
  local wrong = {}
  if part.single then
    vectors[part.first] = first_vector(answer.body)
  else
    local results = json.get(answer.body, "results")
    for i, item in ipairs(type(results) == "table" and results or {}) do
      local index = part.first + (compat.integer(json.get(item, "job_index")) or i - 1)
      if index >= part.first and index <= part.last then
        vectors[index] = first_vector(json.get(item, "result"))
        wrong[index] = errors.foreign(json.get(item, "error"))
      end
    end
  end
  for i = part.first, part.last do
    wrong[i] = not vectors[i] and (wrong[i] or "the answer holds no vector for it") or nil
  end
  return wrong
end

-- What became of the money when some parts failed: paid word and amount.
local function joined_money(failures, total, payments)
  local paid, open, seen = nil, nil, {}
  for _, payment in ipairs(payments) do
    local word = payment.amount and call.paid_word(payment)
    if word == "yes" then paid = money.add(paid, (money.atomic(payment.amount))) end
    if word == "maybe" then open = money.add(open, (money.atomic(payment.amount))) end
  end
  for i = 1, total do
    local err = failures[i]
    if err and not seen[err] and not err.counted then
      seen[err] = true
      local amount = err.amount and money.atomic(err.amount)
      if err.paid == "yes" then paid = money.add(paid, amount) end
      if err.paid == "maybe" then open = money.add(open, amount or "0") end
    end
  end
  local both = money.add(paid, open)
  return open and "maybe" or paid and "yes" or "no", both and money.format(both) or nil
end

-- One error for a list of which some inputs failed.
local function joined_error(total, vectors, failures, payments)
  local failed, first, lost, results = 0, nil, false, {}
  for i = 1, total do
    results[i] = vectors[i] or false
    if failures[i] then
      failed, first = failed + 1, first or failures[i]
      lost = lost or failures[i].code == "paid_lost" or failures[i].counted
    end
  end
  local paid, amount = joined_money(failures, total, payments)
  local hint = first.hint
  if lost then
    hint = "What was delivered is in err.results; { again = true } buys the whole list anew"
  elseif paid ~= "no" then
    hint = "Make the same call again: what was paid for is restored, and only the rest is bought"
  end
  return errors.fail {
    kind = first.kind, code = first.code, status = first.status, errors = failures, results = results,
    message = ("%d of %d inputs got no vector; the first: %s"):format(failed, total, tostring(first.message)),
    paid = paid, amount = amount, until_ = first.until_, expect = first.expect,
    retry_after = first.retry_after,
    purchase = first.purchase, hint = hint,
  }
end

--- One vector per input of a list. `opts` are checked. Returns a result, or nil, message, err.
function embed.list(client, given, opts)
  local body, message, err = args.job("embed", given, "client:embed",
    { kind = "embeddings", unchecked = opts.unchecked, many = true })
  if not body then return nil, message, err end
  local inputs = body.input
  local parts = embed.plan(client, inputs, body.model)
  local requests
  requests, message, err = requests_of(client, parts, inputs, body.model, opts)
  if not requests then return nil, message, err end

  local vectors, failures, payments, handles, bodies = {}, {}, {}, {}, {}
  local _, ended = task.map(parts, { limit = PARALLEL }, function(part, index)
    local answer, handle, failure = ask.json(client, requests[index])
    if not answer then
      for i = part.first, part.last do failures[i] = failure end
      return true
    end
    payments[#payments + 1], handles[#handles + 1], bodies[index] = answer.payment, handle, answer.body
    for i, why in pairs(take_vectors(part, answer, vectors)) do
      failures[i] = errors.new { kind = "gateway", code = "failed", message = ("input %d: %s"):format(i, why),
        paid = call.paid_word(answer.payment), amount = answer.payment.amount,
        purchase = answer.payment.purchase, counted = true }
    end
    return true
  end)
  for index, failure in pairs(ended) do   -- cancelled before it could say anything
    for i = parts[index].first, parts[index].last do failures[i] = failures[i] or failure end
  end
  if next(failures) then
    for _, handle in ipairs(handles) do handle:close() end   -- not taken: the next equal call restores them
    return joined_error(#inputs, vectors, failures, payments)
  end
  for _, handle in ipairs(handles) do call.hand_over(handle) end
  return result.new { client = client, body = bodies, vectors = vectors, payment = call.joined(payments) }
end

return embed
