--- A Solana transaction, taken apart: signatures, then a message of version 0 or of the old kind.
---
--- Strict, as the validators are: numbers in their shortest form, no byte left over, every index
--- inside the list it points into, no account named twice. Address lookup tables do not exist on the
--- sandbox's chain, so a message that asks for one cannot be read.
--- https://solana.com/docs/core/transactions
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local address = require "spraay.sandbox.solana.address"

local transaction = {}
transaction.__index = transaction
transaction.__name = "spraay.sandbox.solana.transaction"

local MAX_BYTES = 1232    -- what fits a packet

-- ---- reading ------------------------------------------------------------------------------------

-- Trouble travels as a string thrown without a position; only `parse` below catches it.
local function fail(text) error(text, 0) end

local cursor = {}
cursor.__index = cursor

function cursor:take(n)
  local at = self.at
  if at + n - 1 > #self.text then fail "it breaks off" end
  self.at = at + n
  return self.text:sub(at, at + n - 1)
end

function cursor:byte() return self:take(1):byte() end

-- compact-u16: seven bits a byte, lowest first, at most three bytes, never longer than needed.
function cursor:length()
  local value = 0
  for i = 0, 2 do
    local byte = self:byte()
    value = value | (byte & 0x7f) << (7 * i)
    if byte < 0x80 then
      if i > 0 and byte == 0 then fail "a length is longer than it needs to be" end
      if value > 0xffff then fail "a length is too large" end
      return value
    end
  end
  fail "a length does not end"
end

local function read_instruction(self, count)
  local program = self:byte()
  if program == 0 or program >= count then fail "a program index points nowhere" end
  local accounts = {}
  for i = 1, self:length() do
    local index = self:byte()
    if index >= count then fail "an account index points nowhere" end
    accounts[i] = index + 1
  end
  return { program = program + 1, accounts = accounts, data = self:take(self:length()) }
end

local function read_message(self)
  local message = { version = "legacy" }
  local first = self:byte()
  if first >= 0x80 then
    if first ~= 0x80 then fail "an unknown version" end
    message.version, first = 0, self:byte()
  end
  message.required, message.readonly_signed, message.readonly_unsigned = first, self:byte(), self:byte()
  local accounts, seen = {}, {}
  for i = 1, self:length() do
    accounts[i] = address.text(self:take(32))
    if seen[accounts[i]] then fail "an account stands in it twice" end
    seen[accounts[i]] = true
  end
  if message.required == 0 or message.readonly_signed >= message.required
     or message.required + message.readonly_unsigned > #accounts then
    fail "its header does not fit its accounts"
  end
  message.accounts, message.blockhash = accounts, address.text(self:take(32))
  message.instructions = {}
  for i = 1, self:length() do message.instructions[i] = read_instruction(self, #accounts) end
  if message.version == 0 and self:length() > 0 then fail "it asks for an address lookup table" end
  if self.at <= #self.text then fail "bytes are left over" end
  return message
end

local function read(text)
  if #text > MAX_BYTES then fail "it does not fit a packet" end
  local self = setmetatable({ text = text, at = 1 }, cursor)
  local signatures = {}
  for i = 1, self:length() do signatures[i] = self:take(64) end
  local start = self.at
  local message = read_message(self)
  if message.required ~= #signatures then fail "it has another number of signatures than signers" end
  message.signatures, message.bytes, message.wire = signatures, text:sub(start), text
  -- Instructions with names in place of indices.
  for _, instruction in ipairs(message.instructions) do
    instruction.name = message.accounts[instruction.program]
    instruction.keys = {}
    for i, index in ipairs(instruction.accounts) do instruction.keys[i] = message.accounts[index] end
  end
  return message
end

--- Take a transaction apart.
---@param text string  its bytes
---@return table? transaction  signatures, bytes (of the message), version, required, accounts, blockhash,
---                            instructions { name (of the program), keys, accounts (indices), data }
---@return string? why
function transaction.parse(text)
  local ok, parsed = pcall(read, text)
  if not ok then return nil, parsed end
  return setmetatable(parsed, transaction)
end

-- ---- asking -------------------------------------------------------------------------------------

function transaction:is_signer(index) return index <= self.required end

function transaction:is_writable(index)
  if index <= self.required then return index <= self.required - self.readonly_signed end
  return index <= #self.accounts - self.readonly_unsigned
end

--- What names a transaction that nobody has paid the fee of yet: its message.
---@return string 32 bytes
function transaction:digest() return core.sha256(self.bytes) end

--- Did the n-th signer sign?
function transaction:signed_by(n)
  return core.ed25519_verify(self.signatures[n], self.bytes, address.bytes(self.accounts[n]))
end

--- The whole again, with the fee payer's signature in its place.
---@param signature string  64 bytes
---@return table transaction
function transaction:countersigned(signature)
  return assert(transaction.parse(self.wire:sub(1, 1) .. signature .. self.wire:sub(66)))
end

--- Its name on chain: the first signature.
---@return string base58
function transaction:id() return address.text(self.signatures[1]) end

--- A transfer of tokens, read; nil for any other instruction.
---@return table? transfer  program, source, mint, destination, authority, amount, decimals
function transaction.transfer_of(instruction)
  local program = instruction.name
  if program ~= address.TOKEN and program ~= address.TOKEN_2022 then return nil end
  local keys, data = instruction.keys, instruction.data
  if data:byte() ~= 12 or #data ~= 10 or #keys < 4 then return nil end
  local amount, decimals = ("<i8B"):unpack(data, 2)
  return { program = program, source = keys[1], mint = keys[2], destination = keys[3], authority = keys[4],
           amount = amount, decimals = decimals }
end

--- Its memos, in order.
---@return string[]
function transaction:memos()
  local found = {}
  for _, instruction in ipairs(self.instructions) do
    if instruction.name == address.MEMO then found[#found + 1] = instruction.data end
  end
  return found
end

return transaction
