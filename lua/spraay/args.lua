-- SPDX-License-Identifier: MIT
--- Arguments of the verbs. The gateway validates only behind its paywall, so everything it would
-- refuse is refused here, before anything is sent. What is left out is written out with the
-- gateway's default: the body that is hashed says everything it means.
local compat = require "spraay.compat"
local errors = require "spraay.errors"
local models = require "spraay.models"

local args = {}

-- A field checker gets the value and returns it as it goes into the body, or nil and a clause.
local as = {}

local shown = errors.show

function as.text(value)
  if type(value) ~= "string" then return nil, "must be a text, not " .. shown(value) end
  if not value:find("%S") then return nil, "is empty" end
  return value
end

function as.word(value)
  if type(value) ~= "string" or value == "" or #value > 200 or value:find("[%z\1-\31\127]") then
    return nil, "must be a short text"
  end
  return value
end

function as.count(value)
  local n = compat.integer(value)
  if not n or n < 1 then return nil, ("must be a whole number from 1 on, not %s"):format(shown(value)) end
  if n > 1000000 then return nil, ("is %s, far more than any model takes"):format(compat.integer_text(n)) end
  return n
end

function as.seconds(value)
  if type(value) ~= "number" or value ~= value or value <= 0 or value > 3600 then
    return nil, "must be seconds, a number above 0"
  end
  return compat.integer(value) or value
end

function as.temperature(value)
  if type(value) ~= "number" or value ~= value or value < 0 or value > 2 then
    return nil, "must be a number from 0 to 2"
  end
  return compat.integer(value) or value
end

function as.url(value)
  if type(value) ~= "string" or not value:match("^[hH][tT][tT][pP][sS]?://[^%s%c/]+%S*$")
    or value:find("[%c%s]") then
    return nil, "must be an http or https URL",
      "The gateway takes audio by link only: put the file where it can be fetched"
  end
  return value
end

function as.object(value)
  if type(value) ~= "table" then return nil, "must be a table of the model's inputs" end
  return value
end

function as.messages(value)
  if type(value) == "string" then
    local text, why = as.text(value)
    if not text then return nil, why end
    return { { role = "user", content = text } }
  end
  if type(value) ~= "table" or #value == 0 then
    return nil, "must be a list of { role=, content= } that is not empty",
      type(value) == "table" and value.role
        and "Put the message into a list: messages = { { role=…, content=… } }" or nil
  end
  for key, message in pairs(value) do
    if not compat.integer(key) or key < 1 or key > #value then
      return nil, "must be a list of { role=, content= }"
    end
    if type(message) ~= "table" or type(message.role) ~= "string" or message.role == "" then
      return nil, ("[%d] must be { role=, content= } with a role such as \"user\""):format(key)
    end
    local content = message.content
    if content == nil and message.tool_calls == nil then return nil, ("[%d] has no content"):format(key) end
    if content ~= nil and type(content) ~= "string" and type(content) ~= "table" then
      return nil, ("[%d].content must be a text"):format(key)
    end
  end
  return value
end

-- One text, or with `many` a list of them.
function as.input(value)
  if type(value) == "table" then
    return nil, "must be one text", "client:embed takes a list and gives a vector for each text"
  end
  return as.text(value)
end

function as.inputs(value)
  if type(value) ~= "table" then return as.text(value) end
  if #value == 0 then return nil, "is an empty list" end
  for key, item in pairs(value) do
    if not compat.integer(key) or key < 1 or key > #value then return nil, "must be a list of texts" end
    local _, why = as.text(item)
    if why then return nil, ("[%d] %s"):format(key, why) end
  end
  return value
end

--- Fields of each kind of job, in the gateway's words: { check, required=, default= }. `hints` answer
-- to names people try; a hint of a known field is for a value only one route cannot take.
args.jobs = {
  chat = {
    fields = {
      messages = { as.messages, required = true },
      max_tokens = { as.count, default = 1024 },
      temperature = { as.temperature, default = 0.7 },
    },
    hints = {
      prompt = "Pass one prompt as a text, client:chat \"…\", or put it into messages",
      stream = "The gateway cannot stream: it answers once, when the text is complete",
      system = "Put it first in messages: { role = \"system\", content = … }",
      top_p = "The gateway drops it silently", tools = "The gateway drops it silently",
      stop = "The gateway drops it silently", response_format = "The gateway drops it silently",
    },
  },
  image = {
    fields = {
      prompt = { as.text, required = true },
      width = { as.count, default = 1024 },
      height = { as.count, default = 1024 },
      num_outputs = { as.count, default = 1 },
    },
    hints = { n = "Say num_outputs", size = "Say width and height",
      seed = "The gateway does not pass it on" },
  },
  video = {
    fields = {
      prompt = { as.text, required = true },
      duration_seconds = { as.seconds, default = 4 },
    },
    hints = { duration = "Say duration_seconds", seconds = "Say duration_seconds" },
  },
  speak = {
    fields = {
      text = { as.text, required = true },
      language = { as.word, default = "en" },
    },
    hints = { voice = "The gateway has no choice of voice", input = "Say text", prompt = "Say text" },
  },
  transcribe = {
    fields = { audio_url = { as.url, required = true } },
    hints = { audio = "The gateway reads audio_url only", url = "Say audio_url",
      file = "The gateway reads audio_url only",
      language = "The gateway does not read it; the model finds the language itself" },
  },
  embed = {
    fields = { input = { as.input, required = true } },
    hints = { text = "Say input", texts = "Say input", prompt = "Say input" },
  },
}

-- What a batch does differently.
local BATCH = {
  max_tokens = 512,
  refuses = {
    temperature = { 0.7, "A batch always uses 0.7: leave it out" },
    num_outputs = { 1, "A batch makes one image per job: list the job twice" },
  },
}

local function field_names(spec)
  local names = { "model" }
  for name in pairs(spec.fields) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function unknown(spec, where, key)
  if type(key) ~= "string" then
    return errors.usage(("%s: expected named fields, such as %s ="):format(where, field_names(spec)[1]),
      nil, "argument")
  end
  local names, hint = field_names(spec), spec.hints[key]
  if hint then return errors.usage(("%s: unknown field %s"):format(where, shown(key)), hint, "argument") end
  return errors.unknown(where, "field", key, names, "Its fields are " .. errors.list(names))
end

--- Check the arguments of a job and write its body out.
--   verb    "chat", "image", …          where   what an error calls it
--   given   the caller's table          how     { kind=, unchecked=, batch=, many=, skip= (names not ours) }
-- Returns the body, or nil, message, err.
function args.job(verb, given, where, how)
  local spec = args.jobs[verb]
  if type(given) ~= "table" then
    return errors.usage(("%s: expected a table, got %s"):format(where, type(given)), nil, "argument")
  end
  local body = {}
  for key, value in pairs(given) do
    if key == "stream" and verb == "chat" and value == false then   -- what the gateway does anyway
      body.stream = nil
    elseif key ~= "model" and not spec.fields[key] and not (how.skip and how.skip[key]) then
      return unknown(spec, where, key)
    end
  end
  local names = {}
  for name in pairs(spec.fields) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local field, value = spec.fields[name], given[name]
    local refused = how.batch and BATCH.refuses[name]
    if refused then
      if value ~= nil and value ~= refused[1] then
        return errors.usage(("%s: a batch ignores %s"):format(where, name), refused[2], "argument")
      end
    elseif value == nil and field.required then
      return errors.usage(("%s: %s is required"):format(where, name), nil, "argument")
    elseif value == nil then
      body[name] = how.batch and BATCH[name] or field.default
    else
      local check = how.many and name == "input" and as.inputs or field[1]
      local checked, why, hint = check(value)
      if checked == nil then return errors.usage(("%s: %s %s"):format(where, name, why), hint, "argument") end
      body[name] = checked
    end
  end
  body.model = given.model == nil and "auto" or given.model
  if how.unchecked then
    if type(body.model) ~= "string" or body.model == "" then
      return errors.usage(where .. ": model must be a name", nil, "argument")
    end
  else
    local ok, why, hint = models.check(how.kind, body.model)
    if not ok then return errors.usage(("%s: %s"):format(where, why), hint, "model") end
  end
  return body
end

local GPU = { "model", "input", "version", "webhook" }
args.gpu_fields = GPU

--- The body of client:gpu.
function args.gpu(given, unchecked)
  local where = "client:gpu"
  if type(given) ~= "table" then
    return errors.usage(where .. ": expected { model=, input= }", nil, "argument")
  end
  local key, strange = errors.stranger(given, GPU)
  if strange then return errors.unknown(where, "field", key, GPU, "What the model takes goes into input") end
  local ok, why, hint
  if unchecked then
    ok, why = type(given.model) == "string" and given.model ~= "", "model must be a name"
  else
    ok, why, hint = models.check_gpu(given.model)
  end
  if not ok then return errors.usage(("%s: %s"):format(where, why), hint, "model") end
  if type(given.input) ~= "table" then
    return errors.usage(where .. ": input is required, a table of what the model takes", nil, "argument")
  end
  local body = { model = given.model, input = given.input }
  if given.version ~= nil then
    local version, clause = as.word(given.version)
    if not version then return errors.usage(where .. ": version " .. clause, nil, "argument") end
    body.version = version
  end
  if given.webhook ~= nil then
    local webhook, clause = as.url(given.webhook)
    if not webhook then return errors.usage(where .. ": webhook " .. clause, nil, "argument") end
    body.webhook = webhook
  end
  return body
end

return args
