--- Calls of contracts, as bytes: selectors, arguments, results, reverts. As much as the contracts of the
--- sandbox need: words, and byte strings at the end of a list.
--- https://docs.soliditylang.org/en/latest/abi-spec.html
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local u256 = require "spraay.sandbox.evm.u256"

local abi = {}

--- The four bytes of a function or an error.
function abi.selector(signature) return crypto.keccak(signature):sub(1, 4) end

--- The first topic of an event, "0x…".
function abi.topic(signature) return "0x" .. crypto.hex(crypto.keccak(signature)) end

-- Argument types to readers of a word. Dirty high bytes revert, as in Solidity since 0.8.
local readers = {}

function readers.uint256(word) return word end
function readers.bytes32(word) return word end

function readers.address(word)
  if word:sub(1, 12) ~= ("\0"):rep(12) then return nil end
  return "0x" .. crypto.hex(word:sub(13))
end

function readers.uint8(word)
  local n = u256.integer(word)
  return n and n <= 255 and n or nil
end

function readers.bytes(word, body)
  local at = u256.integer(word)
  local length = at and at + 32 <= #body and u256.integer(body:sub(at + 1, at + 32))
  if not length or length > #body - at - 32 then return nil end
  return body:sub(at + 33, at + 32 + length)
end

--- Read arguments. More bytes than wanted are ignored, as contracts do.
---@param types string[]
---@param body string  what follows the selector
---@return table? values
function abi.decode(types, body)
  if #body < 32 * #types then return nil end
  local values = {}
  for i, kind in ipairs(types) do
    values[i] = readers[kind](body:sub(32 * i - 31, 32 * i), body)
    if values[i] == nil then return nil end
  end
  return values
end

--- A word: of an integer, of 32 bytes, of "0x" and an address, of a boolean.
function abi.word(value)
  if type(value) == "boolean" then return u256.of(value and 1 or 0) end
  if type(value) == "string" then
    return #value == 32 and value or ("\0"):rep(12) .. crypto.unhex(value, 20)
  end
  return u256.of(value)
end

--- Words in a row.
function abi.words(...)
  local out = { ... }
  for i = 1, #out do out[i] = abi.word(out[i]) end
  return table.concat(out)
end

--- A lone text as a result.
function abi.text(text)
  return abi.words(32, #text) .. text .. ("\0"):rep(-#text % 32)
end

--- A call.
function abi.call(signature, ...) return abi.selector(signature) .. abi.words(...) end

--- End the call: the error of that name, its arguments as words.
function abi.revert(signature, ...) error({ revert = abi.call(signature, ...) }, 0) end

--- End the call: `require` with a sentence.
function abi.require(condition, sentence)
  if condition then return end
  error({ revert = abi.selector "Error(string)" .. abi.text(sentence) }, 0)
end

--- End the call without a word.
function abi.refuse() error({ revert = "" }, 0) end

--- The sentence of an Error(string), nil of anything else.
---@return string?
function abi.sentence(data)
  if data:sub(1, 4) ~= abi.selector "Error(string)" then return nil end
  local values = abi.decode({ "bytes" }, data:sub(5))
  return values and values[1]
end

--- A contract: functions by signature become functions by selector.
---@param functions table<string, function>  called with the frame and the arguments, return bytes
---@return table<string, table>
function abi.dispatch(functions)
  local by_selector = {}
  for signature, run in pairs(functions) do
    local types = {}
    for kind in signature:match "%((.*)%)":gmatch "[^,]+" do types[#types + 1] = kind end
    by_selector[abi.selector(signature)] = { types = types, run = run, name = signature:match "^[^(]+" }
  end
  return by_selector
end

return abi
