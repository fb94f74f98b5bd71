-- SPDX-License-Identifier: MIT
-- kill -9 at every step of a deposit, and of a refund: whatever the moment, the same script run again ends in one
-- deposit, says the chain's own book, with no nonce lost and none used twice.
local cjson = require "cjson"
local live = require "spec.support.live"

local box, folder, ledgers = nil, nil, 0

-- The last steps: the value is in the caller's hands, and the next equal call is another deposit.
local HANDED_OVER = 2

setup(function()
  box = live.start { dialect = "escrow", job_seconds = 0 }
  local pipe = assert(io.popen "mktemp -d")
  folder = pipe:read "*l"
  pipe:close()
end)
teardown(function()
  live.stop(box)
  os.execute("rm -rf '" .. folder .. "'")
end)
before_each(function()
  box:clear()
  box:reset()
  ledgers = ledgers + 1
end)

local function post(name, body)
  local answer = box:request("POST", "/_sandbox/" .. name, { body = body })
  assert(answer.status == 200, answer.body)
  return answer.json
end

local function mining(mode) post("chain", { mining = mode }) end
local function books() return box:request("GET", "/_sandbox/transactions").json end

-- Run the script; its output. The ledger is this test's.
local function run(env)
  local command = ("GATEWAY=%s RPC=%s KEYFILE=%s LEDGER=%s/%d.db %s lua5.4 spec/support/deposit_child.lua 2>&1"):format(
    box.url, box.rpc, box.keyfile, folder, ledgers, env or "")
  local interpreter = arg and arg[-1] or "lua"
  command = command:gsub("lua5%.4", (interpreter:gsub("%%", "%%%%")))
  local pipe = assert(io.popen(command))
  local output = pipe:read "*a"
  pipe:close()
  return output
end

local function sender() return assert(books().senders[box.address]) end

-- Every transaction that was sent is mined, and their nonces are 0, 1, 2 … once each.
local function nothing_lost(wanted)
  local all, mined = books().transactions, 0
  for _, tx in ipairs(all) do
    if tx.from == box.address then
      assert.equal("mined", tx.status, cjson.encode(tx))
      mined = mined + 1
    end
  end
  local nonces = sender().nonces
  for i, nonce in ipairs(nonces) do assert.equal(i - 1, nonce) end
  assert.equal(mined, #nonces)
  if wanted then assert.equal(wanted, mined) end
end

local function one_deposit()
  assert.equal(1, sender().deposits)
  assert.equal(5000000, books().escrow.accounts[box.address].balance)
  assert.equal("0", sender().allowance)
  nothing_lost(2)
end

local function open_rows()
  local client = live.open(box, { ledger = ("%s/%d.db"):format(folder, ledgers) })
  local rows = assert(client:purchases { state = "open" })
  client:close()
  return #rows
end

describe("a deposit killed at any step", function()
  it("is one deposit when the script is run again", function()
    mining "instant"
    local steps = tonumber(run():match "steps (%d+)") - HANDED_OVER
    assert.is_true(steps > 50)
    for k = 1, steps do
      box:reset()
      mining "instant"
      ledgers = ledgers + 1
      local first = run("KILL_AT=" .. k)
      local second = run()
      local which = ("killed at step %d: %s%s"):format(k, first, second)
      assert.is_nil(first:match "done", which)
      assert.truthy(second:match "^done", which)
      one_deposit()
      assert.equal(0, open_rows(), which)
    end
  end)

  it("is one deposit even when it is killed twice, and the node answers nothing in between", function()
    for k = 8, 64, 7 do
      box:reset()
      mining "instant"
      ledgers = ledgers + 1
      run("KILL_AT=" .. k)
      box:fault("rpc_down", { times = 1 })
      local last = run("KILL_AT=" .. (k - 3))
      box:clear()
      if not last:match "^done" then last = run() end   -- what was left took fewer steps than that
      assert.truthy(last:match "^done", ("killed at step %d: %s"):format(k, last))
      one_deposit()
    end
  end)

  it("has paid for one look at the dialect, whatever the step", function()
    mining "instant"
    local steps = tonumber(run("FUTURES=ask"):match "steps (%d+)") - HANDED_OVER
    assert.is_true(steps > 60)
    assert.equal("0.001000", box:ledger().total_usdc)
    local known = 0
    for k = 1, steps, 2 do
      box:reset()
      mining "instant"
      ledgers = ledgers + 1
      local first = run("FUTURES=ask KILL_AT=" .. k)
      local second = run("FUTURES=ask")
      local which = ("killed at step %d: %s%s"):format(k, first, second)
      assert.is_nil(first:match "done", which)
      assert.truthy(second:match "^done", which)
      one_deposit()
      assert.equal("0.001000", box:ledger().total_usdc, which)
      if box:ledger().handled["GET /api/v1/compute-futures/balance"] then known = known + 1 end
    end
    assert.is_true(known > 20)   -- the ledger remembered, and it was confirmed
  end)

  it("goes on with the bytes that wait, and signs no others", function()
    for _, dropped in ipairs { false, true } do
      box:reset()
      mining "manual"
      ledgers = ledgers + 1
      -- The approval is broadcast and in no block yet: the child polls, until it is killed.
      run "KILL_AT=60"
      local waiting = books().transactions
      assert.equal(1, #waiting)
      assert.equal("pending", waiting[1].status)
      if dropped then post("drop", {}) end   -- the pool forgets it
      mining "instant"
      post("mine", {})
      local output = run()
      assert.truthy(output:match "^done", output)
      one_deposit()
      local approvals = 0
      for _, tx in ipairs(books().transactions) do
        if tx.method == "approve" then
          approvals = approvals + 1
          assert.equal(waiting[1].hash, tx.hash)
        end
      end
      assert.equal(1, approvals)
    end
  end)
end)

describe("several processes of one wallet and ledger", function()
  -- Scripts at the same time, each with its amount; what they print, one after the other.
  local function together(envs)
    local parts = {}
    for i, env in ipairs(envs) do
      parts[i] = ("(GATEWAY=%s RPC=%s KEYFILE=%s LEDGER=%s/%d.db %s %s spec/support/deposit_child.lua > %s/out%d 2>&1)"
        .. " &"):format(box.url, box.rpc, box.keyfile, folder, ledgers, env, arg and arg[-1] or "lua", folder, i)
    end
    os.execute(table.concat(parts, " ") .. " wait")
    local outputs = {}
    for i in ipairs(envs) do
      local file = assert(io.open(folder .. "/out" .. i))
      outputs[i] = file:read "*a"
      file:close()
    end
    return outputs
  end

  it("take turns: every deposit is made once, and nonces have no holes", function()
    mining "instant"
    local outputs = together { "AMOUNT=1", "AMOUNT=2", "AMOUNT=4", "AMOUNT=8", "AMOUNT=8" }
    for i, output in ipairs(outputs) do assert.truthy(output:match "^done", i .. output) end
    assert.equal(23000000, books().escrow.accounts[box.address].balance)
    assert.equal(5, sender().deposits)
    nothing_lost(10)
  end)

  it("take turns even when some of them die, and those after finish what the dead began", function()
    mining "instant"
    for _, k in ipairs { 24, 33, 40, 51, 60 } do
      box:reset()
      mining "instant"
      ledgers = ledgers + 1
      together { "AMOUNT=1 KILL_AT=" .. k, "AMOUNT=2 KILL_AT=" .. k + 4, "AMOUNT=4", "AMOUNT=8" }
      local outputs = together { "AMOUNT=1", "AMOUNT=2" }
      for i, output in ipairs(outputs) do assert.truthy(output:match "^done", k .. " " .. i .. output) end
      assert.equal(15000000, books().escrow.accounts[box.address].balance)
      assert.equal(4, sender().deposits)
      nothing_lost()
    end
  end)
end)

describe("a refund killed at any step", function()
  it("moves what it should, once", function()
    for _, amount in ipairs { "", "2" } do
      local steps
      for k = 0, 1000, amount == "" and 1 or 3 do
        if steps and k > steps then break end
        box:reset()
        mining "instant"
        ledgers = ledgers + 1
        post("escrow", { depositor = box.address, deposit = "5" })
        local env = "ACT=refund " .. (amount ~= "" and "AMOUNT=" .. amount .. " " or "")
        local first = run(env .. "KILL_AT=" .. k)
        steps = steps or tonumber(first:match "steps (%d+)") - HANDED_OVER
        local second = first:match "^done" and first or run(env)
        local which = ("killed at step %d: %s%s"):format(k, first, second)
        assert.truthy(second:match "^done", which)
        assert.equal(1, sender().refunds, which)
        assert.equal(amount == "" and 0 or 3000000, books().escrow.accounts[box.address].balance, which)
        nothing_lost(1)
      end
    end
  end)
end)
