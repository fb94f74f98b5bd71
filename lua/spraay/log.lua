-- SPDX-License-Identifier: MIT
--- Lines for whoever runs the process: the standard error, or nginx's own log inside nginx.
local log = {}

local nginx = rawget(_G, "ngx")

local function write(level, text)
  if type(nginx) == "table" and nginx.log then
    nginx.log(nginx[level], "spraay: ", text)
  else
    io.stderr:write("spraay: ", text, "\n")
  end
end

--- What was bought: in nginx at the level "notice".
function log.line(text)
  write("NOTICE", text)
end

--- Something that somebody should look at: in nginx at the level "error".
function log.problem(text)
  write("ERR", text)
end

return log
