--- Faults of eth_sendRawTransaction: what becomes of a transaction, and what its sender hears of it.
--- `view` is the RPC's: `forget` loses the transaction, `early` is what goes out instead of the answer.
-- SPDX-License-Identifier: MIT
local reply = require "spraay.sandbox.reply"

local faults = {}

faults.broadcast_dropped = {
  text = "the transaction is answered with its hash and forgotten",
  apply = function(_, view) view.forget = true end,
}
faults.broadcast_lost = {
  text = "the transaction is taken, and the connection is reset before the answer",
  apply = function(_, view) view.early = reply.wire "reset" end,
}
faults.broadcast_timeout = {
  text = "the transaction is taken, and no answer ever comes", options = { seconds = 600 },
  apply = function(self, view) view.early = reply.wire("hang", { seconds = self:option "seconds" }) end,
}
faults.broadcast_502 = {
  text = "the transaction is taken, and a proxy answers 502",
  apply = function(_, view) view.early = reply.proxy_page(502) end,
}
faults.broadcast_denied = {
  text = "the transaction is taken, and an error is answered all the same",
  options = { code = -32000, message = "internal error" },
  apply = function(self, view)
    view.deny = { code = math.tointeger(self:option "code"), message = self:option "message" }
  end,
}
faults.broadcast_refused = {
  text = "the transaction is not looked at, and an error is answered",
  options = { code = -32000, message = "txpool is full" },
  apply = function(self, view)
    view.refuse = { code = math.tointeger(self:option "code"), message = self:option "message" }
  end,
}
faults.broadcast_other_hash = {
  text = "the transaction is taken, and the hash of another is answered",
  apply = function(_, view) view.other_hash = "0x" .. ("ab"):rep(32) end,
}

return faults
