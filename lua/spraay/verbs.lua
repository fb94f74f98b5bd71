-- SPDX-License-Identifier: MIT
--- The verbs of a client. Each checks its arguments, writes the canonical body, makes the call and
-- shapes the answer. A verb never raises: it returns nil, message, err (see client.lua for "raise").
local args = require "spraay.args"
local ask = require "spraay.ask"
local batch = require "spraay.batch"
local call = require "spraay.call"
local compat = require "spraay.compat"
local core = require "spraay.core"
local embed = require "spraay.embed"
local errors = require "spraay.errors"
local jobs = require "spraay.jobs"
local json = require "spraay.json"
local media = require "spraay.media"
local models = require "spraay.models"
local money = require "spraay.money"
local options = require "spraay.options"
local result = require "spraay.result"
local routes = require "spraay.routes"
local stream = require "spraay.stream"

local verbs = {}

-- ---- preparing: verb -> function(client, given, opts) -> request, or nil, message, err ----------

local prepare = {}

--- The field that a verb's plain text stands for: client:chat "…" is its messages.
verbs.text_field = { chat = "messages", image = "prompt", video = "prompt", speak = "text",
  transcribe = "audio_url", embed = "input" }

for name, field in pairs(verbs.text_field) do
  prepare[name] = function(client, given, opts)
    if type(given) == "string" then given = { [field] = given } end
    local body, message, err = args.job(name, given, "client:" .. name,
      { kind = routes.table[name].kind, unchecked = opts.unchecked })
    if not body then return nil, message, err end
    return ask.request(client, name, body, opts)
  end
end

prepare.gpu = function(client, given, opts)
  local body, message, err = args.gpu(given, opts.unchecked)
  if not body then return nil, message, err end
  return ask.request(client, "gpu", body, opts)
end

prepare.batch = batch.request

for _, name in ipairs { "status", "gpu_status" } do
  prepare[name] = function(client, id, opts)
    if not jobs.valid_id(id) then
      return errors.usage(("client:%s: expected the id of a job, a short word"):format(name), nil, "argument")
    end
    return ask.request(client, name, nil, opts, id)
  end
end

local TYPES = { "chat", "image", "video", "speak", "transcribe", "embed" }
local ESTIMATE = { "type", "model", "count" }
verbs.estimate_fields = ESTIMATE

prepare.estimate = function(client, given, opts)
  local where = "client:estimate"
  if type(given) ~= "table" then
    return errors.usage(where .. ": expected { type=, model=, count= }", nil, "argument")
  end
  local key, strange = errors.stranger(given, ESTIMATE)
  if strange then
    return errors.unknown(where, "field", key, ESTIMATE, "Its fields are " .. errors.list(ESTIMATE))
  end
  local verb = routes.kinds[given.type or false]
  if not verb then
    return errors.usage(("%s: type must be a kind of job, not %s"):format(where, errors.show(given.type)),
      errors.meant(given.type, TYPES, "Types are " .. errors.list(TYPES)), "argument")
  end
  local kind = routes.table[verb].kind
  if given.model ~= nil and not opts.unchecked then
    local ok, why, hint = models.check(kind, given.model)
    if not ok then return errors.usage(("%s: %s"):format(where, why), hint, "model") end
  end
  local count = given.count == nil and 1 or compat.integer(given.count)
  if not count or count < 1 or count > 1000 then
    return errors.usage(where .. ": count must be a whole number from 1 to 1000", nil, "argument")
  end
  return ask.request(client, "estimate", { type = kind, model = given.model or "auto", count = count }, opts)
end

for _, name in ipairs { "models", "gpu_models", "discover", "health" } do
  prepare[name] = function(client, _, opts) return ask.request(client, name, nil, opts) end
end

-- ---- asking -----------------------------------------------------------------------------------

-- What each verb makes of its answer: value, or nil, message, err (the answer is then not taken, so an
-- equal call gets it again unpaid).
local shape = {}

for _, name in ipairs { "chat", "image", "video", "speak", "transcribe", "embed" } do
  shape[name] = function(client, answer) return ask.shape(client, name, answer) end
end

shape.gpu = function(client, answer)
  local status = jobs.status(json.get(answer.body, "status"))
  if status ~= "failed" and status ~= "canceled" then return ask.shape(client, "gpu", answer) end
  local err = jobs.failed_error(jobs.new { client = client, kind = "gpu", id = json.get(answer.body, "id"),
    body = answer.body, payment = answer.payment })
  err.hint = "The same call gives this answer again without paying; { again = true } buys another try"
  return errors.fail(err)
end

shape.batch = function(client, answer, request) return batch.result(client, request, answer) end

local function shape_status(client, answer, _, id)
  local raw = json.get(answer.body, "status")
  return result.new { client = client, kind_ = "output", body = answer.body, payment = answer.payment,
    id = id, status = jobs.status(raw), raw_status = raw }
end
shape.status, shape.gpu_status = shape_status, shape_status

local function shape_plain(client, answer)
  return result.new { client = client, body = answer.body, payment = answer.payment }
end
for _, name in ipairs { "estimate", "models", "gpu_models", "discover", "health" } do
  shape[name] = shape_plain
end

local function perform(client, name, given, opts)
  local checked, message, err = options.per_call(opts, "client:" .. name)
  if not checked then return nil, message, err end
  local request
  request, message, err = prepare[name](client, given, checked)
  if not request then return nil, message, err end
  local answer, handle
  answer, handle, err = ask.json(client, request)
  if not answer then return nil, handle, err end
  local value
  value, message, err = shape[name](client, answer, request, given)
  if value == nil then
    handle:close()
    return nil, message, err
  end
  media.keep(client, value, checked, answer.payment.purchase)
  call.hand_over(handle)
  return value
end

for name in pairs(prepare) do
  verbs[name] = function(client, given, opts) return perform(client, name, given, opts) end
end

-- Verbs without arguments take their options first.
for _, name in ipairs { "models", "gpu_models", "discover", "health" } do
  verbs[name] = function(client, opts) return perform(client, name, nil, opts) end
end

-- client:embed { "a", "b" } means client:embed { input = { "a", "b" } }.
local function embed_arguments(given)
  if type(given) ~= "table" or given.input ~= nil or #given == 0 then return given end
  local input, rest = {}, {}
  for key, value in pairs(given) do
    if type(key) == "number" then input[key] = value else rest[key] = value end
  end
  rest.input = input
  return rest
end

verbs.embed_arguments = embed_arguments

--- One vector per input: a text gives one, a list one each, bought the cheaper way.
function verbs.embed(client, given, opts)
  given = embed_arguments(given)
  if type(given) ~= "table" or type(given.input) ~= "table" then
    return perform(client, "embed", given, opts)
  end
  local checked, message, err = options.per_call(opts, "client:embed")
  if not checked then return nil, message, err end
  return embed.list(client, given, checked)
end

-- ---- anything else -------------------------------------------------------------------------------

local NOT_FOR_SALE = { HEAD = true, OPTIONS = true, CONNECT = true, TRACE = true }

--- The URL of a path or URL, and its path when it is our gateway's; nil and a clause when it is neither.
function verbs.target(client, target)
  if type(target) ~= "string" or target:find("[%z\1-\32\127]") then
    return nil, "expected a path or a URL without spaces"
  end
  local ours, url = client.config.gateway, target
  if target:sub(1, 1) == "/" and target:sub(2, 2) ~= "/" then
    url = ours .. target
  elseif not target:match("^https?://[^/?#]") then
    return nil, "expected a path that begins with \"/\", or an http(s) URL"
  end
  if url:find("#", 1, true) then return nil, "a URL has no fragment here" end
  if url == ours then url = url .. "/" end
  if url:sub(1, #ours) == ours and url:sub(#ours + 1, #ours + 1):match("[/?]") then
    return url, url:sub(#ours + 1)
  end
  return url, nil
end

--- A body as text: tables are written canonically. nil, and a clause, when it has no JSON form.
function verbs.body_text(body)
  if body == nil or type(body) == "string" then return body end
  if type(body) ~= "table" then return nil, "the body must be a table or a string" end
  local text, why = json.encode(body)
  if text then return text end
  return nil, "the body has no JSON form: " .. tostring(why)
end

-- The name under which a URL is bought once: the same whatever the body, the run and the scope.
local function once_name(method, url)
  return "once " .. core.hex_encode(core.sha256(method .. " " .. (core.url_resolve(url, "") or url)))
end

-- { once = true }: one settled payment for this method and URL, as long as the ledger remembers it.
local function buy_once(opts, method, url)
  for _, other in ipairs { "purchase", "again" } do
    if opts[other] then return nil, "once and " .. other .. " exclude each other" end
  end
  local out = {}
  for key, value in pairs(opts) do out[key] = value end
  out.once, out.purchase, out.by_url = nil, once_name(method, url), true
  return out
end

--- The request of client:request and of sessions, or nil, message, err.
function verbs.any_request(client, where, method, target, body, opts)
  local function refuse(why) return errors.usage(("%s: %s"):format(where, why), nil, "argument") end
  if type(method) ~= "string" or not method:match("^%u+$") then
    return refuse("the method must be a word such as \"POST\"")
  end
  if NOT_FOR_SALE[method] then return refuse(method .. " is not a method one pays for") end
  local url, path = verbs.target(client, target)
  if not url then return refuse(path) end
  local text, why = verbs.body_text(body)
  if why then return refuse(why) end
  if text and method == "GET" then return refuse("a GET has no body") end
  local kind = opts.content_type
  if kind ~= nil and (type(kind) ~= "string" or kind:find("%c")) then
    return refuse("content_type must be a text")
  end
  if opts.once then
    opts, why = buy_once(opts, method, url)
    if not opts then return refuse(why) end
  end
  local route = path and routes.find(method, path)
  return {
    method = method, url = url, body = text, content_type = kind, route = route,
    model = type(body) == "table" and type(body.model) == "string" and body.model or nil,
    class = route and route.class or "once",
    price = route and call.price(client, route) or nil, slots = route and route.slots or 30, opts = opts,
  }
end

local REQUEST_OPTIONS = { content_type = true, stream = true }

-- The result of { stream = true }: its body is read from it.
local function streamed(client, request, answer, handle)
  local source = answer.coming and stream.live(client, request, handle, answer.coming)
    or stream.whole(answer.text)
  local value = result.new { client = client, stream = source, payment = answer.payment,
    http = { status = answer.status, headers = answer.headers } }
  if not answer.coming then call.hand_over(handle) end
  return value
end

--- Any request to anything that speaks x402, under the same policy. Returns a result whose body is
-- decoded when it is JSON; result.http has the status and the headers. With { stream = true } the result comes
-- with the answer's head, and result:events() or result:read() give its body as it comes.
function verbs.request(client, method, target, body, opts)
  local checked, message, err = options.per_call(opts, "client:request", REQUEST_OPTIONS)
  if not checked then return nil, message, err end
  if checked.stream ~= nil and type(checked.stream) ~= "boolean" then
    return errors.usage("client:request: stream must be true or false", nil, "option")
  end
  local request
  request, message, err = verbs.any_request(client, "client:request", method, target, body, checked)
  if not request then return nil, message, err end
  request.verb = "request"
  local answer, handle
  answer, handle, err = call.perform(client, request)
  if not answer then return nil, handle, err end
  if checked.stream then return streamed(client, request, answer, handle) end
  local value = result.new { client = client, kind_ = "any", body = answer.body, payment = answer.payment,
    http = { status = answer.status, headers = answer.headers } }
  if request.route then media.keep(client, value, request.opts, answer.payment.purchase) end
  call.hand_over(handle)
  return value
end

-- ---- quotes ----------------------------------------------------------------------------------------

local QUOTABLE = {}
for name in pairs(prepare) do QUOTABLE[#QUOTABLE + 1] = name end
table.sort(QUOTABLE)

local function quote_terms(client, request)
  request.pay = false
  local answer, handle, err = call.perform(client, request)
  if not answer then return nil, handle, err end
  call.hand_over(handle)
  local terms = call.readable_terms(answer.terms, request.verb)
  terms.url, terms.method = terms.url or request.url, terms.method or request.method
  if not answer.terms then terms.free, terms.amount, terms.atomic = true, "0.000000", "0" end
  return terms
end

-- A list costs what its parts cost; each kind of part is asked for once.
local function quote_list(client, given, opts)
  local body, message, err = args.job("embed", given, "client:embed",
    { kind = "embeddings", many = true, unchecked = opts.unchecked })
  if not body then return nil, message, err end
  local terms, total, count, known = nil, nil, 0, {}
  for _, part in ipairs(embed.plan(client, body.input, body.model)) do
    local kind = part.single and "one" or "batch"
    if not known[kind] then
      local request
      request, message, err = embed.request(client, part, body.input, body.model, opts)
      if not request then return nil, message, err end
      known[kind], message, err = quote_terms(client, request)
      if not known[kind] then return nil, message, err end
    end
    terms, total, count = terms or known[kind], money.add(total, known[kind].atomic), count + 1
  end
  terms.requests, terms.total = count, money.format(total)
  return terms
end

--- What a call would cost, from the gateway's own challenge: { amount=, network=, pay_to=, … }.
-- Nothing is signed, and no wallet is needed. For a list to embed: `requests` and their `total`.
function verbs.quote(client, verb, given, opts)
  local checked, message, err = options.per_call(opts, "client:quote")
  if not checked then return nil, message, err end
  if not prepare[verb or false] then
    return errors.usage(("client:quote: %s is not the name of a verb"):format(errors.show(verb)),
      errors.meant(verb, QUOTABLE, "Verbs are " .. errors.list(QUOTABLE)), "argument")
  end
  if verb == "embed" then
    given = embed_arguments(given)
    if type(given) == "table" and type(given.input) == "table" then
      return quote_list(client, given, checked)
    end
  end
  local request
  request, message, err = prepare[verb](client, given, checked)
  if not request then return nil, message, err end
  return quote_terms(client, request)
end

--- A job made anew from its id, in this process or another; kind is "video", "image", …
verbs.job = jobs.attach

return verbs
