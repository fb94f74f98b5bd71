-- SPDX-License-Identifier: MIT
-- Shops that settled and answered, and a network that lost the answer: one transfer, whatever the client is told to
-- try. Judged by the chain, and by the payments that passed on the wire.
local core = require "spraay.core"
local cjson = require "cjson"
local world = require "spec.interop.world"

local SHOPS = { { name = "@x402/express", shop = "express" }, { name = "@x402/hono", shop = "hono" },
                { name = "x402-express", shop = "legacy" } }

local function nonces(seen)
  local set, n = {}, 0
  for _, header in ipairs(seen) do
    local nonce = cjson.decode((assert(core.base64_decode(header)))).payload.authorization.nonce
    if not set[nonce] then
      set[nonce], n = true, n + 1
    end
  end
  return n
end

for _, shop in ipairs(SHOPS) do
  for _, how in ipairs { "reset", "half", "502" } do
    describe(("%s behind a network that loses answers (%s)"):format(shop.name, how), function()
      local payer, client
      before_each(function()
        payer = world.payer("lost", { base = "5" })
        client = world.client(world.proxy, payer)
      end)
      after_each(function()
        client:close()
        os.remove(payer.keyfile)
        world.pull("proxy", {})
      end)

      it("chat, which may be asked again: the same authorization comes twice, and is taken once", function()
        world.pull("proxy", { shop = shop.shop, lose = 1, how = how })
        local result, message, err = client:chat({ messages = "why?" }, { timeout = 12 })
        local wire = world.pull("seen")
        assert.equal(1, wire.lost)
        assert.equal(1, nonces(wire.seen))
        assert.is_true(#wire.seen > 1)
        assert.is_nil(result)      -- these shops keep no answers
        assert.equal("paid_lost", err.code, message)
        assert.equal("yes", err.paid)
        assert.equal(1, #world.paid(payer))
        for _ = 1, 3 do            -- a user who tries again
          result, _, err = client:chat({ messages = "why?" }, { timeout = 12 })
          assert.is_nil(result)
          assert.equal("yes", err.paid)
        end
        assert.equal(1, nonces(world.pull("seen").seen))
        assert.equal(1, #world.paid(payer))
      end)

      it("an unknown shop's goods: not asked for again in haste, and never paid twice", function()
        world.pull("proxy", { shop = shop.shop, lose = 1, how = how })
        for _ = 1, 3 do
          local result, message, err = client:request("POST", "/price/0.05", { n = 1 }, { max = "0.05" })
          assert.is_nil(result)
          assert.equal("maybe", err.paid, message)
        end
        assert.equal(1, #world.pull("seen").seen)
        assert.equal(1, world.reconciled_later(world.proxy, payer).paid_lost)
        local _, _, err = client:request("POST", "/price/0.05", { n = 1 }, { max = "0.05" })
        assert.equal("yes", err.paid)
        assert.equal(1, #world.paid(payer))
      end)

      it("bought again only when told so, by another authorization", function()
        world.pull("proxy", { shop = shop.shop, lose = 1, how = how })
        client:chat({ messages = "why?" }, { timeout = 12 })
        local result, message = client:chat({ messages = "why?" }, { timeout = 12, again = true })
        assert(result, message)
        assert.equal("settled", result.payment.status)
        assert.equal(2, nonces(world.pull("seen").seen))
        assert.equal(2, #world.paid(payer))
      end)
    end)
  end

  it(shop.name .. ": cashed by a stranger who saw it: paid, says the chain", function()
    local payer = world.payer("settled before", { base = "5" })
    local client = world.client(world.proxy, payer)
    world.pull("proxy", { shop = shop.shop })
    world.pull("facilitator", { fail = { step = "settle", how = "reset" } })
    local _, _, err = client:request("GET", "/price/0.01", nil, { max = "0.01" })
    assert.equal("maybe", err.paid)
    -- Somebody else cashes it meanwhile: whoever saw the header may.
    local authorization = cjson.decode((core.base64_decode(world.pull("seen").seen[1]))).payload
    local a = authorization.authorization
    world.pull("send", { network = "base", contract = "usdc", functionName = "transferWithAuthorization",
      args = { a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, authorization.signature } })
    assert.equal(1, world.reconciled_later(world.proxy, payer).paid_lost)
    assert.equal(1, #world.paid(payer))
    client:close()
    os.remove(payer.keyfile)
  end)
end
