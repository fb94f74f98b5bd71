-- Starts rawserver.lua for a spec file and stops it again.
--
--   local server = dofile("spec/support/server.lua").start()
--   server:url("/ok")  server:tls("/ok")  server:h2("/ok")  server:mute("https")
--   server.ca_file     what tls and h2 must be told to trust
--   server:stop()
-- SPDX-License-Identifier: MIT

local Server = {}
Server.__index = Server

local function start()
  local dir = assert(io.popen("mktemp -d", "r"))
  local self = setmetatable({ dir = dir:read "*l" }, Server)
  dir:close()
  self.ca_file = self.dir .. "/ca.pem"
  local report = self.dir .. "/report"
  assert(os.execute("mkfifo " .. report))
  -- Closing this pipe, or dying, ends the server. Opening the fifo waits until it listens; if it
  -- never does, the shell opens the other end instead.
  self.pipe = assert(io.popen(("lua5.4 spec/support/rawserver.lua %s %s; : <> %s")
    :format(self.ca_file, report, report), "w"))
  local f = assert(io.open(report, "r"))
  self.plain_port, self.tls_port, self.h2_port, self.mute_port = f:read("*n", "*n", "*n", "*n")
  f:close()
  assert(self.plain_port, "rawserver.lua did not start")
  return self
end

function Server:url(path) return ("http://127.0.0.1:%d%s"):format(self.plain_port, path) end
function Server:tls(path) return ("https://127.0.0.1:%d%s"):format(self.tls_port, path) end
function Server:mute(scheme) return ("%s://127.0.0.1:%d/"):format(scheme, self.mute_port) end
function Server:h2(path) return ("https://127.0.0.1:%d%s"):format(self.h2_port, path) end

function Server:stop()
  self.pipe:close()
  os.execute("rm -rf " .. self.dir)
end

return { start = start }
