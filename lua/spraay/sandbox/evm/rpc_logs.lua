--- eth_getLogs: which events, of which blocks, and in which words a node refuses to look. Added to the methods
--- of rpc.lua, with the tools of that file.
--- https://github.com/ethereum/go-ethereum/blob/master/eth/filters/api.go
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local json = require "spraay.sandbox.json"

local MAX_TOPICS = 4

local function given(value)
  if value == json.null then return nil end
  return value
end

---@param methods table<string, function>
---@param tools table  of rpc.lua: fail, head, resolve_block, log_object
return function(methods, tools)
  local fail = tools.fail

  local function bad(what) fail(-32602, "invalid argument 0: " .. what) end

  -- A hash or an address in lower case.
  local function hex_of(value, size, what)
    if not crypto.unhex(value, size) then bad("invalid " .. what) end
    return value:lower()
  end

  -- One value or a list of them as a set; nothing, or an empty list, is anything.
  local function set_of(value, size, what)
    value = given(value)
    if value == nil then return nil end
    local set = {}
    for _, one in ipairs(type(value) == "table" and value or { value }) do set[hex_of(one, size, what)] = true end
    return next(set) and set
  end

  local function topics_of(value)
    value = given(value)
    if value == nil then return {} end
    if type(value) ~= "table" then bad "invalid topics" end
    if #value > MAX_TOPICS then fail(-32602, "exceed max topics") end
    local sets = {}
    for i = 1, #value do sets[i] = set_of(value[i], 32, "topic") end
    return sets
  end

  ---@return integer? from  none: the range begins after the newest block
  ---@return integer? to
  local function range_of(chain, view, filter)
    local from, to = given(filter.fromBlock), given(filter.toBlock)
    if given(filter.blockHash) then
      if from or to then bad "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other" end
      local block = chain.hashes[hex_of(filter.blockHash, 32, "blockHash")]
      if not block or block > tools.head(chain, view) then fail(-32000, "unknown block") end
      return block, block
    end
    from = tools.resolve_block(chain, view, from)
    local ok, last = pcall(tools.resolve_block, chain, view, to)
    if not ok and (type(last) ~= "table" or last.code ~= -32000) then error(last, 0) end
    to = ok and last or tools.head(chain, view)                -- beyond the newest block is up to it
    if from > to then fail(-32602, "invalid block range params") end
    return from, to
  end

  local function fits(event, topics)
    for i = 1, MAX_TOPICS do
      if topics[i] and not topics[i][event.topics[i] or ""] then return false end
    end
    return true
  end

  function methods.eth_getLogs(chain, view, params)
    local filter = params[1]
    if type(filter) ~= "table" then fail(-32602, "missing value for required argument 0") end
    local from, to = range_of(chain, view, filter)
    local limit = chain.log_range
    if limit and to - from > limit then          -- as the public node of Base says it, status and all
      view.status = 413
      local grouped = tostring(limit):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
      fail(-32614, ("eth_getLogs is limited to a %s range"):format(grouped))
    end
    local addresses, topics = set_of(filter.address, 20, "address"), topics_of(filter.topics)
    local found = json.array()
    if view.lie == "unused" then return found end
    for _, event in ipairs(chain.logs) do
      if event.block >= from and event.block <= to and (not addresses or addresses[event.address])
        and fits(event, topics) then
        found[#found + 1] = tools.log_object(chain, event)
      end
    end
    return found
  end
end
