-- SPDX-License-Identifier: MIT
--- Signing a step of a deposit or refund: its gas, its fee, its nonce, and what all of that may cost at most.
--
-- The core builds the transaction and has it on record before it is handed out; it refuses what is out of turn, under
-- another nonce or beyond the cap on gas (src/client/evm_sender.h). `self` is a run of evm/sender.lua.
local compat = require "spraay.compat"
local fees = require "spraay.evm.fees"
local json = require "spraay.json"
local purchases = require "spraay.purchases"
local records = require "spraay.evm.records"
local rpc = require "spraay.evm.rpc"
local wei = require "spraay.evm.wei"

local signing = {}

local fail, unusable = records.fail, records.unusable

local function sign(self, name, offer)
  local row, why = records.operate(self, "sign", name, { nonce = compat.integer_text(offer.nonce),
    gas = compat.integer_text(offer.gas), max_fee = offer.max_fee, max_tip = offer.max_tip })
  if row then
    row.fate = "open"
    self.rows[#self.rows + 1] = row
    return row
  end
  if why.code == "REFUSED" then return nil, "REFUSED" end
  if why.code == "RANGE" then
    return fail(self, { kind = "connection", code = "rpc", hint = "Name another RPC with rpc =",
      message = ("what the RPC says of gas makes no sense: %s units of it, at %s wei"):format(
        compat.integer_text(offer.gas), offer.max_fee) })
  end
  if why.code == "KEY" or why.code == "SIGNATURE" then
    return fail(self, { kind = "wallet", code = "missing", message = "the wallet could not sign: " .. why.message })
  end
  return records.failed(self, why, "record the transaction, so it was not sent")
end

-- `earlier`: by itself it would not be too much.
local function over_gas(self, most, earlier)
  return fail(self, { kind = "policy", code = "over_gas",
    message = ("gas may cost %s, %smore than gas.max_eth allows (%s)"):format(wei.shown(most, self.gas.price),
      earlier and "with what was signed for this one before " or "", wei.shown(self.gas.cap, self.gas.price)),
    hint = not earlier and #most <= 18
      and ("Allow it with gas = { max_eth = \"%s\" }, or wait for lower fees"):format(wei.ether(most))
      or earlier and "Allow more with gas = { max_eth = … }"
      or "Wait for lower fees, or name another RPC with rpc =" })
end

--- A higher fee under the same nonce. The new row, false when the cap forbids it; or nil, message, err.
function signing.raise(self, row)
  local market = fees.market(self.node)
  if not market then return false end   -- it is looked at again
  local offer = fees.raised(row, market)
  offer.nonce, offer.gas = row.nonce, row.gas
  if #offer.max_fee > 18 then
    self.capped = true
    return false
  end
  local higher, message, err = sign(self, row.step, offer)
  if higher then return higher end
  if message ~= "REFUSED" then return nil, message, err end
  self.capped = true
  return false
end

-- The next nonce of the wallet. All of ours are mined by now, so what the node says is what is next; a node
-- that has not seen our last one is behind.
local function next_nonce(self)
  local last
  for _, row in ipairs(self.rows) do
    if not row.foreign and (row.fate == "done" or row.fate == "reverted")
      and (not last or row.nonce > last.nonce) then
      last = row
    end
  end
  while true do
    local mined, why = self.node:number("eth_getTransactionCount", { self.payer, "latest" })
    if not mined then return unusable(self, why) end
    if not last or mined > last.nonce then
      local pending = self.node:number("eth_getTransactionCount", { self.payer, "pending" })
      return pending and pending > mined and pending or mined
    end
    local block = self.node:call("eth_getBlockByNumber", { rpc.quantity(last.block), false })
    local hash = json.get(block, "hash")
    if hash and last.block_hash ~= "" and hash ~= last.block_hash then last = nil end   -- a chain begun anew
    if self.node:is_over() then
      return fail(self, { kind = "connection", code = "rpc_lagging",
        message = ("the RPC has not seen the wallet's transaction %s of block %d yet"):format(
          last and rpc.hex(last.hash) or "?", last and last.block or 0),
        hint = "Call again later, or name another RPC with rpc =" })
    end
    if last and not self.node:pause(0.5) then return unusable(self, { kind = "cancelled" }) end
  end
end

-- Gas for a call of ours; where the chain says that it would revert, the reason. Returns a number, or false and
-- the reason, or nil, message, err.
local function estimate(self, to, data)
  local gas, why = self.node:number("eth_estimateGas", { { from = self.payer, to = to, data = rpc.hex(data) } })
  if gas then return fees.with_margin(gas) end
  local reason, name = rpc.revert(why)
  if reason then return false, reason, name end
  return unusable(self, why)
end

local function ether_is_enough(self, most)
  local has, why = self.node:quantity("eth_getBalance", { self.payer, "latest" })
  if not has then return unusable(self, why) end
  if wei.compare(has, most) >= 0 then return true end
  return fail(self, { kind = "wallet", code = "gas",
    message = ("the wallet %s holds %s on %s, and gas may cost %s"):format(self.payer, wei.shown(has, self.gas.price),
      purchases.network_name(self.spec.network), wei.shown(most, self.gas.price)),
    hint = "Send it some ETH for gas, then call again" })
end

--- Sign a step. `reserve_gas` is what steps after it will need. Returns its row, or false and the reason why the chain
-- would not run it; nil, message, err.
function signing.step(self, name, to, data, reserve_gas)
  local gas, message, err = estimate(self, to, data)
  if not gas then return gas, message, err end
  local offer, why = fees.market(self.node)
  if not offer then return unusable(self, why) end
  local most = fees.most(gas + (reserve_gas or 0), offer)
  if wei.compare(most, self.gas.cap) > 0 or #offer.max_fee > 18 then return over_gas(self, most) end
  local enough
  enough, message, err = ether_is_enough(self, most)
  if not enough then return nil, message, err end
  offer.gas = gas
  offer.nonce, message, err = next_nonce(self)
  if not offer.nonce then return nil, message, err end
  local row
  row, message, err = sign(self, name, offer)
  if not row then
    if message == "REFUSED" then return over_gas(self, most, true) end
    return nil, message, err
  end
  return row
end

return signing
