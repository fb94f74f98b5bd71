-- SPDX-License-Identifier: MIT
-- The folder that games ship: complete, alone, and the same object under PUC 5.1 and LuaJIT.
local bundle = require "spec.support.bundle"
local sandbox = require "spec.support.sandbox"

local output = bundle.output

local folder, box

setup(function()
  folder = bundle.make()
  box = sandbox.start{}
end)

teardown(function()
  box:stop()
  os.execute("rm -rf " .. folder)
end)

before_each(function() box:reset() end)

-- A script under a Lua that finds nothing but the folder.
local function run(lua, script)
  local file = assert(io.open(folder .. "/script.lua", "w"))
  file:write(script)
  file:close()
  return output(("cd / && LUA_PATH='%s/bundle/?.lua;%s/bundle/?/init.lua' LUA_CPATH='%s/bundle/?.so' " ..
    "SPRAAY_GATEWAY=%s SPRAAY_PRIVATE_KEY=%s SPRAAY_BASE_RPC=%s SPRAAY_STATE_DIR=%s/state %s %s/script.lua"):format(
    folder, folder, folder, box.url, box.key, box.rpc, folder, lua, folder))
end

describe("the bundle", function()
  for _, lua in ipairs { "lua5.1", "luajit" } do
    it("pays under " .. lua .. ", frame by frame, with an object built for Lua 5.1", function()
      local said = run(lua, [[
        local spraay = require "spraay"
        local client = assert(spraay.open {})
        local task = spraay.spawn(function() return client:chat "Who lives in the lighthouse?" end)
        while not task:done() do spraay.update(0.002) end
        print(jit and "LuaJIT" or _VERSION, assert(task:wait()).payment.status)
      ]])
      assert.equal((lua == "luajit" and "LuaJIT" or "Lua 5.1") .. "\tsettled", said)
      assert.equal(1, box:ledger().count)
    end)

    it("brings its own cjson for " .. lua .. ", and nothing else is found", function()
      assert.equal("[1]\tfalse", run(lua, [[print(require("cjson").encode { 1 }, (pcall(require, "cqueues")))]]))
    end)
  end

  it("needs libcurl and libc's own libraries alone", function()
    local needed = {}
    for _, object in ipairs { "spraay/core.so", "cjson.so" } do
      for name in output(("readelf -d %s/bundle/%s"):format(folder, object)):gmatch "%(NEEDED%)[^%[]*%[([^%]]*)%]" do
        needed[name] = true
      end
    end
    assert.is_true(needed["libcurl.so.4"])
    for _, name in ipairs { "libcurl.so.4", "libc.so.6", "libm.so.6" } do needed[name] = nil end
    for name in pairs(needed) do
      if name:find "^ld%-linux" then needed[name] = nil end
    end
    assert.same({}, needed)
  end)

  it("asks for no version of libcurl's symbols, which distributions name differently", function()
    local symbols = output(("nm -D --undefined-only %s/bundle/spraay/core.so | grep curl_"):format(folder))
    assert.matches("curl_easy_init", symbols)
    assert.is_nil(symbols:find("@", 1, true))
  end)

  it("shows the game one symbol, so that its SQLite meets no other", function()
    assert.matches("^%x+ T luaopen_spraay_core$",
      output(("nm -D --defined-only %s/bundle/spraay/core.so"):format(folder)))
  end)

  it("holds every Lua file of the tree but the sandbox and the command line", function()
    local function files(where) return output(("cd %s && find spraay -name '*.lua' ! -path 'spraay/sandbox/*' " ..
      "! -path 'spraay/cli/*' | sort"):format(where)) end
    assert.equal(files "lua", files(folder .. "/bundle"))
    assert.equal("", output(("cd %s/bundle && find . -path '*sandbox*' -o -path '*cli/*'"):format(folder)))
  end)

  it("names the licence of everything inside, and says what it needs", function()
    local licences = output(("cat %s/bundle/LICENSES.txt"):format(folder))
    for _, holder in ipairs { "Pieter Wuille", "Frank Denis", "public domain", "Mark Pulford" } do
      assert.is_truthy(licences:find(holder, 1, true), holder)
    end
    local file = assert(io.open "LICENSE")
    assert.is_truthy(licences:find(file:read "*a", 1, true))
    file:close()
    local readme = output(("cat %s/bundle/README.txt"):format(folder))
    for _, word in ipairs { "libcurl.so.4", "glibc 2.", "spraay.update(0.002)", "private key" } do
      assert.is_truthy(readme:find(word, 1, true), word)
    end
  end)

  it("is in the archive beside it", function()
    local list = "cd %s && find bundle ! -type d | sort"
    assert.equal(output(list:format(folder)),
      output(("tar -tzf %s/bundle.tar.gz | grep -v '/$' | sort"):format(folder)))
  end)

  it("says which library is missing where there is no libcurl", function()
    bundle.without_curl(folder)     -- for good, so this comes last
    for _, lua in ipairs { "lua5.1", "luajit" } do
      assert.matches("libcurl.so.9: cannot open shared object file", run(lua, 'require "spraay"'), 1, true)
    end
  end)
end)
