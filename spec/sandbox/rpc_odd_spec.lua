-- The chain's RPC asked what makes no sense: an error in a node's words, never a broken sandbox.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local gateway = require "spec.support.gateway"

local USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
local METHODS = { "eth_chainId", "net_version", "eth_blockNumber", "eth_getBlockByNumber", "eth_getBlockByHash",
  "eth_getCode", "eth_call", "eth_getLogs", "eth_getTransactionReceipt", "eth_getBalance", "eth_getTransactionCount",
  "eth_gasPrice", "eth_maxPriorityFeePerGas", "eth_feeHistory", "eth_estimateGas", "eth_sendRawTransaction",
  "eth_getTransactionByHash" }

describe("the chain's RPC", function()
  local box, alice = gateway.fresh()

  local function trouble(method, params)
    local _, why = box:chain(method, params)
    return math.floor(why.code), why.message
  end

  it("answers nonsense with an error, whatever the call", function()
    alice:pay("POST", "/api/v1/compute/embeddings", { input = "x" })              -- so that there are events
    local ODD = { cjson.null, 5, -1, 1e300, "", "x", "0x", "0xg", ("0x" .. ("f"):rep(5000)), true, { "x" }, { {} },
      "latest", "pending", "0x0", alice.address, { to = USDC, data = "0x70a08231" }, { to = 5 },
      { to = USDC, data = 7 },
      { data = "0x123" }, { from = "x", to = USDC }, { value = "0x" .. ("f"):rep(65), to = USDC }, { gas = "latest" },
      { blockHash = 5 }, { blockHash = "0x" .. ("0"):rep(64) }, { blockNumber = {} }, { fromBlock = 5 },
      { fromBlock = "0x0", toBlock = {} }, { topics = "x" }, { topics = { 5 } }, { topics = { { 5 } } },
      { topics = { {}, cjson.null, {} } }, { address = 5 }, { address = { 5 } }, { address = {} }, { 25, 75 } }
    for _, method in ipairs(METHODS) do
      local calls = {}
      for _, first in ipairs(ODD) do
        for _, second in ipairs(ODD) do
          calls[#calls + 1] = { jsonrpc = "2.0", id = #calls + 1, method = method, params = { first, second, first } }
        end
      end
      local answer = box:request("POST", "/_sandbox/rpc", { body = calls, seconds = 60 })
      assert.equal(200, answer.status, method .. ": " .. answer.body:sub(1, 300))
      assert.equal(#calls, #answer.json)
      for i, one in ipairs(answer.json) do
        assert.equal(i, one.id)
        assert.is_true(one.result ~= nil or one.error.code ~= nil, method)
      end
    end
  end)

  it("knows what it does not know", function()
    assert.same({ -32601, "the method eth_sing does not exist/is not available" }, { trouble "eth_sing" })
    local answer = box:request("POST", "/_sandbox/rpc", { body = { jsonrpc = "2.0", id = 1 } })
    assert.equal(-32600, answer.json.error.code)
  end)

  it("searches events in ranges that make sense only", function()
    assert.same({ -32602, "invalid block range params" },
      { trouble("eth_getLogs", { { fromBlock = "0x32", toBlock = "0x2f" } }) })
    local head = box:chain("eth_getBlockByNumber", { "latest", false })
    assert.same({}, box:chain("eth_getLogs", { { blockHash = head.hash } }))
    local code, text = trouble("eth_getLogs", { { blockHash = head.hash, fromBlock = "0x0" } })
    assert.equal(-32602, code)
    assert.truthy(text:find("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other", 1, true))
    assert.same({ -32000, "unknown block" }, { trouble("eth_getLogs", { { blockHash = "0x" .. ("1"):rep(64) } }) })
    for _, filter in ipairs{ { topics = { "0x1" } }, { topics = { 5 } }, { topics = "x" }, { address = "0x1" },
                             { address = { 5 } } } do
      assert.equal(-32602, (trouble("eth_getLogs", { filter })))
    end
    local any = {}
    for i = 1, 5 do any[i] = cjson.null end
    assert.equal("exceed max topics", select(2, trouble("eth_getLogs", { { topics = any } })))
  end)
end)
