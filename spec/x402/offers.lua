--- Challenges made for specs: one sound entry that a case then spoils in one place.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"

local offers = {}

offers.BASE = "eip155:8453"
offers.SEPOLIA = "eip155:84532"
offers.USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
offers.PAY_TO = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
offers.PAYER = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"

--- A V2 entry in Base USDC; members of `with` replace its own, offers.NONE removes one.
offers.NONE = {}
function offers.entry(with)
  local e = {
    scheme = "exact", network = offers.BASE, amount = "30000", asset = offers.USDC,
    payTo = offers.PAY_TO, maxTimeoutSeconds = 300, extra = { name = "USD Coin", version = "2" },
  }
  for k, v in pairs(with or {}) do
    if v == offers.NONE then e[k] = nil else e[k] = v end
  end
  return e
end

--- The headers of a 402 with these entries (tables, or JSON text).
function offers.headers(entries, with)
  local texts = {}
  for i, e in ipairs(entries) do texts[i] = type(e) == "string" and e or cjson.encode(e) end
  local json = ('{"x402Version":2,"error":"Payment required",'
    .. '"resource":{"url":"https://api.example.com/a"}%s,"accepts":[%s]}')
  json = json:format(with or "", table.concat(texts, ","))
  return { ["payment-required"] = core.base64_encode(json) }
end

--- Read such a 402.
function offers.read(entries, with)
  return core.x402_read(402, offers.headers(entries, with), "{}")
end

--- A policy that allows Base USDC and nothing else; members of `with` replace its own.
function offers.policy(with)
  local p = { networks = { "base" }, payer = offers.PAYER, origin = "https://api.example.com" }
  for k, v in pairs(with or {}) do p[k] = v end
  return p
end

--- Structural equality that counts 300 and 300.0 as one and knows cjson.null.
function offers.same(a, b)
  if type(a) ~= type(b) then return false end
  if type(a) ~= "table" then return a == b end
  for k, v in pairs(a) do if not offers.same(v, b[k]) then return false end end
  for k in pairs(b) do if a[k] == nil then return false end end
  return true
end

return offers
