--- The table *fault x outcome*, and what was violated.
-- SPDX-License-Identifier: MIT
local report = {}
report.__index = report

function report.new() return setmetatable({ rows = {}, by_name = {} }, report) end

--- Add a trial's verdict to the row of that name, rows staying in the order in which they first came.
function report:add(scenario, name, verdict)
  local key = scenario .. "\0" .. name
  local row = self.by_name[key]
  if not row then
    row = { scenario = scenario, name = name, trials = 0, once = 0, delivered = 0, reported = 0, violations = {} }
    self.by_name[key] = row
    self.rows[#self.rows + 1] = row
  end
  for _, field in ipairs{ "trials", "once", "delivered", "reported" } do row[field] = row[field] + verdict[field] end
  for _, text in ipairs(verdict.violations) do row.violations[#row.violations + 1] = text end
end

local LINE = "%-44s %7s %12s %10s %14s %11s\n"

--- Print it, and count.
---@param print_violations integer  how many of a row are spelled out
---@return integer passed, integer failed   rows
function report:print(out, print_violations)
  local passed, failed, scenario = 0, 0, nil
  out:write(LINE:format("fault", "intents", "settled once", "delivered", "truly reported", "violations"))
  for _, row in ipairs(self.rows) do
    if row.scenario ~= scenario then
      scenario = row.scenario
      out:write("\n", scenario, "\n")
    end
    out:write(LINE:format("  " .. row.name, row.trials, row.once, row.delivered, row.reported, #row.violations))
    for i = 1, math.min(#row.violations, print_violations) do out:write("      ! ", row.violations[i], "\n") end
    if #row.violations == 0 then passed = passed + 1 else failed = failed + 1 end
  end
  return passed, failed
end

return report
