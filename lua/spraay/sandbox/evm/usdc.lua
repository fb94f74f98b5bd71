--- The dollar: balances, allowances, and EIP-3009 authorizations, with the token's own sentences when it
--- refuses. Balances are integers of micro-USDC; allowances are words, since people write 2^256-1.
--- https://github.com/circlefin/stablecoin-evm ; EIP-20, EIP-3009, https://eips.ethereum.org/EIPS/eip-3009
-- SPDX-License-Identifier: MIT
local abi = require "spraay.sandbox.evm.abi"
local crypto = require "spraay.sandbox.crypto"
local u256 = require "spraay.sandbox.evm.u256"

local usdc = {}

usdc.TOPICS = {
  used = abi.topic "AuthorizationUsed(address,bytes32)",
  canceled = abi.topic "AuthorizationCanceled(address,bytes32)",
  transfer = abi.topic "Transfer(address,address,uint256)",
  approval = abi.topic "Approval(address,address,uint256)",
}
local TOPICS = usdc.TOPICS

local NOBODY = "0x" .. ("00"):rep(20)
local CANCEL_TYPE = crypto.keccak "CancelAuthorization(address authorizer,bytes32 nonce)"

--- Names under which the token's state is kept; addresses in lower case.
function usdc.balance_name(owner) return "balance " .. owner end
function usdc.allowance_name(owner, spender) return ("allowance %s %s"):format(owner, spender) end
function usdc.authorization_name(owner, nonce) return ("authorization %s %s"):format(owner, nonce) end

--- An address as an event holds it.
function usdc.topic_of(address) return "0x" .. ("0"):rep(24) .. address:sub(3) end
local topic_of = usdc.topic_of

local function hex(bytes) return "0x" .. crypto.hex(bytes) end

local function balance_of(frame, owner) return frame:load(usdc.balance_name(owner), 0) end

local function move(frame, from, to, amount)
  abi.require(from ~= NOBODY, "ERC20: transfer from the zero address")
  abi.require(to ~= NOBODY, "ERC20: transfer to the zero address")
  local micro, held = u256.integer(amount), balance_of(frame, from)
  abi.require(micro and micro <= held, "ERC20: transfer amount exceeds balance")
  frame:save(usdc.balance_name(from), held - micro)
  frame:save(usdc.balance_name(to), balance_of(frame, to) + micro)
  frame:log({ TOPICS.transfer, topic_of(from), topic_of(to) }, amount)
  return abi.word(true)
end

local functions = {}

functions["balanceOf(address)"] = function(frame, owner) return abi.word(balance_of(frame, owner)) end
functions["decimals()"] = function() return abi.word(6) end
functions["symbol()"] = function() return abi.text "USDC" end
functions["name()"] = function(frame) return abi.text(frame.chain.rail.extra.name) end
functions["version()"] = function(frame) return abi.text(frame.chain.rail.extra.version) end
functions["DOMAIN_SEPARATOR()"] = function(frame) return frame.chain.domain end
functions["nonces(address)"] = function() return abi.word(0) end       -- permits are not issued here

functions["allowance(address,address)"] = function(frame, owner, spender)
  return frame:load(usdc.allowance_name(owner, spender), u256.ZERO)
end

functions["approve(address,uint256)"] = function(frame, spender, amount)
  abi.require(spender ~= NOBODY, "ERC20: approve to the zero address")
  frame:save(usdc.allowance_name(frame.sender, spender), amount)
  frame:log({ TOPICS.approval, topic_of(frame.sender), topic_of(spender) }, amount)
  return abi.word(true)
end

functions["transfer(address,uint256)"] = function(frame, to, amount)
  return move(frame, frame.sender, to, amount)
end

functions["transferFrom(address,address,uint256)"] = function(frame, from, to, amount)
  local name = usdc.allowance_name(from, frame.sender)
  local left = u256.sub(frame:load(name, u256.ZERO), amount)
  abi.require(left, "ERC20: transfer amount exceeds allowance")
  move(frame, from, to, amount)
  frame:save(name, left)
  return abi.word(true)
end

-- ---- EIP-3009 ----------------------------------------------------------------------------------

functions["authorizationState(address,bytes32)"] = function(frame, owner, nonce)
  return abi.word(frame:load(usdc.authorization_name(owner, hex(nonce)), false) ~= false)
end

local function spend_authorization(frame, owner, nonce, canceled)
  local name = usdc.authorization_name(owner, hex(nonce))
  abi.require(frame:load(name, false) == false, "FiatTokenV2: authorization is used or canceled")
  frame:save(name, { canceled = canceled })
  frame:log({ canceled and TOPICS.canceled or TOPICS.used, topic_of(owner), hex(nonce) }, "")
end

local function signed_by(owner, digest, signature)
  local signer = crypto.signer(digest, signature)
  return signer ~= nil and hex(signer) == owner
end

local function transfer_with_authorization(frame, from, to, amount, after, before, nonce, signature)
  local now = u256.of(frame.timestamp)
  abi.require(u256.less(after, now), "FiatTokenV2: authorization is not yet valid")
  abi.require(u256.less(now, before), "FiatTokenV2: authorization is expired")
  local digest = crypto.transfer_digest(frame.chain.domain, {
    from = crypto.unhex(from, 20), to = crypto.unhex(to, 20), value = u256.digits(amount), nonce = nonce,
    valid_after = u256.digits(after), valid_before = u256.digits(before),
  })
  abi.require(signed_by(from, digest, signature), "FiatTokenV2: invalid signature")
  spend_authorization(frame, from, nonce)
  move(frame, from, to, amount)
  return ""
end

local TRANSFER = "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,"

functions[TRANSFER .. "bytes)"] = transfer_with_authorization

functions[TRANSFER .. "uint8,bytes32,bytes32)"] = function(frame, from, to, amount, after, before, nonce, v, r, s)
  return transfer_with_authorization(frame, from, to, amount, after, before, nonce, r .. s .. string.char(v))
end

functions["cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)"] = function(frame, owner, nonce, v, r, s)
  local struct = crypto.keccak(CANCEL_TYPE .. abi.words(owner, nonce))
  local digest = crypto.keccak("\x19\x01" .. frame.chain.domain .. struct)
  abi.require(signed_by(owner, digest, r .. s .. string.char(v)), "FiatTokenV2: invalid signature")
  spend_authorization(frame, owner, nonce, true)
  return ""
end

--- The contract.
---@param address string  lower case
function usdc.new(address)
  -- A proxy in front costs every call a little more.
  return { address = address, functions = abi.dispatch(functions), call_gas = 9000 }
end

return usdc
