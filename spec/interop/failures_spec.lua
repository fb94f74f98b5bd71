-- SPDX-License-Identifier: MIT
-- What the official facilitator refuses, and how our client says it. A payment is made bad on its way, by a hand
-- between client and shop; where the signature must stay good it is the terms that are changed before signing. Whatever
-- was said, the chain is asked what moved.
local world = require "spec.interop.world"

local SHOPS = { { name = "@x402/express", shop = "express", version = 2 },
                { name = "@x402/hono", shop = "hono", version = 2 },
                { name = "x402-express", shop = "legacy", version = 1 } }

local OTHER_CHAIN = { asset = world.usdc["base-sepolia"], extra = { name = "USDC", version = "2" } }

-- The facilitator's or server's own words by version; `kind`, `code`, `expect` are ours.
local function refusals(version)
  local price = version == 1 and "maxAmountRequired" or "amount"
  local function terms(members) return { edit = { challenge = members } } end
  local function payment(members) return { edit = { payment = members } } end
  local elsewhere = { network = version == 1 and "base-sepolia" or "eip155:84532" }
  for name, value in pairs(OTHER_CHAIN) do elsewhere[name] = value end
  local value = version == 1 and "invalid_exact_evm_authorization_value"
    or "invalid_exact_evm_payload_authorization_value_mismatch"
  return {
    { "a payer without enough", funds = "0.009999", code = "insufficient_funds",
      says = "invalid_exact_evm_insufficient_balance" },
    { "a payer with nothing", funds = "0", code = "insufficient_funds",
      says = "invalid_exact_evm_insufficient_balance" },
    { "an amount too low", proxy = terms { [price] = "9999" }, code = "refused", says = value, amount = "0.009999" },
    -- V1's facilitator says "at least" in its specification; the package wants the very amount.
    { "an amount too high", proxy = terms { [price] = "10001" }, code = "refused", says = value, amount = "0.010001" },
    { "another receiver", proxy = terms { payTo = "0x1111111111111111111111111111111111111111" }, code = "refused",
      says = "invalid_exact_evm_recipient_mismatch" },
    { "another chain", proxy = terms(elsewhere), code = "refused",
      says = version == 1 and "Unable to find matching payment requirements" or "invalid_exact_evm_signature" },
    { "a signature with one digit changed", proxy = payment { ["payload.signature"] = { flip = 20 } }, code = "refused",
      says = "invalid_exact_evm_signature" },
    { "a nonce that was not signed", proxy = payment { ["payload.authorization.nonce"] = { flip = 20 } },
      code = "refused", says = "invalid_exact_evm_signature" },
    { "a window that was not signed", proxy = payment { ["payload.authorization.validBefore"] = "99999999999" },
      code = "refused", says = "invalid_exact_evm_signature" },
    { "an authorization of another payer", code = "refused", says = "invalid_exact_evm_signature",
      proxy = payment { ["payload.authorization.from"] = "0x1111111111111111111111111111111111111111" } },
    version == 2 and { "terms that are not the shop's", proxy = payment { ["accepted.amount"] = "1" },
      code = "refused", says = "No matching payment requirements" } or nil,
  }
end

for _, shop in ipairs(SHOPS) do
  describe(shop.name .. ", V" .. shop.version .. ", refuses", function()
    local payer, client
    after_each(function()
      client:close()
      os.remove(payer.keyfile)
      world.pull("proxy", {})
      world.pull("facilitator", {})
    end)

    local function buy(case, options)
      payer = world.payer(case[1], { base = case.funds or "5" })
      local proxy = { shop = shop.shop }
      for name, value in pairs(case.proxy or {}) do proxy[name] = value end
      world.pull("proxy", proxy)
      client = world.client(world.proxy, payer, options)
      return client:request("GET", "/price/0.01", nil, { max = "1" })
    end

    for _, case in ipairs(refusals(shop.version)) do
      it(case[1], function()
        local result, message, err = buy(case, { pay_to = { world.pay_to,
          "0x1111111111111111111111111111111111111111" } })
        assert.is_nil(result)
        assert.equal("payment", err.kind)
        assert.equal(case.code, err.code, message)
        assert.equal(402, err.status)
        assert.truthy(message:find(case.says, 1, true), message)
        assert.equal(world.atomic(case.amount or "0.01"), world.atomic(err.amount))
        -- What was handed over stays a cheque until it expires: never a plain "no".
        assert.equal("maybe", err.paid)
        assert.equal("no", err.expect)
        assert.equal(0, #world.paid(payer))
        assert.equal(1, #world.pull("seen").seen)
      end)
    end

    it("nothing in vain: terms that leave it no time are not signed", function()
      local result, message, err = buy({ "hasty",
        proxy = { edit = { challenge = { maxTimeoutSeconds = 5 } } } })
      assert.is_nil(result)
      assert.equal("policy", err.kind)
      assert.equal("window", err.code, message)
      assert.equal("no", err.paid)
      assert.equal(0, #world.pull("seen").seen)
    end)
  end)

  describe(shop.name .. ", whose facilitator", function()
    local payer, client
    before_each(function()
      payer = world.payer("trouble", { base = "5" })
      world.pull("proxy", { shop = shop.shop })
      client = world.client(world.proxy, payer)
    end)
    after_each(function()
      world.pull("facilitator", { confirm = 20000 })
      world.pull("rpc", { network = "base", method = "evm_setAutomine", params = { true } })
      client:close()
      os.remove(payer.keyfile)
    end)

    local function buy() return client:request("GET", "/price/0.01", nil, { max = "1" }) end

    for _, step in ipairs { "verify", "settle" } do
      for _, how in ipairs { "reset", "500", "nonsense" } do
        it(("answers %s with %s, leaves it open, and nothing moved"):format(step, how), function()
          world.pull("facilitator", { fail = { step = step, how = how } })
          local result, message, err = buy()
          assert.is_nil(result)
          assert.equal("maybe", err.paid, message)
          if step == "settle" then assert.is_nil(err.expect, message) end
          assert.equal(0, #world.paid(payer))
          -- the same call again presents the same authorization, or waits until it may
          local again, _, second = buy()
          assert.is_true(again ~= nil or second.paid == "maybe")
          assert.is_true(#world.paid(payer) <= 1)
        end)
      end
    end

    it("settles and loses the connection: open until the chain is asked, then paid", function()
      world.pull("facilitator", { fail = { step = "settle", how = "late" } })
      local result, message, err = buy()
      assert.is_nil(result)
      assert.equal("payment", err.kind)
      assert.equal("settle_unknown", err.code)
      assert.equal("maybe", err.paid, message)
      assert.is_nil(err.expect)
      assert.equal(1, #world.paid(payer))
      assert.equal(1, world.reconciled_later(world.proxy, payer).paid_lost)
      local _, _, second = buy()
      assert.equal("yes", second.paid)
      assert.equal(1, #world.paid(payer))
    end)

    it("says settlement_pending: open, and paid once the block comes", function()
      world.pull("facilitator", { confirm = 300 })
      world.pull("rpc", { network = "base", method = "evm_setAutomine", params = { false } })
      local result, message, err = buy()
      assert.is_nil(result)
      assert.equal("payment", err.kind)
      assert.equal("settle_unknown", err.code)
      assert.equal("maybe", err.paid)
      assert.is_nil(err.expect)
      if shop.version == 2 then assert.truthy(message:find("settlement_pending", 1, true), message) end
      assert.equal(0, #world.paid(payer))
      world.pull("rpc", { network = "base", method = "evm_setAutomine", params = { true } })
      world.pull("rpc", { network = "base", method = "evm_mine" })
      assert.equal(1, #world.paid(payer))
      assert.equal(1, world.reconciled_later(world.proxy, payer).paid_lost)
    end)

    it("finds the account empty when it settles: a definite refusal, after the work", function()
      local result, message, err = client:request("POST", "/drained", { payer = payer.address }, { max = "1" })
      assert.is_nil(result)
      assert.equal("payment", err.kind)
      assert.equal("maybe", err.paid, message)
      assert.equal("0", world.balance(payer))
      for _, transfer in ipairs(world.paid(payer)) do assert.not_equal(world.pay_to, transfer.to) end
    end)
  end)
end
