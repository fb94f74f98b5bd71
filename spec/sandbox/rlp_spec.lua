-- The sandbox's own reader of RLP, against what viem wrote.
-- SPDX-License-Identifier: MIT
local rlp = require "spraay.sandbox.rlp"
local spec = require "spec.helper"

local vectors = spec.vectors "rlp"
local unhex = spec.unhex

-- Hex leaves of a tree to bytes.
local function bytes(tree)
  if type(tree) == "string" then return unhex(tree) end
  local out = {}
  for i, one in ipairs(tree) do out[i] = bytes(one) end
  return out
end

describe("the sandbox's RLP", function()
  it("reads and writes every published vector", function()
    local count = 0
    for _, set in ipairs{ vectors.integers, vectors.byte_strings } do
      for _, case in ipairs(set) do
        assert.equal(unhex(case.bytes), rlp.decode(unhex(case.rlp)))
        assert.equal(unhex(case.rlp), rlp.encode(unhex(case.bytes)))
        count = count + 1
      end
    end
    for _, case in ipairs(vectors.lists) do
      assert.same(bytes(case.items), rlp.decode(unhex(case.rlp)))
      assert.equal(unhex(case.rlp), rlp.encode(bytes(case.items)))
      count = count + 1
    end
    assert.equal(39, count)
  end)

  it("measures long strings in as few bytes as they need", function()
    for _, case in ipairs(vectors.zero_string_prefixes) do
      local text = ("\0"):rep(case.zero_bytes)
      local encoded, prefix = rlp.encode(text), unhex(case.prefix)
      assert.equal(prefix, encoded:sub(1, #prefix))
      assert.is_true(rlp.decode(encoded) == text)
    end
  end)

  for _, row in ipairs{
    { "", "nothing at all", "unexpected end of input" },
    { "8100", "one small byte with a length before it", "non-canonical size information" },
    { "817f", "the largest byte that stands for itself, with a length", "non-canonical size information" },
    { "b800", "a long form for no bytes", "non-canonical size information" },
    { "b837" .. ("61"):rep(55), "a long form for 55 bytes", "non-canonical size information" },
    { "b90038" .. ("61"):rep(56), "a length that begins with zero", "non-canonical size information" },
    { "f837" .. ("61"):rep(55), "a long form for a list of 55 bytes", "non-canonical size information" },
    { "83646f", "a string that ends before its length", "value size exceeds available input length" },
    { "b9", "a length that is cut off", "value size exceeds available input length" },
    { "bfffffffffffffffff", "a length beyond any memory", "non-canonical size information" },
    { "c3830000", "an item that reaches over the end of its list", "value size exceeds available input length" },
    { "c0c0", "two items", "more than one value" },
    { "8000", "an item and a byte", "more than one value" },
    { ("c1"):rep(55) .. "c0", "lists in lists without end", "value size exceeds available input length" },
  } do
    it("refuses " .. row[2], function()
      local item, why = rlp.decode(unhex(row[1]))
      assert.is_nil(item)
      assert.truthy(why:find(row[3], 1, true), why)
    end)
  end

  it("refuses lists that are too deep, before the stack does", function()
    local text = "\xc0"
    for _ = 1, 40 do text = string.char(0xc0 + #text) .. text end
    local item, why = rlp.decode(text)
    assert.is_nil(item)
    assert.truthy(why:find("too deep", 1, true))
  end)

  it("says the same of any bytes twice: what it reads, it writes back", function()
    local roll, read = spec.dice(7), 0
    for _ = 1, 3000 do
      local text = spec.bytes(roll, 1 + roll(9))
      local item = rlp.decode(text)
      if item then
        read = read + 1
        assert.equal(text, rlp.encode(item))
      end
    end
    assert.is_true(read > 50)
  end)
end)
