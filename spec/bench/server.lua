--- The server of the benchmarks as a process: `local process, url = server.start()`; process:close() ends it.
--- server.start "nice -n 10" has it stand back where others want the processor.
-- SPDX-License-Identifier: MIT
local server = {}

function server.start(before)
  local report = os.tmpname()
  os.remove(report)
  assert(os.execute("mkfifo " .. report))
  local process = assert(io.popen(("exec %s lua5.4 spec/bench/paid_server.lua %s"):format(before or "", report), "w"))
  local file = assert(io.open(report))
  local port = file:read "*n"
  file:close()
  os.remove(report)
  return process, ("http://127.0.0.1:%d"):format(port)
end

return server
