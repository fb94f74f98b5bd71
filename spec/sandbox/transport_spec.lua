-- How the gateway reads and answers HTTP, apart from money.
-- SPDX-License-Identifier: MIT
local gateway = require "spec.support.gateway"

local CHAT = "/api/v1/compute/text-inference"
local ESTIMATE = "/api/v1/compute/estimate"

describe("the transport", function()
  local box = gateway.fresh()

  local function post(path, body, content_type, headers)
    local given = { ["content-type"] = content_type or "application/json" }
    for name, value in pairs(headers or {}) do given[name] = value end
    return assert(box:request("POST", path, { body = body, headers = given }))
  end

  it("answers JSON with its length and the date", function()
    local answer = box:request("GET", "/health")
    assert.equal("application/json; charset=utf-8", answer.headers["content-type"])
    assert.equal(#answer.body, tonumber(answer.headers["content-length"]))
    assert.truthy(answer.headers.date:find "^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$")
    assert.equal("*", answer.headers["access-control-allow-origin"])
  end)

  it("turns the date with the clock", function()
    local before = box:request("GET", "/health").headers.date
    box:clock(86400)
    assert.not_equal(before, box:request("GET", "/health").headers.date)
  end)

  it("cares for neither case nor a last slash, and decodes paths", function()
    assert.equal(200, box:request("GET", "/HEALTH/").status)
    assert.equal(402, post("/Api/V1/Compute/Text-Inference/", "{}").status)
    assert.equal(200, box:request("GET", "/h%65alth").status)
  end)

  it("has an HTML page for what it does not have", function()
    for _, one in ipairs{ { "GET", "/nowhere" }, { "GET", CHAT }, { "POST", "/health" } } do
      local answer = box:request(one[1], one[2])
      assert.equal(404, answer.status)
      assert.equal("text/html; charset=utf-8", answer.headers["content-type"])
      assert.truthy(answer.body:find(("Cannot %s %s"):format(one[1], one[2]), 1, true))
    end
  end)

  for _, bad in ipairs{ { "{oops", "broken text" }, { "42", "a number" }, { '"x"', "a string" },
                        { "null", "null" },
                        { '{"a":NaN}', "NaN" } } do
    it("calls " .. bad[2] .. " invalid JSON, before any payment", function()
      local answer = post(CHAT, bad[1])
      assert.equal(400, answer.status)
      assert.equal("invalid_json", answer.json.error)
    end)
  end

  it("takes a list at the top, and an empty body", function()
    assert.equal(400, post(ESTIMATE, "[]").status)
    assert.equal("Invalid type. Must be one of: text-inference, image-generation, video-generation, "
      .. "text-to-speech, speech-to-text, embeddings", post(ESTIMATE, "").json.error)
  end)

  it("takes 102,400 bytes and not one more", function()
    local function of(size)
      return '{"type":"embeddings","pad":"' .. ("x"):rep(size - 30) .. '"}'
    end
    assert.equal(102400, #of(102400))
    assert.equal(200, post(ESTIMATE, of(102400)).status)
    local answer = post(ESTIMATE, of(102401))
    assert.equal(413, answer.status)
    assert.equal("request entity too large", answer.json.message)
  end)

  it("reads nothing but application/json", function()
    assert.equal(400, post(ESTIMATE, '{"type":"embeddings"}', "text/plain").status)
    assert.equal(200, post(ESTIMATE, '{"type":"embeddings"}', "Application/JSON; charset=UTF-8").status)
    assert.equal(415, post(ESTIMATE, '{"type":"embeddings"}', "application/json; charset=latin1").status)
  end)

  it("answers a preflight, whose list lacks PAYMENT-SIGNATURE", function()
    local answer = box:request("OPTIONS", CHAT)
    assert.equal(204, answer.status)
    assert.is_nil(answer.headers["access-control-allow-headers"]:find "SIGNATURE")
  end)

  it("lets HEAD through a paid route, as the gateway does", function()
    local answer = box:request("HEAD", "/api/v1/compute-futures/pricing")
    assert.equal(200, answer.status)
    assert.equal("", answer.body)
  end)

  describe("limiter", function()
    before_each(function() box:config{ rate_limit = 30 } end)

    it("allows thirty POSTs a minute on a path, and says so until then", function()
      local answer
      for _ = 1, 30 do answer = post(ESTIMATE, '{"type":"embeddings"}') end
      assert.equal(200, answer.status)
      assert.equal("30", answer.headers["x-ratelimit-limit"])
      assert.equal("0", answer.headers["x-ratelimit-remaining"])
      answer = post(ESTIMATE, '{"type":"embeddings"}')
      assert.equal(429, answer.status)
      assert.equal("rate_limit_exceeded", answer.json.error)
      assert.equal(60, answer.json.retry_after_seconds)
      assert.is_nil(answer.headers["x-ratelimit-limit"])
      assert.is_nil(answer.headers["retry-after"])
      assert.equal(402, post(CHAT, "{}").status)            -- another path, another count
      assert.equal(200, box:request("GET", "/health").status)
      box:advance(61)
      assert.equal(200, post(ESTIMATE, '{"type":"embeddings"}').status)
    end)

    it("counts unpaid probes, ten of them for a deposit", function()
      local answer
      for _ = 1, 11 do answer = post("/api/v1/compute-futures/deposit", "{}") end
      assert.equal(429, answer.status)
      assert.equal(10, answer.json.limit)
    end)

    it("tells callers apart by their address or credential", function()
      for _ = 1, 30 do post(ESTIMATE, "{}", nil, { ["x-forwarded-for"] = "10.0.0.1, 10.0.0.9" }) end
      assert.equal(429, post(ESTIMATE, "{}", nil, { ["x-forwarded-for"] = "10.0.0.1" }).status)
      assert.equal(400, post(ESTIMATE, "{}", nil, { ["x-forwarded-for"] = "10.0.0.2" }).status)
      assert.equal(400, post(ESTIMATE, "{}", nil, { authorization = "Bearer x" }).status)
    end)
  end)
end)

describe("the free routes", function()
  local box = gateway.shared()

  it("tell health, counters and the front page", function()
    local health = box:request("GET", "/health").json
    assert.equal("healthy", health.status)
    assert.truthy(health.uptime:find "^%d+m %d+s$")
    assert.equal("x402", health.protocol)
    assert.equal(0, box:request("GET", "/stats").json.totalPaidRequests)
    assert.is_false(box:request("GET", "/").json.mainnet)
  end)

  it("list what is sold at gate prices, without models and estimate", function()
    local manifest = box:request("GET", "/.well-known/x402.json").json
    local prices = {}
    for _, resource in ipairs(manifest.resources) do
      prices[resource.method .. " " .. resource.resource:sub(#box.url + 1)] = resource.price
    end
    assert.equal("$0.03", prices["POST /api/v1/compute/text-inference"])
    assert.equal("$0.5", prices["POST /api/v1/compute/video-generation"])
    assert.equal("$0.001", prices["GET /api/v1/compute/status/:id"])
    assert.equal("free", prices["GET /api/v1/gpu/models"])
    assert.is_nil(prices["GET /api/v1/compute/models"])
    assert.is_nil(prices["POST /api/v1/compute/estimate"])
    assert.equal("eip155:8453", manifest.network)
  end)

  it("send the short address of the manifest to the long one", function()
    local answer = box:request("GET", "/.well-known/x402")
    assert.equal(308, answer.status)
    assert.equal(box.url .. "/.well-known/x402.json", answer.headers.location)
  end)
end)

-- Two kinds of broken request once kept lua-http at one connection for ever: a body that breaks off,
-- which its shutdown reads on and on, and an empty line before the end of the connection, which it
-- puts back and reads again. The process burned a whole core long after its clients had gone.
describe("clients that leave in the middle", function()
  local cqueues = require "cqueues"
  local cqueues_socket = require "cqueues.socket"
  local box, socket = gateway.shared(), nil

  before_each(function()
    socket = assert(cqueues_socket.connect("127.0.0.1", box.url:match ":(%d+)$"))
    socket:setmode("b", "bn")
    socket:onerror(function(_, _, why) return why end)
  end)
  after_each(function()
    socket:close()
    box:clear()
  end)

  -- Nothing is left to do, so next to nothing may be used up.
  local function is_idle()
    assert.equal(200, assert(box:request("GET", "/health", { seconds = 5 })).status)
    local before = box:cpu()
    cqueues.sleep(0.06)
    assert.is_true(box:cpu() - before <= 0.02, "it is busy with something")
  end

  local POST = "POST " .. CHAT .. " HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
  local PROBE = POST .. "content-length: 2\r\n\r\n{}"
  for name, text in pairs{
    ["of a line"] = "POST " .. CHAT, ["of the headers"] = "GET /health HTTP/1.1\r\nhost: a",
    ["of a body"] = POST .. "content-length: 500\r\n\r\n{",
    ["of a body that is too large"] = POST .. "content-length: 500000\r\n\r\n{",
    ["of a chunk"] = POST .. "transfer-encoding: chunked\r\n\r\n5\r\n{",
    ["of a body of a length that is none"] = POST .. "content-length: -5\r\n\r\n{}",
    ["of a body of two lengths"] = POST .. "content-length: 5\r\ncontent-length: 6\r\n\r\n{",
    ["of nothing sensible"] = "hello?\r\n\r\n", ["after an empty line"] = "\r\n",
    ["after an answer and an empty line"] = PROBE .. "\r\n",
  } do
    it(name .. " do not disturb the others", function()
      socket:xwrite(text, "bn", 1)
      socket:shutdown "w"                   -- orderly, and still there to be answered
      assert.equal(200, assert(box:request("GET", "/health", { seconds = 5 })).status)
      socket:close()
      is_idle()
    end)
  end

  for _, fault in ipairs{ "timeout_on_probe", "oversize_body", "reset_on_probe", "close_on_accept" } do
    it("of " .. fault .. " leave nothing running", function()
      box:fault(fault, { times = 2 })
      for _ = 1, 2 do
        local held = assert(cqueues_socket.connect("127.0.0.1", box.url:match ":(%d+)$"))
        held:setmode("b", "bn")
        held:onerror(function(_, _, why) return why end)
        held:xwrite(PROBE, "bn", 1)
        cqueues.sleep(0.02)
        held:close()
      end
      is_idle()
    end)
  end

  it("with rubbish are told so", function()
    socket:xwrite("hello?\r\n\r\n", "bn", 1)
    assert.equal("HTTP/1.1 400 Bad Request\r", socket:xread("*l", "b", 2))
  end)
end)
