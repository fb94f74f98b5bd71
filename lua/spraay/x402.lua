-- SPDX-License-Identifier: MIT
--- x402 for people with an HTTP client of their own.
--
-- A session is a call like any other, capped and remembered, except that the bytes are carried by
-- somebody else:
--
--   local session = assert(spraay.x402.session(client, { method = "POST", url = url, body = body }))
--   local what, value = session:step()                           -- "send", headers: send the request
--   while what == "send" do
--     local status, headers, body = my_http(url, value)          -- value: the headers to send
--     what, value = session:step(status, headers, body)
--   end                                                          -- "done", result; or nil, message, err
--
-- read and pay are the thin forms beneath it. They remember nothing: whoever uses them must see to
-- it that a lost answer is not paid for twice.
local call = require "spraay.call"
local core = require "spraay.core"
local errors = require "spraay.errors"
local json = require "spraay.json"
local money = require "spraay.money"
local options = require "spraay.options"
local result = require "spraay.result"
local task = require "spraay.task"
local verbs = require "spraay.verbs"
local wallet = require "spraay.wallet"

local x402 = {}

-- ---- session ------------------------------------------------------------------------

local Session = {}
local session_mt = { __name = "spraay.x402_session", __index = Session }

local REQUEST = { "method", "url", "headers", "body", "content_type" }
x402.request_fields = REQUEST

-- The request of a session as call.start takes it, or nil, message, err.
local function request_of(client, given, opts)
  local where = "x402.session"
  if type(given) ~= "table" then
    return errors.usage(where .. ": expected { method=, url=, body= }", nil, "argument")
  end
  local key, strange = errors.stranger(given, REQUEST)
  if strange then
    return errors.unknown(where, "field", key, REQUEST, "Its fields are " .. errors.list(REQUEST))
  end
  if given.headers ~= nil then
    local lines, why = options.header_lines(given.headers)
    if not lines then return errors.usage(where .. ": headers " .. why, nil, "argument") end
    opts.headers = lines
  end
  opts.content_type = given.content_type
  local request, message, err = verbs.any_request(client, where, given.method or "GET", given.url,
    given.body, opts)
  if not request then return nil, message, err end
  request.verb = where
  return request
end

--- A session for one request. Options as for any call: max, purchase, again, timeout, …
-- Returns the session, or nil, message, err.
function x402.session(client, request, opts)
  if type(client) ~= "table" or type(client.config) ~= "table" then
    error("x402.session: expected a client of spraay.open", 2)
  end
  local function give(value, message, err)
    if value ~= nil then return value end
    if client.config.errors == "raise" then error(err, 0) end
    return nil, message, err
  end
  local checked, message, err = options.per_call(opts, "x402.session")
  if not checked then return give(nil, message, err) end
  local prepared
  prepared, message, err = request_of(client, request, checked)
  if not prepared then return give(nil, message, err) end
  local handle, wallet_err
  handle, message, wallet_err = call.start(client, prepared, true)
  if not handle then return give(nil, message, wallet_err) end
  return setmetatable({ client = client, request = prepared, handle = handle, wallet_err = wallet_err }, session_mt)
end

-- The headers to send now.
local function outgoing(handle)
  local headers = {}
  for _, line in ipairs(handle:request().headers) do headers[line[1]] = line[2] end
  return headers
end

local function step(self, status, headers, body)
  local handle, client = self.handle, self.client
  if self.value then return "done", self.value end
  if self.failure then return errors.fail(self.failure) end
  local state, message, err = call.advance(handle, client, self.request)
  if not state then
    self.failure = err   -- cancelled: the call is closed
    return nil, message, err
  end
  if state == "send" and status ~= nil then
    if status == false then   -- no answer came; `headers` may say why
      handle:lost(type(headers) == "string" and headers or "no answer came")
    else
      call.feed(handle, status, headers, body)
    end
    state, message, err = call.advance(handle, client, self.request)
    if not state then
      self.failure = err
      return nil, message, err
    end
  end
  if state == "send" then return "send", outgoing(handle) end
  if self.request.class ~= "free" then call.used(client) end
  local raw = handle:result()
  if not raw.ok then
    if raw.paid == "yes" then task.note_payment(raw.atomic) end
    handle:close()
    local _, _, failure = call.failed(client, raw, self.request, self.wallet_err)
    self.failure = failure
    return errors.fail(failure)
  end
  local decoded = json.decode(raw.body or "")
  if decoded == nil then decoded = raw.body end
  self.value = result.new { client = client, kind_ = "any", body = decoded, payment = call.payment_of(raw),
    http = { status = raw.status, headers = raw.headers } }
  task.note_payment(raw.payment and raw.payment.status == "settled" and raw.payment.atomic or nil)
  if raw.payment and raw.payment.status == "restored" then call.count(client, "restored") end
  call.hand_over(handle)
  return "done", self.value
end

--- Feed what happened and learn what to do: "send", headers | "done", result | nil, message, err.
-- Without arguments it says what to send first; step(false, "why") says that no answer came.
function Session:step(status, headers, body)
  local what, value, err = step(self, status, headers, body)
  if what == nil and self.client.config.errors == "raise" then error(err, 0) end
  return what, value, err
end

--- Stop: "aborted" when nothing was signed, "detached" when money may be on its way, "done" when
-- the session had ended.
function Session:cancel()
  if self.value or self.failure then return "done" end
  return self.handle:cancel()
end

-- ---- the thin forms -------------------------------------------------------------------

--- Read the challenge out of a 402: an offer with its entries, or nil, message, err.
function x402.read(status, headers, body)
  if type(status) ~= "number" then error("x402.read: expected status, headers, body", 2) end
  local list, clause = call.header_list(headers)
  if not list then
    return errors.usage("x402.read: the answer cannot be read: " .. clause, nil, "argument")
  end
  local offer, why, code = core.x402_read(status, list, body or "")
  if offer then return offer end
  return errors.fail { kind = "payment", code = code and code:lower() or "offer", status = status,
    message = "this answer offers nothing to pay: " .. tostring(why) }
end

local POLICY = { "networks", "max", "pay_to", "assets" }
x402.policy_fields = POLICY

-- The policy as the core takes it, or nil, message, err.
local function policy_of(given, address, rail)
  local where = "x402.pay"
  if type(given) ~= "table" then
    return errors.usage(where .. ": expected a policy { max = \"0.05\" }", nil, "argument")
  end
  local key, strange = errors.stranger(given, POLICY)
  if strange then
    return errors.unknown(where, "field", key, POLICY, "Its fields are " .. errors.list(POLICY))
  end
  if given.max == nil then
    return errors.usage(where .. ": the policy needs max, the most this payment may cost", nil, "argument")
  end
  local max, why = money.atomic(given.max)
  if not max then return errors.usage(where .. ": max " .. why, nil, "argument") end
  -- The rest is checked as the same options of spraay.open are.
  local known = given.networks or (rail == "solana" and { "solana" } or nil)
  local config, message, err = options.open({ networks = known, pay_to = given.pay_to,
    assets = given.assets, wallet = false }, function() return nil end)
  if not config then
    err.message = err.message:gsub("^spraay%.open", where)
    return nil, message, err
  end
  return { networks = config.core.networks, assets = config.core.assets, pay_to = config.core.pay_to,
    max = max, payer = rail == "evm" and address or nil, payer_solana = rail == "solana" and address or nil }
end

--- Sign one entry of an offer that the policy allows: header name, header value. Nothing is
-- remembered, so the caller alone answers for presenting it once.
function x402.pay(offer, with, policy)
  if not wallet.is(with) then error("x402.pay: expected a wallet such as spraay.wallet.env()", 2) end
  local key, message, err = with:key()
  if not key then return nil, message, err end
  local checked
  checked, message, err = policy_of(policy, key:address(), key:kind())
  if not checked then return nil, message, err end
  local prepared, why, code, refusal = core.x402_prepare(offer, checked)
  if not prepared and code == "MISSING" and key:kind() == "solana" then
    return errors.fail { kind = "policy", code = "blockhash",
      message = "the offer gives no recent blockhash, and x402.pay asks no chain for one",
      hint = "A client asks one: x402.session with rpc = { solana = \"https://…\" }" }
  end
  if not prepared then
    return errors.fail { kind = "policy", code = code and tostring(code):lower() or "refused",
      message = tostring(why), hint = type(refusal) == "table" and refusal.hint or nil }
  end
  local signature
  if with.sign then
    local ok, hex, reason = task.pcall(with.sign, prepared.typed_data, prepared.digest, prepared)
    if ok then why = reason else hex, why = nil, hex end
    signature = type(hex) == "string" and core.hex_decode((hex:gsub("^0[xX]", ""))) or nil
  else
    signature = key
  end
  if not signature then
    return errors.fail { kind = "wallet", code = "signature", message = "the signer refused: "
      .. tostring(why) }
  end
  local name, value, finish_code = core.x402_finish(prepared, signature)
  if name then return name, value end
  return errors.fail { kind = "wallet", code = finish_code and finish_code:lower() or "signature",
    message = "the payment could not be written: " .. tostring(value) }
end

return x402
