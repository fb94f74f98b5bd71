--- Solana's JSON-RPC, as much of it as a payer needs to make a payment and to learn what became of it.
--- Shapes, errors and their numbers are those of a real node.
--- https://solana.com/docs/rpc
-- SPDX-License-Identifier: MIT
local json = require "spraay.sandbox.json"

local rpc = {}

local methods = {}
for _, part in ipairs{ "rpc_state", "rpc_transactions" } do
  for name, method in pairs(require("spraay.sandbox.solana." .. part)) do methods[name] = method end
end

local function answer_one(chain, view, call)
  local reply = { jsonrpc = "2.0", id = json.null }
  if type(call) ~= "table" or type(call.method) ~= "string" then
    reply.error = { code = -32600, message = "Invalid request" }
    return reply
  end
  if call.id ~= nil then reply.id = call.id end
  local method = methods[call.method]
  if not method then
    reply.error = { code = -32601, message = "Method not found" }
    return reply
  end
  chain:catch_up()
  local ok, result = pcall(method, chain, view, type(call.params) == "table" and call.params or {})
  if ok then reply.result = result
  elseif type(result) == "table" then reply.error = result
  else error(result, 0) end
  return reply
end

--- Answer a request body: one call or a batch.
---@param chain table
---@param view table    what faults change: lag (seconds of everything), unfinal (seconds of what is final),
---                      unconfirmed (seconds of what is confirmed or final),
---                      stale (seconds that accounts and transactions lag behind the head), lie ("unused":
---                      no transaction of anybody is known; "used": the payment last looked at is settled;
---                      "invert": both), chain_id (anything: of another cluster), drop and delay (seconds) of
---                      what is sent
---@param body any      decoded JSON
---@return table
function rpc.answer(chain, view, body)
  if type(body) == "table" and #body > 0 then
    local list = json.array()
    for i, call in ipairs(body) do list[i] = answer_one(chain, view, call) end
    return list
  end
  return answer_one(chain, view, body)
end

return rpc
