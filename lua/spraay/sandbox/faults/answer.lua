--- Faults after settlement: the money has moved, and the answer is lost, late or wrong.
--- `response` is the good answer, receipt included; what is returned goes out instead.
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local json = require "spraay.sandbox.json"
local reply = require "spraay.sandbox.reply"

local faults = {}

-- Change or drop the receipt header.
local function with_receipt(passage, response, change)
  local name = passage.wire.response_header
  for i = #response.headers, 1, -1 do
    if response.headers[i][1] == name then
      local value = change(json.decode(crypto.unbase64(response.headers[i][2])))
      if type(value) == "table" then value = crypto.base64(json.encode(value)) end
      if value then response.headers[i] = { name, value } else table.remove(response.headers, i) end
    end
  end
  return response
end

local function lost(name, text, apply, options)
  faults["settle_then_" .. name] = { text = "paid, then " .. text, apply = apply, options = options }
end

lost("timeout", "never answered", function(self)
  return reply.wire("hang", { seconds = self:option "seconds" })
end, { seconds = 600 })

lost("reset", "the connection is reset before a byte of the answer", function()
  return reply.wire "reset"
end)

lost("close", "the connection is closed before a byte of the answer", function()
  return reply.wire "close"
end)

lost("truncate", "the body breaks off half way", function(_, _, response)
  response.wire = { kind = "truncate" }
  return response
end)

lost("truncate_headers", "the answer breaks off inside its headers", function(_, _, response)
  response.wire = { kind = "truncate_headers" }
  return response
end)

lost("hold_stream", "a stream of events waits after the first, until POST /_sandbox/streams; and breaks off "
  .. "after `events`, if given", function(self, passage, response)
    if response.wire then
      response.wire.hold, response.wire.cut = passage.gate.sandbox.streams, self:option "events"
    end
    return response
  end)

for _, status in ipairs{ 500, 502, 503, 504 } do
  lost(tostring(status), ("a %d"):format(status), function()
    if status == 500 then return reply.json(500, { error = "Internal Server Error" }) end
    return reply.proxy_page(status)
  end)
end

lost("html", "a proxy's HTML page (502)", function() return reply.proxy_page(502) end)

lost("402", "a fresh challenge, as if nothing had been paid", function(_, passage)
  return passage:challenge()
end)

lost("402_changed", "a fresh challenge at another price", function(self, passage)
  for _, term in ipairs(passage.terms) do
    term.amount = ("%d"):format(math.floor(tonumber(term.amount) * self:option "factor"))
  end
  return passage:challenge()
end, { factor = 2 })

lost("402_bare", "a 402 with neither header", function(_, passage)
  return passage.wire.settle_failed(passage.gate, passage.route, nil)
end)

lost("no_receipt", "answered without a receipt", function(_, passage, response)
  return with_receipt(passage, response, function() return nil end)
end)

lost("receipt_false", "answered with a receipt that says success false", function(_, passage, response)
  return with_receipt(passage, response, function(receipt)
    receipt.success, receipt.errorReason = false, "unexpected_settle_error"
    return receipt
  end)
end)

lost("receipt_text", 'a receipt whose success is the text "true"', function(_, passage, response)
  return with_receipt(passage, response, function(receipt)
    receipt.success = "true"
    return receipt
  end)
end)

lost("receipt_other_nonce", "a receipt of somebody's other payment", function(_, passage, response)
  return with_receipt(passage, response, function(receipt)
    receipt.transaction = passage:transaction_name(0xcd)
    receipt.extra = { nonce = "0x" .. ("11"):rep(32) }
    return receipt
  end)
end)

lost("receipt_other_payer", "answered with a receipt that names another payer", function(_, passage, response)
  return with_receipt(passage, response, function(receipt)
    receipt.payer = passage:on_solana() and "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"
      or "0x00000000000000000000000000000000DeaDBeef"
    return receipt
  end)
end)

lost("receipt_other_network", "answered with a receipt of another network", function(_, passage, response)
  return with_receipt(passage, response, function(receipt)
    receipt.network = passage:on_solana() and "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z" or "eip155:1"
    return receipt
  end)
end)

lost("receipt_garbled", "answered with a receipt that cannot be read", function(_, passage, response)
  return with_receipt(passage, response, function() return "!!not base64!!" end)
end)

lost("pending", "402 settlement_pending with the transaction", function(_, passage, _, transaction)
  return passage.wire.settle_failed(passage.gate, passage.route,
    passage:refusal("settlement_pending", transaction))
end)

lost("unclear", "402 whose receipt carries an exception text and no transaction", function(_, passage)
  return passage.wire.settle_failed(passage.gate, passage.route, passage:refusal("fetch failed"))
end)

lost("slow", "answered late", function(self, _, response)
  response.wire = { kind = "slow", seconds = self:option "seconds" }
  return response
end, { seconds = 5 })

lost("drip", "answered a byte at a time", function(self, _, response)
  response.wire = { kind = "drip", seconds = self:option "seconds" }
  return response
end, { seconds = 0.05 })

lost("oversize_headers", "response headers of more than 64 KiB", function(self, _, response)
  for i = 1, self:option "bytes" // 1000 + 1 do
    response.headers[#response.headers + 1] = { ("x-padding-%d"):format(i), ("p"):rep(1000) }
  end
  return response
end, { bytes = 70000 })

lost("oversize_body", "a body that does not end for a long time", function(self, _, response)
  response.pad_to = self:option "bytes"
  return response
end, { bytes = 70 * 1024 * 1024 })

lost("redirect", "a redirect to another origin", function(self, passage)
  return reply.json(self:option "status", { redirected = true },
    { { "location", (passage.request.origin:gsub("127%.0%.0%.1", "localhost")) .. passage.request.target } })
end, { status = 307 })

lost("429", "a 429", function(self) return reply.rate_limited(self:option "wait") end, { wait = 1 })

-- Set a member of an answer: path "transactions.1.to" (lists count from 1), or take it away.
local function set_member(body, path, value)
  local at, steps = body, {}
  for step in path:gmatch "[^.]+" do steps[#steps + 1] = math.tointeger(step) or step end
  for i = 1, #steps - 1 do
    at = type(at) == "table" and at[steps[i]] or nil
  end
  if type(at) == "table" and #steps > 0 then at[steps[#steps]] = value end
end

faults.answer_altered = {
  text = "paid, then answered with the member at `path` (\"transactions.1.to\") set to `value`, or gone",
  apply = function(self, _, response)
    set_member(response.body, self:option("path", ""), self:option "value")
    return response
  end,
}

faults.non_json_200 = {
  text = "paid, then 200 with plain text instead of JSON",
  apply = function(_, _, response)
    response.body, response.content_type = "this is fine\n", "text/plain"
    return response
  end,
}
faults.bad_json_200 = {
  text = "paid, then 200 with JSON that is cut off, complete by its length",
  apply = function(_, _, response)
    local text = json.encode(response.body)
    response.body, response.content_type = text:sub(1, #text // 2), "application/json; charset=utf-8"
    return response
  end,
}
faults.wrong_content_type = {
  text = "paid, then good JSON called text/html",
  apply = function(_, _, response)
    response.body, response.content_type = json.encode(response.body), "text/html; charset=utf-8"
    return response
  end,
}

return faults
