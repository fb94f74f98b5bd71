-- What a node looks at before it passes a transaction on: at which commitment, how new, in which health.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"
local gateway = require "spec.support.gateway"
local solana = require "spec.support.solana"

local CONFIRMED = { commitment = "confirmed" }

describe("a preflight on Solana", function()
  local box = gateway.fresh()
  local bob
  before_each(function() bob = solana.payer(box) end)

  local function send(text, options)
    local config = { encoding = "base64" }
    for name, value in pairs(options or {}) do config[name] = value end
    return solana.rpc(box, "sendTransaction", { text, config })
  end

  local function simulate(text, options)
    local config = { encoding = "base64" }
    for name, value in pairs(options or {}) do config[name] = value end
    local result, why = solana.rpc(box, "simulateTransaction", { text, config })
    return result and result.value, why
  end

  it("is made where blocks are final, unless told otherwise: there a fresh blockhash is unknown", function()
    local text, name = bob:transfer(1000)                              -- with a confirmed blockhash
    local _, why = send(text)
    assert.equal(-32002, why.code)
    assert.equal("Transaction simulation failed: Blockhash not found", why.message)
    assert.equal("BlockhashNotFound", why.data.err)
    _, why = send(text, { preflightCommitment = "finalized" })
    assert.equal(-32002, why.code)
    assert.equal("BlockhashNotFound", simulate(text).err)
    assert.equal(cjson.null, simulate(text, CONFIRMED).err)
    assert.equal(name, send(text, { preflightCommitment = "confirmed" }))
    _, why = send(text, { preflightCommitment = "lately" })
    assert.equal(-32602, why.code)
  end)

  it("sees the accounts as they were there", function()
    local final = solana.rpc(box, "getLatestBlockhash", {}).value.blockhash
    local text = bob:transfer(60000000, { blockhash = final, memo = "a" })
    local other, name = bob:transfer(60000000, { blockhash = final, memo = "b" })
    assert.truthy(send(text))
    local _, why = send(other, { preflightCommitment = "confirmed" })
    assert.same({ InstructionError = { 0, { Custom = 1 } } }, why.data.err)
    assert.equal(name, send(other))           -- passed on, since the money is still there where it looked
    assert.same({ InstructionError = { 0, { Custom = 1 } } },
      solana.rpc(box, "getSignatureStatuses", { { name } }).value[1].err)
    assert.equal("40000000", bob:balance())
  end)

  it("does not know yet what has only just landed", function()
    local final = solana.rpc(box, "getLatestBlockhash", {}).value.blockhash
    local text, name = bob:transfer(1000, { blockhash = final })
    assert.equal(name, send(text))
    assert.equal(name, send(text))
    local _, why = send(text, { preflightCommitment = "confirmed" })
    assert.equal("Transaction simulation failed: This transaction has already been processed", why.message)
    assert.equal("99999000", bob:balance())
  end)

  it("wants the node to have seen a slot, if a slot is named", function()
    local slot = solana.rpc(box, "getSlot", { CONFIRMED })
    local text, name = bob:transfer(1000)
    local late = { preflightCommitment = "confirmed", minContextSlot = slot + 1000 }
    local _, why = send(text, late)
    assert.equal(-32016, why.code)
    assert.equal("Minimum context slot has not been reached", why.message)
    assert.is_number(why.data.contextSlot)
    _, why = simulate(text, { commitment = "confirmed", minContextSlot = slot + 1000 })
    assert.equal(-32016, why.code)
    late.skipPreflight = true
    _, why = send(text, late)
    assert.equal(-32016, why.code)
    assert.equal(name, send(text, { preflightCommitment = "confirmed", minContextSlot = slot }))
  end)

  it("is refused by a node that is behind, which says by how much", function()
    local text, name = bob:transfer(1000)
    box:fault("rpc_lagging", { seconds = 80 })
    local _, why = solana.rpc(box, "getHealth")
    assert.equal(-32005, why.code)
    assert.equal("Node is behind by 200 slots", why.message)
    assert.equal(200, why.data.numSlotsBehind)
    _, why = send(text, { preflightCommitment = "confirmed" })
    assert.equal(-32005, why.code)
    assert.equal("100000000", bob:balance())
    assert.equal(name, send(text, { skipPreflight = true }))
    box:clear()
    assert.equal("99999000", bob:balance())
    box:fault("rpc_lagging", { seconds = 40 })         -- a hundred slots are no illness
    assert.equal("ok", solana.rpc(box, "getHealth"))
  end)

  it("is skipped on demand, and may be retried as often as is wished", function()
    local text, name = bob:transfer(1000)
    assert.equal(name, send(text, { skipPreflight = true, maxRetries = 0 }))
    for _, options in ipairs{ { skipPreflight = "yes" }, { maxRetries = "3" }, { maxRetries = -1 },
                              { minContextSlot = "x" }, { preflightCommitment = 5 } } do
      local _, why = send(text, options)
      assert.equal(-32602, why.code)
      assert.truthy(why.message:find("^Invalid params: "), why.message)
    end
  end)

  it("can be tried with the newest blockhash in place of a dead one, if no signature is asked for", function()
    local text = bob:transfer(1000)
    box:advance(120)
    assert.equal("BlockhashNotFound", simulate(text, CONFIRMED).err)
    local value = simulate(text, { commitment = "confirmed", replaceRecentBlockhash = true })
    assert.equal(cjson.null, value.err)
    assert.is_string(value.replacementBlockhash.blockhash)
    assert.is_number(value.replacementBlockhash.lastValidBlockHeight)
    local _, why = simulate(text, { replaceRecentBlockhash = true, sigVerify = true })
    assert.equal(-32602, why.code)
    assert.equal("sigVerify may not be used with replaceRecentBlockhash", why.message)
  end)

  it("looks at signatures first, and a simulation only if asked to", function()
    local bytes = core.base64_decode((bob:transfer(1000)))
    local forged = core.base64_encode(bytes:sub(1, 1) .. ("\7"):rep(64) .. bytes:sub(66))
    local _, why = send(forged, { preflightCommitment = "confirmed" })
    assert.equal(-32003, why.code)
    assert.equal("Transaction signature verification failure", why.message)
    assert.equal(cjson.null, simulate(forged, CONFIRMED).err)
    _, why = simulate(forged, { commitment = "confirmed", sigVerify = true })
    assert.equal(-32003, why.code)
    assert.truthy(send(forged, { skipPreflight = true }))                -- and then it never lands
    assert.equal("100000000", bob:balance())
  end)
end)
