-- SPDX-License-Identifier: MIT
--- Errors as values. Whatever fails returns nil, a sentence, and one of these tables:
--   { kind=, code=, message=, hint=, status=, paid=, expect=, until_=, amount=, purchase=, results=,
--     retry_after= }
-- The sentence says three things in this order: what happened, what became of the money,
-- and what to do next. `paid` is "no", "yes" or "maybe" and is always there.
local errors = {}

--- The words of `kind`; a program branches on these.
errors.kinds = {
  usage = true, policy = true, budget = true, wallet = true, connection = true, timeout = true,
  payment = true, gateway = true, ledger = true, cancelled = true,
}

--- The longest piece of somebody else's text that a sentence carries.
local FOREIGN_MAX = 300

local mt = { __name = "spraay.error" }

-- End a piece of prose with exactly one full stop.
local function stopped(text)
  if text:match("[%.!?]$") or text:match('[%.!?]["\']$') then return text end
  return text .. "."
end

local function clock_of(seconds)
  if type(seconds) ~= "number" then return nil end
  return os.date("!%H:%M:%S", math.floor(seconds)) .. " UTC"
end

-- What became of the money, as a sentence.
local function money_of(err)
  local amount = err.amount and tostring(err.amount) .. " USDC" or nil
  if err.paid == "no" then return "Nothing was paid." end
  if err.paid == "yes" then
    return (amount or "The price") .. " was paid."
  end
  local words = (amount or "The price") .. " may have been paid"
  local until_ = clock_of(err.until_)
  if until_ then words = words .. " (open until " .. until_ .. ")" end
  if err.expect == "no" then return words .. "; most likely it was not." end
  if err.expect == "yes" then return words .. "; most likely it was." end
  return words .. "."
end

--- The whole sentence: what happened, the money, what to do.
function errors.sentence(err)
  local parts = { stopped(tostring(err.message or "something went wrong")), money_of(err) }
  if err.hint and err.hint ~= "" then
    local hint = stopped(tostring(err.hint))
    if not hint:match("^https?:") then hint = hint:gsub("^%l", string.upper) end
    parts[#parts + 1] = hint
  end
  return table.concat(parts, " ")
end

mt.__tostring = errors.sentence

-- `"text: " .. err` reads well in a script.
mt.__concat = function(a, b) return tostring(a) .. tostring(b) end

--- Make an error value. `paid` defaults to "no": only who sent an authorization says otherwise.
function errors.new(fields)
  fields.paid = fields.paid or "no"
  fields.kind = errors.kinds[fields.kind] and fields.kind or "gateway"
  return setmetatable(fields, mt)
end

--- Is this value one of ours?
function errors.is(value)
  return type(value) == "table" and getmetatable(value) == mt
end

--- nil, sentence, err: the three values every failing function returns.
function errors.fail(fields)
  local err = errors.is(fields) and fields or errors.new(fields)
  return nil, errors.sentence(err), err
end

--- nil, sentence, err for a call that was made wrongly; nothing left the machine.
function errors.usage(message, hint, code)
  return errors.fail { kind = "usage", code = code or "argument", message = message, hint = hint }
end

--- Somebody else's text, made safe to show: no control characters, bounded, quoted.
function errors.foreign(text, max)
  if type(text) ~= "string" then return nil end
  max = max or FOREIGN_MAX
  text = text:gsub("[%z\1-\31\127]+", " "):gsub("^%s+", ""):gsub("%s+$", "")
  -- C1 controls in UTF-8, and what reorders text on a screen (U+202A..E, U+2066..9)
  text = text:gsub("\194[\128-\159]", " "):gsub("\226\128[\170-\174]", " "):gsub("\226\129[\166-\169]", " ")
  if #text > max then
    text = text:sub(1, max)
    text = text:gsub("[\128-\191]*$", ""):gsub("[\194-\244]$", "") .. "…"
  end
  if text == "" then return nil end
  return text
end

-- Optimal string alignment distance; two typos swapped ("lenght") count as one.
local function distance(a, b)
  local rows = { [0] = {} }
  for j = 0, #b do rows[0][j] = j end
  for i = 1, #a do
    rows[i] = { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + cost)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        best = math.min(best, rows[i - 2][j - 2] + 1)
      end
      rows[i][j] = best
    end
  end
  return rows[#a][#b]
end

--- The known name nearest to what was written, or nil when none is near.
function errors.nearest(name, known)
  if type(name) ~= "string" or #name > 80 then return nil end
  local wanted, best, best_distance = name:lower(), nil, nil
  for _, candidate in ipairs(known) do
    local near = distance(wanted, candidate:lower())
    if candidate:lower():gsub("[_%-]", "") == wanted:gsub("[_%-]", "") then near = 0 end
    if not best_distance or near < best_distance then best, best_distance = candidate, near end
  end
  if best and best_distance <= math.max(1, math.floor(#wanted / 3)) then return best end
  return nil
end

--- "a, b and c" from a list.
function errors.list(names, word)
  local n = #names
  if n < 2 then return names[1] or "" end
  return table.concat(names, ", ", 1, n - 1) .. " " .. (word or "and") .. " " .. names[n]
end

--- A value as a sentence shows it: a text quoted and bounded, a number as it is, else its type.
function errors.show(value)
  if type(value) == "string" then return '"' .. (errors.foreign(value, 60) or "") .. '"' end
  if type(value) == "number" or type(value) == "boolean" then return tostring(value) end
  return "a " .. type(value)
end

--- "Did you mean …?" for a name near a known one, else `otherwise`.
function errors.meant(name, known, otherwise)
  local near = errors.nearest(name, known)
  return near and ('Did you mean "%s"?'):format(near) or otherwise
end

--- nil, sentence, err for a name that is not known: "client:chat: unknown field "mesages"".
-- thing is "field" or "option".
function errors.unknown(where, thing, name, known, otherwise)
  return errors.usage(("%s: unknown %s %s"):format(where, thing, errors.show(name)),
    errors.meant(name, known, otherwise), thing == "option" and "option" or "argument")
end

--- The keys of a table that are not in a list of known names: the first, or nil.
function errors.stranger(given, known)
  local set = {}
  for _, name in ipairs(known) do set[name] = true end
  for key in pairs(given) do
    if not set[key] then return key, true end
  end
  return nil, false
end

return errors
