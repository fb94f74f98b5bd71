--- Clients that pay GPU runs by a transfer of the wallet's own (X-Solana-Tx), and a sandbox of their own:
---   local world = require "spec.support.self_paid".fresh()
---   world:open{ … }  world:gpu(client, opts)  world:try({ … }, opts)  a client of its own, with little time
---   world:pass(300)  world:moved()  world:the_row()
---   world.box, world.key (a file), world.place (the ledger), world.n (of the test), world.ahead (seconds)
-- SPDX-License-Identifier: MIT
local busted = require "busted"
local live = require "spec.support.live"
local processes = require "spec.support.processes"
local solana = require "spec.support.solana"
local spraay = require "spraay"

local self_paid = {}
self_paid.__index = self_paid

local function over(all, more)
  for name, value in pairs(more or {}) do all[name] = value end
  return all
end

--- One for this file of specs: its sandbox is started before them, and each begins with empty books.
function self_paid.fresh()
  local self = setmetatable({ n = 0, ahead = 0, clients = {}, places = {} }, self_paid)
  busted.setup(function()
    self.box = live.start{}
    self.key = live.secret(self.box.solana_key)
  end)
  busted.teardown(function()
    live.stop(self.box)
    os.remove(self.key)
    for _, one in ipairs(self.places) do processes.clear(one) end
  end)
  busted.before_each(function()
    self.box:clear()
    self.box:reset()
    self.box:config{ networks = { "base", "solana" }, solana_single_use = false, job_seconds = 0 }
    self.n, self.ahead, self.clients = self.n + 1, 0, {}
    self:move()
  end)
  busted.after_each(function()
    for _, client in ipairs(self.clients) do client:close() end
  end)
  return self
end

--- Another ledger from now on.
function self_paid:move()
  self.place = processes.place()
  self.places[#self.places + 1] = self.place
end

function self_paid:options(more)
  return over({ gateway = self.box.url, wallet = spraay.wallet.solana(self.key), networks = { "solana" },
    solana_tx = true, rpc = { solana = self.box.solana_rpc }, per_day = "1000", ledger = self.place,
    timeout = { connect = 2, idle = 1, total = 10 }, clock = function() return os.time() + self.ahead end }, more)
end

function self_paid:open(more)
  local client = assert(spraay.open(self:options(more)))
  self.clients[#self.clients + 1] = client
  return client
end

function self_paid:gpu(client, opts)
  return client:gpu({ model = "flux-dev", input = { prompt = "lighthouse " .. self.n } }, opts)
end

--- A client of its own, with little time, as in a new process.
function self_paid:try(more, opts)
  local client = self:open(over({ timeout = { connect = 2, idle = 1, total = 1.5 } }, more))
  local result, message, err = self:gpu(client, opts)
  client:close()
  return result, message, err
end

--- Time passes for everybody.
function self_paid:pass(seconds)
  self.box:advance(seconds)
  self.ahead = self.ahead + seconds
end

function self_paid:moved() return solana.moved(self.box) end

--- The one transfer in the books, for one request.
function self_paid:the_row()
  local books = self.box:ledger()
  assert(books.count == 1, books.count .. " in the books")
  assert(self:moved() == 1, self:moved() .. " moved")
  return books.settled[1]
end

return self_paid
