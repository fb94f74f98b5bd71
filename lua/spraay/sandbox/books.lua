--- What happened, for tests to read: who presented which authorization, what was verified, which
--- handlers ran, what settled. Kept apart from the gate so that the gate cannot flatter itself.
---
--- GET /_sandbox/ledger shows them as
---
---   settled    list, oldest first, of what was paid:
---                n            1, 2, …
---                payer, payTo addresses, as written in the authorization and in the terms
---                amount       micro-USDC, digits: "30000"
---                amount_usdc  the same in whole USDC: "0.030000"
---                nonce        of the authorization, 0x and 64 hex digits; on Solana the memo, which `memo`
---                             repeats; of a transfer that the payer made himself, its signature
---                route        "POST /api/v1/compute/text-inference", ids as ":id"
---                path         what was really asked for, query included
---                body         digest of the request's body, 0x and 64 hex digits: equal requests, equal digests
---                network      CAIP-2: "eip155:8453"
---                transaction  hash on the sandbox's chain, on Solana the fee payer's signature
---                via          "self-paid": a transfer to the gateway that the payer sent himself; booked
---                             when it lands, without route, path and body until X-Solana-Tx names it
---                redeemed     how often that was honoured
---                time         Unix seconds by the sandbox's clock
---   count      how many those are
---   total      their sum in micro-USDC, digits; total_usdc in whole USDC
---   balances   address -> { atomic = digits, usdc = text }, of everybody who ever held something, on
---              Solana the owners
---   presented  list of every authorization that came in, good or not: nonce, payer (as claimed),
---              key (what was signed: the nonce, on Solana the message's digest), route, time,
---              verdict ("settled", "refused: REASON", "not settled: answered 400", …)
---   verified   how many of those were found good
---   handled    route -> how often its handler ran, free routes too
---   requests   how many requests came to the gateway; those to /_sandbox/ are not counted
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local json = require "spraay.sandbox.json"
local money = require "spraay.sandbox.money"

local books = {}
books.__index = books
books.__name = "spraay.sandbox.books"

function books.new(clock)
  return setmetatable({ clock = clock, requests = 0, verified = 0, handled = {}, transfers = {},
                        settled = json.array(), presented = json.array() }, books)
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
  local nonce = claim.nonce
  if nonce and not utf8.len(nonce) then nonce = "0x" .. crypto.hex(nonce) end    -- the books are JSON
  local entry = { nonce = nonce or json.null, payer = claim.payer or json.null, route = route,
                  key = claim.key or json.null,
                  time = self.clock:seconds(), verdict = "unread" }
  self.presented[#self.presented + 1] = entry
  return entry
end

function books:verify() self.verified = self.verified + 1 end

--- A handler ran for a route.
function books:handle(route) self.handled[route] = (self.handled[route] or 0) + 1 end

--- Money moved.
---@param row table  payer, payTo, amount (integer), nonce, route, path, body, network, transaction
function books:settle(row)
  row.n = #self.settled + 1
  row.time = self.clock:seconds()
  row.amount_usdc = money.text(row.amount)
  row.amount = tostring(row.amount)
  self.settled[row.n] = row
  return row
end

--- A payer sent money himself.
function books:transferred(row)
  row.via = "self-paid"
  self.transfers[row.transaction] = self:settle(row)
end

--- The line of such a transfer, by its signature.
---@return table? row
function books:transfer(signature) return self.transfers[signature] end

--- Such a transfer was honoured for a request; it is booked to the first.
function books:redeem(signature, route, path, body)
  local row = self.transfers[signature]
  if not row then return end
  row.redeemed = (row.redeemed or 0) + 1
  if row.redeemed == 1 then row.route, row.path, row.body = route, path, body end
end

--- The books as one JSON object.
---@param chain table   whose balances are shown
---@param solana table  and whose besides
function books:report(chain, solana)
  local total, balances = 0, {}
  for _, row in ipairs(self.settled) do total = total + money.integer(row.amount) end
  for address in chain:holders() do
    local balance = chain:balance(address)
    local name = crypto.address(crypto.unhex(address, 20))
    balances[name] = { atomic = tostring(balance), usdc = money.text(balance) }
  end
  for owner, balance in pairs(solana:balances()) do
    balances[owner] = { atomic = tostring(balance), usdc = money.text(balance) }
  end
  return {
    settled = self.settled, count = #self.settled, total = tostring(total), total_usdc = money.text(total),
    balances = balances, verified = self.verified, handled = self.handled, presented = self.presented,
    requests = self.requests,
  }
end

return books
