-- SPDX-License-Identifier: MIT
--- Options are checked here, once, and turned into what the core wants. An unknown name is an
-- error that suggests the known one: a typo in `per_call` must not become "no limit".
--
-- Nothing here touches disk or network; the environment arrives as a function.
local compat = require "spraay.compat"
local errors = require "spraay.errors"
local money = require "spraay.money"
local routes = require "spraay.routes"
local version = require "spraay.version"
local wallet = require "spraay.wallet"

local options = {}

options.PRODUCTION = "https://gateway.spraay.app"

--- Network names and their CAIP-2 ids.
options.networks = {
  ["base"] = "eip155:8453",
  ["base-sepolia"] = "eip155:84532",
  ["solana"] = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
  ["solana-devnet"] = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
}

-- Where proof is looked for when the caller says nothing; only ever for the production gateway.
local BASE_RPC = "https://mainnet.base.org"

-- A checker gets (value, config, context) and returns nil when the value is fine, else a clause
-- that follows "spraay.open: NAME ", and perhaps a hint.
local check = {}

-- ---- small checks ----------------------------------------------------------------

local quoted = errors.show

local function is_text(value)
  return type(value) == "string" and value ~= "" and not value:find("[%z\1-\31\127]")
end

local function seconds_ms(value, most)
  if type(value) ~= "number" or value ~= value or value <= 0 or value > most then return nil end
  return math.ceil(value * 1000)
end

--- scheme, host, port of an origin; nil when it is none.
local function split_origin(text)
  local scheme, rest = text:match("^(%a+)://([^/?#]+)/*$")
  if not scheme then return nil end
  scheme = scheme:lower()
  if scheme ~= "http" and scheme ~= "https" then return nil end
  if rest:find("[@%s%c\\]") then return nil end
  local host, port = rest:match("^(%[[%x:%.]+%]):?(%d*)$")
  if not host then host, port = rest:match("^([%w%.%-_]+):?(%d*)$") end
  if not host then return nil end
  if port ~= "" and (tonumber(port) < 1 or tonumber(port) > 65535) then return nil end
  return scheme, host:lower(), port
end

--- Does this host name the machine itself?
function options.is_loopback(host)
  host = host:lower():gsub("^%[", ""):gsub("%]$", "")
  return host == "localhost" or host == "::1" or host:match("^127%.%d+%.%d+%.%d+$") ~= nil
    or host:match("%.localhost$") ~= nil
end

--- An origin as we write it: lower case, default port dropped. nil and a clause when it is none.
function options.origin(text)
  if not is_text(text) then return nil, "must be a URL such as \"https://host\"" end
  local scheme, host, port = split_origin(text)
  if not scheme then
    return nil, quoted(text) .. " is not an origin; write \"https://host\" or \"https://host:port\""
  end
  if (scheme == "https" and port == "443") or (scheme == "http" and port == "80") then port = "" end
  local loopback = options.is_loopback(host)
  if scheme == "http" and not loopback then
    return nil, quoted(text) .. " is plain http; payments travel over https, except on loopback"
  end
  return scheme .. "://" .. host .. (port ~= "" and ":" .. port or ""), nil, loopback
end

local function list_of(value, one)
  if type(value) == one then return { value } end
  if type(value) ~= "table" then return nil end
  for key in pairs(value) do
    if not compat.integer(key) or key < 1 or key > #value then return nil end
  end
  return value
end

local function amount(name, off)
  return function(value, config)
    if value == false and off then
      config.core[name] = nil
      return
    end
    local atomic, why = money.atomic(value)
    if not atomic then return why end
    config.core[name] = atomic
  end
end

local function word(name, where)
  return function(value, config)
    if not is_text(value) or #value > 128 then return "must be a short text without control characters" end
    config[where or "core"][name] = value
  end
end

local function one_of(...)
  local words = { ... }
  return function(value, config, name)
    for _, known in ipairs(words) do
      if value == known then
        config[name] = value
        return
      end
    end
    local shown = {}
    for i, known in ipairs(words) do shown[i] = quoted(known) end
    return "must be " .. errors.list(shown, "or")
  end
end

local function later(what, hint, allowed)
  return function(value)
    if allowed and allowed[value] then return end
    return what, hint
  end
end

-- ---- the options of open ---------------------------------------------------------

check.gateway = function(value, config)
  local origin, why, loopback = options.origin(value)
  if not origin then return why end
  config.gateway, config.loopback = origin, loopback
end

check.wallet = function(value, config)
  if value == false then
    config.wallets = {}
    return
  end
  local list = wallet.is(value) and { value } or list_of(value, "nothing")
  if not list then
    return "must be a wallet such as spraay.wallet.env(), or a list of them",
      type(value) == "string" and "A key is never written into a script; spraay.wallet.env() reads it" or nil
  end
  for i, item in ipairs(list) do
    if not wallet.is(item) then return ("list: item %d is not a wallet"):format(i) end
  end
  if #list > 1 then return "list: this version pays on one rail, so it takes one wallet" end
  config.wallets = list
end

check.networks = function(value, config)
  local list = list_of(value, "string")
  if not list or #list == 0 then return "must be a list such as { \"base\" }" end
  local ids, seen, payable, names = {}, {}, false, {}
  for name in pairs(options.networks) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(list) do
    if type(name) ~= "string" then return "must be a list of names" end
    local id = options.networks[name]
    if not id and name:match("^[%l%d%-]+:[%w%-_]+$") then id = name end
    if not id then
      return ("does not know %s"):format(quoted(name)), errors.meant(name, names,
        "Use " .. errors.list(names, "or") .. ", or a CAIP-2 id such as \"eip155:8453\"")
    end
    if not seen[id] then
      seen[id], ids[#ids + 1] = true, id
      payable = payable or id:match("^eip155:") ~= nil
    end
  end
  if not payable then
    return "names no network this version can pay on",
      "Add \"base\": without a Solana wallet nothing is paid there"
  end
  config.core.networks = ids
end

check.per_call = amount("per_call")
check.per_day = amount("per_day", true)
check.budget = amount("budget", true)
check.per_host = amount("per_host", true)
check.run = word("run")
check.scope = word("scope")

check.on_pay = function(value, config)
  if type(value) ~= "function" then return "must be a function(terms) that returns true to allow" end
  config.on_pay = value
end

check.ledger = function(value, config)
  if value == false or value == ":memory:" then
    config.ledger = false
    return
  end
  return "cannot be a path: this version keeps its purchases in the memory of the process",
    "Leave the option out, or write ledger = false"
end

check.hosts = function(value, config)
  local list = list_of(value, "string")
  if not list then return "must be a list of origins such as { \"https://example.com\" }" end
  local origins = {}
  for _, item in ipairs(list) do
    if type(item) ~= "string" then return "must be a list of origins" end
    local origin, why = options.origin(item:find("://", 1, true) and item or "https://" .. item)
    if not origin then return why end
    origins[#origins + 1] = origin
  end
  config.core.hosts = origins
end

check.pay_to = function(value, config)
  local list = list_of(value, "string")
  if not list or #list == 0 then return "must be an address, or a list of addresses" end
  for _, item in ipairs(list) do
    if type(item) ~= "string" or not item:match("^[%w]+$") then
      return "holds something that is not an address"
    end
  end
  config.core.pay_to = list
end

check.assets = function(value, config)
  local list = list_of(value, "nothing")
  if not list then return "must be a list of { network=, asset=, name=, version=, decimals= }" end
  local assets = {}
  for i, item in ipairs(list) do
    local where = ("item %d "):format(i)
    if type(item) ~= "table" then return where .. "is not a table" end
    for key in pairs(item) do
      if key ~= "network" and key ~= "asset" and key ~= "name" and key ~= "version" and key ~= "decimals" then
        return where .. "has an unknown member " .. quoted(key)
      end
    end
    local network = options.networks[item.network] or item.network
    if not is_text(network) or not network:find(":", 1, true) then return where .. "needs network" end
    if not is_text(item.asset) then return where .. "needs asset, the address of the token" end
    if not is_text(item.name) or not is_text(item.version) then
      return where .. "needs name and version, the token's EIP-712 domain"
    end
    if not compat.integer(item.decimals) or item.decimals < 0 or item.decimals > 36 then
      return where .. "needs decimals, a whole number"
    end
    assets[i] = { network = network, asset = item.asset, name = item.name, version = item.version,
      decimals = item.decimals }
  end
  config.core.assets = assets
end

check.prices = function(value, config)
  if type(value) ~= "table" then return "must be a table such as { chat = \"0.04\" }" end
  local names = {}
  for name in pairs(routes.table) do names[#names + 1] = name end
  for name, price in pairs(value) do
    local route = type(name) == "string" and routes.named(name)
    if not route then
      return "names no route " .. quoted(name), errors.meant(name, names)
    end
    local atomic, why = money.atomic(price)
    if not atomic then return "for " .. name .. " " .. why end
    config.prices[route.name] = atomic
  end
end

check.rpc = function(value, config)
  if value == false then
    config.rpc = {}
    config.rpc_off = true
    return
  end
  if type(value) ~= "table" then return "must be a table such as { base = \"https://…\" }, or false" end
  for name, url in pairs(value) do
    local id = options.networks[name] or (type(name) == "string" and name:find(":", 1, true) and name)
    if not id then return "does not know the network " .. quoted(name) end
    if url == false then
      config.rpc[id] = false
    elseif is_text(url) and url:match("^https?://[^%s]+$") then
      config.rpc[id] = url
    else
      return "for " .. name .. " must be a URL, or false"
    end
  end
end

check.timeout = function(value, config)
  if type(value) == "number" then value = { total = value } end
  if type(value) ~= "table" then return "must be seconds, or { connect=, idle=, total= }" end
  for key, seconds in pairs(value) do
    if key ~= "connect" and key ~= "idle" and key ~= "total" then
      return "has an unknown part " .. quoted(key), "Its parts are connect, idle and total"
    end
    local ms = seconds_ms(seconds, 86400)
    if not ms then return key .. " must be seconds, a number above 0" end
    config.core[key .. "_ms"] = ms
  end
end

check.retries = function(value, config)
  if not compat.integer(value) or value < 0 or value > 20 then
    return "must be a whole number from 0 to 20"
  end
  config.core.retries = compat.integer(value)
end

check.rate = function(value, config)
  if type(value) == "boolean" then
    config.rate = value
    return
  end
  if type(value) ~= "table" then return "must be true, false or { limit=, window= }" end
  for key, number in pairs(value) do
    if key ~= "limit" and key ~= "window" then
      return "has an unknown part " .. quoted(key), "Its parts are limit (requests) and window (seconds)"
    end
    if type(number) ~= "number" or number <= 0 or number ~= number then return key .. " must be above 0" end
  end
  if value.limit and (not compat.integer(value.limit) or value.limit < 2) then
    return "limit must be a whole number from 2 on: a paid call is two requests"
  end
  config.rate = { limit = value.limit, window = value.window }
end

check.first_request_payment = later("is not in this version", nil, { [false] = true })
check.on_lost = later("other than \"fail\" is not in this version", nil, { fail = true })
check.clock = function(value, config)
  if type(value) ~= "function" then return "must be a function that returns seconds since 1970" end
  config.clock = value
end
check.transport = function(value, config)
  if type(value) ~= "function" then return "must be a function(request) that returns a response" end
  config.transport = value
end

check.api_key = function(value, config)
  if not is_text(value) then return "must be a text" end
  config.api_key = value
end

-- Headers that carry money or frame the message are ours.
local OURS = { ["payment-signature"] = true, ["x-payment"] = true, ["payment-required"] = true,
  ["payment-response"] = true, ["x-solana-tx"] = true, ["content-length"] = true, ["host"] = true,
  ["transfer-encoding"] = true, ["connection"] = true, ["if-none-match"] = true, ["accept"] = true,
  ["content-type"] = true, ["x-api-key"] = true }

--- Header lines from { name = value } or a list of { name, value }; nil and a clause when one is wrong.
function options.header_lines(value)
  if type(value) ~= "table" then return nil, "must be a table { [\"name\"] = \"value\" }" end
  local lines, names = {}, {}
  for key, item in pairs(value) do
    local name, text = key, item
    if type(item) == "table" then name, text = item[1], item[2] end
    if type(name) ~= "string" or not name:match("^[%w!#$%%&'*+%-.^_`|~]+$") then
      return nil, "has a name that is not a header name: " .. quoted(name)
    end
    if type(text) ~= "string" or text:find("[%z\1-\8\10-\31\127]") then
      return nil, quoted(name) .. " must have a text without control characters"
    end
    if OURS[name:lower()] then return nil, quoted(name) .. " is set by this library" end
    names[#names + 1] = name
    lines[name] = text
  end
  table.sort(names)
  local out = {}
  for i, name in ipairs(names) do out[i] = { name, lines[name] } end
  return out
end

check.headers = function(value, config)
  local lines, why = options.header_lines(value)
  if not lines then return why end
  config.headers = lines
end

check.proxy = word("proxy")
check.ca_file = function(value, config)
  if not is_text(value) then return "must be a path" end
  config.core.ca_file = value
end

check.resolve = function(value, config)
  local list = list_of(value, "string")
  if not list then return "must be a list such as { \"host:443:127.0.0.1\" }" end
  for _, item in ipairs(list) do
    if type(item) ~= "string" or not item:match("^[^%s:]+:%d+:%S+$") then
      return "holds something that is not \"host:port:address\""
    end
  end
  config.core.resolve = list
end

check.futures = function(value, config)
  if value == "ledger" then
    config.futures = value
    return
  end
  if value == "escrow" then
    return "\"escrow\" is not in this version: it speaks the ledger dialect of compute futures only"
  end
  return "must be \"ledger\""
end

check.errors = one_of("return", "raise")

check.log = function(value, config)
  if value == false then
    config.log = nil
  elseif type(value) == "function" then
    config.log = value
  elseif value == true or value == "stderr" then
    config.log = function(line) io.stderr:write("spraay: ", line, "\n") end
  else
    return "must be a function(line), true, or \"stderr\""
  end
end

check.dry_run = function(value, config)
  if type(value) ~= "boolean" then return "must be true or false" end
  config.dry_run = value
end

local NAMES = {}
for name in pairs(check) do NAMES[#NAMES + 1] = name end
table.sort(NAMES)

--- The names spraay.open knows.
options.names = NAMES

local function refuse(name, why, hint, code)
  return errors.usage(("spraay.open: %s %s"):format(name, why), hint, code or "option")
end

local function truthy(text)
  return text ~= nil and text ~= "" and text ~= "0" and text:lower() ~= "false" and text:lower() ~= "no"
end

-- What the environment says, as options, under what the caller says.
local function from_environment(given, env)
  local function use(name, variable)
    local value = env(variable)
    if given[name] == nil and value ~= nil and value ~= "" then return value end
  end
  return {
    gateway = use("gateway", "SPRAAY_GATEWAY"),
    api_key = use("api_key", "SPRAAY_API_KEY"),
    log = given.log == nil and truthy(env("SPRAAY_LOG")) and "stderr" or nil,
    dry_run = given.dry_run == nil and truthy(env("SPRAAY_DRY_RUN")) or nil,
  }
end

local function apply(config, name, value)
  local why, hint = check[name](value, config, name)
  if why then return refuse(name, why, hint) end
  return true
end

--- Check the options of open. Returns a config, or nil, message, err.
function options.open(given, env)
  env = env or os.getenv
  if given == nil then given = {} end
  if type(given) ~= "table" then
    return errors.usage("spraay.open: expected a table of options, got " .. type(given), nil, "option")
  end
  for key in pairs(given) do
    if type(key) ~= "string" or not check[key] then
      return errors.unknown("spraay.open", "option", key, NAMES)
    end
  end
  local config = {
    core = { per_call = "600000", per_day = "5000000", connect_ms = 10000, idle_ms = 60000,
      total_ms = 180000 },
    gateway = options.PRODUCTION, loopback = false, prices = {}, rpc = {}, headers = {}, errors = "return",
    dry_run = false,
  }
  for name, value in pairs(from_environment(given, env)) do
    local ok, _, err = apply(config, name, value)
    if not ok then
      err.message = err.message .. (", says $SPRAAY_%s"):format(name:upper())
      return errors.fail(err)
    end
  end
  for _, name in ipairs(NAMES) do
    if given[name] ~= nil then
      local ok, message, err = apply(config, name, given[name])
      if not ok then return nil, message, err end
    end
  end

  local failure = wallet.take_failure()
  if given.wallet == nil then
    if failure then return nil, errors.sentence(failure), failure end
    config.wallets = { (wallet.env()) }
  end
  local first = config.wallets[1]
  if first and first.loopback_only and not config.loopback then
    return refuse("wallet", "is a generated key that exists in memory only, and " .. config.gateway
      .. " is not on loopback",
      "What such a key holds is lost with the process")
  end

  config.production = config.gateway == options.PRODUCTION
  if not config.core.networks then
    config.core.networks = { options.networks["base"] }
    if not config.production then config.core.networks[2] = options.networks["base-sepolia"] end
  end
  if not config.rpc_off then
    local base = options.networks["base"]
    local url = env("SPRAAY_BASE_RPC")
    if url ~= nil and url ~= "" then
      if not url:match("^https?://%S+$") then return refuse("rpc", "from SPRAAY_BASE_RPC is not a URL") end
    else
      url = config.production and BASE_RPC or nil
    end
    if config.rpc[base] == nil then config.rpc[base] = url end
    if not config.production and config.rpc[options.networks["base-sepolia"]] == nil then
      config.rpc[options.networks["base-sepolia"]] = url
    end
  end
  local rpc = {}
  for id, url in pairs(config.rpc) do
    if url then rpc[id] = url end
  end
  config.core.rpc = rpc
  config.core.gateway, config.core.production = config.gateway, config.production
  config.core.user_agent = "spraay-lua/" .. version
  if config.rate == nil then config.rate = config.production end
  return config
end

-- ---- per-call options ------------------------------------------------------------

local PER_CALL = { "max", "timeout", "purchase", "again", "once", "unchecked", "scope", "headers" }
options.per_call_names = PER_CALL
local PER_CALL_SET = {}
for _, name in ipairs(PER_CALL) do PER_CALL_SET[name] = true end

--- Check the last table of a verb. `extra` names more options the verb takes; they are passed as
-- they are. Returns { max=atomic, total_ms=, … }, or nil, message, err.
function options.per_call(given, verb, extra)
  if given == nil then return {} end
  if type(given) ~= "table" then
    return errors.usage(("%s: the options must be a table, got %s"):format(verb, type(given)), nil, "option")
  end
  local out = {}
  for key, value in pairs(given) do
    if not PER_CALL_SET[key] and not (extra and extra[key]) then
      local known = {}
      for _, name in ipairs(PER_CALL) do known[#known + 1] = name end
      for name in pairs(extra or {}) do known[#known + 1] = name end
      return errors.unknown(verb, "option", key, known)
    end
    out[key] = value
  end
  local function refuse_call(name, why, hint)
    return errors.usage(("%s: %s %s"):format(verb, name, why), hint, "option")
  end
  if out.max ~= nil then
    local atomic, why = money.atomic(out.max)
    if not atomic then return refuse_call("max", why) end
    out.max = atomic
  end
  if out.timeout ~= nil then
    out.total_ms = seconds_ms(out.timeout, 86400)
    if not out.total_ms then return refuse_call("timeout", "must be seconds, a number above 0") end
  end
  for _, name in ipairs { "purchase", "scope" } do
    if out[name] ~= nil and (not is_text(out[name]) or #out[name] > 128) then
      return refuse_call(name, "must be a short text without control characters")
    end
  end
  for _, name in ipairs { "again", "once", "unchecked" } do
    if out[name] ~= nil and type(out[name]) ~= "boolean" then
      return refuse_call(name, "must be true or false")
    end
  end
  if out.headers ~= nil then
    local lines, why = options.header_lines(out.headers)
    if not lines then return refuse_call("headers", why) end
    out.headers = lines
  end
  return out
end

return options
