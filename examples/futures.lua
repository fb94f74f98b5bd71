-- A prepaid account: deposit, draw, look, refund. What a job costs is taken from the balance.
--   spraay sandbox -- lua5.4 examples/futures.lua
local spraay = require "spraay"
local client = assert(spraay.open{ wallet = spraay.wallet.env() })

local account = assert(client.futures:deposit{ amount = "50" })
print(("account %s, tier %s"):format(account.id, account.tier))
for _, word in ipairs{ "sea", "light", "stone" } do
  local answer = assert(account:chat{ messages = { { role = "user", content = "One line about " .. word .. "." } } })
  print(("%s  (%s drawn, %s left, %s paid at the gate)"):format(answer.text, answer.billing.charged,
    answer.billing.balance, answer.payment.amount))
end
local balance = assert(account:balance())
print("balance " .. tostring(balance.billing and balance.billing.balance or balance.balance))
for _, use in ipairs(assert(account:history()).usage or {}) do print("  " .. use.jobType, use.effectivePrice) end
local refund = assert(account:refund())
print("refunded " .. tostring(refund.refund and refund.refund.refundAmount or refund))
