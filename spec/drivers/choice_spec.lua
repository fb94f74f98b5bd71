-- SPDX-License-Identifier: MIT
-- Which driver a call waits by, and what spraay.use says when it cannot be the one asked for.
local fake = require "spec.support.fakecore"

-- Call fn where no Lua module but those that are loaded can be found.
local function bare(fn)
  local path, cpath, luv, copas = package.path, package.cpath, package.loaded["luv"], package.loaded["copas"]
  package.path, package.cpath, package.loaded["luv"], package.loaded["copas"] = "", "", nil, nil
  local ok, why = pcall(fn)
  package.path, package.cpath, package.loaded["luv"], package.loaded["copas"] = path, cpath, luv, copas
  if not ok then error(why, 0) end
end

describe("spraay.use", function()
  local spraay
  before_each(function() spraay = fake.new() end)

  for name, install in pairs { luv = "apt-get install lua-luv", copas = "luarocks install copas" } do
    it(("says how to get %s where it is not installed"):format(name), function()
      bare(function()
        local ok, message, err = spraay.use(name)
        assert.is_nil(ok)
        assert.equal("usage", err.kind)
        assert.equal("driver_missing", err.code)
        assert.truthy(message:find(("the driver \"%s\" needs the Lua module %s, which is not installed"):format(name,
          name), 1, true), message)
        assert.truthy(message:lower():find(install, 1, true), message)
      end)
    end)
  end

  it("names the reason where a module is there and does not load", function()
    bare(function()
      package.preload["luv"] = function() error "libuv is too old" end
      local _, message = spraay.use "luv"
      package.preload["luv"] = nil
      assert.truthy(message:find("does not load: ", 1, true), message)
      assert.truthy(message:find("libuv is too old", 1, true), message)
    end)
  end)

  it("wants copas 4", function()
    package.loaded["copas"] = { _VERSION = "Copas 1.1.7" }
    local ok, message, err = spraay.use "copas"
    package.loaded["copas"] = nil
    assert.is_nil(ok)
    assert.equal("driver_missing", err.code)
    assert.truthy(message:find("copas 4 or later, and this is Copas 1.1.7", 1, true), message)
  end)

  it("offers nginx only inside nginx", function()
    local _, message, err = spraay.use "ngx"
    assert.equal("driver_missing", err.code)
    assert.truthy(message:find("runs only inside OpenResty", 1, true), message)
  end)

  it("leaves the choice as it was when it fails", function()
    assert(spraay.use "block")
    assert.is_nil(spraay.use "ngx")
    local began = {}
    spraay.run(function()   -- blocks: the first is done before the second begins
      for i = 1, 2 do
        spraay.spawn(function()
          began[#began + 1] = "begin " .. i
          spraay.sleep(1)
          began[#began + 1] = "end " .. i
        end)
      end
    end)
    assert.same({ "begin 1", "end 1", "begin 2", "end 2" }, began)
  end)

  for _, odd in ipairs { 7, {}, true, "Luv ", "" } do
    it("takes a name and no " .. tostring(type(odd) == "table" and "table" or odd), function()
      local ok, message, err = spraay.use(odd)
      assert.is_nil(ok)
      assert.equal("driver", err.code)
      assert.truthy(message:find("spraay.use: there is no driver", 1, true), message)
    end)
  end
end)

describe("spraay.update", function()
  it("has no frames inside a task", function()
    local spraay = fake.new()
    local ok, message, err = spraay.run(function() return spraay.update(0) end)
    assert.is_nil(ok)
    assert.equal("usage", err.kind)
    assert.equal("update", err.code)
    assert.truthy(message:find("not into a task", 1, true), message)
  end)

  it("says how many tasks are left, under \"frame\" as without it", function()
    for _, name in ipairs { "auto", "frame" } do
      local spraay = fake.new()
      assert(spraay.use(name))
      spraay.spawn(function() spraay.sleep(1) end)
      assert.equal(1, spraay.update(0.004))
      assert.equal(1, spraay.update(0.004))
    end
  end)
end)
