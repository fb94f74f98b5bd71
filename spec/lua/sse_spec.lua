-- SPDX-License-Identifier: MIT
-- Server-sent events, by the rules of the HTML standard, however the bytes arrive.
local sse = require "spraay.sse"

-- The events of a text that is fed in pieces of n bytes.
local function events(text, n)
  local reader, list = sse.new(), {}
  for from = 1, #text, n do
    reader:feed(text:sub(from, from + n - 1))
    for event in function() return reader:next() end do list[#list + 1] = event end
  end
  return list
end

-- The same, in pieces of every size.
local function always(text, check)
  for n = 1, #text do check(events(text, n)) end
end

local function data(list)
  local all = {}
  for i, event in ipairs(list) do all[i] = event.data end
  return all
end

describe("the event stream", function()
  it("gives an event at each empty line, whatever ends the lines", function()
    for _, ending in ipairs { "\n", "\r\n", "\r" } do
      local text = ("data: one\n\ndata: two\n\n"):gsub("\n", ending)
      always(text .. (ending == "\r" and ":\n" or ""), function(list)
        assert.same({ "one", "two" }, data(list))
        assert.equal("message", list[1].event)
      end)
    end
  end)

  it("joins the lines of one event", function()
    always("data: a\ndata\ndata:b\n\n", function(list) assert.same({ "a\n\nb" }, data(list)) end)
  end)

  it("takes one space after the colon and no more", function()
    always("data:  two\n\n", function(list) assert.same({ " two" }, data(list)) end)
  end)

  it("names events, and keeps an id until the next", function()
    always("id: 7\nevent: tick\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", function(list)
      assert.same({ "tick", "message", "message" }, { list[1].event, list[2].event, list[3].event })
      assert.same({ "7", "7", "" }, { list[1].id, list[2].id, list[3].id })
    end)
  end)

  it("leaves out comments, fields it does not know, and events without data", function()
    always(": hello\nretry: 5\nfoo: bar\n\nevent: x\n\ndata: a\n\n", function(list)
      assert.same({ "a" }, data(list))
      assert.equal("message", list[1].event)
    end)
  end)

  it("drops a byte order mark, at the beginning only", function()
    always("\239\187\191data: a\n\n\239\187\191data: b\n\n", function(list) assert.same({ "a" }, data(list)) end)
  end)

  it("drops an event that is not finished", function()
    always("data: a\n\ndata: b\n", function(list) assert.same({ "a" }, data(list)) end)
  end)

  it("decodes JSON, and finds the text of a chat's delta", function()
    always('data: {"choices":[{"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\ndata: {oops\n\n', function(list)
      assert.equal("Hi", list[1].text)
      assert.equal("Hi", list[1].json.choices[1].delta.content)
      assert.equal("[DONE]", list[2].data)
      assert.is_nil(list[2].json)
      assert.is_nil(list[3].json)
    end)
  end)

  it("does not slow down with a long line in small pieces", function()
    local reader = sse.new()
    reader:feed "data: "
    for _ = 1, 20000 do reader:feed "xxxxxxxxxx" end
    reader:feed "\n\n"
    assert.equal(200000, #reader:next().data)
  end)
end)
