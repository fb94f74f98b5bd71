-- Compute units: what a transaction may use, what it uses, and what becomes of one that runs out.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"
local gateway = require "spec.support.gateway"
local payer = require "spec.support.payer"
local solana = require "spec.support.solana"

local EMBED, TEXT = "/api/v1/compute/embeddings", { input = "x" }
local CONFIRMED = { commitment = "confirmed" }
local SIMULATION = "invalid_exact_svm_transaction_simulation_failed"

describe("compute units", function()
  local box = gateway.fresh()
  local bob
  before_each(function() bob = solana.payer(box) end)

  local function reason(answer) return payer.challenge(answer).error end

  -- A transfer of bob's own with these units, as base64.
  local function own(change)
    local entry = { asset = solana.USDC, payTo = solana.lever(box).payTo, amount = "1000", extra = {} }
    change.fee_payer = bob.address
    return (bob:transaction(entry, change))
  end

  local function simulate(text)
    return solana.rpc(box, "simulateTransaction", { text, { encoding = "base64", commitment = "confirmed" } }).value
  end

  local function landed(name)
    return solana.rpc(box, "getTransaction",
      { name, { commitment = "confirmed", encoding = "jsonParsed", maxSupportedTransactionVersion = 0 } })
  end

  it("of a transfer with 32 letters of memo come to what the virtual machine takes", function()
    local used = simulate(own{}).unitsConsumed
    assert.is_true(math.abs(used - (2 * 150 + 105 + 287)) < 20, used)
    local answer = bob:pay("POST", EMBED, TEXT)
    assert.equal(200, answer.status)
    assert.equal(used, landed(payer.receipt(answer).transaction).meta.computeUnitsConsumed)
  end)

  it("too few for transfer and memo: refused before anything is sent", function()
    for _, units in ipairs{ 0, 299, 350, 450, 600 } do
      local answer = bob:pay("POST", EMBED, TEXT, { units = units })
      assert.equal(402, answer.status)
      assert.equal(SIMULATION, reason(answer), units)
    end
    assert.equal("100000000", bob:balance())
    assert.equal(0, box:ledger().count)
  end)

  it("are told by a simulation, which runs where others stop", function()
    local ran = simulate(own{ units = 100000 })
    assert.equal(cjson.null, ran.err)
    local short = simulate(own{ units = ran.unitsConsumed - 1 })
    assert.same({ InstructionError = { 3, "ProgramFailedToComplete" } }, short.err)
    assert.equal(ran.unitsConsumed - 1, short.unitsConsumed)
    assert.equal(("Program %s failed: exceeded CUs meter at BPF instruction"):format(solana.MEMO),
      short.logs[#short.logs])
    assert.equal(cjson.null, simulate(own{ units = ran.unitsConsumed }).err)
    local none = simulate(own{ units = 0 })
    assert.same({ InstructionError = { 0, "ComputationalBudgetExceeded" } }, none.err)
  end)

  it("that run out on chain cost the fee and move nothing", function()
    local text = own{ units = 500 }
    local _, why = bob:send(text)
    assert.equal(-32002, why.code)
    assert.equal("Transaction simulation failed: Error processing Instruction 3: Program failed to complete",
      why.message)
    assert.equal(500, why.data.unitsConsumed)
    local name = assert(bob:send(text, { skipPreflight = true }))
    local entry = landed(name)
    assert.same({ InstructionError = { 3, "ProgramFailedToComplete" } }, entry.meta.err)
    assert.equal(500, entry.meta.computeUnitsConsumed)
    assert.equal("100000000", bob:balance())
    assert.equal(1000000000 - entry.meta.fee, solana.rpc(box, "getBalance", { bob.address, CONFIRMED }).value)
    assert.equal(0, box:ledger().count)
  end)

  it("grow with the memo, and the official limit does for the longest there is", function()
    local most = ("m"):rep(256)
    assert.equal(200, bob:pay("POST", EMBED, TEXT, { memo = most }).status)
    assert.equal(SIMULATION, reason(bob:pay("POST", EMBED, TEXT, { memo = most, units = 800 })))
    local one = simulate(own{ memo = most }).unitsConsumed
    assert.is_true(math.abs(one - (2 * 150 + 105 + 456)) < 20, one)
  end)

  it("are 200000 an instruction where nobody asks, and never more than 1400000", function()
    local text = bob:transfer(1000, { memo = "hello" })
    assert.truthy(bob:send(text))
    local logs = simulate((bob:transfer(1000))).logs
    assert.truthy(table.concat(logs, "\n"):find("consumed %d+ of 200000 compute units"))
    logs = simulate(own{ units = 4000000 }).logs
    assert.truthy(table.concat(logs, "\n"):find("consumed %d+ of 1399700 compute units"))
  end)

  it("are asked for once: twice is a duplicate, and what is no request goes nowhere", function()
    local answer = bob:pay("POST", EMBED, TEXT, { edit = function(m)
      m.instructions[#m.instructions + 1] = { solana.COMPUTE, {}, "\2\64\13\3\0" }
    end })
    assert.equal(402, answer.status)
    local text = own{ edit = function(m)
      table.insert(m.instructions, 2, { solana.COMPUTE, {}, "\2\64\13\3\0" })
    end }
    assert.same({ DuplicateInstruction = 1 }, simulate(text).err)
    local _, why = bob:send(text)
    assert.equal("Transaction simulation failed: Transaction contains a duplicate instruction (1) that is not allowed",
      why.message)
    text = own{ edit = function(m) m.instructions[1][3] = "\9" end }
    assert.same({ InstructionError = { 0, "InvalidInstructionData" } }, simulate(text).err)
    local name = assert(bob:send(text, { skipPreflight = true }))
    assert.equal(cjson.null, landed(name))
    assert.equal(1000000000, solana.rpc(box, "getBalance", { bob.address, CONFIRMED }).value)
  end)

  it("are told a program at a time, as validators log it", function()
    local logs = simulate(own{ memo = "a memo" }).logs
    assert.equal("Program " .. solana.COMPUTE .. " invoke [1]", logs[1])
    assert.equal("Program " .. solana.COMPUTE .. " success", logs[2])
    assert.equal("Program " .. solana.TOKEN .. " invoke [1]", logs[5])
    assert.equal("Program log: Instruction: TransferChecked", logs[6])
    assert.truthy(logs[7]:find("^Program " .. solana.TOKEN .. " consumed %d+ of 19700 compute units$"), logs[7])
    assert.equal("Program " .. solana.TOKEN .. " success", logs[8])
    assert.equal('Program log: Memo (len 6): "a memo"', logs[10])
  end)

  it("in a node's words for what else goes wrong", function()
    local text = bob:transfer(1000, { to = core.base58_encode(core.ed25519_public(("c"):rep(32))) })
    local _, why = bob:send(text)
    assert.equal("Transaction simulation failed: Error processing Instruction 0: invalid account data for instruction",
      why.message)
    assert.is_true(why.data.unitsConsumed > 0)
    _, why = bob:send((bob:transfer(100000001)))
    assert.equal("Program log: Error: insufficient funds", why.data.logs[3])
    assert.equal(("Program %s failed: custom program error: 0x1"):format(solana.TOKEN), why.data.logs[5])
  end)
end)
