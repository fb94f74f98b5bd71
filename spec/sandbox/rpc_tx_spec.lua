-- Sending transactions to the chain in miniature: what a node takes, refuses, mines, and forgets.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"
local gateway = require "spec.support.gateway"
local sandbox = require "spec.support.sandbox"
local sender = require "spec.sandbox.sender"
local spec = require "spec.helper"

local USDC, ESCROW = sender.USDC, sender.ESCROW
local BOB = "0x" .. ("b0"):rep(20)

describe("the chain's transactions", function()
  local box = gateway.fresh()
  local alice

  before_each(function() alice = sender.new(box) end)

  local function lever(...) return sender.lever(box, ...) end
  local function books() return lever("GET", "transactions") end
  local function set(values)
    values.address = values.address or alice.address
    return lever("POST", "account", values)
  end
  local function account(address) return lever("GET", "account?address=" .. (address or alice.address)) end
  local function mining(mode) return lever("POST", "chain", { mining = mode }) end
  local function count(tag) return tonumber((box:chain("eth_getTransactionCount", { alice.address, tag }))) end
  local function transaction(hash) return box:chain("eth_getTransactionByHash", { hash }) end

  local function approval(more)
    local given = { to = USDC, data = sender.approve(ESCROW, 5000000) }
    for name, value in pairs(more or {}) do given[name] = value end
    return given
  end

  local function estimate(call)
    call.from = call.from or alice.address
    local gas, trouble = box:chain("eth_estimateGas", { call })
    return tonumber(gas), trouble
  end

  -- Digits of a quantity beyond what a double holds are not needed here: wei of some ether fit 63 bits.
  local function wei(address) return math.tointeger(tonumber(account(address).wei)) end

  it("wait for the next block, which the clock brings", function()
    local from = tonumber((box:chain "eth_blockNumber"))
    mining "manual"                        -- so that no block comes while we look
    local hash = assert(alice:send(approval()))
    assert.is_nil(alice:receipt(hash))
    assert.equal(cjson.null, transaction(hash).blockNumber)
    assert.same({ 0, 1 }, { count "latest", count "pending" })
    mining "clock"
    box:advance(2)
    local receipt = alice:receipt(hash)
    assert.equal("0x1", receipt.status)
    assert.is_true(tonumber(receipt.blockNumber) > from)
    assert.equal(receipt.blockNumber, transaction(hash).blockNumber)
    assert.same({ 1, 1 }, { count "latest", count "pending" })
    local block = box:chain("eth_getBlockByNumber", { receipt.blockNumber, false })
    assert.same({ hash }, block.transactions)
    assert.equal(receipt.gasUsed, block.gasUsed)
    assert.equal(hash, box:chain("eth_getBlockByHash", { block.hash, true }).transactions[1].hash)
    assert.equal(0, tonumber((box:chain("eth_getTransactionCount", { alice.address, ("0x%x"):format(from) }))))
  end)

  it("cost gas at base fee and tip, and the bytes besides, and move what they say", function()
    mining "instant"
    local before = wei()
    local raw = alice:sign{ to = BOB, value = 1000, gas = 21000, tip_cap = 2000000 }
    local hash = box:chain("eth_sendRawTransaction", { raw })
    local receipt = alice:receipt(hash)
    local price, l1 = tonumber(receipt.effectiveGasPrice), tonumber(receipt.l1Fee)
    assert.equal(7000000, price)
    assert.equal(21000, tonumber(receipt.gasUsed))
    assert.equal(10000000 * (#raw // 2 - 1), l1)
    assert.equal(before - 1000 - 21000 * price - l1, wei())
    assert.equal(1000, tonumber((box:chain("eth_getBalance", { BOB, "latest" }))))
    assert.equal(tostring(21000 * price + l1), books().senders[alice.address].fees)
  end)

  it("must be able to pay all of it, to the wei", function()
    mining "instant"
    -- The gas at its cap and the bytes at theirs.
    local raw = alice:sign{ to = BOB, gas = 21000, fee_cap = 20000000, nonce = 0 }
    local cost = 21000 * 20000000 + 10000000 * (#raw // 2 - 1)
    set{ eth = ("0.%018d"):format(cost - 1) }
    local _, trouble = box:chain("eth_sendRawTransaction", { raw })
    assert.equal(("insufficient funds for gas * price + value: balance %d, tx cost %d, overshot 1")
      :format(cost - 1, cost), trouble.message)
    set{ eth = ("0.%018d"):format(cost) }
    assert.is_string((box:chain("eth_sendRawTransaction", { raw })))
  end)

  it("never pay more than their cap", function()
    mining "instant"
    local hash = alice:send(approval{ fee_cap = 5500000, tip_cap = 5000000 })
    assert.equal(5500000, tonumber(alice:receipt(hash).effectiveGasPrice))
  end)

  it("use exactly the gas that was estimated, and run out with one less", function()
    mining "instant"
    for _, short in ipairs{ false, true } do
      local call = { to = USDC, data = sender.call("transfer(address,uint256)", BOB, 7) }
      local gas = estimate(call)
      assert.is_true(gas > 40000 and gas < 90000, gas)
      call.gas = short and gas - 1 or gas
      local receipt = alice:receipt(alice:send(call))
      assert.same({ short and "0x0" or "0x1", call.gas }, { receipt.status, tonumber(receipt.gasUsed) })
      assert.equal(short and 0 or 2, short and #receipt.logs or #receipt.logs + 1)
    end
    assert.equal("7", account(BOB).usdc)
    assert.is_true(books().transactions[2].out_of_gas)
  end)

  it("say why they would revert, before and after", function()
    mining "instant"
    local call = { to = USDC, data = sender.call("transfer(address,uint256)", BOB, 1000000001) }
    local gas, trouble = estimate(call)
    assert.is_nil(gas)
    assert.same({ 3, "execution reverted: ERC20: transfer amount exceeds balance" }, { trouble.code, trouble.message })
    assert.equal("0x08c379a0", trouble.data:sub(1, 10))
    local hash = assert(alice:send(call))
    local receipt = alice:receipt(hash)
    assert.equal("0x0", receipt.status)
    assert.same({}, receipt.logs)
    assert.equal("1000000000", account().usdc)
    assert.equal(1, count "latest")
    call.from = alice.address
    local _, again = box:chain("eth_call", { call, receipt.blockNumber })
    assert.same(trouble, again)
  end)

  it("may be called with ether by nobody: neither contract takes any", function()
    local _, trouble = estimate{ to = ESCROW, data = sender.refund(), value = "0x1" }
    assert.same({ 3, "execution reverted", "0x" }, { trouble.code, trouble.message, trouble.data })
  end)

  it("are estimated within what the balance can pay", function()
    set{ eth = "0.0000001" }
    local call = { to = USDC, data = sender.approve(ESCROW, 1), from = alice.address, maxFeePerGas = "0x989680" }
    local _, trouble = box:chain("eth_estimateGas", { call })
    assert.same({ -32000, "gas required exceeds allowance (10000)" }, { trouble.code, trouble.message })
  end)

  describe("are refused", function()
    local function refused(given, wanted)
      local hash, trouble = alice:send(given)
      assert.is_nil(hash)
      assert.equal(-32000, trouble.code)
      assert.truthy(trouble.message:find(wanted, 1, true), trouble.message)
      local refusals = books().refusals
      assert.equal(trouble.message, refusals[#refusals].error)
      return trouble.message
    end

    for _, row in ipairs{
      { "on another chain", { chain_id = 1 }, "invalid sender: invalid chain id for signer: have 1 want 8453" },
      { "with a tip above the cap", { tip_cap = 30000000 }, "max priority fee per gas higher than max fee per gas" },
      { "without a tip", { tip_cap = 0 }, "transaction underpriced: gas tip cap 0, minimum needed 1" },
      { "below what they cost before they run", { gas = 21000 }, "intrinsic gas too low: gas 21000, minimum needed" },
      { "below what their bytes cost", { gas = 25000, data = "0x" .. ("ff"):rep(200) },
        "insufficient gas for floor data gas cost: gas 25000, minimum needed 29000" },
      { "beyond a block", { gas = 300000001, fee_cap = 2000000 }, "exceeds block gas limit" },
      { "at a fee no sane person pays", { gas = 1000000, fee_cap = 1500000000000 },
        "tx fee (1.50 ether) exceeds the configured cap (1.00 ether)" },
      { "for money that is not there", { value = 60000000000000000 },
        "insufficient funds for gas * price + value: balance 50000000000000000, tx cost 600040" },
      { "to nobody", { to = "" }, "the sandbox creates no contracts" },
      { "with bytes left over", { nonce = "\0\1" }, "rlp: non-canonical integer (leading zero bytes)" },
    } do
      it(row[1], function()
        local before = wei()
        refused(approval(row[2]), row[3])
        assert.equal(0, count "pending")
        assert.equal(before, wei())
      end)
    end

    it("for every byte of them that is changed", function()
      local raw = alice:sign(approval())
      local taken = 0
      for at = 3, #raw, 16 do
        local digit = raw:sub(at, at) == "5" and "6" or "5"
        local hash = box:chain("eth_sendRawTransaction", { raw:sub(1, at - 1) .. digit .. raw:sub(at + 1) })
        if hash then taken = taken + 1 end
      end
      -- Somebody else would have signed them, and he has no ether.
      assert.equal(0, taken)
      assert.equal(0, count "pending")
    end)

    it("when they are no bytes", function()
      for _, text in ipairs{ "02", "0x0", "0xzz", 5 } do
        local _, trouble = box:chain("eth_sendRawTransaction", { text })
        assert.equal(-32602, trouble.code)
      end
      local _, trouble = box:chain("eth_sendRawTransaction", { "0x" })
      assert.equal("typed transaction too short", trouble.message)
      _, trouble = box:chain("eth_sendRawTransaction", { "0xf86c09" })
      assert.equal("transaction type not supported", trouble.message)
    end)

    it("a second time: known while they wait, too late once they are mined", function()
      mining "manual"
      local _, _, raw = alice:send(approval())
      local _, trouble = box:chain("eth_sendRawTransaction", { raw })
      assert.equal("already known", trouble.message)
      lever("POST", "mine", {})
      _, trouble = box:chain("eth_sendRawTransaction", { raw })
      assert.equal("nonce too low: next nonce 1, tx nonce 0", trouble.message)
      assert.equal(3, books().transactions[1].broadcasts)
      assert.equal(1, #books().transactions)
    end)

    it("when all that wait would cost more than there is", function()
      mining "manual"
      set{ eth = "0.00001" }
      local cap = 30000000
      assert(alice:send(approval{ fee_cap = cap }))
      refused(approval{ fee_cap = cap, nonce = 1 }, "queued cost")
      assert(alice:send(approval{ fee_cap = cap * 11 // 10, tip_cap = 2000000, nonce = 0 }))
    end)
  end)

  it("replace one another for ten percent more on both fees", function()
    mining "manual"
    local first = alice:send(approval{ fee_cap = 10000000, tip_cap = 1000000 })
    for _, fees in ipairs{ { 10000000, 1000000 }, { 11000000, 1099999 }, { 10999999, 1100000 },
                           { 20000000, 1000000 } } do
      local hash, trouble = alice:send(approval{ nonce = 0, fee_cap = fees[1], tip_cap = fees[2], gas = 199999 })
      assert.is_nil(hash)
      assert.equal("replacement transaction underpriced", trouble.message)
    end
    local second = assert(alice:send(approval{ nonce = 0, fee_cap = 11000000, tip_cap = 1100000 }))
    assert.equal(cjson.null, transaction(first))
    assert.equal(1, count "pending")
    assert.same({ second }, lever("POST", "mine", {}).mined)
    local shown = books().transactions
    assert.same({ "replaced", second, "mined" }, { shown[1].status, shown[1].replaced_by, shown[2].status })
    assert.is_nil(alice:receipt(first))
  end)

  it("wait behind a hole, and all go once it is filled", function()
    mining "instant"
    local third = assert(alice:send(approval{ nonce = 2 }))
    local second = assert(alice:send(approval{ nonce = 1 }))
    assert.same({ 0, 0 }, { count "latest", count "pending" })
    local first = assert(alice:send(approval{ nonce = 0 }))
    local places = {}
    for i, hash in ipairs{ first, second, third } do places[i] = tonumber(alice:receipt(hash).transactionIndex) end
    assert.is_true(places[1] < places[2] and places[2] < places[3])
    assert.same({ 3, 3 }, { count "latest", count "pending" })
  end)

  it("wait while their cap is below the base fee", function()
    lever("POST", "chain", { base_fee = "900000000" })
    local hash = assert(alice:send(approval()))
    box:advance(60)
    assert.is_nil(alice:receipt(hash))
    assert.equal("0x35a4e900", box:chain("eth_getBlockByNumber", { "latest", false }).baseFeePerGas)
    lever("POST", "chain", { base_fee = "5000000" })
    box:advance(4)
    assert.equal("0x1", alice:receipt(hash).status)
  end)

  it("can be dropped, and sent again", function()
    mining "manual"
    local hash, _, raw = alice:send(approval())
    assert.equal(1, lever("POST", "drop", {}).dropped)
    assert.equal(cjson.null, transaction(hash))
    assert.equal(0, count "pending")
    assert.equal("dropped", books().transactions[1].status)
    assert.equal(hash, (box:chain("eth_sendRawTransaction", { raw })))
    lever("POST", "mine", {})
    assert.equal("0x1", alice:receipt(hash).status)
    assert.equal(1, #books().transactions)
  end)

  it("can fall out of their block, and come into another, or into none", function()
    mining "instant"
    local funds = account().wei
    local approved = alice:send(approval())
    local receipt, hash = alice:receipt(approved), alice:send{ to = ESCROW, data = sender.deposit(5000000) }
    mining "manual"
    assert.same({ approved, hash }, lever("POST", "reorg", { hash = approved }).unmade)
    assert.is_nil(alice:receipt(hash))
    assert.equal(cjson.null, transaction(hash).blockNumber)
    assert.same({ 0, 2 }, { count "latest", count "pending" })
    assert.same({ funds, "0", "1000000000" }, { account().wei, account().allowance, account().usdc })
    assert.same({}, box:chain("eth_getLogs", { { address = ESCROW, fromBlock = "0x0" } }))
    assert.not_equal(receipt.blockHash,
      box:chain("eth_getBlockByNumber", { receipt.blockNumber, false }).hash)
    assert.equal(2, #lever("POST", "mine", {}).mined)
    assert.equal("0x1", alice:receipt(hash).status)
    assert.equal("995000000", account().usdc)
    lever("POST", "reorg", { hash = hash, drop = true })
    assert.equal(cjson.null, transaction(hash))
    assert.same({ 1, 1 }, { count "latest", count "pending" })
    assert.same({ "1000000000", "5000000" }, { account().usdc, account().allowance })
    assert.equal(400, box:request("POST", "/_sandbox/reorg", { body = { hash = hash } }).status)
  end)

  it("are told apart from those before by who asks for old blocks", function()
    mining "instant"
    local before = box:chain "eth_blockNumber"
    box:advance(4)
    alice:send(approval())
    local allowance = { to = USDC, data = sender.call("allowance(address,address)", alice.address, ESCROW) }
    assert.equal(5000000, tonumber((box:chain("eth_call", { allowance, "latest" }))))
    assert.equal(0, tonumber((box:chain("eth_call", { allowance, before }))))
    local balance = function(at) return tonumber((box:chain("eth_getBalance", { alice.address, at }))) end
    assert.is_true(balance "latest" < balance(before))
  end)

  describe("of the dollar", function()
    before_each(function() mining "instant" end)

    local function view(signature, ...)
      return (box:chain("eth_call", { { to = USDC, data = sender.call(signature, ...) }, "latest" }))
    end

    local function text_of(answer)
      local bytes = core.hex_decode(answer)
      return bytes:sub(65, 64 + bytes:byte(64))
    end

    it("say who they are", function()
      assert.equal("USD Coin", text_of(view "name()"))
      assert.equal("2", text_of(view "version()"))
      assert.equal("USDC", text_of(view "symbol()"))
      assert.equal(6, tonumber(view "decimals()"))
    end)

    it("spend an allowance once, and not beyond it", function()
      local bob = sender.new(box, "0x" .. ("42"):rep(32))
      set{ address = bob.address, eth = "0.01" }
      alice:send{ to = USDC, data = sender.approve(bob.address, 100) }
      local take = { to = USDC, gas = 100000,
                     data = sender.call("transferFrom(address,address,uint256)", alice.address, BOB, 60) }
      assert.equal("0x1", bob:receipt(bob:send(take)).status)
      assert.equal(40, tonumber(view("allowance(address,address)", alice.address, bob.address)))
      assert.equal("0x0", bob:receipt(bob:send(take)).status)
      assert.equal("60", account(BOB).usdc)
      take.from, take.gas = bob.address, nil
      local _, trouble = box:chain("eth_call", { take, "latest" })
      assert.equal("execution reverted: ERC20: transfer amount exceeds allowance", trouble.message)
    end)

    it("approve all there is, and nobody at no address", function()
      alice:send{ to = USDC, data = "0x095ea7b3" .. ("0"):rep(24) .. ESCROW:sub(3):lower() .. ("f"):rep(64) }
      assert.equal("0x" .. ("f"):rep(64), view("allowance(address,address)", alice.address, ESCROW))
      local _, trouble = estimate{ to = USDC, data = sender.approve("0x" .. ("00"):rep(20), 1) }
      assert.equal("execution reverted: ERC20: approve to the zero address", trouble.message)
    end)

    it("share their nonces with the facilitator", function()
      local now, nonce = box:clock().now, "0x" .. ("17"):rep(32)
      local digest = core.eip3009_digest{
        name = "USD Coin", version = "2", chain_id = "8453", contract = USDC, from = alice.address, to = BOB,
        value = "25", valid_after = "0", valid_before = ("%d"):format(now + 300), nonce = nonce,
      }
      local signature = core.secp_sign(digest, alice.key32)
      local function word(n) return core.hex_decode(("%064x"):format(n)) end
      local data = core.keccak256("transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,"
        .. "uint8,bytes32,bytes32)"):sub(1, 4)
        .. ("\0"):rep(12) .. core.hex_decode(alice.address) .. ("\0"):rep(12) .. core.hex_decode(BOB)
        .. word(25) .. word(0) .. word(now + 300) .. core.hex_decode(nonce)
        .. word(signature:byte(65)) .. signature:sub(1, 64)
      local call = { to = USDC, data = "0x" .. core.hex_encode(data) }
      assert.equal("0x1", alice:receipt(alice:send(call)).status)
      assert.equal("25", account(BOB).usdc)
      assert.equal(1, tonumber(view("authorizationState(address,bytes32)", alice.address, nonce)))
      local _, trouble = estimate(call)
      assert.equal("execution reverted: FiatTokenV2: authorization is used or canceled", trouble.message)
      local answer = box:request("POST", "/_sandbox/cancel", { body = { address = alice.address, nonce = nonce } })
      assert.equal(400, answer.status)
      call.data = call.data:sub(1, -3) .. (call.data:sub(-2) == "00" and "01" or "00")
      assert.truthy(select(2, estimate(call)).message:find "invalid signature")
    end)
  end)

  it("are counted by fees that can be asked for", function()
    assert.equal("0x5b8d80", box:chain "eth_gasPrice")
    assert.equal("0xf4240", box:chain "eth_maxPriorityFeePerGas")
    local history = box:chain("eth_feeHistory", { "0x4", "latest", { 25, 75 } })
    assert.same({ 5, 4, 4, 2 },
      { #history.baseFeePerGas, #history.gasUsedRatio, #history.reward, #history.reward[1] })
    assert.equal("0x4c4b40", history.baseFeePerGas[5])
    assert.is_nil(box:chain("eth_feeHistory", { "0x4", "latest", {} }).reward)
  end)

  it("leave events that can be searched, in ranges the node allows", function()
    mining "instant"
    local from = box:chain "eth_blockNumber"
    local hash = alice:send(approval())
    local approvals = { address = USDC, fromBlock = from, toBlock = "latest",
                        topics = { "0x" .. core.hex_encode(core.keccak256 "Approval(address,address,uint256)") } }
    local logs = box:chain("eth_getLogs", { approvals })
    assert.same({ 1, hash }, { #logs, logs[1].transactionHash })
    approvals.address = { ESCROW }
    assert.equal(0, #box:chain("eth_getLogs", { approvals }))
    approvals.address = { ESCROW, USDC }
    assert.equal(1, #box:chain("eth_getLogs", { approvals }))
    lever("POST", "chain", { log_range = 10000 })
    box:advance(20000)
    assert.equal(1, #box:chain("eth_getLogs", { approvals }))
    box:advance(2)
    local _, trouble = box:chain("eth_getLogs", { approvals })
    assert.same({ -32614, "eth_getLogs is limited to a 10,000 range" }, { trouble.code, trouble.message })
    approvals.toBlock = from
    assert.equal(1, #box:chain("eth_getLogs", { approvals }))
  end)

  describe("meet trouble:", function()
    before_each(function() mining "instant" end)

    it("answered and forgotten", function()
      box:fault("broadcast_dropped", { times = 1 })
      local hash, _, raw = alice:send(approval())
      assert.is_string(hash)
      assert.equal(cjson.null, transaction(hash))
      assert.equal(0, count "pending")
      assert.equal(hash, (box:chain("eth_sendRawTransaction", { raw })))
      assert.equal("0x1", alice:receipt(hash).status)
      assert.equal(2, books().transactions[1].broadcasts)
    end)

    it("taken, and the answer lost, or an error, or another's hash", function()
      for _, name in ipairs{ "broadcast_lost", "broadcast_502", "broadcast_denied", "broadcast_other_hash",
                             "broadcast_timeout" } do
        box:reset()
        mining "instant"
        box:fault(name, { times = 1, seconds = 0.05 })
        local raw, hash = alice:sign(approval{ nonce = 0 })
        local answer = sandbox.fetch(box.rpc, { method = "POST", body = {
          jsonrpc = "2.0", id = 1, method = "eth_sendRawTransaction", params = { raw } } })
        assert.not_equal(hash, answer and answer.json and answer.json.result)
        assert.equal("0x1", alice:receipt(hash).status, name)
        assert.equal(1, count "latest")
      end
    end)

    it("refused without being looked at", function()
      box:fault("broadcast_refused", { times = 1 })
      local hash, trouble = alice:send(approval())
      assert.is_nil(hash)
      assert.equal("txpool is full", trouble.message)
      assert.equal(0, books().sent)
    end)

    it("a node that hides, invents, or lags", function()
      local hash = alice:send(approval())
      box:fault "rpc_hides"
      assert.is_nil(alice:receipt(hash))
      assert.equal(cjson.null, transaction(hash))
      box:clear()
      box:fault "rpc_invents"
      assert.equal("0x1", alice:receipt("0x" .. ("99"):rep(32)).status)
      box:clear()
      box:fault "rpc_lagging"
      assert.is_nil(alice:receipt(hash))
      assert.same({ 0, 0 }, { count "latest", count "pending" })
    end)

    it("a node that is wrong about nonces, money, gas and fees", function()
      box:fault("rpc_nonce", { by = 5 })
      assert.equal(5, count "latest")
      box:clear()
      box:fault "rpc_rich"
      local all = "0x" .. ("f"):rep(64)
      assert.equal(all, (box:chain("eth_getBalance", { alice.address, "latest" })))
      local function view(to, signature, ...)
        return (box:chain("eth_call", { { to = to, data = sender.call(signature, ...) }, "latest" }))
      end
      assert.equal(all, view(USDC, "balanceOf(address)", alice.address))
      assert.equal(all:sub(3):rep(4), view(ESCROW, "getAccount(address)", alice.address):sub(3, 2 + 4 * 64))
      box:clear()
      box:fault("rpc_gas", { gas = "0x5208" })
      assert.equal(21000, (estimate(approval())))
      box:clear()
      box:fault("rpc_fee", { fee = "0xffff" })
      assert.equal("0xffff", box:chain "eth_gasPrice")
      box:clear()
      box:fault("rpc_answer", { method = "eth_getTransactionCount" })
      assert.equal("0x10000000000000000", box:chain("eth_getTransactionCount", { alice.address, "latest" }))
      assert.equal("0x2105", box:chain "eth_chainId")
      box:clear()
      box:fault "rpc_text"
      assert.equal("<html>rate limited</html>", select(2, box:chain "eth_chainId").message)
    end)

    it("a node that is down for one method only", function()
      box:fault("rpc_down", { method = "eth_getTransactionReceipt", times = 1 })
      local hash = assert(alice:send(approval()))
      assert.is_nil(alice:receipt(hash))
      assert.equal("0x1", alice:receipt(hash).status)
    end)
  end)

  -- Any order of deposits, refunds, drawdowns and transfers, good ones and bad ones, by three people.
  it("neither make nor lose a micro-USDC or a wei, and use every nonce once", function()
    local roll, people = spec.dice(20), {}
    mining "instant"
    for i = 1, 3 do
      people[i] = sender.new(box, ("0x%064x"):format(1000 + i))
      set{ address = people[i].address, usdc = "100", eth = "0.01" }
    end
    set{ usdc = "0", eth = "0" }
    local ether_before = 30000000000000000
    local calls = {
      function(n) return USDC, sender.approve(ESCROW, n) end,
      function(n) return ESCROW, sender.deposit(n) end,
      function(n) return ESCROW, sender.refund_partial(n) end,
      function() return ESCROW, sender.refund() end,
      function(n) return USDC, sender.call("transfer(address,uint256)", people[1 + roll(3)].address, n) end,
      function(n) return ESCROW, sender.call("drawdown(address,uint256)", people[1 + roll(3)].address, n) end,
    }
    local sent = { 0, 0, 0 }
    for _ = 1, 150 do
      local who = 1 + roll(3)
      local to, data = calls[1 + roll(#calls)](roll(60000000))
      assert(people[who]:send{ to = to, data = data, nonce = sent[who] })
      sent[who] = sent[who] + 1
      if roll(4) == 0 then
        box:request("POST", "/_sandbox/escrow", { body = { depositor = people[1 + roll(3)].address,
                                                           drawdown = ("%d.5"):format(roll(9)) } })
      end
    end
    local shown, outcomes = books(), {}
    for _, line in ipairs(shown.transactions) do outcomes[line.status] = (outcomes[line.status] or 0) + 1 end
    assert.is_true(outcomes.mined > 40 and outcomes.reverted > 40)
    local balances, total = box:ledger().balances, 0
    for address, one in pairs(balances) do   -- those of Base; Solana's are there too
      if address:find("^0x") then total = total + tonumber(one.atomic) end
    end
    assert.equal(300000000, total)
    local credit = 0
    for _, one in pairs(shown.escrow.accounts) do
      credit = credit + one.balance
      assert.equal(one.deposited, one.balance + one.drawn + one.refunded)
    end
    assert.equal(credit, shown.escrow.held)
    local ether = 0
    for i, person in ipairs(people) do
      local books_of = shown.senders[person.address]
      ether = ether + math.tointeger(tonumber(books_of.wei)) + math.tointeger(tonumber(books_of.fees))
      assert.equal(sent[i], #books_of.nonces)
      for place, nonce in ipairs(books_of.nonces) do assert.equal(place - 1, nonce) end
    end
    assert.equal(ether_before, ether)
  end)

  it("have levers that say what they do not understand", function()
    local function refused(name, body)
      local answer = box:request("POST", "/_sandbox/" .. name, { body = body })
      assert.equal(400, answer.status)
      return answer.json.error
    end
    assert.equal("address: not an address", refused("account", { address = "me" }))
    for name, value in pairs{ usdc = "much", eth = "-1", allowance = "some", nonce = "x" } do
      assert.truthy(refused("account", { address = alice.address, [name] = value }):find(name .. ":", 1, true))
    end
    assert.equal("mining: clock, instant or manual", refused("chain", { mining = "never" }))
    assert.equal("base_fee: digits of wei", refused("chain", { base_fee = "0" }))
    assert.truthy(refused("escrow", { depositor = alice.address }):find "deposit or drawdown")
    assert.equal("1000000000", account().usdc)
  end)
end)
