-- X-Solana-Tx: a request that names a transfer made before. What is honoured, what is refused and in
-- which words, and that the money is gone either way.
-- SPDX-License-Identifier: MIT
local gateway = require "spec.support.gateway"
local payer = require "spec.support.payer"
local solana = require "spec.support.solana"

local RUN, STATUS = "/api/v1/gpu/run", "/api/v1/gpu/status/"
local JOB = { model = "flux-dev", input = { prompt = "a lighthouse" } }

describe("X-Solana-Tx", function()
  local box = gateway.fresh{ job_seconds = 0 }
  local bob
  before_each(function() bob = solana.payer(box) end)

  local function run(signature, body)
    return box:request("POST", RUN, { body = body or JOB, headers = { ["x-solana-tx"] = signature }, seconds = 2 })
  end

  local function transfer(amount, change)
    local text, name = bob:transfer(amount, change)
    assert(bob:send(text, { skipPreflight = true }))
    return name
  end

  local function refused(signature)
    local answer = run(signature)
    assert.equal(402, answer.status)
    assert.equal("Solana payment verification failed", answer.json.error)
    assert.is_nil(answer.headers["payment-required"])
    return answer.json.detail
  end

  it("pays for gpu/run and gpu/status, without a receipt", function()
    local name = transfer(60000)
    local answer = run(name)
    assert.equal(200, answer.status)
    assert.equal("succeeded", answer.json.status)
    assert.is_nil(answer.headers["payment-response"])
    local second = transfer(5000)
    answer = box:request("GET", STATUS .. answer.json.id, { headers = { ["x-solana-tx"] = second } })
    assert.equal(200, answer.status)
    local books = box:ledger()
    assert.equal(2, books.count)
    local row = books.settled[1]
    assert.equal("self-paid", row.via)
    assert.equal("POST " .. RUN, row.route)
    assert.equal(name, row.transaction)
    assert.equal(name, row.nonce)
    assert.equal(bob.address, row.payer)
    assert.equal(1, row.redeemed)
    assert.equal("honoured", books.presented[1].verdict)
    assert.equal("99.935000", books.balances[bob.address].usdc)
  end)

  it("is not looked at on compute: the ordinary challenge, the money gone", function()
    local name = transfer(30000)
    local answer = box:request("POST", "/api/v1/compute/text-inference",
      { body = { messages = { { role = "user", content = "x" } } }, headers = { ["x-solana-tx"] = name } })
    assert.equal("Payment required", payer.challenge(answer).error)
    assert.equal(1, box:ledger().count)
    assert.is_nil(box:ledger().settled[1].route)
  end)

  it("is refused in the gateway's words", function()
    assert.equal("Transaction not found or not yet confirmed", refused "5x")
    assert.equal("Transaction not found or not yet confirmed", refused "\200")
    assert.equal("0xc8", box:ledger().presented[2].nonce)
    assert.equal("Insufficient amount: 0.059999 USDC (required 0.06)", refused(transfer(59999)))
    local other = solana.payer(box)
    assert.equal("No USDC transfer to Spraay receive address found in transaction",
                 refused(transfer(60000, { to = other.address })))
    assert.equal('Transaction failed: {"InstructionError":[0,{"Custom":1}]}', refused(transfer(900000000)))
    local answer = run "5x"
    assert.equal("solana", answer.json.chain)
    assert.equal("0.06", answer.json.required_amount)
    assert.equal(solana.lever(box).payTo, answer.json.receive_address)
    assert.equal(solana.USDC, answer.json.usdc_mint)
    assert.equal("Spraay Protocol", answer.json.serviceName)
  end)

  it("takes more than the price, and keeps it", function()
    assert.equal(200, run(transfer(80000)).status)
    assert.equal("80000", box:ledger().total)
  end)

  it("is too old after 300 s", function()
    local name = transfer(60000)
    box:advance(285)
    assert.equal(200, run(name).status)
    box:advance(20)
    assert.truthy(refused(name):find "^Transaction too old: 3%d%ds %(max 300s%)$")
  end)

  it("is taken again and again, or once where signatures are remembered", function()
    local name = transfer(60000)
    for _ = 1, 2 do assert.equal(200, run(name).status) end
    local books = box:ledger()
    assert.equal(1, books.count)
    assert.equal(2, books.settled[1].redeemed)
    box:config{ solana_single_use = true }
    name = transfer(60001)
    assert.equal(200, run(name).status)
    assert.truthy(refused(name):find "^Transaction signature already used")
  end)

  it("is not given back for an answer from 400 up", function()
    local answer = run(transfer(60000), {})
    assert.equal(400, answer.status)
    assert.equal("Missing required field: model", answer.json.error)
    box:fault "upstream_503"
    assert.equal(500, run(transfer(60001)).status)
    assert.equal(2, box:ledger().count)
    assert.equal("99879999", bob:balance())
  end)

  describe("under faults:", function()
    it("the node has not seen it yet, or cannot be asked, or the store is down", function()
      local name = transfer(60000)
      box:fault("solana_tx_unseen", { times = 1 })
      assert.equal("Transaction not found or not yet confirmed", refused(name))
      box:fault("solana_tx_error", { times = 1 })
      assert.equal("Verification error: fetch failed", refused(name))
      box:fault("solana_tx_store_down", { times = 1 })
      assert.equal(503, run(name).status)
      assert.equal(200, run(name).status)
    end)

    for name, expected in pairs{
      settle_then_reset = false, settle_then_truncate = false, settle_then_502 = 502, settle_then_402 = 402,
      settle_then_no_receipt = 200, non_json_200 = 200, settle_then_pending = 402, settle_then_unclear = 402,
      reset_before_settle = false, ["502_before_settle"] = 502, ["429"] = 429, ["409"] = 409, html_404 = 404,
      refuse = 402, verify_down = 402, handler_crash = 500,
    } do
      it(name, function()
        local signature = transfer(60000)
        box:fault(name, { times = 1 })
        local answer = run(signature)
        assert.equal(expected, answer and answer.status or false)
        assert.equal(200, run(signature).status)               -- the same signature works again
        assert.equal(1, box:ledger().count)
      end)
    end
  end)
end)
