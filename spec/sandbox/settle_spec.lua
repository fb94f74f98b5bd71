-- What may happen between verification and settlement while the handler is at work: the work is done, the answer
-- withheld, and what the handler did stays done.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local cqueues = require "cqueues"
local gateway = require "spec.support.gateway"
local payer = require "spec.support.payer"
local sandbox = require "spec.support.sandbox"

local CHAT, HELLO = "/api/v1/compute/text-inference", { messages = { { role = "user", content = "Hello" } } }

describe("while the handler is at work", function()
  local box = gateway.fresh()
  local bob

  before_each(function()
    bob = payer.new(box, "0x" .. core.hex_encode(core.random_bytes(32)))
    box:fund(bob.address, "0.03")
  end)

  -- Present a payment, and do something once its handler has begun.
  local function during(change, meanwhile)
    local header, payment = bob:prepare("POST", CHAT, HELLO, change)
    box:fault("handler_slow", { seconds = 0.3, times = 1 })
    local queue, answer = cqueues.new(), nil
    queue:wrap(function() answer = bob:present("POST", CHAT, HELLO, header) end)
    queue:wrap(function()
      repeat cqueues.sleep(0.01) until #box:faults().armed == 0
      meanwhile(payment.payload.authorization)
    end)
    assert(queue:loop(20))
    return answer
  end

  -- The reason in a receipt that tells of nothing moved.
  local function reason(answer)
    assert.equal(402, answer.status)
    assert.is_nil(answer.headers["payment-required"])
    assert.is_nil(answer.json.choices)
    assert.is_nil(answer.json.error)
    local receipt = payer.receipt(answer)
    assert.is_false(receipt.success)
    assert.equal("", receipt.transaction)
    assert.equal(bob.address, receipt.payer)
    assert.equal(1, box:ledger().handled["POST " .. CHAT])
    return receipt.errorReason
  end

  it("the wallet may be emptied", function()
    local answer = during(nil, function()
      assert.equal(200, bob:pay("POST", CHAT, HELLO).status)
    end)
    assert.equal(2, box:ledger().handled["POST " .. CHAT])
    assert.equal("insufficient_funds", payer.receipt(answer).errorReason)
    assert.equal(1, box:ledger().count)
  end)

  it("the authorization may run out", function()
    local answer = during({ validBefore = ("%d"):format(box:clock().now + 20) }, function() box:advance(30) end)
    assert.equal("invalid_exact_evm_payload_authorization_valid_before", reason(answer))
    assert.equal(0, box:ledger().count)
  end)

  it("its owner may cancel it", function()
    local answer = during(nil, function(a) box:cancel(bob.address, a.nonce) end)
    assert.equal("invalid_exact_evm_nonce_already_used", reason(answer))
    assert.equal(0, box:ledger().count)
  end)
end)

describe("a test network", function()
  it("is paid in its own dollar, under its own domain", function()
    local box = sandbox.start{ network = "base-sepolia" }
    local alice = payer.new(box)
    local answer = alice:pay("POST", CHAT, HELLO)
    assert.equal(200, answer.status)
    assert.equal("eip155:84532", payer.receipt(answer).network)
    assert.equal("0x14a34", box:chain "eth_chainId")
    local wrong = alice:pay("POST", CHAT, HELLO, { domain = { name = "USD Coin", version = "2" } })
    assert.equal("invalid_exact_evm_payload_signature", payer.challenge(wrong).error)
    box:stop()
  end)

  it("has its escrow too, whatever rails are offered", function()
    for _, network in ipairs{ "base", "base-sepolia" } do
      local box = sandbox.start{ network = network, dialect = "escrow" }
      local alice = payer.new(box)
      local home = box:request("GET", "/_sandbox/config").json
      box:config{ networks = { network == "base" and "solana" or "solana-devnet", network } }
      local answer = alice:pay("POST", "/api/v1/compute-futures/deposit",
        { depositor = alice.address, amount = "5" }, { entry = 2 }).json
      assert.equal(home.asset, answer.transactions[1].to)
      assert.equal(network == "base" and 8453 or 84532, answer.transactions[2].chainId)
      box:stop()
    end
  end)
end)

describe("the third rail", function()
  local box, alice = gateway.fresh{ rails = 3 }

  local function pay(change)
    change = change or {}
    change.entry = 3
    return alice:pay("POST", CHAT, HELLO, change)
  end

  it("has no money of anybody here, and reasons of its own", function()
    assert.equal("insufficient_funds", payer.challenge(pay()).error)
    local header = alice:prepare("POST", CHAT, HELLO, { entry = 3 })
    box:fund(alice.address, "1", "robinhood")
    assert.equal(200, alice:present("POST", CHAT, HELLO, header).status)
    assert.equal("authorization_already_used",
      payer.challenge(alice:present("POST", CHAT, HELLO, header)).error)
    assert.equal("invalid_exact_evm_payload_authorization_valid_before",
      payer.challenge(pay{ validBefore = ("%d"):format(box:clock().now + 4) }).error)
  end)
end)
