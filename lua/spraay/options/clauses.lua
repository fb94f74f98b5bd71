-- SPDX-License-Identifier: MIT
--- Small questions about a value, which more than one option asks.
local compat = require "spraay.compat"

local clauses = {}

--- A text that is not empty and holds no control character?
function clauses.is_text(value)
  return type(value) == "string" and value ~= "" and not value:find("[%z\1-\31\127]")
end

--- Such a text of at most 128 bytes: a name?
function clauses.is_name(value)
  return clauses.is_text(value) and #value <= 128
end

--- Seconds as milliseconds; nil when the value is no number above 0 and up to `most`.
function clauses.seconds_ms(value, most)
  if type(value) ~= "number" or value ~= value or value <= 0 or value > most then return nil end
  return math.ceil(value * 1000)
end

--- The value as a list; one value of the type `one` is a list of one. nil when it is neither.
function clauses.list_of(value, one)
  if type(value) == one then return { value } end
  if type(value) ~= "table" then return nil end
  for key in pairs(value) do
    if not compat.integer(key) or key < 1 or key > #value then return nil end
  end
  return value
end

return clauses
