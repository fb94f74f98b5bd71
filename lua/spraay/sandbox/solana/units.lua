--- Compute units: how many a transaction may use, and about how many its programs take.
---
--- The figures are what validators logged, rounded up; real ones differ by some percent with the version of
--- a program, the letters of a memo and the bump of an address. They are here so that a limit which is far
--- too low fails, and the official 20000 just does for a transfer with 32 letters of memo, as on the chain.
---   TransferChecked 6173 to 6462 (a rewritten token program takes 105; that of 2022 about 2560)
---   Memo without signers, by length: 12724 (32), 13505 (34), 22940 (60), 102665 (288); one signer
---   and 7 letters 17391. A token account opened 25137, found 4437. A request for units 150
--- https://solana.com/docs/core/fees
-- SPDX-License-Identifier: MIT
local address = require "spraay.sandbox.solana.address"

local units = { MAX = 1400000 }

local OF_PROGRAM = 200000     -- for each instruction of a program, where none are asked for
local OF_BUILTIN = 3000       -- and of what is built in

local REQUEST = 150

local costs = {
  [address.TOKEN] = function() return 6200 end,
  [address.TOKEN_2022] = function() return 2600 end,
  [address.LIGHTHOUSE] = function() return 400 end,
  [address.MEMO] = function(_, instruction) return 1500 + 350 * #instruction.data + 13300 * #instruction.accounts end,
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
