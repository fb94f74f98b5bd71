-- Messages of instructions. Vectors: svm_self_paid.json, by @solana/kit. The order of accounts that share a role
-- is a text collation there and means nothing: what is compared is what the bytes say.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"
local messages = require "spec.chain.messages"

local unhex, hex = spec.unhex, spec.hex

local function rebuild(case)
  local roles = {}
  for _, account in ipairs(case.transaction.static_accounts) do roles[account.address] = account.role end
  local list = {}
  for i, one in ipairs(case.transaction.instructions) do
    local accounts = {}
    for k, address in ipairs(one.accounts) do
      accounts[k] = { address = address, signer = roles[address]:find "signer" ~= nil,
        writable = roles[address]:find "writable" ~= nil }
    end
    list[i] = { program = one.program, data = unhex(one.data), accounts = accounts }
  end
  return core.solana_message{ fee_payer = case.payer, blockhash = case.blockhash, instructions = list }
end

describe("solana_message", function()
  for _, case in ipairs(spec.vectors "svm_self_paid".cases) do
    it("says the same as the official compiler: " .. case.id, function()
      local message, signers = rebuild(case)
      local ours, theirs = messages.read(message), messages.read(unhex(case.transaction.message))
      assert.equal(1, signers)
      assert.same(theirs.header, ours.header)
      assert.same(messages.roles(theirs.accounts), messages.roles(ours.accounts))
      assert.equal(theirs.blockhash, ours.blockhash)
      assert.same(theirs.instructions, ours.instructions)
      assert.equal(#unhex(case.transaction.message), #message)
    end)

    it("makes the payer's signature over the official bytes: " .. case.id, function()
      local sig = core.ed25519_sign(unhex(case.payer_seed), unhex(case.transaction.message))
      assert.equal(case.transaction_id, core.base58_encode(sig))
      assert.equal(case.transaction.signatures[1].signature, hex(sig))
    end)
  end

  local payer, other = core.base58_encode(("\1"):rep(32)), core.base58_encode(("\2"):rep(32))
  local program = core.base58_encode(("\3"):rep(32))

  it("lists an account once, in the strongest of its roles", function()
    local m = messages.read((core.solana_message{ fee_payer = payer, blockhash = other, instructions = {
      { program = program, data = "", accounts = { { address = other }, { address = payer } } },
      { program = program, data = "", accounts = { { address = other, writable = true } } },
      { program = program, data = "", accounts = { { address = other, signer = true } } } } }))
    assert.same({ { address = payer, role = "writable signer" }, { address = other, role = "writable signer" },
      { address = program, role = "readonly" } }, m.accounts)
  end)

  it("refuses what does not fit into a packet", function()
    local function of(n)
      return core.solana_message{ fee_payer = payer, blockhash = other,
        instructions = { { program = program, data = ("x"):rep(n) } } }
    end
    local most = 0
    for n = 1000, 1100 do if of(n) then most = n end end
    assert.equal(1168, #(of(most)))
    assert.equal("LIMIT", select(3, of(most + 1)))
    assert.equal("LIMIT", select(3, of(70000)))
  end)

  it("refuses more accounts or instructions than it lists", function()
    local many, accounts = {}, {}
    for i = 1, 9 do many[i] = { program = program, data = "" } end
    for i = 1, 16 do accounts[i] = { address = core.base58_encode(string.char(100 + i):rep(32)) } end
    assert.equal("LIMIT", select(3, core.solana_message{ fee_payer = payer, blockhash = other, instructions = many }))
    assert.equal("LIMIT", select(3, core.solana_message{ fee_payer = payer, blockhash = other,
      instructions = { { program = program, data = "", accounts = accounts } } }))
  end)

  it("refuses what is no address", function()
    assert.equal("SYNTAX", select(3, core.solana_message{ fee_payer = "x", blockhash = other, instructions = {} }))
    assert.equal("SYNTAX", select(3, core.solana_message{ fee_payer = payer, instructions = {} }))
  end)
end)

describe("solana_compact", function()
  for v, bytes in pairs{ [0] = "00", [5] = "05", [127] = "7f", [128] = "8001", [255] = "ff01", [256] = "8002",
    [16383] = "ff7f", [16384] = "808001", [65535] = "ffff03" } do
    it("writes " .. v, function() assert.equal("0x" .. bytes, hex(core.solana_compact(v))) end)
  end
end)
