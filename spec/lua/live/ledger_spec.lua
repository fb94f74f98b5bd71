-- SPDX-License-Identifier: MIT
-- What outlives a process: named runs, kept files, purchases on record; judged by the sandbox's books. Runs are
-- processes of their own where it matters, and some of them kill themselves.
local live = require "spec.support.live"
local spraay = require "spraay"

local LUA = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match "%d%.%d"

local box, folder, path, offset, client
local n = 0

setup(function()
  box = live.start { job_seconds = 0 }
  folder = os.tmpname()
  os.remove(folder)
end)
teardown(function()
  live.stop(box)
  os.execute("rm -rf " .. folder)
end)
before_each(function()
  box:clear()
  box:reset()
  n, offset = n + 1, 0
  path = ("%s/%d/ledger.db"):format(folder, n)
end)
after_each(function()
  if client then client:close() end
  client = nil
end)

local function open(options)
  local all = { ledger = path, clock = function() return os.time() + offset end }
  for name, value in pairs(options or {}) do all[name] = value end
  client = live.open(box, all)
  return client
end

local function later(seconds)
  offset = offset + seconds
  box:advance(seconds)
end

local function sh(line)
  local pipe = io.popen("{ " .. line .. "; } 2>&1")
  local text = pipe:read "*a"
  pipe:close()
  return text
end

-- A script in a process of its own; what it printed. `client` is a client of the ledger, `die` kills it.
local function process(script, options)
  local name = os.tmpname()
  local file = io.open(name, "w")
  file:write(([[
    local spraay = require "spraay"
    local function die() os.execute "kill -9 $PPID" end
    local client = assert(spraay.open { gateway = %q, wallet = spraay.wallet.file(%q), ledger = %q,
      rpc = { base = %q }, timeout = { connect = 2, idle = 2, total = 5 }, %s })
  ]]):format(box.url, box.keyfile, path, box.rpc, options or "run = \"r\""), script)
  file:close()
  local text = sh(LUA .. " " .. name .. " | cat")
  os.remove(name)
  return text
end

describe("the ledger's file", function()
  it("is made by the first paid call, and by nothing before it", function()
    open {}
    assert(client:models())
    assert(client:quote("chat", "x"))
    assert.same({}, client:purchases())
    assert.equal("0.000000", assert(client:summary()).settled)
    assert.same({}, assert(client:reconcile()).purchases)
    assert.truthy(sh("ls " .. folder .. "/" .. n):find "No such file")
    assert(client:chat "x")
    assert.equal("600 700 700\n", sh(("stat -c %%a %s %s.d %s | tr '\\n' ' '; echo"):format(path, path,
      path:match "^(.*)/")):gsub(" \n", "\n"))
  end)

  it("that cannot be is said to be so, and nothing is signed", function()
    open { ledger = box.keyfile .. "/below/ledger.db" }
    local value, message, err = client:chat "x"
    assert.is_nil(value)
    assert.equal("ledger", err.kind)
    assert.equal("no", err.paid)
    assert.truthy(message:find(box.keyfile .. "/below", 1, true), message)
    assert.equal(0, #box:ledger().presented)
  end)
end)

describe("a named run", function()
  local SCRIPT = [[
    local out = {}
    for i = 1, 3 do
      client:step("part " .. i, function()
        if i == %d then die() end
        local answer = assert(client:chat("the same question"))
        out[#out + 1] = answer.payment.status
      end)
    end
    print(table.concat(out, " "))
  ]]

  it("killed between its steps and started again pays once for each", function()
    assert.is_nil(process(SCRIPT:format(2)):find "settled")
    assert.equal(1, box:ledger().count)
    assert.equal("restored settled settled\n", process(SCRIPT:format(9)))
    assert.equal(3, box:ledger().count)
    assert.equal("restored restored restored\n", process(SCRIPT:format(9)))
    assert.equal(3, box:ledger().count)
  end)

  it("has its files again when the links are dead", function()
    local text = process [[
      local image = assert(client:image { prompt = "a boat" })
      local film = assert(assert(client:video { prompt = "a boat" }):wait())
      print(image.payment.status, film.status)
      die()
    ]]
    local files = sh("ls " .. path .. ".d/media")
    assert.equal(2, select(2, files:gsub("\n", "\n")), text .. files)
    local before = #box:requests()
    text = process(([[
      local image = assert(client:image { prompt = "a boat" })
      print(image.payment.status, assert(image:save %q))
      local job = assert(client:video { prompt = "a boat" })
      local film = assert(job:wait())
      print(job.payment.status, assert(film:save %q))
    ]]):format(folder .. "/boat.png", folder .. "/boat.mp4"))
    assert.equal(("restored\t%s\nrestored\t%s\n"):format(folder .. "/boat.png", folder .. "/boat.mp4"), text)
    assert.truthy(sh("file -b " .. folder .. "/boat.png"):find "PNG image")
    for i, request in ipairs(box:requests()) do
      if i > before then assert.is_nil(request.path:find("media", 1, true), request.path) end
    end
    assert.equal(2, box:ledger().count)
  end)

  it("is held by one live process at a time", function()
    open { run = "r" }
    assert(client:chat "x")
    local text = process [[ print(select(2, client:chat "y")) ]]
    assert.truthy(text:find("another live process", 1, true), text)
    assert.equal(1, box:ledger().count)
    client:close()
  end)
end)

describe("an unnamed call", function()
  it("killed after its payment left is continued by an equal one in another process", function()
    box:fault("timeout_before_settle", { times = 1 })
    process([[
      spraay.run(function()
        spraay.spawn(function() client:chat "x" end)
        for _ = 1, 400 do
          spraay.sleep(0.01)
          local row = client:purchases()[1]
          if row and row.state == "sent" then die() end
        end
      end)
    ]], "per_day = false")
    assert.equal(0, box:ledger().count)
    local row = assert(open {}:purchases())[1]
    assert.equal("unknown", row.state)
    local answer = assert(client:chat "x")
    assert.equal(row.id, answer.payment.purchase)
    assert.equal(1, box:ledger().count)
    assert.equal("0.030000", box:ledger().total_usdc)
    assert.equal(1, #client:purchases())
  end)
end)

describe("client:purchases", function()
  it("tells what was bought, as the books do", function()
    open { run = "r" }
    assert(client:step("a", function() return client:chat "x" end))
    assert(client:embed "y")
    local list = assert(client:purchases())
    local books = box:ledger()
    assert.equal(2, #list)
    assert.equal("0.030000", list[1].amount)
    assert.equal("taken", list[1].state)
    assert.equal("chat", list[1].verb)
    assert.equal("a", list[1].step)
    assert.equal("compute/embeddings", list[2].route)
    assert.equal(box.address, list[2].payer)
    assert.equal("base", list[2].network)
    assert.truthy(list[1].transaction)
    assert.is_true(math.abs(list[1].created - os.time()) < 10)
    assert.equal(2, books.count)
    assert.equal(1, #assert(client:purchases { limit = 1 }))
    assert.equal(0, #assert(client:purchases { state = "open" }))
    assert.equal(list[2].id, assert(client:purchases { id = list[2].id })[1].id)
  end)
end)

describe("client:reconcile", function()
  it("finds that what never settled is void, once its authorization is dead", function()
    open {}
    box:fault("reset_before_settle", { times = 9 })
    assert.is_nil(client:chat("x", { once = true }))
    box:clear()
    assert.equal(1, assert(client:reconcile()).open)
    later(1000)
    local done = assert(client:reconcile())
    assert.equal(1, done.void)
    assert.equal("unknown", done.purchases[1].before)
    assert.equal("0.000000", assert(client:summary()).open)
    assert.equal(0, box:ledger().count)
    assert.equal("settled", assert(client:chat "x").payment.status)
  end)

  it("finds what was paid and lost; on_lost = \"repay\" then buys it again, nothing else does", function()
    box:fault("settle_then_timeout", { times = 9 })
    process([[ client:chat("x", { once = true, timeout = 0.5 }) ]], "per_day = false")
    box:clear()
    open {}
    later(1000)
    local done = assert(client:reconcile())
    assert.equal(1, done.paid_lost)
    local _, message, err = client:chat "x"
    assert.equal("paid_lost", err.code)
    assert.equal("yes", err.paid)
    assert.truthy(message:find("spraay ledger claim " .. done.purchases[1].id, 1, true), message)
    assert.equal(1, box:ledger().count)
    assert.equal("settled", assert(client:chat("x", { on_lost = "repay" })).payment.status)
    assert.equal(2, box:ledger().count)
  end)

  it("and an equal call that arrives meanwhile are one purchase", function()
    open {}
    box:fault("reset_before_settle", { times = 9 })
    assert.is_nil(client:chat("x", { once = true }))
    box:clear()
    later(1000)
    spraay.run(function()
      local looking = spraay.spawn(function() return client:reconcile() end)
      local answer = assert(client:chat "x")
      assert.equal("settled", answer.payment.status)
      for _, found in ipairs(assert(looking:wait()).purchases) do   -- none, where the call was the first to know
        assert.equal(answer.payment.purchase, found.id)
      end
    end)
    assert.equal(1, box:ledger().count)
    assert.equal(1, #client:purchases())
  end)

  it("that waits for a chain which does not answer holds an equal call back, rather than let it pay anew", function()
    open {}
    box:fault("reset_before_settle", { times = 9 })
    assert.is_nil(client:chat("x", { once = true }))
    box:clear()
    later(1000)
    box:fault("rpc_timeout", { times = 1 })
    spraay.run(function()
      local looking = spraay.spawn(function() return client:reconcile { timeout = 1 } end)
      spraay.sleep(0.05)
      local answer = client:chat("x", { timeout = 0.5 })
      assert.is_nil(answer)
      assert.equal(0, box:ledger().count)
      assert(looking:wait())
    end)
    assert.equal(1, #client:purchases())
  end)

  it("has what the process is looking at by itself already", function()
    box:fault("reset_before_settle", { times = 90 })
    process([[ for i = 1, 8 do client:chat("x" .. i, { once = true, timeout = 0.5 }) end ]], "per_day = false")
    box:clear()
    open {}
    later(1000)
    assert.equal("settled", assert(client:chat "another").payment.status)     -- the first paid call begins the look
    local done = assert(client:reconcile())
    assert.equal(0, done.open)
    assert.equal("0.000000", assert(client:summary()).open)
    assert.equal(1, box:ledger().count)
  end)

  it("never pays, and leaves what it cannot prove", function()
    open { rpc = false }
    box:fault("reset_before_settle", { times = 9 })
    assert.is_nil(client:chat("x", { once = true }))
    box:clear()
    later(1000)
    local presented = #box:ledger().presented
    local done = assert(client:reconcile { timeout = 2 })
    assert.equal(1, done.open)
    assert.truthy(done.purchases[1].hint:find("spraay ledger void", 1, true), done.purchases[1].hint)
    assert.equal(presented, #box:ledger().presented)
  end)
end)

describe("client:request with once = true", function()
  it("pays for a URL one time, whoever asks, in which process, in or out of a run", function()
    local url = box.url .. "/api/v1/compute/models"
    assert.equal("free", assert(open {}:request("GET", url, nil, { once = true })).payment.status)
    local body = { messages = { { role = "user", content = "x" } } }
    url = box.url .. "/api/v1/compute/text-inference"
    local first = assert(client:request("POST", url, body, { once = true }))
    assert.equal("settled", first.payment.status)
    local text = process(([[
      local answer = assert(client:request("POST", %q, { messages = { { role = "user", content = "x" } } },
        { once = true }))
      print(answer.payment.status, answer.payment.purchase)
    ]]):format(url))
    assert.equal("restored\t" .. first.payment.purchase .. "\n", text)
    assert.equal(1, box:ledger().count)
    body.messages[1].content = "y"
    local _, message, err = client:request("POST", url, body, { once = true })
    assert.equal("usage", err.kind)
    assert.truthy(message:find("paid for once, with another body", 1, true), message)
    assert.equal(1, box:ledger().count)
  end)
end)

describe("a paid answer too large for memory", function()
  local function spilled()
    local pipe = assert(io.popen(("find %s.d/spill -type f"):format(path)))
    local files = {}
    for file in pipe:lines() do files[#files + 1] = file end
    pipe:close()
    return files
  end

  before_each(function()
    open { timeout = { connect = 2, idle = 5, total = 60 } }
    box:fault("settle_then_oversize_body", { times = 1 })
  end)

  it("is handed over, and then its file goes", function()
    assert.truthy(assert(client:chat "large").text)
    assert.equal(1, box:ledger().count)
    assert.equal("taken", client:purchases()[1].state)   -- read after it was written
    assert.equal(0, #spilled())
  end)

  it("is kept under a name, for other processes too", function()
    local text = assert(client:chat("large", { purchase = "big" })).text
    client:close()
    assert.equal(1, #spilled())
    assert.equal("restored\t" .. text .. "\n", process [[
      local result = assert(client:chat("large", { purchase = "big" }))
      print(result.payment.status, result.text)
    ]])
    assert.equal(1, box:ledger().count)
  end)

  it("is told as paid when its file was lost", function()
    assert(client:chat("large", { purchase = "big" }))
    assert.is_true(os.remove(spilled()[1]))
    local result, message, err = client:chat("large", { purchase = "big" })
    assert.is_nil(result)
    assert.equal("ledger", err.kind)
    assert.equal("yes", err.paid)
    assert.equal("0.030000", err.amount)
    assert.truthy(message:find("cannot be read", 1, true), message)
    assert.equal(1, box:ledger().count)
  end)
end)

describe("a kept answer that was changed by somebody else, or damaged,", function()
  local function refused()
    local result, message, err = client:chat("kept", { purchase = "kept" })
    assert.is_nil(result)
    assert.equal("ledger_corrupt", err.code, message)
    assert.equal("yes", err.paid)
    assert.truthy(message:find("is not what was stored", 1, true), message)
    assert.equal(1, box:ledger().count)
  end

  it("is not handed over, and said to be paid", function()
    open {}
    assert(client:chat("kept", { purchase = "kept" }))
    client:close()
    sh(("sqlite3 -cmd '.timeout 9000' %s \"UPDATE answer SET body = replace(body, 'a', 'b')\""):format(path))
    open {}
    refused()
  end)

  it("whether it lies in the ledger or beside it", function()
    open { timeout = { connect = 2, idle = 5, total = 60 } }
    box:fault("settle_then_oversize_body", { times = 1 })
    assert(client:chat("kept", { purchase = "kept" }))
    local file = sh(("find %s.d/spill -type f"):format(path)):match "%S+"
    local out = assert(io.open(file, "r+b"))
    out:seek("set", 1000)
    out:write "tampered with"
    out:close()
    refused()
  end)
end)

describe("after a restart", function()
  it("open purchases of long ago are looked at in the background of the first paid call", function()
    open {}
    box:fault("reset_before_settle", { times = 9 })
    assert.is_nil(client:chat("lost", { once = true }))
    box:clear()
    client:close()
    later(9000)
    local text = process([[
      assert(client:chat "new")
      for _ = 1, 100 do
        spraay.sleep(0.01)
        if client:purchases()[1].state ~= "unknown" then break end
      end
      for _, row in ipairs(client:purchases()) do print(row.state) end
    ]], "clock = function() return os.time() + 9000 end")
    assert.equal("void\ntaken\n", text)
  end)
end)
