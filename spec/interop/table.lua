--- Prints who met whom: `table.lua ROWS`, a line of JSON for each meeting.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"

local rows, order, reasons = {}, {}, {}
for line in io.lines(arg[1]) do
  local row = cjson.decode(line)
  if row.pending then
    reasons[row.pending] = (reasons[row.pending] or 0) + 1
    goto continue
  end
  local name = ("%-14s %-22s %-14s V%d"):format(row.client, row.server, row.network, row.version)
  if not rows[name] then
    rows[name] = { paid = 0, missing = nil }
    order[#order + 1] = name
  end
  if row.ok then rows[name].paid = rows[name].paid + (row.count or 1) end
  if row.missing then rows[name].missing = row.missing end
  ::continue::
end
table.sort(order)
print()
print(("        %-14s %-22s %-14s %-7s %s"):format("client", "server", "network", "version", "paid calls"))
for _, name in ipairs(order) do
  local row = rows[name]
  print(("        %s      %s"):format(name, row.missing and "not run: " .. row.missing or ("%d"):format(row.paid)))
end
for reason, times in pairs(reasons) do print(("        pending (%d): %s"):format(times, reason)) end
print()
