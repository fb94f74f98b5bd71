-- SPDX-License-Identifier: MIT
local fake = require "spec.support.fakecore"

describe("a wallet", function()
  local spraay, world = fake.new()

  it("opens its key only when it is needed", function()
    world.env = {}
    local wallet = assert(spraay.wallet.env "MY_KEY")
    assert.equal("wallet (env MY_KEY, not opened yet)", tostring(wallet))
    local address, _, err = wallet:address()
    assert.is_nil(address)
    assert.equal("wallet", err.kind)
    world.env.MY_KEY = "0x01"
    assert.truthy(wallet:address():find("^0x%x+$"))
    assert.equal("wallet 0x19E7...ff2A (evm, fake)", tostring(wallet))
  end)

  it("of a file says what is wrong with the file", function()
    local address, message = spraay.wallet.file("/etc/key"):address()
    assert.is_nil(address)
    assert.truthy(message:find("mode is 0644", 1, true))
  end)

  it("of a file takes no key where its path is wanted, and does not repeat it", function()
    for _, case in ipairs {
      { "file", ("ab"):rep(32) }, { "file", "0x" .. ("AB"):rep(32) .. "\n" }, { "solana", ("4kQz"):rep(22) },
      { "solana", "[1, 2, 3]" }, { "file", ("4kQz"):rep(22) }, { "solana", ("ab"):rep(32) },
    } do
      local wallet, message, err = spraay.wallet[case[1]](case[2])
      assert.is_nil(wallet)
      assert.equal("wallet", err.kind)
      assert.truthy(message:find("the path of a key's file", 1, true), message)
      assert.is_nil(message:find(case[2]:sub(1, 9), 1, true))
    end
    assert(spraay.wallet.file("./" .. ("ab"):rep(32)))
    assert(spraay.wallet.solana("keys/id.json"))
  end)

  it("is gone after close", function()
    world.env.MY_KEY = "0x01"
    local wallet = spraay.wallet.env "MY_KEY"
    wallet:address()
    wallet:close()
    local address, _, err = wallet:address()
    assert.is_nil(address)
    assert.equal("closed", err.code)
  end)

  it("takes no key where a name is wanted, and does not repeat it", function()
    for _, key in ipairs { "0x" .. ("ab"):rep(32), ("ab"):rep(32) } do
      local wallet, message = spraay.wallet.env(key)
      assert.is_nil(wallet)
      assert.is_nil(message:find("abab", 1, true))
    end
  end)

  it("of a signer needs an address and a function", function()
    local address = "0x" .. ("ab"):rep(20)
    local function sign() end
    assert(spraay.wallet.signer { address = address, sign = sign, nonce_secret = ("s"):rep(32) })
    for _, bad in ipairs { {}, { address = "abc", sign = sign }, { address = address },
      { address = address, sign = sign, nonce_secret = "short" },
        { address = address, sign = sign, nonce = "x" } } do
      local wallet, _, err = spraay.wallet.signer(bad)
      assert.is_nil(wallet)
      assert.equal("wallet", err.kind)
    end
  end)

  it("made in memory pays loopback gateways alone", function()
    assert(spraay.open { gateway = "http://127.0.0.1:1", wallet = spraay.wallet.generate() })
    local client, message = spraay.open { wallet = spraay.wallet.generate() }
    assert.is_nil(client)
    assert.truthy(message:find("loopback", 1, true))
    assert.is_nil(spraay.wallet.generate "key.json")
  end)

  it("of a kind this version does not know says so", function()
    for _, make in ipairs { spraay.wallet.keystore } do
      local wallet, message, err = make "x"
      assert.is_nil(wallet)
      assert.equal("unsupported", err.code)
      assert.truthy(message:find("this version", 1, true))
    end
  end)
end)
