-- Paying the sandbox on Solana: what is settled, what is refused, and what the books say.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local cqueues = require "cqueues"
local gateway = require "spec.support.gateway"
local payer = require "spec.support.payer"
local solana = require "spec.support.solana"

local EMBED, TEXT = "/api/v1/compute/embeddings", { input = "x" }
local SIMULATION = "invalid_exact_svm_transaction_simulation_failed"

describe("a payment on Solana", function()
  local box = gateway.fresh()
  local bob
  before_each(function() bob = solana.payer(box) end)

  local function reason(answer) return payer.challenge(answer).error end

  it("settles: money moves, the receipt names the fee payer's signature, the books have the memo", function()
    local answer, why, _, memo = bob:pay("POST", EMBED, TEXT)
    assert.is_nil(why)
    assert.equal(200, answer.status)
    local receipt = payer.receipt(answer)
    assert.is_true(receipt.success)
    assert.equal(bob.address, receipt.payer)
    assert.equal("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", receipt.network)
    assert.equal(64, #core.base58_decode(receipt.transaction))
    assert.equal("99995000", bob:balance())
    local books = box:ledger()
    assert.equal(1, books.count)
    assert.equal("5000", books.total)
    local row = books.settled[1]
    assert.equal(memo, row.memo)
    assert.equal(memo, row.nonce)
    assert.equal(bob.address, row.payer)
    assert.equal("POST " .. EMBED, row.route)
    assert.equal(receipt.transaction, row.transaction)
    assert.equal("99.995000", books.balances[bob.address].usdc)
    assert.equal("0.005000", books.balances[row.payTo].usdc)
    assert.equal(memo, books.presented[1].nonce)
    assert.equal(bob.address, books.presented[1].payer)
    assert.equal("settled", books.presented[1].verdict)
  end)

  it("is on chain with its memo, signed by the fee payer first", function()
    local answer, _, _, memo = bob:pay("POST", EMBED, TEXT)
    local transaction = payer.receipt(answer).transaction
    local list = solana.rpc(box, "getSignaturesForAddress", { solana.ata(bob.address), { commitment = "confirmed" } })
    assert.equal(1, #list)
    assert.equal(transaction, list[1].signature)
    assert.equal("[32] " .. memo, list[1].memo)
    local entry = solana.rpc(box, "getTransaction",
      { transaction, { commitment = "confirmed", encoding = "json", maxSupportedTransactionVersion = 0 } })
    assert.equal(2, #entry.transaction.signatures)
    assert.equal(transaction, entry.transaction.signatures[1])
    assert.equal(solana.lever(box).feePayers[1], entry.transaction.message.accountKeys[1])
    assert.equal("100000000", entry.meta.preTokenBalances[1].uiTokenAmount.amount)
    assert.equal("99995000", entry.meta.postTokenBalances[1].uiTokenAmount.amount)
  end)

  it("works for a legacy message, an imposed memo, none, and compute units of one's own", function()
    local function edit(m) m.legacy = true end
    for _, change in ipairs{ { edit = edit }, { memo = false }, { units = 100000, price = 5000000 } } do
      assert.equal(200, bob:pay("POST", EMBED, TEXT, change).status)
    end
    box:fault("solana_memo", { memo = "order-7" })
    assert.equal(200, bob:pay("POST", EMBED, TEXT).status)
    assert.equal("invalid_exact_svm_payload_memo_mismatch", reason((bob:pay("POST", EMBED, TEXT, { memo = "x" }))))
    assert.equal("invalid_exact_svm_payload_memo_count", reason((bob:pay("POST", EMBED, TEXT, { memo = false }))))
    local books = box:ledger()
    assert.equal(4, books.count)
    assert.equal("order-7", books.settled[4].memo)
  end)

  it("is refused for what is wrong with it, and nothing moves", function()
    local other = solana.payer(box)
    for _, row in ipairs{
      { { amount = 4999 }, "invalid_exact_svm_payload_amount_mismatch" },
      { { amount = 5001 }, "invalid_exact_svm_payload_amount_mismatch" },
      { { to = other.address }, "invalid_exact_svm_payload_recipient_mismatch" },
      { { price = 5000001 }, "invalid_exact_svm_payload_transaction_instructions_compute_price_instruction_too_high" },
      { { fee_payer = other.address }, "invalid_exact_svm_fee_payer_mismatch" },
      { { fee_payer = bob.address }, "invalid_exact_svm_fee_payer_mismatch" },
      { { decimals = 9 }, SIMULATION },
      { { blockhash = core.base58_encode(core.random_bytes(32)) }, SIMULATION },
      { { memo = "\255\254" }, SIMULATION },
      { { edit = function(m)                                   -- the money of somebody else
        m.instructions[3][2][1] = solana.ata(other.address)
        m.accounts[3][1] = solana.ata(other.address)
      end }, SIMULATION },
      { { edit = function(m) m.accounts[3][2], m.accounts[4][2] = "r", "r" end }, SIMULATION },   -- not writable
      { { edit = function(m) table.remove(m.instructions, 1) end },
        "invalid_exact_svm_payload_transaction_instructions_compute_limit_instruction" },
    } do
      local answer = bob:pay("POST", EMBED, TEXT, row[1])
      assert.equal(402, answer.status)
      assert.equal(row[2], reason(answer))
    end
    local books = box:ledger()
    assert.equal(0, books.count)
    assert.equal("100.000000", books.balances[bob.address].usdc)
    assert.equal("100.000000", books.balances[other.address].usdc)
  end)

  it("needs money, and token accounts that are there and not frozen", function()
    local function tried(lever, body)
      solana.lever(box, lever, body)
      local answer = bob:pay("POST", EMBED, TEXT)
      return answer.status == 402 and reason(answer) or answer.status
    end
    assert.equal(SIMULATION, tried("balance", { address = bob.address, amount = "0.004999" }))
    assert.equal(200, tried("balance", { address = bob.address, amount = "0.01" }))
    assert.equal(SIMULATION, tried("freeze", { address = bob.address }))
    assert.equal(200, tried("freeze", { address = bob.address, frozen = false }))
    assert.equal(SIMULATION, tried("drop", { address = bob.address }))
    assert.equal(200, tried("fund", { address = bob.address, amount = "1" }))
    local pay_to = solana.lever(box).payTo
    assert.equal(SIMULATION, tried("drop", { address = pay_to }))
    assert.equal(200, tried("fund", { address = pay_to, amount = "0" }))
    assert.equal(4, box:ledger().count)
  end)

  it("is dead when its blockhash is, and not a block before", function()
    local height = solana.rpc(box, "getBlockHeight", { { commitment = "confirmed" } })
    local latest = solana.rpc(box, "getLatestBlockhash", { { commitment = "confirmed" } }).value
    assert.is_true(latest.lastValidBlockHeight - height >= 150)
    local header = bob:prepare("POST", EMBED, TEXT, { blockhash = latest.blockhash })
    local second = bob:prepare("POST", EMBED, TEXT, { blockhash = latest.blockhash })
    box:advance(50)
    assert.equal(200, bob:present("POST", EMBED, TEXT, header).status)
    box:advance(15)
    assert.equal(SIMULATION, reason(bob:present("POST", EMBED, TEXT, second)))
    assert.equal(1, box:ledger().count)
  end)

  it("expires while the handler is at work: 402 with a receipt, nothing moved", function()
    local header = bob:prepare("POST", EMBED, TEXT)
    box:fault("handler_slow", { seconds = 1 })
    local cq, answer = cqueues.new(), nil
    cq:wrap(function() answer = bob:present("POST", EMBED, TEXT, header) end)
    cq:wrap(function()
      while box:ledger().verified == 0 do cqueues.sleep(0.02) end
      box:advance(70)
    end)
    assert(cq:loop())
    assert.equal(402, answer.status)
    assert.is_nil(answer.headers["payment-required"])
    local receipt = payer.receipt(answer)
    assert.is_false(receipt.success)
    assert.equal(SIMULATION, receipt.errorReason)
    assert.equal("", receipt.transaction)
    assert.equal(0, box:ledger().count)
  end)

  it("that fails on chain: 402, a receipt with its transaction, nothing moved", function()
    box:fault("solana_settle_reverts", { times = 1 })
    local answer, _, header, memo = bob:pay("POST", EMBED, TEXT)
    assert.equal(402, answer.status)
    local receipt = payer.receipt(answer)
    assert.is_false(receipt.success)
    assert.equal("invalid_exact_svm_transaction_failed", receipt.errorReason)
    local account = solana.ata(bob.address)
    local line = solana.rpc(box, "getSignaturesForAddress", { account, { commitment = "confirmed" } })[1]
    assert.equal(receipt.transaction, line.signature)
    assert.equal("[32] " .. memo, line.memo)
    assert.same({ InstructionError = { 2, { Custom = 17 } } }, line.err)
    assert.equal(SIMULATION, reason(bob:present("POST", EMBED, TEXT, header)))
    assert.equal("100000000", bob:balance())
    assert.equal(0, box:ledger().count)
  end)

  describe("sent, and not landed yet", function()
    local function landed_after(delay, seconds)
      box:fault("solana_settle_late", { times = 1, seconds = delay })
      local answer, _, _, memo = bob:pay("POST", EMBED, TEXT)
      assert.equal(502, answer.status)
      assert.equal(0, box:ledger().count)
      box:advance(seconds)
      return box:ledger(), memo
    end

    it("lands in the block of its time, though the clock has jumped far beyond", function()
      local books, memo = landed_after(40, 300)
      assert.equal(1, books.count)
      assert.equal(memo, books.settled[1].memo)
      local line = solana.rpc(box, "getSignaturesForAddress", { solana.ata(bob.address) })[1]
      assert.equal("[32] " .. memo, line.memo)
      assert.is_true(math.abs(box:clock().now - 260 - line.blockTime) <= 10)
      assert.equal("99995000", bob:balance())
    end)

    it("or never, if its blockhash does not live as long", function()
      local books = landed_after(70, 300)
      assert.equal(0, books.count)
      assert.equal("100000000", bob:balance())
    end)
  end)

  describe("presented twice", function()
    it("one after the other: the second is refused, the chain knows the first", function()
      local header = bob:prepare("POST", EMBED, TEXT)
      assert.equal(200, bob:present("POST", EMBED, TEXT, header).status)
      assert.equal(SIMULATION, reason(bob:present("POST", EMBED, TEXT, header)))
      assert.equal(1, box:ledger().count)
    end)

    it("at once: both do the work, one is a duplicate", function()
      local header = bob:prepare("POST", EMBED, TEXT)
      box:fault("handler_slow", { seconds = 0.7 })
      local cq, statuses, reasons = cqueues.new(), {}, {}
      for i = 1, 2 do
        cq:wrap(function()
          local answer = bob:present("POST", EMBED, TEXT, header)
          statuses[i], reasons[i] = answer.status, payer.receipt(answer).errorReason
        end)
      end
      assert(cq:loop())
      table.sort(statuses)
      assert.same({ 200, 402 }, statuses)
      assert.equal("duplicate_settlement", reasons[1] or reasons[2])
      local books = box:ledger()
      assert.equal(1, books.count)
      assert.equal(2, books.handled["POST " .. EMBED])
      assert.equal("99.995000", books.balances[bob.address].usdc)
    end)

    it("after the facilitator failed to sign: a duplicate for two minutes, though nothing moved", function()
      solana.lever(box, "fee_payer", { refusing = true })
      local header = bob:prepare("POST", EMBED, TEXT)
      local function why() return payer.receipt(bob:present("POST", EMBED, TEXT, header)).errorReason end
      assert.equal("invalid_exact_svm_transaction_signing_failed", why())
      solana.lever(box, "fee_payer", { refusing = false })
      assert.equal("duplicate_settlement", why())
      assert.equal(0, box:ledger().count)
      assert.equal(200, bob:pay("POST", EMBED, TEXT).status)
    end)

    it("is answered again where the gateway keeps answers", function()
      box:config{ replay = true }
      local header = bob:prepare("POST", EMBED, TEXT)
      local first = bob:present("POST", EMBED, TEXT, header)
      assert.equal(first.body, bob:present("POST", EMBED, TEXT, header).body)
      assert.equal(1, box:ledger().count)
    end)
  end)

  it("pays in version 1 as well", function()
    box:fault "v1"
    local entry = box:request("POST", EMBED, { body = TEXT }).json.accepts[2]
    assert.equal("solana", entry.network)
    local answer = box:request("POST", EMBED, { body = TEXT, headers = { ["x-payment"] = bob:v1_header(entry) } })
    assert.equal(200, answer.status)
    local receipt = core.base64_decode(answer.headers["x-payment-response"])
    assert.truthy(receipt:find('"network":"solana"', 1, true))
    assert.equal(1, box:ledger().count)
  end)

  it("is not charged for an answer from 400 up", function()
    local answer = bob:pay("POST", EMBED, {})
    assert.equal(400, answer.status)
    assert.equal(0, box:ledger().count)
    assert.equal("100000000", bob:balance())
  end)

  describe("under terms of", function()
    it("a blockhash, which is taken for the time it lives", function()
      box:fault "solana_blockhash"
      local header, payment = bob:prepare("POST", EMBED, TEXT)
      assert.equal(32, #core.base58_decode(payment.accepted.extra.recentBlockhash))
      box:advance(20)
      assert.equal(200, bob:present("POST", EMBED, TEXT, header).status)
      box:clear()
      box:fault("solana_blockhash", { seconds = 90 })
      assert.equal(SIMULATION, reason((bob:pay("POST", EMBED, TEXT))))
    end)

    it("another fee payer each time", function()
      box:fault "fee_payer_rotates"
      local seen = {}
      for _ = 1, 3 do
        local answer = bob:pay("POST", EMBED, TEXT)
        assert.equal(200, answer.status)
      end
      for _ = 1, 3 do
        local accepts = payer.challenge(box:request("POST", EMBED, { body = TEXT })).accepts
        seen[accepts[2].extra.feePayer] = true
      end
      local count = 0
      for _ in pairs(seen) do count = count + 1 end
      assert.equal(3, count)
    end)

    it("no fee payer, a foreign one, the payer himself", function()
      box:fault "no_fee_payer"
      assert.equal("invalid_exact_svm_payload_missing_fee_payer",
        reason((bob:pay("POST", EMBED, TEXT, { fee_payer = solana.lever(box).feePayers[1] }))))
      for _, row in ipairs{ { "foreign_fee_payer" }, { "own_fee_payer", { fee_payer = bob.address } } } do
        box:clear()
        box:fault(row[1], row[2])
        assert.equal("invalid_exact_svm_fee_payer_not_managed_by_facilitator", reason((bob:pay("POST", EMBED, TEXT))))
      end
      assert.equal(0, box:ledger().count)
    end)

    it("a mint of Token-2022, for those who have some", function()
      box:fault "solana_mint"
      local mint = payer.challenge(box:request("POST", EMBED, { body = TEXT })).accepts[2].asset
      local change = { program = solana.TOKEN_2022 }
      assert.equal(SIMULATION, reason((bob:pay("POST", EMBED, TEXT, change))))
      solana.lever(box, "balance", { address = bob.address, amount = "1", mint = mint })
      assert.equal(200, bob:pay("POST", EMBED, TEXT, change).status)
      local info = solana.rpc(box, "getAccountInfo", { mint, { encoding = "base64" } })
      assert.equal(solana.TOKEN_2022, info.value.owner)
    end)
  end)

  it("is what is offered where only Solana is", function()
    box:config{ networks = { "solana" } }
    local accepts = payer.challenge(box:request("POST", EMBED, { body = TEXT })).accepts
    assert.equal(1, #accepts)
    assert.equal(200, bob:pay("POST", EMBED, TEXT).status)
    box:config{ networks = { "solana", "base" } }
    accepts = payer.challenge(box:request("POST", EMBED, { body = TEXT })).accepts
    assert.equal("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", accepts[1].network)
    assert.equal("eip155:8453", accepts[2].network)
    for _, wrong in ipairs{ { "solano" }, { "rails" }, { "solana-devnet" }, {} } do
      assert.equal(400, box:request("POST", "/_sandbox/config", { body = { networks = wrong } }).status)
    end
  end)
end)
