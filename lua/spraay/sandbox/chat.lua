--- A language model of very few words: the same conversation always gets the same answer.
--- It does what scripts need from a stand-in: it takes up the subject, and where a number of
--- things is asked for it answers with exactly that many numbered lines, or a JSON list if asked.
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local js = require "spraay.sandbox.js"
local json = require "spraay.sandbox.json"

local chat = {}

local OPENINGS = {
  "Seen from the shore, %s is mostly patience.", "Every story about %s begins with a small light.",
  "What people remember of %s is the quiet.", "There are two sides to %s, and both are worth a look.",
  "Think of %s as a door that was never locked.", "The short answer about %s is: it depends on the weather.",
}
local MIDDLES = {
  "It takes its time and keeps its promises.", "Those who work with it learn to listen first.",
  "Most of it happens while nobody is watching.", "The details matter more than the plan.",
  "It was built by hands that expected storms.", "A little order turns it into something useful.",
}
local ENDINGS = {
  "That is where I would start.", "The rest follows by itself.", "One step further and it is yours.",
  "Keep it simple and it will keep you.", "Anything beyond that is decoration.",
}
local LINES = {
  "%s at first light, the camera rising slowly", "%s in heavy rain, seen from below",
  "a close view of %s, hands at work", "%s under a wide night sky", "%s as a storm draws near",
  "an old photograph of %s", "%s from the air, small against the sea", "%s in fog, one lamp burning",
  "the silence after %s", "%s in late summer, long shadows", "children running towards %s",
  "%s reflected in still water",
}

local TITLES = { "%s in winter", "What %s knew", "Nights at %s", "%s, remembered", "The keeper of %s" }

local NUMBERS = {}
for i, word in ipairs{ "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
                       "eleven", "twelve" } do
  NUMBERS[word] = i
end
-- "in two sentences", "ten seconds": how long, not how many.
local MEASURES = { second = true, minute = true,
                   words = true, sentences = true, seconds = true, minutes = true, hours = true,
                   tokens = true, paragraphs = true, characters = true }
-- "a 3-scene film of waves": behind these, something else is talked about.
local TURNS = { of = true, about = true, on = true, ["for"] = true, ["in"] = true, with = true, from = true }
-- What there can be one of; plurals need no list.
local SINGLE = { scene = true, idea = true, line = true, caption = true, prompt = true, shot = true,
                 question = true, item = true, name = true }
local COMMON = {}
for word in ([[about above after again also another answer because before being between could describe
  during each exactly every final first following from give have into just lines list make more most numbered
  only other over please prompt prompts reply scene scenes sentence sentences shall short should
  some something story tell than that their them then there these they thing things this those through
  three under until very want what when where which while with words would write your image images video
  json array strings camera shots shot film films movie captions caption titles title questions
  one two four five seven eight nine eleven twelve second seconds exactly vivid please three-line
  idea ideas item items list lists]]):gmatch("[%a-]+") do
  COMMON[word] = true
end

local function pick(seed, at, list) return list[seed:byte(at) % #list + 1] end

-- The longest word that is not one of the usual ones; the first of equals.
local function subject(prompt)
  local best
  for word in prompt:gmatch("%a[%a'-]+") do
    if #word > 3 and not COMMON[word:lower()] and (not best or #word > #best) then best = word end
  end
  return best and "the " .. best:lower() or "it"
end

-- Does this word, soon after a number, name what is to be counted?
local function counted(noun, n)
  if n == 1 then return SINGLE[noun] end
  return noun:find("%as$") and not noun:find("ss$")
end

-- "3 scenes", "a list of five ideas", "exactly 4 numbered lines", "three very short titles": how many
-- things are wanted? The first number counts that has a plural among the four words behind it.
local function wanted(prompt)
  local text = prompt:lower()
  for number, rest in text:gmatch("%f[%w](%w+)()") do
    local n = NUMBERS[number] or tonumber(number:match("^%d+$"))
    if n and n >= 1 and n <= 50 then
      local words = { text:match("^[ %-]+(%a+)[ ,%-]*(%a*)[ ,%-]*(%a*)[ ,%-]*(%a*)", rest) }
      for i, noun in ipairs(words) do
        if MEASURES[noun] or NUMBERS[noun] or TURNS[noun] then break end
        if counted(noun, n) and (n > 1 or i == 1) then return math.tointeger(n) end
      end
    end
  end
  if text:find("a list", 1, true) or text:find("bullet", 1, true) or text:find("json array", 1, true) then
    return 5
  end
end

local function compose(prompt)
  local seed = crypto.keccak(prompt)
  local about, count = subject(prompt), wanted(prompt)
  if count then
    local lines = json.array()
    for i = 1, count do
      local line = LINES[(seed:byte(1) + i * 5) % #LINES + 1]:format(about)
      lines[i] = line:gsub("^%l", string.upper) .. (i > #LINES and (", take %d"):format(i) or "")
    end
    if prompt:find("JSON", 1, true) then return json.encode(lines) end
    for i = 1, count do lines[i] = ("%d. %s"):format(i, lines[i]) end
    return table.concat(lines, "\n")
  end
  if prompt:find("JSON", 1, true) then
    return json.encode{ answer = pick(seed, 2, MIDDLES), subject = about }
  end
  if prompt:lower():find("%f[%a]title%f[%A]") then      -- "give it a title"
    return (pick(seed, 4, TITLES):format(about):gsub("^%l", string.upper))
  end
  return table.concat({ pick(seed, 1, OPENINGS):format(about), pick(seed, 2, MIDDLES),
                        pick(seed, 3, ENDINGS) }, " ")
end

-- The text of one message: a string, or a list of parts.
local function content_of(message)
  local content = type(message) == "table" and message.content
  if type(content) == "table" then
    local parts = {}
    for _, part in ipairs(content) do
      if type(part) == "table" and type(part.text) == "string" then parts[#parts + 1] = part.text end
    end
    return table.concat(parts, " ")
  end
  return js.truthy(content) and js.string(content) or ""
end

--- Everything the caller said, and the last thing said.
---@return string all
---@return string last
function chat.said(messages)
  local all, last = {}, ""
  for i, message in ipairs(messages) do
    all[i] = content_of(message)
    if type(message) == "table" and message.role == "user" then last = all[i] end
  end
  if last == "" then last = all[#all] or "" end
  return table.concat(all, "\n"), last
end

local function tokens(text) return (#text + 3) // 4 end

--- Answer a conversation in OpenAI's shape.
---@param messages table
---@param max_tokens number
---@return table choices
---@return table usage
function chat.complete(messages, max_tokens)
  local all, last = chat.said(messages)
  local text, finish = compose(last), "stop"
  if tokens(text) > max_tokens then
    text = text:sub(1, math.max(1, math.floor(max_tokens) * 4))
    finish = "length"
  end
  local before, after = tokens(all), tokens(text)
  local message = { role = "assistant", content = text }
  return json.array{ { index = 0, finish_reason = finish, message = message } },
    { prompt_tokens = before, completion_tokens = after, total_tokens = before + after }
end

return chat
