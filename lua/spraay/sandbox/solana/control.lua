--- The levers of the Solana chain, under /_sandbox/solana/: what a test may do to it.
---
---   GET  solana            slot, heights, blockhash, fee payers, balances
---   POST solana/fund       { address, amount }     give an owner USDC, opening the token account
---   POST solana/balance    { address, amount, mint }  set it, or that of tokens of another mint
---   POST solana/sol        { address, amount }     set the SOL of a wallet
---   POST solana/drop       { address }             close an owner's token account
---   POST solana/freeze     { address, frozen }     freeze it, or thaw it with frozen = false
---   POST solana/fee_payer  { refusing }            the facilitator signs nothing, or does again
---   POST solana/noise      { address, count, memo, amount, failed, receiver }
---                          transactions of strangers that touch an owner's token account: each sends
---                          him `amount` (default "0"), carrying `memo`, or fails to. With `receiver`
---                          the money goes to that owner, and the account is named for nothing. The
---                          books do not count them
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local money = require "spraay.sandbox.money"
local address = require "spraay.sandbox.solana.address"
local keys = require "spraay.sandbox.solana.keys"
local transaction = require "spraay.sandbox.solana.transaction"

local control = { NAMES = { "fund", "balance", "sol", "drop", "freeze", "noise", "fee_payer" } }

local levers = {}

function levers.fund(chain, body, micro) chain:fund(body.address, micro) end
function levers.balance(chain, body, micro)
  local mint = body.mint and chain:account(body.mint)
  if body.mint and (not mint or mint.kind ~= "mint") then return "mint: not a mint" end
  chain:set_balance(body.address, micro, body.mint)
end
function levers.sol(chain, body, micro) chain:set_lamports(body.address, micro * 1000) end
function levers.drop(chain, body) chain:drop(body.address) end

function levers.freeze(chain, body)
  if not chain:freeze(body.address, body.frozen ~= false) then return "that owner has no token account" end
end

-- What a stranger sends: one transfer and perhaps a memo, in a message of the old kind.
local function stranger_sends(chain, stranger, body, micro, n)
  local touched = chain:tokens_of(body.address)
  local from, to = chain:tokens_of(stranger.address), body.receiver and chain:tokens_of(body.receiver) or touched
  local accounts = { stranger.address, from, to, chain.rail.asset, chain.rail.program, address.MEMO }
  if to ~= touched then accounts[7] = touched end
  local message = { string.char(1, 0, #accounts - 3, #accounts) }
  for _, name in ipairs(accounts) do message[#message + 1] = address.bytes(name) end
  message[#message + 1] = address.bytes((chain:blockhash(chain:tip())))
  local memo = body.memo or ("noise %d"):format(n)
  message[#message + 1] = ("\2\4\4\1\3\2\0\10\12%s\6\5\0"):format(("<i8"):pack(micro))
  message[#message + 1] = string.char(#memo) .. memo
  local bytes = table.concat(message)
  return assert(transaction.parse("\1" .. stranger:sign(bytes) .. bytes))
end

function levers.noise(chain, body, micro)
  local count = math.tointeger(body.count) or 1
  local memo = body.memo
  if count < 1 or count > 5000 then return "count: from 1 to 5000" end
  if memo ~= nil and (type(memo) ~= "string" or #memo > 120) then return "memo: a text of at most 120 bytes" end
  if memo and count > 1 then return "memo: one transaction at a time can carry it" end
  if body.receiver ~= nil and not address.bytes(body.receiver) then return "receiver: not an address on Solana" end
  local stranger = keys.new(core.random_bytes(32))
  chain:set_lamports(stranger.address, 1000000000000)
  chain:set_balance(stranger.address, body.failed and 0 or micro * count)
  if body.failed then micro = micro + 1 end
  local book = chain.on_landed
  chain.on_landed = nil
  for n = 1, count do assert(chain:land(stranger_sends(chain, stranger, body, micro, n))) end
  chain.on_landed = book
end

-- Levers that are not about an owner.
local general = {}

function general.fee_payer(chain, body) chain.refusing = body.refusing ~= false end

local NEEDS_AMOUNT = { fund = true, balance = true, sol = true }

--- Pull a lever.
---@param chain table
---@param name string
---@param body table
---@return table? answer
---@return string? why
function control.pull(chain, name, body)
  if general[name] then general[name](chain, body)
  else
    local lever = levers[name]
    if not lever then return nil, "no such lever" end
    if not address.bytes(body.address) then return nil, "address: not an address on Solana" end
    local micro = money.parse(body.amount or not NEEDS_AMOUNT[name] and "0" or nil)
    if not micro then return nil, "amount: a decimal string, at most six places" end
    local why = lever(chain, body, micro)
    if why then return nil, why end
  end
  return control.describe(chain)
end

--- The chain at a glance.
function control.describe(chain)
  chain:catch_up()
  local tip, balances, payers = chain:tip(), {}, {}
  for owner, micro in pairs(chain:balances()) do
    balances[owner] = { atomic = tostring(micro), usdc = money.text(micro) }
  end
  for i, key in ipairs(chain.fee_payers) do payers[i] = key.address end
  return {
    network = chain.rail.network, asset = chain.rail.asset, payTo = chain.rail.pay_to, slot = tip,
    height = chain.height(tip), finalized = chain.height(chain:head "finalized"), blockhash = (chain:blockhash(tip)),
    feePayers = payers, refusing = chain.refusing or false, balances = balances,
  }
end

return control
