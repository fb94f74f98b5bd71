--- `spraay sandbox`: the gateway on loopback, until Ctrl-C or as long as a command runs.
---
--- With `-- COMMAND` the launcher (spraay.sh) starts this process in the background, reads the
--- variables it prints, and becomes the command; the command's end closes our standard input, and
--- with it the sandbox. So signals, terminal and exit status are the command's own.
-- SPDX-License-Identifier: MIT

local command = { about = "Run a gateway on loopback: no key, no network, no money." }

local EXAMPLES = [[
The variables it prints, and that COMMAND finds in its environment:
   SPRAAY_GATEWAY                       where it listens
   SPRAAY_PRIVATE_KEY, SPRAAY_ADDRESS   a throwaway account with USDC, and ETH for gas, in it
   SPRAAY_BASE_RPC                      the chain in miniature
   SPRAAY_SOLANA_KEY, SPRAAY_SOLANA_ADDRESS, SPRAAY_SOLANA_RPC   the same on Solana
   SPRAAY_STATE_DIR                     for COMMAND only: a folder that goes with it
The exit status is COMMAND's own.

Examples:
   spraay sandbox -- lua5.4 examples/pipeline.lua
   spraay sandbox --fault settle_then_timeout:1 -- make test
   spraay sandbox --port 8402
   curl -s http://127.0.0.1:8402/_sandbox/ledger     # what was paid, by whom, for what]]

-- A whole number within limits; argparse turns nil and a sentence into a usage error.
local function whole(low, high)
  return function(text)
    local n = text:find "^%d+$" and tonumber(text)
    if n and n >= low and n <= high then return n end
    return nil, ("%s is not a whole number from %d to %d"):format(text, low, high)
  end
end

local function seconds(text)
  local n = tonumber(text)
  if n and n >= 0 and n < 1e9 then return n end
  return nil, text .. " is not a number of seconds"
end

local function names(text)
  local list = {}
  for name in text:gmatch "[^,]+" do list[#list + 1] = name end
  if #list > 0 then return list end
  return nil, "no network"
end

function command.options(parser)
  parser:description(command.about .. " With `-- COMMAND …` it serves that command and ends with it.")
  parser:usage("Usage: spraay sandbox [options] [-- COMMAND ARGUMENTS…]")
  parser:help_max_width(100)
  parser:epilog(EXAMPLES)
  local function option(name, argname, text) return parser:option(name, text):argname(argname) end
  option("--port", "N", "Port to listen on; 0 is any. (default: 8402, with COMMAND 0)"):convert(whole(0, 65535))
  option("--host", "ADDRESS", "Address to listen on; only loopback is allowed."):default "127.0.0.1"
  option("--dialect", "NAME", "Of the compute futures: ledger or escrow."):default "ledger"
  option("--network", "NAME", "Home network: base or base-sepolia."):default "base"
  option("--rails", "N", "Payment rails offered: 1, 2 or 3. (default: 2)"):convert(whole(1, 3))
  option("--networks", "NAMES", "Networks offered instead, in this order: solana or solana,base."):convert(names)
  option("--fault", "FAULT", "Arm a fault: NAME[:TIMES][@ROUTE]. May be given again."):count("*")
  parser:flag("--faults", "List the faults and leave.")
  option("--rate-limit", "N", "POSTs a minute and path; 30 is real, 0 none. (default: 300)")
    :convert(whole(0, 1000000))
  option("--job-seconds", "S", "How long a video takes. (default: 4)"):convert(seconds)
  option("--upstream", "URL", "Hand chat to an OpenAI-compatible server at this base URL.")
  option("--upstream-model", "NAME", "Model to ask the upstream for.")
  option("--api-key", "KEY", "Accept this API key. May be given again."):count("*")
  option("--funds", "USDC", "What is in the throwaway account."):default "1000"
  option("--ether", "ETH", "What it has for gas."):default "0.05"
  option("--mining", "MODE", "Blocks come by the clock, instant, or manual."):default "clock"
  parser:flag("--lenient", "Match payments as the gateway does since September 2026.")
  parser:flag("--replay", "Answer a payment that was settled before with the same answer again.")
  option("--json-log", "FILE", "Append one JSON line a request to this file.")
  parser:flag("--quiet", "Print nothing but the variables.")
  parser:flag("--until-eof", "Serve until standard input ends."):hidden(true)
end

-- A shell word that survives any content.
local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function print_faults()
  local report = require "spraay.sandbox.faults".new():report()
  for _, fault in ipairs(report.faults) do print(("%-30s %s"):format(fault.fault, fault.text)) end
  return 0
end

local function exports(sandbox, private_key)
  return {
    { "SPRAAY_GATEWAY", sandbox.origin },
    { "SPRAAY_PRIVATE_KEY", private_key },
    { "SPRAAY_ADDRESS", sandbox.address },
    { "SPRAAY_BASE_RPC", sandbox.origin .. "/_sandbox/rpc" },
    { "SPRAAY_SOLANA_KEY", sandbox.solana_key:export() },
    { "SPRAAY_SOLANA_ADDRESS", sandbox.solana_key.address },
    { "SPRAAY_SOLANA_RPC", sandbox:solana_rpc() },
  }
end

local function trouble(text, code)
  io.stderr:write("spraay sandbox: ", text, "\n")
  return code or 2
end

-- Wait for what ends a sandbox: a signal, or the end of standard input.
---@return integer exit_code
local function serve(listener, until_eof)
  local signal = require "cqueues.signal"
  local codes = { [signal.SIGINT] = 130, [signal.SIGTERM] = 143 }
  local over
  if until_eof then
    listener.cq:wrap(function()
      require "cqueues".poll({ pollfd = 0, events = "r", timeout = function() end })
      over = 0
    end)
  end
  signal.block(signal.SIGINT, signal.SIGTERM)
  local catcher = signal.listen(signal.SIGINT, signal.SIGTERM)
  listener.cq:wrap(function()
    over = codes[catcher:wait()] or 0
  end)
  while not over do
    local ok, why = listener.cq:step()
    if not ok then return trouble(tostring(why), 7) end
  end
  listener:close()
  return over
end

local function open_log(path)
  if not path then return nil end
  local file, why = io.open(path, "a")
  if not file then return nil, why end
  file:setvbuf("line")
  return function(line) file:write(line, "\n") end
end

--- Run the command.
---@param args table
---@param child string[]?  what stood after `--`
---@return integer exit_code
function command.run(args, child)
  if _VERSION < "Lua 5.3" then                 -- LuaJIT calls itself 5.1
    return trouble(("it runs on Lua 5.4 and this build is for %s"):format(_VERSION))
  end
  if args.faults then return print_faults() end
  if child then
    return trouble "`-- COMMAND` needs the spraay launcher, which starts the command; this only serves it"
  end
  if args.host ~= "127.0.0.1" and args.host ~= "localhost" then
    return trouble "it listens on loopback only"
  end
  local log, why = open_log(args.json_log)
  if why then return trouble(why) end
  local sandbox, server = require "spraay.sandbox", require "spraay.sandbox.server"
  local keys = {}
  for _, key in ipairs(args.api_key) do keys[key] = {} end
  local box
  box, why = sandbox.new{
    network = args.network, dialect = args.dialect, rails = args.rails, networks = args.networks, faults = args.fault,
    rate_limit = args.rate_limit, job_seconds = args.job_seconds, upstream = args.upstream,
    upstream_model = args.upstream_model, api_keys = keys, funds = args.funds, ether = args.ether,
    mining = args.mining, lenient = args.lenient, replay = args.replay, log = log,
  }
  if not box then return trouble(why) end
  local listener
  listener, why = server.listen(box, {
    port = args.port or 8402,
    on_error = function(text) io.stderr:write("spraay sandbox: ", text, "\n") end,
  })
  if not listener then return trouble(("port %d: %s"):format(args.port or 8402, why), 7) end
  local key = "0x" .. require "spraay.sandbox.crypto".hex(box.key)
  for _, pair in ipairs(exports(box, key)) do
    io.stdout:write(("export %s=%s\n"):format(pair[1], quoted(pair[2])))
  end
  io.stdout:write("# ready\n")
  io.stdout:flush()
  if not args.quiet and not args.until_eof then
    io.stderr:write(("Serving %s with %s USDC and %s ETH in a throwaway account. Ctrl-C ends it.\n")
      :format(box.origin, args.funds, args.ether))
  end
  return serve(listener, args.until_eof)
end

return command
