-- SPDX-License-Identifier: MIT
--- Options are checked here, once, and turned into what the core wants. An unknown name is an
-- error that suggests the known one: a typo in `per_call` must not become "no limit".
--
-- Nothing here touches disk or network; the environment arrives as a function.
local check = require "spraay.options.checks"
local errors = require "spraay.errors"
local fees = require "spraay.evm.fees"
local headers = require "spraay.options.headers"
local networks = require "spraay.options.networks"
local origin = require "spraay.options.origin"
local per_call = require "spraay.options.per_call"
local place = require "spraay.options.place"
local version = require "spraay.version"
local wallet = require "spraay.wallet"

local options = {}

options.PRODUCTION = "https://gateway.spraay.app"

-- Where chains are asked when the caller says nothing. A default is only ever for the production gateway; other
-- gateways may live on the test network behind the same variable.
local RPC = {
  { variable = "SPRAAY_BASE_RPC", production = "https://mainnet.base.org", main = networks["base"],
    test = networks["base-sepolia"] },
  { variable = "SPRAAY_SOLANA_RPC", main = networks["solana"], test = networks["solana-devnet"] },
}

options.networks = networks
options.origin, options.is_loopback = origin.parse, origin.is_loopback
options.header_lines = headers.lines
options.per_call, options.per_call_names = per_call.check, per_call.names

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

local function apply(config, name, value, env)
  local why, hint = check[name](value, config, name, env)
  if why then return refuse(name, why, hint) end
  return true
end

-- Where a client pays that does not say where: on the networks of its wallets, Base before Solana.
local function default_networks(config)
  local list = {}
  local function add(name)
    list[#list + 1] = networks[name]
    local test = name == "base" and "base-sepolia" or "solana-devnet"
    if not config.production then list[#list + 1] = networks[test] end
  end
  local on_solana = wallet.on(config.wallets, "solana")
  if not on_solana or wallet.on(config.wallets, "evm") then add("base") end
  if on_solana then add("solana") end
  return list
end

-- The first wallet is that of the first network that can be paid on: it marks the client's purchases.
local function lead_first(config)
  for _, network in ipairs(config.core.networks) do
    local lead = wallet.on(config.wallets, wallet.rail_of(network))
    if lead then
      local list = { lead }
      for _, one in ipairs(config.wallets) do
        if one ~= lead then list[#list + 1] = one end
      end
      config.wallets = list
      return
    end
  end
end

-- A transfer of one's own is signed for Solana and sent there.
local function check_solana_tx(config)
  local on_solana
  for _, id in ipairs(config.core.networks) do
    if wallet.rail_of(id) == "solana" then on_solana = on_solana or id end
  end
  if not on_solana or not wallet.on(config.wallets, "solana") then
    return refuse("solana_tx", "pays with a transfer on Solana, and there is no "
      .. (on_solana and "Solana key" or "Solana network in networks"),
      "Give wallet = spraay.wallet.solana(path), or leave solana_tx out: x402 pays on every route, without a fee")
  end
  if not config.core.rpc[on_solana] then
    return refuse("solana_tx", "sends a transaction, and no RPC is set that would take it",
      "Name one with rpc = { solana = \"https://…\" } or SPRAAY_SOLANA_RPC")
  end
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
    dry_run = false, on_lost = "fail", gas = fees.options {},
  }
  for name, value in pairs(from_environment(given, env)) do
    local ok, _, err = apply(config, name, value, env)
    if not ok then
      err.message = err.message .. (", says $SPRAAY_%s"):format(name:upper())
      return errors.fail(err)
    end
  end
  for _, name in ipairs(NAMES) do
    if given[name] ~= nil then
      local ok, message, err = apply(config, name, given[name], env)
      if not ok then return nil, message, err end
    end
  end

  local failure = wallet.take_failure()
  if given.wallet == nil then
    if failure then return nil, errors.sentence(failure), failure end
    config.wallets = wallet.of_environment(env)
  end
  local generated
  for _, one in ipairs(config.wallets) do generated = generated or one.loopback_only end
  if generated and not config.loopback then
    return refuse("wallet", "is a generated key that exists in memory only, and " .. config.gateway
      .. " is not on loopback",
      "What such a key holds is lost with the process")
  end

  config.ledger_given = given.ledger ~= nil
  if not config.ledger_given then config.ledger = place.default(env) end
  config.production = config.gateway == options.PRODUCTION
  config.core.networks = config.core.networks or default_networks(config)
  lead_first(config)
  if not config.rpc_off then
    for _, one in ipairs(RPC) do
      local url = env(one.variable)
      if url == nil or url == "" then
        url = config.production and one.production or nil
      elseif not url:match("^https?://%S+$") then
        return refuse("rpc", "from " .. one.variable .. " is not a URL")
      end
      if config.rpc[one.main] == nil then config.rpc[one.main] = url end
      if not config.production and config.rpc[one.test] == nil then config.rpc[one.test] = url end
    end
  end
  local rpc = {}
  for id, url in pairs(config.rpc) do
    if url then rpc[id] = url end
  end
  config.core.rpc = rpc
  if config.solana_tx then
    local ok, message, err = check_solana_tx(config)
    if not ok then return nil, message, err end
  end
  config.core.gateway, config.core.production = config.gateway, config.production
  config.core.user_agent = "spraay-lua/" .. version
  if config.rate == nil then config.rate = config.production end
  return config
end

return options
