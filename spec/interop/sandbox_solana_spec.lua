-- SPDX-License-Identifier: MIT
-- Is our sandbox as strict on Solana as the official facilitator on a real VM? Each gets a payment made for its own
-- terms with the same thing wrong in it, built byte by byte; status, headers and reasons have to be equal.
local cjson = require "cjson"
local core = require "spraay.core"
local live = require "spec.support.live"
local sandbox = require "spec.support.sandbox"
local world = require "spec.interop.world"

local able, solana = pcall(require, "spec.support.solana")

describe("the sandbox and the official server answer alike on Solana", function()
  if not able then
    world.row { pending = "this sandbox has no Solana" }
    pending "(this sandbox has no Solana)"
    return
  end

  -- The official side, spoken to as the sandbox is.
  local official = {}
  function official.request(_, method, path, options)
    local given = { method = method }
    for name, value in pairs(options or {}) do given[name] = value end
    if path == "/_sandbox/rpc/solana" then return sandbox.fetch(world.rpc.solana, given) end
    if path == "/_sandbox/solana/fund" then
      world.pull("fund", { network = "solana", address = given.body.address, amount = world.atomic(given.body.amount) })
      return { status = 200, json = {} }
    end
    if path == "/_sandbox/solana/sol" then return { status = 200, json = {} } end   -- nobody there pays fees himself
    return sandbox.fetch(world.express .. path, given)
  end

  local box, sides
  setup(function()
    box = live.start { rails = 2 }
    sides = { { name = "sandbox", box = box, path = "/api/v1/compute/embeddings", body = { input = "words" } },
              { name = "official", box = official, path = "/solana", body = { n = 1 } } }
    for _, side in ipairs(sides) do
      side.payer, side.other = solana.payer(side.box), solana.payer(side.box)
    end
  end)
  teardown(function() live.stop(box) end)

  local function decoded(header) return header and cjson.decode((assert(core.base64_decode(header)))) end

  local function heard(answer)
    local challenge, receipt = decoded(answer.headers["payment-required"]), decoded(answer.headers["payment-response"])
    return { status = answer.status, error = challenge and challenge.error, challenge = challenge ~= nil,
      receipt = receipt ~= nil, success = receipt and receipt.success, reason = receipt and receipt.errorReason,
      network = receipt and receipt.network, raw = receipt }
  end

  -- Pay both with this change; what each answered.
  local function pay(change, damage)
    local both = {}
    for _, side in ipairs(sides) do
      local _, payment = side.payer:prepare("POST", side.path, side.body, change and change(side))
      if damage then damage(payment, side) end
      local header = core.base64_encode(cjson.encode(payment))
      both[side.name] = heard(assert(side.payer:present("POST", side.path, side.body, header)))
    end
    return both
  end

  local function alike(both)
    local ours, theirs = both.sandbox, both.official
    for _, name in ipairs { "status", "challenge", "receipt", "error", "success", "reason", "network" } do
      assert.equal(theirs[name], ours[name], name)
    end
  end

  it("in what they give for a payment: the same members, the owner as payer", function()
    local both = pay()
    alike(both)
    assert.equal(200, both.official.status)
    for name, value in pairs(both.official.raw) do
      assert.equal(type(value), type(both.sandbox.raw[name]), "receipt." .. name)
    end
    for name in pairs(both.sandbox.raw) do assert.is_not_nil(both.official.raw[name], "receipt." .. name) end
    for _, side in ipairs(sides) do assert.equal(side.payer.address, both[side.name].raw.payer) end
  end)

  local function price(side)
    return tonumber(side.name == "sandbox" and 5000 or 10000)
  end
  local function edit(fn) return function(side) return { edit = function(m) return fn(m, side) end } end end
  local function always(change) return function() return change end end
  local function extra(program, data)
    return function(m)
      m.instructions[#m.instructions + 1] = { program, {}, data }
      for _, account in ipairs(m.accounts) do
        if account[1] == program then return end
      end
      m.accounts[#m.accounts + 1] = { program, "r" }
    end
  end
  local USDT = "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB"

  local CASES = {
    { "a legacy message", edit(function(m) m.legacy = true end) },
    { "no memo", always { memo = false } }, { "a long memo", always { memo = ("m"):rep(200) } },
    { "a memo that is no UTF-8", always { memo = "\255\254" } },
    { "two memos", edit(extra(solana.MEMO, "again")) },
    { "a unit too little", function(side) return { amount = price(side) - 1 } end },
    { "a unit too much", function(side) return { amount = price(side) + 1 } end },
    { "another receiver", function(side) return { to = side.other.address } end },
    { "another mint", always { mint = USDT } },
    { "the other token program", always { program = solana.TOKEN_2022 } },
    { "other decimals", always { decimals = 9 } },
    { "the highest price for compute", always { price = 5000000 } },
    { "a higher price for compute", always { price = 5000001 } },
    { "few compute units", always { units = 100 }, known = "the sandbox does not count compute units" },
    { "another fee payer", function(side) return { fee_payer = side.other.address } end },
    { "itself as fee payer", function(side) return { fee_payer = side.payer.address } end },
    { "a blockhash nobody gave out", function() return { blockhash = core.base58_encode(core.random_bytes(32)) } end },
    { "the money of somebody else", edit(function(m, side)
      local theirs = solana.ata(side.other.address)
      m.instructions[3][2][1], m.accounts[3][1] = theirs, theirs
    end) },
    { "accounts that are not writable", edit(function(m) m.accounts[3][2], m.accounts[4][2] = "r", "r" end) },
    { "price before limit", edit(function(m)
      m.instructions[1], m.instructions[2] = m.instructions[2], m.instructions[1]
    end) },
    { "no compute limit", edit(function(m) table.remove(m.instructions, 1) end) },
    { "two instructions", edit(function(m) m.instructions[4], m.instructions[3] = nil, nil end) },
    { "eight instructions", edit(function(m)
      for i = 1, 4 do extra(solana.MEMO, "m" .. i)(m) end
    end) },
    { "a fourth instruction of a stranger", always { memo = false, edit = extra(solana.SYSTEM, "\2\0\0\0") } },
    { "a fifth instruction of a stranger", edit(extra(solana.SYSTEM, "\2\0\0\0")) },
    { "a memo before the transfer", edit(function(m)
      m.instructions[3], m.instructions[4] = m.instructions[4], m.instructions[3]
    end) },
    { "a plain transfer", edit(function(m)
      local transfer = m.instructions[3]
      m.instructions[3] = { transfer[1], { transfer[2][1], transfer[2][3], transfer[2][4] },
        "\3" .. transfer[3]:sub(2, 9) }
    end) },
    { "an approval in place of the transfer", edit(function(m)
      local transfer = m.instructions[3]
      m.instructions[3] = { transfer[1], transfer[2], "\13" .. transfer[3]:sub(2) }
    end) },
    { "a payer with nothing", nil, function(payment, side)
      local poor = solana.payer(side.box, { usdc = "0" })
      payment.payload.transaction = (poor:transaction(payment.accepted))
    end },
    { "a signature with a bit turned", nil, function(payment)
      local bytes = core.base64_decode(payment.payload.transaction)
      local turned = string.char((bytes:byte(71) + 128) % 256)
      payment.payload.transaction = core.base64_encode(bytes:sub(1, 70) .. turned .. bytes:sub(72))
    end },
    { "no signature of the payer", nil, function(payment)
      local bytes = core.base64_decode(payment.payload.transaction)
      payment.payload.transaction = core.base64_encode("\2" .. ("\0"):rep(128) .. bytes:sub(130))
    end },
    { "bytes after the message", nil, function(payment)
      payment.payload.transaction = core.base64_encode(core.base64_decode(payment.payload.transaction) .. "\0")
    end, known = "both refuse; the official code calls it a wrong signature" },
    { "a transaction cut short", nil, function(payment)
      payment.payload.transaction = core.base64_encode(core.base64_decode(payment.payload.transaction):sub(1, -20))
    end },
    { "rubbish for a transaction", nil, function(payment) payment.payload.transaction = "AAAA" end },
    { "no base64 for a transaction", nil, function(payment) payment.payload.transaction = "!!" end },
    { "no transaction", nil, function(payment) payment.payload = { other = 1 } end,
      known = "both refuse; the official code says that it cannot be decoded" },
    { "another fee payer in accepted", nil, function(payment, side)
      payment.accepted.extra.feePayer = side.other.address
    end },
    { "no fee payer in accepted", nil, function(payment) payment.accepted.extra = cjson.null end },
    { "another network in accepted", nil, function(payment)
      payment.accepted.network = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"
    end },
  }

  -- `known`: a difference that is on record. The row is pending as long as there is one.
  for _, case in ipairs(CASES) do
    it("about " .. case[1], function()
      local both = pay(case[2], case[3])
      if case.known and not pcall(alike, both) then
        pending(world.because(case[1] .. ": " .. case.known))
        return
      end
      alike(both)
    end)
  end

  it("about the same transaction twice", function()
    local again = {}
    for _, side in ipairs(sides) do
      local header = side.payer:prepare("POST", side.path, side.body)
      assert.equal(200, side.payer:present("POST", side.path, side.body, header).status)
      again[side.name] = heard(side.payer:present("POST", side.path, side.body, header))
    end
    alike(again)
  end)
end)
