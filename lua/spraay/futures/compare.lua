-- SPDX-License-Identifier: MIT
--- What the gateway writes out to be signed, held against what is going to be signed: byte for byte. It is never
-- signed itself; whatever differs, or is there beside what is known, ends the deposit or refund before it began.
local call = require "spraay.call"
local core = require "spraay.core"
local dialect = require "spraay.futures.dialect"
local errors = require "spraay.errors"
local json = require "spraay.json"
local money = require "spraay.money"
local rpc = require "spraay.evm.rpc"
local shared = require "spraay.futures.shared"
local wallets = require "spraay.wallet"

local compare = {}

local MEMBERS = { to = true, data = true, value = true, chainId = true, description = true }

local function same_address(text, address)
  local parsed = type(text) == "string" and core.evm_address_parse(text, "checksum")
  return parsed ~= nil and parsed ~= false and parsed == core.evm_address_parse(address, "checksum")
end

-- How a transaction differs from the one that is meant, as a clause; nil when it does not.
local function differs(tx, want)
  if type(tx) ~= "table" then return "is none" end
  for key in pairs(tx) do
    if not MEMBERS[key] then return "has " .. errors.show(key) .. " in it" end
  end
  if not same_address(json.get(tx, "to"), want.to) then return "goes to another address" end
  if json.get(tx, "data") ~= rpc.hex(want.data) then return "calls something else" end
  if json.get(tx, "value") ~= "0x0" then return "sends ether along" end
  if json.get(tx, "chainId") ~= want.chain_id then return "is for another chain" end
  local description = json.get(tx, "description")
  if description ~= nil and type(description) ~= "string" then return "is described by something that is no text" end
  return nil
end

local function altered(where, answer, what)
  return errors.fail { kind = "policy", code = "altered", body = answer.body, paid = call.paid_word(answer.payment),
    amount = answer.payment.amount, purchase = answer.payment.purchase,
    message = ("%s: what the gateway wants signed is not what was asked for: %s; nothing was signed"):format(where,
      what),
    hint = "Leave confirm out to sign only what is put together here, or ask the gateway's operator; the answer is "
      .. "in err.body" }
end

-- Is the answer sign_required, with the contract that is meant? A clause when not.
local function strange(body, place)
  if json.get(body, "status") ~= "sign_required" then return "its status is not sign_required" end
  if not same_address(json.get(json.get(body, "contract"), "address"), place.contract) then
    return "it names another contract"
  end
  return nil
end

local function usdc_of(network)
  for _, asset in ipairs(core.x402_assets()) do
    if asset.usdc and asset.network == network then return asset.asset end
  end
end

local function chain_of(place)
  return tonumber(place.network:match "^eip155:(%d+)$")
end

local function ask(client, name, body, opts, where, judge)
  local asked = {}   -- what bounds the deposit does not bound the gateway's fee
  for key, value in pairs(opts) do
    if key == "total_ms" or key == "timeout" or key == "headers" then asked[key] = value end
  end
  local answer, handle, err = shared.ask(client, name, body, asked, nil, where, "escrow")
  if not answer then return nil, handle, err end
  local told = dialect.of(answer.body)
  if told == "ledger" then
    call.hand_over(handle)
    return dialect.surprise(client, where, told, answer.body, answer.payment)
  end
  local why = judge(answer.body)
  if not why then return handle, answer.payment end   -- to be handed over with the deposit or refund
  call.hand_over(handle)
  return altered(where, answer, why)
end

--- Have the gateway write out a deposit, and compare. Returns the core's call, due to be handed over; or nil,
-- message, err.
function compare.deposit(client, place, atomic, opts, where)
  local depositor = wallets.on(client.config.wallets, "evm") and wallets.on(client.config.wallets, "evm"):address()
  local asset = usdc_of(place.network)
  local want = {
    { to = asset, data = core.abi_call("approve", place.contract, atomic), chain_id = chain_of(place) },
    { to = place.contract, data = core.abi_call("deposit", atomic), chain_id = chain_of(place) },
  }
  return ask(client, "deposit", { depositor = depositor, amount = money.short(atomic), expiresInDays = 90 }, opts,
    where, function(body)
      local why = strange(body, place)
      if why then return why end
      if json.get(body, "transaction") ~= nil then return "it writes out another transaction beside the two" end
      local list = json.get(body, "transactions")
      if type(list) ~= "table" or #list ~= 2 then return "it does not write out two transactions" end
      for key in pairs(list) do
        if key ~= 1 and key ~= 2 then return "it does not write out two transactions" end
      end
      for i = 1, 2 do
        why = differs(list[i], want[i])
        if why then return ("transaction %d %s"):format(i, why) end
      end
    end)
end

--- The same of a refund.
function compare.refund(client, place, opts, where)
  local depositor = wallets.on(client.config.wallets, "evm"):address()
  local want = { to = place.contract, data = core.abi_call "refund", chain_id = chain_of(place) }
  return ask(client, "refund", { depositor = depositor }, opts, where, function(body)
    local why = strange(body, place)
    if why then return why end
    if json.get(body, "transactions") ~= nil then return "it writes out more than one transaction" end
    why = differs(json.get(body, "transaction"), want)
    return why and "the transaction " .. why or nil
  end)
end

return compare
