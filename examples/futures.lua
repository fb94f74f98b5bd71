-- A prepaid account, from its deposit to its refund, whichever way the gateway keeps it: as a row of its own, or in a
-- contract on Base, where deposit and refund are transactions that this wallet signs and sends itself.
--   spraay sandbox -- lua5.4 examples/futures.lua
--   spraay sandbox --dialect escrow -- lua5.4 examples/futures.lua
local spraay = require "spraay"
local client = assert(spraay.open{
  wallet = spraay.wallet.env(),
  per_day = "60",                                       -- a deposit counts whole
  gas = { max_eth = "0.0005", eth_usd = "3000" },       -- for its transactions; the price only for show
})

-- What would be cheapest for these jobs? (It asks nobody to pay.)
print(assert(client:plan{ { type = "chat", model = "llama-3.2", count = 3 } }))

local account = assert(client.futures:deposit{ amount = "50" })
print(("%s account %s, tier %s"):format(account.dialect, account.id:sub(1, 10) .. "…", account.tier))
if account.payment.gas then
  print(("deposited by %s for %s ETH ($%s) of gas"):format(account.transaction, account.payment.gas,
    account.payment.gas_usd))
end
if account.warning then print("mind: " .. account.warning) end

for _, word in ipairs{ "sea", "light", "stone" } do
  local answer = assert(account:chat{ messages = { { role = "user", content = "One line about " .. word .. "." } } })
  print(("%s  (%s drawn, %s left, %s paid at the gate)"):format(answer.text, answer.billing.charged,
    answer.billing.balance, answer.payment.amount))
  if answer.billing.warning then print("mind: " .. answer.billing.warning) end
end

print("balance " .. assert(account:balance()).balance)
for _, use in ipairs(assert(account:history()).entries) do
  print("  " .. (use.label or "job " .. use.job_number), use.charged, use.balance_after .. " left")
end

if account.dialect == "escrow" then print("a part: " .. assert(account:refund{ amount = "10" }).refunded) end
print("refunded " .. assert(account:refund()).refunded)
