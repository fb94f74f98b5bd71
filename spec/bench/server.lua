--- The server of the benchmarks as a process: `local process, url = server.start()`; process:close() ends it.
-- SPDX-License-Identifier: MIT
local server = {}

function server.start()
  local report = os.tmpname()
  os.remove(report)
  assert(os.execute("mkfifo " .. report))
  local process = assert(io.popen("exec lua5.4 spec/bench/paid_server.lua " .. report, "w"))
  local file = assert(io.open(report))
  local port = file:read "*n"
  file:close()
  os.remove(report)
  return process, ("http://127.0.0.1:%d"):format(port)
end

return server
