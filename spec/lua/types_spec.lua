-- SPDX-License-Identifier: MIT
--- The annotations editors read, against what the modules really export.
local fake = require "spec.support.fakecore"

describe("types.lua", function()
  local spraay = fake.new()
  local file = assert(io.open "lua/spraay/types.lua")
  local text = file:read "*a"
  file:close()

  -- The functions a class is said to have: every `function Name.x(` or `function Name:x(`.
  local function declared(name)
    local names = {}
    for method in text:gmatch("\nfunction " .. name .. "[.:]([%w_]+)%(") do names[method] = true end
    return names
  end

  local function functions(of)
    local names = {}
    for key, value in pairs(of) do
      if type(key) == "string" and type(value) == "function" and not key:match "^__" then
        names[key] = true
      end
    end
    return names
  end

  it("describes every function of the module, and no other", function()
    assert.same(functions(spraay), declared "spraay")
    assert.same(functions(spraay.wallet), declared "wallet")
    assert.same(functions(spraay.x402), declared "x402")
  end)

  it("describes every method of what it gives", function()
    local client = assert(spraay.open {})
    local account = assert(client.futures:account "CFE-1")
    local task = spraay.spawn(function() end)
    local session = assert(spraay.x402.session(client, { url = "/x" }))
    for name, value in pairs { Client = client, Futures = client.futures, Account = account, Task = task,
      Session = session } do
      for method in pairs(declared(name)) do
        assert.equal("function", type(value[method]), name .. ":" .. method)
      end
    end
    for method in pairs(functions(getmetatable(client).__index)) do
      assert.is_true(declared("Client")[method], "Client:" .. method .. " is not described")
    end
    task:wait()
  end)

  it("describes every option of open", function()
    local options = require "spraay.options"
    local part = text:match "%-%-%-@class spraay.OpenOptions\n(.-)\n\n"
    local described = {}
    for name in part:gmatch "%-%-%-@field ([%w_]+)" do described[#described + 1] = name end
    table.sort(described)
    assert.same(options.names, described)
  end)
end)
