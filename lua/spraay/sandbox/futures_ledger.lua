--- Compute futures, ledger dialect: accounts are rows, credit costs nothing, ids are secrets.
---
--- The gate takes its fee in USDC; the credit itself is a number the depositor names. Balances are
--- doubles printed with six decimals, as at the gateway, and `execute` debits before the gate
--- settles: if settlement then fails, the debit stays and the answer is lost.
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local input = require "spraay.sandbox.futures_input"
local js = require "spraay.sandbox.js"
local json = require "spraay.sandbox.json"
local models = require "spraay.sandbox.models"
local providers = require "spraay.sandbox.providers"

local futures = {}
futures.__index = futures
futures.__name = "spraay.sandbox.futures_ledger"

futures.VERSION = "3.8.0"

local TIERS = {
  { name = "starter", from = 1, rate = 0, label = "No discount" },
  { name = "builder", from = 10, rate = 0.05, label = "5% discount" },
  { name = "scale", from = 50, rate = 0.10, label = "10% discount" },
  { name = "enterprise", from = 200, rate = 0.15, label = "15% discount" },
}

local EXAMPLE_ID = "CFE-0123456789ABCDEF"
local EXAMPLE_ADDRESS = "0x0000000000000000000000000000000000000001"

function futures.new(sandbox)
  return setmetatable({ sandbox = sandbox, accounts = {}, usage = {} }, futures)
end

local function tier_of(amount)
  local found = TIERS[1]
  for _, tier in ipairs(TIERS) do
    if amount >= tier.from then found = tier end
  end
  return found
end

local function tier_list()
  local list = json.array()
  for i, tier in ipairs(TIERS) do
    list[i] = { name = tier.name, minDeposit = ("$%d USDC"):format(tier.from), discount = tier.label }
  end
  return list
end

-- Every answer of these routes ends alike.
local function stamped(self, body, endpoint)
  body._gateway = { provider = "spraay-x402", version = futures.VERSION,
                    endpoint = "/api/v1/compute-futures/" .. endpoint }
  body.timestamp = js.iso(self.sandbox.clock:precise())
  return 200, body
end

-- The store of the accounts, unless a fault has taken it down.
local function stored(self, request)
  if request.store_down then error({ details = "fetch failed" }, 0) end
  return self.accounts
end

local function notice_expiry(self, account)
  if account.status == "active" and self.sandbox.clock:seconds() >= account.expires then
    account.status = "expired"
  end
end

-- The account of an id as the caller wrote it, its expiry noticed on the way.
local function find(self, request, id)
  local account = stored(self, request)[js.string(id):upper()]
  if account then notice_expiry(self, account) end
  return account
end

local function not_found(id) return 404, { error = "Compute future not found: " .. js.string(id) } end

function futures:deposit(request)
  local body = request.body
  local depositor, amount = body.depositor, body.amount
  if not js.truthy(depositor) or not js.truthy(amount) then
    return 400, {
      error = "Missing required fields",
      required = { depositor = "EVM address", amount = "USDC as a decimal string, at least \"1\"" },
      optional = { expiresInDays = "number of days, default 90" },
      tiers = tier_list(), example = { depositor = EXAMPLE_ADDRESS, amount = "50" },
    }
  end
  local status, refusal = input.refuse_deposit(depositor, amount)
  if status then return status, refusal end
  local days = js.number(body.expiresInDays)
  if not days or days <= 0 then days = 90 end
  local tier, expires = tier_of(js.parse_float(amount)), self.sandbox.clock:seconds() + days * 86400
  local expires_text = js.iso(expires)
  local account = {
    id = "CFE-" .. crypto.hex(crypto.random(8)):upper(), depositor = depositor, amount = amount,
    balance = amount, used = "0", jobs = 0, tier = tier, status = "active",
    expires = math.floor(expires),
  }
  stored(self, request)[account.id] = account
  return stamped(self, {
    status = "active",
    computeFuture = {
      id = account.id, depositor = depositor, depositAmount = amount .. " USDC",
      balanceRemaining = amount .. " USDC", tier = tier.name, discount = tier.label,
      expiresAt = expires_text, expiresInDays = days,
    },
    actions = {
      execute = { endpoint = "POST /api/v1/compute-futures/execute",
                  body = { futuresId = account.id, type = "text-inference", messages = json.array() } },
      balance = { endpoint = "GET /api/v1/compute-futures/balance?id=" .. account.id },
      history = { endpoint = "GET /api/v1/compute-futures/history?id=" .. account.id },
      refund = { endpoint = "POST /api/v1/compute-futures/refund",
                 body = { futuresId = account.id, caller = depositor } },
    },
    note = "Whoever knows the id can spend the balance.",
  }, "deposit")
end

function futures:balance(request)
  local id = request.query.id
  if not js.truthy(id) then
    return 400, { error = "id query param required",
                  example = "/api/v1/compute-futures/balance?id=" .. EXAMPLE_ID }
  end
  local account = find(self, request, id)
  if not account then return not_found(id) end
  return stamped(self, {
    id = account.id, depositor = account.depositor, depositAmount = account.amount .. " USDC",
    balanceRemaining = account.balance .. " USDC", totalUsed = account.used .. " USDC",
    tier = account.tier.name, discount = account.tier.label, jobCount = account.jobs,
    status = account.status, expiresAt = js.iso(account.expires),
  }, "balance")
end

local NEEDED = {
  ["text-inference"] = { "messages", "messages array required for text-inference" },
  ["image-generation"] = { "prompt", "prompt required for image-generation" },
  ["video-generation"] = { "prompt", "prompt required for video-generation" },
  ["text-to-speech"] = { "text", "text required for text-to-speech" },
  ["speech-to-text"] = { "audio_url", "audio_url required for speech-to-text" },
  embeddings = { "input", "input required for embeddings" },
}

-- The debit, and the row that history shows. `read` is the account as it was before the job ran: whoever else
-- was debited meanwhile is forgotten, since nobody locks anything.
local function debit(self, account, read, id_as_sent, kind, model, price)
  local before = tonumber(read.balance)
  local after = before - price
  account.balance = js.fixed(after, 6)
  account.used = js.fixed(tonumber(read.used) + price, 6)
  account.jobs = read.jobs + 1
  if after <= 0.0001 then account.status = "exhausted" end
  local rows = self.usage[id_as_sent] or {}
  self.usage[id_as_sent] = rows
  rows[#rows + 1] = {
    jobType = kind, model = model.id, modelLabel = model.label, basePrice = js.fixed(model.price, 6),
    discount = js.fixed(account.tier.rate, 4), effectivePrice = js.fixed(price, 6),
    balanceBefore = js.fixed(before, 6), balanceAfter = account.balance,
    timestamp = js.iso(self.sandbox.clock:precise()),
  }
end

-- Everything that may refuse an execution before work begins, in the gateway's order.
---@return table? account
---@return table model_or_status
---@return table? refusal
local function admit(self, request)
  local body = request.body
  local id, kind = body.futuresId, body.type
  if not js.truthy(id) or not js.truthy(kind) then
    return nil, 400, { error = "futuresId and type are required", types = json.array(models.TYPES),
                       example = { futuresId = EXAMPLE_ID, type = "text-inference",
                                   messages = json.array() } }
  end
  if type(kind) ~= "string" or not models.registry[kind] then
    return nil, 400, { error = "Invalid compute type: " .. js.string(kind), valid = json.array(models.TYPES) }
  end
  local account = stored(self, request)[js.string(id):upper()]
  if not account then return nil, not_found(id) end
  if account.status ~= "active" then
    return nil, 400, { error = ("Cannot execute: account status is '%s'"):format(account.status) }
  end
  notice_expiry(self, account)                  -- too late for the check above, as at the gateway
  if account.status == "expired" then
    return nil, 400,
      { error = "Compute future has expired. Refund remaining balance or create a new deposit." }
  end
  local model = models.resolve(kind, body.model)
  if not model then
    return nil, 400, { error = ("Model '%s' not available for %s. Use /compute/models to see options.")
      :format(models.named(body.model), kind) }
  end
  local price = model.price * (1 - account.tier.rate)
  if tonumber(account.balance) < price then
    return nil, 402, { error = "Insufficient compute credits",
                       required = ("$%s USDC"):format(js.fixed(price, 4)),
                       balanceRemaining = ("$%s USDC"):format(js.fixed(tonumber(account.balance), 4)),
                       suggestion = "Make another deposit, or pay per call." }
  end
  local lack = input.lacking(NEEDED, kind, body)
  if lack then return nil, 400, { error = lack } end
  return account, model
end

function futures:execute(request)
  local body = request.body
  local account, model, refusal = admit(self, request)
  if not account then return model, refusal end
  local kind, params = body.type, providers.job_params(body, 1024)
  local read = { balance = account.balance, used = account.used, jobs = account.jobs }
  local result, details = providers.try(function()
    return self.sandbox.providers:run(request, kind, model, params)
  end)
  if not result then
    return 502, { error = "Compute failed (balance not charged)", details = details,
                  balanceRemaining = js.fixed(tonumber(account.balance), 4) .. " USDC" }
  end
  local price = model.price * (1 - account.tier.rate)
  debit(self, account, read, body.futuresId, kind, model, price)
  local percent = math.floor(account.tier.rate * 100 + 0.5)
  return stamped(self, {
    status = "completed",
    billing = {
      basePrice = "$" .. js.fixed(model.price, 4), discount = percent > 0 and percent .. "%" or "none",
      charged = ("$%s USDC"):format(js.fixed(price, 4)),
      balanceRemaining = ("$%s USDC"):format(account.balance),
      jobNumber = account.jobs, accountStatus = account.status,
    },
    compute = { type = kind, model = model.id, modelLabel = model.label, provider = model.provider,
                result = result },
  }, "execute")
end

function futures:history(request)
  local id = request.query.id
  if not js.truthy(id) then return 400, { error = "id query param required" } end
  local account = find(self, request, id)
  if not account then return not_found(id) end
  local limit = js.number(request.query.limit) or 50
  -- Rows lie under the id as it was written when executing, and are sought in upper case.
  local rows, usage = self.usage[account.id] or {}, json.array()
  for i = #rows, math.max(1, #rows - math.floor(limit) + 1), -1 do usage[#usage + 1] = rows[i] end
  return stamped(self, {
    id = account.id, depositor = account.depositor, depositAmount = account.amount .. " USDC",
    balanceRemaining = account.balance .. " USDC", totalUsed = account.used .. " USDC",
    jobCount = account.jobs, status = account.status, usage = usage,
  }, "history")
end

function futures:refund(request)
  local id, caller = request.body.futuresId, request.body.caller
  if not js.truthy(id) or not js.truthy(caller) then
    return 400, { error = "futuresId and caller are required",
                  example = { futuresId = EXAMPLE_ID, caller = EXAMPLE_ADDRESS } }
  end
  if not input.address(caller) then return 400, { error = "Invalid caller address" } end
  local account = find(self, request, id)
  if not account then return not_found(id) end
  if caller:lower() ~= account.depositor:lower() then
    return 403, { error = "Only the depositor can request a refund" }
  end
  if account.status == "refunded" then return 400, { error = "Already refunded" } end
  if tonumber(account.balance) <= 0 then return 400, { error = "No balance remaining to refund" } end
  account.status = "refunded"                     -- and the balance stays as it was
  return stamped(self, {
    status = "refunded",
    refund = { futuresId = account.id, depositor = account.depositor,
               refundAmount = account.balance .. " USDC", totalUsed = account.used .. " USDC",
               jobsExecuted = account.jobs },
    note = "The remaining balance is marked as refunded.",
  }, "refund")
end

function futures:pricing()
  local pricing = {}
  for _, kind in ipairs(models.TYPES) do
    local list = json.array()
    for i, model in ipairs(models.registry[kind].models) do
      local prices = json.array()
      for t = 2, #TIERS do
        prices[t - 1] = { tier = TIERS[t].name, discount = TIERS[t].label,
                          price = "$" .. js.fixed(model.price * (1 - TIERS[t].rate), 4) }
      end
      list[i] = { model = model.id, label = model.label, provider = model.provider,
                  basePrice = "$" .. js.fixed(model.price, 3), tierPrices = prices }
    end
    pricing[kind] = list
  end
  return stamped(self, {
    tiers = tier_list(), pricing = pricing, batchDiscount = "10% (via /compute/batch)",
    note = "List prices less the discount of the account's tier.",
  }, "pricing")
end

-- What is thrown on the way (a broken store, an amount that cannot be parsed, a model that is no
-- text) ends in the route's own 500.
for name, sentence in pairs{
  deposit = "Failed to create compute future", balance = "Failed to fetch balance",
  execute = "Compute futures execution failed", history = "Failed to fetch history",
  refund = "Failed to process refund",
} do
  local route = futures[name]
  futures[name] = function(self, request)
    local status, body
    local _, details = providers.try(function()
      status, body = route(self, request)
      return true
    end)
    if details then return 500, { error = sentence, details = details } end
    return status, body
  end
end

return futures
