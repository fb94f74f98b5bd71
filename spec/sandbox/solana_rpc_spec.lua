-- Solana's JSON-RPC as the sandbox answers it: shapes, numbers of errors, time, and its faults.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"
local gateway = require "spec.support.gateway"
local payer = require "spec.support.payer"
local base58 = require "spraay.sandbox.solana.base58"
local sandbox = require "spec.support.sandbox"
local solana = require "spec.support.solana"

local EMBED, TEXT = "/api/v1/compute/embeddings", { input = "x" }
local CONFIRMED = { commitment = "confirmed" }

describe("Solana's RPC", function()
  local box = gateway.fresh()
  local bob
  before_each(function() bob = solana.payer(box) end)

  local function ask(method, ...) return solana.rpc(box, method, { ... }) end

  -- Several calls in one batch, so that next to no time passes between them.
  local function at_once(...)
    local calls, results = {}, {}
    for i, call in ipairs{ ... } do
      calls[i] = { jsonrpc = "2.0", id = i, method = call[1], params = { call[2] } }
    end
    local answer = box:request("POST", "/_sandbox/rpc/solana", { body = calls })
    for i, one in ipairs(answer.json) do results[i] = one.result end
    return table.unpack(results)
  end

  -- The number and the sentence of an error.
  local function trouble(method, ...)
    local _, why = solana.rpc(box, method, { ... })
    return why.code, why.message
  end

  -- A payment's memo and transaction.
  local function pay()
    local answer, _, _, memo = bob:pay("POST", EMBED, TEXT)
    return memo, payer.receipt(answer).transaction
  end

  describe("keeps time", function()
    it("of slots and blocks: 400 ms each, some slots without a block, final after 32", function()
      local slot, final = at_once({ "getSlot", CONFIRMED }, { "getSlot" })
      assert.is_true(slot - final >= 31 and slot - final <= 34, slot - final)
      local before = ask("getEpochInfo", CONFIRMED)
      assert.is_true(before.blockHeight < before.absoluteSlot)
      box:advance(840)                                        -- 2100 slots, a hundred of them empty
      local after = ask("getEpochInfo", CONFIRMED)
      local grown = after.absoluteSlot - before.absoluteSlot
      local empty = grown - (after.blockHeight - before.blockHeight)
      assert.is_true(grown >= 2099, grown)
      assert.is_true(math.abs(empty - grown / 21) <= 1, empty)
    end)

    it("of blockhashes: 150 blocks", function()
      local latest, height = at_once({ "getLatestBlockhash", CONFIRMED }, { "getBlockHeight", CONFIRMED })
      assert.is_number(latest.context.slot)
      assert.is_string(latest.context.apiVersion)
      local hash = latest.value.blockhash
      assert.equal(32, #core.base58_decode(hash))
      assert.is_true(latest.value.lastValidBlockHeight - height >= 149, height)     -- a slot may pass between
      assert.is_true(ask("isBlockhashValid", hash, CONFIRMED).value)
      assert.is_false(ask("isBlockhashValid", hash).value)    -- what is final does not know it yet
      box:advance(50)
      assert.is_true(ask("isBlockhashValid", hash, CONFIRMED).value)
      box:advance(15)
      assert.is_false(ask("isBlockhashValid", hash, CONFIRMED).value)
      assert.is_true(ask("getBlockHeight", CONFIRMED) > latest.value.lastValidBlockHeight)
      assert.is_true(ask "getLatestBlockhash".value.lastValidBlockHeight
        < ask("getLatestBlockhash", CONFIRMED).value.lastValidBlockHeight)
    end)

    it("of blocks, and says which slots have none", function()
      local slot = ask "getSlot"
      local now = box:clock().now
      assert.is_true(math.abs(ask("getBlockTime", slot) - (now - 13)) <= 10)
      local empty = slot - slot % 21 - 1
      assert.equal(-32009, (trouble("getBlockTime", empty)))
      assert.equal(-32004, (trouble("getBlockTime", slot + 1000000)))
      local _, text = trouble("getBlockTime", slot + 1000000)
      assert.equal(("Block not available for slot %d"):format(slot + 1000000), text)
      assert.equal(-32602, (trouble("getBlockTime", "x")))
    end)
  end)

  it("is of the cluster that its genesis names", function()
    assert.equal("5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d", ask "getGenesisHash")
    assert.equal("ok", ask "getHealth")
    assert.is_string(ask "getVersion" ["solana-core"])
  end)

  describe("shows accounts", function()
    it("as a node writes them, an epoch beyond any integer included", function()
      local answer = box:request("POST", "/_sandbox/rpc/solana", { body = {
        jsonrpc = "2.0", id = 1, method = "getAccountInfo", params = { solana.USDC, { encoding = "base64" } } } })
      assert.truthy(answer.body:find('"rentEpoch":18446744073709551615', 1, true))
      local value = answer.json.result.value
      assert.equal(solana.TOKEN, value.owner)
      assert.is_false(value.executable)
      assert.equal(82, value.space)
      assert.equal("base64", value.data[2])
      local data = core.base64_decode(value.data[1])
      assert.equal(82, #data)
      assert.equal(6, data:byte(45))                          -- decimals
    end)

    it("of tokens: owner, mint, amount in the program's own layout", function()
      local name = solana.ata(bob.address)
      local data = core.base64_decode(ask("getAccountInfo", name, { encoding = "base64" }).value.data[1])
      assert.equal(165, #data)
      local mint, owner, amount, state = ("<c32c32i8xxxxc32B"):unpack(data)
      assert.equal(solana.USDC, core.base58_encode(mint))
      assert.equal(bob.address, core.base58_encode(owner))
      assert.equal(100000000, amount)
      assert.is_string(state)
      local parsed = ask("getAccountInfo", name, { encoding = "jsonParsed" }).value.data
      assert.equal("spl-token", parsed.program)
      assert.equal("100", parsed.parsed.info.tokenAmount.uiAmountString)
      assert.equal("100000000", ask("getTokenAccountBalance", name).value.amount)
      local list = ask("getTokenAccountsByOwner", bob.address, { mint = solana.USDC }, { encoding = "base64" }).value
      assert.equal(1, #list)
      assert.equal(name, list[1].pubkey)
      assert.same({}, ask("getTokenAccountsByOwner", bob.address, { programId = solana.TOKEN_2022 }).value)
    end)

    it("and null where there is none", function()
      local nobody = core.base58_encode(core.random_bytes(32))
      assert.equal(cjson.null, ask("getAccountInfo", nobody, { encoding = "base64" }).value)
      assert.equal(0, ask("getBalance", nobody).value)
      assert.equal(1000000000, ask("getBalance", bob.address).value)
      local code, text = trouble("getTokenAccountBalance", nobody)
      assert.equal(-32602, code)
      assert.equal("Invalid param: could not find account", text)
      assert.equal("Invalid param: not a Token account", select(2, trouble("getTokenAccountBalance", bob.address)))
      assert.equal("Invalid param: WrongSize", select(2, trouble("getBalance", "1111")))
      assert.equal("Invalid param: Invalid", select(2, trouble("getBalance", "0OIl")))
    end)
  end)

  describe("shows transactions", function()
    it("confirmed at once and final later", function()
      local memo, name = pay()
      local account = solana.ata(bob.address)
      assert.same({}, ask("getSignaturesForAddress", account))         -- finalized is the default
      assert.equal(cjson.null, ask("getTransaction", name, { maxSupportedTransactionVersion = 0 }))
      assert.equal("99995000", ask("getTokenAccountBalance", account, CONFIRMED).value.amount)
      assert.equal("100000000", ask("getTokenAccountBalance", account).value.amount)
      local status = ask("getSignatureStatuses", { name }).value[1]
      assert.equal("confirmed", status.confirmationStatus)
      assert.is_number(status.confirmations)
      box:advance(20)
      local line = ask("getSignaturesForAddress", account)[1]
      assert.equal("[32] " .. memo, line.memo)
      assert.equal(cjson.null, line.err)
      assert.equal("finalized", line.confirmationStatus)
      assert.is_number(line.blockTime)
      assert.equal("99995000", ask("getTokenAccountBalance", account).value.amount)
      status = ask("getSignatureStatuses", { name, core.base58_encode(("x"):rep(64)) }).value
      assert.equal(cjson.null, status[1].confirmations)
      assert.equal(cjson.null, status[2])
      box:advance(600)
      assert.equal(cjson.null, ask("getSignatureStatuses", { name }).value[1])
      assert.equal(line.slot, ask("getSignatureStatuses", { name }, { searchTransactionHistory = true }).value[1].slot)
    end)

    it("in every encoding, and of version 0 only to those who know it", function()
      local memo, name = pay()
      local function get(encoding)
        return ask("getTransaction", name,
          { encoding = encoding, commitment = "confirmed", maxSupportedTransactionVersion = 0 })
      end
      local plain = get "base64"
      assert.equal(0, plain.version)
      local wire = core.base64_decode(plain.transaction[1])
      assert.equal(name, core.base58_encode(wire:sub(2, 65)))
      assert.equal(cjson.null, plain.meta.err)
      assert.same({}, plain.meta.innerInstructions)
      local pre, post = plain.meta.preTokenBalances, plain.meta.postTokenBalances
      assert.equal(2, #pre)
      for i = 1, 2 do
        local moved = tonumber(post[i].uiTokenAmount.amount) - tonumber(pre[i].uiTokenAmount.amount)
        assert.equal(pre[i].owner == bob.address and -5000 or 5000, moved)
        assert.equal(solana.USDC, pre[i].mint)
      end
      assert.equal(wire, base58.decode(get "base58".transaction[1]))
      local parsed = get "jsonParsed".transaction.message.instructions
      assert.equal("transferChecked", parsed[3].parsed.type)
      assert.equal("5000", parsed[3].parsed.info.tokenAmount.amount)
      assert.equal(memo, parsed[4].parsed)
      assert.is_number(get "json".transaction.message.instructions[3].programIdIndex)
      assert.equal(-32015, (trouble("getTransaction", name, CONFIRMED)))
      assert.equal(-32602, (trouble("getTransaction", name, { commitment = "processed" })))
      assert.equal(-32602, (trouble("getTransaction", "abc")))
    end)

    it("newest first, a page at a time", function()
      local names = {}
      for i = 1, 5 do names[6 - i] = select(2, pay()) end
      local account = solana.ata(bob.address)
      local function page(options)
        options.commitment = "confirmed"
        local list = ask("getSignaturesForAddress", account, options)
        for i, line in ipairs(list) do list[i] = line.signature end
        return list
      end
      assert.same(names, page{})
      assert.same({ names[1], names[2] }, page{ limit = 2 })
      assert.same({ names[3], names[4] }, page{ limit = 2, before = names[2] })
      assert.same({ names[1], names[2] }, page{ ["until"] = names[3] })
      assert.same({ names[2] }, page{ before = names[1], ["until"] = names[3] })
      assert.same({}, page{ before = core.base58_encode(("y"):rep(64)) })
      for _, limit in ipairs{ 0, 1001, 1.5, -1 } do
        assert.equal(-32602, (trouble("getSignaturesForAddress", account, { limit = limit })))
      end
      assert.equal(-32602, (trouble("getSignaturesForAddress", account, { commitment = "processed" })))
    end)

    it("among those of strangers, more than a page of them", function()
      local memo = pay()
      local account = solana.ata(bob.address)
      solana.lever(box, "noise", { address = bob.address, count = 1003 })
      box:advance(20)
      local first = ask("getSignaturesForAddress", account)
      assert.equal(1000, #first)
      local second = ask("getSignaturesForAddress", account, { before = first[1000].signature })
      assert.equal(4, #second)
      assert.equal("[32] " .. memo, second[4].memo)
    end)

    it("that strangers made to look like ours", function()
      solana.lever(box, "noise", { address = bob.address, memo = "feigned", amount = "0.000001" })
      solana.lever(box, "noise", { address = bob.address, memo = "failed", failed = true })
      local list = ask("getSignaturesForAddress", solana.ata(bob.address), CONFIRMED)
      assert.equal("[6] failed", list[1].memo)
      assert.same({ InstructionError = { 0, { Custom = 1 } } }, list[1].err)
      assert.equal("[7] feigned", list[2].memo)
      assert.equal(cjson.null, list[2].err)
      assert.equal("100000001", bob:balance())
      local pay_to = solana.lever(box).payTo
      solana.lever(box, "noise", { address = bob.address, memo = "paid", amount = "0.005", receiver = pay_to })
      local name = ask("getSignaturesForAddress", solana.ata(bob.address), CONFIRMED)[1].signature
      local entry = ask("getTransaction", name, { commitment = "confirmed", encoding = "jsonParsed" })
      assert.equal(solana.ata(pay_to), entry.transaction.message.instructions[1].parsed.info.destination)
      assert.not_equal(solana.ata(bob.address), entry.transaction.message.instructions[1].parsed.info.source)
      assert.equal("100000001", bob:balance())
      assert.equal(0, box:ledger().count)
    end)
  end)

  describe("takes transactions", function()
    it("of people who pay for themselves, once", function()
      local text, name = bob:transfer(1000, { memo = "hello" })
      assert.equal(name, bob:send(text))
      assert.equal("99999000", bob:balance())
      assert.equal(1000000000 - 5000, ask("getBalance", bob.address, CONFIRMED).value)
      local _, why = bob:send(text)
      assert.equal(-32002, why.code)
      assert.equal("Transaction simulation failed: This transaction has already been processed", why.message)
      assert.equal("AlreadyProcessed", why.data.err)
      assert.equal(name, bob:send(text, { skipPreflight = true }))     -- a resend is no error there
      assert.equal("99999000", bob:balance())
      local row = box:ledger().settled[1]
      assert.equal("self-paid", row.via)
      assert.equal("1000", row.amount)
      assert.is_nil(row.route)
    end)

    it("in base58 too, which is the default", function()
      local text, name = bob:transfer(1000)
      assert.equal(name, (ask("sendTransaction", base58.encode(core.base64_decode(text)),
        { preflightCommitment = "confirmed" })))
    end)

    it("and opens an account for the receiver if told to", function()
      local carol = core.base58_encode(core.ed25519_public(("c"):rep(32)))
      local text = bob:transfer(1000, { to = carol })
      local _, why = bob:send(text)
      assert.equal("Transaction simulation failed: Error processing Instruction 0: invalid account data for "
        .. "instruction", why.message)
      local name
      text, name = bob:transfer(1000, { to = carol, creates = true })
      assert.equal(name, bob:send(text))
      assert.equal("1000", ask("getTokenAccountBalance", solana.ata(carol), CONFIRMED).value.amount)
      assert.equal(1000000000 - 5000 - 2039280, ask("getBalance", bob.address, CONFIRMED).value)
      text, name = bob:transfer(1, { to = carol, creates = true })     -- it is there by now, and that is fine
      assert.equal(name, bob:send(text))
    end)

    it("and refuses in a node's words", function()
      local function refused(text, options)
        local _, why = bob:send(text, options)
        return why.code, why.message, why.data and why.data.err
      end
      local text = bob:transfer(1000)
      local bytes = core.base64_decode(text)
      local other = string.char(255 - bytes:byte(41))
      local code = refused(core.base64_encode(bytes:sub(1, 40) .. other .. bytes:sub(42)))
      assert.equal(-32003, code)
      assert.equal(-32602, (refused(core.base64_encode(bytes:sub(1, -2)))))
      assert.equal(-32602, (refused "%%%"))
      local KIND = "solana_transaction::versioned::VersionedTransaction"
      local _, large = refused(core.base64_encode(("x"):rep(1234)))
      assert.equal(("base64 encoded %s too large: 1648 bytes (max: encoded/raw 1644/1232)"):format(KIND), large)
      _, large = refused(core.base64_encode(("x"):rep(1233)))
      assert.equal(("decoded %s too large: 1233 bytes (max: 1232 bytes)"):format(KIND), large)
      _, large = refused(("1"):rep(1684), { encoding = "base58" })
      assert.equal(("base58 encoded %s too large: 1684 bytes (max: encoded/raw 1683/1232)"):format(KIND), large)
      assert.equal("unsupported encoding: json. Supported encodings: base58, base64",
        select(2, refused(text, { encoding = "json" })))
      local _, message, err = refused((bob:transfer(100000001)))
      assert.equal("Transaction simulation failed: Error processing Instruction 0: custom program error: 0x1", message)
      assert.same({ InstructionError = { 0, { Custom = 1 } } }, err)
      solana.lever(box, "freeze", { address = bob.address })
      _, _, err = refused(text)
      assert.same({ InstructionError = { 0, { Custom = 17 } } }, err)
      solana.lever(box, "freeze", { address = bob.address, frozen = false })
      solana.lever(box, "sol", { address = bob.address, amount = "0.000004" })
      _, _, err = refused(text)
      assert.equal("InsufficientFundsForFee", err)
      box:advance(70)
      code, message, err = refused(text)
      assert.equal(-32002, code)
      assert.equal("Transaction simulation failed: Blockhash not found", message)
      assert.equal("BlockhashNotFound", err)
      assert.equal(0, box:ledger().count)
    end)

    it("of wallets that keep what an account must hold, or nothing", function()
      local function with(sol)
        solana.lever(box, "sol", { address = bob.address, amount = sol })
        return bob:send((bob:transfer(1000, { memo = sol })))
      end
      local name, why = with "0.000895"                        -- 890880 lamports and the fee, less 880
      assert.is_nil(name)
      assert.same({ InsufficientFundsForRent = { account_index = 0 } }, why.data.err)
      assert.equal("Transaction simulation failed: Transaction results in an account (0) with insufficient funds "
        .. "for rent", why.message)
      assert.is_string((with "0.000896"))
      assert.is_string((with "0.000005"))                      -- and then there is none
      assert.equal(0, ask("getBalance", bob.address, CONFIRMED).value)
      local carol = core.base58_encode(core.ed25519_public(("d"):rep(32)))
      solana.lever(box, "sol", { address = bob.address, amount = "0.002045" })     -- rent of hers, but not his own
      local text
      text, name = bob:transfer(1000, { to = carol, creates = true })
      why = select(2, bob:send(text))
      assert.same({ InsufficientFundsForRent = { account_index = 0 } }, why.data.err)
      assert.equal(name, bob:send(text, { skipPreflight = true }))                 -- which costs the fee
      assert.equal(2045000 - 5000, ask("getBalance", bob.address, CONFIRMED).value)
      assert.equal(cjson.null, ask("getAccountInfo", solana.ata(carol), CONFIRMED).value)
    end)

    it("and lets one fail on chain that was not simulated before", function()
      local text, name = bob:transfer(100000001)
      assert.equal(name, bob:send(text, { skipPreflight = true }))
      local entry = ask("getTransaction", name, { commitment = "confirmed", maxSupportedTransactionVersion = 0 })
      assert.same({ InstructionError = { 0, { Custom = 1 } } }, entry.meta.err)
      assert.equal("100000000", bob:balance())
      assert.equal(1000000000 - 5000, ask("getBalance", bob.address, CONFIRMED).value)
      assert.equal(0, box:ledger().count)
    end)
  end)

  it("refuses what is too much, or of no program it knows", function()
    local names = {}
    for i = 1, 101 do names[i] = bob.address end
    assert.same({ -32602, "Too many inputs provided; max 100" }, { trouble("getMultipleAccounts", names) })
    names[101] = nil
    assert.equal(100, #ask("getMultipleAccounts", names).value)
    for i = 1, 257 do names[i] = core.base58_encode(("x"):rep(64)) end
    assert.same({ -32602, "Too many inputs provided; max 256" }, { trouble("getSignatureStatuses", names) })
    assert.same({ -32602, "Invalid param: unrecognized Token program id" },
      { trouble("getTokenAccountsByOwner", bob.address, { programId = solana.MEMO }) })
    assert.same({ -32602, "Invalid param: could not find mint" },
      { trouble("getTokenAccountsByOwner", bob.address, { mint = bob.address }) })
  end)

  it("has no number for people where there is nothing", function()
    local carol = core.base58_encode(core.ed25519_public(("c"):rep(32)))
    local text, name = bob:transfer(1000, { to = carol, creates = true })
    assert.equal(name, bob:send(text))
    local ANY = { commitment = "confirmed", maxSupportedTransactionVersion = 0 }
    local meta = ask("getTransaction", name, ANY).meta
    assert.equal(1, #meta.preTokenBalances)                -- there was no account of hers before
    text, name = bob:transfer(99999000, { to = carol })
    assert.equal(name, bob:send(text))
    for _, one in ipairs(ask("getTransaction", name, ANY).meta.postTokenBalances) do
      local amount = one.uiTokenAmount
      assert.equal(one.owner == bob.address and cjson.null or 100, amount.uiAmount)
      assert.equal(one.owner == bob.address and "0" or "100", amount.uiAmountString)
    end
  end)

  it("answers what cannot be read as JSON-RPC does", function()
    for _, path in ipairs{ "/_sandbox/rpc/solana", "/_sandbox/rpc" } do
      local answer = box:request("POST", path, { body = "{oops", headers = { ["content-type"] = "application/json" } })
      assert.equal(200, answer.status)
      assert.equal(-32700, answer.json.error.code)
      assert.equal(cjson.null, answer.json.id)
    end
  end)

  it("answers batches, and errors as JSON-RPC does", function()
    local answer = box:request("POST", "/_sandbox/rpc/solana", { body = {
      { jsonrpc = "2.0", id = 1, method = "getHealth" }, { jsonrpc = "2.0", id = "b", method = "getSong" } } })
    assert.equal("ok", answer.json[1].result)
    assert.equal("b", answer.json[2].id)
    assert.equal(-32601, answer.json[2].error.code)
    local code, text = trouble("getSlot", { commitment = "sometime" })
    assert.equal(-32602, code)
    assert.truthy(text:find("sometime", 1, true))
  end)

  it("answers nonsense with an error, whatever the call", function()
    local METHODS = { "getAccountInfo", "getMultipleAccounts", "getBalance", "getTokenAccountBalance",
      "getTokenAccountsByOwner", "getSlot", "getBlockHeight", "getBlockTime", "getLatestBlockhash",
      "isBlockhashValid", "getSignaturesForAddress", "getTransaction", "getSignatureStatuses", "sendTransaction",
      "simulateTransaction", "getMinimumBalanceForRentExemption", "getGenesisHash" }
    local name = solana.ata(bob.address)
    local ODD = { cjson.null, 5, -1, 1e300, "", "x", ("1"):rep(5000), true, { "x" }, { {} }, { encoding = 5 },
      { limit = "5" }, { commitment = {} }, { minContextSlot = cjson.null, commitment = cjson.null }, { mint = 5 },
      { mint = name }, { before = "x" }, { encoding = "base58", ["until"] = cjson.null }, name, solana.USDC }
    for _, method in ipairs(METHODS) do
      local calls = {}
      for _, first in ipairs(ODD) do
        for _, second in ipairs(ODD) do
          calls[#calls + 1] = { jsonrpc = "2.0", id = #calls + 1, method = method, params = { first, second, first } }
        end
      end
      local answer = box:request("POST", "/_sandbox/rpc/solana", { body = calls })
      assert.equal(200, answer.status, method .. ": " .. answer.body)
      assert.equal(#calls, #answer.json)
      for i, one in ipairs(answer.json) do
        assert.equal(i, one.id)
        assert.is_true(one.result ~= nil or one.error.code < 0, method)
      end
    end
  end)

  describe("can be", function()
    it("down, wrong, silent", function()
      for _, name in ipairs{ "rpc_down", "rpc_500", "rpc_429", "rpc_garbage", "rpc_reset" } do
        box:fault(name, { times = 1 })
        assert.is_nil((ask "getSlot"))
      end
      box:fault("rpc_error", { times = 1 })
      assert.equal(-32005, (trouble "getSlot"))
      box:fault "rpc_timeout"
      assert.is_nil((sandbox.fetch(box.url .. "/_sandbox/rpc/solana", { method = "POST", body = {}, seconds = 0.2 })))
      box:clear()
      assert.is_number(ask "getSlot")
    end)

    it("behind in everything", function()
      local _, name = pay()
      box:fault "rpc_lagging"
      assert.same({}, ask("getSignaturesForAddress", solana.ata(bob.address), CONFIRMED))
      assert.equal(cjson.null, ask("getTransaction", name, { commitment = "confirmed" }))
      local slot = ask("getSlot", CONFIRMED)
      box:clear()
      assert.is_true(ask("getSlot", CONFIRMED) - slot > 8900)
      box:fault "rpc_lagging"
      local _, why = solana.rpc(box, "getSignaturesForAddress", { solana.ata(bob.address),
        { commitment = "confirmed", minContextSlot = slot + 8900 } })
      assert.equal(-32016, why.code)
    end)

    it("behind in what happened, with the head of now", function()
      pay()
      box:advance(60)
      local account, slot = solana.ata(bob.address), ask "getSlot"
      box:fault "rpc_split"
      assert.is_true(ask "getSlot" >= slot)
      assert.same({}, ask("getSignaturesForAddress", account))
      assert.equal(-32016, (trouble("getSignaturesForAddress", account, { minContextSlot = slot })))
    end)

    it("without finality", function()
      pay()
      box:advance(60)
      box:fault "solana_unfinal"
      assert.same({}, ask("getSignaturesForAddress", solana.ata(bob.address)))
      assert.equal(1, #ask("getSignaturesForAddress", solana.ata(bob.address), CONFIRMED))
      assert.is_true(ask("getBlockHeight", CONFIRMED) - ask "getBlockHeight" > 8000)
    end)

    it("ahead of the others: what it has seen is not confirmed yet", function()
      local _, name = pay()
      local account = solana.ata(bob.address)
      box:fault("solana_unconfirmed", { times = 4 })
      local status = ask("getSignatureStatuses", { name }).value[1]
      assert.equal("processed", status.confirmationStatus)
      assert.is_number(status.confirmations)
      assert.equal(cjson.null, ask("getTransaction", name, { commitment = "confirmed" }))
      assert.same({}, ask("getSignaturesForAddress", account, CONFIRMED))
      assert.equal("100000000", bob:balance())
      assert.equal("99995000", bob:balance())
      assert.equal("confirmed", ask("getSignatureStatuses", { name }).value[1].confirmationStatus)
    end)

    it("lying: denying what happened, or making it up", function()
      local _, name = pay()
      local account = solana.ata(bob.address)
      box:fault "rpc_lying"
      assert.same({}, ask("getSignaturesForAddress", account, CONFIRMED))
      assert.equal(cjson.null, ask("getTransaction", name, { commitment = "confirmed" }))
      assert.equal(cjson.null, ask("getSignatureStatuses", { name }).value[1])
      box:clear()
      box:fault "settle_fails"
      local _, _, _, memo = bob:pay("POST", EMBED, TEXT)
      box:clear()
      box:fault("rpc_lying", { lie = "used" })
      local list = ask("getSignaturesForAddress", account, CONFIRMED)
      assert.equal(2, #list)
      assert.equal("[32] " .. memo, list[1].memo)
      local entry = ask("getTransaction", list[1].signature, { maxSupportedTransactionVersion = 0 })
      assert.equal(cjson.null, entry.meta.err)
      assert.equal(2, #entry.meta.postTokenBalances)
      box:clear()
      box:fault("rpc_lying", { lie = "invert" })
      assert.equal(1, #ask("getSignaturesForAddress", account, CONFIRMED))
      assert.equal(1, box:ledger().count)
    end)

    it("another cluster's", function()
      box:fault "rpc_wrong_chain"
      assert.not_equal("5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d", ask "getGenesisHash")
    end)

    it("forgetful, slow or deaf about what is sent, and about that only", function()
      box:fault("solana_send_dropped", { times = 1 })
      local text, name = bob:transfer(1000)
      assert.equal(name, bob:send(text))
      assert.equal(cjson.null, ask("getSignatureStatuses", { name }).value[1])
      box:fault("solana_send_late", { times = 1, seconds = 10 })
      assert.equal(name, bob:send(text))
      assert.equal(cjson.null, ask("getSignatureStatuses", { name }).value[1])
      box:advance(11)
      assert.equal(cjson.null, ask("getSignatureStatuses", { name }).value[1].err)
      box:fault("solana_send_lost", { times = 1 })
      text, name = bob:transfer(2000)
      assert.is_nil((bob:send(text)))
      assert.equal("confirmed", ask("getSignatureStatuses", { name }).value[1].confirmationStatus)
      box:fault("rpc_500", { method = "getSlot" })
      assert.is_nil((ask "getSlot"))
      assert.is_number(ask "getBlockHeight")
      assert.equal(2, box:ledger().count)
    end)
  end)

  it("is devnet where the home is a test network", function()
    local other = sandbox.start{ network = "base-sepolia" }
    local accepts = payer.challenge(other:request("POST", EMBED, { body = TEXT })).accepts
    assert.equal("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", accepts[2].network)
    assert.equal("EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG", (solana.rpc(other, "getGenesisHash")))
    other:stop()
  end)
end)
