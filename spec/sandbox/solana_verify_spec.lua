-- The sandbox's facilitator on Solana beside the official one: sound and damaged transactions, and what
-- each says; then what only a chain can tell.
-- Vectors: @x402/svm 2.27.0 with a simulation that always succeeds; see the file's own notes.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"
local address = require "spraay.sandbox.solana.address"
local chain = require "spraay.sandbox.solana.chain"
local facilitator = require "spraay.sandbox.facilitator"
local networks = require "spraay.sandbox.networks"
local transaction = require "spraay.sandbox.solana.transaction"
local verify = require "spraay.sandbox.solana.verify"

describe("the facilitator on Solana", function()
  local vectors = spec.vectors "facilitator_verdicts_svm"
  local FACILITATOR = "GmaDrppBC7P5ARKV8g3djiwP89vz1jLK23V2GBjuAEGB"

  describe("before the chain is asked", function()
    for _, case in ipairs(vectors.cases) do
      it((case.is_valid and "takes: " or "refuses: ") .. case.id, function()
        local tx, reason, move = verify.check({ transaction = case.transaction }, case.accepts[1],
                                              { [FACILITATOR] = true })
        if case.is_valid then
          assert.is_nil(reason)
          assert.equal(FACILITATOR, tx.accounts[1])
          assert.equal(case.accepts[1].amount, tostring(move.amount))
        else
          assert.is_nil(tx)
          assert.equal(case.invalid_reason, reason)
        end
      end)
    end

    it("reads all of the vectors", function() assert.equal(31, #vectors.cases) end)

    it("wants a fee payer, and one of its own", function()
      local case = vectors.cases[1]
      local term = {}
      for name, value in pairs(case.accepts[1]) do term[name] = value end
      local function reason_with(extra)
        term.extra = extra
        return select(2, verify.check({ transaction = case.transaction }, term, { [FACILITATOR] = true }))
      end
      assert.equal("invalid_exact_svm_payload_missing_fee_payer", reason_with{})
      assert.equal("invalid_exact_svm_fee_payer_not_managed_by_facilitator",
                   reason_with{ feePayer = "3F5qRPtKg8GhGNnbd3qCj6nVJxWsGxq7pvH84okYLAqf" })
    end)

    it("knows a payload without a transaction", function()
      local term = vectors.cases[1].accepts[1]
      for _, payload in ipairs{ {}, { transaction = 5 }, "text" } do
        assert.equal("invalid_exact_svm_payload_transaction",
                     select(2, verify.check(payload, term, { [FACILITATOR] = true })))
      end
    end)
  end)

  describe("with the chain", function()
    -- The official vectors' blockhash, made to be a living one of this chain.
    local function world()
      local clock = { seconds = function() return 1767225600 end, elapsed = function() return 5 end }
      local here = chain.new(networks.solana, clock)
      here.managed = { [FACILITATOR] = true }
      here:set_lamports(FACILITATOR, 1000000000)
      local payer = "3F5qRPtKg8GhGNnbd3qCj6nVJxWsGxq7pvH84okYLAqf"
      here:set_balance(payer, 1000)
      here:set_balance(vectors.cases[1].accepts[1].payTo, 0)
      return here, payer
    end

    local function verdict(case, here)
      local tx = transaction.parse(core.base64_decode(case.transaction))
      if tx then here.hashes[tx.blockhash] = here:tip() end
      local term = { kind = "svm" }
      for name, value in pairs(case.accepts[1]) do term[name] = value end
      local payment = { payload = { transaction = case.transaction } }
      return facilitator.verify({ chains = { [term.network] = here } }, payment, term, 2)
    end

    -- What the official check passes because its simulation was made to succeed.
    local UNSOUND = {
      ["wrong decimals (only simulation would notice)"] = true,
    }

    for _, case in ipairs(vectors.cases) do
      it("says the same of: " .. case.id, function()
        local here, payer = world()
        local authorization, reason = verdict(case, here)
        if UNSOUND[case.id] then
          assert.equal("invalid_exact_svm_transaction_simulation_failed", reason)
        elseif case.is_valid then
          assert.is_nil(reason)
          assert.equal(payer, authorization.payer)
          assert.equal(1000, authorization.value)
        else
          assert.equal(case.invalid_reason, reason)
        end
      end)
    end

    for name, ruin in pairs{
      ["a payer without the money"] = function(here, payer) here:set_balance(payer, 999) end,
      ["a payer without a token account"] = function(here, payer) here:drop(payer) end,
      ["a receiver without a token account"] = function(here)
        here:drop(vectors.cases[1].accepts[1].payTo)
      end,
      ["a frozen payer"] = function(here, payer) here:freeze(payer, true) end,
      ["a frozen receiver"] = function(here) here:freeze(vectors.cases[1].accepts[1].payTo, true) end,
      ["a facilitator out of SOL"] = function(here) here:set_lamports(FACILITATOR, 1000) end,
      ["a facilitator that never had any"] = function(here) here:set(FACILITATOR, false) end,
    } do
      it("finds in a simulation: " .. name, function()
        local here, payer = world()
        assert.is_truthy((verdict(vectors.cases[1], here)))
        ruin(here, payer)
        assert.equal("invalid_exact_svm_transaction_simulation_failed",
                     select(2, verdict(vectors.cases[1], here)))
      end)
    end
  end)
end)

describe("a transaction", function()
  it("is taken apart as @solana/kit put it together", function()
    local seen = 0
    for _, set in ipairs{ "x402_svm", "svm_self_paid" } do
      for _, case in ipairs(spec.vectors(set).cases) do
        local given = case.transaction
        if type(given) == "table" then
          local tx = assert(transaction.parse(spec.unhex(given.wire)))
          assert.equal(given.message, spec.hex(tx.bytes))
          assert.equal(given.recent_blockhash, tx.blockhash)
          for i, account in ipairs(given.static_accounts) do
            assert.equal(account.address, tx.accounts[i])
            assert.equal(account.role, (tx:is_writable(i) and "writable" or "readonly")
              .. (tx:is_signer(i) and " signer" or ""))
          end
          for i, instruction in ipairs(given.instructions) do
            assert.equal(instruction.program, tx.instructions[i].name)
            assert.same(instruction.accounts, tx.instructions[i].keys)
            assert.equal(instruction.data, spec.hex(tx.instructions[i].data))
          end
          if case.transaction_id then assert.equal(case.transaction_id, tx:id()) end
          seen = seen + 1
        end
      end
    end
    assert.is_true(seen >= 20, seen .. " transactions")
  end)

  local sound = core.base64_decode(spec.vectors "facilitator_verdicts_svm".cases[1].transaction)

  it("is read strictly: no shorter, no longer, no number written longer than needed", function()
    assert.is_truthy(transaction.parse(sound))
    for n = 0, #sound - 1 do assert.is_nil((transaction.parse(sound:sub(1, n))), n) end
    assert.is_nil((transaction.parse(sound .. "\0")))
    assert.is_nil((transaction.parse("\130\0" .. sound:sub(2))))                     -- 2 in two bytes
    assert.is_nil((transaction.parse(sound:sub(1, 129) .. "\129" .. sound:sub(131))))  -- version 1
  end)

  it("survives any byte being another", function()
    local roll = spec.dice(42)
    for at = 1, #sound do
      local text = sound:sub(1, at - 1) .. string.char(roll(256)) .. sound:sub(at + 1)
      local tx, why = transaction.parse(text)
      if not tx then assert.is_string(why) end
    end
  end)
end)

describe("a token account's address", function()
  it("is the one @solana/kit finds", function()
    local vectors, seen = spec.vectors "ata", 0
    for _, list in pairs(vectors) do
      for _, case in ipairs(type(list) == "table" and list or {}) do
        if case.owner and case.mint and case.ata then
          assert.equal(case.ata, address.of_tokens(case.owner, case.mint, case.token_program))
          seen = seen + 1
        end
      end
    end
    assert.is_true(seen > 10, seen .. " addresses")
  end)
end)

describe("base58 of any length", function()
  local base58 = require "spraay.sandbox.solana.base58"

  it("is the official one", function()
    for _, case in ipairs(spec.vectors "base58".cases or {}) do
      if case.bytes then
        assert.equal(case.base58, base58.encode(spec.unhex(case.bytes)))
        assert.equal(case.bytes, spec.hex(base58.decode(case.base58)))
      end
    end
    local roll = spec.dice(7)
    for n = 0, 64 do
      local bytes = spec.bytes(roll, n)
      assert.equal(bytes, base58.decode(base58.encode(bytes)))
      if n == 32 or n == 64 then assert.equal(core.base58_encode(bytes), base58.encode(bytes)) end
    end
    assert.is_nil(base58.decode "0OIl")
  end)
end)
