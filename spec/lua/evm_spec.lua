-- SPDX-License-Identifier: MIT
-- Ether as digits, fees, what a node may answer, and which receipts are believed.
local core = require "spraay.core"
local engine = require "spraay.engine"
local fees = require "spraay.evm.fees"
local rpc = require "spraay.evm.rpc"
local receipts = require "spraay.evm.receipts"
local spec = require "spec.helper"
local wei = require "spraay.evm.wei"

describe("ether", function()
  it("is digits, exactly", function()
    assert.equal("500000000000000", wei.of_ether "0.0005")
    assert.equal("0.0005", wei.ether "500000000000000")
    assert.equal("1", (wei.ether "1000000000000000000"))
    assert.equal("0.000000000000000001", wei.ether "1")
    assert.equal("0", wei.ether "0")
    for _, bad in ipairs { "1", "-1", "x", "", "1e-3", ".5", 0.5, true, "0.0000000000000000001" } do
      assert.is_nil((wei.of_ether(bad)), tostring(bad))
    end
  end)

  it("is multiplied past what a number holds", function()
    assert.equal("12193263113593964223348574902", wei.product("123456789012345678", "98765432109"))
    assert.equal("0", wei.product("0", "5"))
    assert.equal("5000", wei.product("5", "1000"))
    assert.is_nil(wei.product(("9"):rep(70), ("9"):rep(70)))
  end)

  it("is shown in dollars, never less than it is", function()
    assert.equal("1.500000", wei.dollars("500000000000000", "3000000000"))
    assert.equal("0.000001", wei.dollars("1", "3000000000"))
    assert.equal("0.000000", wei.dollars("0", "3000000000"))
    assert.equal("0.0005 ETH ($1.500000)", wei.shown("500000000000000", "3000000000"))
  end)
end)

describe("fees", function()
  it("of a replacement are an eighth above the last, or the market's", function()
    local raised = fees.raised({ max_fee = "11000000", max_tip = "1000000" }, { max_fee = "1", max_tip = "1" })
    assert.same({ max_fee = "12430001", max_tip = "1130001" }, raised)
    raised = fees.raised({ max_fee = "11000000", max_tip = "1000000" }, { max_fee = "99000000", max_tip = "7000000" })
    assert.same({ max_fee = "99000000", max_tip = "7000000" }, raised)
    raised = fees.raised({ max_fee = "10", max_tip = "10" }, { max_fee = "1", max_tip = "500" })
    assert.same({ max_fee = "500", max_tip = "500" }, raised)   -- a tip is never above the fee
  end)
end)

describe("a quantity", function()
  it("is read whatever its size, and as a number only where one holds it", function()
    assert.equal("436", rpc.digits "0x1b4")
    assert.equal("0", rpc.digits "0x0")
    assert.equal("18446744073709551615", rpc.digits "0xffffffffffffffff")
    assert.equal(78, #rpc.digits("0x" .. ("f"):rep(64)))
    assert.equal(436, rpc.integer "0x1b4")
    assert.is_nil(rpc.integer "0xffffffffffffffff")
    for _, bad in ipairs { "", "0x", "1b4", "0xg", "0x" .. ("f"):rep(65), 436, true } do
      assert.is_nil((rpc.digits(bad)), tostring(bad))
      assert.is_nil((rpc.integer(bad)), tostring(bad))
    end
  end)
end)

describe("a node", function()
  local real = engine.get
  local answers, asked

  -- An engine whose transfers are done at once.
  before_each(function()
    answers, asked = {}, 0
    engine.get = function()
      return { fetch = function()
        asked = asked + 1
        local answer = answers[asked] or answers[#answers]
        return {
          done = function() return true end, cancel = function() end,
          result = function()
            if not answer then return nil, "no route" end
            return { status = answer.status or 200, headers = {}, body = answer[1] }
          end,
        }
      end }
    end
  end)
  after_each(function() engine.get = real end)

  local function node()
    local client = { config = { core = { rpc = { ["eip155:8453"] = "http://127.0.0.1:1/" } } } }
    return assert(rpc.of(client, "eip155:8453", engine.now() + 60, "spec"))
  end

  local function kind_of(body, status)
    answers = { { body, status = status } }
    local value, why = node():once("eth_x", {})
    return value == nil and why.kind or value, why
  end

  it("answers the question that was asked, in the form that was agreed, or is not understood", function()
    assert.equal("0x1", kind_of '{"jsonrpc":"2.0","id":1,"result":"0x1"}')
    assert.equal("strange", kind_of '{"jsonrpc":"2.0","id":2,"result":"0x1"}')
    assert.equal("strange", kind_of '{"jsonrpc":"2.0","id":"1","result":"0x1"}')
    assert.equal("strange", kind_of '{"id":1,"result":"0x1"}')
    assert.equal("strange", kind_of '{"jsonrpc":"2.0","id":1}')
    assert.equal("strange", kind_of "[]")
    assert.equal("strange", kind_of "<html>")
    assert.equal("strange", kind_of "")
    assert.equal("down", kind_of("{}", 503))
    assert.equal("down", kind_of("{}", 429))
    assert.equal("refused", kind_of("too large", 413))
    assert.equal("query exceeds 700 blocks", select(2, kind_of(
      '{"jsonrpc":"2.0","id":1,"error":{"code":-32614,"message":"query exceeds 700 blocks"}}', 413)).message)
    local kind, why = kind_of('{"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"execution reverted",'
      .. '"data":"0x1f2a2005"}}')
    assert.equal("refused", kind)
    assert.equal("the contract says ZeroAmount()", (rpc.revert(why)))
    kind, why = kind_of '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"busy\\u0007\\u001b[31m"}}'
    assert.equal("refused", kind)
    assert.is_nil(why.message:find("[%c]"))
  end)

  it("may send numbers beyond 64 bits: they are nothing it was asked for", function()
    local body = '{"jsonrpc":"2.0","id":1,"result":{"rentEpoch":18446744073709551615,"n":1e400}}'
    local value = kind_of(body)
    assert.is_true(type(value) == "table" or value == "strange")
    answers = { { '{"jsonrpc":"2.0","id":1,"result":18446744073709551615}' } }
    local n, why = node():number("eth_blockNumber", {})
    assert.is_nil(n)
    assert.equal("strange", why.kind)
    answers = { { '{"jsonrpc":"2.0","id":1,"result":"0xffffffffffffffffff"}' } }
    n, why = node():number("eth_blockNumber", {})
    assert.is_nil(n)
    assert.equal("strange", why.kind)
  end)

  it("where no contract is answers nothing that could be a balance", function()
    answers = { { '{"jsonrpc":"2.0","id":1,"result":"0x"}' } }
    local value, why = node():contract("0x" .. ("12"):rep(20), "balanceOf", { "0x" .. ("12"):rep(20) })
    assert.is_nil(value)
    assert.truthy(why.message:find("no contract", 1, true))
  end)

  it("is shown what a contract said, by name", function()
    local function said(hex) return (rpc.revert { message = "execution reverted", data = spec.unhex(hex) }) end
    assert.equal("the contract says InsufficientBalance(100, 7)", said("cf479181" .. ("0"):rep(62) .. "64"
      .. ("0"):rep(63) .. "7"))
    assert.truthy(said("08c379a0" .. ("0"):rep(62) .. "20" .. ("0"):rep(63) .. "2" .. "6869" .. ("0"):rep(60))
      :find('says "hi"', 1, true))
    assert.equal("the contract reverted, for a reason of its own", said "12345678")
    assert.is_nil((rpc.revert { message = "nonce too low" }))
  end)
end)

describe("a receipt", function()
  local PAYER, CONTRACT = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A", "0xaF4e43d512C73c6731769620ca6b73f0FCFF9118"
  local moved   -- what the contract's books say by block: the amount deposited
  local run = { payer = PAYER, id = "p", spec = { amount = "5" }, node = {
    contract = function(_, _, _, _, block) return "0", moved[block] end } }
  before_each(function() moved = { ["0xf"] = "0", ["0x10"] = "0" } end)
  local row = { purchase = "p", step = "deposit", to = CONTRACT, hash = ("\7"):rep(32) }

  local function topic(address) return "0x" .. ("0"):rep(24) .. address:sub(3):lower() end
  local function log(more)
    local out = { address = CONTRACT:lower(), topics = { rpc.hex(core.abi_event "Deposited"), topic(PAYER) },
      data = "0x" .. ("0"):rep(63) .. "5" .. ("0"):rep(63) .. "9" .. ("0"):rep(63) .. "0" }
    for name, value in pairs(more or {}) do out[name] = value end
    return out
  end
  local function receipt(more)
    local out = { status = "0x1", blockNumber = "0x10", blockHash = "0x" .. ("bb"):rep(32),
      transactionHash = rpc.hex(row.hash), from = PAYER:lower(), to = CONTRACT:lower(), logs = { log() } }
    for name, value in pairs(more or {}) do out[name] = value end
    return out
  end

  it("of our transaction, with the event that it must leave, is believed", function()
    assert.equal("done", (receipts.judge(run, row, receipt())))
    assert.equal(16, select(2, receipts.judge(run, row, receipt())))
    assert.equal("reverted", (receipts.judge(run, row, receipt { status = "0x0", logs = {} })))
  end)

  it("of a failure is not, when the contract's books moved", function()
    moved["0x10"] = "5"
    local fate, why = receipts.judge(run, row, receipt { status = "0x0", logs = {} })
    assert.is_nil(fate)
    assert.truthy(why:find("the contract's books", 1, true))
  end)

  for name, bad in pairs {
    ["without its event"] = { logs = {} }, ["with logs that are none"] = { logs = "x" },
    ["with the event of another contract"] = { logs = { log { address = PAYER } } },
    ["with the event of another depositor"] = { logs = { log {
      topics = { rpc.hex(core.abi_event "Deposited"), topic(CONTRACT) } } } },
    ["with another event"] = { logs = { log { topics = { rpc.hex(core.abi_event "Refunded"), topic(PAYER) } } } },
    ["with an event cut short"] = { logs = { log { data = "0x00" } } },
    ["of another transaction"] = { transactionHash = "0x" .. ("08"):rep(32) },
    ["of another sender"] = { from = CONTRACT }, ["to another contract"] = { to = PAYER },
    ["without a block"] = { blockNumber = false }, ["without its hash"] = { blockHash = "0x12" },
    ["of another amount"] = { logs = { log { data = "0x" .. ("0"):rep(63) .. "6" .. ("0"):rep(128) } } },
    ["of a failure with its event"] = { status = "0x0" }, ["of no clear end"] = { status = "0x2" },
  } do
    it(name .. " is not", function()
      local fate, why = receipts.judge(run, row, receipt(bad))
      assert.is_nil(fate)
      assert.truthy(why:find("it shows a ", 1, true))
    end)
  end
end)
