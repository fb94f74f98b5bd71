--- Faults in the terms themselves: what a hostile or careless server would offer. They change the
--- entries before the challenge is written and before a payment is matched, so that a client who
--- signs such terms is taken at its word. `terms` is changed in place.
-- SPDX-License-Identifier: MIT

local faults = {}

local function each(terms, change)
  for _, term in ipairs(terms) do change(term) end
end

local function each_evm(terms, change)
  for _, term in ipairs(terms) do
    if term.kind == "evm" then change(term) end
  end
end

faults.price_raised = {
  text = "the price is higher than published", options = { factor = 2 },
  apply = function(self, _, terms)
    each(terms, function(term)
      term.amount = self:option "amount"
        or ("%d"):format(math.floor(tonumber(term.amount) * self:option "factor"))
    end)
  end,
}
faults.zero_amount = {
  text = "the price is 0",
  apply = function(_, _, terms) each(terms, function(term) term.amount = "0" end) end,
}
-- What a term becomes, on each kind of rail.
local function of_kind(term, evm, svm) return term.kind == "svm" and svm or evm end

-- A token and an owner that are nobody's.
local NO_TOKEN = { "0x000000000000000000000000000000000000dEaD", "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU" }
local NO_OWNER = "GThUX1Atko4tqhN2NaiTazWSeFWMuiUvfFnyJyUghFMJ"
local TESTNET = "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z"

faults.wrong_asset = {
  text = "another token, which calls itself USD Coin",
  apply = function(_, _, terms)
    each(terms, function(term) term.asset = of_kind(term, NO_TOKEN[1], NO_TOKEN[2]) end)
  end,
}
faults.wrong_network = {
  text = "USDC's address on another chain", options = { network = "eip155:1" },
  apply = function(self, _, terms)
    each(terms, function(term)
      term.network = of_kind(term, self:option "network", TESTNET)
      term.v1 = of_kind(term, "ethereum", "solana-testnet")
    end)
  end,
}
faults.wrong_domain = {
  text = "a signing domain that is not the token's (EVM only)", options = { name = "USDC", version = "1" },
  apply = function(self, _, terms)
    each_evm(terms, function(term)
      term.extra = { name = self:option "name", version = self:option "version" }
    end)
  end,
}
faults.no_domain = {
  text = "entries without the token's name and version (EVM only)",
  apply = function(_, _, terms) each_evm(terms, function(term) term.extra = {} end) end,
}
faults.wrong_decimals = {
  text = "an amount that is right only if USDC had 18 decimals (on Solana 9)",
  apply = function(_, _, terms)
    each(terms, function(term)
      local decimals = of_kind(term, 18, 9)
      term.amount = term.amount .. ("0"):rep(decimals - 6)
      term.extra.decimals = decimals
    end)
  end,
}
faults.ten_year_window = {
  text = "maxTimeoutSeconds of ten years", options = { seconds = 315360000 },
  apply = function(self, _, terms)
    each(terms, function(term) term.maxTimeoutSeconds = self:option "seconds" end)
  end,
}
-- A copy of the first entry at a tenth of its price, put before it.
local function decoy(terms, change)
  local copy = {}
  for name, value in pairs(terms[1]) do copy[name] = value end
  copy.amount = ("%d"):format(tonumber(copy.amount) // 10)
  change(copy)
  table.insert(terms, 1, copy)
end

faults.decoy_network = {
  text = "a cheaper offer on another chain stands first", options = { network = "eip155:1" },
  apply = function(self, _, terms)
    decoy(terms, function(term)
      term.network = of_kind(term, self:option "network", TESTNET)
      term.v1 = of_kind(term, "ethereum", "solana-testnet")
    end)
  end,
}
faults.decoy_asset = {
  text = "a cheaper offer in another token stands first",
  apply = function(_, _, terms)
    decoy(terms, function(term) term.asset = of_kind(term, NO_TOKEN[1], NO_TOKEN[2]) end)
  end,
}
faults.changed_payto = {
  text = "another receiver than before", options = { pay_to = "0x00000000000000000000000000000000C0ffee00" },
  apply = function(self, passage, terms)
    local solana = passage.gate.sandbox.solana
    if not solana:account(solana:tokens_of(NO_OWNER)) then solana:fund(NO_OWNER, 0) end   -- he can be paid
    each(terms, function(term) term.payTo = of_kind(term, self:option("pay_to"):lower(), NO_OWNER) end)
  end,
}
faults.negative_amount = {
  text = "a negative amount",
  apply = function(_, _, terms) each(terms, function(term) term.amount = "-" .. term.amount end) end,
}
faults.float_amount = {
  text = "the amount as a JSON number of dollars",
  apply = function(_, _, terms)
    each(terms, function(term) term.amount = tonumber(term.amount) / 1000000 end)
  end,
}
faults.no_accepts = {
  text = "a challenge that offers nothing",
  apply = function(_, _, terms)
    for i = #terms, 1, -1 do terms[i] = nil end
  end,
}
faults.unknown_scheme = {
  text = "a payment scheme nobody knows", options = { scheme = "upto-the-moon" },
  apply = function(self, _, terms) each(terms, function(term) term.scheme = self:option "scheme" end) end,
}
faults.unknown_flow = {
  text = "payment before the work is done", options = { flow = "upfront" },
  apply = function(self, _, terms)
    each(terms, function(term) term.extra.paymentFlow = self:option "flow" end)
  end,
}
faults.solana_only = {
  text = "only the Solana rail is offered",
  apply = function(_, _, terms)
    for i = #terms, 1, -1 do
      if terms[i].kind ~= "svm" then table.remove(terms, i) end
    end
  end,
}

return faults
