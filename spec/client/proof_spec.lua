-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"
local spec = require "spec.helper"

local PAYER = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
local USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
local NONCE = ("\171"):rep(32)
local SIGNED = 1767225600
local EXPIRES = SIGNED + 300
local TX = "0x" .. ("5e"):rep(32)

local FALSE, TRUE = "0x" .. ("0"):rep(64), "0x" .. ("0"):rep(63) .. "1"
local USED_TOPIC = spec.hex(core.abi_topic "used")
local CANCELED_TOPIC = spec.hex(core.abi_topic "canceled")

local function hex(n) return ("0x%x"):format(n) end
local function padded(address) return "0x" .. ("0"):rep(24) .. address:sub(3):lower() end

--- A chain in a table: one block every two seconds, block 1000000 at time SIGNED.
local function chain(with)
  local c = { id = 8453, now = EXPIRES + 100, state = FALSE, logs = {}, pace = 2 }
  for k, v in pairs(with or {}) do c[k] = v end
  function c.number(time) return 1000000 + math.floor((time - SIGNED) / c.pace) end
  function c.block(n) return { number = hex(n), timestamp = hex(SIGNED + (n - 1000000) * c.pace) } end
  function c.answer(request)
    local method, params = request.method, request.params
    if method == "eth_chainId" then return hex(c.id) end
    if method == "eth_getBlockByNumber" then
      return c.block(params[1] == "latest" and c.number(c.now) or tonumber(params[1]))
    end
    if method == "eth_call" then c.called_at = tonumber(params[2]) return c.state end
    if method == "eth_getLogs" then
      local found = {}
      for _, log in ipairs(c.logs) do
        local n = tonumber(log.blockNumber)
        if n >= tonumber(params[1].fromBlock) and n <= tonumber(params[1].toBlock) then
          found[#found + 1] = log
        end
      end
      c.span = tonumber(params[1].toBlock) - tonumber(params[1].fromBlock)
      return found
    end
  end
  return c
end

local function event(kind, block, with)
  local log = {
    address = USDC:lower(), blockNumber = hex(block), transactionHash = TX, removed = false,
    topics = { kind, padded(PAYER), "0x" .. ("ab"):rep(32) },
  }
  for k, v in pairs(with or {}) do log[k] = v end
  return log
end

local function question(with)
  local q = {
    chain_id = 8453, asset = USDC, payer = PAYER, nonce = NONCE, valid_before = EXPIRES, signed_at = SIGNED,
  }
  for k, v in pairs(with or {}) do q[k] = v end
  return q
end

--- Drive a proof against a chain; `bend(request, answer)` may replace any answer's text.
local function prove(c, q, bend)
  local proof = core.proof_new(question(q))
  for n = 1, 20 do
    local body = proof:request()
    if not body then break end
    local request = cjson.decode(body)
    local result = c.answer(request)
    local text = cjson.encode { jsonrpc = "2.0", id = request.id, result = result }
    if type(result) == "table" and next(result) == nil then   -- cjson would write {}
      text = ('{"jsonrpc":"2.0","id":%d,"result":[]}'):format(request.id)
    end
    local status
    if bend then
      local bent, code = bend(request, text, n)
      text, status = bent or text, code
    end
    if proof:answer(status or 200, text) ~= "pending" then break end
  end
  local verdict, detail = proof:verdict()
  return verdict, detail
end

describe("proving what became of a payment", function()
  it("calls it void when one block past the deadline says unused", function()
    local c = chain()
    local verdict, detail = prove(c)
    assert.equal("void", verdict)
    assert.equal(c.number(EXPIRES + 100), detail.block)
    assert.equal(detail.block, c.called_at)   -- the state was read at that very block
  end)

  it("waits 60 s of block time after the last validBefore, to the second", function()
    assert.equal("void", (prove(chain { now = EXPIRES + 60 })))
    local verdict, detail = prove(chain { now = EXPIRES + 58 })
    assert.equal("too_early", verdict)
    assert.equal(EXPIRES + 60, detail.again)
    assert.equal(EXPIRES + 58, detail.block_time)
  end)

  it("does not call it void by a lagging node's old block", function()
    assert.equal("too_early", (prove(chain { now = EXPIRES - 1000 })))
  end)

  it("finds the transfer and names the transaction", function()
    local c = chain { state = TRUE, now = EXPIRES + 100 }
    c.logs = { event(USED_TOPIC, c.number(SIGNED + 20)) }
    local verdict, detail = prove(c)
    assert.equal("used", verdict)
    assert.equal(TX, detail.transaction)
    assert.is_true(detail.used)
  end)

  it("reads 'used' even before the deadline", function()
    local c = chain { state = TRUE, now = SIGNED + 30 }
    c.logs = { event(USED_TOPIC, c.number(SIGNED + 20)) }
    assert.equal("used", (prove(c)))
  end)

  it("tells a cancellation from a transfer by the event", function()
    local c = chain { state = TRUE }
    c.logs = { event(CANCELED_TOPIC, c.number(SIGNED + 20)) }
    assert.equal("canceled", (prove(c)))
  end)

  it("looks in a narrow range of blocks, months later too", function()
    local c = chain { state = TRUE, now = SIGNED + 90 * 86400 }
    c.logs = { event(USED_TOPIC, c.number(SIGNED + 290)) }
    assert.equal("used", (prove(c)))
    assert.is_true(c.span < 2500, c.span)
  end)

  it("finds it on chains of another pace", function()
    for _, pace in ipairs { 0.25, 1, 12 } do
      local c = chain { state = TRUE, now = SIGNED + 30 * 86400, pace = pace }
      function c.block(n)
        return { number = hex(n), timestamp = hex(SIGNED + math.floor((n - 1000000) * pace)) }
      end
      c.logs = { event(USED_TOPIC, c.number(SIGNED + 290)) }
      assert.equal("used", (prove(c, nil, nil)), pace)
    end
  end)

  it("widens the search once, for a cancellation long after", function()
    local c = chain { state = TRUE, now = SIGNED + 86400 }
    c.logs = { event(CANCELED_TOPIC, c.number(SIGNED + 80000)) }
    assert.equal("canceled", (prove(c)))
  end)

  it("knows no signing time and still finds it", function()
    local c = chain { state = TRUE, now = SIGNED + 86400 }
    c.logs = { event(USED_TOPIC, c.number(SIGNED + 20)) }
    assert.equal("used", (prove(c, { signed_at = 0 })))
  end)

  it("proves nothing without a deadline, or with an absurd one", function()
    assert.equal("unavailable", (prove(chain(), { valid_before = 0 })))
    assert.equal("unavailable", (prove(chain(), { valid_before = 2 ^ 53 - 1 })))
  end)
end)

describe("an RPC that cannot be believed", function()
  local function bent(method, replace, c)
    return prove(c or chain(), nil, function(request, text)
      if request.method ~= method then return end
      local result = replace
      if type(replace) == "function" then result = replace(request, text) end
      if result:sub(1, 1) == "!" then return result:sub(2) end
      return ('{"jsonrpc":"2.0","id":%d,"result":%s}'):format(request.id, result)
    end)
  end

  for _, row in ipairs {
    { "another chain", "eth_chainId", '"0x1"' },
    { "a chain id of 65 bits", "eth_chainId", '"0x10000000000002105"' },
    { "a chain id with a leading zero", "eth_chainId", '"0x02105"' },
    { "a chain id as a number", "eth_chainId", "8453" },
    { "a chain id in decimal", "eth_chainId", '"8453"' },
    { "a bare 0x", "eth_chainId", '"0x"' },
    { "no block", "eth_getBlockByNumber", "null" },
    { "a block without timestamp", "eth_getBlockByNumber", '{"number":"0x1"}' },
    { "a timestamp in the year 300000000000", "eth_getBlockByNumber",
      '{"number":"0x1","timestamp":"0x7fffffffffffffff"}' },
    { "a block number of 70 bits", "eth_getBlockByNumber",
      '{"number":"0x3fffffffffffffffff","timestamp":"0x69557d00"}' },
    { "an empty state: no contract there", "eth_call", '"0x"' },
    { "a state of two", "eth_call", '"0x' .. ("0"):rep(63) .. '2"' },
    { "a state one byte short", "eth_call", '"0x' .. ("0"):rep(62) .. '"' },
    { "a state with high bits", "eth_call", '"0x8' .. ("0"):rep(62) .. '1"' },
    { "a state that is a JSON false", "eth_call", "false" },
    { "somebody else's id", "eth_call", '!{"jsonrpc":"2.0","id":99,"result":"' .. FALSE .. '"}' },
    { "an id as text", "eth_call", '!{"jsonrpc":"2.0","id":"3","result":"' .. FALSE .. '"}' },
    { "result and error together", "eth_call",
      '!{"jsonrpc":"2.0","id":3,"result":"' .. FALSE .. '","error":{"code":1}}' },
    { "no result", "eth_call", '!{"jsonrpc":"2.0","id":3}' },
    { "a batch", "eth_call", '![{"jsonrpc":"2.0","id":3,"result":"' .. FALSE .. '"}]' },
    { "a name twice", "eth_call",
      '!{"jsonrpc":"2.0","id":3,"result":"' .. TRUE .. '","result":"' .. FALSE .. '"}' },
    { "an old dialect", "eth_call", '!{"id":3,"result":"' .. FALSE .. '"}' },
    { "half an answer", "eth_call", '!{"jsonrpc":"2.0","id":3,"resu' },
    { "a web page", "eth_call", "!<html>" },
    { "nothing", "eth_call", "!" },
  } do
    it("proves nothing by " .. row[1], function()
      local verdict, detail = bent(row[2], row[3])
      assert.equal("unavailable", verdict)
      assert.is_true(#detail.reason > 10)
    end)
  end

  it("hands on an error's words", function()
    local verdict, detail = bent("eth_call",
      '!{"jsonrpc":"2.0","id":3,"error":{"code":-32000,"message":"header not found"}}')
    assert.equal("unavailable", verdict)
    assert.matches("header not found", detail.reason)
  end)

  it("proves nothing by a failed request", function()
    for _, status in ipairs { 0, 401, 429, 500, 302 } do
      local verdict = prove(chain(), nil, function(_, text) return text, status end)
      assert.equal("unavailable", verdict)
    end
  end)

  for _, row in ipairs {
    { "of another token", { address = PAYER:lower() } },
    { "of another nonce", { topics = { USED_TOPIC, padded(PAYER), "0x" .. ("ac"):rep(32) } } },
    { "of another payer", { topics = { USED_TOPIC, padded(USDC), "0x" .. ("ab"):rep(32) } } },
    { "of another kind", { topics = { "0x" .. ("ee"):rep(32), padded(PAYER), "0x" .. ("ab"):rep(32) } } },
    { "with a topic missing", { topics = { USED_TOPIC } } },
    { "that was removed", { removed = true } },
    { "without a transaction", { transactionHash = "0x" } },
  } do
    it("proves nothing by an event " .. row[1], function()
      local c = chain { state = TRUE }
      c.logs = { event(USED_TOPIC, c.number(SIGNED + 20), row[2]) }
      local verdict, detail = prove(c)
      assert.equal("unavailable", verdict)
      assert.is_nil(detail.transaction)
      assert.is_true(detail.used)   -- the state itself was read
    end)
  end

  it("proves nothing by two events that contradict each other", function()
    local c = chain { state = TRUE }
    c.logs = { event(USED_TOPIC, c.number(SIGNED + 20)), event(CANCELED_TOPIC, c.number(SIGNED + 22)) }
    assert.equal("unavailable", (prove(c)))
  end)

  it("proves nothing by a state without any event", function()
    assert.equal("unavailable", (prove(chain { state = TRUE })))
  end)

  it("gives up on blocks that contradict each other", function()
    local c = chain { state = TRUE, now = SIGNED + 86400 }
    local honest = c.block
    function c.block(n) local b = honest(n); b.number = hex(n + 1); return b end
    assert.equal("unavailable", (prove(c)))
    function c.block(n) return { number = hex(n), timestamp = hex(SIGNED + 86400) } end
    assert.equal("unavailable", (prove(c)))
  end)

  it("ends after a bounded number of questions, whatever it is told", function()
    local c = chain { state = TRUE, now = SIGNED + 86400 }
    local last = c.number(c.now)
    -- Time hardly moves, however far back one looks.
    function c.block(n)
      return { number = hex(n), timestamp = hex(SIGNED + 86400 - (n == last and 0 or 1)) }
    end
    local asked = 0
    local verdict = prove(c, nil, function() asked = asked + 1 end)
    assert.equal("unavailable", verdict)
    assert.is_true(asked < 12)
  end)

  it("asks nothing more once there is a verdict", function()
    local proof = core.proof_new(question())
    assert.is_string(proof:request())
    assert.equal("unavailable", proof:answer(0))
    local body, _, code = proof:request()
    assert.is_nil(body)
    assert.equal("STATE", code)
    assert.equal("unavailable", proof:answer(200, "{}"))
  end)
end)
