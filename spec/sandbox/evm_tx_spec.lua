-- The sandbox's own reader of transactions, calls and words, against what viem wrote.
-- SPDX-License-Identifier: MIT
local abi = require "spraay.sandbox.evm.abi"
local escrow = require "spraay.sandbox.evm.escrow"
local evm_tx = require "spraay.sandbox.evm_tx"
local rlp = require "spraay.sandbox.rlp"
local spec = require "spec.helper"
local u256 = require "spraay.sandbox.evm.u256"
local usdc = require "spraay.sandbox.evm.usdc"

local unhex, hex = spec.unhex, spec.hex
local cases = spec.vectors("eth_tx").cases

describe("a type 2 transaction", function()
  for _, case in ipairs(cases) do
    it("is read as it was meant: " .. case.id, function()
      local given = case.tx
      local tx = assert(evm_tx.decode(unhex(case.raw)))
      assert.equal(case.hash, tx.hash)
      assert.equal(case.sighash, hex(tx.digest))
      assert.equal(case.unsigned, hex(tx.unsigned))
      assert.equal(case.from:lower(), tx.from)
      assert.equal(given.to and given.to:lower(), tx.to)
      assert.equal(("%.0f"):format(given.nonce), tostring(tx.nonce))
      assert.equal(given.data or "0x", hex(tx.data))
      assert.same({ tostring(given.gas), given.value, given.maxFeePerGas, given.maxPriorityFeePerGas },
        { tostring(tx.gas), u256.digits(tx.value), u256.digits(tx.fee_cap), u256.digits(tx.tip_cap) })
      assert.equal(#(given.accessList or {}), #tx.access_list)
    end)
  end

  -- A vector taken apart, changed, and put together again.
  local function changed(change)
    local list = rlp.decode(unhex(cases[1].raw):sub(2))
    change(list)
    return "\2" .. rlp.encode(list)
  end

  it("has another sender, or none, once any signed field is changed", function()
    for i = 1, 8 do
      local tx = evm_tx.decode(changed(function(list)
        if i == 6 then list[i] = ("\1"):rep(20) else list[i] = "\9" end
      end))
      if tx then assert.not_equal(cases[1].from:lower(), tx.from) end
    end
  end)

  local N = unhex "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"

  -- n - s: the other root, which no node takes since 2016.
  local function high(s) return assert(u256.sub(N, u256.bytes(s))) end

  for _, row in ipairs{
    { "one field less", function(l) l[12] = nil end, "too few elements for types.DynamicFeeTx" },
    { "one field more", function(l) l[13] = "\1" end, "too many elements for types.DynamicFeeTx" },
    { "a nonce with a leading zero", function(l) l[2] = "\0\1" end, "non-canonical integer (leading zero bytes)" },
    { "a nonce that is a zero byte", function(l) l[2] = "\0" end, "non-canonical integer (leading zero bytes)" },
    { "a nonce of nine bytes", function(l) l[2] = ("\1"):rep(9) end, "input string too long for uint64" },
    { "a nonce that is all there is", function(l) l[2] = ("\xff"):rep(8) end, "nonce has max value" },
    { "a value of 33 bytes", function(l) l[7] = ("\1"):rep(33) end, "input string too long for uint256" },
    { "a fee that is a list", function(l) l[4] = {} end, "expected input string or byte" },
    { "a receiver of 19 bytes", function(l) l[6] = ("\1"):rep(19) end, "input string too short for common.Address" },
    { "a receiver of 32 bytes", function(l) l[6] = ("\1"):rep(32) end, "input string too long for common.Address" },
    { "data that is a list", function(l) l[8] = { "a" } end, "expected input string or byte" },
    { "an access list of text", function(l) l[9] = "x" end, "expected input list for types.AccessList" },
    { "an access list with half a key", function(l) l[9] = { { ("\1"):rep(20), { "half" } } } end, "bad storage key" },
    { "a parity of 27", function(l) l[10] = "\27" end, "invalid sender" },
    { "r of zero", function(l) l[11] = "" end, "invalid sender" },
    { "s in the upper half", function(l) l[10], l[12] = l[10] == "" and "\1" or "", high(l[12]) end,
      "invalid sender" },
  } do
    it("is refused with " .. row[1], function()
      local tx, why = evm_tx.decode(changed(row[2]))
      assert.is_nil(tx)
      assert.truthy(why:find(row[3], 1, true), why)
    end)
  end

  it("is refused when it is of another type, cut off, or nothing", function()
    local raw = unhex(cases[1].raw)
    assert.equal("typed transaction too short", select(2, evm_tx.decode ""))
    for _, first in ipairs{ "\0", "\1", "\3", "\4", "\x7f", "\xf8" } do
      assert.equal("transaction type not supported", select(2, evm_tx.decode(first .. raw:sub(2))))
    end
    for cut = 1, #raw - 1 do assert.is_nil((evm_tx.decode(raw:sub(1, cut)))) end
    assert.is_nil((evm_tx.decode(raw .. "\0")))
  end)
end)

describe("words", function()
  it("read and write numbers of any size up to 2^256 - 1", function()
    for _, case in ipairs(spec.vectors("rlp").integers) do
      local word = assert(u256.of(case.value))
      assert.equal(case.value, u256.digits(word))
      assert.equal(u256.bytes(unhex(case.bytes)), word)
      assert.equal(word, u256.hex(u256.quantity(word)))
    end
    assert.is_nil(u256.of(("9"):rep(78)))
    assert.is_nil(u256.hex("0x1" .. ("0"):rep(64)))
    assert.is_nil(u256.hex "12")
    assert.equal(math.maxinteger, u256.integer(u256.of(math.maxinteger)))
    assert.is_nil(u256.integer(u256.hex "0x8000000000000000"))
  end)

  it("count as integers do, where those suffice", function()
    local roll = spec.dice(11)
    local function number() return roll(2147483647) >> roll(31) end
    for _ = 1, 500 do
      local a, b = number(), number()
      local x, y = u256.of(a), u256.of(b)
      assert.equal(a + b, u256.integer(u256.add(x, y)))
      assert.equal(a * b, u256.integer(u256.mul(x, y)))
      assert.equal(a < b, u256.less(x, y))
      assert.equal(a >= b and a - b or nil, u256.sub(x, y) and u256.integer(u256.sub(x, y)))
      assert.equal(a // 100, u256.integer(u256.divide(x, 100)))
    end
  end)

  it("do not wrap around", function()
    assert.is_nil(u256.add(u256.MAX, u256.of(1)))
    assert.is_nil(u256.sub(u256.ZERO, u256.of(1)))
    assert.is_nil(u256.mul(u256.hex("0x1" .. ("0"):rep(32)), u256.hex("0x1" .. ("0"):rep(32))))
    assert.is_nil(u256.mul(u256.MAX, u256.of(2)))
    assert.is_nil(u256.mul(u256.MAX, u256.MAX))
    assert.equal(u256.MAX, u256.mul(u256.MAX, u256.of(1)))
    local half = u256.hex("0x" .. ("f"):rep(32))
    assert.equal("115792089237316195423570985008687907852589419931798687112530834793049593217025",
      u256.digits(u256.mul(half, half)))
    assert.equal(u256.MAX, u256.add(u256.sub(u256.MAX, u256.of(5)), u256.of(5)))
  end)

  it("are ether where people look", function()
    for text, wei in pairs{ ["0.05"] = "50000000000000000", ["1"] = "1000000000000000000", ["0"] = "0",
                            ["0.000000000000000001"] = "1", ["123.4"] = "123400000000000000000" } do
      assert.equal(wei, u256.digits(u256.ether(text)))
      assert.equal(text, u256.ether_text(u256.ether(text)))
    end
    for _, text in ipairs{ "", ".5", "1.", "-1", "1e3", "0." .. ("1"):rep(19) } do assert.is_nil(u256.ether(text)) end
  end)
end)

describe("calls", function()
  local contracts = { usdc.new("0x" .. ("11"):rep(20)), escrow.new() }

  it("of the published vectors are understood by the contracts", function()
    for _, case in ipairs(spec.vectors("abi").calls) do
      local data, read = unhex(case.data), nil
      for _, contract in ipairs(contracts) do
        local entry = contract.functions[data:sub(1, 4)]
        if entry and entry.name == case["function"] then read = abi.decode(entry.types, data:sub(5)) end
      end
      assert.is_table(read, case["function"])
      assert.equal(#case.args, #read)
      for i, value in ipairs(case.args) do
        if #value == 42 then assert.equal(value:lower(), read[i])
        elseif value:find "^0x" then assert.equal(unhex(value), read[i])
        else assert.equal(value, u256.digits(read[i])) end
      end
    end
  end)

  it("end in the published words when they revert", function()
    local types = { InsufficientBalance = "(uint256,uint256)", Panic = "(uint256)" }
    for _, case in ipairs(spec.vectors("abi").reverts) do
      local data
      if case.error == "Error" then
        data = select(2, pcall(abi.require, false, case.args[1])).revert
        assert.equal(case.args[1], abi.sentence(data))
      else
        local words = {}
        for i, digits in ipairs(case.args) do words[i] = u256.of(digits) end
        local signature = case.error .. (types[case.error] or "()")
        data = select(2, pcall(abi.revert, signature, table.unpack(words))).revert
        assert.is_nil(abi.sentence(data))
      end
      assert.equal(case.data, hex(data))
    end
  end)

  it("and events have the published selectors and topics", function()
    local vectors = spec.vectors "selectors"
    for _, case in ipairs(vectors.functions) do assert.equal(case.selector, hex(abi.selector(case.signature))) end
    for _, case in ipairs(vectors.errors) do assert.equal(case.selector, hex(abi.selector(case.signature))) end
    local topics = {}
    for _, topic in pairs(usdc.TOPICS) do topics[topic] = true end
    for _, case in ipairs(vectors.events) do assert.is_true(topics[case.topic], case.signature) end
    assert.equal("0x5df5d723cf2b779a4bc7bbd4fa1082ab1a37397e0d8c408d7b2546c69585ee15", escrow.TOPICS.deposited)
    assert.equal("0xfbe35e2356443a9f1bba52d760bdee3d402dc324fff3c3ceae2b121a937d2106", escrow.TOPICS.drawn)
    assert.equal("0x2dc8e290002f06fc0085bbca9dfb8b415cf4d1178950c72ff9ee8f4d8878ee66", escrow.TOPICS.refunded)
    assert.equal("0xf49e810833e44840c3e32617c7a2ef270170ebf8793c89d7136f6895a394abff", escrow.TOPICS.operator_started)
    assert.equal("0x74da04524d50c64947f5dd5381ef1a4dca5cba8ed1d816243f9e48aa0b5617ed", escrow.TOPICS.operator_changed)
  end)

  -- Selectors of the escrow as the deployed contract has them.
  it("reach every function of the escrow", function()
    local functions, count = escrow.new().functions, 0
    for selector in ([[b6b55f25 6acab9da 590e1ae3 b7fea2f8 fbcbc0f1 70a08231 23add0a7 7d882097 277e9d28 5e5c06e2
      e4b2fb79 3e413bee 570ca735 ac7e534e 29605e77 fcad4448 b070a0ef 8e91336c 4c08fe0f 937b9bfe ca02fec2 1d4df4d8
      fdc8a949]]):gmatch "%x+" do
      assert.is_table(functions[unhex(selector)], selector)
      count = count + 1
    end
    for _ in pairs(functions) do count = count - 1 end
    assert.equal(0, count)
  end)

  it("are refused when an address has dirty bytes, or an argument is missing", function()
    assert.is_nil(abi.decode({ "address" }, "\1" .. ("\0"):rep(31)))
    assert.is_nil(abi.decode({ "uint8" }, u256.of(256)))
    assert.is_nil(abi.decode({ "uint256", "uint256" }, u256.of(1)))
    assert.same({ u256.of(1) }, abi.decode({ "uint256" }, u256.of(1) .. "more"))
  end)

end)
