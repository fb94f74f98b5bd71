--- One paid call, as the end-to-end suite of the x402 repository wants it from a client: it reads its environment,
--- pays for one GET, and prints what came as JSON, the last line of its output. Exit status 0 says that it was bought.
---   RESOURCE_SERVER_URL, ENDPOINT_PATH ("/protected" unless said), MAX_USDC ("1.00"),
---   EVM_PRIVATE_KEY, SVM_PRIVATE_KEY (since 2026 also with CLIENT_ before them), EVM_RPC_URL, SVM_RPC_URL (optional)
--- The contract: e2e/clients/text-client-protocol.txt in github.com/x402-foundation/x402
-- SPDX-License-Identifier: MIT
local spraay = require "spraay"
local cjson = require "cjson"

local function env(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

local function leave(result)
  print(result.success and "Client test completed successfully" or "Client test failed: " .. tostring(result.error))
  print(cjson.encode(result))
  os.exit(result.success and 0 or 1, true)
end

local server, path = env "RESOURCE_SERVER_URL", env "ENDPOINT_PATH" or "/protected"
if not server then leave { success = false, error = "RESOURCE_SERVER_URL must be set" } end

-- The rails there are keys for.
local wallets, networks = {}, {}
local function key(name) return env("CLIENT_" .. name) and "CLIENT_" .. name or env(name) and name end

local evm, svm = key "EVM_PRIVATE_KEY", key "SVM_PRIVATE_KEY"
if evm then
  wallets[#wallets + 1] = spraay.wallet.env(evm)
  networks[#networks + 1], networks[#networks + 2] = "base-sepolia", "base"
end
if svm then
  wallets[#wallets + 1] = spraay.wallet.env(svm)
  networks[#networks + 1], networks[#networks + 2] = "solana-devnet", "solana"
end
if #wallets == 0 then leave { success = false, error = "EVM_PRIVATE_KEY or SVM_PRIVATE_KEY must be set" } end

local rpc = {}
for _, network in ipairs(networks) do
  rpc[network] = env(network:match "^solana" and "SVM_RPC_URL" or "EVM_RPC_URL")
end

local client, trouble = spraay.open { gateway = server, wallet = wallets, networks = networks, rpc = rpc,
  ledger = false, per_call = env "MAX_USDC" or "1.00" }
if not client then leave { success = false, error = trouble } end

local result, message, err = client:request("GET", path)
client:close()
if not result then
  leave { success = false, error = message, status_code = err.status }
end
local payment = result.payment
leave {
  success = payment.status == "settled" or payment.status == "free", data = result.body,
  status_code = result.http.status,
  payment_response = payment.status ~= "free" and {
    success = payment.status == "settled", transaction = payment.transaction, network = payment.network,
    payer = payment.payer, status = payment.status,
  } or nil,
}
