-- The order that money needs, kept by the core whoever drives it: nothing is handed out that is not on record,
-- nothing is signed out of turn, under another nonce, for another contract or beyond the cap on gas. No network here.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

local KEY = "0x4646464646464646464646464646464646464646464646464646464646464646"
local CONTRACT = "0xaF4e43d512C73c6731769620ca6b73f0FCFF9118"
local USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"

local engine, folder, wallet, ledgers = nil, nil, nil, 0

setup(function()
  local pipe = assert(io.popen "mktemp -d")
  folder = pipe:read "*l"
  pipe:close()
  local path = folder .. "/key"
  local file = assert(io.open(path, "w"))
  file:write(KEY)
  file:close()
  os.execute("chmod 600 " .. path)
  wallet = assert(core.wallet_file(path))
  engine = assert(core.engine())
end)
teardown(function() os.execute("rm -rf '" .. folder .. "'") end)
before_each(function() ledgers = ledgers + 1 end)

local function client(more)
  local config = { gateway = "http://127.0.0.1:9", networks = { "eip155:8453" }, wallet = wallet, per_call = "600000",
    ledger = ("%s/%d.db"):format(folder, ledgers) }
  for name, value in pairs(more or {}) do config[name] = value or nil end
  if more and more.ledger == false then config.ledger = nil end
  return assert(core.client(engine, config))
end

local function sender(of, more)
  local fields = { act = "deposit", network = "eip155:8453", amount = "5000000", gas_cap = "500000000000000" }
  for name, value in pairs(more or {}) do fields[name] = value end
  return assert(of:evm(fields))
end

-- An operation to its end: what it gives.
local function finish(s)
  while not s:done() do engine:step(1000) end
  return s:result()
end

local function ask(s, name, ...)
  local begun, why, code = s[name](s, ...)
  if not begun then return nil, why, code end
  return finish(s)
end

local GAS = { nonce = "0", gas = "70000", max_fee = "11000000", max_tip = "1000000" }

local function gas(more)
  local out = {}
  for name, value in pairs(GAS) do out[name] = value end
  for name, value in pairs(more or {}) do out[name] = value end
  return out
end

-- A sender that may sign.
local function ready(of, more)
  local s = sender(of, more)
  assert(ask(s, "claim"))
  assert(ask(s, "reserve"))
  assert(ask(s, "turn"))
  return s
end

local function code_of(s, ...) return select(3, ask(s, ...)) end

-- What a raw transaction says, read by another reader than the one that wrote it.
local function read(raw)
  assert(raw:byte(1) == 2)
  local f = core.rlp_decode(raw:sub(2))
  local unsigned = {}
  for i = 1, 9 do unsigned[i] = f[i] end
  local digest = core.keccak256("\2" .. core.rlp_encode(unsigned))
  local function pad(s) return ("\0"):rep(32 - #s) .. s end
  local sig = pad(f[11]) .. pad(f[12]) .. string.char(27 + (f[10] == "\1" and 1 or 0))
  return { chain = spec.hex(f[1]), nonce = f[2], to = spec.hex(f[6]), value = f[7], data = f[8],
    from = core.secp_recover(digest, sig) }
end

describe("a sender of transactions", function()
  it("signs the two calls of a deposit, for the wallet, and nothing else", function()
    local s = ready(client())
    local approve = assert(ask(s, "sign", "approve", GAS))
    local tx = read(approve.raw)
    assert.equal("0x2105", tx.chain)
    assert.equal(USDC:lower(), tx.to)
    assert.equal("", tx.value)
    assert.equal(core.abi_call("approve", CONTRACT, "5000000"), tx.data)
    assert.equal(wallet:address(), tx.from)
    assert.equal(spec.hex(core.keccak256(approve.raw)), spec.hex(approve.hash))
    assert(ask(s, "settle", approve.hash, "done", 7, "0xab"))
    local deposit = read(assert(ask(s, "sign", "deposit", gas { nonce = "1" })).raw)
    assert.equal(CONTRACT:lower(), deposit.to)
    assert.equal(core.abi_call("deposit", "5000000"), deposit.data)
    assert.equal("SYNTAX", code_of(s, "sign", "refund", gas { nonce = "1" }))
    assert.equal("SYNTAX", code_of(s, "sign", "transfer", gas { nonce = "1" }))
    s:close()
  end)

  it("signs refunds of the contract it was made for", function()
    local s = ready(client(), { act = "refund", amount = "0" })
    assert.equal(core.abi_call "refund", read(assert(ask(s, "sign", "refund", GAS)).raw).data)
    assert.equal("SYNTAX", code_of(s, "sign", "approve", gas { max_fee = "99000000" }))
    s:close()
    ledgers = ledgers + 1
    s = ready(client(), { act = "refund_part", amount = "2", contract = "0x" .. ("12"):rep(20) })
    local tx = read(assert(ask(s, "sign", "refund", GAS)).raw)
    assert.equal(core.abi_call("refundPartial", "2"), tx.data)
    assert.equal("0x" .. ("12"):rep(20), tx.to)
    s:close()
  end)

  it("hands out no byte before it is on record", function()
    local s = ready(client())
    assert(s:sign("approve", GAS))
    if not s:done() then
      local value, _, code = s:result()
      assert.is_nil(value)
      assert.equal("STATE", code)
    end
    local row = finish(s)
    s:close()
    -- Another process would read the same bytes.
    local other = sender(client())
    assert(ask(other, "claim"))
    local rows = assert(ask(other, "turn"))
    assert.equal(row.raw, rows[1].raw)
    assert.equal("open", rows[1].fate)
    assert.equal("signed", ({ signed = "signed", unknown = "signed" })[other:record().state])
    other:close()
  end)

  it("signs nothing that was not claimed, reserved and given its turn", function()
    local c = client()
    local s = sender(c)
    assert.equal("STATE", select(3, s:sign("approve", GAS)))
    assert.equal("STATE", select(3, s:turn()))
    assert(ask(s, "claim"))
    assert.equal("STATE", select(3, s:sign("approve", GAS)))
    assert(ask(s, "reserve"))
    local value, why, code = ask(s, "sign", "approve", GAS)   -- no turn
    assert.is_nil(value, why)
    assert.equal("STATE", code)
    s:close()
  end)

  it("signs nothing where it would be forgotten with the process", function()
    local s = sender(client { ledger = false })
    assert(ask(s, "claim"))
    assert(ask(s, "reserve"))
    assert.equal("UNSUPPORTED", code_of(s, "turn"))
    assert.equal("UNSUPPORTED", code_of(s, "sign", "approve", GAS))
    s:close()
  end)

  it("signs nothing else while one is open, and raises a fee under the same nonce only", function()
    local s = ready(client())
    local first = assert(ask(s, "sign", "approve", GAS))
    assert.equal("STATE", code_of(s, "sign", "deposit", gas { nonce = "1" }))
    assert.equal("STATE", code_of(s, "sign", "approve", gas { nonce = "1" }))
    local second = assert(ask(s, "sign", "approve", gas { max_fee = "12500000", max_tip = "1200000" }))
    assert.equal(read(first.raw).nonce, read(second.raw).nonce)
    assert.equal(read(first.raw).data, read(second.raw).data)
    assert(ask(s, "settle", second.hash, "done", 9, ""))   -- and the first is gone with that
    assert(ask(s, "sign", "deposit", gas { nonce = "1" }))
    s:close()
  end)

  it("never signs again what moved money, or may have: only what reverted", function()
    for fate, allowed in pairs { done = false, gone = false, reverted = true } do
      ledgers = ledgers + 1
      local s = ready(client())
      local row = assert(ask(s, "sign", "deposit", GAS))
      assert(ask(s, "settle", row.hash, fate, 9, ""))
      local again, why, code = ask(s, "sign", "deposit", gas { nonce = "1" })
      assert.equal(allowed, again ~= nil, fate .. tostring(why))
      if not allowed then assert.equal("STATE", code) end
      s:close()
    end
    ledgers = ledgers + 1
    local s = ready(client())
    local row = assert(ask(s, "sign", "approve", GAS))   -- an approval moves nothing
    assert(ask(s, "settle", row.hash, "gone", 0, ""))
    assert(ask(s, "sign", "approve", gas { nonce = "1" }))
    s:close()
  end)

  it("keeps the cap on gas over all its transactions, in this process and the next", function()
    local cap = 70000 * 11000000 * 2
    local c = client()
    local s = ready(c, { gas_cap = ("%d"):format(cap) })
    assert.equal("REFUSED", code_of(s, "sign", "approve", gas { max_fee = "22000001" }))
    local row = assert(ask(s, "sign", "approve", GAS))
    assert(ask(s, "settle", row.hash, "done", 1, ""))
    assert.equal("REFUSED", code_of(s, "sign", "deposit", gas { nonce = "1", gas = "70001" }))
    s:close()
    s = ready(client(), { gas_cap = ("%d"):format(cap) })
    assert.equal("REFUSED", code_of(s, "sign", "deposit", gas { nonce = "1", gas = "70001" }))
    assert(ask(s, "sign", "deposit", gas { nonce = "1" }))
    s:close()
  end)

  it("refuses fees and gas that make no sense", function()
    local s = ready(client())
    for _, bad in ipairs { { gas = "0" }, { gas = "10000001" }, { max_fee = "0", max_tip = "0" },
        { max_tip = "11000001" } } do
      assert.equal("RANGE", code_of(s, "sign", "approve", gas(bad)))
    end
    for _, bad in ipairs { { nonce = "-1" }, { gas = "x" }, { max_fee = "0x10" }, { nonce = ("9"):rep(19) } } do
      assert.has_error(function() s:sign("approve", gas(bad)) end)
    end
    s:close()
  end)

  it("gives one turn at a time, to another purchase only when it is over", function()
    local c = client()
    local a, b = ready(c), sender(c, { amount = "6000000" })
    assert(ask(b, "claim"))
    assert(ask(b, "reserve"))
    assert.equal("BUSY", code_of(b, "turn"))
    assert.equal("STATE", code_of(b, "sign", "approve", GAS))
    a:close()
    assert.same({}, assert(ask(b, "turn")))
    b:close()
  end)

  it("is not given what a living call holds, and continues what one has left", function()
    local c = client()
    local a = ready(c)
    local row = assert(ask(a, "sign", "approve", GAS))
    local id = a:record().id
    a:close()
    local b = sender(c)
    assert(ask(b, "claim"))
    assert.equal(id, b:record().id)
    assert(ask(b, "reserve"))
    local rows = assert(ask(b, "turn"))
    assert.equal(1, #rows)
    assert.equal(row.hash, rows[1].hash)
    assert.equal("STATE", code_of(b, "sign", "approve", gas { nonce = "1" }))   -- not under another nonce
    b:close()
  end)

  it("is continued by an equal one however late: what was signed for a chain never expires", function()
    local c = client()
    local a = ready(c)
    assert(ask(a, "sign", "deposit", GAS))
    local id = a:record().id
    a:close()
    local month = 30 * 86400
    local b = sender(c, { clock_offset = month, boot_offset = month })
    assert(ask(b, "claim"))
    assert.equal(id, b:record().id)
    b:close()
  end)

  it("frees what is reserved when nothing of it moved, and keeps it when it may have", function()
    local c = client { per_day = "6000000" }
    local a = ready(c)
    local row = assert(ask(a, "sign", "approve", GAS))
    assert(ask(a, "settle", row.hash, "reverted", 3, ""))
    assert(ask(a, "void"))
    assert.equal("void", a:record().state)
    a:close()
    local b = sender(c, { amount = "6000000" })
    assert(ask(b, "claim"))
    assert(ask(b, "reserve"))
    b:close()
    b = ready(c)   -- the same deposit goes on, under the next nonce
    assert(ask(b, "sign", "deposit", gas { nonce = "1" }))
    b:close()
    local d = sender(c, { amount = "2000000" })
    assert(ask(d, "claim"))
    local value, _, code, refusal = ask(d, "reserve")
    assert.is_nil(value)
    assert.equal("REFUSED", code)
    assert.same({ cap = "per_day", limit = "6000000", committed = "5000000", wanted = "2000000" }, refusal)
    d:close()
  end)

  it("hands the result of a finished one to an equal call, until it was taken", function()
    local c = client()
    local a = ready(c)
    local row = assert(ask(a, "sign", "deposit", GAS))
    assert(ask(a, "settle", row.hash, "done", 3, ""))
    assert(ask(a, "deliver", "{\"a\":1}", spec.hex(row.hash)))
    a:close()
    local b = sender(c)
    assert(ask(b, "claim"))
    assert.equal("delivered", b:record().state)
    assert.equal("{\"a\":1}", b:record().body)
    assert.equal(spec.hex(row.hash), b:record().transaction)
    b:taken()
    b:close()
    b = sender(c)
    assert(ask(b, "claim"))
    assert.equal("intent", b:record().state)
    b:close()
  end)

  it("believes no transaction that somebody else has written", function()
    local c = client()
    local a = ready(c)
    assert(ask(a, "sign", "approve", GAS))
    a:close()
    os.execute(("sqlite3 %s/%d.db \"UPDATE chain_tx SET nonce = 9\""):format(folder, ledgers))
    local b = sender(c)
    assert(ask(b, "claim"))
    assert(ask(b, "reserve"))
    assert.equal("CHECKSUM", code_of(b, "turn"))
    b:close()
    local ledger = assert(core.ledger(engine, ("%s/%d.db"):format(folder, ledgers)))
    local op = assert(ledger:ask("verify", { wallet = wallet }))
    while not op:done() do engine:step(1000) end
    local found = assert(op:result())
    assert.equal(1, #found)
    assert.truthy(found[1].what:find("a transaction of it does not fit", 1, true))
    ledger:close()
  end)

  it("is kept when a damaged ledger is made anew", function()
    local c = client()
    local a = ready(c)
    local row = assert(ask(a, "sign", "approve", GAS))
    a:close()
    local ledger = assert(core.ledger(engine, ("%s/%d.db"):format(folder, ledgers)))
    local op = assert(ledger:ask("repair", { wallet = wallet }))
    while not op:done() do engine:step(1000) end
    assert(op:result())
    ledger:close()
    local b = sender(client())
    assert(ask(b, "claim"))
    assert(ask(b, "reserve"))
    assert.equal(row.raw, assert(ask(b, "turn"))[1].raw)
    b:close()
  end)

  it("finds its tables in a ledger that an earlier release has written", function()
    os.execute(("sqlite3 %s/%d.db '.read spec/ledger/version_1.sql'"):format(folder, ledgers))
    local s = ready(client())
    assert(ask(s, "sign", "approve", GAS))
    s:close()
  end)

  it("is not made for chains, contracts and amounts that are none, or without the key", function()
    local c = client()
    local function fails(more)
      local fields = { act = "deposit", network = "eip155:8453", amount = "5", gas_cap = "1" }
      for name, value in pairs(more) do fields[name] = value end
      return select(3, c:evm(fields))
    end
    assert.equal("NETWORK", fails { network = "eip155:999" })
    assert.equal("NETWORK", fails { network = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp" })
    assert.equal("MISSING", fails { network = "eip155:84532" })   -- no contract is built in there
    assert.equal("CHECKSUM", fails { contract = "0xaf4E43d512C73c6731769620ca6b73f0FCFF9118" })
    assert.equal("SYNTAX", fails { contract = "0x12" })
    assert.equal("RANGE", fails { amount = "0" })
    assert.equal("RANGE", fails { act = "refund", amount = "5" })
    assert.equal("SYNTAX", fails { amount = "5.0" })
    assert.equal("RANGE", fails { amount = ("9"):rep(20) })
    assert.has_error(function() fails { act = "transfer" } end)
    local outside = assert(core.wallet_signer { address = wallet:address(), nonce_secret = ("x"):rep(32) })
    local other = assert(core.client(engine, { gateway = "http://127.0.0.1:9", networks = { "eip155:8453" },
      wallet = outside, per_call = "1" }))
    assert.equal("KEY", select(3, other:evm { act = "refund", network = "eip155:8453", amount = "0", gas_cap = "1" }))
    assert.is_nil(core.evm_escrow "eip155:1")
    assert.equal(CONTRACT, core.evm_escrow "eip155:8453")
  end)
end)
