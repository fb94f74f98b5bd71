-- Anything that speaks x402 can be paid: name the origin and say what it may cost.
--   spraay sandbox -- lua5.4 examples/anywhere.lua [URL]
local spraay = require "spraay"
local gateway = os.getenv "SPRAAY_GATEWAY" or "https://gateway.spraay.app"
local url = arg[1] or gateway .. "/api/v1/compute-futures/pricing"
local client = assert(spraay.open{ wallet = spraay.wallet.env(), hosts = { url:match "^%a+://[^/]+" } })

local answer = assert(client:request("GET", url, nil, { max = "0.01" }))
print(answer.status or 200, #tostring(answer) .. " bytes", answer.payment.status, answer.payment.amount or "0")
