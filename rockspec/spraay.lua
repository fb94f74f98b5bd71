-- `spraay` as LuaRocks installs it. LuaRocks puts a wrapper around this file that
-- sets the module paths and starts the right Lua.
--
-- `spraay sandbox ... -- COMMAND` is the launcher's work (cli/spraay.sh), since it
-- ends by becoming COMMAND, which Lua cannot. The launcher is installed among the
-- modules and is handed to sh with its words filled in, as the Makefile does it.
-- SPDX-License-Identifier: MIT

local function serves_a_command()
  if arg[1] ~= "sandbox" then return false end
  for _, word in ipairs(arg) do
    if word == "--" then return true end
  end
  return false
end

if not serves_a_command() then os.exit(require "spraay.cli".main(arg)) end

local function launcher()
  for template in package.path:gmatch "[^;]+" do
    local file = io.open((template:gsub("%?%.lua$", "spraay/cli/spraay.sh")))
    if file then
      local text = file:read "*a"
      file:close()
      if text:find("@LUA_PATH@", 1, true) then return text end
    end
  end
  io.stderr:write "spraay: cli/spraay.sh is not beside the modules; install spraay again\n"
  os.exit(2)
end

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local first = 0   -- the interpreter is the first word of all, before its own options
while arg[first - 1] do first = first - 1 end
local words = { LUA = arg[first], LUA_PATH = package.path, LUA_CPATH = package.cpath }
local command = { "exec sh -c", quoted((launcher():gsub("@([A-Z_]+)@", words))), "spraay" }
for _, word in ipairs(arg) do command[#command + 1] = quoted(word) end

-- 5.1 and LuaJIT return what wait() says, later versions what it means.
local ok, how, code = os.execute(table.concat(command, " "))
if type(ok) == "number" then
  how, code = "exit", ok >= 256 and math.floor(ok / 256) or ok
end
os.exit(how == "signal" and 128 + code or code)
