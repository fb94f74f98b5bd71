-- SPDX-License-Identifier: MIT
-- The entry for the end-to-end suite of the x402 repository, run as that suite would run it.
local cjson = require "cjson"
local world = require "spec.interop.world"

-- Run it; its exit status and the JSON of its last line.
local function run(variables)
  local words = { "env -u EVM_PRIVATE_KEY -u SVM_PRIVATE_KEY -u CLIENT_EVM_PRIVATE_KEY -u CLIENT_SVM_PRIVATE_KEY" }
  for name, value in pairs(variables) do words[#words + 1] = ("%s='%s'"):format(name, value) end
  local pipe = io.popen(table.concat(words, " ") .. " bash spec/interop/e2e/run.sh 2>&1; echo $?")
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  local ok, json = pcall(cjson.decode, lines[#lines - 1])
  assert(ok, table.concat(lines, "\n"))
  return tonumber(lines[#lines]), json, lines
end

describe("the entry of the end-to-end suite", function()
  local payer
  setup(function() payer = world.payer("e2e", { base = "5", ["base-sepolia"] = "5" }) end)
  teardown(function() os.remove(payer.keyfile) end)

  for _, server in ipairs { "express", "hono", "legacy" } do
    it("buys from " .. server .. " and prints what is expected", function()
      local before = #world.paid(payer, "base-sepolia")
      local status, json, lines = run { RESOURCE_SERVER_URL = world[server], ENDPOINT_PATH = "/sepolia",
        [server == "hono" and "CLIENT_EVM_PRIVATE_KEY" or "EVM_PRIVATE_KEY"] = payer.key }
      assert.equal(0, status, table.concat(lines, "\n"))
      assert.equal("Client test completed successfully", lines[#lines - 2])
      assert.is_true(json.success)
      assert.equal(200, json.status_code)
      assert.equal("/sepolia", json.data.goods)
      assert.is_true(json.payment_response.success)
      local paid = world.paid(payer, "base-sepolia")
      assert.equal(before + 1, #paid)
      assert.equal(paid[#paid].transaction, json.payment_response.transaction)
    end)
  end

  it("buys on Solana", function()
    local svm = world.payer("e2e svm", { ["solana-devnet"] = "1" })
    local status, json, lines = run { RESOURCE_SERVER_URL = world.express, ENDPOINT_PATH = "/solana-devnet",
      EVM_PRIVATE_KEY = payer.key, SVM_PRIVATE_KEY = svm.solana.secret, SVM_RPC_URL = world.rpc["solana-devnet"] }
    assert.equal(0, status, table.concat(lines, "\n"))
    assert.equal("990000", world.balance(svm, "solana-devnet"))
    assert.is_true(json.payment_response.success)
    os.remove(svm.keyfile)
  end)

  for _, case in ipairs {
    { "no server", { EVM_PRIVATE_KEY = true } }, { "no key", { RESOURCE_SERVER_URL = true } },
    { "a server that is not there", { EVM_PRIVATE_KEY = true, RESOURCE_SERVER_URL = "http://127.0.0.1:9" } },
    { "a price above what it may spend", { EVM_PRIVATE_KEY = true, RESOURCE_SERVER_URL = true, MAX_USDC = "0.001",
      ENDPOINT_PATH = "/sepolia" } },
  } do
    it("ends with 1 and says why: " .. case[1], function()
      local variables = {}
      for name, value in pairs(case[2]) do
        variables[name] = value ~= true and value or name == "EVM_PRIVATE_KEY" and payer.key or world.express
      end
      local status, json = run(variables)
      assert.equal(1, status)
      assert.is_false(json.success)
      assert.is_true(#json.error > 10)
    end)
  end
end)
