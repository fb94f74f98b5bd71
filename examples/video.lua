-- A video takes minutes and each look at it costs 0.001 USDC, so looks are few.
-- The id is all that another process needs to go on: client:job(id, "video").
--   spraay sandbox -- lua5.4 examples/video.lua
local spraay = require "spraay"
local client = assert(spraay.open{ wallet = spraay.wallet.env() })
local out = os.getenv "SPRAAY_OUT" or "out"

local job = assert(client:video{ prompt = "waves against a rock", duration_seconds = 4 })
print("ordered: " .. job.id)
assert(job:wait{ timeout = 600, on_progress = function(seen) print("  " .. seen.status) end })
print(job:save(out .. "/"), job.payment.amount .. " USDC with the looks")
