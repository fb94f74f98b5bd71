-- The chain in miniature, seen through its RPC as a payer who wants proof would see it.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"
local gateway = require "spec.support.gateway"
local payer = require "spec.support.payer"
local sandbox = require "spec.support.sandbox"

local USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
local EMBED, TEXT = "/api/v1/compute/embeddings", { input = "x" }

local function topic(signature) return "0x" .. core.hex_encode(core.keccak256(signature)) end
local USED, CANCELED = topic "AuthorizationUsed(address,bytes32)",
  topic "AuthorizationCanceled(address,bytes32)"

describe("the chain", function()
  local box, alice = gateway.fresh()

  local function pad(address) return ("0"):rep(24) .. address:sub(3):lower() end
  local function number(hex) return tonumber(hex) end

  local function used(nonce, at)
    local data = "0xe94a0102" .. pad(alice.address) .. nonce:sub(3)
    return number(box:chain("eth_call", { { to = USDC, data = data }, at or "latest" })) == 1
  end

  local function balance(address, at)
    local data = "0x70a08231" .. pad(address)
    return number(box:chain("eth_call", { { to = USDC, data = data }, at or "latest" }))
  end

  local function pay()
    local header, payment = alice:prepare("POST", EMBED, TEXT)
    local answer = alice:present("POST", EMBED, TEXT, header)
    return payment.payload.authorization.nonce, payer.receipt(answer).transaction
  end

  it("is Base, with a block every two seconds", function()
    assert.equal("0x2105", box:chain "eth_chainId")
    local before = box:chain("eth_getBlockByNumber", { "latest", false })
    assert.is_true(math.abs(number(before.timestamp) - os.time()) <= 3)
    box:advance(600)
    local after = box:chain("eth_getBlockByNumber", { "latest", false })
    local grown = number(after.number) - number(before.number)
    assert.is_true(grown >= 300 and grown <= 301)
    assert.equal(2 * grown, number(after.timestamp) - number(before.timestamp))
    assert.equal(cjson.null, box:chain("eth_getBlockByNumber", { "0xfffffff", false }))
    assert.equal(after.number, box:chain("eth_getBlockByHash", { after.hash, false }).number)
  end)

  it("knows whether an authorization was used, now and at older blocks", function()
    local start = box:chain "eth_blockNumber"
    box:advance(10)
    local header, payment = alice:prepare("POST", EMBED, TEXT)
    local nonce = payment.payload.authorization.nonce
    assert.is_false(used(nonce))
    alice:present("POST", EMBED, TEXT, header)
    assert.is_true(used(nonce))
    assert.is_false(used(nonce, start))
    local block = box:chain("eth_getBlockByNumber", { start, false })
    assert.is_false(used(nonce, { blockHash = block.hash }))
    assert.is_false(used(nonce, { blockNumber = start }))
    assert.equal(1000000000 - 5000, balance(alice.address))
    assert.equal(1000000000, balance(alice.address, start))
  end)

  it("keeps the event and the receipt of a payment", function()
    local from = box:chain "eth_blockNumber"
    local nonce, transaction = pay()
    local logs = box:chain("eth_getLogs", { { address = USDC, fromBlock = from, toBlock = "latest",
      topics = { { USED, CANCELED }, "0x" .. pad(alice.address), nonce } } })
    assert.equal(1, #logs)
    assert.equal(USED, logs[1].topics[1])
    assert.equal(transaction, logs[1].transactionHash)
    local receipt = box:chain("eth_getTransactionReceipt", { transaction })
    assert.equal("0x1", receipt.status)
    assert.equal(2, #receipt.logs)
    assert.equal(5000, number(receipt.logs[2].data))
    assert.equal(cjson.null, box:chain("eth_getTransactionReceipt", { "0x" .. ("00"):rep(32) }))
    local block = box:chain("eth_getBlockByHash", { receipt.blockHash, true })
    local shown = block.transactions[#block.transactions]
    assert.same({ transaction, receipt.from, receipt.blockNumber }, { shown.hash, shown.from, shown.blockNumber })
  end)

  it("knows what was paid after the clock was turned back", function()
    pay()
    box:clock(-600)
    local nonce = pay()
    assert.is_true(used(nonce))
    assert.equal(1000000000 - 10000, balance(alice.address))
  end)

  it("tells a cancellation from a use", function()
    local from, nonce = box:chain "eth_blockNumber", "0x" .. ("42"):rep(32)
    box:cancel(alice.address, nonce)
    assert.is_true(used(nonce))
    local topics = { cjson.null, cjson.null, nonce }
    local logs = box:chain("eth_getLogs", { { address = USDC, fromBlock = from, topics = topics } })
    assert.equal(CANCELED, logs[1].topics[1])
  end)

  it("answers batches, and errors as JSON-RPC does", function()
    local answer = box:request("POST", "/_sandbox/rpc", { body = {
      { jsonrpc = "2.0", id = 1, method = "eth_chainId" },
      { jsonrpc = "2.0", id = "b", method = "eth_sing" } } })
    assert.equal("0x2105", answer.json[1].result)
    assert.equal("b", answer.json[2].id)
    assert.equal(-32601, answer.json[2].error.code)
    local data = "0x70a08231" .. pad(alice.address)
    local _, trouble = box:chain("eth_call", { { to = USDC, data = data }, "0xfffffff" })
    assert.equal("header not found", trouble.message)
    assert.equal("0x", box:chain("eth_call", { { to = alice.address, data = "0x70a08231" }, "latest" }))
  end)

  describe("can be", function()
    it("down", function()
      box:fault("rpc_down", { times = 1 })
      local result = box:chain "eth_chainId"
      assert.is_nil(result)
      assert.equal("0x2105", box:chain "eth_chainId")
    end)

    it("behind, and then does not know the newest", function()
      local nonce = pay()
      box:fault "rpc_lagging"
      assert.is_false(used(nonce))
      local head = box:chain("eth_getBlockByNumber", { "latest", false })
      assert.is_true(number(head.timestamp) <= os.time() - 3500)
    end)

    it("behind for those who ask for the state of the newest block without naming it", function()
      local nonce = pay()
      box:fault "rpc_split"
      local head = box:chain("eth_getBlockByNumber", { "latest", false })
      assert.is_true(number(head.timestamp) >= os.time() - 10)
      assert.is_false(used(nonce))
      assert.is_true(used(nonce, head.number))
    end)

    it("lying", function()
      local nonce = pay()
      box:fault "rpc_lying"
      assert.is_false(used(nonce))
      assert.equal(0, #box:chain("eth_getLogs", { { address = USDC, fromBlock = "0x0", topics = { USED } } }))
      box:clear()
      box:fault("rpc_lying", { lie = "used" })
      assert.is_true(used("0x" .. ("77"):rep(32)))
    end)

    it("another chain's", function()
      box:fault "rpc_wrong_chain"
      assert.equal("0x1", box:chain "eth_chainId")
    end)

    it("at its limit, or gone", function()
      box:fault("rpc_error", { times = 1 })
      local _, trouble = box:chain "eth_chainId"
      assert.equal(-32005, trouble.code)
      box:fault("rpc_reset", { times = 1 })
      assert.is_nil((sandbox.fetch(box.rpc, { method = "POST", body = {} })))
    end)
  end)
end)
