--- The chain's JSON-RPC, as much of it as a payer needs to prove what became of a signature, and a
--- depositor to send transactions of his own (evm/rpc_tx.lua).
--- Ethereum JSON-RPC, https://ethereum.org/en/developers/docs/apis/json-rpc/ ; a block may be
--- named by number, tag or object (EIP-1898, https://eips.ethereum.org/EIPS/eip-1898).
-- SPDX-License-Identifier: MIT
local abi = require "spraay.sandbox.evm.abi"
local crypto = require "spraay.sandbox.crypto"
local json = require "spraay.sandbox.json"
local machine = require "spraay.sandbox.evm.machine"
local u256 = require "spraay.sandbox.evm.u256"

local rpc = {}

local function quantity(n) return ("0x%x"):format(n) end

-- Errors travel as tables; anything else thrown is a bug and shall be seen.
local function fail(code, message, data) error({ code = code, message = message, data = data }, 0) end

local function hex_integer(text)
  if type(text) ~= "string" or not text:find("^0x%x+$") or #text > 17 then
    fail(-32602, "invalid argument: not a quantity")
  end
  return math.tointeger(tonumber(text))
end

-- What the lagging fault leaves of the chain.
local function head(chain, view)
  return chain:height() - (view.lag or 0) // chain.rail.block_seconds
end

---@return integer block
local function resolve_block(chain, view, at)
  local top = head(chain, view)
  if at == nil or at == json.null or at == "latest" or at == "pending" then return top end
  if at == "safe" then return top - 32 end
  if at == "finalized" then return top - 450 end
  if at == "earliest" then return 0 end
  local block
  if type(at) == "table" then
    if type(at.blockHash) == "string" then block = chain.hashes[at.blockHash:lower()]
    else block = hex_integer(at.blockNumber) end
  else
    block = hex_integer(at)
  end
  if not block or block > top then fail(-32000, "header not found") end
  return block
end

local methods = {}

function methods.eth_chainId(chain, view) return quantity(view.chain_id or chain.rail.chain_id) end
function methods.net_version(chain) return tostring(chain.rail.chain_id) end
function methods.eth_blockNumber(chain, view) return quantity(head(chain, view)) end

local function block_object(chain, block, whole)
  local hashes = chain.blocks[block]
  local transactions = json.array()
  for i, hash in ipairs(hashes or {}) do
    transactions[i] = whole and methods.eth_getTransactionByHash(chain, {}, { hash }) or hash
  end
  return {
    number = quantity(block), hash = chain:block_hash(block),
    parentHash = chain:block_hash(math.max(block - 1, 0)),
    timestamp = quantity(chain:timestamp(block)), transactions = transactions,
    gasLimit = quantity(machine.BLOCK_GAS), gasUsed = quantity(hashes and hashes.gas or 0),
    baseFeePerGas = u256.quantity(chain:base_fee(block)),
  }
end

function methods.eth_getBlockByNumber(chain, view, params)
  local ok, block = pcall(resolve_block, chain, view, params[1])
  if not ok then
    if type(block) == "table" and block.code == -32000 then return json.null end
    error(block, 0)
  end
  return block_object(chain, block, params[2] == true)
end

function methods.eth_getBlockByHash(chain, _, params)
  local block = type(params[1]) == "string" and chain.hashes[params[1]:lower()]
  return block and block_object(chain, block, params[2] == true) or json.null
end

function methods.eth_getCode(chain, _, params)
  local address = type(params[1]) == "string" and params[1]:lower()
  return chain.contracts[address] and "0x60806040" or "0x"
end

local NOBODY = "0x" .. ("00"):rep(20)

-- A call object as the machine wants it.
local function read_call(params)
  local given = params[1]
  if type(given) ~= "table" then fail(-32602, "missing call") end
  local function optional(name, size)
    local value = given[name]
    if value == nil or value == json.null then return nil end
    local read = size and crypto.unhex(value, size) and value:lower() or not size and u256.hex(value)
    return read or fail(-32602, ("invalid argument 0: %s"):format(name))
  end
  local data = given.input or given.data
  if data == nil or data == json.null then data = "0x" end
  local bytes = type(data) == "string" and #data % 2 == 0 and crypto.unhex(data, #data // 2 - 1)
  if not bytes then fail(-32602, "invalid argument 0: data") end
  local gas = optional "gas"
  return {
    from = optional("from", 20) or NOBODY, to = optional("to", 20), value = optional "value" or u256.ZERO,
    data = bytes, gas = gas and math.min(u256.integer(gas) or machine.BLOCK_GAS, machine.BLOCK_GAS),
    price = optional "maxFeePerGas" or optional "gasPrice",
  }
end

-- A failed run as the node reports it.
local function report(outcome)
  if outcome.poor then fail(-32000, "insufficient funds for transfer") end
  if outcome.out_of_gas then fail(-32000, "out of gas") end
  local sentence = abi.sentence(outcome.output)
  fail(3, sentence and "execution reverted: " .. sentence or "execution reverted",
       "0x" .. crypto.hex(outcome.output))
end

-- Everything the token and the escrow count is as large as can be, for whoever asks the wrong node.
local RICH = { balanceOf = 1, allowance = 1, getAccount = 4 }

local function bend(chain, view, call, output)
  local contract = chain.contracts[call.to]
  local entry = contract and contract.functions[call.data:sub(1, 4)]
  if not entry then return output end
  if entry.name == "authorizationState" and view.lie ~= nil then
    local used = output == u256.of(1)
    if view.lie == "invert" then used = not used else used = view.lie == "used" end
    return abi.word(used)
  end
  local words = view.money and RICH[entry.name]
  if not words then return output end
  return u256.hex(view.money):rep(words) .. output:sub(32 * words + 1)
end

function methods.eth_call(chain, view, params)
  local call = read_call(params)
  local block = resolve_block(chain, view, params[2])
  if params[2] == "latest" then block = block - (view.stale or 0) // chain.rail.block_seconds end
  local outcome = machine.run(chain, call, block, block)
  if not outcome.ok then report(outcome) end
  return "0x" .. crypto.hex(bend(chain, view, call, outcome.output))
end

local function log_object(chain, event)
  return {
    address = event.address, topics = json.array({ table.unpack(event.topics) }), data = event.data,
    blockNumber = quantity(event.block), blockHash = chain:block_hash(event.block),
    transactionHash = event.transaction, transactionIndex = quantity(event.place),
    logIndex = quantity(event.index), removed = false,
  }
end

function methods.eth_getTransactionReceipt(chain, view, params)
  local hash = type(params[1]) == "string" and params[1]:lower() or ""
  local receipt = chain.receipts[hash]
  if view.invent and not receipt then
    receipt = { block = head(chain, view), index = 0, logs = {}, ok = true, gas = 50000, cumulative = 50000,
                price = chain:base_fee(), from = NOBODY, to = NOBODY }
  end
  if not receipt or receipt.block > head(chain, view) or view.hide then return json.null end
  local logs = json.array()
  for i, event in ipairs(receipt.logs) do logs[i] = log_object(chain, event) end
  return {
    transactionHash = hash, status = receipt.ok and "0x1" or "0x0", blockNumber = quantity(receipt.block),
    blockHash = chain:block_hash(receipt.block), to = receipt.to, from = receipt.from, logs = logs,
    type = "0x2", gasUsed = quantity(receipt.gas), cumulativeGasUsed = quantity(receipt.cumulative),
    effectiveGasPrice = u256.quantity(receipt.price), transactionIndex = quantity(receipt.index),
    contractAddress = json.null, logsBloom = "0x" .. ("00"):rep(256),
    l1Fee = receipt.data_fee and u256.quantity(receipt.data_fee) or "0x0",
  }
end

local tools = { quantity = quantity, fail = fail, head = head, resolve_block = resolve_block, read_call = read_call,
                report = report, log_object = log_object }
require "spraay.sandbox.evm.rpc_logs"(methods, tools)
require "spraay.sandbox.evm.rpc_tx"(methods, tools)

local function answer_one(chain, view, call)
  local reply = { jsonrpc = "2.0", id = json.null }
  if type(call) ~= "table" or type(call.method) ~= "string" then
    reply.error = { code = -32600, message = "invalid request" }
    return reply
  end
  if call.id ~= nil then reply.id = call.id end
  local method = methods[call.method]
  if not method then
    reply.error = { code = -32601, message = "the method " .. call.method .. " does not exist/is not available" }
    return reply
  end
  local ok, result = pcall(method, chain, view, type(call.params) == "table" and call.params or {})
  if ok then reply.result = result
  elseif type(result) == "table" then reply.error = result
  else error(result, 0) end
  return reply
end

--- Answer a request body: one call or a batch.
---@param chain table
---@param view table    what faults change: lag (seconds), stale (seconds that the state of "latest" lags
---                      behind its block), lie ("unused", "used", "invert"), chain_id, money (a
---                      quantity), nonce, gas, fee, hide, invent; and broadcast, which meets a
---                      transaction that comes in and may leave an answer of its own in `early`.
---                      A method may leave an HTTP status in `status`
---@param body any      decoded JSON
---@return table
function rpc.answer(chain, view, body)
  chain:tick()
  if type(body) == "table" and #body > 0 then
    local list = json.array()
    for i, call in ipairs(body) do list[i] = answer_one(chain, view, call) end
    return list
  end
  return answer_one(chain, view, body)
end

return rpc
