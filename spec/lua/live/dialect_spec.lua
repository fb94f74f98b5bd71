-- SPDX-License-Identifier: MIT
-- What one process has heard of a gateway's futures, the next one knows: scripts of one wallet and ledger, one after
-- the other, and the books of the gateway and of the chain.
local live = require "spec.support.live"

local box, ledger, folder, keyfile

setup(function()
  local pipe = assert(io.popen "mktemp -d")
  folder = pipe:read "*l"
  pipe:close()
end)
teardown(function() os.execute("rm -rf '" .. folder .. "'") end)

local boxes = 0

-- A gateway of this dialect in the place of the one before, at its very address; the wallet is the first one's.
local function gateway(dialect)
  local before = box
  if before then before:stop() end
  box = live.start { dialect = dialect, mining = "instant", port = before and before.url:match ":(%d+)$" or nil }
  if not before then keyfile, box.payer = box.keyfile, box.address return end
  os.remove(box.keyfile)
  assert.equal(before.url, box.url)
  box.payer = before.payer
  local answer = box:request("POST", "/_sandbox/account",
    { body = { address = box.payer, usdc = "1000", eth = "0.05" } })
  assert.equal(200, answer.status, answer.body)
end

before_each(function()
  boxes = boxes + 1
  ledger = ("%s/%d.db"):format(folder, boxes)
end)
after_each(function()
  box:stop()
  os.remove(keyfile)
  box = nil
end)

local SCRIPT = [[
local spraay = require "spraay"
local client = assert(spraay.open { gateway = "%s", rpc = { base = "%s" }, wallet = spraay.wallet.file "%s",
  ledger = %s, per_day = "1000", timeout = { connect = 2, idle = 5, total = 20 } })
%s
client:close()
]]

-- Run this in a process of its own; what it printed.
local function process(code, file)
  local path = folder .. "/script.lua"
  local script = assert(io.open(path, "w"))
  script:write(SCRIPT:format(box.url, box.rpc, keyfile, file == false and "false" or ("%q"):format(ledger), code))
  script:close()
  local interpreter = arg and arg[-1] or "lua"
  local pipe = assert(io.popen(("'%s' %s 2>&1"):format(interpreter, path)))
  local output = pipe:read "*a"
  pipe:close()
  return (output:gsub("%s+$", ""))
end

local DEPOSIT = [[
local one, message, err = client.futures:deposit "5"
print(one and one.dialect .. " " .. one.payment.amount or err.code .. " " .. err.paid .. " " .. message)
]]

local function chain() return box:request("GET", "/_sandbox/transactions").json end
local function in_escrow()
  local account = chain().escrow.accounts[box.payer]
  return account and account.balance or 0
end
local function sql(text)
  local pipe = assert(io.popen(("sqlite3 -cmd '.timeout 9000' %s \"%s\""):format(ledger, text)))
  local out = pipe:read "*a"
  pipe:close()
  return (out:gsub("%s+$", ""))
end

describe("what a process has heard of a gateway's futures", function()
  it("is known to the next: the look at the pricing is paid once", function()
    gateway "escrow"
    assert.equal("escrow 5.001000", process(DEPOSIT))
    assert.equal("0.001000", box:ledger().total_usdc)
    assert.equal("escrow 5.000000", process(DEPOSIT))
    assert.equal("escrow 5.000000", process(DEPOSIT))
    assert.equal("0.001000", box:ledger().total_usdc)
    assert.equal(1, box:ledger().count)
    assert.equal(15000000, in_escrow())
  end)

  it("is the process's own without a ledger, and the look is paid again", function()
    gateway "ledger"
    for looks = 1, 2 do
      assert.equal("ledger 0.011000", process(DEPOSIT, false))
      assert.equal(2 * looks, box:ledger().count)
    end
  end)

  it("comes from any answer, and a plan knows it, too", function()
    gateway "ledger"
    process 'assert(client.futures:pricing())'
    assert.equal("ledger", process 'print(client:plan({ { type = "chat", count = 10 } }).dialect)')
    assert.equal("ledger 0.010000", process(DEPOSIT))
    assert.equal(2, box:ledger().count)
  end)

  it("is noticed when it is not true any more, and no deposit goes where nobody draws it", function()
    gateway "escrow"
    process 'assert(client.futures:pricing())'
    gateway "ledger"
    assert.equal("ledger 0.010000", process(DEPOSIT))   -- it was asked, and took nothing for that
    assert.equal("0.010000", box:ledger().total_usdc)
    assert.equal(0, in_escrow())
    assert.equal(0, chain().sent)
    assert.equal("ledger", sql "SELECT word FROM learned WHERE name = 'futures'")
    gateway "escrow"
    assert.equal("escrow 5.000000", process(DEPOSIT))
    assert.equal("0.000000", box:ledger().total_usdc)   -- no fee for a deposit in the wrong dialect
    assert.equal(5000000, in_escrow())
    assert.equal("escrow", sql "SELECT word FROM learned WHERE name = 'futures'")
  end)

  it("is not believed of a gateway that says nothing", function()
    gateway "escrow"
    process 'assert(client.futures:pricing())'
    box:fault("refuse", { reason = "invalid_payload", route = "balance" })
    local said = process(DEPOSIT)
    assert.truthy(said:find("nothing was deposited, for this gateway did not say", 1, true), said)
    assert.equal(0, chain().sent, said)
    box:clear()
    assert.equal("escrow 5.000000", process(DEPOSIT))
  end)

  it("is good enough for a dry run, which asks nobody", function()
    gateway "escrow"
    process 'assert(client.futures:pricing())'
    local before = box:ledger().requests
    local said = process("client.config.dry_run = true\n" .. DEPOSIT)
    assert.truthy(said:find("^dry_run no .*would have moved 5"), said)
    assert.equal(before, box:ledger().requests)
  end)

  it("refuses no account that it cannot be sure of", function()
    gateway "escrow"
    process 'assert(client.futures:pricing())'
    gateway "ledger"
    local said = process [[
      local account = assert(client.futures:account "CFE-0123456789ABCDEF")
      local value, message, err = account:balance()
      print(value, err.code, message)
    ]]
    assert.truthy(said:find("Compute future not found", 1, true), said)
    assert.equal("ledger", sql "SELECT word FROM learned WHERE name = 'futures'")
  end)

  it("is worth nothing when somebody else wrote it", function()
    gateway "escrow"
    process 'assert(client.futures:pricing())'
    for _, change in ipairs { "word = 'ledger'", "origin = 'https://other.test'" } do
      sql("UPDATE learned SET " .. change .. " WHERE name = 'futures'")
      local key = ('local key = assert(spraay.wallet.file "%s":key())\n'):format(keyfile)
      assert.truthy(process(key .. ([[
        local found = assert(require "spraay.ledger".ask("%s", "verify", { wallet = key }))
        print(#found, found[1] and found[1].what)
      ]]):format(ledger)):find("^1%s+the word on record of .* was changed by somebody else"), change)
      assert.equal("nil", process 'print(client:plan({ { type = "chat", count = 10 } }).dialect)')
      process 'assert(client.futures:pricing())'
    end
    assert.equal("escrow", process 'print(client:plan({ { type = "chat", count = 10 } }).dialect)')
  end)
end)
