--- A gateway played by the spec: calls whose bytes the spec carries itself, so every answer, loss
--- and moment is chosen, and nothing touches a network.
---   local exchange = require "spec.support.exchange"
---   local gateway = exchange.new{ per_day = "1000000" }
---   local call = gateway:call{ body = "{}" }
---   local sent = exchange.drive(call, { gateway:challenge(), exchange.lost "reset" })
---   exchange.result(call), sent[2].paid, sent[2].authorization.nonce
--- Or all of that at once, when nothing special happens on the way:
---   local result, sent = gateway:buy{ body = "{}" }
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"

local exchange = {}
exchange.__index = exchange

exchange.ORIGIN = "https://gateway.test"
exchange.PAY_TO = "0xAd62f03C7514bb8c51f1eA70C2b75C37404695c8"
exchange.STRANGER = "0x1111111111111111111111111111111111111111" -- nobody that was ever paid
exchange.USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"

exchange.engine = core.engine()

--- Where purchases are kept: a path, or nil for the memory of the process.
exchange.ledger = nil

-- Several spec files in one process share the ledger, and this file is loaded for each of them.
local process, n = core.hex_encode(core.random_bytes(4)), 0

--- A client and what it talks to. Every exchange has an origin of its own, so that specs share nothing.
---@param config? table  fields of core.client's config; or origin, one that several processes know
function exchange.new(config)
  n = n + 1
  local origin = config and config.origin or ("https://gateway-%s-%d.test"):format(process, n)
  local self = setmetatable({ origin = origin }, exchange)
  self.wallet = config and config.wallet or assert(core.wallet_random())
  local all = { gateway = self.origin, wallet = self.wallet, networks = { "eip155:8453" }, per_call = "600000",
                total_ms = 2000, retries = 0, ledger = exchange.ledger }
  for key, value in pairs(config or {}) do all[key] = value end
  self.config = all
  self.client = assert(core.client(exchange.engine, all))
  return self
end

--- Another client of the same gateway, as another part of a program would open it.
function exchange:again(config)
  local other = setmetatable({}, { __index = self })
  local all = {}
  for key, value in pairs(self.config) do all[key] = value end
  for key, value in pairs(config or {}) do all[key] = value end
  other.client = assert(core.client(exchange.engine, all))
  return other
end

function exchange:call(request)
  local all = { method = "POST", url = self.origin .. "/api/v1/compute/text-inference", class = "repeat",
                body = "{}", price = "30000", external = true }
  for key, value in pairs(request or {}) do
    if value == "none" then value = nil end
    all[key] = value
  end
  return assert(self.client:call(all))
end

--- One entry of a challenge; fields replace the defaults, `false` removes one.
function exchange.entry(fields)
  local entry = { scheme = "exact", network = "eip155:8453", amount = "30000", asset = exchange.USDC,
                  payTo = exchange.PAY_TO, maxTimeoutSeconds = 300, extra = { name = "USD Coin", version = "2" } }
  for key, value in pairs(fields or {}) do
    if value == false then value = nil end
    entry[key] = value
  end
  return entry
end

local function header(value) return core.base64_encode(type(value) == "string" and value or cjson.encode(value)) end

--- 402 with a V2 challenge of one entry (or of `entries`).
function exchange:challenge(fields, options)
  options = options or {}
  local challenge = { x402Version = 2, error = options.error or "Payment required",
                      resource = { url = self.origin .. "/x" },
                      accepts = options.entries or { exchange.entry(fields) } }
  local list = { { "PAYMENT-REQUIRED", header(options.text or challenge) } }
  if options.date then list[#list + 1] = { "Date", options.date } end
  return { status = 402, headers = list, body = "{}" }
end

--- An answer with a receipt of this payer's. `fields` change the receipt.
function exchange:answer(status, body, fields)
  local receipt = { success = true, transaction = "0x" .. ("ab"):rep(32), network = "eip155:8453",
                    payer = self.wallet:address() }
  for key, value in pairs(fields or {}) do receipt[key] = value end
  return { status = status or 200, headers = { { "PAYMENT-RESPONSE", header(receipt) } }, body = body or '{"ok":true}' }
end

function exchange.plain(status, body, headers)
  return { status = status, headers = headers or {}, body = body or "{}" }
end

function exchange.lost(why) return { lost = why or "the connection was reset" } end
function exchange.unsent(why) return { unsent = why or "connection refused" } end

--- Step until the call wants something of us or is done.
function exchange.settle(call)
  local limit = core.mono_ms() + 10000
  while call:state() == "running" do
    assert(core.mono_ms() < limit, "the call neither ends nor wants anything")
    exchange.engine:step(50)
  end
  return call:state()
end

--- What an operation of the ledger comes to.
function exchange.outcome(op)
  local limit = core.mono_ms() + 10000
  while not op:done() do
    assert(core.mono_ms() < limit, "the ledger does not answer")
    exchange.engine:step(50)
  end
  return op:result()
end

--- What the client's budget has seen: { settled=, open=, committed= } in atomic units.
function exchange:totals() return assert(exchange.outcome(self.client:totals())) end

--- The decoded payment of a request, and its raw header.
function exchange.payment_of(request)
  for _, pair in ipairs(request.headers) do
    if pair[1] == "PAYMENT-SIGNATURE" or pair[1] == "X-PAYMENT" then
      local text = core.base64_decode(pair[2])
      return cjson.decode(text), pair[2], text
    end
  end
end

--- Answer the call's requests in turn; stops when the script ends or the call does.
---@return table[] sent  { paid =, payment =, header =, text =, authorization =, url = } each
function exchange.drive(call, script)
  local sent = {}
  for _, step in ipairs(script) do
    if exchange.settle(call) ~= "send" then return sent end
    local request = call:request()
    local payment, raw, text = exchange.payment_of(request)
    sent[#sent + 1] = { paid = request.paid, payment = payment, header = raw, text = text, url = request.url,
                        authorization = payment and payment.payload.authorization, body = request.body }
    if step.lost then call:lost(step.lost)
    elseif step.unsent then call:lost(step.unsent, true)
    else assert(call:answer(step.status, step.headers, step.body)) end
  end
  exchange.settle(call)
  return sent
end

--- What a call came to. It is taken, so that an equal call buys anew, and the call closed.
function exchange.result(call)
  exchange.settle(call)
  local result = call:result()
  call:taken()
  call:close()
  return result
end

--- A call that is asked to pay and gets its answer; `fields` are those of the challenge.
---@return table result
---@return table[] sent
function exchange:buy(request, fields)
  local call = self:call(request)
  local sent = exchange.drive(call, { self:challenge(fields), self:answer() })
  return exchange.result(call), sent
end

--- A call that pays and soon gives up, for its answer was lost.
---@return table result
---@return table[] sent
function exchange:lose(request, fields)
  local all = { total_ms = 300 }
  for key, value in pairs(request or {}) do all[key] = value end
  local call = self:call(all)
  local sent = exchange.drive(call, { self:challenge(fields), exchange.lost() })
  return exchange.result(call), sent
end

--- A request that looks at a job.
function exchange:look(more)
  local all = { class = "look", method = "GET", body = "none", price = "1000", total_ms = 6000,
                url = self.origin .. "/api/v1/compute/status/x" }
  for key, value in pairs(more or {}) do all[key] = value end
  return self:call(all)
end

local SIGNER = ("\17"):rep(32)

--- A wallet whose key is elsewhere: with exchange.sign.
function exchange.signer(secret)
  return core.wallet_signer{ address = core.evm_address(SIGNER), nonce_secret = secret or ("s"):rep(32) }
end

--- Sign what the call shows, with that signer's key or another.
---@return string nonce  the one it was shown
function exchange.sign(call, key)
  assert(exchange.settle(call) == "sign", "the call wants no signature")
  local typed, digest = call:typed_data()
  call:signature(core.hex_encode(core.secp_sign(core.hex_decode(digest:sub(3)), key or SIGNER)))
  return typed:match '"nonce":"(0x%x+)"'
end

--- The nonces of the paid requests in some lists of `drive`, each once, in order.
function exchange.nonces(...)
  local seen, list = {}, {}
  for _, sent in ipairs{ ... } do
    for _, one in ipairs(sent) do
      local nonce = one.authorization and one.authorization.nonce
      if nonce and not seen[nonce] then
        seen[nonce] = true
        list[#list + 1] = nonce
      end
    end
  end
  return list
end

return exchange
