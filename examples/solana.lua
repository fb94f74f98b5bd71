-- Two rails: Solana first, Base where a gateway does not offer it.
--   spraay sandbox -- lua5.4 examples/solana.lua "Why is the sea salt?"
--
-- With real money: a key with USDC in SPRAAY_SOLANA_KEY (or spraay.wallet.solana "id.json"), no SOL needed, and a
-- node of your choice in SPRAAY_SOLANA_RPC, which is asked for blockhashes and for proof.
local spraay = require "spraay"
local client = assert(spraay.open{
  wallet = { spraay.wallet.env "SPRAAY_SOLANA_KEY", spraay.wallet.env() },
  networks = { "solana", "base" },
  budget = "0.10",
})
print("on Solana from " .. assert(client:address "solana"))
print("on Base   from " .. assert(client:address "base"))

local answer = assert(client:chat(arg[1] or "Why is the sea salt?"))
print(answer.text)

local payment = answer.payment
print(("%s USDC %s on %s"):format(payment.amount, payment.status, payment.network))
print("transaction " .. payment.transaction)

-- The memo in that transaction is the purchase's own: by it the payment is found again on the chain.
local on_record = assert(client:purchases{ id = payment.purchase })[1]
print("memo        " .. on_record.memo)
print(client:summary())
