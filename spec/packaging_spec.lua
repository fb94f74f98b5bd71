--- What a user installs: the rock, which must name every file of the tree and
--- build without a network, and `make install`, whose launcher must run anywhere.
--- Rockspec format: https://github.com/luarocks/luarocks/wiki/Rockspec-format
-- SPDX-License-Identifier: MIT

local ROCKSPEC = "rockspec/spraay-scm-1.rockspec"
local VERSION = _VERSION:match "%d%.%d"
local LUA = "lua" .. VERSION

-- A rockspec is a list of assignments; these are what it assigns.
local function rockspec()
  local env = {}
  local setfenv = rawget(_G, "setfenv")   -- 5.1 and LuaJIT
  if setfenv then
    setfenv(assert(loadfile(ROCKSPEC)), env)()
  else
    assert(loadfile(ROCKSPEC, "t", env))()
  end
  return env
end

-- Runs a shell command; its output, and whether it exited with 0.
local function sh(format, ...)
  local pipe = assert(io.popen("{ " .. format:format(...) .. "\n} 2>&1; echo \"status $?\""))
  local output = pipe:read "*a"
  pipe:close()
  local text, status = output:match "^(.-)status (%d+)\n$"
  return text, status == "0"
end

local function run(...)
  local text, ok = sh(...)
  assert(ok, text)
  return text
end

-- Fails unless the files that `find` prints are those listed.
local function assert_tree(find, listed)
  local wrong, known = {}, {}
  for _, file in ipairs(listed) do known[file] = true end
  for file in run(find):gmatch "[^\n]+" do
    if not known[file] then wrong[#wrong + 1] = file .. " is not listed" end
    known[file] = nil
  end
  for file in pairs(known) do wrong[#wrong + 1] = file .. " does not exist" end
  assert(#wrong == 0, "`make rockspec` mends this:\n" .. table.concat(wrong, "\n"))
end

describe("the rockspec", function()
  local spec = rockspec()
  local modules = spec.build.modules

  it("compiles every C source of the tree and no other", function()
    assert_tree("find src -name '*.c'", modules["spraay.core"].sources)
  end)

  it("installs every Lua module of the tree under the name that requires it", function()
    local listed = {}
    for name, file in pairs(modules) do
      if type(file) == "string" then
        listed[#listed + 1] = file
        local path = "lua/" .. name:gsub("%.", "/")
        assert.is_true(file == path .. ".lua" or file == path .. "/init.lua", name .. " is " .. file)
      end
    end
    assert_tree("find lua -name '*.lua'", listed)
  end)

  it("asks for no rock but Lua, so that it builds offline", function()
    assert.equal(1, #spec.dependencies)
    assert.matches("^lua ", spec.dependencies[1])
  end)

  it("looks for libraries and not for headers, which Debian keeps elsewhere", function()
    for name, dependency in pairs(spec.external_dependencies) do
      assert.is_nil(dependency.header, name)
      assert.is_string(dependency.library, name)
    end
  end)
end)

describe("an installed copy", function()
  local dir

  -- Elsewhere than the tree, and without the tree's module paths.
  local function clean(command, ...)
    return run("cd / && env -u LUA_PATH -u LUA_CPATH SPRAAY_STATE_DIR=%s/state " .. command, dir, ...)
  end

  setup(function()
    dir = run("mktemp -d"):gsub("%s+$", "")
  end)

  teardown(function()
    run("rm -rf %s", dir)
  end)

  -- A script that pays, run by the installed command against its own sandbox.
  local function assert_pays(spraay, lua)
    run("echo 'print(assert(require \"spraay\".open{}:chat \"hello\").payment.status)' > %s/pay.lua", dir)
    assert.equal("settled\n", clean("%s sandbox -- %s %s/pay.lua", spraay, lua, dir))
  end

  -- A tree of rocks, made with the network out of reach: its command, and the variables that find it.
  local function rock(version)
    local tree = ("%s/rock-%s"):format(dir, version)
    -- LuaRocks leaves objects beside the sources, so it gets a copy of them.
    run("mkdir %s && mkdir %s/copy && cp -R src lua rockspec spec %s/copy", tree, tree, tree)
    run("cd %s/copy && http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 " ..
        "luarocks --lua-version=%s make --tree=%s %s CFLAGS='-O0 -fPIC'", tree, version, tree, ROCKSPEC)
    local share, lib = tree .. "/share/lua/" .. version, tree .. "/lib/lua/" .. version
    return tree .. "/bin/spraay",
      ("LUA_PATH='%s/?.lua;%s/?/init.lua;;' LUA_CPATH='%s/?.so;;'"):format(share, share, lib)
  end

  local function skip_without(program)
    if not select(2, sh("command -v %s", program)) then pending(program .. " is not installed") end
  end

  it("comes from `luarocks make`, offline, and its command pays in a sandbox of its own", function()
    skip_without "luarocks"
    local spraay, paths = rock(VERSION)
    assert.equal("function\n", clean("%s %s -e 'print(type(require \"spraay\".open))'", paths, LUA))
    assert.matches("Usage: spraay", clean("%s --help", spraay))
    assert_pays(spraay, LUA)
  end)

  it("comes from `luarocks make` for Lua 5.1 too", function()
    skip_without "luarocks"
    skip_without "lua5.1"
    local _, paths = rock "5.1"
    assert.equal("function\n", clean("%s lua5.1 -e 'print(type(require \"spraay\".open))'", paths))
  end)

  it("comes from `make install`, with a command that runs from any directory", function()
    local build = os.getenv "SPRAAY_SPEC_BUILD" or "build"
    local make = ("make -s BUILD=%s LUA_VERSION=%s PREFIX=%s/usr "):format(build, VERSION, dir)
    run(make .. "install")
    assert.matches("Usage: spraay", clean("%s/usr/bin/spraay --help", dir))
    assert_pays(dir .. "/usr/bin/spraay", LUA)
    run(make .. "uninstall")
    assert.equal("", run("find %s/usr -type f", dir))
  end)

  it("goes below DESTDIR, and its command names the place it will have there", function()
    local build = os.getenv "SPRAAY_SPEC_BUILD" or "build"
    run("make -s BUILD=%s LUA_VERSION=%s DESTDIR=%s/stage PREFIX=/opt/spraay install", build, VERSION, dir)
    local command = run("cat %s/stage/opt/spraay/bin/spraay", dir)
    assert.matches("/opt/spraay/share/lua/" .. VERSION, command, 1, true)
    assert.is_nil(command:find(dir, 1, true))
  end)
end)
