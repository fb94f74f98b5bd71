-- SPDX-License-Identifier: MIT
-- Ways by which a payment on Solana could be made twice, or be told wrongly. Judged by the sandbox's books and chain.
local cjson = require "cjson"
local live = require "spec.support.live"
local processes = require "spec.support.processes"
local solana = require "spec.support.solana"
local spraay = require "spraay"

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

-- The transfers that left the payer's account.
local function moved()
  local all, count = solana.rpc(box, "getSignaturesForAddress", { solana.ata(box.solana_address),
    { commitment = "confirmed" } }), 0
  for _, one in ipairs(all) do
    if one.err == cjson.null then count = count + 1 end
  end
  return count
end

describe("an RPC that comes and goes", function()
  it("does not prove dead what was signed without one", function()
    box:fault("reset_before_settle")
    assert.is_nil((chat(open())))
    box:clear()
    pass(200)
    local client = open()
    client:reconcile{ timeout = 10 }
    client:close()
    box:fault "solana_blockhash"
    box:fault("solana_settle_late", { times = 1, seconds = 59 })
    local result, _, err = chat(open{ rpc = false })
    assert.is_nil(result)
    assert.equal("maybe", err.paid)
    box:clear()
    pass(62)
    result, _, err = chat(open())
    assert.is_nil(result)
    assert.not_equal("no", err.paid)
    pass(300)
    assert.is_true(moved() <= 1)
    chat(open())
    assert.equal(1, moved())
  end)

  it("does not prove dead too early what was signed while it lagged", function()
    box:fault "solana_blockhash"
    box:fault("rpc_lagging", { seconds = 160, route = "rpc/solana" })
    box:fault("solana_settle_late", { times = 1, seconds = 59 })
    local result, _, err = chat(open())
    assert.is_nil(result)
    assert.equal("maybe", err.paid)
    box:clear()
    pass(62)
    chat(open())
    pass(300)
    assert.equal(1, moved())
  end)
end)
