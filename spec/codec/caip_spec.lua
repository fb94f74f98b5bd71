-- Names of networks. Vectors: x402_v1_evm.json (network_chain_ids), by @x402/evm.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"
local spec = require "spec.helper"

describe("caip", function()
  for _, case in ipairs(spec.vectors "x402_v1_evm".network_chain_ids) do
    it("knows " .. case.network, function()
      assert.equal(case.caip2, core.caip2_from_v1(case.network))
      assert.equal(case.network, core.caip2_to_v1(case.caip2))
      assert.equal(case.chain_id, core.caip2_chain_id(case.caip2))
    end)
  end

  it("knows the three Solana networks, whose ids have no chain number", function()
    for name, id in pairs{ solana = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
                           ["solana-devnet"] = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
                           ["solana-testnet"] = "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z" } do
      assert.equal(id, core.caip2_from_v1(name))
      assert.equal(name, core.caip2_to_v1(id))
      assert.is_true(core.caip2_is_solana(id))
      assert.equal("NETWORK", select(3, core.caip2_chain_id(id)))
    end
    assert.is_false(core.caip2_is_solana "eip155:8453")
    assert.is_false(core.caip2_is_solana "solana:short")
  end)

  it("understands what a person writes: a name or an id", function()
    assert.equal("eip155:8453", core.caip2_resolve "base")
    assert.equal("eip155:31337", core.caip2_resolve "eip155:31337")
    assert.equal("cosmos:cosmoshub-4", core.caip2_resolve "cosmos:cosmoshub-4")
  end)

  it("says that Arbitrum has no V1 name", function()
    local name, why, code = core.caip2_to_v1 "eip155:42161"
    assert.is_nil(name)
    assert.equal("a network this program does not know", why)
    assert.equal("NETWORK", code)
  end)

  for _, bad in ipairs{ { "Base", "another case" }, { "base ", "a space" }, { "", "nothing" },
    { "eip155:", "an id without number" },
                        { "eip155", "half an id" }, { "EIP155:1", "an upper-case namespace" },
                        { "eip155:1:2", "a second colon" },
                        { "ab:1", "a namespace too short" },
                        { "eip155:" .. ("1"):rep(33), "a reference too long" },
                        { "eip155:8453\0", "a NUL byte" } } do
    it("rejects " .. bad[2], function()
      assert.equal("NETWORK", select(3, core.caip2_resolve(bad[1])))
    end)
  end

  for _, bad in ipairs{ { "eip155:08453", "NETWORK", "a second spelling of a number" },
    { "eip155:0", "NETWORK", "chain zero" },
                        { "eip155:0x2105", "NETWORK", "hexadecimal" }, { "eip155:-1", "NETWORK", "a sign" },
                        { "eip155:9007199254740992", "RANGE", "2^53" } } do
    it("finds no chain number in " .. bad[3], function()
      assert.equal(bad[2], select(3, core.caip2_chain_id(bad[1])))
    end)
  end

  it("reads chain numbers up to 2^53-1", function()
    assert.equal(2^53 - 1, core.caip2_chain_id "eip155:9007199254740991")
  end)
end)
