-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"

describe("JSON as scripts see it", function()
  local spraay = fake.new()
  local json = require "spraay.json"

  it("has null where JSON has it, which is not nil", function()
    local value = json.decode '{"a":null,"b":[null]}'
    assert.equal(spraay.null, value.a)
    assert.equal(spraay.null, value.b[1])
    assert.is_nil(json.get(value, "a"))
    assert.is_nil(json.get("no table", "a"))
    assert.equal('{"a":null}', json.encode { a = spraay.null })
  end)

  it("is written the same way whatever order the table was filled in", function()
    assert.equal('{"a":1,"b":[true,"x"],"c":{"d":0.5}}',
      json.encode { c = { d = 0.5 }, b = { true, "x" }, a = 1 })
  end)

  it("writes an empty table as an object, and a marked one as an array", function()
    assert.equal("{}", json.encode {})
    assert.equal("[]", json.encode(spraay.array {}))
    assert.equal("[]", json.encode(spraay.array()))
    assert.equal("[1]", json.encode(spraay.array { 1 }))
  end)

  it("reads whole numbers as whole numbers", function()
    local value = json.decode '{"n":3.0,"big":12,"deep":[{"x":4.0}],"half":0.5}'
    assert.equal("3", ("%d"):format(value.n))
    assert.equal("4", ("%d"):format(value.deep[1].x))
    assert.equal(0.5, value.half)
    local kind_of = math.type   -- luacheck: ignore 143
    if kind_of then assert.equal("integer", kind_of(value.n)) end
  end)

  for _, text in ipairs { "", "{", "{}}", "NaN", '{"a":Infinity}', '{"a":0x10}', "'x'", "<html>",
    ("["):rep(100) .. ("]"):rep(100) } do
    it("is not " .. (text:sub(1, 20)), function()
      local value, why = json.decode(text)
      assert.is_nil(value)
      assert.equal("string", type(why))
    end)
  end

  it("has no form for functions, holes or cycles", function()
    local cycle = {}
    cycle[1] = cycle
    for _, value in ipairs { { f = print }, { 1, nil, 3, [5] = 1 }, cycle, { [1] = "a", b = "c" },
      { x = 0 / 0 }, { x = "\255" } } do
      local text, why, code = json.encode(value)
      assert.is_nil(text)
      assert.equal("string", type(why))
      assert.equal("string", type(code))
    end
  end)
end)
