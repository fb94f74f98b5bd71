--- Routes that cost nothing: discovery, health, statistics, the front page.
--- The manifest tells the prices of the gate, and openapi.json the ledger dialect of the futures, whatever
--- is really spoken; compute/models and compute/estimate are missing from the one, all of compute from the
--- other, as at the gateway.
-- SPDX-License-Identifier: MIT
local bazaar = require "spraay.sandbox.bazaar"
local js = require "spraay.sandbox.js"
local json = require "spraay.sandbox.json"
local models = require "spraay.sandbox.models"
local money = require "spraay.sandbox.money"
local reply = require "spraay.sandbox.reply"
local routes = require "spraay.sandbox.routes"

local free = {}

local VERSION = "3.8.3"

local function price_text(micro)
  if not micro then return "free" end
  return "$" .. money.text(micro):gsub("0+$", ""):gsub("%.$", "")
end

local function uptime(seconds)
  local d, h, m, s = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60, seconds % 60
  if d > 0 then return ("%dd %dh %dm"):format(d, h, m) end
  if h > 0 then return ("%dh %dm %ds"):format(h, m, s) end
  return ("%dm %ds"):format(m, s)
end

local function age(sandbox) return sandbox.clock:seconds() - sandbox.started end

-- The kind of compute behind a route, for those who search the manifest.
local KINDS = { text = "text-inference", image = "image-generation", video = "video-generation",
                speech = "text-to-speech", transcription = "speech-to-text", embeddings = "embeddings" }

local function compute_part(route)
  local kind = KINDS[route.name]
  if not kind then return nil end
  local entry, ids = models.registry[kind], json.array()
  for i, model in ipairs(entry.models) do ids[i] = model.id end
  return { type = kind, searchTerms = json.array(entry.search_terms), models = ids,
           providers = json.array{ entry.default.provider } }
end

function free.manifest(sandbox, request)
  local resources, home = json.array(), sandbox.home
  for _, route in ipairs(routes.list) do
    if route.group ~= "discovery" and route.group ~= "meta" and not route.hidden then
      resources[#resources + 1] = {
        resource = request.origin .. route.path, method = route.method, price = price_text(route.price),
        category = route.group, description = route.text, compute = compute_part(route),
      }
    end
  end
  local body = {
    x402Version = 2, name = "Spraay x402 Gateway", homepage = "https://spraay.app",
    description = "A local stand-in for the Spraay gateway.", network = home.network, payTo = home.pay_to,
    repository = "https://github.com/plagtech/spraay-x402-gateway",
    facilitator = "https://api.cdp.coinbase.com/platform/v2/x402", resources = resources,
    supportedChains = json.array(), updatedAt = js.iso(sandbox.clock:precise()),
  }
  for i, rail in ipairs(sandbox.rails) do
    body.supportedChains[i] = rail.network
    if rail.kind == "svm" then
      body.solanaPayment = { enabled = true, chain = "solana", cluster = "mainnet-beta",
                             receiveAddress = rail.pay_to, usdcMint = rail.asset, txHeader = "X-Solana-Tx",
                             discovery = request.origin .. "/.well-known/solana.json" }
    elseif rail ~= home then
      body.robinhoodPayment = { enabled = true, network = rail.network, asset = rail.asset,
                                payTo = rail.pay_to }
    end
  end
  return 200, body
end

local DESCRIBED = { gpu = true, ["compute-futures"] = true }

-- A route as this format describes one, by the samples of its challenge.
local function operation(route)
  local schema = bazaar.of(route).bazaar.schema.properties.input.properties
  local parameters = json.array()
  if route.path:find(":id", 1, true) then
    parameters[1] = { name = "id", ["in"] = "path", required = true, schema = { type = "string" } }
  end
  for name, sample in pairs(route.query or {}) do
    parameters[#parameters + 1] = { name = name, ["in"] = "query", schema = { type = "string" }, example = sample }
  end
  local described = { summary = route.text, parameters = parameters,
    responses = { ["200"] = { description = "OK", content = { ["application/json"] = { example = route.answer } } } } }
  if route.price then described.responses["402"] = { description = "Payment required" } end
  if route.method == "POST" then
    described.requestBody = { required = true,
      content = { ["application/json"] = { schema = schema.body, example = route.sample } } }
  end
  return described
end

--- Old, and without the routes of compute.
function free.openapi(_, request)
  local paths = {}
  for _, route in ipairs(routes.list) do
    if DESCRIBED[route.group] then
      local path = route.path:gsub(":id$", "{id}")
      paths[path] = paths[path] or {}
      paths[path][route.method:lower()] = operation(route)
    end
  end
  return 200, { openapi = "3.1.0", info = { title = "Spraay x402 Gateway", version = "3.7.0" },
                servers = json.array{ { url = request.origin } }, paths = paths }
end

function free.manifest_moved(_, request)
  return reply.json(308, {}, { { "location", request.origin .. "/.well-known/x402.json" } })
end

function free.health(sandbox)
  return 200, {
    status = "healthy", uptime = uptime(age(sandbox)), version = VERSION, network = sandbox.home.network,
    services = { aiGateway = "configured", batchPayments = "ready", swapData = "ready" }, protocol = "x402",
  }
end

--- Only the futures are counted here, and at price 0; the books know better (/_sandbox/ledger).
function free.stats(sandbox)
  local breakdown, total = json.array(), 0
  for _, route in ipairs(routes.list) do
    local count = sandbox.books.handled[route.title]
    if count and route.group == "compute-futures" then
      total = total + count
      breakdown[#breakdown + 1] = { endpoint = "compute_" .. route.name, requests = count,
                                    revenueUSDC = "$0.0000", pricePerRequest = "$0" }
    end
  end
  return 200, { totalPaidRequests = total, estimatedRevenueUSDC = "$0.0000", uptime = uptime(age(sandbox)),
                breakdown = breakdown, _note = "Since this process started." }
end

-- What a kind of compute costs by list, from the cheapest model to the dearest: "$0.003-$0.10".
local function list_prices(kind)
  local low, high = math.huge, 0
  for _, model in ipairs(models.registry[kind].models) do
    low, high = math.min(low, model.price), math.max(high, model.price)
  end
  local function text(price) return (("$%.3f"):format(price):gsub("(%.%d%d)0$", "%1")) end
  return low == high and text(low) or text(low) .. "-" .. text(high)
end

function free.root(sandbox)
  local endpoints = { free = {}, paid = {} }
  for _, route in ipairs(routes.list) do
    local kind = KINDS[route.name]
    endpoints[route.price and "paid" or "free"][route.title] =
      kind and ("%s (%s)"):format(route.text, list_prices(kind)) or route.text
  end
  return 200, {
    name = "Spraay x402 Gateway (sandbox)", version = VERSION, docs = "https://docs.spraay.app",
    description = "A stand-in for the Spraay gateway on loopback; no real money moves here.",
    discovery = "/.well-known/x402.json", endpoints = endpoints, network = sandbox.home.network,
    contract = "0xaF4e43d512C73c6731769620ca6b73f0FCFF9118", payTo = sandbox.home.pay_to,
    mainnet = false, bazaar = true, totalEndpoints = #routes.list,
    protocols = { x402 = { version = 2 }, mpp = { enabled = false } },
    subscription = { header = "X-API-Key", usage = "/v1/auth/usage" },
  }
end

function free.key_usage(sandbox, request)
  local usage = sandbox.keys:usage(request.headers["x-api-key"])
  if not usage then return 401, { error = "invalid_api_key", message = "Send X-API-Key." } end
  return 200, usage
end

return free
