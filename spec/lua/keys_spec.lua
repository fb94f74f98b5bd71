-- SPDX-License-Identifier: MIT
-- Where keys come from, with the real core: what is taken, what is refused, and that no refusal shows
-- any of it.
local core = require "spraay.core"
local spraay = require "spraay"

-- The published key and address of EIP-155's example.
local KEY = ("46"):rep(32)
local ADDRESS = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"

local directory
local n = 0

setup(function()
  directory = os.tmpname()
  os.remove(directory)
  os.execute("mkdir -m 700 " .. directory)
end)
teardown(function() os.execute("rm -rf " .. directory) end)

local function write(text, mode)
  n = n + 1
  local path = directory .. "/key" .. n
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  os.execute(("chmod %s %s"):format(mode or "600", path))
  return path
end

local function refused(wallet, words)
  local address, message, err = wallet:address()
  assert.is_nil(address)
  assert.equal("wallet", err.kind)
  assert.equal("no", err.paid)
  assert.truthy(message:find(words, 1, true), message)
  assert.is_nil(message:find(KEY:sub(1, 12), 1, true), message)
  return err
end

describe("a key file", function()
  it("gives its address, with and without 0x and a last line break", function()
    for _, text in ipairs { KEY, KEY .. "\n", "0x" .. KEY, "0x" .. KEY:upper() .. "\r\n" } do
      local wallet = spraay.wallet.file(write(text))
      assert.equal(ADDRESS, wallet:address())
      assert.truthy(tostring(wallet):find("0x9d8A", 1, true))
      assert.is_nil(tostring(wallet):find(KEY:sub(1, 8), 1, true))
    end
  end)

  it("may be named from the home directory", function()
    if not os.getenv "HOME" then return end
    refused(spraay.wallet.file "~/no-such-key-of-spraay", os.getenv "HOME" .. "/no-such-key-of-spraay")
  end)

  for _, mode in ipairs { "644", "640", "604", "660", "666", "777" } do
    it("that others can read is refused: " .. mode, function()
      local path = write(KEY, mode)
      local err = refused(spraay.wallet.file(path), path)
      assert.equal("permission", err.code)
      assert.truthy(tostring(err):find("chmod 600 " .. path, 1, true))
    end)
  end

  it("that is a link is refused, for who made it may turn it", function()
    local path = write(KEY)
    os.execute(("ln -s %s %s.link"):format(path, path))
    refused(spraay.wallet.file(path .. ".link"), "link")
  end)

  it("that is a folder, a pipe or not there is refused, without waiting", function()
    refused(spraay.wallet.file(directory), directory)
    os.execute("mkfifo -m 600 " .. directory .. "/pipe")
    refused(spraay.wallet.file(directory .. "/pipe"), "not a plain file")
    refused(spraay.wallet.file(directory .. "/none"), "none")
  end)

  for _, case in ipairs {
    { "", "nothing" }, { KEY:sub(1, 62), "a byte too few" }, { KEY .. "46", "a byte too many" },
    { KEY:gsub("6$", "g"), "a letter that is no digit" }, { ("0"):rep(64), "zero" },
    { ("f"):rep(64), "more than the curve has" }, { KEY .. " " .. KEY, "two keys" },
    { '{"crypto":{}}', "a keystore" }, { KEY .. "\0", "a NUL" }, { ("4"):rep(100000), "far too much" },
    { "0x0x" .. KEY:sub(3), "a doubled 0x" },
  } do
    it("that holds " .. case[2] .. " is refused", function()
      refused(spraay.wallet.file(write(case[1])), directory)
    end)
  end

  it("must be named by a path", function()
    for _, bad in ipairs { "", 5, {}, "a\0b" } do
      local wallet, message, err = spraay.wallet.file(bad)
      assert.is_nil(wallet)
      assert.equal("wallet", err.kind)
      assert.truthy(message:find("expected a path", 1, true))
    end
  end)
end)

describe("a key in the environment", function()
  it("that is not set is told by the variable's name, by the first call that needs it", function()
    local wallet = spraay.wallet.env "SPRAAY_NO_SUCH_KEY"
    local err = refused(wallet, "SPRAAY_NO_SUCH_KEY")
    assert.is_true(#err.hint > 0)
  end)

  it("that is malformed is refused without being shown", function()
    refused(spraay.wallet.env "PATH", "PATH")
    local _, message = spraay.wallet.env("PATH"):address()
    assert.is_nil(message:find(os.getenv "PATH", 1, true))
  end)

  it("is not looked for under a name that is none", function()
    for _, bad in ipairs { "", "1A", "A-B", "A=B", KEY, "0x" .. KEY, 5 } do
      local wallet, message = spraay.wallet.env(bad)
      assert.is_nil(wallet)
      assert.is_nil(message:find(KEY:sub(1, 8), 1, true))
    end
  end)
end)

describe("a generated key", function()
  it("is another one every time, and pays loopback alone", function()
    local one, two = spraay.wallet.generate(), spraay.wallet.generate()
    assert.not_equal(one:address(), two:address())
    assert(spraay.open { gateway = "http://127.0.0.1:1", wallet = one })
    assert(spraay.open { gateway = "http://localhost:1", wallet = two })
    for _, gateway in ipairs { "https://gateway.spraay.app", "https://127.0.0.1.example.com",
      "https://localhost.example" } do
      local client, message, err = spraay.open { gateway = gateway, wallet = one }
      assert.is_nil(client)
      assert.equal("usage", err.kind)
      assert.truthy(message:find("loopback", 1, true))
    end
  end)
end)

describe("a signer's address", function()
  it("is an EVM address with the right checksum", function()
    local function sign() end
    assert.equal(ADDRESS, assert(spraay.wallet.signer { address = ADDRESS, sign = sign }):address())
    assert.equal(ADDRESS, assert(spraay.wallet.signer { address = ADDRESS:lower(), sign = sign }):address())
    local wrong = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4f"
    local wallet = spraay.wallet.signer { address = wrong, sign = sign }
    if wallet then refused(wallet, "checksum") end
    for _, bad in ipairs { "", "0x", ADDRESS:sub(3), ADDRESS .. "0", ("g"):rep(42) } do
      assert.is_nil((spraay.wallet.signer { address = bad, sign = sign }))
    end
  end)
end)

describe("no function", function()
  it("gives a key back", function()
    local wallet = spraay.wallet.file(write(KEY))
    wallet:address()
    for _, value in pairs { tostring(wallet), tostring(wallet.opened), wallet.source } do
      assert.is_nil(value:find(KEY:sub(1, 8), 1, true))
    end
    assert.is_nil(wallet.opened.key)
    assert.is_nil(core.wallet_key)
  end)
end)
