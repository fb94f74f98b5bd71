-- `spraay ledger`: what it shows of a ledger that real calls have filled, what it changes, and how it ends.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local live = require "spec.support.live"

local box, folder, path, client, offset
local n = 0

-- What a command prints on both streams, and its exit status. `key`: with the wallet's key.
local function run(arguments, options)
  options = options or {}
  local line = ("env -u HOME -u XDG_STATE_HOME -u SPRAAY_STATE_DIR -u SPRAAY_PRIVATE_KEY %s %s lua5.4 -e %s %s")
    :format(options.key and "SPRAAY_PRIVATE_KEY=" .. box.key or "", options.env or "",
      "'os.exit(require \"spraay.cli\".main(arg))'", "/dev/null ledger " .. arguments)
  local pipe = io.popen("{ " .. line .. "; } 2>&1; echo \"status $?\"")
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("status %d+\n$", "")), tonumber(text:match "status (%d+)\n$")
end

-- The same for the ledger of this spec.
local function on(arguments, options)
  return run(arguments .. " --ledger " .. path, options)
end

local function json_of(arguments, options)
  local text, status = on(arguments, options)
  assert.equal(0, status, text)
  return cjson.decode(text)
end

setup(function()
  box = live.start { job_seconds = 0 }
  folder = os.tmpname()
  os.remove(folder)
end)
teardown(function()
  live.stop(box)
  os.execute("rm -rf " .. folder)
end)

local function open(options)
  local all = { ledger = path, clock = function() return os.time() + offset end }
  for name, value in pairs(options or {}) do all[name] = value end
  client = live.open(box, all)
  return client
end

-- A purchase whose fate is unknown, of a process that has ended.
local function lose(fault, options)
  box:fault(fault, { times = 9 })
  open(options)
  client:chat("lost", { once = true, timeout = 0.7 })
  local id = assert(client:purchases { state = "open" })[1].id
  client:close()
  box:clear()
  return id
end

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

describe("a ledger that is not there", function()
  it("holds nothing, which is no error, and is not made", function()
    for _, action in ipairs { "", "list", "sum", "verify", "reconcile" } do
      local text, status = on(action)
      assert.equal(0, status, text)
      assert.truthy(text:find("nothing was bought yet", 1, true), text)
    end
    assert.equal("[]\n", (on "list --json"))
    assert.same({}, json_of("sum --json").groups)
    assert.same({}, json_of("verify --json").findings)
    assert.same({}, json_of("repair --json").lost)
    assert.same({}, json_of("reconcile --json").purchases)
    assert.is_nil(io.open(path))
  end)

  it("is looked for where spraay.open puts it", function()
    local text = run("list", { env = "SPRAAY_STATE_DIR=/nowhere/own HOME=/nowhere/home" })
    assert.truthy(text:find("/nowhere/own/ledger.db", 1, true), text)
    text = run("list", { env = "SPRAAY_STATE_DIR= HOME=/nowhere/home" })
    assert.truthy(text:find("/nowhere/home/.local/state/spraay/ledger.db", 1, true), text)
    local status
    text, status = run "list"
    assert.equal(8, status)
    assert.truthy(text:find("SPRAAY_STATE_DIR", 1, true), text)
  end)
end)

describe("spraay ledger list", function()
  before_each(function()
    open { run = "film" }
    assert(client:step("one", function() return client:chat { messages = "a secret question" } end))
    assert(client:embed "another secret")
    client:close()
  end)

  it("shows a line a purchase: UTC, USDC, state, what, run, host, id", function()
    local text, status = on ""
    assert.equal(0, status, text)
    local lines = {}
    for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal(3, #lines)
    assert.truthy(lines[1]:find "^time +USDC +state +what +run +host +purchase$")
    local line = "^%d+%-%d%d%-%d%dT%d%d:%d%d:%d%dZ  0%.030000  taken  chat auto +film/one  127%.0%.0%.1:%d+  pur_%x+$"
    assert.truthy(lines[2]:find(line), lines[2])
    assert.equal(#lines[2], #lines[3])
  end)

  it("never shows a key, a signature or a prompt", function()
    for _, action in ipairs { "", "--json", "--csv", "show " .. json_of("--json")[1].id, "sum" } do
      local text = on(action, { key = true })
      assert.is_nil(text:find("secret", 1, true))
      assert.is_nil(text:find(box.key:gsub("^0x", ""), 1, true))
      assert.is_nil(text:lower():find("signature", 1, true))
    end
  end)

  it("chooses by state, run and moment, and shows the newest of many", function()
    assert.equal(2, #json_of "--run film --json")
    assert.equal(0, #json_of "--run other --json")
    assert.equal(0, #json_of "--state open --json")
    assert.equal(2, #json_of "--state taken --since 1h --json")
    assert.equal(0, #json_of(("--since %d --json"):format(os.time() + 100)))
    assert.equal("embed", json_of("list --limit 1 --json")[1].verb)
    local text = on "--limit 1"
    assert.truthy(text:find("1 older ones are left out", 1, true), text)
    assert.truthy((on "--state open"):find("no purchase fits", 1, true))
  end)

  it("is CSV that can be read back", function()
    local lines = {}
    for line in (on "list --csv"):gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal("time,id,state,amount,network,verb,model,route,run,step,host,payer,pay_to,transaction", lines[1])
    assert.equal(3, #lines)
    assert.truthy(lines[2]:find(",taken,0.030000,base,chat,auto,compute/text-inference,film,one,", 1, true), lines[2])
  end)
end)

describe("spraay ledger sum", function()
  it("adds up by day, model, host, run and verb, and agrees with the books", function()
    open { run = "film" }
    assert(client:chat "x")
    assert(client:chat "y")
    assert(client:embed "z")
    client:close()
    lose "reset_before_settle"
    for by, expected in pairs { day = 1, model = 1, host = 1, run = 2, verb = 2 } do
      local sums = json_of("sum --json --by " .. by)
      assert.equal(expected, #sums.groups, by)
      assert.equal(box:ledger().total_usdc, sums.settled)
      assert.equal("0.030000", sums.open)
      assert.equal(4, sums.purchases)
    end
    local text = on "sum --by verb"
    assert.truthy(text:find("verb   purchases   settled      open\nchat           3  0.060000  0.030000\n"
      .. "embed          1  0.005000  0.000000\nall            4  0.065000  0.030000\n", 1, true), text)
    assert.truthy((on "sum --by run --csv"):find("run,purchases,settled,open\n-,1,0.000000,0.030000\nfilm,3,", 1, true))
    assert.truthy((on "sum"):find(os.date "!%Y-%m-%d" .. "  ", 1, true))
    local status
    text, status = on "sum --by month"
    assert.equal(2, status)
    assert.truthy(text:find("day, model, host, run or verb", 1, true))
  end)
end)

describe("spraay ledger show", function()
  it("tells all about a purchase, and how to go on with an open one", function()
    local id = lose "reset_before_settle"
    local text, status = on("show " .. id)
    assert.equal(0, status, text)
    assert.truthy(text:find("id +" .. id))
    assert.truthy(text:find "valid_before +%d+%-%d+%-%d+T")
    assert.truthy(text:find("The same call continues it", 1, true), text)
    assert.equal(id, json_of("show --json " .. id).id)
    text, status = on "show pur_none"
    assert.equal(2, status)
    assert.truthy(text:find("knows no purchase pur_none", 1, true))
  end)
end)

describe("spraay ledger verify", function()
  it("is content with a sound ledger, and says what it could not check", function()
    open {}
    assert(client:chat "x")
    client:close()
    local text, status = on("verify", { key = true })
    assert.equal(0, status, text)
    assert.truthy(text:find("is sound", 1, true), text)
    assert.is_nil(text:find("without a key", 1, true))
    assert.truthy((on "verify"):find("without a key", 1, true))
    assert.is_true(json_of("verify --json", { key = true }).authenticated)
  end)

  it("ends with 8 when it is no ledger", function()
    os.execute(("mkdir -p %s && chmod 700 %s && echo nonsense > %s && chmod 600 %s"):format(path:match "^(.*)/",
      path:match "^(.*)/", path, path))
    for _, action in ipairs { "verify", "list", "sum" } do
      local text, status = on(action, { key = true })
      assert.equal(8, status, text)
    end
  end)
end)

describe("a ledger that cannot be read", function()
  it("ends with 8, and is no matter of keys", function()
    for _, action in ipairs { "list", "sum --json", "verify", "show x" } do
      local text, status = run(action .. " --ledger /proc/self/environ", { key = true })
      assert.equal(8, status, text)
      assert.truthy(text:find("/proc/self/environ", 1, true), text)
    end
  end)
end)

describe("what cannot be printed", function()
  it("ends with 1: half a table is not all of it", function()
    open {}
    assert(client:chat "x")
    client:close()
    for _, action in ipairs { "list --csv", "list --json", "sum", "verify" } do
      local text, status = on(action .. " >/dev/full", { key = true })
      assert.equal(1, status, text)
      assert.truthy(text:find("could not be written", 1, true), text)
    end
  end)
end)

describe("a ledger of another wallet", function()
  local OTHER = { env = "SPRAAY_PRIVATE_KEY=0x" .. ("0"):rep(63) .. "7" }

  it("is listed, but not called checked, and takes no word of this one", function()
    local id = lose "reset_before_settle"
    os.execute(("sqlite3 -cmd '.timeout 9000' %s 'UPDATE purchase SET amount = 1'"):format(path))
    assert.equal(1, #json_of("list --json", OTHER))
    local report = json_of("verify --json", OTHER)
    assert.is_false(report.authenticated)
    assert.same({ box.address }, report.unchecked)
    local text = on("verify", OTHER)
    assert.truthy(text:find("not checked.*" .. box.address), text)
    assert.equal(4, select(2, on("void " .. id, OTHER)))
    assert.equal(8, select(2, on("verify", { key = true })))
  end)
end)

describe("a ledger that somebody edited", function()
  it("is noticed by verify, and repair keeps what is sound in a new file", function()
    -- Written by a process that has ended, so that all of it is in the file.
    local script = ("assert(require 'spraay'.open { gateway = '%s', wallet = require 'spraay'.wallet.file '%s', "
      .. "ledger = '%s', rpc = { base = '%s' } }:chat(tostring(arg[1])))"):format(box.url, box.keyfile, path, box.rpc)
    for i = 1, 2 do os.execute(("lua5.4 -e \"arg = { '%d' } %s\""):format(i, script)) end
    assert.equal(2, #json_of "--json")
    local file = assert(io.open(path, "rb"))
    local bytes, edits = file:read "*a":gsub("0xAd62f03C", "0xAd62f03D", 1)
    file:close()
    assert.equal(1, edits)
    file = assert(io.open(path, "wb"))
    file:write(bytes)
    file:close()
    local text, status = on("verify", { key = true })
    assert.equal(8, status, text)
    assert.truthy(text:find("pur_%x+: was changed by somebody else"), text)
    assert.equal(4, select(2, on "repair"))
    text, status = on("repair", { key = true })
    assert.equal(8, status, text)   -- one record is lost, and that should not go unseen
    assert.truthy(text:find("the damaged file is beside it", 1, true), text)
    assert.equal(0, select(2, on("verify", { key = true })))
    assert.equal(1, #json_of "--json")
    assert.equal(0, select(2, on("repair", { key = true })))
  end)
end)

describe("spraay ledger reconcile", function()
  local function env() return ("SPRAAY_GATEWAY=%s SPRAAY_BASE_RPC=%s"):format(box.url, box.rpc) end

  it("asks the chain, and ends with 5 while something stays open", function()
    lose "reset_before_settle"
    local text, status = on("reconcile", { key = true, env = env() })
    assert.equal(5, status, text)
    assert.truthy(text:find("the same call continues it", 1, true), text)
    local report
    text, status = on("reconcile --json", { key = true, env = env() })
    assert.equal(5, status, text)
    report = cjson.decode(text)
    assert.equal(1, report.open)
    assert.equal(1, #report.purchases)
  end)

  it("has nothing to do when all is known, and wants a key", function()
    open {}
    assert(client:chat "x")
    client:close()
    local text, status = on("reconcile", { key = true, env = env() })
    assert.equal(0, status, text)
    assert.truthy(text:find("nothing is open", 1, true), text)
    text, status = on("reconcile", { env = env() })
    assert.equal(4, status, text)
    assert.truthy(text:find("SPRAAY_PRIVATE_KEY", 1, true), text)
  end)
end)

describe("one's own word", function()
  it("voids an open purchase: it counts no more, and the same call pays", function()
    local id = lose "reset_before_settle"
    local text, status = on("void " .. id)
    assert.equal(4, status, text)
    text, status = on("void " .. id, { key = true })
    assert.equal(0, status, text)
    assert.truthy(text:find("by your word", 1, true), text)
    assert.equal("void", json_of("show --json " .. id).hand)
    assert.equal("0.000000", json_of("sum --json").open)
    text, status = on("void " .. id, { key = true })
    assert.equal(2, status, text)
    assert.equal("settled", assert(open {}:chat "lost").payment.status)
    assert.equal(1, box:ledger().count)
  end)

  it("settles one: it is spent, and the same call says so instead of paying", function()
    local id = lose "reset_before_settle"
    local text, status = on("settle " .. id, { key = true })
    assert.equal(0, status, text)
    assert.equal("0.030000", json_of("sum --json").settled)
    local _, _, err = open {}:chat "lost"
    assert.equal("paid_lost", err.code)
    assert.equal(0, box:ledger().count)
  end)

  it("trusts a receiver, which is then paid", function()
    open {}
    assert(client:chat "x")
    box:fault("changed_payto", { times = 9 })
    local _, message, err = client:chat "y"
    assert.equal("pay_to", err.code, message)
    local command = message:match "`spraay ledger (trust [^`]+)`"
    client:close()
    local text, status = run(command, { key = true })
    assert.equal(0, status, text)
    assert.truthy(text:find("is paid at", 1, true), text)
    assert(open {}:chat "y")
  end)

  it("accepts a price, which is then paid, within the caps", function()
    box:fault("price_raised", { times = 99 })
    open {}
    local _, message, err = client:chat "x"
    assert.equal("price_raised", err.code, message)
    local command = message:match "`spraay ledger (accept%-price [^`]+)`"
    client:close()
    local text, status = run(command, { key = true })
    assert.equal(0, status, text)
    local paid = assert(open {}:chat "x").payment.amount
    assert.equal(command:match "accept%-price %S+ (%S+)", (paid:gsub("0+$", "")))
    client:close()
    assert.equal("over_per_call", select(3, open { per_call = "0.03" }:chat "y").code)
  end)

  it("is told as JSON, too", function()
    local id = lose "reset_before_settle"
    assert.equal("void", json_of("void --json " .. id, { key = true }).hand)
    local address = "0x" .. ("1"):rep(40)
    local trusted = json_of("trust --json x.example " .. address, { key = true })
    assert.same({ "https://x.example", "base", address, box.address },
      { trusted.origin, trusted.network, trusted.pay_to, trusted.payer })
    local accepted = json_of("accept-price --json chat 0.04", { key = true })
    assert.same({ "0.040000", "compute/text-inference", { box.address } },
      { accepted.price, accepted.route, accepted.payers })
  end)

  for _, case in ipairs {
    { "trust x.example 0x123", "40 hex digits" }, { "trust http://x.example 0x" .. ("a"):rep(40), "plain http" },
    { "trust x.example 0x" .. ("a"):rep(40) .. " --network solana", "Solana address" },
    { "trust x.example 0x" .. ("a"):rep(40) .. " --network cosmos:hub", "CAIP-2 id" },
    { "trust gateway.spraay.app 0x" .. ("a"):rep(40), "are built in" },
    { "accept-price chta 0.04", "Did you mean" }, { "accept-price chat 0,04", "is not an amount" },
    { "accept-price chat 0.04 --gateway nowhere", "not an origin" },
    { "accept-price models 0.04", "no price is published" }, { "void", "missing argument" },
    { "--state lost", "must be a state" }, { "--since yesterday", "is no moment" },
    { "--since 2026-13-45", "is no moment" },

    { "--limit many", "whole number" },
    { "list --csv --json", "exclude each other" }, { "verify --csv", "list and sum" },
    { "nonsense", "unknown command" },
  } do
    it("is refused when it makes no sense: " .. case[1], function()
      local text, status = on(case[1], { key = true })
      assert.equal(2, status, text)
      assert.truthy(text:find(case[2], 1, true), text)
    end)
  end
end)

describe("spraay ledger claim", function()
  it("writes what an operator needs to find the payment, and no secret", function()
    local row = json_of("show --json " .. lose("settle_then_reset", { rpc = false }))
    local text, status = on("claim " .. row.id)
    assert.equal(2, status)
    assert.truthy(text:find("paid and lost", 1, true), text)
    assert.equal(0, select(2, on("settle " .. row.id, { key = true })))
    local claim = json_of("claim " .. row.id)
    assert.equal(row.id, claim.purchase)
    assert.equal(box.address, claim.payer)
    assert.equal("0xAd62f03C7514bb8c51f1eA70C2b75C37404695c8", claim.pay_to)
    assert.equal("0.030000", claim.amount)
    assert.equal("30000", claim.amount_atomic)
    assert.equal("eip155:8453", claim.network)
    assert.equal(row.nonce, claim.nonce)
    assert.equal("the payer's word", claim.proof)
    assert.truthy(claim.times.signed:find "Z$")
    assert.is_nil(cjson.encode(claim):find(box.key:gsub("^0x", ""), 1, true))
  end)
end)

describe("an interrupt", function()
  it("ends what waits for a chain that does not answer", function()
    offset = -1000   -- long ago: the chain is asked
    box:advance(-1000)
    lose "reset_before_settle"
    box:advance(1000)
    box:fault("rpc_timeout", { times = 99 })
    local text, status = on("reconcile", { key = true, env = ("SPRAAY_GATEWAY=%s SPRAAY_BASE_RPC=%s "):format(box.url,
      box.rpc) .. "timeout --preserve-status -s INT 1" })
    assert.equal(130, status, text)
  end)

  it("ends it with 130, and any other error is not swallowed", function()
    local reading = require "spraay.cli.ledger.reading"
    local command, list = require "spraay.cli.ledger", reading.list
    reading.list = function() error "interrupted!" end
    local code = command.run { ledger = path }
    reading.list = function() error "a mistake" end
    local ok, why = pcall(command.run, { ledger = path })
    reading.list = list
    assert.equal(130, code)
    assert.is_false(ok)
    assert.truthy(why:find("a mistake", 1, true))
  end)
end)

describe("spraay ledger about Solana", function()
  local key
  setup(function() key = live.secret(box.solana_key) end)
  teardown(function() os.remove(key) end)

  local function solana(more)
    local all = { wallet = require "spraay".wallet.solana(key), networks = { "solana" },
      rpc = { solana = box.solana_rpc } }
    for name, value in pairs(more or {}) do all[name] = value end
    return all
  end

  local function env()
    return { env = ("SPRAAY_SOLANA_KEY=%s SPRAAY_SOLANA_RPC=%s SPRAAY_GATEWAY=%s"):format(box.solana_key,
      box.solana_rpc, box.url) }
  end

  it("asks the chain with the key of SPRAAY_SOLANA_KEY", function()
    offset = -200   -- as if it had been signed a while ago
    local id = lose("settle_then_reset", solana())
    box:advance(60)
    local text, status = on("reconcile", env())
    assert.truthy(text:find(id .. ".*paid_lost"), text)
    assert.equal(0, status, text)
  end)

  it("takes that key's word, and no other's", function()
    offset = -400
    local id = lose("reset_before_settle", solana())
    local text, status = on("void " .. id, { key = true })
    assert.equal(4, status, text)
    text, status = on("void " .. id, env())
    assert.equal(0, status, text)
    assert.truthy(text:find("nothing on Solana refuses the second", 1, true), text)
  end)

  it("has the command that an error names trust the receiver there", function()
    open(solana())
    assert(client:chat "x")
    box:fault("changed_payto", { times = 9 })
    local _, message, err = client:chat "y"
    assert.equal("pay_to", err.code, message)
    client:close()
    local text, status = run(message:match "`spraay ledger (trust [^`]+)`", env())
    assert.equal(0, status, text)
    assert.equal("settled", assert(open(solana()):chat "y").payment.status)
  end)

  it("accepts a price, verifies and repairs with that key alone", function()
    box:fault("price_raised", { times = 9 })
    open(solana())
    local _, message = client:chat "x"
    client:close()
    local text, status = run(message:match "`spraay ledger (accept%-price [^`]+)`", env())
    assert.equal(0, status, text)
    assert.equal("0.060000", assert(open(solana()):chat "x").payment.amount)
    client:close()
    assert.is_true(json_of("verify --json", env()).authenticated)
    assert.equal(0, select(2, on("repair", env())))
  end)

  it("writes a claim with the memo, and of no nonce", function()
    local id = lose("settle_then_reset", solana())
    assert.equal(0, select(2, on("settle " .. id, env())))
    local claim = json_of("claim " .. id)
    assert.truthy(claim.memo:find "^%x+$" and #claim.memo == 32)
    assert.is_nil(claim.nonce)
    assert.truthy(claim.network:find "^solana:")
  end)

  it("takes nobody's word that a payment never settles while it may", function()
    local id = lose("reset_before_settle", solana())
    local text, status = on("void " .. id, env())
    assert.equal(2, status, text)
    assert.truthy(text:find "it can settle until %d%d:%d%d:%d%d UTC", text)
    assert.equal("unknown", json_of("show --json " .. id).state)
  end)

  it("trusts a receiver there, and verifies what was written with that key", function()
    lose("reset_before_settle", solana())
    local text, status = on("trust x.example " .. box.solana_address .. " --network solana", env())
    assert.equal(0, status, text)
    assert.truthy(text:find("on solana from now on", 1, true), text)
    local both = env()
    both.key = true
    text, status = on("verify", both)
    assert.equal(0, status, text)
    os.execute(("sqlite3 -cmd '.timeout 9000' %s 'UPDATE purchase SET last_height = last_height + 1'"):format(path))
    text, status = on("verify", both)
    assert.equal(8, status, text)
    assert.truthy(text:find("does not fit", 1, true), text)
  end)
end)

describe("spraay ledger about a deposit into the escrow", function()
  it("shows the transactions that it was: nonces, blocks, gas at most", function()
    local other = live.start { dialect = "escrow", mining = "instant" }
    local escrow = live.open(other, { ledger = path, futures = "escrow", rpc = { base = other.rpc } })
    local account = assert(escrow.futures:deposit "5")
    assert.equal("escrow", account.dialect)
    local id = escrow:purchases {}[1].id
    escrow:close()
    local shown = json_of("show --json " .. id)
    assert.equal(2, #shown.transactions)
    assert.equal("approve", shown.transactions[1].step)
    assert.equal("deposit", shown.transactions[2].step)
    local mined = other:request("GET", "/_sandbox/transactions").json
    for i, tx in ipairs(shown.transactions) do
      assert.equal(i - 1, tx.nonce)
      assert.equal("done", tx.state)
      assert.truthy(tx.gas_at_most:find "^0%.0%d+$", tx.gas_at_most)
      assert.is_nil(tx.raw)
    end
    assert.equal(2, mined.sent)
    assert.equal(shown.transaction, shown.transactions[2].transaction)
    local text = on("show " .. id)
    assert.truthy(text:find("deposit +0x%x+, nonce 1, done in block %d+, gas at most 0%.0%d+ ETH"), text)
    live.stop(other)
  end)
end)
