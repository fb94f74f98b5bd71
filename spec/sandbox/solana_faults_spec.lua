-- Every fault that can strike a payment strikes one on Solana as it strikes one on Base: the same answer
-- on the wire, the same money. Both pay the same call under the same fault, and are compared.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local gateway = require "spec.support.gateway"
local payer = require "spec.support.payer"
local solana = require "spec.support.solana"

local EMBED, TEXT = "/api/v1/compute/embeddings", { input = "x" }

-- Made short, where a fault would take its time.
local SHORT = {
  settle_then_timeout = 600, timeout_before_settle = 600, settle_then_slow = 0.05, settle_then_drip = 0.0001,
  handler_slow = 0.05, upstream_slow = 0.05, settle_later = 0.1,
}

-- Faults that mean something on one rail only; solana_pay_spec has those of Solana.
local ONE_RAIL = {
  wrong_domain = "EVM", no_domain = "EVM", solana_only = "it changes what is offered",
  solana_blockhash = "Solana", solana_memo = "Solana", fee_payer_rotates = "Solana", no_fee_payer = "Solana",
  foreign_fee_payer = "Solana", own_fee_payer = "Solana", solana_mint = "Solana",
  solana_settle_late = "Solana", solana_settle_reverts = "Solana",
}

-- Terms that no payer can sign as they stand, however careless.
local UNSIGNABLE = { negative_amount = true, float_amount = true, no_accepts = true }

describe("a fault strikes on Solana as on Base:", function()
  local box, alice = gateway.fresh()

  local function pays(who, fault, before)
    box:reset()
    if who.refill then                                          -- Solana's own, and the only rail then
      who:refill "1"
      box:config{ networks = { "solana" } }
    end
    if before then box:fault(fault, { times = 2 }) end
    local header = who:prepare("POST", EMBED, TEXT)
    if not before then box:fault(fault, { times = 1, seconds = SHORT[fault], bytes = 200000 }) end
    local patience = fault:find "timeout" and 0.3 or 5
    local answer, why, partial = who:present("POST", EMBED, TEXT, header, { seconds = patience })
    local count = box:ledger().count
    for _ = 1, 250 do                                           -- of a settlement in the background
      if fault ~= "settle_later" or count == 1 then break end
      require "cqueues".sleep(0.02)
      count = box:ledger().count
    end
    return { answer = answer, why = not answer and (partial and why or "nothing") or nil, count = count }
  end

  -- What of an answer must be the same on both.
  local function seen(one)
    local answer = one.answer
    local header = answer and answer.headers["payment-response"]
    local receipt = header and core.base64_decode(header) and payer.receipt(answer)
    return {
      status = answer and answer.status, why = one.why, count = one.count,
      challenge = answer and answer.headers["payment-required"] ~= nil,
      receipt = header ~= nil, success = receipt and tostring(receipt.success),
      transaction = receipt and receipt.transaction ~= "",
    }
  end

  local catalogue = require "spraay.sandbox.faults".catalogue
  local names = {}
  for name, fault in pairs(catalogue) do
    local stage = fault.stage
    if not ONE_RAIL[name] and not UNSIGNABLE[name] and fault.leg ~= "probe"
       and (stage == "terms" or stage == "request" or stage == "settle" or stage == "answer" or stage == "accept") then
      names[#names + 1] = name
    end
  end
  table.sort(names)

  for _, name in ipairs(names) do
    it(name, function()
      local before = catalogue[name].stage == "terms"
      local base = pays(alice, name, before)
      local bob = solana.payer(box)
      local here = pays(bob, name, before)
      assert.same(seen(base), seen(here))
    end)
  end

  it("nearly all of them", function() assert.is_true(#names >= 55, #names .. " faults") end)

  it("and in the shapes of Solana", function()
    local bob = solana.payer(box)
    local function receipt_under(name)
      return payer.receipt(pays(bob, name).answer)
    end
    local real = box:ledger()
    local receipt = receipt_under "settle_then_receipt_other_nonce"
    assert.equal(64, #core.base58_decode(receipt.transaction))
    assert.not_equal(box:ledger().settled[1].transaction, receipt.transaction)
    receipt = receipt_under "settle_then_receipt_other_payer"
    assert.equal(32, #core.base58_decode(receipt.payer))
    assert.not_equal(bob.address, receipt.payer)
    assert.truthy(receipt_under "settle_then_receipt_other_network".network:find "^solana:")
    receipt = receipt_under "pending_never_settles"
    assert.equal(64, #core.base58_decode(receipt.transaction))
    receipt = receipt_under "settle_then_pending"
    assert.equal(box:ledger().settled[1].transaction, receipt.transaction)
    local refused = pays(bob, "refuse").answer
    assert.equal("invalid_exact_svm_payload_signature_invalid", payer.challenge(refused).error)
    assert.equal(0, real.count)
  end)

  it("in the terms too: another mint, cluster, receiver", function()
    local function offered(fault)
      box:clear()
      box:fault(fault)
      for _, entry in ipairs(payer.challenge(box:request("POST", EMBED, { body = TEXT })).accepts) do
        if entry.network:find "^solana:" then return entry end
      end
    end
    local plain = offered "price_raised"
    assert.equal("10000", plain.amount)
    assert.equal(32, #core.base58_decode(offered "wrong_asset".asset))
    assert.not_equal(plain.asset, offered "wrong_asset".asset)
    assert.equal("solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z", offered "wrong_network".network)
    assert.equal(32, #core.base58_decode(offered "changed_payto".payTo))
    assert.not_equal(plain.payTo, offered "changed_payto".payTo)
    assert.equal("5000000", offered "wrong_decimals".amount)
    box:config{ networks = { "solana" } }
    box:clear()
    box:fault "decoy_network"
    local accepts = payer.challenge(box:request("POST", EMBED, { body = TEXT })).accepts
    assert.equal("solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z", accepts[1].network)
    assert.equal("500", accepts[1].amount)
    assert.equal("5000", accepts[2].amount)
  end)
end)
