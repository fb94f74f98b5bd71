-- Many jobs in one request for a flat 0.05 USDC. Each has its own result or error.
--   spraay sandbox -- lua5.4 examples/batch.lua
local spraay = require "spraay"
local client = assert(spraay.open{ wallet = spraay.wallet.env() })

local jobs = {}
for i, word in ipairs{ "sea", "light", "stone", "wind" } do
  jobs[i] = { type = "chat", messages = { { role = "user", content = "One line about " .. word .. "." } } }
end
jobs[5] = { type = "image", prompt = "a lighthouse, woodcut" }

local results, message, err = client:batch(jobs)
if not results then error(message) end
for i = 1, #jobs do
  local item = results[i]
  print(i, item and (item.text or (item.urls and item.urls[1]) or tostring(item)) or tostring(results.errors[i]))
end
print("paid " .. results.payment.amount .. " USDC for " .. #jobs .. " jobs", err or "")
