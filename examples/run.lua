-- A named run: kill it anywhere and start it again. Nothing is paid twice, and what had arrived is there: answers
-- come back as "restored", pictures are saved from what was kept. An answer that was on its way is asked for again
-- with the same payment; when the gateway no longer gives it, the script says that it was paid and lost.
--   spraay sandbox -- sh -c 'lua5.4 examples/run.lua & sleep 0.2; kill -9 $!; lua5.4 examples/run.lua'
-- With the ledger at its usual place, `spraay ledger --run lighthouse` shows afterwards what was bought.
local spraay = require "spraay"
local client = assert(spraay.open{ wallet = spraay.wallet.env(), run = "lighthouse", budget = "0.50" })
local out = os.getenv "SPRAAY_OUT" or "out"

local story = client:step("story", function()
  return assert(client:chat "Tell of a lighthouse in three short sentences.")
end)
print(story.payment.status, story.text)

for _, hour in ipairs{ "dawn", "noon", "dusk" } do
  client:step(hour, function()
    local picture = assert(client:image{ prompt = "a lighthouse at " .. hour, width = 256, height = 256 })
    print(picture.payment.status, assert(picture:save(("%s/%s.png"):format(out, hour))))
  end)
end

print(client:summary())
