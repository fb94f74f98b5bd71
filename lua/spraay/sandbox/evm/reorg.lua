--- Blocks that turn out never to have been: transactions leave them and wait again, or are lost.
---
--- Only the newest transactions can be unmade, in their order, and none across a payment of the
--- facilitator: what he cashed stays cashed, or the sandbox's books would tell of money that never moved.
-- SPDX-License-Identifier: MIT

local reorg = {}

-- Places in chain.order from this transaction on; nil when something else came in between.
local function affected(chain, hash)
  local order = chain.order
  for at = #order, 1, -1 do
    if not chain.pool.known[order[at]] then return nil, "something but a sent transaction came after it" end
    if order[at] == hash then return at end
  end
  return nil, "no such transaction was mined"
end

local function remove_logs(chain, hash)
  for at = #chain.logs, 1, -1 do
    if chain.logs[at].transaction == hash then table.remove(chain.logs, at) end
  end
end

local function remove_from_block(chain, hash, block)
  local hashes = chain.blocks[block]
  for at = #hashes, 1, -1 do
    if hashes[at] == hash then table.remove(hashes, at) end
  end
end

-- Take back what a transaction wrote, as it was found.
local function unmake(chain, hash, height)
  local receipt, record = chain.receipts[hash], chain.pool.known[hash]
  for _, change in ipairs(receipt.undo) do chain.state:put(change.name, change.value, height) end
  remove_logs(chain, hash)
  remove_from_block(chain, hash, receipt.block)
  chain.receipts[hash] = nil
  record.block, record.gas, record.fee, record.output, record.out_of_gas = nil, nil, nil, nil, nil
  record.seen = height
  return receipt.block, record
end

--- Unmake a transaction and all that were mined after it.
---@param chain table
---@param hash string
---@param drop? boolean  forget them, instead of letting them wait for another block
---@return string[]? hashes  oldest first
---@return string? why
function reorg.unmake(chain, hash, drop)
  chain:tick()
  local first, why = affected(chain, hash)
  if not first then return nil, why end
  local height, unmade, oldest = chain:height(), {}, nil
  for at = #chain.order, first, -1 do
    local record
    oldest, record = unmake(chain, chain.order[at], height)
    record.status = drop and "dropped" or "pending"
    if not drop then table.insert(chain.pool.waiting, 1, record) end
    table.insert(unmade, 1, table.remove(chain.order, at))
  end
  chain.forks[#chain.forks + 1] = oldest             -- those blocks have other hashes from now on
  return unmade
end

return reorg
