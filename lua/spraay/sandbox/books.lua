--- What happened, for tests to read: who presented which authorization, what was verified, which
--- handlers ran, what settled. Kept apart from the gate so that the gate cannot flatter itself.
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local json = require "spraay.sandbox.json"
local money = require "spraay.sandbox.money"

local books = {}
books.__index = books
books.__name = "spraay.sandbox.books"

function books.new(clock)
  return setmetatable({ clock = clock, requests = 0, verified = 0, handled = {}, unpaid = {},
                        settled = json.array(), presented = json.array(), by_nonce = {} }, books)
end

--- A request arrived.
---@return integer number
function books:request()
  self.requests = self.requests + 1
  return self.requests
end

--- An authorization was presented. Its verdict is filled in as it becomes known.
---@param claim table  nonce, payer (as claimed, unverified)
---@param route string
---@return table entry
function books:present(claim, route)
  local entry = { nonce = claim.nonce or json.null, payer = claim.payer or json.null, route = route,
                  time = self.clock:seconds(), verdict = "unread" }
  self.presented[#self.presented + 1] = entry
  return entry
end

function books:verify() self.verified = self.verified + 1 end

--- A handler ran for a route.
function books:handle(route) self.handled[route] = (self.handled[route] or 0) + 1 end

--- Money moved.
---@param row table  payer, payTo, amount (integer), nonce, route, path, network, transaction
function books:settle(row)
  row.n = #self.settled + 1
  row.time = self.clock:seconds()
  row.amount_usdc = money.text(row.amount)
  row.amount = tostring(row.amount)
  self.settled[row.n] = row
  return row
end

--- The books as one JSON object.
---@param chain table  whose balances are shown
function books:report(chain)
  local total, balances = 0, {}
  for _, row in ipairs(self.settled) do total = total + money.integer(row.amount) end
  for address in pairs(chain.history) do
    local balance = chain:balance(address)
    local name = crypto.address(crypto.unhex(address, 20))
    balances[name] = { atomic = tostring(balance), usdc = money.text(balance) }
  end
  return {
    settled = self.settled, count = #self.settled, total = tostring(total), total_usdc = money.text(total),
    balances = balances, verified = self.verified, handled = self.handled, presented = self.presented,
    requests = self.requests,
  }
end

return books
