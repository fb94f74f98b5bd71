--- Clients of a sandbox that runs as a process of its own:
---   local live = require "spec.support.live"
---   local box = live.start{ job_seconds = 0 }
---   local client = live.open(box, { budget = "1" })
---   live.unsent(box, function() … end)   nothing reached the gateway meanwhile
---   live.stop(box)
-- SPDX-License-Identifier: MIT
local sandbox = require "spec.support.sandbox"
local spraay = require "spraay"

local live = {}

--- A file of this text that only we can read. Its path; remove it yourself.
function live.secret(text, mode)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  os.execute(("chmod %s %s"):format(mode or "600", path))
  return path
end

--- Start a sandbox and put its key into a file.
function live.start(options)
  local box = sandbox.start(options)
  box.keyfile = live.secret(box.key .. "\n")
  return box
end

function live.stop(box)
  box:stop()
  os.remove(box.keyfile)
end

--- Options of a client that pays this sandbox and asks its chain, and remembers in memory. `false` for rpc
-- turns the chain off.
function live.options(box, more)
  local all = { gateway = box.url, wallet = spraay.wallet.file(box.keyfile), rpc = { base = box.rpc },
    per_day = "1000", ledger = false, timeout = { connect = 2, idle = 2, total = 5 } }
  for name, value in pairs(more or {}) do all[name] = value end
  return all
end

function live.open(box, more)
  return assert(spraay.open(live.options(box, more)))
end

--- Call fn; the gateway must not have seen a request of it.
function live.unsent(box, fn)
  local before = box:ledger().requests
  fn()
  assert(box:ledger().requests == before, "a request was sent")
end

return live
