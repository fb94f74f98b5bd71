--- Faults before anything is verified: on the unpaid probe, or on a paid request that nobody looks
--- at. Nothing settles here. `self` is the armed fault, `passage` the trip through the gate.
-- SPDX-License-Identifier: MIT
local reply = require "spraay.sandbox.reply"

local function redirect(self, passage, origin)
  local target = passage.request.target
  local mark = target:find("?", 1, true) and "&" or "?"
  return reply.json(self:option "status", { redirected = true },
                    { { "location", origin .. target .. mark .. "moved=1" } })
end

local faults = {}

faults.reset_on_probe = {
  leg = "probe", text = "the unpaid request is answered by a connection reset",
  apply = function() return reply.wire "reset" end,
}
faults.timeout_on_probe = {
  leg = "probe", text = "the unpaid request is never answered",
  apply = function(self) return reply.wire("hang", { seconds = self:option "seconds" }) end,
}
faults.reset_before_settle = {
  leg = "paid", text = "connection reset; the payment was not looked at",
  apply = function() return reply.wire "reset" end,
}
faults.timeout_before_settle = {
  leg = "paid", text = "never answered; the payment was not looked at",
  apply = function(self) return reply.wire("hang", { seconds = self:option "seconds" }) end,
}
faults["502_before_settle"] = {
  leg = "paid", text = "502 page of a proxy; the payment was not looked at",
  apply = function() return reply.proxy_page(502) end,
}
faults["503_before_settle"] = {
  leg = "paid", text = "503 page of a proxy; the payment was not looked at",
  apply = function() return reply.proxy_page(503) end,
}
faults.verify_down = {
  leg = "paid", text = "the facilitator cannot be reached: 402 whose error is an exception text",
  apply = function(_, passage)
    passage.entry.verdict = "refused: fetch failed"
    return passage:challenge("fetch failed")
  end,
}
faults.facilitator_nonsense = {
  leg = "paid", text = "the facilitator answers nonsense: 502 { error }",
  apply = function()
    return reply.json(502, { error = "Facilitator verify returned invalid data: expected an object" })
  end,
}
faults.endless_402 = {
  leg = "paid", text = "a payment is met with the same challenge again, for ever",
  apply = function(_, passage) return passage:challenge() end,
}
faults.refuse = {
  leg = "paid", text = "a good payment is refused for the given reason",
  apply = function(self, passage)
    local reason = self:option("reason", passage:on_solana() and "invalid_exact_svm_payload_signature_invalid"
      or "invalid_exact_evm_payload_signature")
    passage.entry.verdict = "refused: " .. reason
    return passage:challenge(reason)
  end,
}
faults["409"] = {
  leg = "paid", text = "409: the same request is said to be in flight",
  apply = function()
    return reply.json(409, { error = "duplicate_request",
                             message = "This request is already being worked on." })
  end,
}
faults["429"] = {
  text = "429 with the wait in the body only", options = { wait = 60 },
  apply = function(self) return reply.rate_limited(self:option "wait") end,
}
faults["429_retry_after"] = {
  text = "429 with the wait in the body and in Retry-After", options = { wait = 1 },
  apply = function(self)
    local wait = self:option "wait"
    return reply.rate_limited(wait, { { "retry-after", ("%d"):format(wait) } })
  end,
}
faults.redirect_same = {
  text = "redirect to another address of the same origin", options = { status = 307 },
  apply = function(self, passage) return redirect(self, passage, passage.request.origin) end,
}
faults.redirect_other = {
  text = "redirect to another origin (localhost for 127.0.0.1 and the other way round)",
  options = { status = 307 },
  apply = function(self, passage)
    local origin = passage.request.origin
    local other = origin:find("127.0.0.1", 1, true) and origin:gsub("127%.0%.0%.1", "localhost")
      or origin:gsub("//[^:/]+", "//127.0.0.1")
    return redirect(self, passage, other)
  end,
}
faults.html_404 = {
  text = "an HTML page that says 404",
  apply = function(_, passage) return reply.not_found(passage.request) end,
}
faults.prose_402 = {
  leg = "probe", text = "a page that asks for money in words, and has no terms",
  apply = function()
    return { status = 402, headers = {}, content_type = "text/html; charset=utf-8",
             body = "<html><body><h1>Payment required</h1>Please send 5 USDC on Base to "
               .. "0x00000000000000000000000000000000C0ffee00 and reload this page.</body></html>" }
  end,
}
faults.html_502 = {
  text = "502 page of a proxy, whichever leg",
  apply = function() return reply.proxy_page(502) end,
}
faults.upstream_503 = {
  leg = "paid", text = "the provider is down: the handler fails and nothing is settled",
  options = { status = 503 },
  apply = function(self, passage) passage.request.provider_down = self:option "status" end,
}
faults.provider_unset = {
  leg = "paid", text = "the gateway has lost its key for the provider: the handler fails, nothing is settled",
  apply = function(_, passage) passage.request.provider_unset = true end,
}
faults.store_down = {
  leg = "paid",
  text = "the store of the prepaid accounts (ledger), or the gateway's RPC (escrow), is down: 500, nothing is settled",
  apply = function(_, passage) passage.request.store_down = true end,
}
faults.drawdown_fails = {
  leg = "paid", text = "escrow: the operator's drawdown fails after the work: 500 that carries the result",
  options = { details = "replacement fee too low (code=REPLACEMENT_UNDERPRICED)" },
  apply = function(self, passage) passage.request.drawdown_fails = self:option "details" end,
}
faults.handler_slow = {
  leg = "paid", text = "the handler takes its time before the payment is settled", options = { seconds = 3 },
  apply = function(self, passage) passage.request.handler_seconds = self:option "seconds" end,
}
faults.upstream_slow = {
  leg = "paid", text = "the provider takes its time, after the handler has read what it needs",
  options = { seconds = 3 },
  apply = function(self, passage) passage.request.provider_seconds = self:option "seconds" end,
}
faults.handler_crash = {
  leg = "paid", text = "the handler throws: 500, nothing is settled",
  apply = function(_, passage) passage.request.handler_crash = true end,
}

for _, name in ipairs{ "timeout_on_probe", "timeout_before_settle" } do
  faults[name].options = { seconds = 600 }
end

return faults
