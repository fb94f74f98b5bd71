-- The strict reader: what is refused and why, and that nothing is lost of what is read.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

describe("json_check", function()
  for _, good in ipairs{
    "null", " true ", "false", "0", "-0", "0.0", "-1.5e-10", "1E+2", "1e400",
      "123456789012345678901234567890",
    '""', '"\\u0000"', '"\\ud83d\\ude00"', '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"',
      '"\195\169\226\130\172\240\159\152\128"',
    "[]", "[ ]", "[1,[2,[3]]]", "{}", "\t\r\n{ }", '{"a":1,"b":{"a":1}}', '{"":0}', '{"a":1,"A":2}',
      '"\127"' } do
    it("accepts " .. good:gsub("%c", "?"), function() assert.is_true(core.json_check(good)) end)
  end

  for _, bad in ipairs{
    { "", "SYNTAX", "nothing" }, { "  ", "SYNTAX", "only space" },
    { "\239\187\191{}", "SYNTAX", "a byte order mark" },
    { "{} x", "SYNTAX", "text after the value" }, { "1 2", "SYNTAX", "two values" },
    { "null\0", "SYNTAX", "a NUL after the value" },
    { "nul", "SYNTAX", "half a word" }, { "True", "SYNTAX", "a capital" },
    { "NaN", "SYNTAX", "NaN" }, { "Infinity", "SYNTAX", "Infinity" },
    { "-Infinity", "SYNTAX", "minus Infinity" }, { "01", "SYNTAX", "a leading zero" },
    { "-", "SYNTAX", "a lonely minus" },
    { "+1", "SYNTAX", "a plus" }, { "1.", "SYNTAX", "a bare point" },
    { ".5", "SYNTAX", "no digit before the point" },
    { "1e", "SYNTAX", "no exponent" }, { "1e+", "SYNTAX", "only the sign of an exponent" },
    { "0x10", "SYNTAX", "hexadecimal" },
    { "1_000", "SYNTAX", "an underscore" }, { '"a', "SYNTAX", "an open string" },
    { "'a'", "SYNTAX", "single quotes" },
    { '"\n"', "SYNTAX", "a raw line break in a string" },
    { '"\t"', "SYNTAX", "a raw tab in a string" }, { '"a\0b"', "SYNTAX", "a raw NUL in a string" },
    { '"\\x41"', "SYNTAX", "an unknown escape" },
    { '"\\u12g4"', "SYNTAX", "a letter in an escape" }, { '"\\u12"', "SYNTAX", "a short escape" },
    { '"\\"', "SYNTAX", "an escaped closing quote" }, { '"\\', "SYNTAX", "an escape at the end" },
    { '"\\U0041"', "SYNTAX", "a capital U" },
    { '"\\ud800"', "UTF8", "half a pair" }, { '"\\ud800x"', "UTF8", "half a pair and a letter" },
    { '"\\ud800\\n"', "UTF8", "half a pair and an escape" },
    { '"\\ud800\\u0041"', "UTF8", "a first half and no second" },
    { '"\\ud800\\ud800"', "UTF8", "two first halves" },
    { '"\\udc00"', "UTF8", "a second half alone" },
    { '"\255"', "UTF8", "a byte that never occurs" }, { '"\192\128"', "UTF8", "an overlong NUL" },
    { '"\224\128\175"', "UTF8", "an overlong slash" },
    { '"\240\128\128\128"', "UTF8", "an overlong four" },
    { '"\237\160\128"', "UTF8", "an encoded surrogate" },
    { '"\244\144\128\128"', "UTF8", "past U+10FFFF" },
    { '"\195"', "UTF8", "a cut sequence" }, { '"\128"', "UTF8", "a lonely continuation" },
    { '{"\255":1}', "UTF8", "bad UTF-8 in a name" },
    { "[", "SYNTAX", "an open array" }, { "[1,]", "SYNTAX", "a comma at the end" },
    { "[,1]", "SYNTAX", "a comma at the start" }, { "[1 2]", "SYNTAX", "no comma" },
    { "[1}", "SYNTAX", "the wrong bracket" }, { "]", "SYNTAX", "a closing bracket" },
    { "{", "SYNTAX", "an open object" }, { '{"a"}', "SYNTAX", "a name alone" },
    { '{"a":}', "SYNTAX", "no value" }, { '{"a":1,}', "SYNTAX", "a comma at the end of an object" },
    { "{a:1}", "SYNTAX", "a bare name" }, { "{1:1}", "SYNTAX", "a number for a name" },
    { '{"a":1 "b":2}', "SYNTAX", "no comma in an object" }, { '{"a" 1}', "SYNTAX", "no colon" },
    { "[1]//x", "SYNTAX", "a comment" }, { "/**/1", "SYNTAX", "a comment first" },
    { "\f1", "SYNTAX", "a form feed" }, { "\194\1601", "SYNTAX", "a no-break space" },
    { '{"a":1,"a":2}', "DUPLICATE", "a name twice" },
    { '{"a":1,"\\u0061":2}', "DUPLICATE", "a name twice, once escaped" },
    { '{"x":{"a":1,"b":2,"a":3}}', "DUPLICATE", "a name twice, further in" },
    { '{"":1,"":2}', "DUPLICATE", "the empty name twice" },
    { '{"\\ud83d\\ude00":1,"\240\159\152\128":2}', "DUPLICATE", "one character in two spellings" },
    { ("["):rep(65) .. ("]"):rep(65), "DEPTH", "65 levels" } } do
    it("rejects " .. bad[3], function()
      local good, why, code = core.json_check(bad[1])
      assert.is_nil(good)
      assert.is_string(why)
      assert.equal(bad[2], code)
    end)
  end

  it("accepts 64 levels", function()
    assert.is_true(core.json_check(("["):rep(64) .. ("]"):rep(64)))
    assert.is_true(core.json_check(('{"a":'):rep(64) .. "1" .. ("}"):rep(64)))
    assert.is_true(core.json_check("[" .. ("[[[]]],"):rep(100) .. "1]"))
  end)

  it("says where it stopped", function()
    assert.equal(4, select(4, core.json_check "[1,]"))
    assert.equal(1, select(4, core.json_check ""))
  end)

  it("finds a repeated name among thousands, without comparing all with all", function()
    local names = {}
    for i = 1, 20000 do names[i] = ('"n%d":%d'):format(i * 7919 % 20011, i) end
    local text = table.concat(names, ",")
    assert.is_true(core.json_check("{" .. text .. "}"))
    assert.equal("DUPLICATE", select(3, core.json_check("{" .. text .. ',"\\u006e7919":0}')))
  end)

  it("limits how many values it will hold", function()
    assert.equal("LIMIT", select(3, core.json_check("[" .. ("0,"):rep(1100000) .. "0]")))
  end)
end)

describe("json_raw", function()
  local text = ' {"x402Version": 2, "accepts" : [ {"amount":"1\\u0030", "t": 3e2 , "deep":{"n":[1,2.50]}}, '
    .. 'null ] ,"s":"\\/" }'

  it("gives back the very bytes of a value", function()
    assert.equal("2", core.json_raw(text, "x402Version"))
    assert.equal('{"amount":"1\\u0030", "t": 3e2 , "deep":{"n":[1,2.50]}}', core.json_raw(text, "accepts", 1))
    assert.equal('"1\\u0030"', core.json_raw(text, "accepts", 1, "amount"))
    assert.equal("2.50", core.json_raw(text, "accepts", 1, "deep", "n", 2))
    assert.equal("null", core.json_raw(text, "accepts", 2))
    assert.equal('"\\/"', core.json_raw(text, "s"))
    assert.equal(text:match "^%s*(.-)%s*$", core.json_raw(text))
  end)

  it("finds a name however it was escaped", function()
    assert.equal("1", core.json_raw('{"p\\u0061yTo":1}', "payTo"))
    assert.equal("1", core.json_raw('{"\\ud83d\\ude00":1}', "\240\159\152\128"))
  end)

  it("says MISSING for a path that leads nowhere", function()
    for _, path in ipairs{ { "accepts", 3 }, { "accepts", 0 }, { "accepts", "x" }, { "x402Version", "x" },
      { "s", 1 },
                           { 1, 1 }, { "nothing", "x" } } do
      assert.equal("MISSING", select(3, core.json_raw(text, path[1], path[2])))
    end
    assert.equal("MISSING", select(3, core.json_raw(text, "nothing")))
  end)

  it("says what is wrong with the text", function()
    assert.equal("DUPLICATE", select(3, core.json_raw('{"a":1,"a":2}', "a")))
  end)
end)

describe("json_string", function()
  it("undoes escapes", function()
    assert.equal('"\\/\b\f\n\r\t\195\169\226\130\172\240\159\152\128\0.',
      core.json_string '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00E9\\u20ac\\uD83D\\uDE00\\u0000."')
    assert.equal("", core.json_string '""')
    assert.equal("\195\169", core.json_string '"\195\169"')
    assert.equal("\127\194\128\223\191\224\160\128\239\191\191",
      core.json_string '"\\u007f\\u0080\\u07ff\\u0800\\uffff"')
    assert.equal("\240\144\128\128\244\143\191\191", core.json_string '"\\ud800\\udc00\\udbff\\udfff"')
  end)

  it("is about strings only", function()
    for _, text in ipairs{ "1", "null", "[]", "{}", "true" } do
      assert.equal("TYPE", select(3, core.json_string(text)))
    end
  end)
end)

describe("json_integer", function()
  for text, digits in pairs{
    ["0"] = "0", ["-0"] = "0", ["0.000"] = "0", ["0e99"] = "0", ["300"] = "300", ["300.0"] = "300",
      ["3e2"] = "300", ["3E+2"] = "300",
    ["30000e-2"] = "300", ["0.003e5"] = "300", ["-12"] = "-12", ["1.20e1"] = "12", ["100.10e1"] = "1001",
      ["9007199254740993"] = "9007199254740993",
    ["9223372036854775807"] = "9223372036854775807", ["-9223372036854775808"] = "-9223372036854775808",
    ["9223372036854775807000e-3"] = "9223372036854775807", ["1e18"] = "1000000000000000000",
    ["0.0000000000000000000000000000000001e36"] = "100" } do
    it(("reads %s as %s"):format(text, digits), function() assert.equal(digits, core.json_integer(text)) end)
  end

  for text, code in pairs{
    ["0.5"] = "PRECISION", ["1e-1"] = "PRECISION", ["300.0000000000000000000000000001"] = "PRECISION",
      ["-2.5e0"] = "PRECISION",
    ["1e-99999999999999999999"] = "PRECISION", ["9223372036854775808"] = "RANGE",
      ["-9223372036854775809"] = "RANGE", ["1e19"] = "RANGE",
    ["1e99999999999999999999"] = "RANGE", ["99999999999999999999999"] = "RANGE",
      ["123456789012345678901234567890"] = "RANGE",
    ['"300"'] = "TYPE", ["null"] = "TYPE", ["[1]"] = "TYPE", ["true"] = "TYPE" } do
    it(("says %s of %s"):format(code, text), function() assert.equal(code, select(3,
      core.json_integer(text))) end)
  end
end)

describe("a real challenge", function()
  it("is read whole", function()
    local text = spec.read "vectors/x402_challenges.json"
    assert.is_true(core.json_check(text))
    for _, name in ipairs{ "eip3009", "x402_svm", "hashes", "base64", "ecdsa_secp256k1" } do
      assert.is_true(core.json_check(spec.read("vectors/" .. name .. ".json")))
    end
  end)
end)
