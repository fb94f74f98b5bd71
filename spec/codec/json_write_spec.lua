-- The canonical writer: one Lua value has one text, on every Lua.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"
local cjson = require "cjson"

local encode = core.json_encode
local function array(t) return setmetatable(t, core.json_array_mt) end

describe("json_encode", function()
  it("sorts members by the bytes of their names", function()
    assert.equal('{"":0,"A":1,"a":2,"aa":3,"b":4,"\195\169":5}', encode{ b = 4, a = 2, [""] = 0, aa = 3,
      A = 1, ["\195\169"] = 5 })
  end)

  it("tells arrays from objects", function()
    assert.equal("{}", encode{})
    assert.equal("[]", encode(array{}))
    assert.equal("[1,2,3]", encode{ 1, 2, 3 })
    assert.equal("[1,2,3]", encode(array{ 1, 2, 3 }))
    assert.equal('{"input":{},"list":[[],{"a":[]}]}', encode{ input = {}, list = { array{},
      { a = array{} } } })
  end)

  it("writes null where null is meant", function()
    assert.equal('[null,{"a":null}]', encode{ core.json_null, { a = core.json_null } })
    assert.equal(cjson.null, core.json_null)
  end)

  it("escapes what JSON demands and nothing else", function()
    assert.equal('"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\127\195\169\240\159\152\128"',
      encode '"\\/\b\f\n\r\t\0\31\127\195\169\240\159\152\128')
  end)

  it("writes integral numbers as integers", function()
    assert.equal("[0,0,1,-1,1000000,3,9007199254740992,-9007199254740992]",
      encode{ 0, -0.0, 1, -1, 1e6, 3.0, 2^53, -2^53 })
  end)

  it("writes other numbers in the fewest digits that read back the same", function()
    assert.equal("[0.1,0.3,0.30000000000000004,-2.5,1e-07,1e+100,5e-324,1.7976931348623157e+308,0.7]",
      encode{ 0.1, 0.3, 0.1 + 0.2, -2.5, 1e-7, 1e100, 4.9406564584124654e-324, 1.7976931348623157e308, 0.7 })
  end)

  local largest, smallest = rawget(math, "maxinteger"), rawget(math, "mininteger")
  if largest then   -- 5.3 and later have integers of their own
    it("keeps all 64 bits of an integer", function()
      assert.equal("[9223372036854775807,-9223372036854775808,9007199254740993]",
        encode{ largest, smallest, 9007199254740993 })
    end)
  end

  it("honours arrays that lua-cjson marks, where it does", function()
    if cjson.empty_array_mt then assert.equal("[]", encode(setmetatable({}, cjson.empty_array_mt))) end
    if cjson.array_mt then assert.equal("[]", encode(setmetatable({}, cjson.array_mt))) end
    if cjson.empty_array then assert.equal("[]", encode(cjson.empty_array)) end
  end)

  local loop = { a = {} }
  loop.a.b = { loop }
  local deep = {}
  for _ = 1, 64 do deep = { deep } end

  for _, bad in ipairs{
    { { x = 0 / 0 }, "RANGE", "x: a number that is not finite", "NaN" },
    { { 1, 1 / 0 }, "RANGE", "[2]: a number that is not finite", "infinity" },
    { -1 / 0, "RANGE", "a number that is not finite", "minus infinity" },
    { { messages = { {}, { content = "\255" } } }, "UTF8", "messages[2].content: not valid UTF-8",
      "invalid UTF-8" },
    { { ["\237\160\128"] = 1 }, "UTF8", "(name): not valid UTF-8", "a name that is not UTF-8" },
    { { f = print }, "TYPE", "f: a function, which JSON has no word for", "a function" },
    { { io.stdout }, "TYPE", "[1]: a userdata, which JSON has no word for", "a userdata" },
    { coroutine.create(function() end), "TYPE", "a coroutine, which JSON has no word for", "a coroutine" },
    { { 1, 2, x = 3 }, "TYPE", "a table with both positions and names", "positions and names mixed" },
    { { [1] = 1, [3] = 3 }, "TYPE", "an array with a hole in it", "a hole" },
    { { [2] = 2 }, "TYPE", "an array with a hole in it", "an array that begins at 2" },
    { { [0] = 0 }, "TYPE", "a key that is neither a string nor a position", "position 0" },
    { { [1.5] = 0 }, "TYPE", "a key that is neither a string nor a position", "a fraction for a key" },
    { { [true] = 0 }, "TYPE", "a key that is neither a string nor a position", "a boolean for a key" },
    { array{ x = 1 }, "TYPE", "an array with names in it", "names in an array" },
    { loop, "DEPTH", "a.b[1]: a table that contains itself", "a table that contains itself" },
    { deep, "DEPTH", nil, "65 levels" } } do
    it("refuses " .. bad[4] .. ", and says where", function()
      local text, why, code = encode(bad[1])
      assert.is_nil(text)
      assert.equal(bad[2], code)
      if bad[3] then assert.equal(bad[3], why) end
    end)
  end

  it("writes 64 levels, and one table in two places", function()
    local t = {}
    for _ = 1, 63 do t = { t } end
    assert.equal(("["):rep(63) .. "{}" .. ("]"):rep(63), encode(t))
    local shared = { 1 }
    assert.equal('{"a":[1],"b":[1]}', encode{ a = shared, b = shared })
  end)

  it("does not run the caller's metamethods", function()
    local t = setmetatable({ a = 1 }, { __index = function() error "no" end,
      __pairs = function() error "no" end, __len = function() error "no" end })
    assert.equal('{"a":1}', encode(t))
  end)

  it("refuses nil, which is a typing error more often than a wish", function()
    assert.equal("TYPE", select(3, encode(nil)))
    assert.has_error(function() encode() end)
  end)

  it("writes what the strict reader reads and lua-cjson understands alike", function()
    local roll = spec.dice(8259)
    local function value(depth)
      local kind = roll(depth > 3 and 5 or 7)
      if kind == 0 then return roll(2) == 0 end
      if kind == 1 then return (roll(2000) - 1000) / (roll(2) == 0 and 1 or 8) end
      if kind == 2 then return core.json_null end
      if kind <= 4 then
        return (spec.bytes(roll, roll(12)):gsub("[\128-\255]",
          function(c) return "\195" .. string.char(128 + c:byte() % 64) end))
      end
      local t = {}
      for i = 1, roll(5) do t[kind == 5 and i or "k" .. roll(50)] = value(depth + 1) end
      return kind == 5 and array(t) or t
    end
    for _ = 1, 300 do
      local v = value(0)
      local text = assert(encode{ v = v })
      assert.is_true(core.json_check(text))
      local again = cjson.decode(text)
      local function mark(a, b)   -- cjson forgets which empty tables were arrays
        if type(a) ~= "table" then return end
        if getmetatable(a) == core.json_array_mt then array(b) end
        for k, inner in pairs(a) do mark(inner, b[k]) end
      end
      mark(v, again.v)
      assert.equal(text, encode(again))
    end
  end)
end)
