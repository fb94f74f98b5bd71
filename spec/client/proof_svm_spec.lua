-- SPDX-License-Identifier: MIT
-- Proof on Solana, by a chain in a table: what is asked, in which order, and what any answer is worth.
local cjson = require "cjson"
local core = require "spraay.core"
local offers = require "spec.x402.offers"

local MAINNET = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
local GENESIS = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
local USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
local TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
local FEE_PAYER = "GmaDrppBC7P5ARKV8g3djiwP89vz1jLK23V2GBjuAEGB"
local PAY_TO = "AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9"
local SEED, OTHER = ("\66"):rep(32), ("\67"):rep(32)
local PAYER = core.base58_encode(core.ed25519_public(SEED))
local SOURCE = core.solana_ata(PAYER, USDC, TOKEN)
local MARK = ("\171"):rep(16)
local MEMO = ("ab"):rep(16)
local LAST = 360000150      -- the last height at which ours may settle
local SLOT_OF_HEIGHT = 20000000   -- slots run ahead of heights by this

-- A whole transaction as a facilitator sends it, for a purchase of that mark.
local function transaction(mark, options)
  options = options or {}
  local seed = options.seed or SEED
  local entry = { scheme = "exact", network = MAINNET, amount = options.amount or "30000", asset = USDC,
    payTo = options.pay_to or PAY_TO, maxTimeoutSeconds = 300, extra = { feePayer = FEE_PAYER, memo = options.memo } }
  local prepared = assert(core.x402_prepare(assert(offers.read{ entry }),
    { networks = { MAINNET }, payer_solana = core.base58_encode(core.ed25519_public(seed)) },
    { nonce = mark .. ("\0"):rep(16), blockhash = core.base58_encode((options.hash or "\7"):rep(32)) }))
  local wire = "\2" .. ("\9"):rep(64) .. core.ed25519_sign(seed, prepared.message) .. prepared.message
  return wire, prepared.message
end

local count = 0
local function signature()
  count = count + 1
  return core.base58_encode(core.sha256("signature " .. count) .. core.sha256("more " .. count))
end

-- An entry of the list, and behind it its transaction.
local function entry(slot, memo, wire, with)
  local e = { signature = signature(), slot = slot, err = cjson.null, memo = memo or cjson.null, blockTime = 1767225600,
    confirmationStatus = "finalized", wire = wire }
  for k, v in pairs(with or {}) do e[k] = v end
  return e
end

--- A chain in a table. `list` is newest first.
local function chain(with)
  local c = { genesis = GENESIS, height = LAST + 33, list = {}, first = 0, asked = {}, page = 1000,
    commitment = "finalized" }
  for k, v in pairs(with or {}) do c[k] = v end
  c.slot = c.slot or c.height + SLOT_OF_HEIGHT
  local methods = {}
  function methods.getGenesisHash() return c.genesis end
  function methods.getEpochInfo(params)
    assert(params[1].commitment == c.commitment)
    return { absoluteSlot = c.slot, blockHeight = c.height, epoch = 880, slotIndex = 1, slotsInEpoch = 432000 }
  end
  function methods.getSignaturesForAddress(params)
    assert(params[1] == SOURCE and params[2].commitment == c.commitment and params[2].minContextSlot == c.slot)
    local page, on = setmetatable({}, { empty = true }), params[2].before == nil
    for _, e in ipairs(c.list) do
      if #page == math.min(c.page, params[2].limit) then break end
      if on then
        local shown = {}
        for k, v in pairs(e) do shown[k] = k ~= "wire" and v or nil end
        page[#page + 1] = shown
      end
      if e.signature == params[2].before then on = true end
    end
    return page
  end
  function methods.getTransaction(params)
    assert(params[2].commitment == c.commitment and params[2].maxSupportedTransactionVersion == 0)
    for _, e in ipairs(c.list) do
      if e.signature == params[1] and e.wire then
        return { slot = e.slot, meta = { err = e.tx_err or cjson.null, fee = 5000 }, version = 0,
          transaction = { core.base64_encode(e.wire), "base64" } }
      end
    end
    return cjson.null
  end
  function methods.getFirstAvailableBlock() return c.first end
  function c.answer(request)
    c.asked[#c.asked + 1] = request.method
    return methods[request.method](request.params)
  end
  return c
end

local function question(with)
  local q = { network = MAINNET, payer = PAYER, source = SOURCE, memo = MEMO, last_height = LAST }
  for k, v in pairs(with or {}) do q[k] = v end
  if with and with.memo == false then q.memo = nil end
  return q
end

local function prove(c, q, bend)
  local proof = core.proof_svm_new(question(q))
  for n = 1, 300 do
    local body = proof:request()
    if not body then break end
    local request = cjson.decode(body)
    local result = c.answer(request)
    local text = cjson.encode{ jsonrpc = "2.0", id = request.id, result = result }
    if type(result) == "table" and next(result) == nil then
      text = ('{"jsonrpc":"2.0","id":%d,"result":[]}'):format(request.id)
    end
    local status
    if bend then
      local bent, code = bend(request, text, n)
      text, status = bent or text, code
    end
    if proof:answer(status or 200, text) ~= "pending" then break end
  end
  return proof:verdict()
end

local OURS = transaction(MARK)
local SETTLED_SLOT = LAST - 100 + SLOT_OF_HEIGHT

describe("what became of a payment on Solana", function()
  it("is void past the last block by a margin, with a list that has it nowhere", function()
    local c = chain()
    assert.equal("void", (prove(c)))
    assert.same({ "getGenesisHash", "getEpochInfo", "getSignaturesForAddress", "getFirstAvailableBlock" }, c.asked)
  end)

  it("is not void one block earlier", function()
    local verdict, detail = prove(chain{ height = LAST + 32 })
    assert.equal("too_early", verdict)
    assert.truthy(detail.reason:find(tostring(LAST), 1, true))
  end)

  it("is used when a transfer carries its memo", function()
    local mine = entry(SETTLED_SLOT, "[32] " .. MEMO, OURS)
    local verdict, detail = prove(chain{ list = { entry(SETTLED_SLOT + 5, "[3] abc"), mine, entry(SETTLED_SLOT - 9) } })
    assert.equal("used", verdict)
    assert.equal(mine.signature, detail.transaction)
  end)

  it("is used though its last block is unknown, and never void then", function()
    assert.equal("used", (prove(chain{ list = { entry(SETTLED_SLOT, "[32] " .. MEMO, OURS) } }, { last_height = 0 })))
    assert.equal("unavailable", (prove(chain(), { last_height = 0 })))
  end)

  it("is used whatever amount an earlier authorization named", function()
    local other = transaction(MARK, { amount = "40000", hash = "\8" })
    assert.equal("used", (prove(chain{ list = { entry(SETTLED_SLOT, "[32] " .. MEMO, other) } })))
  end)

  it("is found on any page", function()
    local list = {}
    for i = 1, 2500 do list[i] = entry(SETTLED_SLOT + 3000 - i, "[4] fizz") end
    list[2501] = entry(SETTLED_SLOT, "[32] " .. MEMO, OURS)
    local c = chain{ list = list, height = LAST + 3000 }
    assert.equal("used", (prove(c)))
    c = chain{ list = list, height = LAST + 3000 }
    list[2501] = nil
    assert.equal("void", (prove(c)))
  end)

  it("goes on through pages that are shorter than asked for", function()
    local list = {}
    for i = 1, 7 do list[i] = entry(SETTLED_SLOT + 10 - i, "[4] fizz") end
    list[8] = entry(SETTLED_SLOT, "[32] " .. MEMO, OURS)
    assert.equal("used", (prove(chain{ list = list, page = 2 })))
  end)

  it("looks into transfers whose memo the list does not tell", function()
    assert.equal("used", (prove(chain{ list = { entry(SETTLED_SLOT, nil, OURS) } })))
    assert.equal("void", (prove(chain{ list = { entry(SETTLED_SLOT, nil, (transaction(("\1"):rep(16)))) } })))
  end)

  it("believes no memo alone: a stranger's transfer with ours in it is a stranger's", function()
    local strange = transaction(MARK, { seed = OTHER })
    local c = chain{ list = { entry(SETTLED_SLOT + 1, "[32] " .. MEMO, strange), entry(SETTLED_SLOT, "[32] " .. MEMO,
      "\1" .. ("\9"):rep(64) .. "garbage") } }
    assert.equal("void", (prove(c)))
  end)

  it("looks past a stranger's transfer to ours", function()
    local strange = transaction(MARK, { seed = OTHER })
    assert.equal("used", (prove(chain{ list = { entry(SETTLED_SLOT + 1, "[32] " .. MEMO, strange),
      entry(SETTLED_SLOT, "[3] x; [32] " .. MEMO, OURS) } })))
  end)

  it("is not used by a transfer that failed", function()
    assert.equal("void", (prove(chain{ list = { entry(SETTLED_SLOT, "[32] " .. MEMO, OURS,
      { err = { InstructionError = { 2, { Custom = 1 } } } }) } })))
  end)

  it("is told by the whole message where the server demanded the memo", function()
    local mine, message = transaction(MARK, { memo = "order-7" })
    local other = transaction(MARK, { memo = "order-7", hash = "\8" })
    local q = { memo = false, message = message }
    assert.equal("used", (prove(chain{ list = { entry(SETTLED_SLOT, "[7] order-7", mine) } }, q)))
    assert.equal("void", (prove(chain{ list = { entry(SETTLED_SLOT, "[7] order-7", other) } }, q)))
  end)

  it("stops at what is older than the signature, whatever the clocks say", function()
    local list = { entry(SETTLED_SLOT - 400000, "[32] " .. MEMO, OURS) }
    local c = chain{ list = list, first = SETTLED_SLOT - 500000 }
    assert.equal("void", (prove(c)))
    assert.is_nil(table.concat(c.asked):find "getTransaction")
  end)

  it("proves nothing where the node has forgotten the blocks it could have settled in", function()
    local verdict, detail = prove(chain{ first = SETTLED_SLOT + 1 })
    assert.equal("unavailable", verdict)
    assert.truthy(detail.reason:find "forgotten")
  end)

  it("proves nothing on another chain", function()
    assert.equal("unavailable", (prove(chain{ genesis = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG" })))
  end)

  it("proves nothing when too many transfers would have to be looked at", function()
    local list = {}
    for i = 1, 257 do list[i] = entry(SETTLED_SLOT + 100) end
    assert.equal("unavailable", (prove(chain{ list = list })))
  end)

  it("looks into none that came after its end", function()
    local list, last_slot = {}, LAST + SLOT_OF_HEIGHT
    for i = 1, 500 do list[i] = entry(last_slot + 1000 - i) end
    list[501] = entry(last_slot + 1)
    local c = chain{ list = list, height = LAST + 2000 }
    assert.equal("void", (prove(c)))
    assert.is_nil(table.concat(c.asked):find "getTransaction")
    list[502] = entry(last_slot, nil, OURS)   -- in the very last
    assert.equal("used", (prove(chain{ list = list, height = LAST + 2000 })))
  end)

  for name, bend in pairs{
    ["no answer"] = function(_, _, n) if n == 3 then return nil, 0 end end,
    ["a 429"] = function(_, _, n) if n == 3 then return nil, 429 end end,
    ["an error"] = function(request, _, n)
      if n == 3 then
        return ('{"jsonrpc":"2.0","id":%d,"error":{"code":-32016,"message":"Minimum context slot"}}'):format(request.id)
      end
    end,
    ["another id"] = function(_, text, n) if n == 3 then return (text:gsub('"id":%d+', '"id":77')) end end,
    ["no JSON"] = function(_, _, n) if n == 3 then return "{" end end,
    ["null for a list"] = function(request, _, n)
      if n == 3 then return ('{"jsonrpc":"2.0","id":%d,"result":null}'):format(request.id) end
    end,
    ["a list that rises"] = function(request, _, n)
      if n == 3 then
        return cjson.encode{ jsonrpc = "2.0", id = request.id, result = { entry(SETTLED_SLOT, "[1] a"),
          entry(SETTLED_SLOT + 1, "[1] b") } }
      end
    end,
    ["a list that stands still"] = function(request, _, n)
      if n >= 3 and request.method == "getSignaturesForAddress" then
        return cjson.encode{ jsonrpc = "2.0", id = request.id, result = { { signature = PAYER, slot = SETTLED_SLOT,
          err = cjson.null, memo = "[1] a" } } }
      end
    end,
    ["slots that are text"] = function(request, _, n)
      if n == 3 then
        return cjson.encode{ jsonrpc = "2.0", id = request.id, result = { entry("1", "[1] a") } }
      end
    end,
    ["a height above its slot"] = function(_, text, n)
      if n == 2 then return (text:gsub('"absoluteSlot":%d+', '"absoluteSlot":1')) end
    end,
    ["a height beyond all numbers"] = function(_, text, n)
      if n == 2 then return (text:gsub('"blockHeight":%d+', '"blockHeight":18446744073709551615')) end
    end,
    ["a negative height"] = function(_, text, n)
      if n == 2 then return (text:gsub('"blockHeight":%d+', '"blockHeight":-1')) end
    end } do
    it("is unavailable after " .. name, function()
      local verdict, detail = prove(chain(), nil, bend)
      assert.equal("unavailable", verdict)
      assert.truthy(#detail.reason > 0)
    end)
  end

  it("is unavailable when a listed transfer is not shown, or shown as failed", function()
    assert.equal("unavailable", (prove(chain{ list = { entry(SETTLED_SLOT, "[32] " .. MEMO) } })))
    assert.equal("unavailable", (prove(chain{ list = { entry(SETTLED_SLOT, "[32] " .. MEMO, OURS,
      { tx_err = "AccountInUse" }) } })))
  end)

  it("is not asked by nothing", function()
    assert.equal("unavailable", (prove(chain(), { memo = false })))
  end)
end)

describe("a name without a record", function()
  it("is looked for through all that there is, whatever the height, final or not", function()
    local old = entry(1000, "[32] " .. MEMO, OURS)
    local c = chain{ list = { entry(SETTLED_SLOT, "[1] x"), old }, commitment = "confirmed" }
    assert.equal("used", (prove(c, { history = true, last_height = 0 })))
    c = chain{ list = { entry(SETTLED_SLOT, "[1] x"), entry(5) }, commitment = "confirmed" }
    assert.equal("void", (prove(c, { history = true, last_height = 0 })))
    assert.is_nil(table.concat(c.asked):find "getTransaction")   -- no memo there is none of ours
  end)

  it("is not said to be unpaid by a node that remembers less than a year", function()
    for _, case in ipairs{ { 400000000, 321160000, "void" }, { 400000000, 321160001, "unavailable" },
      { 70000000, 0, "void" }, { 70000000, 1, "unavailable" } } do
      local c = chain{ list = { entry(SETTLED_SLOT, "[1] x") }, commitment = "confirmed", height = case[1] - 1,
        slot = case[1], first = case[2] }
      assert.equal(case[3], (prove(c, { history = true, last_height = 0 })))
      c = chain{ list = { entry(SETTLED_SLOT, "[32] " .. MEMO, OURS) }, commitment = "confirmed", height = case[1] - 1,
        slot = case[1], first = case[2] }
      assert.equal("used", (prove(c, { history = true, last_height = 0 })))
    end
  end)
end)

-- ---- before signing -------------------------------------------------------------------------------

local function look(with, answers)
  local all = { network = MAINNET, asset = USDC, decimals = 6 }
  for k, v in pairs(with or {}) do all[k] = v end
  local lookup, asked, state = core.lookup_svm_new(all), {}, "pending"
  while state == "pending" do
    local request = cjson.decode((assert(lookup:request())))
    asked[#asked + 1] = request.method
    local result = answers[request.method]
    local text = type(result) == "string" and result:sub(1, 1) == "{" and result or cjson.encode(result)
    state = lookup:answer(200, ('{"jsonrpc":"2.0","id":%d,"result":%s}'):format(request.id, text))
  end
  return state, lookup:facts(), asked
end

local HASH = core.base58_encode(("\7"):rep(32))
local STRANGE = core.base58_encode(("\8"):rep(32))

local function answers(with)
  local all = { getGenesisHash = GENESIS,
    getLatestBlockhash = { context = { slot = 1 }, value = { blockhash = HASH, lastValidBlockHeight = 3090 } },
    isBlockhashValid = { context = { slot = 532 }, value = true },
    getEpochInfo = { absoluteSlot = 500, blockHeight = 400 } }
  for k, v in pairs(with or {}) do all[k] = v end
  return all
end

-- An account as a real node shows it: with a rentEpoch that no signed 64-bit integer holds.
local function account(owner, decimals)
  local data = core.base64_encode(("\0"):rep(44) .. string.char(decimals or 6) .. ("\0"):rep(37))
  return ('{"context":{"slot":9},"value":{"data":["%s","base64"],"executable":false,"lamports":1461600,"owner":"%s",'
    .. '"rentEpoch":18446744073709551615,"space":82}}'):format(data, owner)
end

describe("what a Solana message needs", function()
  it("is a blockhash and its last height", function()
    local state, facts, asked = look(nil, answers())
    assert.equal("done", state)
    assert.equal(HASH, facts.blockhash)
    assert.equal(3090, facts.last_height)
    assert.same({ "getGenesisHash", "getLatestBlockhash" }, asked)
  end)

  it("does not ask a known RPC which chain it serves", function()
    local _, _, asked = look({ known = true }, answers())
    assert.same({ "getLatestBlockhash" }, asked)
  end)

  it("is a height where the server gave the blockhash", function()
    local state, facts, asked = look({ blockhash = STRANGE }, answers())
    assert.equal("done", state)
    assert.equal(STRANGE, facts.blockhash)
    assert.equal(700, facts.last_height)   -- 400 and 300
    assert.same({ "getGenesisHash", "isBlockhashValid", "getEpochInfo" }, asked)
    assert.equal(HASH, select(2, look({ blockhash = "short" }, answers())).blockhash)
  end)

  it("is the RPC's own blockhash where it does not know the server's, or its final block is far behind", function()
    for _, case in ipairs{ { isBlockhashValid = { context = { slot = 532 }, value = false } },
      { isBlockhashValid = { context = { slot = 629 }, value = true } } } do
      local state, facts = look({ blockhash = STRANGE }, answers(case))
      assert.equal("done", state)
      assert.equal(HASH, facts.blockhash)
      assert.equal(3090, facts.last_height)
    end
    local near = answers{ isBlockhashValid = { context = { slot = 628 }, value = true } }
    assert.equal(STRANGE, select(2, look({ blockhash = STRANGE }, near)).blockhash)
    for _, nonsense in ipairs{ { context = { slot = 532 }, value = "true" }, { value = true }, true } do
      assert.equal("failed", (look({ blockhash = STRANGE }, answers{ isBlockhashValid = nonsense })))
    end
  end)

  it("is the owner of a mint that is not built in, whatever its rentEpoch", function()
    for _, program in ipairs{ TOKEN, "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb" } do
      local state, facts, asked = look({ asset = STRANGE, decimals = 9 },
        answers{ getAccountInfo = account(program, 9) })
      assert.equal("done", state, facts.reason)
      assert.equal(program, facts.token_program)
      assert.same({ "getGenesisHash", "getAccountInfo", "getLatestBlockhash" }, asked)
    end
  end)

  for name, case in pairs{
    ["a mint of another program"] = { { asset = STRANGE },
      { getAccountInfo = account "11111111111111111111111111111111" } },
    ["a mint with other decimals than told"] = { { asset = STRANGE }, { getAccountInfo = account(TOKEN, 9) } },
    ["no such mint"] = { { asset = STRANGE }, { getAccountInfo = '{"context":{"slot":9},"value":null}' } },
    ["an account that is too short"] = { { asset = STRANGE }, { getAccountInfo =
      ('{"value":{"data":["AAAA","base64"],"owner":"%s"}}'):format(TOKEN) } },
    ["another chain"] = { {}, { getGenesisHash = "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY" } },
    ["a blockhash of 31 bytes"] = { {}, { getLatestBlockhash = { value = {
      blockhash = core.base58_encode(("\1"):rep(31)), lastValidBlockHeight = 1 } } } },
    ["a blockhash without a height"] = { {}, { getLatestBlockhash = { value = { blockhash = HASH } } } },
    ["a height beyond all numbers"] = { {}, { getLatestBlockhash =
      ('{"value":{"blockhash":"%s","lastValidBlockHeight":18446744073709551615}}'):format(HASH) } },
    ["a height of zero"] = { {}, { getLatestBlockhash = { value = { blockhash = HASH, lastValidBlockHeight = 0 } } } },
  } do
    it("is not had from " .. name, function()
      local state, facts = look(case[1], answers(case[2]))
      assert.equal("failed", state)
      assert.truthy(#facts.reason > 0)
    end)
  end
end)
