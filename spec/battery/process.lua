--- A script under test as a process of its own, under the shim, seen from a cqueues controller.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local cqueues = require "cqueues"
local cqueues_socket = require "cqueues.socket"

local process = {}
process.__index = process

local DEADLINE = 120          -- seconds; nothing here takes a tenth of it on a machine that is not stuck

local function quoted(text) return "'" .. tostring(text):gsub("'", "'\\''") .. "'" end

local function slurp(path)
  local file = io.open(path)
  if not file then return nil end
  local text = file:read "*a"
  file:close()
  return text
end
process.slurp = slurp

--- Write a whole file.
function process.spill(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

--- What a command of `spraay` says, and whether it ends well.
---@return string text, boolean ok
function process.command(paths, options, words)
  local env = {}
  for name, value in pairs{
    LUA_PATH = paths.lua_path, LUA_CPATH = paths.lua_cpath, HOME = options.folder, SPRAAY_GATEWAY = options.box.url,
    SPRAAY_BASE_RPC = options.box.rpc, SPRAAY_PRIVATE_KEY = options.box.key,
    SPRAAY_SOLANA_RPC = options.box.solana_rpc, SPRAAY_SOLANA_KEY = options.box.solana_key,
  } do env[#env + 1] = name .. "=" .. quoted(value) end
  local pipe = assert(io.popen(("cd %s; exec env %s lua5.4 -e %s /dev/null %s 2>&1 </dev/null"):format(
    quoted(paths.root), table.concat(env, " "), quoted [[os.exit(require "spraay.cli".main(arg))]], words)))
  local socket = assert(cqueues_socket.dup(pipe))
  socket:onerror(function(_, _, why) return why end)
  local text = socket:xread("*a", "b", DEADLINE) or ""
  socket:close()
  return text, pipe:close() == true
end

--- Start one.
---@param paths table     lua_path, lua_cpath, shim, root
---@param plan table      see child.lua
---@param options table   folder (of the trial), box, shim (table: AT, DO, … without their prefix), env, stdin
---@return table process
function process.start(paths, plan, options)
  local self = setmetatable({ folder = options.folder, lines = {} }, process)
  self.report = os.tmpname()
  self.plan = self.report .. ".json"
  self.errors = self.report .. ".err"
  process.spill(self.plan, cjson.encode(plan))
  local env = {
    LUA_PATH = paths.lua_path, LUA_CPATH = paths.lua_cpath, HOME = options.folder, SPRAAY_STATE_DIR = options.folder,
    SPRAAY_GATEWAY = options.box.url, SPRAAY_BASE_RPC = options.box.rpc, SPRAAY_PRIVATE_KEY = options.box.key,
  }
  if paths.rail == "solana" then
    env.SPRAAY_SOLANA_KEY, env.SPRAAY_SOLANA_RPC = options.box.solana_key, options.box.solana_rpc
  end
  if options.shim then
    env.LD_PRELOAD, env.BATTERY_FOLDER, env.BATTERY_REPORT = paths.shim, options.folder, self.report
    for name, value in pairs(options.shim) do env["BATTERY_" .. name] = value end
  end
  for name, value in pairs(options.env or {}) do env[name] = value end
  local words = { "exec env" }
  for name, value in pairs(env) do words[#words + 1] = name .. "=" .. quoted(value) end
  words[#words + 1] = ("lua5.4 spec/battery/child.lua %s 2>%s <%s"):format(self.plan, self.errors,
    options.stdin or "/dev/null")
  self.pipe = assert(io.popen(("cd %s; echo $$; "):format(quoted(paths.root)) .. table.concat(words, " ")))
  self.socket = assert(cqueues_socket.dup(self.pipe))
  self.socket:onerror(function(_, _, why) return why end)
  self.socket:setmode("b", "bn")
  self.socket:setmaxline(4 * 1024 * 1024)
  self.deadline = cqueues.monotime() + (options.seconds or DEADLINE)
  self.pid = self.socket:xread("*l", nil, DEADLINE)
  return self
end

--- Its next line as a value; nothing when it has ended or hangs.
function process:line()
  local text = self.socket:xread("*l", nil, math.max(0, self.deadline - cqueues.monotime()))
  if not text then return nil end
  local fine, value = pcall(cjson.decode, text)
  if not fine then return self:line() end       -- a line that a kill broke off
  self.lines[#self.lines + 1] = value
  return value
end

--- Send a signal by name.
function process:signal(name) os.execute(("kill -%s %s 2>/dev/null"):format(name, self.pid)) end

--- Is it stopped by a signal?
function process:is_stopped()
  local stat = slurp(("/proc/%s/stat"):format(self.pid))
  return stat ~= nil and stat:match "^.*%) (%a)" == "T"
end

--- Wait for its end.
---@return table outcome  lines, ok, killed (by SIGKILL), hung, counts { all, net, file, sync }, errors
function process:finish()
  while self:line() do end
  local hung = cqueues.monotime() >= self.deadline
  if hung then self:signal "KILL" end
  self.socket:close()
  local ok, how, code = self.pipe:close()
  local outcome = { lines = self.lines, ok = ok == true, killed = how == "signal" and code == 9 and not hung,
                    hung = hung, code = code, errors = slurp(self.errors) or "" }
  local counts = slurp(self.report)
  if counts and counts ~= "" then
    local all, net, file, sync = counts:match "(%d+) (%d+) (%d+) (%d+)"
    outcome.counts = { all = tonumber(all), net = tonumber(net), file = tonumber(file), sync = tonumber(sync) }
  end
  os.remove(self.report)
  os.remove(self.plan)
  os.remove(self.errors)
  return outcome
end

return process
