-- The sandbox's facilitator beside the official one: sound and damaged payments, and what each says.
-- Vectors: @x402/evm 2.27.0 with every chain read made to succeed; see the file's own notes.
-- SPDX-License-Identifier: MIT
local spec = require "spec.helper"
local chain = require "spraay.sandbox.chain"
local facilitator = require "spraay.sandbox.facilitator"
local networks = require "spraay.sandbox.networks"
local wire = require "spraay.sandbox.wire_v2"

local vectors = spec.vectors "facilitator_verdicts_evm"

-- Refused here though the official check passes them. It leaves the first two to the token contract,
-- which reverts; this facilitator has its chain at hand. The others break the payload's schema, in
-- which all six members are text: a client that sends them relies on luck with its facilitator.
local STRICTER = {
  ["v written as 0/1"] = true, ["high s twin"] = true, ["value in hex"] = true,
  ["value as a JSON number"] = true, ["validBefore as a JSON number"] = true,
}

-- The gateway's facilitator has a name of its own for a bad signature.
local NAMES = { invalid_exact_evm_signature = "invalid_exact_evm_payload_signature" }

describe("the facilitator", function()
  local clock = { seconds = function() return vectors.now end }
  local route = { method = "GET", path = "/v", title = "GET /v" }
  local terms = vectors.payment_required.accepts
  terms[1].kind = "evm"

  local function verdict(payment)
    local home = chain.new(networks.base, clock)
    home:fund("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A", 1000000)
    local term, why = wire.match(terms, payment, route)
    if not term then return nil, why end
    return facilitator.verify({ chains = { [home.rail.network] = home } }, payment, term, 2)
  end

  for _, case in ipairs(vectors.cases) do
    if not case.is_valid then
      it("refuses, like the official one: " .. case.id, function()
        assert.equal(NAMES[case.invalid_reason] or case.invalid_reason, select(2, verdict(case.payload)))
      end)
    elseif STRICTER[case.id] then
      it("refuses, stricter than the official one: " .. case.id, function()
        assert.is_string(select(2, verdict(case.payload)))
      end)
    else
      it("takes: " .. case.id, function()
        local authorization, why = verdict(case.payload)
        assert.is_nil(why)
        assert.equal("0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a", authorization.payer:lower())
      end)
    end
  end

  it("reads all of the vectors, and each of its exceptions is among them", function()
    local known = {}
    for _, case in ipairs(vectors.cases) do known[case.id] = true end
    for id in pairs(STRICTER) do assert.is_true(known[id], id) end
    assert.is_true(#vectors.cases >= 28)
  end)
end)
