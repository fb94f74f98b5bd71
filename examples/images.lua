-- Eight pictures, at most four at a time, and no more money than 0.20 USDC.
-- The budget holds for six; the last two are refused before anything is signed.
--   spraay sandbox -- lua5.4 examples/images.lua
local spraay = require "spraay"
local client = assert(spraay.open{ wallet = spraay.wallet.env(), budget = "0.20" })
local out = os.getenv "SPRAAY_OUT" or "out"

spraay.run(function()
  local hours = { "dawn", "morning", "noon", "afternoon", "evening", "dusk", "night", "midnight" }
  local paths, errors = spraay.map(hours, { limit = 4 }, function(hour)
    local image, message, err = client:image{ prompt = "a lighthouse at " .. hour, width = 256, height = 256 }
    if not image then return nil, message, err end
    return image:save(("%s/%s.png"):format(out, hour))
  end)
  for i, path in ipairs(paths) do print(hours[i], path or tostring(errors[i])) end
end)
