--- What a transaction does to accounts: the programs a payment can touch, in miniature.
---
--- `bank.run` changes nothing. It says what would become of every account, or at which instruction
--- and why the transaction fails, in the words of a validator (errors.lua).
-- SPDX-License-Identifier: MIT
local address = require "spraay.sandbox.solana.address"
local errors = require "spraay.sandbox.solana.errors"
local transaction = require "spraay.sandbox.solana.transaction"
local units = require "spraay.sandbox.solana.units"

local bank = {
  SIGNATURE_FEE = 5000,         -- lamports
  TOKEN_RENT = 2039280,         -- what a token account must hold
  WALLET_RENT = 890880,         -- and a wallet, unless it holds nothing
}

-- An instruction's failure, thrown; only `run` catches it.
local function fail(why) error({ instruction_error = why }, 0) end
local function custom(number) fail{ Custom = number } end

local FUNDS, MINT, OWNER, FROZEN, DECIMALS = 1, 3, 4, 17, 18    -- of TokenError

-- ---- the programs -------------------------------------------------------------------------------

local programs = {}

-- Its numbers were read before anything ran (units.lua).
programs[address.COMPUTE] = function() end

-- A text in quotation marks, as Rust shows it to programmers.
local function debug_text(text)
  return '"' .. text:gsub('[\\"]', "\\%0"):gsub("\n", "\\n"):gsub("\r", "\\r"):gsub("\t", "\\t")
    :gsub("[%z\1-\31\127]", function(c) return ("\\u{%x}"):format(c:byte()) end) .. '"'
end

programs[address.MEMO] = function(run, instruction)
  local missing
  for i, index in ipairs(instruction.accounts) do
    if run.tx:is_signer(index) then run:say("Signed by %s", instruction.keys[i]) else missing = true end
  end
  if missing then fail "MissingRequiredSignature" end
  if not utf8.len(instruction.data) then fail "InvalidInstructionData" end
  run:say("Memo (len %d): %s", #instruction.data, debug_text(instruction.data))
end

-- Its assertions are about accounts this chain does not have.
programs[address.LIGHTHOUSE] = function() end

local function token_account(run, name, program)
  local account = run:get(name)
  if not account or account.kind ~= "token" or account.program ~= program then fail "InvalidAccountData" end
  return account
end

local function move(run, instruction, checked)
  local at = checked and { source = 1, mint = 2, destination = 3, authority = 4 }
    or { source = 1, destination = 2, authority = 3 }
  local keys, program = instruction.keys, instruction.name
  if #keys < at.authority then fail "NotEnoughAccountKeys" end
  local amount = ("<i8"):unpack(instruction.data, 2)
  local source = token_account(run, keys[at.source], program)
  local destination = token_account(run, keys[at.destination], program)
  if source.state == "frozen" or destination.state == "frozen" then custom(FROZEN) end
  if amount < 0 or source.amount < amount then custom(FUNDS) end    -- negative: beyond 63 bits
  if source.mint ~= destination.mint then custom(MINT) end
  if checked then
    if source.mint ~= keys[at.mint] then custom(MINT) end
    if run:get(keys[at.mint]).decimals ~= instruction.data:byte(10) then custom(DECIMALS) end
  end
  if source.owner ~= keys[at.authority] then custom(OWNER) end
  if not run.tx:is_signer(instruction.accounts[at.authority]) then fail "MissingRequiredSignature" end
  for _, role in ipairs{ "source", "destination" } do
    if not run.tx:is_writable(instruction.accounts[at[role]]) then fail "ReadonlyDataModified" end
  end
  run:put(keys[at.source], { amount = source.amount - amount })
  run:put(keys[at.destination], { amount = run:get(keys[at.destination]).amount + amount })
  run.transfers[#run.transfers + 1] = {
    source = keys[at.source], destination = keys[at.destination], mint = source.mint, amount = amount,
    payer = source.owner, receiver = destination.owner,
  }
end

local function token(run, instruction)
  local kind, size = instruction.data:byte() or 255, #instruction.data
  local checked = kind == 12 and size >= 10
  if not checked and not (kind == 3 and size >= 9) then fail "InvalidInstructionData" end
  run:say("Instruction: %s", checked and "TransferChecked" or "Transfer")
  local ok, why = pcall(move, run, instruction, checked)
  if ok then return end
  if type(why) == "table" then run:say("Error: %s", errors.of_token(why.instruction_error)) end
  error(why, 0)
end
programs[address.TOKEN], programs[address.TOKEN_2022] = token, token

-- Accounts: payer, the new account, its owner, mint, system program, token program.
programs[address.ASSOCIATED] = function(run, instruction)
  local keys, data = instruction.keys, instruction.data
  if data ~= "" and data ~= "\0" and data ~= "\1" then fail "InvalidInstructionData" end
  if #keys < 6 then fail "NotEnoughAccountKeys" end
  local mint = run:get(keys[4])
  if not mint or mint.kind ~= "mint" or mint.program ~= keys[6] then fail "IncorrectProgramId" end
  if address.of_tokens(keys[3], keys[4], keys[6]) ~= keys[2] then fail "InvalidSeeds" end
  if run:get(keys[2]) then
    if data == "\1" and run:get(keys[2]).owner == keys[3] then return end
    fail "IllegalOwner"
  end
  if not run.tx:is_signer(instruction.accounts[1]) then fail "MissingRequiredSignature" end
  local payer = run:get(keys[1])
  if not payer or payer.lamports < bank.TOKEN_RENT then custom(1) end
  run:put(keys[1], { lamports = payer.lamports - bank.TOKEN_RENT })
  run:put(keys[2], { kind = "token", program = keys[6], mint = keys[4], owner = keys[3], amount = 0,
                     state = "initialized", lamports = bank.TOKEN_RENT })
end

-- ---- running ------------------------------------------------------------------------------------

local run_mt = {}
run_mt.__index = run_mt

--- An account as this transaction has left it so far.
function run_mt:get(name) return self.changed[name] or self.accounts(name) end

function run_mt:put(name, fields)
  local account = {}
  for field, value in pairs(self:get(name) or {}) do account[field] = value end
  for field, value in pairs(fields) do account[field] = value end
  self.changed[name] = account
end

--- A line of the log, by the program that runs.
function run_mt:say(format, ...) self.logs[#self.logs + 1] = "Program log: " .. format:format(...) end

--- What a transaction pays for being carried, in lamports.
---@return integer
function bank.fee(tx)
  local limit, price = units.asked(tx)
  return bank.SIGNATURE_FEE * tx.required + (limit * price + 999999) // 1000000
end

---@class spraay.sandbox.solana.Run
---@field err any          nil: it succeeds; else a transaction error
---@field fee integer      lamports; 0 when it never comes that far
---@field units integer    compute units used
---@field carried boolean  the fee payer pays: it would be on chain, be it as a failure
---@field changed table    address -> account, after
---@field transfers table[] token transfers it made
---@field logs string[]

-- One instruction, if there are units for it; whoever runs out has used them all.
---@param left integer  units
---@return integer used
---@return any reason   why it failed
local function run_one(run, instruction, left)
  local name, cost = instruction.name, units.cost(run, instruction)
  local builtin = units.is_builtin(name)
  local reason, text
  run.logs[#run.logs + 1] = ("Program %s invoke [1]"):format(name)
  if cost > left then
    cost, reason = left, builtin and "ComputationalBudgetExceeded" or "ProgramFailedToComplete"
    text = not builtin and "exceeded CUs meter at BPF instruction" or nil
  else
    local ok, why = pcall(programs[name], run, instruction)
    if not ok and type(why) ~= "table" then error(why, 0) end           -- a bug of ours
    reason = not ok and why.instruction_error or nil
  end
  if not builtin then
    run.logs[#run.logs + 1] = ("Program %s consumed %d of %d compute units"):format(name, cost, left)
  end
  run.logs[#run.logs + 1] = reason and ("Program %s failed: %s"):format(name, text or errors.reason(reason))
    or ("Program %s success"):format(name)
  return cost, reason
end

-- A wallet that a transaction leaves with less than it must hold, and that had enough.
---@return table? err
local function short_of_rent(run)
  for i, name in ipairs(run.tx.accounts) do
    local before, after = run.accounts(name), run.changed[name]
    if after and after.kind == "wallet" and after.lamports > 0 and after.lamports < bank.WALLET_RENT
       and before and before.lamports >= bank.WALLET_RENT then
      return { InsufficientFundsForRent = { account_index = i - 1 } }
    end
  end
end

--- Run a transaction against accounts.
---@param tx table
---@param accounts fun(name: string): table?
---@return spraay.sandbox.solana.Run
function bank.run(tx, accounts)
  local fee, limit, _, err = bank.fee(tx), units.asked(tx)
  local run = setmetatable({ tx = tx, accounts = accounts, changed = {}, transfers = {}, logs = {},
                             err = err, fee = 0, units = 0, carried = false }, run_mt)
  if err then return run end
  local payer = accounts(tx.accounts[1])
  if not payer then run.err = "AccountNotFound"; return run end
  if payer.kind ~= "wallet" then run.err = "InvalidAccountForFee"; return run end
  if payer.lamports < fee then run.err = "InsufficientFundsForFee"; return run end
  for _, instruction in ipairs(tx.instructions) do
    if not programs[instruction.name] then run.err = "ProgramAccountNotFound"; return run end
  end
  run:put(tx.accounts[1], { lamports = payer.lamports - fee })
  run.err = short_of_rent(run)
  if run.err then
    run.changed = {}
    return run
  end
  run.fee, run.carried = fee, true
  local paid = run.changed[tx.accounts[1]]
  for i, instruction in ipairs(tx.instructions) do
    local used, reason = run_one(run, instruction, limit - run.units)
    run.units = run.units + used
    if reason then
      run.err = { InstructionError = { i - 1, reason } }
      break
    end
  end
  run.err = run.err or short_of_rent(run)
  if run.err then run.changed, run.transfers = { [tx.accounts[1]] = paid }, {} end
  return run
end

--- The token transfer that a transaction asks for, without running it.
function bank.first_transfer(tx)
  for _, instruction in ipairs(tx.instructions) do
    local found = transaction.transfer_of(instruction)
    if found then return found end
  end
end

return bank
