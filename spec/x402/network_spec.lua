-- SPDX-License-Identifier: MIT
local core = require "spraay.core"

describe("networks", function()
  for _, row in ipairs {
    { "base", "eip155:8453", "Base", "evm" },
    { "base-sepolia", "eip155:84532", "Base Sepolia", "evm" },
    { "arbitrum", "eip155:42161", "Arbitrum", "evm" },   -- has no V1 name
    { "solana", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "Solana", "solana" },
    { "eip155:8453", "eip155:8453", "Base", "evm" },
    { "eip155:31337", "eip155:31337", "eip155:31337", "evm" },   -- unknown, but well formed
  } do
    it("resolves " .. row[1], function()
      local id, title, rail = core.x402_network(row[1])
      assert.equal(row[2], id)
      assert.equal(row[3], title)
      assert.equal(row[4], rail)
    end)
  end

  for _, bad in ipairs { "", "Base", "dogecoin", "eip155:", "eip155:08453", "eip155:0x2105",
                         "eip155:9007199254740992", "solana:mainnet",
                         "cosmos:hub-4", "eip155:8453 ", ("x"):rep(1000) } do
    it(("does not know %q"):format(bad:sub(1, 20)), function()
      assert.is_nil((core.x402_network(bad)))
    end)
  end
end)

describe("the built-in tokens", function()
  it("are sound addresses, each once, on networks we know", function()
    local seen = {}
    for _, a in ipairs(core.x402_assets()) do
      local _, _, rail = core.x402_network(a.network)
      assert.is_string(rail)
      if rail == "evm" then
        assert.is_truthy(core.evm_address_parse(a.asset, "checksum"), a.asset)
        assert.is_string(a.name)
        assert.is_string(a.version)
      else
        assert.is_truthy(core.base58_decode(a.asset))
      end
      local key = a.network .. " " .. a.asset
      assert.is_nil(seen[key])
      seen[key] = true
    end
  end)

  it("have at most one USDC per network, of 6 decimals", function()
    local usdc = {}
    for _, a in ipairs(core.x402_assets()) do
      if a.usdc then
        assert.is_nil(usdc[a.network])
        assert.equal(6, a.decimals)
        usdc[a.network] = a
      end
    end
    assert.equal("USD Coin", usdc["eip155:8453"].name)
    assert.equal("USDC", usdc["eip155:84532"].name)
    assert.is_nil(usdc["eip155:4663"])
  end)
end)
