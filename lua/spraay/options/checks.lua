-- SPDX-License-Identifier: MIT
--- One checker per option of spraay.open.
local clauses = require "spraay.options.clauses"
local compat = require "spraay.compat"
local core = require "spraay.core"
local errors = require "spraay.errors"
local fees = require "spraay.evm.fees"
local headers = require "spraay.options.headers"
local log = require "spraay.log"
local money = require "spraay.money"
local networks = require "spraay.options.networks"
local origin = require "spraay.options.origin"
local place = require "spraay.options.place"
local routes = require "spraay.routes"
local wallet = require "spraay.wallet"

-- A checker gets (value, config, name, env) and returns nil when the value is fine, else a clause
-- that follows "spraay.open: NAME ", and perhaps a hint.
local check = {}

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
    if not clauses.is_name(value) then return "must be a short text without control characters" end
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
    for i, known in ipairs(words) do shown[i] = errors.show(known) end
    return "must be " .. errors.list(shown, "or")
  end
end

local function later(what, hint, allowed)
  return function(value)
    if allowed and allowed[value] then return end
    return what, hint
  end
end

check.gateway = function(value, config)
  local parsed, why, loopback = origin.parse(value)
  if not parsed then return why end
  config.gateway, config.loopback = parsed, loopback
end

check.wallet = function(value, config)
  if value == false then
    config.wallets = {}
    return
  end
  local list = wallet.is(value) and { value } or clauses.list_of(value, "nothing")
  if not list then
    return "must be a wallet such as spraay.wallet.env(), or a list of them",
      type(value) == "string" and "A key is never written into a script; spraay.wallet.env() reads it" or nil
  end
  for i, item in ipairs(list) do
    if not wallet.is(item) then return ("list: item %d is not a wallet"):format(i) end
  end
  local seen = {}
  for _, item in ipairs(list) do
    local rail = item:rail()
    if seen[rail] then
      return "list: two wallets pay on the same rail: " .. seen[rail].source .. " and " .. item.source,
        "It takes one for EVM chains and one for Solana"
    end
    seen[rail] = item
  end
  config.wallets = {}   -- a copy: the caller's list is the caller's
  for i, item in ipairs(list) do config.wallets[i] = item end
end

check.networks = function(value, config)
  local list = clauses.list_of(value, "string")
  if not list or #list == 0 then return "must be a list such as { \"base\" }" end
  local ids, seen, payable, names = {}, {}, false, {}
  for name in pairs(networks) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(list) do
    if type(name) ~= "string" then return "must be a list of names" end
    local id = networks[name]
    if not id and name:match("^[%l%d%-]+:[%w%-_]+$") then id = name end
    if not id then
      return ("does not know %s"):format(errors.show(name)), errors.meant(name, names,
        "Use " .. errors.list(names, "or") .. ", or a CAIP-2 id such as \"eip155:8453\"")
    end
    if not seen[id] then
      seen[id], ids[#ids + 1] = true, id
      payable = payable or wallet.rail_of(id) ~= nil
    end
  end
  if not payable then
    return "names no network this version can pay on",
      "Add \"base\" or \"solana\""
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

check.ledger = function(value, config, _, env)
  if value == false or value == ":memory:" then
    config.ledger, config.ledger_off = nil, true
    return
  end
  local path, why = place.given(value, env)
  if not path then return why end
  config.ledger, config.ledger_off = path, nil
end

check.hosts = function(value, config)
  local list = clauses.list_of(value, "string")
  if not list then return "must be a list of origins such as { \"https://example.com\" }" end
  local origins = {}
  for _, item in ipairs(list) do
    if type(item) ~= "string" then return "must be a list of origins" end
    local parsed, why = origin.parse(item:find("://", 1, true) and item or "https://" .. item)
    if not parsed then return why end
    origins[#origins + 1] = parsed
  end
  config.core.hosts = origins
end

check.pay_to = function(value, config)
  local list = clauses.list_of(value, "string")
  if not list or #list == 0 then return "must be an address, or a list of addresses" end
  for _, item in ipairs(list) do
    if type(item) ~= "string" or not item:match("^[%w]+$") then
      return "holds something that is not an address"
    end
  end
  config.core.pay_to = list
end

check.assets = function(value, config)
  local list = clauses.list_of(value, "nothing")
  if not list then return "must be a list of { network=, asset=, name=, version=, decimals= }" end
  local assets = {}
  for i, item in ipairs(list) do
    local where = ("item %d "):format(i)
    if type(item) ~= "table" then return where .. "is not a table" end
    for key in pairs(item) do
      if key ~= "network" and key ~= "asset" and key ~= "name" and key ~= "version" and key ~= "decimals" then
        return where .. "has an unknown member " .. errors.show(key)
      end
    end
    local network = networks[item.network] or item.network
    if not clauses.is_text(network) or not network:find(":", 1, true) then return where .. "needs network" end
    if not clauses.is_text(item.asset) then return where .. "needs asset, the address of the token" end
    local on_evm = wallet.rail_of(network) ~= "solana"
    if on_evm and (not clauses.is_text(item.name) or not clauses.is_text(item.version)) then
      return where .. "needs name and version, the token's EIP-712 domain"
    end
    if not on_evm and (item.name ~= nil or item.version ~= nil) then
      return where .. "takes no name and version: Solana's tokens have no EIP-712 domain"
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
      return "names no route " .. errors.show(name), errors.meant(name, names)
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
    local id = networks[name] or (type(name) == "string" and name:find(":", 1, true) and name)
    if not id then return "does not know the network " .. errors.show(name) end
    if url == false then
      config.rpc[id] = false
    elseif clauses.is_text(url) and url:match("^https?://[^%s]+$") then
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
      return "has an unknown part " .. errors.show(key), "Its parts are connect, idle and total"
    end
    local ms = clauses.seconds_ms(seconds, 86400)
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
      return "has an unknown part " .. errors.show(key), "Its parts are limit (requests) and window (seconds)"
    end
    if type(number) ~= "number" or number <= 0 or number ~= number then return key .. " must be above 0" end
  end
  if value.limit and (not compat.integer(value.limit) or value.limit < 2) then
    return "limit must be a whole number from 2 on: a paid call is two requests"
  end
  config.rate = { limit = value.limit, window = value.window }
end

check.first_request_payment = later("is not in this version", nil, { [false] = true })
check.solana_tx = function(value, config)
  if type(value) ~= "boolean" then return "must be true or false" end
  config.solana_tx = value
end
check.on_lost = one_of("fail", "repay")

check.clock = function(value, config)
  if type(value) ~= "function" then return "must be a function that returns seconds since 1970" end
  config.clock = value
end
check.transport = function(value, config)
  if type(value) ~= "function" then return "must be a function(request) that returns a response" end
  config.transport = value
end

check.api_key = function(value, config)
  if not clauses.is_text(value) then return "must be a text" end
  config.api_key = value
end

check.headers = function(value, config)
  local lines, why = headers.lines(value)
  if not lines then return why end
  config.headers = lines
end

check.proxy = word("proxy")
check.ca_file = function(value, config)
  if not clauses.is_text(value) then return "must be a path" end
  config.core.ca_file = value
end

check.resolve = function(value, config)
  local list = clauses.list_of(value, "string")
  if not list then return "must be a list such as { \"host:443:127.0.0.1\" }" end
  for _, item in ipairs(list) do
    if type(item) ~= "string" or not item:match("^[^%s:]+:%d+:%S+$") then
      return "holds something that is not \"host:port:address\""
    end
  end
  config.core.resolve = list
end

check.futures = one_of("escrow", "ledger")

check.gas = function(value, config)
  local gas, why, hint = fees.options(value)
  if not gas then return why, hint end
  config.gas = gas
end

check.escrow = function(value, config)
  if type(value) ~= "table" then return "must be a table such as { base = \"0x…\" }" end
  config.escrow = {}
  for name, address in pairs(value) do
    local id = networks[name] or (type(name) == "string" and name:match "^eip155:%d+$")
    if not id then return "does not know the network " .. errors.show(name) end
    local parsed, _, code
    if type(address) == "string" then parsed, _, code = core.evm_address_parse(address, "checksum") end
    if not parsed then
      return ("for %s must be the contract's address%s"):format(name, code == "CHECKSUM"
        and ", and this one's checksum is wrong" or "")
    end
    config.escrow[id] = parsed
  end
end

check.errors = one_of("return", "raise")

check.log = function(value, config)
  if value == false then
    config.log = nil
  elseif type(value) == "function" then
    config.log = value
  elseif value == true or value == "stderr" then
    config.log = log.line
  else
    return "must be a function(line), true, or \"stderr\""
  end
end

check.dry_run = function(value, config)
  if type(value) ~= "boolean" then return "must be true or false" end
  config.dry_run = value
end

return check
