--- X-Solana-Tx: a request that names a transfer its sender made and paid for before.
---
--- Looked at on the GPU routes only, and there before the gate. The money has moved before the handler
--- runs; whatever the handler says, nothing comes back.
-- SPDX-License-Identifier: MIT
local errors = require "spraay.sandbox.solana.errors"
local json = require "spraay.sandbox.json"
local money = require "spraay.sandbox.money"
local reply = require "spraay.sandbox.reply"

local self_paid = {}

local MAX_AGE = 300

-- 60000 to "0.06".
local function dollars(micro) return (money.text(micro):gsub("0+$", "")) end

--- The gateway's refusal of a signature.
---@param rail table
---@param price integer
---@param detail string
function self_paid.refusal(rail, price, detail)
  return reply.json(402, {
    error = "Solana payment verification failed", detail = detail, chain = "solana",
    required_amount = dollars(price), receive_address = rail.pay_to, usdc_mint = rail.asset,
  })
end

local function failure_text(err) return type(err) == "table" and json.encode(errors.json(err)) or err end

---@param chain table
---@param signature string  the header
---@param price integer     micro-USDC
---@return table? transfer
---@return string? detail   why not
function self_paid.find(chain, signature, price)
  chain:catch_up()
  local entry = chain:find(signature, chain:head "confirmed")
  if not entry then return nil, "Transaction not found or not yet confirmed" end
  if entry.err then return nil, "Transaction failed: " .. failure_text(entry.err) end
  local age = chain.clock:seconds() - entry.time
  if age > MAX_AGE then return nil, ("Transaction too old: %ds (max %ds)"):format(age, MAX_AGE) end
  local rail = chain.rail
  for _, move in ipairs(entry.transfers) do
    if move.mint == rail.asset and move.receiver == rail.pay_to then
      if move.amount >= price then return move end
      return nil, ("Insufficient amount: %s USDC (required %s)"):format(dollars(move.amount), dollars(price))
    end
  end
  return nil, "No USDC transfer to Spraay receive address found in transaction"
end

return self_paid
