--- Faults of the chain's RPC: what a proof has to survive. `view` is how the chain will be seen.
-- SPDX-License-Identifier: MIT
local reply = require "spraay.sandbox.reply"

local faults = {}

faults.rpc_down = {
  text = "the RPC answers 503",
  apply = function() return reply.proxy_page(503) end,
}
faults.rpc_reset = {
  text = "the RPC resets the connection",
  apply = function() return reply.wire "reset" end,
}
faults.rpc_500 = {
  text = "the RPC answers 500",
  apply = function() return reply.json(500, { error = "Internal Server Error" }) end,
}
faults.rpc_429 = {
  text = "the RPC answers 429, as public ones do when they are asked too often",
  apply = function()
    return reply.json(429, { jsonrpc = "2.0", id = 1, error = { code = 429, message = "Too many requests" } },
                      { { "retry-after", "1" } })
  end,
}
faults.rpc_garbage = {
  text = "the RPC answers 200 with something that is no JSON",
  apply = function() return { status = 200, headers = {}, body = "{\"jsonrpc\": \"2.0\", \"result\": {{{" } end,
}
faults.rpc_timeout = {
  text = "the RPC never answers", options = { seconds = 600 },
  apply = function(self) return reply.wire("hang", { seconds = self:option "seconds" }) end,
}
faults.rpc_lagging = {
  text = "the RPC's newest block is an hour old", options = { seconds = 3600 },
  apply = function(self, view) view.lag = math.floor(self:option "seconds") end,
}
faults.rpc_split = {
  text = "blocks are of now, but whoever asks for the state of \"latest\" meets a node an hour behind",
  options = { seconds = 3600 },
  apply = function(self, view) view.stale = math.floor(self:option "seconds") end,
}
faults.rpc_lying = {
  text = "the RPC says of every authorization that it is unused (or \"used\", or \"invert\")",
  options = { lie = "unused" },
  apply = function(self, view) view.lie = self:option "lie" end,
}
faults.rpc_wrong_chain = {
  text = "the RPC belongs to another chain", options = { chain_id = 1 },
  apply = function(self, view) view.chain_id = math.tointeger(self:option "chain_id") end,
}
faults.rpc_rich = {
  text = "the RPC says of every balance, allowance and account that it holds the given quantity",
  options = { money = "0x" .. ("f"):rep(64) },
  apply = function(self, view) view.money = self:option "money" end,
}
faults.rpc_nonce = {
  text = "the RPC is wrong about the next nonce of an account by so many", options = { by = 5 },
  apply = function(self, view) view.nonce = math.tointeger(self:option "by") end,
}
faults.rpc_gas = {
  text = "the RPC estimates the given gas for every transaction", options = { gas = "0x5208" },
  apply = function(self, view) view.gas = self:option "gas" end,
}
faults.rpc_fee = {
  text = "the RPC names the given fee (a quantity of wei) whatever is asked about fees",
  options = { fee = "0xde0b6b3a7640000" },
  apply = function(self, view) view.fee = self:option "fee" end,
}
faults.rpc_hides = {
  text = "the RPC knows no transaction and no receipt, mined or not",
  apply = function(_, view) view.hide = true end,
}
faults.rpc_invents = {
  text = "the RPC has a receipt of success for every hash",
  apply = function(_, view) view.invent = true end,
}
faults.rpc_answer = {
  text = "the RPC answers the given result, whatever it was asked (with `method`: when asked that)",
  options = { result = "0x1" .. ("0"):rep(16) },
  apply = function(self, view)
    return reply.json(200, { jsonrpc = "2.0", id = view.id, result = self:option "result" })
  end,
}
faults.rpc_text = {
  text = "the RPC answers 200 with text that is no JSON", options = { text = "<html>rate limited</html>" },
  apply = function(self)
    return { status = 200, headers = {}, content_type = "text/html", body = self:option "text" }
  end,
}
faults.rpc_error = {
  text = "the RPC answers with an error object, as when its own limit is reached",
  options = { code = -32005, message = "limit exceeded" },
  apply = function(self, view)
    local trouble = { code = math.tointeger(self:option "code"), message = self:option "message" }
    return reply.json(200, { jsonrpc = "2.0", id = view.id, error = trouble })
  end,
}

return faults
