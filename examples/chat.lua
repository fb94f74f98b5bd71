-- One question, one paid answer, one receipt.
--   spraay sandbox -- lua5.4 examples/chat.lua "Why is the sky blue?"
local spraay = require "spraay"
local client = assert(spraay.open{ wallet = spraay.wallet.env() })

local answer = assert(client:chat(arg[1] or "Why does a lighthouse turn?", { max = "0.05" }))
print(answer.text)
print(("%s USDC %s, %s"):format(answer.payment.amount, answer.payment.status, answer.payment.transaction))
