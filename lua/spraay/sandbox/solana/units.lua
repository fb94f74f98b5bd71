--- Compute units: how many a transaction may use, and about how many its programs take.
---
--- The figures are about those of the rewritten programs, as LiteSVM runs them (spec/interop): TransferChecked 105;
--- Memo without signers, by length: 274 (1), 287 (32), 300 (100), 400 (200), 488 (288); a request for units 150. The
--- programs before took far more (6200, and 12724 for a memo of 32): the official limit of 20000 just does for those
--- with a memo of 32 letters, and for these with any. A token account opened 25137, found 4437, both with the old.
--- https://solana.com/docs/core/fees
-- SPDX-License-Identifier: MIT
local address = require "spraay.sandbox.solana.address"

local units = { MAX = 1400000 }

local OF_PROGRAM = 200000     -- for each instruction of a program, where none are asked for
local OF_BUILTIN = 3000       -- and of what is built in

local REQUEST = 150

local costs = {
  [address.TOKEN] = function() return 105 end,
  [address.TOKEN_2022] = function() return 2600 end,
  [address.LIGHTHOUSE] = function() return 400 end,
  [address.MEMO] = function(_, instruction)
    return 200 + math.max(80, #instruction.data) + 150 * #instruction.accounts
  end,
  [address.ASSOCIATED] = function(run, instruction) return run:get(instruction.keys[2]) and 4500 or 25200 end,
}

--- About how many units an instruction takes.
---@param run table
---@param instruction table
---@return integer
function units.cost(run, instruction)
  local cost = costs[instruction.name]
  return cost and cost(run, instruction) or REQUEST
end

--- Does a program count for itself, or is it part of the validator?
function units.is_builtin(name) return name == address.COMPUTE end

-- What a request can ask for, and in how many bytes: heap, units, price, data of accounts.
local REQUESTS = { [1] = "<I4", [2] = "<I4", [3] = "<i8", [4] = "<I4" }

--- What a transaction asks for.
---@param tx table
---@return integer limit
---@return integer price    micro-lamports a unit
---@return any err          it asks wrongly, and will be in no block
function units.asked(tx)
  local asked, free = {}, 0
  for i, instruction in ipairs(tx.instructions) do
    if instruction.name == address.COMPUTE then
      local kind = instruction.data:byte()
      local format = REQUESTS[kind]
      if not format or #instruction.data ~= 1 + format:packsize() then
        return 0, 0, { InstructionError = { i - 1, "InvalidInstructionData" } }
      end
      if asked[kind] then return 0, 0, { DuplicateInstruction = i - 1 } end
      asked[kind] = format:unpack(instruction.data, 2)
      free = free + OF_BUILTIN
    else
      free = free + OF_PROGRAM
    end
  end
  local price = asked[3] or 0
  if price < 0 or price > 1 << 40 then price = 1 << 40 end        -- negative: beyond 63 bits
  return math.min(asked[2] or free, units.MAX), price
end

return units
