--- Faults of settlement: the handler has done its work, and the money does something else.
--- What is returned replaces the answer; the passage may have settled or not, as the text says.
-- SPDX-License-Identifier: MIT
local cqueues = require "cqueues"
local reply = require "spraay.sandbox.reply"

local faults = {}

local function failed(passage, receipt)
  return passage.wire.settle_failed(passage.gate, passage.route, receipt)
end

faults.settle_fails = {
  text = "settlement is refused: 402 with a receipt of success false; nothing moves",
  options = { reason = "insufficient_funds" },
  apply = function(self, passage)
    passage.entry.verdict = "settlement failed: " .. self:option "reason"
    return failed(passage, passage:refusal(self:option "reason"))
  end,
}
faults.settle_crashes = {
  text = "settlement crashes: 402 with neither header; nothing moves",
  apply = function(_, passage)
    passage.entry.verdict = "settlement crashed"
    return failed(passage, nil)
  end,
}
faults.settle_unclear = {
  text = "settlement fails with free text instead of a reason; nothing moves",
  options = { reason = "fetch failed" },
  apply = function(self, passage)
    passage.entry.verdict = "settlement unclear"
    return failed(passage, passage:refusal(self:option "reason"))
  end,
}
faults.pending_never_settles = {
  text = "settlement_pending with a transaction that is never mined",
  apply = function(_, passage)
    passage.entry.verdict = "pending"
    return failed(passage, passage:refusal("settlement_pending", passage:transaction_name(0xab)))
  end,
}
faults.settle_later = {
  text = "502 at once, and the money moves some seconds afterwards", options = { seconds = 3 },
  apply = function(self, passage)
    local seconds = self:option "seconds"
    passage.gate.sandbox.background(function()
      cqueues.sleep(seconds)
      passage:settle()
    end)
    return reply.proxy_page(502)
  end,
}

return faults
