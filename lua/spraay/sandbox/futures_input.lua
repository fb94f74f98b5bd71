--- What both dialects of the compute futures ask of their input, in the gateway's own order and words.
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local js = require "spraay.sandbox.js"

local input = {}

--- An address as the gateway's library takes it: mixed case must carry its checksum, a missing 0x is
--- forgiven.
---@return string? address  "0x…" in lower case
function input.address(text)
  if type(text) ~= "string" then return nil end
  if not text:find("^0x") then text = "0x" .. text end
  return crypto.parse_address(text) and text:lower()
end

-- What the money parser of the gateway says about an amount it cannot take.
local function amount_trouble(amount)
  if type(amount) ~= "string" then return "value must be a string" end
  local _, fraction = amount:match("^(%d+)%.?(%d*)$")
  if not fraction then return ("invalid FixedNumber string value (value=%q)"):format(amount) end
  if #fraction:gsub("0+$", "") > 6 then return "too many decimals for format (decimals=6)" end
end

--- Refuse a depositor or an amount of a deposit; what cannot be parsed at all is thrown.
---@return integer? status
---@return table? refusal
function input.refuse_deposit(depositor, amount)
  if not input.address(depositor) then return 400, { error = "Invalid depositor address" } end
  local value = js.parse_float(amount)
  if not value or value < 1 then return 400, { error = "Minimum deposit is $1 USDC" } end
  local trouble = amount_trouble(amount)
  if trouble then error({ details = trouble }, 0) end
end

--- An amount that passed, in micro-USDC, as digits.
---@return string
function input.micro_digits(amount)
  local whole, fraction = amount:match("^(%d+)%.?(%d*)$")
  fraction = fraction:gsub("0+$", "")
  return ((whole .. fraction .. ("0"):rep(6 - #fraction)):gsub("^0+(%d)", "%1"))
end

--- The first field a kind of job needs and a body lacks.
---@param needed table<string, string[]>  kind -> field, sentence
---@return string? sentence
function input.lacking(needed, kind, body)
  local field, sentence = table.unpack(needed[kind])
  local there
  if field == "messages" then there = js.is_array(body.messages) else there = js.truthy(body[field]) end
  return not there and sentence or nil
end

return input
