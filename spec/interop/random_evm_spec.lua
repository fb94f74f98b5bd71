-- SPDX-License-Identifier: MIT
-- Ten thousand random authorizations: digest and signature equal to viem's, payload taken by the official server and
-- verified by the official facilitator, in both versions. One in twenty is damaged, and has to be refused.
local cjson = require "cjson"
local core = require "spraay.core"
local live = require "spec.support.live"
local random = require "spec.interop.random"
local spraay = require "spraay"

local N = tonumber(os.getenv "CASES") or 10000

local function checksummed(dice) return (core.evm_address(dice:bytes(32))) end

describe(("random input, SEED=%d"):format(random.seed), function()
  it(("%d digests and signatures are viem's"):format(N), function()
    local dice, judges = random.dice "digest", random.judges(2)
    for _ = 1, N do
      local key32 = dice:bytes(32)
      local message = { from = core.evm_address(key32), to = checksummed(dice), value = dice:digits(256),
        validAfter = dice:digits(256), validBefore = dice:digits(256), nonce = dice:hex(32) }
      local domain = { name = dice:text(6), version = dice:text(2), chainId = dice:of { "8453", "84532", "1", "137",
        "9007199254740991", dice:digits(32) }, verifyingContract = checksummed(dice) }
      local digest = assert(core.eip3009_digest { name = domain.name, version = domain.version,
        chain_id = domain.chainId, contract = domain.verifyingContract, from = message.from, to = message.to,
        value = message.value, valid_after = message.validAfter, valid_before = message.validBefore,
        nonce = message.nonce })
      judges:case { kind = "digest", domain = domain, message = message, key = "0x" .. core.hex_encode(key32),
        address = message.from, digest = "0x" .. core.hex_encode(digest),
        signature = "0x" .. core.hex_encode(core.secp_sign(digest, key32)) }
    end
    assert.equal(N, judges:finish())
  end)

  -- ---- payloads, by the code that pays

  local NETWORKS = {
    { "eip155:8453", "base" }, { "eip155:84532", "base-sepolia" }, { "eip155:137", "polygon" },
    { "eip155:43114", "avalanche" }, { "eip155:1329", "sei" }, { "eip155:3338", "peaq" },
  }
  local DAMAGES = { "value", "nonce", "validBefore", "to", "from", "signature" }

  -- One entry of a challenge, with whatever a server may add to it.
  local function entry(dice, network, token, version)
    local extra = { name = token.name, version = token.version }
    if dice:chance(4) then extra[dice:of { "more", "ünknown", "a b" }] = dice:of { true, 1.5, "x", { 1, 2 } } end
    local amount = dice:digits(64)
    if amount == "0" then amount = "1" end   -- a signature over nothing is refused by policy
    local terms = { scheme = "exact", payTo = checksummed(dice), asset = token.asset,
      maxTimeoutSeconds = 30 + dice:roll(900), extra = extra }
    if version == 2 then
      terms.network, terms.amount = network[1], amount
      if dice:chance(5) then terms["x-" .. dice:text(2)] = dice:text(4) end
    else
      terms.network, terms.maxAmountRequired = network[2], amount
      terms.resource, terms.description, terms.mimeType = "https://example.com/", dice:text(5), "application/json"
      terms.outputSchema = dice:chance(2) and cjson.null or { input = { type = "http" } }
    end
    return terms
  end

  for _, version in ipairs { 2, 1 } do
    local count = N // 2
    it(("%d payloads of version %d are taken and verified"):format(count, version), function()
      local dice, judges = random.dice("payload " .. version), random.judges(2)
      local wallets, files = {}, {}
      for i = 1, 64 do
        files[i] = live.secret(core.hex_encode(dice:bytes(32)) .. "\n")
        wallets[i] = spraay.wallet.file(files[i])
      end
      for n = 1, count do
        local network, with = dice:of(NETWORKS), dice:of(wallets)
        local token = { name = dice:name(4), version = dice:name(2), asset = checksummed(dice) }
        local accepts = {}
        for i = 1, dice:roll(3) + 1 do accepts[i] = entry(dice, NETWORKS[i % 2 + 1], token, version) end
        local pick = dice:roll(#accepts) + 1
        accepts[pick] = entry(dice, network, token, version)
        for i, terms in ipairs(accepts) do   -- only one that the policy allows
          if i ~= pick then terms.asset = checksummed(dice) end
        end
        if version == 1 then accepts = { accepts[pick] } pick = 1 end
        local challenge = { x402Version = version, error = dice:text(3), accepts = accepts }
        if version == 2 then
          challenge.resource = { url = "https://example.com/" .. n, description = dice:text(8), mimeType = "x/y" }
          if dice:chance(3) then
            challenge.extensions = { bazaar = { info = { input = { type = "http", method = dice:text(2) } },
              schema = { type = "object" } } }
          end
        end
        local text = cjson.encode(challenge)
        local offer = assert(spraay.x402.read(402,
          version == 2 and { ["PAYMENT-REQUIRED"] = core.base64_encode(text) }
            or { ["content-type"] = "application/json" },
          version == 2 and "{}" or text))
        local payer = assert(with:address())
        local before = math.floor(core.wall_s())
        local name, header = spraay.x402.pay(offer, with, { max = "18446744073709.551615", networks = { network[1] },
          assets = { { network = network[1], asset = token.asset, name = token.name, version = token.version,
            decimals = 6 } } })
        if not name then error(("SEED=%d: case %d was not paid: %s\n%s"):format(random.seed, n, header, text), 0) end
        assert.equal(version == 2 and "PAYMENT-SIGNATURE" or "X-PAYMENT", name)
        judges:case { kind = "payload", version = version, header = header, accepts = accepts, pick = pick - 1,
          resource = challenge.resource, extensions = challenge.extensions, payer = payer,
          before = before, after = math.floor(core.wall_s()),
          damage = n % 20 == 0 and dice:of(DAMAGES) or nil }
      end
      for i, file in ipairs(files) do
        wallets[i]:close()
        os.remove(file)
      end
      assert.equal(count, judges:finish())
    end)
  end
end)
