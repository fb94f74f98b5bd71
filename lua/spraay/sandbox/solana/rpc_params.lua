--- What all calls of Solana's RPC share: reading parameters, refusing them, the slot a call is answered at.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local json = require "spraay.sandbox.json"

local params = {}

-- Errors travel as tables; anything else thrown is a bug and shall be seen.
local function fail(code, message, data) error({ code = code, message = message, data = data }, 0) end
local function bad(message) fail(-32602, message) end
params.fail, params.bad = fail, bad

local function given(value)
  if value == json.null then return nil end
  return value
end
params.given = given

--- A whole number, or nil.
---@return integer?
function params.integer(value)
  return type(value) == "number" and math.tointeger(value) or nil
end

function params.address_of(value)
  if type(value) ~= "string" then bad "Invalid params: invalid type: expected a string" end
  local bytes = core.base58_decode(value)
  if not bytes then bad "Invalid param: Invalid" end
  if #bytes ~= 32 then bad "Invalid param: WrongSize" end
  return value
end

function params.signature_of(value)
  if type(value) ~= "string" then bad "Invalid params: invalid type: expected a string" end
  local bytes = core.base58_decode(value)
  if not bytes then bad "Invalid param: Invalid" end
  if #bytes ~= 64 then bad "Invalid param: WrongSize" end
  return value
end

function params.config_of(value)
  value = given(value)
  if value == nil then return {} end
  if type(value) ~= "table" then bad "Invalid params: invalid type: expected a config" end
  return value
end

local function shown(value)
  if type(value) == "string" then return ("string %q"):format(value) end
  if type(value) == "boolean" then return ("boolean `%s`"):format(value) end
  if type(value) == "table" then return #value > 0 and "sequence" or "map" end
  return math.tointeger(value) and ("integer `%d`"):format(value) or ("floating point `%s`"):format(value)
end

--- A member of a config that must be true or false, or is absent.
---@return boolean?
function params.boolean_of(config, name)
  local value = given(config[name])
  if value ~= nil and type(value) ~= "boolean" then
    bad(("Invalid params: invalid type: %s, expected a boolean."):format(shown(value)))
  end
  return value
end

--- One that must be a number of something.
---@return integer?
function params.count_of(config, name)
  local value = given(config[name])
  if value == nil then return nil end
  local number = params.integer(value)
  if number and number >= 0 then return number end
  bad(("Invalid params: invalid %s: %s, expected u64."):format(number and "value" or "type", shown(value)))
end

local COMMITMENTS = { processed = true, confirmed = true, finalized = true }

--- Where this node's chain ends.
function params.head(chain, view, commitment)
  local behind = view.lag or 0
  if commitment == "finalized" then behind = behind + (view.unfinal or 0) end
  if commitment ~= "processed" then behind = behind + (view.unconfirmed or 0) end
  return chain:head(commitment, behind)
end

local HEALTHY_SLOTS = 128

--- Refuse where this node is too far behind the cluster.
function params.check_health(chain, view)
  local behind = math.floor((view.lag or 0) / chain.SLOT_SECONDS)
  if behind > HEALTHY_SLOTS then
    fail(-32005, ("Node is behind by %d slots"):format(behind), { numSlotsBehind = behind })
  end
end

--- The slot a call is answered at. A node that lags says so when asked for more than it has.
---@param least? boolean  nothing below "confirmed" will do
---@return integer slot
function params.slot_of(chain, view, config, least)
  local commitment = given(config.commitment) or "finalized"
  if not COMMITMENTS[commitment] then bad("Invalid params: unknown variant `" .. tostring(commitment) .. "`") end
  if least and commitment == "processed" then
    bad "Method does not support commitment below `confirmed`"
  end
  local slot = params.head(chain, view, commitment)
  local wanted = params.count_of(config, "minContextSlot")
  if wanted and slot - (view.stale or 0) // chain.SLOT_SECONDS < wanted then
    fail(-32016, "Minimum context slot has not been reached", { contextSlot = slot })
  end
  return slot
end

--- The slot that the state comes from: a split node has the blocks of now and the accounts of before.
function params.state_slot(chain, view, slot)
  return slot - math.floor((view.stale or 0) / chain.SLOT_SECONDS)
end

function params.with_context(slot, value)
  if value == nil then value = json.null end
  return { context = { slot = slot, apiVersion = "2.3.6" }, value = value }
end

return params
