--- Where offer_fuzz.c begins: the published challenges, each as it may arrive.
---   lua5.4 spec/fuzz/offer_seeds.lua FOLDER
--- The three bytes before a challenge are read at the end of offer_fuzz.c.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local spec = dofile "spec/helper.lua"

local BODY, HEADER, JSON = "\0", "\1", "\2"
local LIMITS = { "\192", "\128", "\255" } -- Base first; Base Sepolia first; Base first, a dollar at most
local RULES = { "\32", "\50", "\44", "\160" } -- USDC alone; more tokens, and zero; terms fixed; another payee

local folder, n = assert(arg[1], "usage: offer_seeds.lua FOLDER"), 0

local function seed(how, text)
  for _, limits in ipairs(LIMITS) do
    for _, rules in ipairs(RULES) do
      n = n + 1
      local file = assert(io.open(("%s/vector-%03d"):format(folder, n), "wb"))
      assert(file:write(how, limits, rules, text))
      file:close()
    end
  end
end

for _, case in ipairs(spec.vectors("x402_challenges").cases) do
  local header = case.headers["PAYMENT-REQUIRED"]
  if header then seed(HEADER, header) end
  if case.body ~= "" then seed(BODY, case.body) end
  if type(case.parsed) == "table" then seed(JSON, cjson.encode(case.parsed)) end
end

-- What the vectors lack: tokens of other units, and text that C would cut short.
local ENTRY = '{"x402Version":2,"resource":{"url":"https://api.example.com/a"},"accepts":[{"scheme":"exact",'
  .. '"network":"%s","amount":"%s","asset":"%s","payTo":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C",'
  .. '"maxTimeoutSeconds":300,"extra":{"name":"%s","version":"2"}}]}'
local BASE, SEPOLIA = "eip155:8453", "eip155:84532"
local USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
for _, e in ipairs{
  { BASE, "30000000000000000", "0x50c5725949A6F0c72E6C4a641F24049A917DB0Cb", "USD Coin" },
  { BASE, "2000000000000000000", "0x50c5725949A6F0c72E6C4a641F24049A917DB0Cb", "USD Coin" },
  { SEPOLIA, "1", "0x036CbD53842c5426634e7929541eC2318f3dCF70", "USDC" },
  { SEPOLIA, "2", "0x036CbD53842c5426634e7929541eC2318f3dCF70", "USDC" },
  { BASE, [[30000\u00000]], USDC, "USD Coin" },
  { BASE, "30000", USDC, [[USD Coin\u0000]] },
  { BASE, "30000", USDC, ("x"):rep(63) .. "\195\169\\u000a\\u0085" },
  { BASE, [[3\u00300\u003000]], USDC, [[USD\u0020Coin]] },
} do
  seed(JSON, ENTRY:format(e[1], e[2], e[3], e[4]))
end
