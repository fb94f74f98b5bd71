-- SPDX-License-Identifier: MIT
-- Jobs against the sandbox, whose clock is turned instead of waited for.
local engine = require "spraay.engine"
local live = require "spec.support.live"
local spraay = require "spraay"

local box, client
local real_now, ahead = engine.now, 0

-- Let time pass at the gateway and here: for payments by the client's clock, for waits by the engine's.
local function pass(seconds)
  ahead = ahead + seconds
  box:advance(seconds)
end

setup(function()
  box = live.start { job_seconds = 60 }
  engine.now = function() return real_now() + ahead end
end)
teardown(function()
  engine.now = real_now
  live.stop(box)
end)
before_each(function()
  box:clear()
  box:clock(0)
  box:reset()
  ahead = 0
  client = live.open(box, { clock = function() return os.time() + ahead end })
end)
after_each(function() client:close() end)

local function looks() return box:ledger().handled["GET /api/v1/compute/status/:id"] or 0 end

describe("a job", function()
  it("is waited for, and its media saved", function()
    local job = assert(client:video "a lighthouse")
    assert.equal("processing", job.status)
    assert.equal("processing", job:poll().status)
    pass(84.8)   -- the next look is due at 85
    local result = assert(job:wait())
    assert.equal("completed", result.status)
    assert.equal("succeeded", result.raw_status)
    assert.equal(1, #result.urls)
    assert.equal("0.502000", result.payment.amount)
    assert.equal("0.502000", box:ledger().total_usdc)
    assert.equal(3, #result.payment.parts)
    local path = os.tmpname()
    assert.equal(path, result:save(path))
    local file = assert(io.open(path, "rb"))
    assert.equal("RIFF", file:read(4))
    file:close()
    os.remove(path)
  end)

  it("costs nothing more once it has ended", function()
    local job = assert(client:video "a lighthouse")
    pass(61)
    assert.equal("completed", job:poll().status)
    local books = box:ledger()
    assert(job:poll())
    assert(job:wait())
    assert.equal(books.requests, box:ledger().requests)
    assert.equal("0.501000", job.payment.amount)
  end)

  for word, status in pairs { fail = "failed", cancel = "canceled" } do
    it("that " .. word .. "s is an error that says what was paid", function()
      local job = assert(client:video(("a boat [%s]"):format(word)))
      pass(61)
      local value, message, err = client:job(job.id, "video"):wait()
      assert.is_nil(value)
      assert.equal("gateway", err.kind)
      assert.equal(status, err.code)
      assert.equal("yes", err.paid)
      assert.truthy(message:find(status, 1, true))
      assert.equal(1, looks())
    end)
  end

  it("is found again by its id by another client, without what began it", function()
    local job = assert(client:image "a boat [slow]")
    assert.equal("image", job.kind)
    pass(120)
    local other = live.open(box, { clock = function() return os.time() + ahead end })
    local result = assert(other:job(job.id, "image"):wait())
    assert.equal(1, #result.urls)
    assert.equal("0.001000", result.payment.amount)
  end)

  it("survives a look whose answer was lost, and pays for it at most once more", function()
    local job = assert(client:video "a lighthouse")
    pass(61)
    box:fault("settle_then_reset", { times = 1, route = "GET /api/v1/compute/status" })
    local found = client:job(job.id, "video")
    local waiting = spraay.spawn(found.wait, found)
    repeat spraay.sleep(0.05) until #box:ledger().presented == 3   -- the same payment, once more
    spraay.sleep(0.2)
    pass(7)   -- to the next look
    assert.equal("completed", assert(waiting:wait { timeout = 10 }).status)
    assert.is_true(box:ledger().count <= 3)
  end)

  it("gives up after its time without a look that cannot help", function()
    local job = assert(client:video "a lighthouse")
    local value, message, err = job:wait { timeout = 0.2 }
    assert.is_nil(value)
    assert.equal("timeout", err.kind)
    assert.equal("no", err.paid)
    assert.equal(0, looks())
    assert.truthy(message:find("client:job", 1, true))
  end)

  it("of the gateway's side that is forgotten does not cost more than three looks", function()
    local job = client:job("nothing1234", "video")
    local began = os.time()
    local value, _, err = job:wait { timeout = 1 }
    assert.is_nil(value)
    assert.not_equal("yes", err.paid)
    assert.equal(0, box:ledger().count)
    assert.is_true(os.time() - began <= 3)
  end)
end)
