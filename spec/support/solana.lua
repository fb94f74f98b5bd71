--- A payer on Solana of a few lines, for specs that want to pay a gateway by hand: builds the
--- transaction byte by byte, signs with spraay.core, sends. Like spec.support.payer it has no caution.
---   local alice = solana.payer(box)                  -- a key of its own, with 100 USDC and a SOL
---   alice:pay("POST", path, body, { memo = "…" })    -- answer, why, header
---   solana.rpc(box, "getSlot", { { commitment = "confirmed" } })
---   solana.lever(box, "freeze", { address = alice.address })
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"
local payer = require "spec.support.payer"

local solana = {
  USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
  TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
  TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
  COMPUTE = "ComputeBudget111111111111111111111111111111",
  ASSOCIATED = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
  MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
  SYSTEM = "11111111111111111111111111111111",
}

-- ---- the sandbox's side -------------------------------------------------------------------------

--- One JSON-RPC call to its Solana.
---@return any result
---@return table? error
function solana.rpc(box, method, params)
  local answer, why = box:request("POST", "/_sandbox/rpc/solana", {
    body = { jsonrpc = "2.0", id = 1, method = method, params = params or {} },
  })
  if not answer then return nil, { message = why } end
  if not answer.json then return nil, { message = answer.body } end
  return answer.json.result, answer.json.error
end

--- How many transfers have left the account of the sandbox's own key.
---@return integer
function solana.moved(box)
  local all, count = solana.rpc(box, "getSignaturesForAddress", { solana.ata(box.solana_address),
    { commitment = "confirmed" } }), 0
  for _, one in ipairs(all) do
    if one.err == cjson.null then count = count + 1 end
  end
  return count
end

--- Pull a lever of its Solana, or look at it.
function solana.lever(box, name, body)
  local answer = assert(box:request(name and "POST" or "GET", "/_sandbox/solana" .. (name and "/" .. name or ""),
                                    { body = name and (body or {}) or nil }))
  if answer.status ~= 200 then error(answer.body, 2) end
  return answer.json
end

function solana.ata(owner, mint, program)
  return (core.solana_ata(owner, mint or solana.USDC, program or solana.TOKEN))
end

-- ---- bytes --------------------------------------------------------------------------------------

local function little(value, size)
  local out = {}
  for i = 1, size do
    out[i] = string.char(value % 256)
    value = math.floor(value / 256)
  end
  return table.concat(out)
end

local function compact(n)
  if n < 128 then return string.char(n) end
  return string.char(n % 128 + 128) .. string.char(math.floor(n / 128))
end

--- Compile a message. Roles: "ws" writable signer, "rs" read-only signer, "w", "r".
---@param m table  accounts { { address, role }, … } in any order but fee payer first, blockhash,
---                instructions { { program, { accounts }, data }, … }, legacy
---@return string bytes
function solana.message(m)
  local order, at, counts = {}, {}, { ws = 0, rs = 0, w = 0, r = 0 }
  for _, role in ipairs{ "ws", "rs", "w", "r" } do
    for _, account in ipairs(m.accounts) do
      if account[2] == role then
        order[#order + 1] = account[1]
        at[account[1]], counts[role] = #order - 1, counts[role] + 1
      end
    end
  end
  local out = { m.legacy and "" or "\128", string.char(counts.ws + counts.rs, counts.rs, counts.r), compact(#order) }
  for _, name in ipairs(order) do out[#out + 1] = assert(core.base58_decode(name)) end
  out[#out + 1] = assert(core.base58_decode(m.blockhash))
  out[#out + 1] = compact(#m.instructions)
  for _, one in ipairs(m.instructions) do
    out[#out + 1] = string.char(at[one[1]]) .. compact(#one[2])
    for _, name in ipairs(one[2]) do out[#out + 1] = string.char(at[name]) end
    out[#out + 1] = compact(#one[3]) .. one[3]
  end
  if not m.legacy then out[#out + 1] = "\0" end
  return table.concat(out)
end

-- ---- paying -------------------------------------------------------------------------------------

local alice = {}
alice.__index = alice

--- A payer with a key of its own.
---@param box table
---@param options? table  seed (32 bytes), usdc (default "100"), sol (default "1")
function solana.payer(box, options)
  options = options or {}
  local self = setmetatable({ box = box, seed = options.seed or core.random_bytes(32) }, alice)
  self.address = core.base58_encode((assert(core.ed25519_public(self.seed))))
  self:refill(options.usdc, options.sol)
  return self
end

--- Money again, as after a reset of the box.
function alice:refill(usdc, sol)
  solana.lever(self.box, "fund", { address = self.address, amount = usdc or "100" })
  solana.lever(self.box, "sol", { address = self.address, amount = sol or "1" })
end

--- USDC of an owner, as text of micro-USDC.
function alice:balance()
  return solana.rpc(self.box, "getTokenAccountBalance",
    { solana.ata(self.address), { commitment = "confirmed" } }).value.amount
end

local function latest(self)
  return solana.rpc(self.box, "getLatestBlockhash", { { commitment = "confirmed" } }).value.blockhash
end

function alice:sign(message) return assert(core.ed25519_sign(self.seed, message)) end

local function random_memo() return core.hex_encode(core.random_bytes(16)) end

--- A half-signed payment of an entry.
---@param entry table
---@param change? table  memo (false: none), amount, to (owner), destination, mint, program, decimals, blockhash,
---                      units, price, fee_payer, more (instructions), seed_of_signature, edit (function of
---                      the message's description)
---@return string transaction  base64
---@return string memo
function alice:transaction(entry, change)
  change = change or {}
  local mint, program = change.mint or entry.asset, change.program or solana.TOKEN
  local source = solana.ata(self.address, mint, program)
  local destination = change.destination or solana.ata(change.to or entry.payTo, mint, program)
  local fee_payer = change.fee_payer or entry.extra.feePayer
  local memo = change.memo
  if memo == nil then memo = entry.extra.memo or random_memo() end
  local amount = change.amount or tonumber(entry.amount or entry.maxAmountRequired)
  local m = {
    blockhash = change.blockhash or entry.extra.recentBlockhash or latest(self),
    accounts = { { fee_payer, "ws" }, { source, "w" }, { destination, "w" }, { solana.COMPUTE, "r" }, { mint, "r" },
                 { program, "r" } },
    instructions = {
      { solana.COMPUTE, {}, "\2" .. little(change.units or 20000, 4) },
      { solana.COMPUTE, {}, "\3" .. little(change.price or 1, 8) },
      { program, { source, mint, destination, self.address },
        "\12" .. little(amount, 8) .. string.char(change.decimals or 6) },
    },
  }
  if fee_payer ~= self.address then table.insert(m.accounts, 2, { self.address, "rs" }) end
  if memo then
    m.accounts[#m.accounts + 1] = { solana.MEMO, "r" }
    m.instructions[4] = { solana.MEMO, {}, memo }
  end
  if change.edit then change.edit(m) end
  local bytes = solana.message(m)
  local signatures = fee_payer == self.address and "\1" or "\2" .. ("\0"):rep(64)
  return core.base64_encode(signatures .. self:sign(bytes) .. bytes), memo
end

--- Probe a route and make the payment for it on Solana.
---@return string header
---@return table payment
---@return string memo
function alice:prepare(method, path, body, change)
  local probe = assert(self.box:request(method, path, { body = body }))
  assert(probe.status == 402, ("probe: %d %s"):format(probe.status, probe.body))
  local entry
  for _, one in ipairs(payer.challenge(probe).accepts) do
    if one.network:find "^solana:" then entry = entry or one end
  end
  local transaction, memo = self:transaction(assert(entry, "nothing offered on Solana"), change)
  local payment = { x402Version = 2, accepted = entry, payload = { transaction = transaction } }
  return payer.header(payment), payment, memo
end

alice.present = payer.present

--- Pay for a route: probe, sign, send.
---@return table? answer
---@return string? why
---@return string header
---@return string memo
function alice:pay(method, path, body, change)
  local header, _, memo = self:prepare(method, path, body, change)
  local answer, why = self:present(method, path, body, header)
  return answer, why, header, memo
end

--- A transfer the payer sends and pays for himself, fully signed.
---@param amount integer  micro-USDC
---@param change? table   to (owner), memo, blockhash, creates (open the receiver's token account)
---@return string transaction  base64
---@return string signature    base58
function alice:transfer(amount, change)
  change = change or {}
  local source = solana.ata(self.address)
  local owner = change.to or solana.lever(self.box).payTo
  local destination = solana.ata(owner)
  local m = {
    blockhash = change.blockhash or latest(self),
    accounts = { { self.address, "ws" }, { source, "w" }, { destination, "w" }, { solana.USDC, "r" },
                 { solana.TOKEN, "r" } },
    instructions = { { solana.TOKEN, { source, solana.USDC, destination, self.address },
                       "\12" .. little(amount, 8) .. "\6" } },
  }
  if change.creates then
    for _, name in ipairs{ owner, solana.SYSTEM, solana.ASSOCIATED } do m.accounts[#m.accounts + 1] = { name, "r" } end
    table.insert(m.instructions, 1, { solana.ASSOCIATED,
      { self.address, destination, owner, solana.USDC, solana.SYSTEM, solana.TOKEN }, "\1" })
  end
  if change.memo then
    m.accounts[#m.accounts + 1] = { solana.MEMO, "r" }
    m.instructions[#m.instructions + 1] = { solana.MEMO, {}, change.memo }
  end
  local bytes = solana.message(m)
  local signature = self:sign(bytes)
  return core.base64_encode("\1" .. signature .. bytes), core.base58_encode(signature)
end

--- Send a transaction, looked at first with the newest blocks.
---@return string? signature
---@return table? error
function alice:send(transaction, options)
  local config = { encoding = "base64", preflightCommitment = "confirmed" }
  for name, value in pairs(options or {}) do config[name] = value end
  return solana.rpc(self.box, "sendTransaction", { transaction, config })
end

--- A V1 payment header for an entry of a V1 challenge.
function alice:v1_header(entry, change)
  return core.base64_encode(cjson.encode{ x402Version = 1, scheme = "exact", network = entry.network,
                                          payload = { transaction = (self:transaction(entry, change)) } })
end

return solana
