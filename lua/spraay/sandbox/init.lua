--- The Spraay gateway on loopback: real challenges, really verified signatures, a chain in
--- miniature, files one can open. No key, no network, no money.
---
--- `sandbox.new(options)` puts the parts together; `sandbox:respond(request)` is the whole gateway
--- as a function from a request to a response; server.lua gives it a socket.
-- SPDX-License-Identifier: MIT
local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local batch = require "spraay.sandbox.batch"
local books = require "spraay.sandbox.books"
local chain = require "spraay.sandbox.chain"
local clock = require "spraay.sandbox.clock"
local compute = require "spraay.sandbox.compute"
local control = require "spraay.sandbox.control"
local crypto = require "spraay.sandbox.crypto"
local escrow = require "spraay.sandbox.evm.escrow"
local faults = require "spraay.sandbox.faults"
local free = require "spraay.sandbox.free"
local futures_escrow = require "spraay.sandbox.futures_escrow"
local futures_ledger = require "spraay.sandbox.futures_ledger"
local gate = require "spraay.sandbox.gate"
local gpu = require "spraay.sandbox.gpu"
local jobs = require "spraay.sandbox.jobs"
local json = require "spraay.sandbox.json"
local keys = require "spraay.sandbox.keys"
local limiter = require "spraay.sandbox.limiter"
local media = require "spraay.sandbox.media"
local money = require "spraay.sandbox.money"
local networks = require "spraay.sandbox.networks"
local openai = require "spraay.sandbox.openai"
local pool = require "spraay.sandbox.evm.pool"
local providers = require "spraay.sandbox.providers"
local reply = require "spraay.sandbox.reply"
local routes = require "spraay.sandbox.routes"
local solana_chain = require "spraay.sandbox.solana.chain"
local solana_keys = require "spraay.sandbox.solana.keys"
local transport = require "spraay.sandbox.transport"
local u256 = require "spraay.sandbox.evm.u256"

local sandbox = {}
sandbox.__index = sandbox
sandbox.__name = "spraay.sandbox"

local RECENT = 200

-- What answers each route, by the route's name.
local handlers = {
  gpu_run = gpu.run, gpu_status = gpu.status, gpu_models = gpu.models,
  text = compute.text, image = compute.image, video = compute.video, speech = compute.speech,
  transcription = compute.transcription, embeddings = compute.embeddings, batch = batch.handle,
  completions = openai.completions,
  status = compute.status, models = compute.models, estimate = compute.estimate,
  manifest = free.manifest, manifest_moved = free.manifest_moved, openapi = free.openapi,
  health = free.health, stats = free.stats,
  root = free.root, key_usage = free.key_usage,
}
for _, name in ipairs{ "deposit", "balance", "execute", "history", "refund", "pricing" } do
  handlers["futures_" .. name] = function(self, request) return self.futures[name](self.futures, request) end
end

-- The dialects of the futures.
local DIALECTS = { ledger = futures_ledger, escrow = futures_escrow }

local function job_seconds(value)
  local seconds = { image = 0, video = 4, speech = 0, transcription = 0, gpu = 0, slow = 4 }
  if type(value) == "number" then
    seconds.video, seconds.slow = value, value
  elseif type(value) == "table" then
    for name, one in pairs(value) do seconds[name] = one end
  end
  return seconds
end

--- Options that may change while the sandbox runs: name -> check.
local SETTINGS = {
  rate_limit = "number", rate_limit_deposit = "number", job_seconds = "any", lenient = "boolean",
  replay = "boolean", x402_version = "number", transcript_objects = "boolean", upstream = "string",
  upstream_model = "string", api_keys = "table", rails = "number", media_gone = "boolean",
  networks = "table", solana_single_use = "boolean",
}

---@class spraay.sandbox.Options
---@field network? "base"|"base-sepolia"
---@field rails? 1|2|3            rails offered; 2 is July 2026, 3 September
---@field networks? string[]      names of those offered instead, in their order: { "solana", "base" }
---@field solana_single_use? boolean  X-Solana-Tx takes a signature once, as of October
---@field dialect? "ledger"|"escrow"  of the compute futures
---@field rate_limit? number      POSTs a minute and path; 30 is the real one, 0 none (default 300)
---@field job_seconds? number|table
---@field lenient? boolean        matching as of September
---@field faults? string[]        NAME[:TIMES][@ROUTE]
---@field api_keys? table         key -> { limit =, active = }
---@field key? string             32 bytes: the account that is funded at start
---@field solana_key? string      32 bytes: the seed of the one on Solana
---@field funds? string           decimal USDC, default "1000"
---@field mining? "clock"|"instant"|"manual"   how blocks come, default by the clock
---@field ether? string           decimal ETH for gas, default "0.05"

--- Put a sandbox together. Nothing listens yet.
---@param options? spraay.sandbox.Options
---@return table? sandbox
---@return string? why
function sandbox.new(options)
  options = options or {}
  local name = options.network or "base"
  if not networks.rails(name, 1) then return nil, ("unknown network %q"):format(name) end
  local dialect = options.dialect or "ledger"
  if not DIALECTS[dialect] then
    return nil, ("the sandbox speaks the ledger and the escrow dialect of compute futures, not %q")
      :format(tostring(dialect))
  end
  if not money.parse(options.funds or "0") then
    return nil, ("%q is no amount of USDC"):format(tostring(options.funds))
  end
  if not u256.ether(options.ether or "0") then
    return nil, ("%q is no amount of ether"):format(tostring(options.ether))
  end
  if options.mining and not pool.MODES[options.mining] then
    return nil, ("blocks come by the clock, instant or manual, not %q"):format(tostring(options.mining))
  end
  local self = setmetatable({
    network = name, dialect = dialect, options = options, config = {}, clock = clock.new(),
    key = options.key or crypto.random(32),
    solana_key = solana_keys.new(options.solana_key or crypto.random(32)), port = 0, host = "127.0.0.1",
    background = function(fn) return cqueues.running():wrap(fn) end, log = options.log,
  }, sandbox)
  self.address = crypto.address_of_key(self.key)
  self.origin = ("http://%s:%d"):format(self.host, self.port)
  local why = self:reset()
  if why then return nil, why end
  return self
end

local SOL = 1000000000   -- lamports; the throwaway account has one to pay fees with

-- Money that reached the gateway without its facilitator.
local function book_transfer(self, entry)
  local rail = self.solana.rail
  for _, move in ipairs(entry.transfers) do
    if move.mint == rail.asset and move.receiver == rail.pay_to then
      local memo = entry.tx:memos()[1]
      self.books:transferred{
        payer = move.payer, payTo = rail.pay_to, amount = move.amount, nonce = entry.signature, memo = memo,
        network = rail.network, transaction = entry.signature,
      }
    end
  end
end

--- Back to the beginning: empty books, a fresh chain, one funded account, no faults but those asked
--- for at the start.
---@return string? why
function sandbox:reset()
  local options = self.options
  self.config = { rate_limit = options.rate_limit or 300, job_seconds = job_seconds(options.job_seconds) }
  self.clock.offset = 0
  self.started = self.clock:seconds()
  self.rails = networks.rails(self.network, options.rails or 2)
  self.home, self.chains = self.rails[1], {}
  for _, rail in ipairs(networks.rails(self.network, 3)) do
    local kind = rail.kind == "evm" and chain or solana_chain
    self.chains[rail.network] = kind.new(rail, self.clock)
    if rail.kind == "svm" then self.solana = self.chains[rail.network] end
  end
  self.chain = self.chains[self.home.network]
  self.chain:fund(self.address, money.parse(options.funds or "1000"))
  self.solana:fund(self.solana_key.address, money.parse(options.funds or "1000"))
  self.solana:set_lamports(self.solana_key.address, SOL)
  self.solana.on_landed = function(entry) return book_transfer(self, entry) end
  self.chain:set_ether(self.address, u256.ether(options.ether or "0.05"))
  self.chain:deploy_escrow(self.rails[1].pay_to)
  self.chain.pool:set_mode(options.mining or "clock")
  self.books, self.faults, self.limiter = books.new(self.clock), faults.new(), limiter.new(self.clock)
  self.streams = condition.new()   -- streams that a fault holds back wait for it
  self.keys, self.jobs = keys.new(self.clock), jobs.new(self.clock)
  self.media = media.new(function() return self.origin end)
  self.providers = providers.new(self)
  self.futures = DIALECTS[self.dialect].new(self)
  self.gate = gate.new(self)
  self.recent = {}
  for _, text in ipairs(options.faults or {}) do
    local armed, why = self.faults:arm_text(text)
    if not armed then return why end
  end
  local settings = {}
  for name in pairs(SETTINGS) do
    if name ~= "job_seconds" then settings[name] = options[name] end
  end
  return self:configure(settings)
end

--- Change settings.
---@param settings table
---@return string? why
function sandbox:configure(settings)
  for name, value in pairs(settings) do
    local wanted = SETTINGS[name]
    if not wanted then return ("unknown setting %q"):format(tostring(name)) end
    if wanted ~= "any" and type(value) ~= wanted then return ("%s: expected a %s"):format(name, wanted) end
    if name == "networks" then
      local why = self:cannot_offer(value)
      if why then return why end
    end
  end
  for name, value in pairs(settings) do
    if name == "job_seconds" then self.config.job_seconds = job_seconds(value)
    elseif name == "rails" then self.rails = networks.rails(self.network, math.floor(value))
    elseif name == "networks" then self.rails = networks.named(value)
    elseif name == "api_keys" then
      for key, one in pairs(value) do self.keys:add(key, type(one) == "table" and one or nil) end
    else self.config[name] = type(value) == "number" and math.tointeger(value) or value end
  end
end

-- Only what has a chain here can be paid on.
---@return string? why
function sandbox:cannot_offer(names)
  local rails, why = networks.named(names)
  for _, rail in ipairs(rails or {}) do
    if not self.chains[rail.network] then return ("%s is not offered beside %s"):format(rail.v1, self.network) end
  end
  return why
end

--- Settings and constants, for whoever drives the sandbox.
---@return table
function sandbox:describe()
  local home, names = self.home, json.array()
  for i, rail in ipairs(self.rails) do names[i] = rail.v1 end
  return {
    gateway = self.origin, rpc = self.origin .. "/_sandbox/rpc", network = home.network, asset = home.asset,
    payTo = home.pay_to, rails = #self.rails, networks = names, dialect = self.dialect, address = self.address,
    solana = { rpc = self:solana_rpc(), address = self.solana_key.address, network = self.solana.rail.network,
               asset = self.solana.rail.asset, payTo = self.solana.rail.pay_to },
    escrow = escrow.ADDRESS, config = self.config,
  }
end

--- Where Solana's RPC is.
function sandbox:solana_rpc() return self.origin .. "/_sandbox/rpc/solana" end

local function not_refused(self, route, request)
  local of_now = self.books               -- a reset may come while the handler is at work
  if request.handler_seconds then cqueues.sleep(request.handler_seconds) end
  if request.handler_crash then return reply.json(500, { error = "Internal Server Error" }) end
  of_now:handle(route.title)
  local status, body = handlers[route.name](self, request)
  if type(status) == "table" then return status end
  return reply.json(status, body)
end

local function offers_solana(self)
  for _, rail in ipairs(self.rails) do
    if rail.kind == "svm" then return true end
  end
  return false
end

-- Past the parser, the keys and the limiter: the route itself.
---@param prepaid? table  what X-Solana-Tx was good for
local function dispatch(self, request, route, key_passes, prepaid)
  if not route then return reply.not_found(request) end
  local function run() return not_refused(self, route, request) end
  if not route.price or request.method == "HEAD" then    -- HEAD is a hole in the real gate as well
    request.leg = "free"
    local fault = self.faults:take("request", request)
    local early = fault and fault:apply({ request = request })
    return early or run()
  end
  if prepaid then return self.gate:run_prepaid(prepaid, run) end
  if key_passes then return self.gate:bypass(request, route, run) end
  return self.gate:pass(request, route, run)
end

local function limit_of(self, route)
  local config = self.config
  if route and route.deposit_limit then return config.rate_limit_deposit or config.rate_limit // 3 end
  return config.rate_limit
end

-- Other ways to pay are looked at before anything else is, and on the routes of one price table only.
---@return table? prepaid
---@return table? early    an answer
local function look_at_other_payments(self, request, route)
  if not route or not route.solana_tx or request.method == "HEAD" then return end
  if request.headers["x-solana-tx"] and offers_solana(self) then
    return self.gate:look_at_transfer(request, route, self.solana)
  end
  if self.config.lenient and (request.headers.authorization or ""):find "^Payment " then     -- as of autumn
    return nil, reply.json(500, { error = "MPP payment processing failed", protocol = "mpp" })
  end
end

local function check_key(self, request)
  if request.headers["x-api-key"] and self.faults:take("keys", request) then return false end
  return self.keys:check(request)
end

local function answer(self, request)
  if request.method == "OPTIONS" then return transport.preflight() end
  if request.refusal then return control.refuse(request) end
  if request.path:find("^/_sandbox/") then return control.handle(self, request) end
  local route, id = routes.find(request.method, request.path)
  if route then request.title, request.params = route.title, { id = id } end
  local prepaid, early = look_at_other_payments(self, request, route)
  if early then return early end
  local key_passes, status, refusal = check_key(self, request)
  if refusal then return reply.json(status, refusal) end
  local headers, too_many = self.limiter:admit(request, limit_of(self, route))
  if too_many then return reply.json(429, too_many) end
  local response = dispatch(self, request, route, key_passes, prepaid)
  for _, pair in ipairs(headers) do response.headers[#response.headers + 1] = pair end
  return response
end

local function remember(self, request, response)
  local line = {
    n = request.number, time = self.clock:precise(), method = request.method, path = request.target,
    status = response.status, leg = request.leg, fault = request.fault,
    wire = response.wire and response.wire.kind,
  }
  self.recent[#self.recent + 1] = line
  if #self.recent > RECENT then table.remove(self.recent, 1) end
  if self.log then self.log(json.encode(line)) end
end

--- The gateway as a function.
---@param request table  method, path (decoded), target (raw), query, headers (lower-case names), body
---                      (table), ip, origin; or `refusal`, when the body parser already refused
---@return table response
function sandbox:respond(request)
  local ours = request.path:find("^/_sandbox/") ~= nil
  request.title = request.method .. " " .. request.path
  if not ours then request.number = self.books:request() end
  local response = answer(self, request)
  if not ours then
    for _, pair in ipairs(transport.CORS) do response.headers[#response.headers + 1] = pair end
    remember(self, request, response)
  end
  return response
end

return sandbox
