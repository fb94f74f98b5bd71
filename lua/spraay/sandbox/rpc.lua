--- The chain's JSON-RPC, as much of it as a payer needs to prove what became of a signature.
--- Ethereum JSON-RPC, https://ethereum.org/en/developers/docs/apis/json-rpc/ ; a block may be
--- named by number, tag or object (EIP-1898, https://eips.ethereum.org/EIPS/eip-1898).
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local json = require "spraay.sandbox.json"

local rpc = {}

local function quantity(n) return ("0x%x"):format(n) end
local function word(n) return ("0x%064x"):format(n) end

-- Errors travel as tables; anything else thrown is a bug and shall be seen.
local function fail(code, message) error({ code = code, message = message }, 0) end

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

local function block_object(chain, block)
  return {
    number = quantity(block), hash = chain:block_hash(block),
    parentHash = chain:block_hash(math.max(block - 1, 0)),
    timestamp = quantity(chain:timestamp(block)), transactions = json.array(),
    gasLimit = "0x11e1a300", gasUsed = "0x0", baseFeePerGas = "0x4c4b40",
  }
end

function methods.eth_getBlockByNumber(chain, view, params)
  local ok, block = pcall(resolve_block, chain, view, params[1])
  if not ok then
    if type(block) == "table" and block.code == -32000 then return json.null end
    error(block, 0)
  end
  return block_object(chain, block)
end

function methods.eth_getBlockByHash(chain, _, params)
  local block = type(params[1]) == "string" and chain.hashes[params[1]:lower()]
  return block and block_object(chain, block) or json.null
end

function methods.eth_getCode(chain, _, params)
  local address = type(params[1]) == "string" and params[1]:lower()
  return address == chain.rail.asset:lower() and "0x60806040" or "0x"
end

function methods.eth_call(chain, view, params)
  local call = params[1]
  if type(call) ~= "table" then fail(-32602, "missing call") end
  local block = resolve_block(chain, view, params[2])
  if params[2] == "latest" then block = block - (view.stale or 0) // chain.rail.block_seconds end
  local data = call.data or call.input
  if type(data) ~= "string" then fail(-32602, "missing data") end
  if type(call.to) ~= "string" or call.to:lower() ~= chain.rail.asset:lower() then
    return "0x"                            -- no contract there
  end
  local selector, body = data:sub(1, 10):lower(), data:sub(11):lower()
  local address = "0x" .. body:sub(25, 64)
  if selector == "0x70a08231" and #body == 64 then         -- balanceOf(address)
    return word(chain:balance(address, block))
  elseif selector == "0xe94a0102" and #body == 128 then    -- authorizationState(address,bytes32)
    local used = chain:authorization(address, "0x" .. body:sub(65), block) ~= nil
    if view.lie ~= nil then used = view.lie == "invert" and not used or view.lie == "used" end
    return word(used and 1 or 0)
  elseif selector == "0x3644e515" then                     -- DOMAIN_SEPARATOR()
    return "0x" .. crypto.hex(chain.domain)
  elseif selector == "0x313ce567" then                     -- decimals()
    return word(6)
  end
  fail(3, "execution reverted")
end

local function topic_matches(wanted, topic)
  if wanted == nil or wanted == json.null then return true end
  if type(wanted) == "string" then return wanted:lower() == topic end
  for _, one in ipairs(wanted) do
    if one:lower() == topic then return true end
  end
  return false
end

local function log_object(chain, event)
  return {
    address = event.address, topics = json.array({ table.unpack(event.topics) }), data = event.data,
    blockNumber = quantity(event.block), blockHash = chain:block_hash(event.block),
    transactionHash = event.transaction, transactionIndex = "0x1",
    logIndex = quantity(event.index), removed = false,
  }
end

function methods.eth_getLogs(chain, view, params)
  local filter = params[1]
  if type(filter) ~= "table" then fail(-32602, "missing filter") end
  local from, to
  if filter.blockHash then
    from = resolve_block(chain, view, { blockHash = filter.blockHash })
    to = from
  else
    from = resolve_block(chain, view, filter.fromBlock)
    local ok, last = pcall(resolve_block, chain, view, filter.toBlock)
    to = ok and last or head(chain, view)
  end
  local address = filter.address
  if type(address) == "table" then address = address[1] end
  local found = json.array()
  if view.lie == "unused" then return found end
  for _, event in ipairs(chain.logs) do
    if event.block >= from and event.block <= to and (not address or address:lower() == event.address) then
      local wanted, fits = filter.topics or {}, true
      for i = 1, 4 do
        if not topic_matches(wanted[i], event.topics[i] or "") then fits = false end
      end
      if fits then found[#found + 1] = log_object(chain, event) end
    end
  end
  return found
end

function methods.eth_getTransactionReceipt(chain, view, params)
  local hash = type(params[1]) == "string" and params[1]:lower() or ""
  local receipt = chain.receipts[hash]
  if not receipt or receipt.block > head(chain, view) then return json.null end
  local logs = json.array()
  for i, event in ipairs(receipt.logs) do logs[i] = log_object(chain, event) end
  return {
    transactionHash = hash, status = "0x1", blockNumber = quantity(receipt.block),
    blockHash = chain:block_hash(receipt.block), to = chain.rail.asset:lower(),
    from = chain.rail.pay_to:lower(), logs = logs, type = "0x2", gasUsed = "0x15f90",
    transactionIndex = "0x1",
  }
end

local function answer_one(chain, view, call)
  local reply = { jsonrpc = "2.0", id = json.null }
  if type(call) ~= "table" or type(call.method) ~= "string" then
    reply.error = { code = -32600, message = "invalid request" }
    return reply
  end
  if call.id ~= nil then reply.id = call.id end
  local method = methods[call.method]
  if not method then
    reply.error = { code = -32601, message = "the method " .. call.method .. " does not exist" }
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
---                      behind its block), lie ("unused", "used", "invert"), chain_id
---@param body any      decoded JSON
---@return table
function rpc.answer(chain, view, body)
  if type(body) == "table" and #body > 0 then
    local list = json.array()
    for i, call in ipairs(body) do list[i] = answer_one(chain, view, call) end
    return list
  end
  return answer_one(chain, view, body)
end

return rpc
