-- SPDX-License-Identifier: MIT
-- Every example runs as a newcomer runs it, against a sandbox of its own, and what it says about
-- money is held against the gateway's books.
local sandbox = require "spec.support.sandbox"

local box, folder

--- Run an example with the sandbox's variables; its output and whether it ended well.
local function run(name, arguments)
  local command = ("cd %s && SPRAAY_GATEWAY=%s SPRAAY_PRIVATE_KEY=%s SPRAAY_BASE_RPC=%s SPRAAY_SOLANA_KEY=%s " ..
    "SPRAAY_SOLANA_RPC=%s SPRAAY_OUT=%s/out SPRAAY_STATE_DIR=%s/state timeout 120 lua5.4 %s/examples/%s.lua %s " ..
    "2>&1; echo \"status $?\""):format(folder, box.url, box.key, box.rpc, box.solana_key, box.solana_rpc, folder,
    folder, os.getenv "PWD", name, arguments or "")
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  local output, status = text:match "^(.*)status (%d+)%s*$"
  return output, tonumber(status)
end

--- The same in the background, killed as soon as the books say that it has paid so often.
local function run_and_kill(name, payments)
  local command = ("cd %s; env SPRAAY_GATEWAY=%s SPRAAY_PRIVATE_KEY=%s SPRAAY_BASE_RPC=%s SPRAAY_OUT=%s/out " ..
    "SPRAAY_STATE_DIR=%s/state lua5.4 %s/examples/%s.lua > /dev/null 2>&1 & echo $!"):format(folder, box.url, box.key,
    box.rpc, folder, folder, os.getenv "PWD", name)
  local pipe = assert(io.popen(command))
  local pid = pipe:read "*l"
  pipe:close()
  for _ = 1, 2000 do
    if box:ledger().count >= payments then break end
  end
  os.execute("kill -9 " .. pid .. " 2> /dev/null")
end

local function kind_of(path)
  local pipe = assert(io.popen("file -b " .. path))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local function files()
  local pipe = assert(io.popen("find " .. folder .. "/out -type f | sort"))
  local list = {}
  for path in pipe:lines() do list[#list + 1] = path end
  pipe:close()
  return list
end

setup(function()
  box = sandbox.start{}
  local pipe = assert(io.popen "mktemp -d")
  folder = pipe:read "*l"
  pipe:close()
end)

teardown(function()
  box:stop()
  os.execute("rm -rf " .. folder)
end)

before_each(function()
  box:reset()
  os.execute(("rm -rf %s/out %s/state"):format(folder, folder))
end)

describe("examples/pipeline.lua", function()
  it("saves pictures, a film and a sound, and its sum is the sum of the books", function()
    local output, status = run "pipeline"
    assert.equal(0, status, output)
    local kinds = { ["PNG image"] = 0, ["WAVE audio"] = 0, ["video"] = 0, ["text"] = 0 }
    for _, path in ipairs(files()) do
      local kind = kind_of(path)
      for word in pairs(kinds) do
        if kind:find(word, 1, true) then kinds[word] = kinds[word] + 1 end
      end
    end
    assert.equal(3, kinds["PNG image"])
    assert.is_true(kinds["WAVE audio"] >= 1)
    assert.is_true(kinds.video >= 1)
    assert.is_true(kinds.text >= 1)
    local sum = assert(output:match "sum%s+(%d+%.?%d*)", output)
    local books = box:ledger()
    assert.equal(("%.6f"):format(tonumber(sum)), books.total_usdc)
    assert.is_true(books.count >= 12)
  end)
end)

describe("examples", function()
  local COST = { chat = "0.030000", images = "0.180000", video = "0.501000", voice = "0.050000", search = "0.020000",
                 batch = "0.050000", gpu = "0.060000", limits = "0.060000", futures = "0.027000",
                 anywhere = "0.001000", run = "0.120000", cqueues = "0.090000", luv = "0.090000",
                 stream = "0.005000", solana = "0.030000" }
  for name, cost in pairs(COST) do
    it(name .. ".lua runs and costs " .. cost, function()
      local output, status = run(name)
      assert.equal(0, status, output)
      assert.equal(cost, box:ledger().total_usdc)
    end)
  end

  it("solana.lua pays on Solana, and tells the transaction and the memo that the books have", function()
    local output = run "solana"
    local row = box:ledger().settled[1]
    assert.equal("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", row.network)
    assert.equal(row.transaction, output:match "transaction (%w+)")
    assert.equal(row.memo, output:match "memo +(%x+)")
  end)

  it("futures.lua does the same where the credit lies in a contract, by transactions of its own", function()
    local ledger_box = box
    box = sandbox.start { dialect = "escrow" }
    local output, status = run "futures"
    local books, chain = box:ledger(), box:request("GET", "/_sandbox/transactions").json
    box:stop()
    box = ledger_box
    assert.equal(0, status, output)
    assert.equal("0.004000", books.total_usdc)   -- which dialect, and three jobs
    local _, account = next(chain.escrow.accounts)
    assert.equal(3, account.jobs)
    assert.equal(0, account.balance)
    assert.equal(50000000, account.drawn + account.refunded)
    assert.truthy(output:find("escrow account 0x", 1, true), output)
    assert.truthy(output:find("the discount follows the balance", 1, true), output)
    assert.truthy(output:find("a part: 10.000000", 1, true), output)
    local count = 0
    for _, tx in ipairs(chain.transactions) do
      if tx.method ~= "drawdown" then count = count + 1 end
      assert.equal("mined", tx.status)
    end
    assert.equal(4, count)   -- approve, deposit, and two refunds
  end)

  for payments = 1, 4 do
    it(("run.lua killed after payment %d and started again has it all, paid once"):format(payments), function()
      run_and_kill("run", payments)
      local output, status = run "run"
      if status == 0 then
        assert.equal(4, box:ledger().count, output)
        assert.equal(3, #files())
        assert.truthy(output:find("settled       0.120000  USDC", 1, true), output)
      else   -- killed between the payment and its answer, which this gateway gives once
        assert.truthy(output:find("the payment settled and its result was lost", 1, true), output)
        local bought = {}
        for _, row in ipairs(box:ledger().settled) do
          local what = row.path .. row.body
          assert.is_nil(bought[what], output)
          bought[what] = true
        end
      end
    end)
  end

  it("are all in this list", function()
    local pipe = assert(io.popen "ls -p examples | grep -v /")   -- folders have specs of their own
    for line in pipe:lines() do
      local name = line:match "^(.*)%.lua$"
      assert.truthy(name == "pipeline" or COST[name], line .. " is not run by this spec")
    end
    pipe:close()
  end)
end)
