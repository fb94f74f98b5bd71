-- Any model of the GPU catalogue, by its short name.
--   spraay sandbox -- lua5.4 examples/gpu.lua
local spraay = require "spraay"
local client = assert(spraay.open{ wallet = spraay.wallet.env() })

local run = assert(client:gpu{
  model = "llama-8b",
  input = { prompt = "Say something a lighthouse keeper would say." },
})
if run.wait then run = assert(run:wait{ timeout = 300 }) end
print(run.text or run.urls[1])
print(run.payment.amount .. " USDC")
