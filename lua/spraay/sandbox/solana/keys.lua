--- Ed25519 keys of the sandbox: throwaways, nothing that ever held a coin.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local address = require "spraay.sandbox.solana.address"

local keys = {}
keys.__index = keys
keys.__name = "spraay.sandbox.solana.keys"

---@param seed string  32 bytes
function keys.new(seed)
  local public = assert(core.ed25519_public(seed))
  return setmetatable({ seed = seed, public = public, address = address.text(public) }, keys)
end

--- The facilitator's n-th key, the same in every sandbox.
function keys.fee_payer(n)
  return keys.new(core.sha256(("spraay sandbox fee payer %d"):format(n)))
end

function keys:sign(message) return assert(core.ed25519_sign(self.seed, message)) end

--- Seed and public half in base58, as wallets export a key.
function keys:export() return address.text(self.seed .. self.public) end

return keys
