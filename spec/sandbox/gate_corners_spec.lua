-- The gate's corners: what is looked at before what, and the answers few callers ever see.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local cqueues = require "cqueues"
local cqueues_socket = require "cqueues.socket"
local gateway = require "spec.support.gateway"
local payer = require "spec.support.payer"
local sandbox = require "spec.support.sandbox"
local solana = require "spec.support.solana"

local CHAT, HELLO = "/api/v1/compute/text-inference", { messages = { { role = "user", content = "Hello" } } }
local RUN, JOB = "/api/v1/gpu/run", { model = "flux-dev", input = { prompt = "a lighthouse" } }
local ESTIMATE, KIND = "/api/v1/compute/estimate", { type = "embeddings" }

local function members(value)
  local names = {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, " ")
end

describe("the gate", function()
  local box, alice = gateway.fresh{ job_seconds = 0 }
  local KEY = "spry_" .. ("b"):rep(64)

  local function post(path, body, headers) return box:request("POST", path, { body = body, headers = headers }) end

  describe("looks at X-Solana-Tx", function()
    local bob
    before_each(function() bob = solana.payer(box) end)

    local function transfer()
      local text, name = bob:transfer(60000)
      assert(bob:send(text))
      return name
    end

    it("before it looks at API keys, and counts nothing that it refuses", function()
      box:config{ rate_limit = 2 }
      for _ = 1, 3 do
        local answer = post(RUN, JOB, { ["x-solana-tx"] = "5x", ["x-api-key"] = "spry_unknown" })
        assert.equal(402, answer.status)
        assert.equal("Solana payment verification failed", answer.json.error)
        assert.is_nil(answer.headers["x-ratelimit-limit"])
      end
      assert.equal(401, post(RUN, JOB, { ["x-solana-tx"] = transfer(), ["x-api-key"] = "spry_unknown" }).status)
    end)

    it("before the limiter: a signature that is good once is gone by then", function()
      box:config{ rate_limit = 1, solana_single_use = true }
      local name = transfer()
      post(RUN, JOB)
      assert.equal(429, post(RUN, JOB, { ["x-solana-tx"] = name }).status)
      box:advance(61)
      local answer = post(RUN, JOB, { ["x-solana-tx"] = name })
      assert.equal(402, answer.status)
      assert.equal("Transaction signature already used", answer.json.detail:sub(1, 34))
    end)
  end)

  it("shows browsers a page, and nobody else", function()
    local BROWSER, HTML = "Mozilla/5.0 (X11; Linux x86_64)", "text/html,application/xhtml+xml"
    local answer = post(CHAT, HELLO, { accept = HTML, ["user-agent"] = BROWSER })
    assert.equal(402, answer.status)
    assert.truthy(answer.headers["content-type"]:find "^text/html")
    assert.is_nil(answer.headers["payment-required"])
    assert.truthy(answer.body:find "^<!DOCTYPE html>")
    for _, headers in ipairs{ { accept = HTML }, { ["user-agent"] = BROWSER, accept = "*/*" } } do
      assert.equal("Payment required", payer.challenge(post(CHAT, HELLO, headers)).error)
    end
  end)

  it("answers 412 to a payment by Permit2 that nobody has allowed", function()
    local _, payment = alice:prepare("POST", CHAT, HELLO)
    payment.payload = { signature = payment.payload.signature,
                        permit2Authorization = { from = alice.address, nonce = "1", deadline = "9999999999" } }
    local answer = alice:present("POST", CHAT, HELLO, payer.header(payment))
    assert.equal(412, answer.status)
    assert.equal("permit2_allowance_required", payer.challenge(answer).error)
    assert.equal("permit2_allowance_required", answer.json.error)
    assert.is_nil(answer.json.serviceName)
    assert.equal(0, box:ledger().count)
  end)

  it("treats keys as none while their store is down", function()
    box:config{ api_keys = { [KEY] = { limit = 3 } } }
    box:fault "key_store_down"
    local answer = post(CHAT, HELLO, { ["x-api-key"] = KEY })
    assert.equal("Payment required", payer.challenge(answer).error)
    assert.equal(402, post(CHAT, HELLO, { ["x-api-key"] = "spry_unknown" }).status)
    box:clear()
    assert.equal(200, post(CHAT, HELLO, { ["x-api-key"] = KEY }).status)
  end)

  it("says why a key is refused", function()
    box:config{ api_keys = { old = { active = false }, [KEY] = { limit = 0 } } }
    assert.equal("error message", members(post(CHAT, HELLO, { ["x-api-key"] = "spry_unknown" }).json))
    assert.equal("error message status", members(post(CHAT, HELLO, { ["x-api-key"] = "old" }).json))
    local answer = post(CHAT, HELLO, { ["x-api-key"] = KEY })
    assert.equal(429, answer.status)
    assert.equal("error message plan", members(answer.json))
  end)

  it("ignores other ways to pay, or breaks over them as it did in autumn", function()
    local MPP, L402 = { authorization = "Payment id=1" }, { authorization = "L402 abc" }
    assert.equal("Payment required", payer.challenge(post(RUN, JOB, MPP)).error)
    box:config{ lenient = true }
    local answer = post(RUN, JOB, MPP)
    assert.equal(500, answer.status)
    assert.same({ error = "MPP payment processing failed", protocol = "mpp" }, answer.json)
    assert.equal("Payment required", payer.challenge(post(RUN, JOB, L402)).error)
    assert.equal("Payment required", payer.challenge(post(CHAT, HELLO, MPP)).error)
  end)

  it("decorates every 402 alike, and gpu/run with more", function()
    local answer = post(CHAT, HELLO)
    assert.equal("accepts error extensions iconUrl resource serviceName solana_accepts tags x402Version",
      members(answer.json))
    assert.equal("Spraay Protocol", answer.json.serviceName)
    assert.equal("amountRequired chain cluster instructions protocol receiveAddress txHeader usdcMint",
      members(answer.json.solana_accepts))
    assert.equal("provider status support version", members(cjson.decode(answer.headers["x-spraay-meta"])))
    local run = post(RUN, JOB).json
    assert.is_string(run.description)
    assert.equal("description docs_url example_request example_response gateway related_endpoints upsell",
      members(run._spraay))
    assert.same({ jobId = "p1", status = "running" }, run._spraay.example_response)
    box:config{ rails = 1 }
    assert.is_nil(post(CHAT, HELLO).json.solana_accepts)
  end)

  it("breaks down before the handler where its facilitator talks nonsense", function()
    local header = alice:prepare("POST", CHAT, HELLO)
    box:fault "facilitator_nonsense"
    local answer = alice:present("POST", CHAT, HELLO, header)
    assert.equal(502, answer.status)
    assert.equal("error", members(answer.json))
    assert.is_nil(box:ledger().handled["POST " .. CHAT])
  end)
end)

describe("the limiter", function()
  local box = gateway.fresh()
  before_each(function() box:config{ rate_limit = 2 } end)

  local function post(path) return box:request("POST", path, { body = KIND }) end

  it("says all it has to say in the body", function()
    local first = post(ESTIMATE)
    local reset = first.headers["x-ratelimit-reset"]
    local y, m, d, h, min, s = reset:match "^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)%.%d%d%dZ$"
    assert.is_string(y, reset)
    local at = os.time{ year = y, month = m, day = d, hour = h, min = min, sec = s }
    local now = box:clock().now
    local utc = os.date("!*t", now)
    utc.isdst = false
    assert.is_true(math.abs(at - os.time(utc) - 60) <= 2)
    post(ESTIMATE)
    local answer = post(ESTIMATE)
    assert.equal(429, answer.status)
    assert.equal("error hint limit message retry_after_seconds window_seconds", members(answer.json))
    assert.equal(60, answer.json.window_seconds)
    assert.equal(2, answer.json.limit)
  end)

  it("slides, and does not count what it refuses", function()
    post(ESTIMATE)
    box:advance(30)
    post(ESTIMATE)
    for _ = 1, 3 do assert.equal(429, post(ESTIMATE).status) end
    box:advance(31)
    assert.equal(200, post(ESTIMATE).status)
    assert.equal(429, post(ESTIMATE).status)
  end)

  it("counts by the letter of the path, and no GET", function()
    for _, path in ipairs{ ESTIMATE, ESTIMATE .. "/" } do
      for _ = 1, 2 do assert.equal(200, post(path).status) end
      assert.equal(429, post(path).status)
    end
    for _ = 1, 5 do assert.equal(402, box:request("GET", "/api/v1/compute/status/x").status) end
  end)

  it("comes after the parser", function()
    for _ = 1, 5 do
      assert.equal(400, box:request("POST", ESTIMATE,
        { body = "{", headers = { ["content-type"] = "application/json" } }).status)
    end
    assert.equal(200, post(ESTIMATE).status)
  end)
end)

describe("answers", function()
  local box, alice = gateway.fresh()

  it("have an ETag; who comes back with it pays for nothing to read", function()
    local answer = box:request("GET", "/api/v1/gpu/models")
    local etag = answer.headers.etag
    assert.truthy(etag:find '^W/"%x+%-[%w+/]+"$', etag)
    assert.equal(etag, box:request("GET", "/api/v1/gpu/models").headers.etag)
    local again = box:request("GET", "/api/v1/gpu/models", { headers = { ["if-none-match"] = etag } })
    assert.equal(304, again.status)
    assert.equal("", again.body)
    local STATUS = "/api/v1/compute/status/"
    local id = alice:pay("POST", "/api/v1/compute/image-generation", { prompt = "x" }).json.prediction_id
    local known = alice:pay("GET", STATUS .. id).headers.etag
    local header = alice:prepare("GET", STATUS .. id)
    local paid = box:request("GET", STATUS .. id,
      { headers = { ["payment-signature"] = header, ["if-none-match"] = known } })
    assert.equal(304, paid.status)
    assert.is_true(payer.receipt(paid).success)
    assert.equal(3, box:ledger().count)
    assert.is_nil(box:request("GET", "/nowhere").headers.etag)
  end)

  it("come on a connection that is closed after five seconds of silence", function()
    local socket = assert(cqueues_socket.connect("127.0.0.1", box.url:match ":(%d+)$"))
    socket:setmode("b", "bn")
    socket:onerror(function(_, _, why) return why end)
    for _ = 1, 2 do                                        -- and that stays open until then
      socket:xwrite("GET /v1/auth/usage HTTP/1.1\r\nhost: a\r\n\r\n", "bn", 1)
      local length
      for line in function() return socket:xread("*l", "b", 5) end do
        length = tonumber(line:match "^[Cc]ontent%-[Ll]ength: (%d+)") or length
        if line == "\r" or line == "" then break end
      end
      assert.equal(length, #socket:xread(length, "b", 5))
    end
    local began = cqueues.monotime()
    assert.is_nil((socket:xread(1, "b", 20)))
    local took = cqueues.monotime() - began
    assert.is_true(took > 4 and took < 20, took)
    socket:close()
  end)
end)

describe("two jobs at once on one account", function()
  -- The gateway reads the balance, works, and writes what it makes of it: one debit is lost.
  it("cost the ledger one of them", function()
    local box = sandbox.start{}
    local alice = payer.new(box)
    local FUTURES = "/api/v1/compute-futures/"
    local EXECUTE = FUTURES .. "execute"
    local deposit = { depositor = alice.address, amount = "5" }
    local id = alice:pay("POST", FUTURES .. "deposit", deposit).json.computeFuture.id
    local job = { futuresId = id, type = "embeddings", input = "x" }
    local headers = { (alice:prepare("POST", EXECUTE, job)), (alice:prepare("POST", EXECUTE, job)) }
    box:fault("upstream_slow", { seconds = 0.3, times = 1 })
    local queue, slow = cqueues.new(), nil
    queue:wrap(function() slow = alice:present("POST", EXECUTE, job, headers[1]) end)
    queue:wrap(function()
      repeat cqueues.sleep(0.01) until #box:faults().armed == 0            -- the first is at work
      assert.equal("$4.995000 USDC",
        alice:present("POST", EXECUTE, job, headers[2]).json.billing.balanceRemaining)
    end)
    assert(queue:loop(20))
    assert.equal("$4.995000 USDC", slow.json.billing.balanceRemaining)
    assert.equal("4.995000 USDC", alice:pay("GET", FUTURES .. "balance?id=" .. id).json.balanceRemaining)
    box:stop()
  end)
end)
