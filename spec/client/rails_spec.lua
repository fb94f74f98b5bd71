-- SPDX-License-Identifier: MIT
-- Two rails, two wallets, one purchase: which rail is taken, and that it is kept. Judged by the sandbox's books.
local core = require "spraay.core"
local live = require "spec.support.live"
local processes = require "spec.support.processes"
local solana = require "spec.support.solana"
local spraay = require "spraay"

local BASE, MAINNET = "eip155:8453", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"

local box, key, n, ahead, clients, place
local places = {}

local function open(options)
  local all = { gateway = box.url, wallet = { spraay.wallet.file(box.keyfile), spraay.wallet.solana(key) },
    networks = { "solana", "base" }, rpc = { solana = box.solana_rpc, base = box.rpc }, per_day = "1000",
    ledger = place, timeout = { connect = 2, idle = 1, total = 1.5 }, clock = function() return os.time() + ahead end }
  for name, value in pairs(options or {}) do all[name] = value end
  local client = assert(spraay.open(all))
  clients[#clients + 1] = client
  return client
end

setup(function()
  box = live.start{}
  key = live.secret(box.solana_key)
  n = 0
end)

teardown(function()
  live.stop(box)
  os.remove(key)
  for _, one in ipairs(places) do processes.clear(one) end
end)

before_each(function()
  box:clear()
  box:reset()
  box:config{ networks = { "base", "solana" } }
  n, ahead, clients, place = n + 1, 0, {}, processes.place()
end)

after_each(function()
  for _, client in ipairs(clients) do client:close() end
  places[#places + 1] = place
end)

local function pass(seconds)
  box:advance(seconds)
  ahead = ahead + seconds
end

local function chat(client, opts) return client:chat("question " .. n, opts) end

local function payers()
  local seen = {}
  for _, one in ipairs(box:ledger().presented) do seen[one.payer] = true end
  return seen
end

describe("of two rails", function()
  it("the caller's first is taken", function()
    assert.equal(MAINNET, assert(chat(open())).payment.network)
    assert.equal(BASE, assert(open{ networks = { "base", "solana" } }:chat "another").payment.network)
    assert.equal(2, box:ledger().count)
  end)

  it("the other is taken where the first is not offered", function()
    box:config{ networks = { "solana" } }
    assert.equal(MAINNET, assert(chat(open{ networks = { "base", "solana" } })).payment.network)
    box:config{ networks = { "base" } }
    assert.equal(BASE, assert(open{ networks = { "solana", "base" } }:chat "another").payment.network)
  end)

  it("each wallet answers for its own", function()
    local client = open()
    assert.equal(box.solana_address, client:address())
    assert.equal(box.solana_address, client:address "solana")
    assert.equal(box.address, client:address "base")
    local none, _, err = client:address "cosmos"
    assert.is_nil(none)
    assert.equal("usage", err.kind)
    assert.equal(box.address, open{ networks = { "base", "solana" } }:address())
  end)

  it("a wallet pays on its own only", function()
    local result, _, err = chat(open{ wallet = spraay.wallet.solana(key), networks = { "base" } })
    assert.is_nil(result)
    assert.equal("network", err.code)
    assert.equal("no", err.paid)
    result, _, err = chat(open{ wallet = spraay.wallet.file(box.keyfile), networks = { "solana" } })
    assert.is_nil(result)
    assert.equal("network", err.code)
    assert.same({}, payers())
  end)

  it("takes one wallet each", function()
    local client, message = spraay.open{ gateway = box.url, ledger = false,
      wallet = { spraay.wallet.solana(key), spraay.wallet.solana(key) } }
    assert.is_nil(client)
    assert.truthy(message:find("same rail", 1, true))
  end)

  it("a Solana wallet alone needs no networks to be named", function()
    assert.equal(MAINNET, assert(chat(spraay.open{ gateway = box.url, ledger = false,
      wallet = spraay.wallet.solana(key), rpc = { solana = box.solana_rpc } })).payment.network)
  end)

  it("both count against the same caps", function()
    local client = open{ budget = "0.05" }
    assert(chat(client))
    client = open{ budget = "0.05", networks = { "base", "solana" }, run = "capped" }
    assert(client:chat "one")
    local result, _, err = client:chat "two"
    assert.is_nil(result)
    assert.equal("over_budget", err.code)
    local third, _, over = open{ per_day = "0.08" }:chat "three"
    assert.is_nil(third)
    assert.equal("over_per_day", over.code)
  end)
end)

describe("what was sent on one rail", function()
  local function lose(options)
    box:fault "reset_before_settle"
    if options and options.rpc == false then box:fault "solana_blockhash" end
    local result, _, err = chat(open(options))
    assert.is_nil(result)
    assert.equal("maybe", err.paid)
    box:clear()
    return err
  end

  for _, case in ipairs{ { { "solana", "base" }, "solana" }, { { "base", "solana" }, "base" } } do
    local first, second = case[1], { case[1][2], case[1][1] }
    local mine = case[2] == "solana" and "solana_address" or "address"

    it("is never paid on the other when it is not offered any more: " .. case[2], function()
      local err = lose{ networks = first, rpc = false }
      assert.truthy(err)
      box:config{ networks = { second[1] } }
      for _, seconds in ipairs{ 0, 100, 1000 } do
        pass(seconds)
        local result, _, later = chat(open{ networks = first, rpc = false })
        if result then assert.equal(err.purchase, result.payment.purchase) else assert.equal("maybe", later.paid) end
        if result then break end
      end
      assert.same({ [box[mine]] = true }, payers())
      assert.is_true(box:ledger().count <= 1)
    end)

    it("is never paid on the other when that is preferred since: " .. case[2], function()
      local err = lose{ networks = first, rpc = false }
      for _, networks in ipairs{ second, { second[1] } } do
        pass(60)   -- too old to be presented on Solana
        local result, _, later = chat(open{ networks = networks, rpc = false })
        if result then
          assert.equal(err.purchase, result.payment.purchase)
        else
          assert.equal("maybe", later.paid)
          assert.equal(err.purchase, later.purchase)
        end
        if result then break end
      end
      assert.same({ [box[mine]] = true }, payers())
    end)
  end

  it("is void by proof before it is paid again, there and nowhere else", function()
    local err = lose()
    pass(300)
    local result = assert(chat(open{ networks = { "base", "solana" }, timeout = { total = 10 } }))
    assert.equal(err.purchase, result.payment.purchase)
    assert.equal(MAINNET, result.payment.network)
    assert.equal(1, box:ledger().count)
  end)
end)

describe("a named purchase", function()
  it("takes the first network there is a key for, and never falls through", function()
    box:config{ networks = { "base" } }
    local result, _, err = chat(open(), { purchase = "a" })
    assert.is_nil(result)
    assert.equal("no", err.paid)
    assert.equal("network", err.code)
    result, _, err = chat(open{ run = "r" })
    assert.is_nil(result)
    assert.equal("network", err.code)
    assert.equal(0, #box:ledger().presented)
    result = assert(chat(open{ wallet = spraay.wallet.file(box.keyfile) }, { purchase = "a" }))
    assert.equal(BASE, result.payment.network)
  end)

  it("is paid once over lost answers, and found again in a run", function()
    box:fault("settle_then_reset", { times = 1 })
    for _ = 1, 3 do
      local result, _, err = chat(open{ run = "r" })
      assert.is_nil(result)
      assert.not_equal("no", err.paid)
    end
    assert.equal(1, box:ledger().count)
  end)

  it("is not paid again when the ledger is lost: the chain has its memo", function()
    for _, options in ipairs{ { run = "r" }, {} } do
      local opts = not options.run and { purchase = "named " .. n } or nil
      local before = box:ledger().count
      assert.equal("settled", assert(chat(open(options), opts)).payment.status)
      options.ledger = processes.place()
      places[#places + 1] = options.ledger
      local result, _, err = chat(open(options), opts)
      assert.is_nil(result)
      assert.equal("paid_before", err.code)
      assert.equal("yes", err.paid)
      assert.equal(before + 1, box:ledger().count)
    end
  end)

  it("is not signed without an RPC when nothing is on record", function()
    box:fault "solana_blockhash"
    local result, message, err = chat(open{ rpc = false }, { purchase = "b" })
    assert.is_nil(result)
    assert.equal("rpc", err.code)
    assert.equal("no", err.paid)
    assert.truthy(message:find("SPRAAY_SOLANA_RPC", 1, true))
    assert.equal("settled", assert(chat(open{ rpc = false })).payment.status)   -- one without a name is
  end)

  it("is not signed when the server demands a memo by which it could not be found again", function()
    box:fault "solana_memo"
    local result, _, err = chat(open(), { purchase = "c" })
    assert.is_nil(result)
    assert.equal("memo", err.code)
    assert.equal(0, #box:ledger().presented)
  end)

  it("is not signed while the chain cannot be looked through", function()
    for _, fault in ipairs{ "rpc_down", "rpc_wrong_chain", "rpc_garbage" } do
      box:fault(fault)
      local result, _, err = chat(open(), { purchase = "d" })
      assert.is_nil(result)
      assert.equal("rpc", err.code)
      assert.equal("no", err.paid)
      box:clear()
    end
    assert.equal(0, #box:ledger().presented)
  end)
end)

describe("what was paid and lost on Solana", function()
  it("is bought again only by on_lost = \"repay\", with another memo, when the chain says that it was paid", function()
    box:fault("settle_then_reset", { times = 1 })
    local _, _, err = chat(open())
    assert.not_equal("no", err.paid)
    pass(30)
    local result, _, later = chat(open{ on_lost = "repay" })
    assert.is_nil(result)   -- too early: the first may not be final yet
    assert.equal(1, box:ledger().count)
    assert.equal(err.purchase, later.purchase)
    pass(700)
    assert.equal("paid_lost", select(3, chat(open())).code)
    result = assert(chat(open{ on_lost = "repay", timeout = { total = 10 } }))
    assert.equal("settled", result.payment.status)
    local books = box:ledger()
    assert.equal(2, books.count)
    assert.not_equal(books.settled[1].memo, books.settled[2].memo)
  end)

  it("is told by reconcile, and so is what was never settled", function()
    local client = open()
    box:fault("settle_then_reset", { times = 1 })
    assert.is_nil((client:embed{ input = "settled" }))
    box:fault "reset_before_settle"
    assert.is_nil((client:embed{ input = "not settled" }))
    client:close()
    pass(400)
    local other, done = open(), nil
    for _ = 1, 100 do   -- a last presentation may still be in the air
      done = assert(other:reconcile{ timeout = 10 })
      local under_way = false
      for _, line in ipairs(done.purchases) do under_way = under_way or line.hint == "a call is under way" end
      if not under_way then break end
      spraay.sleep(0.05)
    end
    local became = {}
    for _, line in ipairs(done.purchases) do became[#became + 1] = line.after end
    table.sort(became)
    assert.same({ "paid_lost", "void" }, became)
    assert.equal(1, box:ledger().count)
  end)
end)

describe("a key of Solana", function()
  local bytes = core.base58_decode
  local seed = ("\66"):rep(32)
  local public = core.ed25519_public(seed)
  local address = core.base58_encode(public)

  local function list_of(text, separator)
    local numbers = {}
    for i = 1, #text do numbers[i] = text:byte(i) end
    return "[" .. table.concat(numbers, separator or ",") .. "]"
  end

  local function from(text, mode)
    local path = live.secret(text, mode)
    local wallet, why, code = core.wallet_solana(path)
    os.remove(path)
    return wallet, why, code
  end

  for name, text in pairs{
    ["id.json"] = list_of(seed .. public), ["id.json with spaces and a line's end"] = " " .. list_of(seed .. public,
      " ,\n ") .. "\n", ["base58"] = core.base58_encode(seed .. public) .. "\n" } do
    it("is read from " .. name, function()
      local wallet = assert(from(text))
      assert.equal(address, wallet:address())
      assert.equal("solana", wallet:kind())
      assert.equal("file", wallet:source())
      assert.equal(("wallet %s...%s (solana, file)"):format(address:sub(1, 6), address:sub(-4)), tostring(wallet))
    end)
  end

  local other = core.ed25519_public(("\67"):rep(32))
  for name, case in pairs{
    ["a public half of another key"] = { list_of(seed .. other), "KEY" },
    ["the same in base58"] = { core.base58_encode(seed .. other), "KEY" },
    ["63 numbers"] = { list_of((seed .. public):sub(1, 63)), "SYNTAX" },
    ["65 numbers"] = { list_of(seed .. public .. "\0"), "SYNTAX" },
    ["32 numbers"] = { list_of(seed), "SYNTAX" },
    ["a number above 255"] = { list_of(seed .. public):gsub("66", "256", 1), "SYNTAX" },
    ["a number below 0"] = { list_of(seed .. public):gsub("66", "-66", 1), "SYNTAX" },
    ["a fraction"] = { list_of(seed .. public):gsub("66", "66.0", 1), "SYNTAX" },
    ["an open list"] = { list_of(seed .. public):sub(1, -2), "SYNTAX" },
    ["a comma too many"] = { list_of(seed .. public):gsub("%]", ",]"), "SYNTAX" },
    ["an address"] = { address, "SYNTAX" },
    ["an EVM key"] = { ("1a"):rep(32), "SYNTAX" },
    ["nothing"] = { "", "SYNTAX" } } do
    it("is not had from " .. name, function()
      local wallet, why, code = from(case[1])
      assert.is_nil(wallet)
      assert.equal(case[2], code)
      assert.is_nil(why:find("66,66", 1, true))   -- no part of a key
    end)
  end

  -- What a process of the same Lua sees in a variable: the rail, the address and the source of its key.
  local function in_variable(text)
    local interpreter, i = "lua", -1
    while arg and arg[i] do interpreter, i = arg[i], i - 1 end
    local pipe = io.popen(("K='%s' %s -e '%s' 2>&1"):format(text, interpreter, [[
      local core = require "spraay.core"
      local wallet, why = core.wallet_env "K"
      print(core.wallet_env_rail "K", wallet and wallet:address() or why)
    ]]))
    local said = pipe:read "*a"
    pipe:close()
    return said:match "^(%S+)%s+(.-)%s*$"
  end

  it("is told from an EVM key in a variable, by its form", function()
    local rail, who = in_variable(core.base58_encode(seed .. public))
    assert.same({ "solana", address }, { rail, who })
    rail, who = in_variable(list_of(seed .. public, ", "))
    assert.same({ "solana", address }, { rail, who })
    rail, who = in_variable(core.hex_encode(seed))
    assert.same({ "evm", core.evm_address(seed) }, { rail, who })
    rail, who = in_variable("0x" .. core.hex_encode(seed))
    assert.same({ "evm", core.evm_address(seed) }, { rail, who })
    rail, who = in_variable(list_of(seed .. other))
    assert.equal("solana", rail)
    assert.truthy(who:find("public half", 1, true))
    assert.equal("nil", (in_variable ""))
  end)

  it("is not read from a file that others may read", function()
    assert.equal("PERMISSION", select(3, from(list_of(seed .. public), "644")))
  end)

  it("is 64 bytes in base58", function() assert.equal(64, #bytes(core.base58_encode(seed .. public))) end)

  it("is no key for an EVM wallet, and the other way round", function()
    local path = live.secret(list_of(seed .. public))
    local wallet, why = core.wallet_file(path)
    os.remove(path)
    assert.is_nil(wallet)
    assert.truthy(why:find("64 hex digits", 1, true))
  end)
end)

describe("the transfers of the account", function()
  it("are not confused by strangers who send our memo", function()
    box:fault "reset_before_settle"
    local _, _, err = chat(open())
    box:clear()
    solana.lever(box, "noise", { address = box.solana_address, count = 1, amount = "0.03",
      memo = box:ledger().presented[1].nonce })
    pass(300)
    local result = assert(chat(open{ timeout = { total = 10 } }))
    assert.equal(err.purchase, result.payment.purchase)
    assert.equal("settled", result.payment.status)
  end)
end)
