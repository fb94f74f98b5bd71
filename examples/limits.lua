-- What stands between a script and a wallet: ask the price, say the last word, and fail politely.
--   spraay sandbox -- lua5.4 examples/limits.lua
local spraay = require "spraay"
local client = assert(spraay.open{
  wallet = spraay.wallet.env(),
  per_call = "0.10",
  budget = "0.06",
  on_pay = function(terms)
    print(("pay %s USDC to %s on %s for %s?"):format(terms.amount, terms.pay_to, terms.network, terms.verb))
    return true
  end,
})

local quote = assert(client:quote("chat", { messages = { { role = "user", content = "hello" } } }))
print("a chat costs " .. quote.amount .. " USDC; nothing was signed to learn that")

for i = 1, 3 do
  local answer, message, err = client:chat("Tell me about wave number " .. i)
  if answer then
    print(answer.text)
  else
    print(message)
    print("kind: " .. err.kind .. ", code: " .. err.code .. ", paid: " .. err.paid)
  end
end

local video, message = client:video{ prompt = "a storm" }
print(video or message)

print(client:summary())   -- `spraay ledger` lists what all clients on this machine have bought
