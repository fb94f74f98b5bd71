--- Other processes that a spec leads by the hand: each runs the chunks it is sent, one after the other, and
--- says what they return. So the order of what several of them do is written in the spec.
---   local processes = require "spec.support.processes"
---   local one = processes.start{ ledger = path, key = processes.key() }
---   local nonce = one:run [[ call = gateway:call(); return exchange.drive(call, { gateway:challenge() })[1].url ]]
---   one:kill()
--- A chunk sees `exchange`, `core`, `cjson` and `gateway`, an exchange over that ledger with that key.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"

local processes = {}
processes.__index = processes

local interpreter = arg and arg[-1] or "lua"
do -- the interpreter is the first of the arguments before the script
  local i = -1
  while arg and arg[i] do interpreter, i = arg[i], i - 1 end
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

--- A private key in a file that only we may read; processes with the same one pay from the same wallet.
function processes.key()
  local path = write(os.tmpname(), core.hex_encode(core.random_bytes(32)))
  assert(os.execute("chmod 600 " .. path))
  return path
end

local made = {} -- folders of ours, by place: nothing else is ever removed

--- A place for a ledger, where there is none yet.
function processes.place()
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir -m 700 " .. folder))
  made[folder .. "/ledger.db"] = folder
  return folder .. "/ledger.db"
end

--- Remove such a place, with all that lies there.
function processes.clear(place)
  if made[place] then os.execute("rm -rf " .. made[place]) end
end

---@param config table  ledger, key (paths); origin; and what core.client takes
function processes.start(config)
  local pipe = os.tmpname()
  os.remove(pipe)
  assert(os.execute("mkfifo -m 600 " .. pipe))
  local command = ("echo $$; exec %s %s spec/support/process.lua %s < %s"):format(config.under or "env", interpreter,
    core.hex_encode(cjson.encode(config)), pipe)
  local self = setmetatable({}, processes)
  self.out = assert(io.popen(command, "r"))
  self.into = assert(io.open(pipe, "w")) -- waits for the other side
  self.into:setvbuf "no"
  os.remove(pipe)
  self.pid = assert(self.out:read "*l")
  return self
end

--- Begin a chunk, without waiting for what it returns.
function processes:begin(chunk)
  self.into:write(#chunk, "\n", chunk)
end

--- What the chunk that was begun returns: one value.
function processes:finish()
  local line = self.out:read "*l"
  if not line then error("the process has ended", 2) end
  local answer = cjson.decode(line)
  if answer.failed then error("in the other process: " .. answer.failed, 2) end
  local value = answer.value
  if value == cjson.null then value = nil end
  return value
end

function processes:run(chunk)
  self:begin(chunk)
  return self:finish()
end

--- SIGKILL, and wait until it is gone.
function processes:kill()
  if not self.into then return end
  os.execute("kill -9 " .. self.pid .. " 2> /dev/null")
  self.into:close()
  self.out:close()
  self.into, self.out = nil, nil
end

--- Let it end by itself, closing its Lua state. Returns what it wrote besides.
function processes:stop()
  self.into:write "end\n" -- others may have inherited this end of the pipe
  self.into:close()
  local rest = self.out:read "*a"
  self.out:close()
  self.into, self.out = nil, nil
  return rest
end

return processes
