--- Compute futures, escrow dialect: the account is an address, the money lies in a contract on Base.
---
--- The gateway stores nothing. It writes out the calls a depositor has to sign, reads balances from the
--- chain, and its operator draws a job's price down once the job is done. Whoever names a depositor
--- spends his credit: nobody asks for a signature. When the drawdown fails the work is given away,
--- inside an error. The usage it writes down lies under the address as it was sent and is sought in
--- capitals, so history has never any.
-- SPDX-License-Identifier: MIT
local abi = require "spraay.sandbox.evm.abi"
local crypto = require "spraay.sandbox.crypto"
local escrow = require "spraay.sandbox.evm.escrow"
local input = require "spraay.sandbox.futures_input"
local js = require "spraay.sandbox.js"
local json = require "spraay.sandbox.json"
local models = require "spraay.sandbox.models"
local providers = require "spraay.sandbox.providers"
local u256 = require "spraay.sandbox.evm.u256"

local futures = {}
futures.__index = futures
futures.__name = "spraay.sandbox.futures_escrow"

futures.VERSION = "3.8.1"

local CONTRACT = escrow.ADDRESS
local BASESCAN = "https://basescan.org/address/" .. CONTRACT
local EXAMPLE_ADDRESS = "0x0000000000000000000000000000000000000001"

function futures.new(sandbox) return setmetatable({ sandbox = sandbox }, futures) end

local function percent(tier) return ("%d%%"):format(tier.discount // 100) end

local function discount_text(tier)
  return tier.discount > 0 and percent(tier) .. " discount" or "No discount"
end

local function tier_list(unit)
  local list = json.array()
  for number = 0, #escrow.TIERS do
    local tier = escrow.TIERS[number]
    list[number + 1] = { name = tier.name, discount = percent(tier),
                         minDeposit = ("$%d%s"):format(math.max(tier.from // 1000000, 1), unit) }
  end
  return list
end

-- Micro-USDC as the gateway's library prints them: zeros trimmed, one place always there.
local function units(micro)
  local text = ("%d.%06d"):format(micro // 1000000, micro % 1000000):gsub("0+$", "")
  return text:sub(-1) == "." and text .. "0" or text
end

local function usdc_text(micro) return units(micro) .. " USDC" end

-- Every answer ends alike; some routes name themselves.
local function stamped(self, body, endpoint)
  body._gateway = { provider = "spraay-x402", version = futures.VERSION, endpoint = endpoint }
  body.timestamp = js.iso(self.sandbox.clock:precise())
  return 200, body
end

-- The account on the chain, unless a fault has cut the gateway off from it.
local function account_of(self, request, address)
  if request.store_down then error({ details = "could not coalesce error (fetch failed)" }, 0) end
  return self.sandbox.chain:escrow_account(address)
end

local function transaction(self, to, data, description)
  return { to = to, data = "0x" .. crypto.hex(data), value = "0x0", description = description,
           chainId = self.sandbox.home.chain_id }
end

function futures:deposit(request)
  local body, asset = request.body, self.sandbox.home.asset
  local depositor, amount = body.depositor, body.amount
  if not js.truthy(depositor) or not js.truthy(amount) then
    return 400, {
      error = "Missing required fields",
      required = { depositor = "EVM address", amount = "USDC as a decimal string, at least \"1\"" },
      howItWorks = json.array{
        "1. approve() on USDC lets the contract take the amount",
        "2. deposit() on the contract takes it",
        "3. The contract holds the money, not the gateway",
        "4. compute-futures/execute runs a job and draws its price down on chain",
        "5. refund() on the contract gives back what is left, at any time",
      },
      contract = CONTRACT, usdc = asset, basescan = BASESCAN,
      example = { depositor = EXAMPLE_ADDRESS, amount = "50" },
    }
  end
  local status, refusal = input.refuse_deposit(depositor, amount)
  if status then return status, refusal end
  local word = u256.of(input.micro_digits(amount))
  if not word then error({ details = "value out-of-bounds" }, 0) end
  return stamped(self, {
    status = "sign_required",
    message = ("Sign and send these 2 transactions to deposit %s USDC into the escrow."):format(amount),
    transactions = json.array{
      transaction(self, asset, abi.call("approve(address,uint256)", CONTRACT, word),
        ("Approve the escrow to take %s USDC"):format(amount)),
      transaction(self, CONTRACT, abi.call("deposit(uint256)", word),
        ("Deposit %s USDC into the escrow"):format(amount)),
    },
    contract = { address = CONTRACT, basescan = BASESCAN,
                 note = "The contract holds the money; refund() on it works at any time." },
    tiers = tier_list "",
    afterDeposit = {
      execute = "POST /api/v1/compute-futures/execute",
      balance = "GET /api/v1/compute-futures/balance?address=" .. depositor,
      refund = "Call refund() on " .. CONTRACT,
    },
  }, "POST /api/v1/compute-futures/deposit")
end

local function asked_address(request)
  local query = request.query
  return js.truthy(query.address) and query.address or query.id
end

function futures:balance(request)
  local asked = asked_address(request)
  local address = input.address(asked)
  if not address then
    return 400, { error = "address query param required",
                  example = "/api/v1/compute-futures/balance?address=" .. EXAMPLE_ADDRESS }
  end
  local account = account_of(self, request, address)
  local tier = escrow.TIERS[account.tier]
  return stamped(self, {
    address = asked, balance = usdc_text(account.balance), deposited = usdc_text(account.deposited),
    totalDrawn = usdc_text(account.drawn), totalRefunded = usdc_text(account.refunded),
    jobCount = account.jobs, tier = tier.name, discount = discount_text(tier),
    discountBps = account.discount, contract = CONTRACT, source = "on-chain",
  })
end

local NEEDED = {
  ["text-inference"] = { "messages", "messages array required for text-inference" },
  ["image-generation"] = { "prompt", "prompt required" },
  ["video-generation"] = { "prompt", "prompt required" },
  ["text-to-speech"] = { "text", "text required" },
  ["speech-to-text"] = { "audio_url", "audio_url required" },
  embeddings = { "input", "input required" },
}

-- Everything that may refuse an execution before work begins, in the gateway's order.
---@return table? job  depositor, model, rate, price, balance (doubles, as the gateway counts)
---@return integer? status
---@return table? refusal
local function admit(self, request)
  local body = request.body
  local kind = body.type
  if not js.truthy(body.depositor) or not js.truthy(kind) then
    return nil, 400, { error = "depositor (address) and type are required", types = json.array(models.TYPES),
                       example = { depositor = EXAMPLE_ADDRESS, type = "text-inference",
                                   messages = json.array{ { role = "user", content = "Hello" } } } }
  end
  local depositor = input.address(body.depositor)
  if not depositor then return nil, 400, { error = "Invalid depositor address" } end
  if type(kind) ~= "string" or not models.registry[kind] then
    return nil, 400, { error = "Invalid compute type: " .. js.string(kind), valid = json.array(models.TYPES) }
  end
  local account = account_of(self, request, depositor)
  if account.balance == 0 then
    return nil, 402, { error = "No compute credits. Deposit USDC first.", contract = CONTRACT }
  end
  local model = models.resolve(kind, body.model)
  if not model then
    return nil, 400, { error = ("Model '%s' not available for %s. Use /compute/models to see options.")
      :format(js.string(body.model), kind) }
  end
  local rate, balance = account.discount / 10000, account.balance / 1000000
  local price = model.price * (1 - rate)
  if price > balance then
    return nil, 402, { error = "Insufficient compute credits",
                       required = ("$%s USDC"):format(js.fixed(price, 4)),
                       balanceRemaining = ("$%s USDC"):format(js.fixed(balance, 4)),
                       suggestion = "Deposit more, or choose a cheaper model." }
  end
  local lack = input.lacking(NEEDED, kind, body)
  if lack then return nil, 400, { error = lack } end
  return { depositor = depositor, model = model, rate = rate, price = price, balance = balance }
end

-- The operator's transaction, mined before the answer goes out.
---@return string? hash
---@return string? why
local function draw_down(self, request, job)
  if request.drawdown_fails then return nil, request.drawdown_fails end
  local micro = math.tointeger(tonumber((js.fixed(job.price, 6):gsub("%.", ""))))
  return self.sandbox.chain:drawdown(job.depositor, micro)
end

function futures:execute(request)
  local body = request.body
  local job, status, refusal = admit(self, request)
  if not job then return status, refusal end
  local kind, model = body.type, job.model
  local params = providers.job_params(body, 1024)
  local result, details = providers.try(function()
    return self.sandbox.providers:run(request, kind, model, params)
  end)
  if not result then
    return 502, { error = "Compute failed (balance NOT charged)", details = details,
                  balanceRemaining = js.fixed(job.balance, 4) .. " USDC" }
  end
  local hash, why = draw_down(self, request, job)
  if not hash then
    return 500, { error = "Compute succeeded but on-chain drawdown failed. You were NOT charged. Please retry.",
                  details = why, compute = { type = kind, model = model.id, result = result } }
  end
  local left = account_of(self, request, job.depositor).balance
  return stamped(self, {
    status = "completed",
    billing = {
      basePrice = "$" .. js.fixed(model.price, 4),
      discount = job.rate > 0 and ("%.0f%%"):format(job.rate * 100) or "none",
      charged = ("$%s USDC"):format(js.fixed(job.price, 4)),
      balanceRemaining = ("$%s"):format(usdc_text(left)), drawdownTx = hash, settlement = "on-chain",
    },
    compute = { type = kind, model = model.id, modelLabel = model.label, provider = model.provider,
                result = result },
    contract = CONTRACT,
  }, "POST /api/v1/compute-futures/execute")
end

function futures:history(request)
  local asked = asked_address(request)
  if not js.truthy(asked) then return 400, { error = "address query param required" } end
  local address = input.address(asked)
  if not address then
    error({ details = "network does not support ENS (operation=\"getEnsAddress\", code=UNSUPPORTED_OPERATION)" }, 0)
  end
  local account = account_of(self, request, address)
  return stamped(self, {
    address = asked,
    onChain = {
      balance = usdc_text(account.balance), deposited = usdc_text(account.deposited),
      totalDrawn = usdc_text(account.drawn), totalRefunded = usdc_text(account.refunded),
      jobCount = account.jobs, tier = escrow.TIERS[account.tier].name,
    },
    usage = json.array(), contract = CONTRACT,
  })
end

function futures:refund(request)
  local address = input.address(request.body.depositor)
  if not address then
    return 400, { error = "depositor address required", example = { depositor = EXAMPLE_ADDRESS } }
  end
  local balance = account_of(self, request, address).balance
  if balance == 0 then return 400, { error = "No balance to refund" } end
  local amount = usdc_text(balance)
  return stamped(self, {
    status = "sign_required",
    message = ("Sign and send this transaction to get %s back. Nobody but the depositor can."):format(amount),
    refundAmount = amount,
    transaction = transaction(self, CONTRACT, abi.call "refund()", ("Refund %s from the escrow"):format(amount)),
    contract = { address = CONTRACT, basescan = BASESCAN,
                 note = "refund() on the contract needs no gateway." },
  }, "POST /api/v1/compute-futures/refund")
end

local function tier_prices(price)
  local prices = {}
  for number = 0, #escrow.TIERS do
    local tier = escrow.TIERS[number]
    prices[tier.name] = ("$%s (%s off)"):format(js.fixed(price * (1 - tier.discount / 10000), 4), percent(tier))
  end
  return prices
end

function futures:pricing(request)
  local pricing = {}
  for _, kind in ipairs(models.TYPES) do
    local list = json.array()
    for i, model in ipairs(models.registry[kind].models) do
      list[i] = { model = model.id, label = model.label, provider = model.provider,
                  basePrice = "$" .. js.fixed(model.price, 3), tierPrices = tier_prices(model.price) }
    end
    pricing[kind] = list
  end
  local chain, held, count = self.sandbox.chain, "N/A", "N/A"
  if not request.store_down then
    held = usdc_text(chain:balance(CONTRACT))
    count = tostring(chain.state:get(escrow.COUNT) or 0)
  end
  return stamped(self, {
    tiers = tier_list " USDC", pricing = pricing, batchDiscount = "10% (via /compute/batch)",
    contract = { address = CONTRACT, totalDeposits = held, depositorCount = count, basescan = BASESCAN },
    howItWorks = json.array{
      "1. POST /compute-futures/deposit writes out an approve and a deposit transaction",
      "2. Both are signed and sent; the contract holds the USDC",
      "3. POST /compute-futures/execute runs a job and draws its price down on chain",
      "4. refund() on the contract gives back what is left",
    },
  }, "GET /api/v1/compute-futures/pricing")
end

-- What is thrown on the way ends in the route's own 500.
for name, sentence in pairs{
  deposit = "Failed to build deposit transactions", balance = "Failed to read on-chain balance",
  execute = "Compute futures execution failed", history = "Failed to fetch history",
  refund = "Failed to build refund transaction",
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
