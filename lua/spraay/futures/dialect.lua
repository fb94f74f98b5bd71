-- SPDX-License-Identifier: MIT
--- Which of the two kinds of compute futures a gateway keeps: "ledger", rows of its own named CFE-…, or
-- "escrow", credit in a contract under the depositor's address.
--
-- Discovery shows the one and the code may be the other, so only answers count: what a gateway has answered
-- is remembered, per gateway, in this process and in the ledger. Where nothing is known and money is about to move, one
-- look at the pricing asks; what only the ledger remembers may be old, and is confirmed by an answer that costs nothing
-- (futures/init.lua). futures = "escrow" or "ledger" in spraay.open forces it.
local call = require "spraay.call"
local core = require "spraay.core"
local engine = require "spraay.engine"
local errors = require "spraay.errors"
local json = require "spraay.json"
local ledger = require "spraay.ledger"
local wallets = require "spraay.wallet"

local dialect = {}

local heard = {}     -- gateway -> "ledger" or "escrow", as it has answered this process
local named = {}     -- gateway -> the contract that it named last
local written = {}   -- ledger, gateway and name -> the word that this process has written there

local ESCROW_WORDS = { "address query param", "depositor (address)", "depositor address required",
  "No compute credits" }
local LEDGER_WORDS = { "id query param", "futuresId", "Compute future not found" }

local function says(text, list)
  for _, words in ipairs(list) do
    if text:find(words, 1, true) then return true end
  end
  return false
end

--- "ledger", "escrow" or nil: what an answer tells about who gave it.
function dialect.of(body)
  if type(body) ~= "table" then return nil end
  local said = json.get(body, "error")
  local billing = json.get(body, "billing")
  if json.get(body, "status") == "sign_required" or json.get(body, "transactions")
    or json.get(body, "transaction")
    or json.get(body, "source") == "on-chain" or json.get(body, "onChain") or json.get(body, "howItWorks")
    or json.get(billing, "settlement") == "on-chain" then
    return "escrow"
  end
  if type(said) == "string" then
    if says(said, ESCROW_WORDS) then return "escrow" end
    if says(said, LEDGER_WORDS) then return "ledger" end
  end
  if json.get(body, "computeFuture") or json.get(body, "refund") or json.get(body, "expiresAt")
    or json.get(billing, "jobNumber") then
    return "ledger"
  end
  return nil
end

--- The same of an answer to pricing, whose two forms are told apart by what is listed.
function dialect.of_pricing(body)
  if type(json.get(body, "contract")) == "table" then return "escrow" end
  if type(json.get(body, "note")) == "string" and json.get(body, "howItWorks") == nil then return "ledger" end
  return dialect.of(body)
end

-- ---- remembering ---------------------------------------------------------------------------------

-- What is on record belongs to a wallet, whose key made its tag. The wallet's key, or nil.
local function key_of(client)
  local wallet = wallets.on(client.config.wallets, "evm") or client.config.wallets[1]
  return wallet and wallet:key() or nil
end

local DIALECT, CONTRACT = "futures", "escrow"   -- names of rows

-- Nobody waits for it: where it cannot be written, the next process asks again.
local function write(client, name, word)
  local path, key = client.config.ledger, key_of(client)
  if not path or not key then return end
  local slot = table.concat({ path, client.config.gateway, name }, "\n")
  if written[slot] == word then return end
  local handle = core.ledger(engine.get(), path)
  if not handle then return end
  if handle:ask("learn", { wallet = key, origin = client.config.gateway, name = name, word = word }) then
    written[slot] = word
  end
  handle:close()
end

local function read(client, name)
  local key = client.config.ledger and key_of(client)
  if not key then return nil end
  local rows = ledger.ask_client(client, "recall", { wallet = key, origin = client.config.gateway, name = name })
  return rows and rows[1] and rows[1].what
end

-- The contract that an answer names, if it names one.
local function contract_in(body)
  local text = json.get(body, "contract")
  if type(text) == "table" then text = json.get(text, "address") end
  return type(text) == "string" and #text == 42 and text:match "^0[xX]%x+$" and text:lower() or nil
end

--- Remember what an answer of the client's gateway told: the dialect, and the contract that is named in `body`.
function dialect.learn(client, told, body)
  if not told then return nil end
  heard[client.config.gateway] = told
  write(client, DIALECT, told)
  local contract = told == "escrow" and contract_in(body)
  if contract then
    named[client.config.gateway] = contract
    write(client, CONTRACT, contract)
  end
  return told
end

--- What is forced, or was heard of the gateway by this process; nil when neither.
function dialect.known(client)
  return client.config.futures or heard[client.config.gateway]
end

local DIALECTS = { ledger = true, escrow = true }

--- The same, or what an earlier process has heard. The second value says that it is known, not only remembered.
function dialect.recall(client)
  local told = dialect.known(client)
  if told then return told, true end
  local word = read(client, DIALECT)
  return DIALECTS[word or false] and word or nil, false
end

--- The contract that the gateway named last, to this process or an earlier one, in lower case; nil when it named none.
function dialect.contract(client)
  return named[client.config.gateway] or read(client, CONTRACT)
end

--- Forget what this process has heard: for specs.
function dialect.forget()
  heard, named, written = {}, {}, {}
end

-- ---- errors --------------------------------------------------------------------------------------

local KEPT = {
  escrow = "keeps compute futures in an on-chain escrow, under the depositor's address",
  ledger = "keeps compute futures as accounts of its own, named CFE-…",
}
local NEXT = {
  escrow = "Name the account by its address, or make a new deposit",
  ledger = "Name the account by its CFE- id, or make a new deposit",
}

--- The error for an account of the one kind at a gateway of the other: nothing was sent.
function dialect.mismatch(where, told, forced)
  return errors.usage(("%s: this gateway %s%s"):format(where, KEPT[told],
    forced and ", says futures = \"" .. told .. "\"" or ""), NEXT[told], "dialect")
end

--- The error for an answer in the other dialect; `payment` and `err` say what was paid for it.
function dialect.surprise(client, where, told, body, payment, err)
  dialect.learn(client, told, body)
  local paid = payment and payment.status ~= "free"
  local fields = { kind = "gateway", code = "dialect", body = body, dialect = told,
    paid = payment and call.paid_word(payment) or err and err.paid,
    amount = paid and payment.amount or nil, purchase = payment and payment.purchase,
    message = ("%s: this gateway %s; no credit was moved"):format(where, KEPT[told]),
    hint = client.config.futures and client.config.futures ~= told
      and ("Open the client with futures = \"%s\", or without futures"):format(told) or NEXT[told] }
  for _, key in ipairs { "paid", "expect", "until_", "amount", "purchase", "status" } do
    if err and err[key] ~= nil then fields[key] = err[key] end
  end
  return errors.fail(fields)
end

--- The error for an answer of pricing that is neither.
function dialect.unknown(where, answer)
  return errors.fail { kind = "gateway", code = "dialect", body = answer.body, paid = call.paid_word(answer.payment),
    amount = answer.payment.amount, purchase = answer.payment.purchase,
    message = where .. ": this gateway's answer does not tell how it keeps compute futures; nothing was deposited",
    hint = "Say it yourself with futures = \"escrow\" or \"ledger\" in spraay.open" }
end

return dialect
