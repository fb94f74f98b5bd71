--- The JSON-RPC methods of whoever sends transactions: nonces, fees, estimates, the broadcast, and what
--- became of it. Added to the methods of rpc.lua, with the tools of that file.
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local json = require "spraay.sandbox.json"
local machine = require "spraay.sandbox.evm.machine"
local u256 = require "spraay.sandbox.evm.u256"

local TIP = u256.of(1000000)       -- wei a unit of gas

-- The most gas, up to `limit`, that so much money pays at this price.
local function affordable(left, price, limit)
  local low, high = 0, limit
  while low < high do
    local middle = (low + high + 1) // 2
    local cost = u256.mul(price, u256.of(middle))
    if cost and not u256.less(left, cost) then low = middle else high = middle - 1 end
  end
  return low
end

---@param methods table<string, function>
---@param tools table  of rpc.lua: quantity, fail, head, resolve_block, read_call, report
return function(methods, tools)
  local quantity, fail = tools.quantity, tools.fail

  local function address_of(value)
    if not crypto.unhex(value, 20) then fail(-32602, "invalid argument 0: not an address") end
    return value:lower()
  end

  -- The block a tag means for a node whose state may be behind its blocks.
  local function state_block(chain, view, at)
    local block = tools.resolve_block(chain, view, at)
    if at == "latest" then block = block - (view.stale or 0) // chain.rail.block_seconds end
    return block
  end

  function methods.eth_getBalance(chain, view, params)
    local address = address_of(params[1])
    local block = state_block(chain, view, params[2])
    return view.money or u256.quantity(chain:ether(address, block))
  end

  function methods.eth_getTransactionCount(chain, view, params)
    local address = address_of(params[1])
    local behind = view.lag or view.stale
    local count
    if params[2] == "pending" and not behind then count = chain.pool:pending_nonce(address)
    else count = chain.pool:nonce(address, state_block(chain, view, params[2])) end
    return quantity(math.max(0, count + (view.nonce or 0)))
  end

  -- ---- fees ------------------------------------------------------------------------------------

  function methods.eth_gasPrice(chain, view)
    return view.fee or u256.quantity(u256.add(chain:base_fee(), TIP))
  end

  function methods.eth_maxPriorityFeePerGas(_, view) return view.fee or u256.quantity(TIP) end

  function methods.eth_feeHistory(chain, view, params)
    local count = math.tointeger(params[1]) or u256.hex(params[1]) and u256.integer(u256.hex(params[1]))
    if not count then fail(-32602, "invalid argument 0: not a quantity") end
    count = math.max(0, math.min(count, 1024))
    local newest = tools.resolve_block(chain, view, params[2])
    local percentiles = type(params[3]) == "table" and #params[3] or 0
    local fees, ratios, rewards = json.array(), json.array(), json.array()
    for i = 1, count do
      local block = newest - count + i
      fees[i] = view.fee or u256.quantity(chain:base_fee(block))
      ratios[i] = (chain.blocks[block] and chain.blocks[block].gas or 0) / machine.BLOCK_GAS
      rewards[i] = json.array()
      for j = 1, percentiles do rewards[i][j] = view.fee or u256.quantity(TIP) end
    end
    if count > 0 then fees[count + 1] = view.fee or u256.quantity(chain:base_fee(newest)) end
    return { oldestBlock = quantity(newest - count + 1), baseFeePerGas = fees, gasUsedRatio = ratios,
             reward = percentiles > 0 and rewards or nil }
  end

  function methods.eth_estimateGas(chain, view, params)
    local call = tools.read_call(params)
    local block = state_block(chain, view, params[2])
    local limit = call.gas or machine.BLOCK_GAS
    if call.price and call.price ~= u256.ZERO then
      local left = u256.sub(chain:ether(call.from, block), call.value)
      if not left then fail(-32000, "insufficient funds for transfer") end
      limit = affordable(left, call.price, limit)
    end
    call.gas = nil
    local outcome = machine.run(chain, call, block, block)
    if not outcome.ok then tools.report(outcome) end
    if outcome.gas > limit then fail(-32000, ("gas required exceeds allowance (%d)"):format(limit)) end
    return view.gas or quantity(outcome.gas)
  end

  -- ---- transactions ----------------------------------------------------------------------------

  function methods.eth_sendRawTransaction(chain, view, params)
    if view.broadcast then view.broadcast(view) end
    if view.refuse then fail(view.refuse.code, view.refuse.message) end
    local text = params[1]
    if type(text) ~= "string" or not text:find "^0x" then
      fail(-32602, "invalid argument 0: json: cannot unmarshal hex string without 0x prefix into Go value "
        .. "of type hexutil.Bytes")
    end
    local raw = #text % 2 == 0 and crypto.unhex(text, #text // 2 - 1)
    if not raw then
      fail(-32602, "invalid argument 0: json: cannot unmarshal invalid hex string into Go value of type "
        .. "hexutil.Bytes")
    end
    local hash, why = chain.pool:send_raw(raw, { forget = view.forget })
    if not hash then fail(-32000, why) end
    if view.deny then fail(view.deny.code, view.deny.message) end
    return view.other_hash or hash
  end

  -- A transaction of the facilitator, which nobody signed here.
  local function unsigned(receipt)
    return { nonce = 0, gas = receipt.gas, from = receipt.from, to = receipt.to, data = "", value = u256.ZERO,
             chain_id = u256.ZERO, fee_cap = receipt.price, tip_cap = u256.ZERO, y_parity = u256.ZERO,
             r = u256.ZERO, s = u256.ZERO }
  end

  function methods.eth_getTransactionByHash(chain, view, params)
    local hash = type(params[1]) == "string" and params[1]:lower() or ""
    local record, receipt = chain.pool.known[hash], chain.receipts[hash]
    local mined = receipt and receipt.block <= tools.head(chain, view)
    -- A node that is behind still has what was sent to all, as pending.
    local pending = record and (record.status == "pending" or receipt ~= nil)
    if view.hide or not mined and not pending then return json.null end
    local tx = record and record.tx or unsigned(receipt)
    return {
      hash = hash, type = "0x2", chainId = u256.quantity(tx.chain_id), nonce = quantity(tx.nonce), from = tx.from,
      to = tx.to, value = u256.quantity(tx.value), input = "0x" .. crypto.hex(tx.data), gas = quantity(tx.gas),
      maxFeePerGas = u256.quantity(tx.fee_cap), maxPriorityFeePerGas = u256.quantity(tx.tip_cap),
      gasPrice = u256.quantity(mined and receipt.price or tx.fee_cap), accessList = json.array(),
      yParity = u256.quantity(tx.y_parity), v = u256.quantity(tx.y_parity), r = u256.quantity(tx.r),
      s = u256.quantity(tx.s), blockNumber = mined and quantity(receipt.block) or json.null,
      blockHash = mined and chain:block_hash(receipt.block) or json.null,
      transactionIndex = mined and quantity(receipt.index) or json.null,
    }
  end
end
