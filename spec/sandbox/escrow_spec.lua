-- Compute futures in the escrow dialect: the contract on chain, the gateway's six routes in front of it,
-- and books that agree with one another.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local gateway = require "spec.support.gateway"
local payer = require "spec.support.payer"
local sender = require "spec.sandbox.sender"
local spec = require "spec.helper"

local USDC, ESCROW = sender.USDC, sender.ESCROW
local LOWER = ESCROW:lower()
local OPERATOR = "0xAd62f03C7514bb8c51f1eA70C2b75C37404695c8"
local BASE = "/api/v1/compute-futures/"
local HELLO = { { role = "user", content = "Hello" } }
local M = 1000000

describe("compute futures (escrow)", function()
  local box, alice = gateway.fresh{ dialect = "escrow" }
  local depositor

  local function lever(...) return sender.lever(box, ...) end

  before_each(function()
    depositor = sender.new(box)
    lever("POST", "chain", { mining = "instant" })
  end)

  local function post(name, body) return assert(alice:pay("POST", BASE .. name, body)) end
  local function get(name) return assert(alice:pay("GET", BASE .. name)) end
  local function books() return lever("GET", "transactions") end
  local function held() return books().escrow.held end

  local function mined(given, who)
    who = who or depositor
    local hash = assert(who:send(given))
    return assert(who:receipt(hash)), hash
  end

  local function approve(amount, who) return mined({ to = USDC, data = sender.approve(ESCROW, amount) }, who) end

  local function deposit(amount, who)
    approve(amount, who)
    return mined({ to = ESCROW, data = sender.deposit(amount) }, who)
  end

  -- Credit without transactions of ours, for the routes.
  local function credit(amount, address)
    return lever("POST", "escrow", { depositor = address or alice.address, deposit = amount })
  end

  local function execute(more)
    local body = { depositor = alice.address, type = "text-inference", messages = HELLO }
    for name, value in pairs(more or {}) do body[name] = value end
    return post("execute", body)
  end

  local function view(signature, ...)
    return box:chain("eth_call", { { to = ESCROW, data = sender.call(signature, ...) }, "latest" })
  end

  local function number(signature, ...) return tonumber((view(signature, ...))) end

  -- What getAccount says, as numbers: balance, deposited, drawn, refunded, jobs, tier, discount.
  local function words(answer)
    local out = {}
    for word in answer:sub(3):gmatch(("%x"):rep(64)) do out[#out + 1] = tonumber(word, 16) end
    return out
  end
  local function account(address) return words((view("getAccount(address)", address or depositor.address))) end

  -- The name of a revert, from its selector.
  local function revert(given, who)
    local call = { from = (who or depositor).address or who, to = ESCROW, data = given }
    local _, trouble = box:chain("eth_call", { call, "latest" })
    assert.equal(3, trouble.code)
    return trouble.data, trouble.message
  end

  local function bob()
    local key = sender.new(box, "0x" .. ("42"):rep(32))
    lever("POST", "account", { address = key.address, eth = "0.01", usdc = "300" })
    return key
  end

  describe("the contract", function()
    it("takes what was approved, and tells it", function()
      local receipt, hash = deposit(50 * M)
      assert.equal("0x1", receipt.status)
      assert.same({ 50 * M, 50 * M, 0, 0, 0, 2, 1000 }, account())
      assert.same({ 50 * M, 950 * M }, { held(), tonumber(lever("GET", "account?address=" .. alice.address).usdc) })
      assert.equal(2, #receipt.logs)
      local event = receipt.logs[2]
      assert.same({ LOWER, "0x5df5d723cf2b779a4bc7bbd4fa1082ab1a37397e0d8c408d7b2546c69585ee15", hash },
        { event.address, event.topics[1], event.transactionHash })
      assert.equal(alice.address:sub(3):lower(), event.topics[2]:sub(27))
      assert.same({ 50 * M, 50 * M, 2 }, words(event.data))
      assert.equal("0", lever("GET", "account?address=" .. alice.address).allowance)
    end)

    it("counts the tier by the balance, at every change", function()
      deposit(10 * M - 1)
      assert.same({ 0, 0 }, { account()[6], account()[7] })
      for _, step in ipairs{ { 1, 1, 500 }, { 40 * M, 2, 1000 }, { 150 * M, 3, 1500 } } do
        deposit(step[1])
        assert.same({ step[2], step[3] }, { account()[6], account()[7] })
      end
      lever("POST", "escrow", { depositor = alice.address, drawdown = "0.000001" })
      assert.same({ 2, 1000 }, { account()[6], account()[7] })
      mined{ to = ESCROW, data = sender.refund_partial(150 * M) }
      assert.same({ 1, 500 }, { account()[6], account()[7] })
      mined{ to = ESCROW, data = sender.refund() }
      assert.same({ 0, 200 * M, 1, 200 * M - 1, 1, 0, 0 }, account())
    end)

    it("gives back to the depositor only, all or a part, and can be filled again", function()
      deposit(20 * M)
      local receipt = mined{ to = ESCROW, data = sender.refund_partial(5 * M) }
      assert.equal("0x2dc8e290002f06fc0085bbca9dfb8b415cf4d1178950c72ff9ee8f4d8878ee66", receipt.logs[2].topics[1])
      assert.same({ 5 * M, 15 * M }, words(receipt.logs[2].data))
      local other = bob()
      assert.equal("0xfaba8ebe", revert(sender.refund(), other))
      assert.equal("0x0", mined({ to = ESCROW, data = sender.refund(), gas = 100000 }, other).status)
      assert.equal(15 * M, account()[1])
      receipt = mined{ to = ESCROW, data = sender.refund() }
      assert.same({ 15 * M, 0 }, words(receipt.logs[2].data))
      assert.equal("1000000000", lever("GET", "account?address=" .. alice.address).usdc)
      deposit(3 * M)
      assert.same({ 3 * M, 23 * M, 0, 20 * M, 0, 0, 0 }, account())
    end)

    it("obeys its operator in drawing down, and pays him", function()
      deposit(10 * M)
      lever("POST", "escrow", { depositor = alice.address, drawdown = "4" })
      assert.same({ 6 * M, 10 * M, 4 * M, 0, 1, 0, 0 }, account())
      assert.equal("4000000", lever("GET", "account?address=" .. OPERATOR).usdc)
      local logs = box:chain("eth_getLogs", { { address = ESCROW, fromBlock = "0x0", topics = {
        "0xfbe35e2356443a9f1bba52d760bdee3d402dc324fff3c3ceae2b121a937d2106" } } })
      assert.same({ 4 * M, 6 * M, 1 }, words(logs[1].data))
      assert.equal("0x27e1f1e5", revert(sender.call("drawdown(address,uint256)", alice.address, 1)))
    end)

    it("refuses in the words of the deployed one", function()
      assert.equal("0x1f2a2005", revert(sender.deposit(0)))
      local data, message = revert(sender.deposit(M))
      assert.equal("0x08c379a0", data:sub(1, 10))
      assert.equal("execution reverted: ERC20: transfer amount exceeds allowance", message)
      assert.equal("0xfaba8ebe", revert(sender.refund()))
      assert.equal("0xfaba8ebe", revert(sender.refund_partial(1)))
      assert.equal("0x1f2a2005", revert(sender.refund_partial(0)))
      approve(2000 * M)
      assert.equal("execution reverted: ERC20: transfer amount exceeds balance",
        (select(2, revert(sender.deposit(2000 * M)))))
      deposit(7)
      assert.equal("0xcf479181" .. ("%064x%064x"):format(100, 7), revert(sender.refund_partial(100)))
      mined{ to = ESCROW, data = sender.refund() }
      assert.equal("0x1f2a2005", revert(sender.refund()))
      assert.equal("0x", revert "0xdeadbeef")
      assert.equal("0x", revert "0xb6b55f25")
      local drawdown = sender.call("drawdown(address,uint256)", alice.address, 5)
      assert.equal("0xcf479181" .. ("%064x%064x"):format(5, 0), revert(drawdown, { address = OPERATOR }))
      drawdown = sender.call("drawdown(address,uint256)", USDC, 5)
      assert.equal("0xfaba8ebe", revert(drawdown, { address = OPERATOR }))
      drawdown = sender.call("drawdown(address,uint256)", USDC, 0)
      assert.equal("0x1f2a2005", revert(drawdown, { address = OPERATOR }))
    end)

    it("takes one operator's word for the next, and then the next one's", function()
      local heir = bob()
      assert.equal("0x27e1f1e5", revert(sender.call("transferOperator(address)", heir.address)))
      assert.equal("0xa6672418", revert(sender.call "acceptOperator()", heir))
      local nobody = sender.call("transferOperator(address)", "0x" .. ("00"):rep(20))
      assert.equal("0xd92e233d", revert(nobody, { address = OPERATOR }))
      assert.equal(OPERATOR:lower(), "0x" .. view "operator()":sub(27))
      assert.equal(0, number "pendingOperator()")
    end)

    it("answers every view", function()
      local other = bob()
      deposit(50 * M)
      deposit(2 * M, other)
      lever("POST", "escrow", { depositor = alice.address, drawdown = "1" })
      assert.same({ 50 * M, 49 * M, 1 * M, 0, 1, 1, 1 }, words((view("accounts(address)", alice.address))))
      assert.same({ 0, 0, 0, 0, 0, 0, 0 }, words((view("accounts(address)", USDC))))
      assert.same({ 0, 0, 0, 0, 0, 0, 0 }, account(USDC))
      assert.equal(49 * M, number("balanceOf(address)", alice.address))
      assert.same({ 51 * M, 2 }, { number "totalDeposits()", number "depositorCount()" })
      assert.equal(other.address:lower(), "0x" .. view("depositors(uint256)", 1):sub(27))
      assert.equal("0x", revert(sender.call("depositors(uint256)", 2)))
      assert.equal(USDC:lower(), "0x" .. view "usdc()":sub(27))
      for tier, discount in pairs{ [0] = 0, 500, 1000, 1500, 0 } do
        assert.equal(discount, number("getDiscount(uint8)", tier))
      end
      assert.same({ 10 * M, 50 * M, 200 * M },
        { number "TIER_BUILDER()", number "TIER_SCALE()", number "TIER_ENTERPRISE()" })
      assert.same({ 0, 500, 1000, 1500 }, { number "DISCOUNT_STARTER()", number "DISCOUNT_BUILDER()",
        number "DISCOUNT_SCALE()", number "DISCOUNT_ENTERPRISE()" })
      assert.equal("0x60806040", box:chain("eth_getCode", { ESCROW, "latest" }))
    end)

    it("shows accounts as the published encoding has them", function()
      lever("POST", "escrow", { depositor = alice.address, deposit = "50" })
      for _, case in ipairs(spec.vectors("abi").returns) do
        if case["function"] == "getAccount" and case.decoded.balance == "50000000" then
          assert.equal(case.data, (view("getAccount(address)", alice.address)))
        end
      end
    end)
  end)

  describe("deposit", function()
    it("writes out the two calls, and nothing happens", function()
      local answer = post("deposit", { depositor = alice.address, amount = "50" })
      local body = answer.json
      assert.same({ 200, "sign_required" }, { answer.status, body.status })
      assert.equal(2, #body.transactions)
      local approval, transfer = body.transactions[1], body.transactions[2]
      assert.same({ USDC, sender.approve(ESCROW, 50 * M), "0x0", 8453 },
        { approval.to, approval.data, approval.value, approval.chainId })
      assert.same({ LOWER, sender.deposit(50 * M), "0x0", 8453 },
        { transfer.to, transfer.data, transfer.value, transfer.chainId })
      assert.is_string(approval.description)
      assert.equal(LOWER, body.contract.address)
      assert.same({ name = "scale", minDeposit = "$50", discount = "10%" }, body.tiers[3])
      assert.equal("3.8.1", body._gateway.version)
      assert.is_string(body.message)
      assert.is_string(body.afterDeposit.refund)
      assert.is_nil(body.computeFuture)
      assert.same({ 0, 0 }, { books().sent, held() })
    end)

    it("writes calls that, signed and sent, do deposit", function()
      for _, call in ipairs(post("deposit", { depositor = alice.address, amount = "12.5" }).json.transactions) do
        mined{ to = call.to, data = call.data }
      end
      assert.equal("12.5 USDC", get("balance?address=" .. alice.address).json.balance)
    end)

    it("takes amounts beyond any balance, to the last digit", function()
      local body = post("deposit", { depositor = alice.address, amount = "123456789012345678901.000001" }).json
      assert.equal("0xb6b55f25" .. ("0"):rep(42) .. "661efdf158f2a82c9bb741", body.transactions[2].data)
    end)

    for _, row in ipairs{
      { {}, 400, "Missing required fields" },
      { { depositor = "ADDRESS" }, 400, "Missing required fields" },
      { { depositor = "CFE-0123456789ABCDEF", amount = "5" }, 400, "Invalid depositor address" },
      { { depositor = "0xaF4e43d512C73c6731769620ca6b73f0FCFF9119", amount = "5" }, 400, "Invalid depositor address" },
      { { depositor = "ADDRESS", amount = "0.99" }, 400, "Minimum deposit is $1 USDC" },
      { { depositor = "ADDRESS", amount = "much" }, 400, "Minimum deposit is $1 USDC" },
      { { depositor = "ADDRESS", amount = 50 }, 500, "Failed to build deposit transactions" },
      { { depositor = "ADDRESS", amount = "1e3" }, 500, "Failed to build deposit transactions" },
      { { depositor = "ADDRESS", amount = "1.0000001" }, 500, "Failed to build deposit transactions" },
    } do
      it(("refuses %s with %d"):format(cjson.encode(row[1]), row[2]), function()
        local body = {}
        for name, value in pairs(row[1]) do body[name] = value == "ADDRESS" and alice.address or value end
        local answer = post("deposit", body)
        assert.same({ row[2], row[3] }, { answer.status, answer.json.error })
        if row[3] == "Missing required fields" then
          assert.equal(5, #answer.json.howItWorks)
          assert.same({ LOWER, USDC }, { answer.json.contract, answer.json.usdc })
          assert.is_string(answer.json.basescan)
          assert.is_nil(answer.json.tiers)
        end
        assert.equal(0, box:ledger().count)
      end)
    end
  end)

  describe("balance", function()
    it("shows the chain's account, zeros trimmed", function()
      credit "50"
      execute()
      local body = get("balance?address=" .. alice.address).json
      body._gateway, body.timestamp = nil, nil
      assert.same({
        address = alice.address, balance = "49.973 USDC", deposited = "50.0 USDC", totalDrawn = "0.027 USDC",
        totalRefunded = "0.0 USDC", jobCount = 1, tier = "builder", discount = "5% discount", discountBps = 500,
        contract = LOWER, source = "on-chain",
      }, body)
      assert.equal("49.973 USDC", get("balance?id=" .. alice.address:lower()).json.balance)
    end)

    it("knows strangers as starters with nothing", function()
      local body = get("balance?address=" .. USDC).json
      assert.same({ "0.0 USDC", "starter", "No discount", 0, 0 },
        { body.balance, body.tier, body.discount, body.discountBps, body.jobCount })
    end)

    it("wants an address", function()
      for _, query in ipairs{ "", "?id=CFE-0123456789ABCDEF", "?futuresId=" .. USDC } do
        local answer = get("balance" .. query)
        assert.same({ 400, "address query param required" }, { answer.status, answer.json.error })
        assert.is_string(answer.json.example)
      end
    end)
  end)

  describe("execute", function()
    it("draws a job's price down, and the tier with it", function()
      credit "50"
      local answer = execute()
      local billing = answer.json.billing
      local hash = billing.drawdownTx
      billing.drawdownTx = nil
      assert.same({ basePrice = "$0.0300", discount = "10%", charged = "$0.0270 USDC",
                    balanceRemaining = "$49.973 USDC", settlement = "on-chain" }, billing)
      assert.equal("0x1", depositor:receipt(hash).status)
      assert.equal(LOWER, answer.json.contract)
      assert.truthy(answer.json.compute.result.choices)
      assert.equal("completed", answer.json.status)
      billing = execute().json.billing
      assert.same({ "5%", "$0.0285 USDC", "$49.9445 USDC" },
        { billing.discount, billing.charged, billing.balanceRemaining })
      billing = execute{ type = "embeddings", input = "x" }.json.billing
      assert.same({ "$0.0047 USDC", "$49.93975 USDC" }, { billing.charged, billing.balanceRemaining })
    end)

    it("spends for whoever names an address", function()
      local other = bob()
      credit("5", other.address)
      assert.equal(200, execute{ depositor = other.address }.status)
      assert.equal(4970000, account(other.address)[1])
    end)

    it("gives the work away when the drawdown fails, and settles nothing", function()
      credit "50"
      box:fault("drawdown_fails", { times = 1 })
      local answer = execute()
      assert.equal(500, answer.status)
      assert.equal("Compute succeeded but on-chain drawdown failed. You were NOT charged. Please retry.",
        answer.json.error)
      assert.truthy(answer.json.compute.result.choices)
      assert.same({ "text-inference", "meta-llama/Llama-3.3-70B-Instruct" },
        { answer.json.compute.type, answer.json.compute.model })
      assert.is_string(answer.json.details)
      assert.same({ 50 * M, 0 }, { account()[1], box:ledger().count })
    end)

    it("fails so of itself when the operator has no ether", function()
      credit "50"
      lever("POST", "account", { address = OPERATOR, eth = "0" })
      local answer = execute()
      assert.equal(500, answer.status)
      assert.truthy(answer.json.details:find "insufficient funds")
      assert.truthy(answer.json.compute.result.choices)
    end)

    it("keeps the drawdown when the gate's settlement fails afterwards", function()
      credit "5"
      box:fault("settle_fails", { times = 1 })
      local answer = execute()
      assert.equal(402, answer.status)
      assert.is_false(payer.receipt(answer).success)
      assert.is_nil(answer.json.compute)
      assert.same({ 4970000, 1 }, { account()[1], account()[5] })
    end)

    it("answers 402 without payment headers when there is no credit, or too little", function()
      local answer = execute()
      assert.same({ 402, "No compute credits. Deposit USDC first.", LOWER },
        { answer.status, answer.json.error, answer.json.contract })
      assert.is_nil(answer.headers["payment-required"])
      assert.is_nil(answer.headers["payment-response"])
      credit "1.2"
      for _ = 1, 2 do execute{ type = "video-generation", prompt = "x" } end
      answer = execute{ type = "video-generation", prompt = "x" }
      assert.same({ 402, "Insufficient compute credits", "$0.5000 USDC", "$0.2000 USDC" },
        { answer.status, answer.json.error, answer.json.required, answer.json.balanceRemaining })
      assert.is_nil(answer.headers["payment-required"])
    end)

    for _, row in ipairs{
      { { depositor = "" }, 400, "depositor (address) and type are required" },
      { { type = "" }, 400, "depositor (address) and type are required" },
      { { depositor = "CFE-0123456789ABCDEF" }, 400, "Invalid depositor address" },
      { { type = "dance" }, 400, "Invalid compute type: dance" },
      { { model = "ada" }, 400, "Model 'ada' not available for text-inference. Use /compute/models to see options." },
      { { messages = "x" }, 400, "messages array required for text-inference" },
      { { type = "image-generation" }, 400, "prompt required" },
      { { type = "video-generation" }, 400, "prompt required" },
      { { type = "text-to-speech" }, 400, "text required" },
      { { type = "speech-to-text" }, 400, "audio_url required" },
      { { type = "embeddings" }, 400, "input required" },
      { { messages = {} }, 502, "Compute failed (balance NOT charged)" },
      { { model = { 1 } }, 500, "Compute futures execution failed" },
    } do
      it("refuses: " .. row[3] .. (row[1].type and " of " .. row[1].type or ""), function()
        credit "5"
        local answer = execute(row[1])
        assert.same({ row[2], row[3] }, { answer.status, answer.json.error })
        if row[2] == 502 then assert.equal("5.0000 USDC", answer.json.balanceRemaining) end
        assert.same({ 5 * M, 0 }, { account()[1], box:ledger().count })
      end)
    end
  end)

  it("history repeats the account, and never has any usage", function()
    credit "50"
    execute()
    local body = get("history?address=" .. alice.address .. "&limit=5").json
    assert.same({ balance = "49.973 USDC", deposited = "50.0 USDC", totalDrawn = "0.027 USDC",
                  totalRefunded = "0.0 USDC", jobCount = 1, tier = "builder" }, body.onChain)
    assert.same({}, body.usage)
    assert.equal(LOWER, body.contract)
    local answer = get "history"
    assert.same({ 400, "address query param required" }, { answer.status, answer.json.error })
    assert.is_nil(answer.json.example)
    answer = get "history?address=me"
    assert.same({ 500, "Failed to fetch history" }, { answer.status, answer.json.error })
  end)

  it("refund writes out the one call, if there is something", function()
    for _, body in ipairs{ {}, { futuresId = "CFE-0123456789ABCDEF", caller = alice.address }, { depositor = "me" } } do
      local answer = post("refund", body)
      assert.same({ 400, "depositor address required" }, { answer.status, answer.json.error })
    end
    assert.equal("No balance to refund", post("refund", { depositor = alice.address }).json.error)
    credit "50"
    execute()
    local body = post("refund", { depositor = alice.address }).json
    assert.same({ "sign_required", "49.973 USDC" }, { body.status, body.refundAmount })
    local call = body.transaction
    assert.same({ LOWER, "0x590e1ae3", "0x0", 8453 }, { call.to, call.data, call.value, call.chainId })
    assert.equal(49973000, account()[1])
    mined{ to = call.to, data = call.data }
    assert.equal("49.973 USDC", get("balance?address=" .. alice.address).json.totalRefunded)
  end)

  it("pricing tells the price at every tier, and what the contract holds", function()
    credit "50"
    local body = get("pricing").json
    assert.same({ name = "builder", minDeposit = "$10 USDC", discount = "5%" }, body.tiers[2])
    assert.same({ starter = "$0.0300 (0% off)", builder = "$0.0285 (5% off)", scale = "$0.0270 (10% off)",
                  enterprise = "$0.0255 (15% off)" }, body.pricing["image-generation"][1].tierPrices)
    assert.same({ "50.0 USDC", "1" }, { body.contract.totalDeposits, body.contract.depositorCount })
    assert.equal(4, #body.howItWorks)
    assert.is_nil(body.note)
  end)

  it("without its RPC the gateway cannot tell, and says so", function()
    credit "5"
    box:fault "store_down"
    for name, sentence in pairs{ ["balance?address=" .. alice.address] = "Failed to read on-chain balance",
                                 ["history?address=" .. alice.address] = "Failed to fetch history" } do
      local answer = get(name)
      assert.same({ 500, sentence }, { answer.status, answer.json.error })
    end
    assert.equal("Compute futures execution failed", execute().json.error)
    assert.equal("Failed to build refund transaction", post("refund", { depositor = alice.address }).json.error)
    assert.equal(200, post("deposit", { depositor = alice.address, amount = "5" }).status)
    assert.same({ "N/A", "N/A" },
      { get("pricing").json.contract.totalDeposits, get("pricing").json.contract.depositorCount })
  end)

  it("can have any member of an answer altered on the way", function()
    box:fault("answer_altered", { path = "transactions.1.to", value = OPERATOR, times = 1 })
    box:fault("answer_altered", { path = "transactions.2.data", times = 1 })
    local calls = post("deposit", { depositor = alice.address, amount = "5" }).json.transactions
    assert.same({ OPERATOR, LOWER }, { calls[1].to, calls[2].to })
    calls = post("deposit", { depositor = alice.address, amount = "5" }).json.transactions
    assert.is_nil(calls[2].data)
    calls = post("deposit", { depositor = alice.address, amount = "5" }).json.transactions
    assert.same({ USDC, sender.deposit(5 * M) }, { calls[1].to, calls[2].data })
  end)

  it("keeps books that agree to the last micro-USDC until the credit is gone", function()
    deposit(10 * M)
    local jobs, charged = 0, 0
    while true do
      local answer = execute{ type = "video-generation", prompt = "x" }
      if answer.status ~= 200 then break end
      jobs = jobs + 1
      local text = answer.json.billing.charged
      charged = charged + math.floor(tonumber(text:match "%d+%.%d+") * M + 0.5)
    end
    local shown, ledger = books(), box:ledger()
    local mine = shown.escrow.accounts[alice.address]
    assert.same({ charged, jobs }, { mine.drawn, mine.jobs })
    assert.equal(mine.deposited, mine.balance + mine.drawn + mine.refunded)
    assert.equal(mine.balance, shown.escrow.held)
    -- The gateway earned the drawdowns and a tenth of a cent for each execute; nothing came from nowhere.
    assert.equal(ledger.count, jobs)
    assert.equal(mine.drawn + tonumber(ledger.total), tonumber(ledger.balances[OPERATOR].atomic))
    local sum = 0
    for address, balance in pairs(ledger.balances) do   -- those of Base; Solana's are there too
      if address:find("^0x") then sum = sum + tonumber(balance.atomic) end
    end
    assert.equal(1000 * M, sum)
    assert.same({ 1, 0, { 0, 1 } }, { shown.senders[alice.address].deposits, shown.senders[alice.address].refunds,
      shown.senders[alice.address].nonces })
  end)

  it("lies about itself in discovery as the other dialect", function()
    local probe = box:request("POST", BASE .. "deposit", { body = {} })
    local sample = payer.challenge(probe).extensions.bazaar.info.output.example
    assert.equal("active", sample.status)
    assert.is_table(sample.computeFuture)
    assert.equal("escrow", box:config().dialect)
    local api = box:request("GET", "/openapi.json").json
    assert.equal("3.7.0", api.info.version)
    local described = api.paths["/api/v1/compute-futures/execute"].post
    assert.is_table(described.requestBody.content["application/json"].schema.properties.futuresId)
    assert.equal("id", api.paths["/api/v1/compute-futures/balance"].get.parameters[1].name)
    assert.is_table(api.paths["/api/v1/gpu/status/{id}"].get)
    for path in pairs(api.paths) do assert.is_nil(path:find("/compute/", 1, true)) end
  end)
end)
