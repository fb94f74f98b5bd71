-- Text to speech, and the speech back to text.
--   spraay sandbox -- lua5.4 examples/voice.lua
local spraay = require "spraay"
local client = assert(spraay.open{ wallet = spraay.wallet.env() })
local out = os.getenv "SPRAAY_OUT" or "out"

local speech = assert(client:speak{ text = "The light turns so that ships can tell it from a star.", language = "en" })
print("saved: " .. assert(speech:save(out .. "/")))
local heard = assert(client:transcribe{ audio_url = speech.urls[1] })
print("heard: " .. heard.text)
print("paid:  " .. tostring(spraay.sum{ speech.payment.amount, heard.payment.amount }) .. " USDC")
