--- What goes wrong with a transaction, as validators and nodes word it.
--- An error is its name, or a table with its one member: { InstructionError = { index, reason } },
--- a reason being a name again or { Custom = number }.
--- https://docs.rs/solana-transaction-error , https://docs.rs/solana-instruction-error ; the token program's
--- own numbers: https://docs.rs/spl-token/latest/spl_token/error/enum.TokenError.html
-- SPDX-License-Identifier: MIT
local json = require "spraay.sandbox.json"

local errors = {}

local SENTENCES = {
  AccountNotFound = "Attempt to debit an account but found no record of a prior credit.",
  InsufficientFundsForFee = "Insufficient funds for fee",
  InvalidAccountForFee = "This account may not be used to pay transaction fees",
  BlockhashNotFound = "Blockhash not found",
  AlreadyProcessed = "This transaction has already been processed",
  ProgramAccountNotFound = "Attempt to load a program that does not exist",
  SignatureFailure = "Transaction did not pass signature verification",
}

local REASONS = {
  InvalidInstructionData = "invalid instruction data",
  InvalidAccountData = "invalid account data for instruction",
  IncorrectProgramId = "incorrect program id for instruction",
  MissingRequiredSignature = "missing required signature for instruction",
  ReadonlyDataModified = "instruction modified data of a read-only account",
  NotEnoughAccountKeys = "insufficient account keys for instruction",
  InvalidSeeds = "Provided seeds do not result in a valid address",
  IllegalOwner = "Provided owner is not allowed",
  ComputationalBudgetExceeded = "Computational budget exceeded",
  ProgramFailedToComplete = "Program failed to complete",
}

local TOKEN = {
  [1] = "insufficient funds", [3] = "Account not associated with this Mint", [4] = "owner does not match",
  [17] = "Account is frozen", [18] = "decimals different from the Mint decimals",
}

--- Why an instruction failed.
---@return string
function errors.reason(reason)
  if type(reason) == "table" then return ("custom program error: 0x%x"):format(reason.Custom) end
  return REASONS[reason] or reason
end

--- What the token program says of it before it gives up.
function errors.of_token(reason)
  return type(reason) == "table" and TOKEN[reason.Custom] or errors.reason(reason)
end

--- A transaction error as people read it.
---@return string
function errors.sentence(err)
  if type(err) ~= "table" then return SENTENCES[err] or err end
  if err.DuplicateInstruction then
    return ("Transaction contains a duplicate instruction (%d) that is not allowed"):format(err.DuplicateInstruction)
  end
  if err.InsufficientFundsForRent then
    return ("Transaction results in an account (%d) with insufficient funds for rent")
      :format(err.InsufficientFundsForRent.account_index)
  end
  local index, reason = err.InstructionError[1], err.InstructionError[2]
  return ("Error processing Instruction %d: %s"):format(index, errors.reason(reason))
end

--- A transaction error as JSON.
function errors.json(err)
  if err == nil then return json.null end
  if type(err) ~= "table" or not err.InstructionError then return err end
  return { InstructionError = json.array{ err.InstructionError[1], err.InstructionError[2] } }
end

return errors
