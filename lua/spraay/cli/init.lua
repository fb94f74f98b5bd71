--- The command line: `spraay COMMAND …`. Each command is a module of this folder with
---   about               one line for --help
---   options(parser)     describe arguments to argparse
---   run(args, command)  do it; the number returned is the exit code
--- Exit codes: 0 done, 2 usage, 3 policy or budget, 4 wallet or not enough money, 5 outcome
--- unknown, 6 gateway, 7 connection or timeout, 8 ledger, 130 interrupted.
-- SPDX-License-Identifier: MIT

local cli = {}

cli.COMMANDS = { "ledger", "sandbox" }

cli.EXIT = { done = 0, usage = 2, policy = 3, wallet = 4, unknown = 5, gateway = 6, connection = 7,
             ledger = 8, interrupted = 130 }

local OF_KIND = { usage = "usage", policy = "policy", budget = "policy", wallet = "wallet", payment = "unknown",
                  gateway = "gateway", connection = "connection", timeout = "connection", ledger = "ledger",
                  cancelled = "interrupted" }

--- The exit code of an error value.
function cli.exit_of(err)
  return cli.EXIT[OF_KIND[err.kind] or "usage"]
end

-- Debian keeps the pure-Lua half of lua-http and some of its friends under 5.1 only.
local function borrow_modules()
  for _, dir in ipairs{ "/usr/share/lua/5.1", "/usr/share/lua/5.3", "/usr/local/share/lua/5.1" } do
    if not package.path:find(dir .. "/?.lua", 1, true) then
      package.path = ("%s;%s/?.lua;%s/?/init.lua"):format(package.path, dir, dir)
    end
  end
end
cli.borrow_modules = borrow_modules

-- "spraay sandbox --quiet -- make test" is options before, a command to run after.
local function split(argv)
  local before, after = {}, nil
  for _, one in ipairs(argv) do
    if after then after[#after + 1] = one
    elseif one == "--" then after = {}
    else before[#before + 1] = one end
  end
  return before, after
end

local function version()
  local ok, text = pcall(require, "spraay.version")
  if ok and type(text) == "table" then text = text.VERSION or text.version end
  return ok and tostring(text) or "unknown"
end

--- Run a command line.
---@param argv string[]
---@return integer exit_code
function cli.main(argv)
  borrow_modules()
  local found, argparse = pcall(require, "argparse")
  if not found then
    io.stderr:write("spraay: the command line needs argparse (luarocks install argparse, or apt install ",
                    "lua-argparse)\n")
    return cli.EXIT.usage
  end
  local before, after = split(argv)
  local parser = argparse("spraay", "AI compute, paid for call by call.")
  parser:add_help("-h --help")
  parser:flag("--version", "Print the version and leave."):action(function()
    print("spraay " .. version())
    os.exit(0)
  end)
  parser:command_target("command")
  local modules = {}
  for _, name in ipairs(cli.COMMANDS) do
    local module = require("spraay.cli." .. name)
    modules[name] = module
    module.options(parser:command(name, module.about))
  end
  local ok, args = parser:pparse(before)
  if not ok then
    local name = modules[before[1]] and "spraay " .. before[1] or "spraay"
    io.stderr:write(name, ": ", tostring(args), "\nTry `", name, " --help`.\n")
    return cli.EXIT.usage
  end
  return modules[args.command].run(args, after)
end

return cli
