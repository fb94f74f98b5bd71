-- SPDX-License-Identifier: MIT
--- What all verbs share: a request for one of our routes, asking it, and the shape of what comes
-- back (a result, or a job when the gateway says that the work goes on).
local call = require "spraay.call"
local errors = require "spraay.errors"
local jobs = require "spraay.jobs"
local json = require "spraay.json"
local result = require "spraay.result"
local routes = require "spraay.routes"

local ask = {}

--- A request for a route, by its name. `tail` is appended to the path. Returns the request, or nil,
-- message, err when the body cannot be written.
function ask.request(client, name, body, opts, tail)
  local route = routes.table[name]
  local text
  if body then
    local why, code
    text, why, code = json.encode(body)
    if not text then
      return errors.usage(("client:%s: the arguments have no JSON form: %s"):format(name, tostring(why)), nil,
        code and code:lower() or "argument")
    end
    if #text > routes.BODY_MAX then
      return errors.usage(("client:%s: the request is %d bytes, and the gateway takes %d"):format(name, #text,
        routes.BODY_MAX), "Shorten it, or split it into several calls", "size")
    end
  end
  return {
    verb = name, method = route.method, url = client.config.gateway .. route.path .. (tail or ""),
    body = text, model = body and body.model, route = route, class = route.class,
    price = call.price(client, route), slots = route.slots, opts = opts,
  }
end

--- Perform a request whose answer must be a JSON object. Returns the answer and the core's call, whose
-- :taken() is due when the value is handed over; or nil, message, err.
function ask.json(client, request)
  local answer, handle, err = call.perform(client, request)
  if not answer then return nil, handle, err end
  if type(answer.body) ~= "table" and request.pay ~= false then
    local status = answer.payment.status
    handle:close()
    return errors.fail {
      kind = "gateway", code = "answer", status = answer.status, body = answer.body,
      message = ("the gateway's answer to %s is not JSON"):format(request.verb),
      paid = call.paid_word(answer.payment),
      amount = answer.payment.amount, purchase = answer.payment.purchase,
      hint = status ~= "free" and "What came is in err.body. The same call gives it again without paying; "
        .. "{ again = true } buys it anew" or nil,
    }
  end
  return answer, handle
end

local JOB_KINDS = { image = true, video = true, speak = true, transcribe = true, gpu = true }

--- A result, or a job when the answer says that the work goes on. `inner` is where the provider's
-- part of the answer is, when it is not the whole of it; `fields` may hold payment and billing.
function ask.shape(client, kind, answer, inner, fields)
  local body = inner or answer.body
  fields = fields or {}
  local payment = fields.payment or answer.payment
  local id = json.get(body, "prediction_id") or (kind == "gpu" and json.get(body, "id")) or nil
  local raw = json.get(body, "status")
  local status = jobs.status(raw)
  local unfinished = kind == "video" or (raw ~= nil and status == "processing")
  if JOB_KINDS[kind] and type(id) == "string" and unfinished then
    return jobs.new { client = client, kind = kind, id = id, body = body, payment = payment,
      billing = fields.billing }
  end
  return result.new {
    client = client, kind_ = kind == "gpu" and "output" or kind, body = answer.body, inner = inner,
    payment = payment, billing = fields.billing,
    status = raw ~= nil and JOB_KINDS[kind] and status or nil, raw_status = JOB_KINDS[kind] and raw or nil,
  }
end

return ask
