-- SPDX-License-Identifier: MIT
--- A node of an EVM chain, asked over JSON-RPC through the engine. The caller names it in rpc = { base = … };
-- what it says is believed where a lie is harmless, and checked where it is not.
-- https://ethereum.org/en/developers/docs/apis/json-rpc/
--
-- A question that fails gives nil and its trouble: { kind=, message=, data=, code= }, where kind is
--   "down"     no answer came, or one that is none: the same question may be asked again
--   "refused"  the node answered with an error; data are the bytes of a revert, when it was one
--   "strange"  an answer that makes no sense
--   "chain", "behind"  it is the node of another chain, or has not heard of the last minutes
--   "cancelled" the task was
local compat = require "spraay.compat"
local core = require "spraay.core"
local engine = require "spraay.engine"
local errors = require "spraay.errors"
local json = require "spraay.json"
local purchases = require "spraay.purchases"
local wait = require "spraay.wait"

local rpc = {}

local Node = {}
local mt = { __name = "spraay.rpc", __index = Node }

local ANSWER_MAX = 16 * 1024 * 1024
local ONE_MS = 15000                       -- how long one answer may take
local PAUSES = { 0.2, 0.4, 0.8, 1.6 }      -- before asking again where no answer came

-- ---- the words of the protocol -----------------------------------------------------------------

--- Bytes of "0x…", or nil.
function rpc.bytes(text)
  if type(text) ~= "string" or text:sub(1, 2) ~= "0x" or #text % 2 ~= 0 then return nil end
  return (core.hex_decode(text:sub(3)))
end

--- "0x…" of bytes.
function rpc.hex(bytes)
  return "0x" .. core.hex_encode(bytes)
end

--- The digits of a quantity, "0x1b4" → "436"; nil when it is none, or larger than 256 bits.
function rpc.digits(text)
  if type(text) ~= "string" then return nil end
  local nibbles = text:match "^0x(%x+)$"
  if not nibbles or #nibbles > 64 then return nil end
  local bytes = core.hex_decode(("0"):rep(64 - #nibbles) .. nibbles)
  return bytes and core.amount_from_be32(bytes) or nil
end

--- A quantity as a number; nil when it is none, or larger than a number holds exactly.
function rpc.integer(text)
  local digits = rpc.digits(text)
  if not digits or #digits > 15 then return nil end
  return compat.integer(tonumber(digits))
end

--- A whole number as a quantity.
function rpc.quantity(n)
  return ("0x%x"):format(n)
end

-- ---- asking --------------------------------------------------------------------------------------

--- The node of a network that this client may ask until the moment `by`, or nil, message, err.
function rpc.of(client, network, by, where)
  local url = client.config.core.rpc and client.config.core.rpc[network]
  if url then
    return setmetatable({ client = client, network = network, url = url, by = by, id = 0 }, mt)
  end
  local name = purchases.network_name(network)
  return errors.usage(("%s: no RPC of %s is known, and a chain is asked and told over one"):format(where, name),
    ("Name one in rpc = { %s = \"https://…\" }"):format(name:match "^%l+$" and name or ("[\"%s\"]"):format(name)),
    "rpc")
end

local function trouble(kind, message, more)
  more = more or {}
  more.kind, more.message = kind, message
  return nil, more
end

-- Statuses that go with an error about the question itself: asked again it would be refused again.
local REFUSALS = { [400] = true, [403] = true, [413] = true, [422] = true }

local function read(self, answer)
  local body = json.decode(answer.body or "")
  if answer.status ~= 200 and not (REFUSALS[answer.status] and type(body) == "table"
    and type(json.get(body, "error")) == "table") then
    return trouble("down", ("it answered status %d"):format(answer.status))
  end
  if type(body) ~= "table" or json.get(body, "jsonrpc") ~= "2.0" then
    return trouble("strange", "its answer is no JSON-RPC")
  end
  local refused = json.get(body, "error")
  if type(refused) == "table" then
    local message = json.get(refused, "message")
    return trouble("refused", errors.foreign(type(message) == "string" and message or "", 160) or "no reason given",
      { code = json.get(refused, "code"), data = rpc.bytes(json.get(refused, "data")) })
  end
  if json.get(body, "id") ~= self.id then return trouble("strange", "it answered another question") end
  local result = body.result
  if result == nil then return trouble("strange", "its answer has no result") end
  return result
end

-- One question, asked once.
local function ask(self, method, params)
  local config = self.client.config
  local left = math.floor((self.by - engine.now()) * 1000)
  if left < 1 then return trouble("down", "there was no time left to ask it") end
  self.id = self.id + 1
  local body = json.encode { jsonrpc = "2.0", id = self.id, method = method, params = json.array(params) }
  local transfer, why = engine.get():fetch {
    method = "POST", url = self.url, headers = { { "Content-Type", "application/json" } }, body = body,
    connect_ms = config.core.connect_ms, idle_ms = config.core.idle_ms, total_ms = math.min(left, ONE_MS),
    max_body = ANSWER_MAX, user_agent = config.core.user_agent, proxy = config.core.proxy,
    ca_file = config.core.ca_file, resolve = config.core.resolve,
  }
  if not transfer then return trouble("down", tostring(why)) end
  if wait.until_ { poll = function() return transfer:done() end } == "cancelled" then
    transfer:cancel()
    return trouble("cancelled", "the task was cancelled")
  end
  local answer, sentence = transfer:result()
  if not answer then return trouble("down", tostring(sentence)) end
  return read(self, answer)
end

--- Wait so many seconds, or until the node's time is over. False when the task was cancelled.
function Node.pause(self, seconds)
  return wait.until_ { at = math.min(engine.now() + seconds, self.by) } ~= "cancelled"
end

--- Seconds that are left of its time.
function Node.left(self)
  return self.by - engine.now()
end

--- Is its time over?
function Node.is_over(self)
  return engine.now() >= self.by
end

--- One question, asked once: what is known to be asked again later.
Node.once = ask

--- One question; where no answer comes it is asked again, a few times.
function Node.call(self, method, params)
  for turn = 1, #PAUSES + 1 do
    local result, why = ask(self, method, params)
    if result ~= nil or why.kind ~= "down" or turn > #PAUSES or self:is_over() then return result, why end
    if not self:pause(PAUSES[turn]) then return trouble("cancelled", "the task was cancelled") end
  end
end

--- A question whose answer is a quantity: its digits.
function Node.quantity(self, method, params)
  local result, why = self:call(method, params)
  if result == nil then return nil, why end
  local digits = rpc.digits(result)
  if digits then return digits end
  return trouble("strange", ("its answer to %s is no quantity"):format(method))
end

--- The same as a number.
function Node.number(self, method, params)
  local result, why = self:call(method, params)
  if result == nil then return nil, why end
  local n = rpc.integer(result)
  if n then return n end
  return trouble("strange", ("its answer to %s is no number that can be"):format(method))
end

--- A contract's answer, `name` being one that core.abi_call knows: its values, or nil and the trouble.
function Node.contract(self, to, name, arguments, at)
  local data = assert(core.abi_call(name, compat.unpack(arguments or {})))
  local result, why = self:call("eth_call", { { to = to, data = rpc.hex(data) }, at or "latest" })
  if result == nil then return nil, why end
  local bytes = rpc.bytes(result)
  if not bytes then return trouble("strange", "its answer to eth_call is no data") end
  local values = compat.pack(core.abi_result(name, bytes))
  if values[1] ~= nil or values.n < 2 then return compat.unpack(values, 1, values.n) end
  if values[3] == "MISSING" then return trouble("strange", "there is no contract at " .. to) end
  return trouble("strange", ("its answer to %s has another form"):format(name))
end

--- Is it the chain that it should be? True, or nil and the trouble: kind "chain" when it is another.
function Node.check_chain(self)
  local digits, why = self:quantity("eth_chainId", {})
  if not digits then return nil, why end
  local wanted = self.network:match "^eip155:(%d+)$"
  if digits == wanted then return true end
  return trouble("chain", ("it is of chain %s, and chain %s is meant"):format(errors.foreign(digits, 20), wanted))
end

local STALE = 120   -- seconds: sixty blocks of Base

--- Is its newest block of now? True, or nil and the trouble. `now` are seconds since 1970.
function Node.check_fresh(self, now)
  local block, why = self:call("eth_getBlockByNumber", { "latest", false })
  if block == nil then return nil, why end
  local at = rpc.integer(json.get(block, "timestamp"))
  if not at then return trouble("strange", "its newest block has no time") end
  if now - at <= STALE then return true end
  return trouble("behind", ("its newest block is %d seconds old"):format(now - at))
end

--- What a contract that gave up said, as a clause; nil when the trouble was no revert.
function rpc.revert(why)
  local data = why.data
  if not data then return why.message:match "^execution reverted" and why.message or nil end
  local values = compat.pack(core.abi_revert(data))
  local name = values[1]
  if not name then return #data == 0 and "the contract reverted" or "the contract reverted, for a reason of its own" end
  if name == "Error" then return ("the contract says \"%s\""):format(errors.foreign(values[2], 120) or "") end
  local words = {}
  for i = 2, values.n do words[#words + 1] = tostring(values[i]) end
  return ("the contract says %s(%s)"):format(name, table.concat(words, ", ")), name
end

--- The error of a trouble that nothing can be done without. `fields` say more: paid=, purchase=, …
function rpc.error(where, why, fields)
  fields = fields or {}
  if why.kind == "cancelled" then
    local err = wait.cancelled_error()
    for key, value in pairs(fields) do err[key] = value end
    return err
  end
  fields.kind, fields.code = "connection", "rpc"
  fields.message = ("%s: the RPC is of no use: %s"):format(where, why.message)
  if why.kind == "chain" then
    fields.kind, fields.code = "policy", "chain_id"
    fields.message = ("%s: the RPC belongs to another chain: %s"):format(where, why.message)
    fields.hint = fields.hint or "Name an RPC of the right chain with rpc ="
  elseif why.kind == "behind" then
    fields.code = "rpc_lagging"
  elseif why.kind == "refused" then
    fields.message = ("%s: the RPC refused: %s"):format(where, why.message)
  end
  fields.hint = fields.hint or "Call again later, or name another RPC with rpc ="
  return errors.new(fields)
end

return rpc
