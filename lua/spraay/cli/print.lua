--- What commands print: aligned tables, CSV (https://www.rfc-editor.org/rfc/rfc4180), JSON and times.
-- SPDX-License-Identifier: MIT
local errors = require "spraay.errors"
local json = require "spraay.json"

local print_ = {}

local trouble   -- why something could not be written

--- A line on the standard output. What goes wrong is kept: `print` would let a full disk pass.
function print_.say(text)
  local ok, why = io.stdout:write(text, "\n")
  if not ok then trouble = trouble or why end
end

--- Is all of it written? true, or nil and why not.
function print_.flush()
  local ok, why = io.stdout:flush()
  if trouble then return nil, trouble end
  return ok, why
end

--- A moment as ISO 8601 UTC; "" for none.
function print_.time(seconds)
  return type(seconds) == "number" and os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(seconds)) or ""
end

--- Any value as one short line that a terminal can be shown.
function print_.text(value)
  if value == nil then return "" end
  return errors.foreign(tostring(value), 200) or ""
end

-- How many columns of a terminal a text takes: characters, not bytes.
local function width(text)
  return select(2, text:gsub("[^\128-\191]", ""))
end

--- Lines of a table. columns: { { title, key, right = true } … }; rows: tables of texts by key.
function print_.lines(columns, rows)
  local widths = {}
  for i, column in ipairs(columns) do
    widths[i] = width(column[1])
    for _, row in ipairs(rows) do widths[i] = math.max(widths[i], width(print_.text(row[column[2]]))) end
  end
  local out = {}
  local function add(cells)
    local padded = {}
    for i, cell in ipairs(cells) do
      local room = (" "):rep(widths[i] - width(cell))
      padded[i] = columns[i].right and room .. cell or cell .. room
    end
    out[#out + 1] = (table.concat(padded, "  "):gsub("%s+$", ""))
  end
  local titles = {}
  for i, column in ipairs(columns) do titles[i] = column[1] end
  add(titles)
  for _, row in ipairs(rows) do
    local cells = {}
    for i, column in ipairs(columns) do cells[i] = print_.text(row[column[2]]) end
    add(cells)
  end
  return out
end

function print_.table(columns, rows)
  print_.say(table.concat(print_.lines(columns, rows), "\n"))
end

local function field(value)
  local text = value == nil and "" or tostring(value)
  if text:find('[",\r\n]') then return '"' .. text:gsub('"', '""') .. '"' end
  return text
end

--- Keys on the first line, then a line a row.
function print_.csv(keys, rows)
  print_.say(table.concat(keys, ","))
  for _, row in ipairs(rows) do
    local fields = {}
    for i, key in ipairs(keys) do fields[i] = field(row[key]) end
    print_.say(table.concat(fields, ","))
  end
end

--- One JSON text; `list`: an empty table is [].
function print_.json(value, list)
  print_.say((assert(json.encode(list and json.array(value) or value))))
end

return print_
