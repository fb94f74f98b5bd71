--- `spraay ledger`: what was bought, what is open, and what to do about it.
---
--- Reading never makes a ledger that is not there. Closing a purchase by hand, trusting a receiver and accepting
--- a price are a wallet's word, so they want its key; nothing here prints a key, a signature or a prompt.
-- SPDX-License-Identifier: MIT
local acting = require "spraay.cli.ledger.acting"
local place = require "spraay.options.place"
local print_ = require "spraay.cli.print"
local reading = require "spraay.cli.ledger.reading"
local shared = require "spraay.cli.ledger.shared"

local command = { about = "What was bought, what is open, and what to do about it." }

local EXAMPLES = [[
Examples:
   spraay ledger                                    # the newest purchases
   spraay ledger --state open                       # those whose outcome is unknown
   spraay ledger sum --by day --since 30d
   spraay ledger sum --by model --csv
   spraay ledger reconcile                          # ask the chain what became of them

States: reserved, asked, signed, sent and unknown may still cost; void cost nothing; paid_lost was
paid and its result is lost; delivered and taken are paid results.
Exit status: 0 done, 2 usage, 3 policy, 4 wallet, 5 something stays open, 7 connection, 8 the ledger
cannot be read, verify found something, or repair lost something; 1 what is printed cannot be written,
130 interrupted. The options above hold for every command.]]

-- Seconds since 1970 of "7d", "12h", "2026-11-24", or seconds; argparse turns nil and a sentence into an error.
local function moment(text)
  local n, unit = text:match("^(%d+)([dh])$")
  if n then return os.time() - tonumber(n) * (unit == "d" and 86400 or 3600) end
  local year, month, day = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
  if year then
    local noon = os.time { year = tonumber(year), month = tonumber(month), day = tonumber(day), hour = 12 }
    local utc = os.date("!*t", noon)
    utc.isdst = os.date("*t", noon).isdst
    local midnight = noon + os.difftime(noon, os.time(utc)) - 12 * 3600   -- UTC
    if os.date("!%Y-%m-%d", midnight) == text then return midnight end   -- else there is no such day
  end
  if text:match("^%d+$") and #text < 13 then return tonumber(text) end
  return nil, text .. " is no moment: write 7d, 12h, 2026-11-24, or seconds since 1970"
end

local function whole(text)
  if text:match("^%d+$") and #text < 8 then return tonumber(text) end
  return nil, text .. " is not a whole number"
end

function command.options(parser)
  parser:description(command.about)
  parser:help_max_width(100)
  parser:epilog(EXAMPLES)
  parser:require_command(false)
  parser:command_target("action")
  local function option(name, argname, text) return parser:option(name, text):argname(argname) end
  option("--ledger", "PATH", "The ledger; default as in spraay.open.")
  option("--key-file", "PATH", "The wallet's key file; default: SPRAAY_PRIVATE_KEY, on Solana SPRAAY_SOLANA_KEY.")
  option("--state", "STATE", "Only purchases in this state; \"open\" means all that are.")
  option("--run", "NAME", "Only purchases of this named run.")
  option("--since", "WHEN", "Only from then on: 7d, 12h, 2026-11-24, or seconds since 1970."):convert(moment)
  option("--limit", "N", "The newest N; 0 is all. (default: 50, with --json and --csv all)"):convert(whole)
  parser:flag("--json", "Print JSON.")
  parser:flag("--csv", "Print CSV (list and sum).")
  parser:command("list", "List purchases, newest last; the default.")
  local sum = parser:command("sum", "Add up what was paid.")
  sum:option("--by", "day, model, host, run or verb."):argname("WORD"):default("day")
  parser:command("show", "Everything on record about a purchase."):argument("id"):argname("ID")
  parser:command("verify", "Look for damage and foreign edits.")
  parser:command("repair", "Keep what is sound of a damaged ledger; the file itself is put aside.")
  local reconcile = parser:command("reconcile", "Ask the chain what became of open purchases; pays nothing.")
  reconcile:option("--timeout", "Seconds."):argname("S"):convert(whole)
  parser:command("void", "Your word that an open purchase never settles."):argument("id"):argname("ID")
  parser:command("settle", "Your word that an open purchase settled."):argument("id"):argname("ID")
  local trust = parser:command("trust", "Pay a gateway at this address from now on.")
  trust:argument("origin"):argname("ORIGIN")
  trust:argument("address"):argname("ADDRESS")
  trust:option("--network", "base, base-sepolia, solana, or a CAIP-2 id."):argname("NAME"):default("base")
  local price = parser:command("accept-price", "Take a price for the published one of a route.")
  price:argument("route"):argname("ROUTE")
  price:argument("price"):argname("PRICE")
  price:option("--gateway", "Whose route; default $SPRAAY_GATEWAY, else production."):argname("ORIGIN")
  parser:command("claim", "A claim, as JSON, for what was paid and lost."):argument("id"):argname("ID")
end

local function run(args)
  if args.ledger then
    local path, why = place.given(args.ledger, os.getenv)
    if not path then return shared.trouble("--ledger " .. why) end
    args.path = path
  else
    args.path = place.default(os.getenv)
    if not args.path then return shared.trouble_of(place.missing()) end
  end
  if args.csv and args.json then return shared.trouble("--csv and --json exclude each other") end
  local action = args.action or "list"
  if args.csv and action ~= "list" and action ~= "sum" then return shared.trouble("--csv is for list and sum") end
  return (reading[action] or acting[action])(args)
end

function command.run(args)
  local ok, code = pcall(run, args)
  if ok then
    local written, why = print_.flush()   -- a full disk, say: half a table must not look like all of it
    if written then return code end
    return shared.trouble("what was to be printed could not be written: " .. tostring(why), 1)
  end
  if tostring(code):find("interrupted!", 1, true) then return 130 end
  error(code, 0)
end

return command
