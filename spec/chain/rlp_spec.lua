-- RLP both ways, and every form that is not the shortest refused. Vectors: rlp.json, by viem.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

local vectors = spec.vectors "rlp"

local function tree(value)
  if type(value) == "string" then return spec.unhex(value) end
  local out = {}
  for i, item in ipairs(value) do out[i] = tree(item) end
  return out
end

describe("rlp", function()
  it("writes an integer as its bytes without leading zeros", function()
    for _, case in ipairs(vectors.integers) do
      local bytes = core.amount_valid(case.value) and core.amount_to_be32(case.value):gsub("^%z+", "")
      assert.equal(case.bytes, spec.hex(bytes), case.value)
      assert.equal(case.rlp, spec.hex(core.rlp_encode(bytes)), case.value)
    end
  end)

  it("writes and reads byte strings", function()
    for _, case in ipairs(vectors.byte_strings) do
      assert.equal(case.rlp, spec.hex(core.rlp_encode(spec.unhex(case.bytes))))
      assert.equal(case.bytes, spec.hex(core.rlp_decode(spec.unhex(case.rlp))))
    end
  end)

  it("writes the lengths of long strings", function()
    for _, case in ipairs(vectors.zero_string_prefixes) do
      local prefix, zeros = spec.unhex(case.prefix), ("\0"):rep(tonumber(case.zero_bytes))
      local bytes = core.rlp_encode(zeros)
      assert.is_true(bytes == prefix .. zeros, case.prefix)
      assert.is_true(core.rlp_decode(bytes) == zeros, case.prefix)
    end
  end)

  it("writes and reads lists, nested ones too", function()
    for _, case in ipairs(vectors.lists) do
      local items = tree(case.items)
      assert.equal(case.rlp, spec.hex(core.rlp_encode(items)))
      assert.same(items, core.rlp_decode(spec.unhex(case.rlp)))
    end
  end)

  for _, bad in ipairs{
    { "", "nothing" }, { "8100", "one byte that is its own form" }, { "817f", "the last of those" },
    { "b80100", "a short string in the long form" }, { "b837" .. ("00"):rep(55), "55 bytes in the long form" },
    { "b90038" .. ("00"):rep(56), "a length with a zero in front" }, { "83aabb", "a string cut short" },
    { "c2aa", "a list cut short" }, { "f80180", "a short list in the long form" },
    { "b8", "a length that is not there" }, { "bfffffffffffffffff", "a length past everything" },
    { "ffffffffffffffffff", "such a list" }, { "c281", "an item that leaves its list" }, { "8080", "two items" },
    { "c180" .. "00", "something after the list" },
  } do
    it("refuses " .. bad[2], function()
      local value, _, code = core.rlp_decode(spec.unhex(bad[1]))
      assert.is_nil(value)
      assert.equal("SYNTAX", code)
    end)
  end

  it("reads no deeper than it was made for", function()
    local nested = {}
    for _ = 1, 40 do nested = { nested } end
    assert.equal("DEPTH", select(3, core.rlp_encode(nested)))
    local bytes = "\192"
    for _ = 1, 40 do bytes = string.char(192 + #bytes) .. bytes end
    assert.equal("DEPTH", select(3, core.rlp_decode(bytes)))
  end)

  it("refuses what is neither bytes nor a list", function()
    assert.equal("TYPE", select(3, core.rlp_encode(true)))
    assert.equal("TYPE", select(3, core.rlp_encode { "a", 1 }))
  end)

  it("undoes at reading what it did at writing", function()
    local roll = spec.dice(11)
    local function any(depth)
      if depth == 0 or roll(3) > 0 then return spec.bytes(roll, roll(70)) end
      local out = {}
      for i = 1, roll(6) do out[i] = any(depth - 1) end
      return out
    end
    for _ = 1, 300 do
      local value = any(4)
      assert.same(value, core.rlp_decode(core.rlp_encode(value)))
    end
  end)
end)
