-- An answer word by word, as it comes. One payment, made before the first word.
--   spraay sandbox -- lua5.4 examples/stream.lua "Why does a lighthouse turn?"
local spraay = require "spraay"
local client = assert(spraay.open{ wallet = spraay.wallet.env() })

local answer = assert(client:request("POST", "/api/v1/chat/completions",
  { stream = true, messages = { { role = "user", content = arg[1] or "Why does a lighthouse turn?" } } },
  { stream = true, max = "0.01" }))
for event in answer:events() do
  io.write(event.text or "")
  io.flush()
end
print(("\n%s USDC %s"):format(answer.payment.amount, answer.payment.status))
