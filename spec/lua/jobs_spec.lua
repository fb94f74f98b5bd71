-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local fake = require "spec.support.fakecore"

-- A gateway whose job takes `seconds`, and which notes at what age it was looked at.
local function working(seconds, fields)
  local spraay, world = fake.new()
  fields = fields or {}
  world.ages, world.lose = {}, 0
  world.answer = function(request)
    if request.url:find("/status/", 1, true) then
      local age = world.now - world.begun
      world.ages[#world.ages + 1] = math.floor(age + 0.5)
      if world.lose > 0 then
        world.lose = world.lose - 1
        return { price = "1000", error = { kind = "timeout", message = "no answer", paid = world.lost or "maybe",
          atomic = "1000" } }
      end
      if world.down then return { early = true, error = { kind = "connection", message = "refused" } } end
      local done = age >= seconds
      return { price = "1000", after = 0.01, body = { prediction_id = "v1",
        status = done and (fields.word or "succeeded") or "processing", error = fields.error,
        output = done and (fields.output or { "https://r.example/out.mp4" }) or cjson.null } }
    end
    world.begun = world.now
    return { price = "500000", after = 0.01, body = { status = "processing", prediction_id = "v1",
      poll_url = "/api/v1/compute/status/v1" } }
  end
  return spraay, world, assert(spraay.open {})
end

describe("a job", function()
  it("is what video gives, with what it cost", function()
    local _, _, client = working(60)
    local job = assert(client:video "a boat")
    assert.equal("v1", job.id)
    assert.equal("video", job.kind)
    assert.equal("processing", job.status)
    assert.equal("0.500000", job.payment.amount)
    assert.equal("job v1 (video, processing)", tostring(job))
  end)

  it("is looked at seldom, at the ages a video is likely to be done", function()
    local _, world, client = working(150)
    local job = assert(client:video "a boat")
    local result = assert(job:wait())
    assert.same({ 8, 20, 45, 85, 130, 185 }, world.ages)
    assert.equal("https://r.example/out.mp4", result.urls[1])
    assert.equal("completed", result.status)
    assert.equal("succeeded", result.raw_status)
    assert.equal("0.506000", result.payment.amount)
    assert.equal(7, #result.payment.parts)
    assert.equal("completed", job.status)
    assert.equal("https://r.example/out.mp4", job.urls[1])
  end)

  it("costs nothing more to look at once it has ended", function()
    local _, world, client = working(5)
    local job = assert(client:video "a boat")
    assert(job:wait())
    local paid = #world.settled
    assert.equal(job, job:poll())
    assert(job:wait())
    assert.equal(paid, #world.settled)
  end)

  it("can be looked at once by hand", function()
    local spraay, _, client = working(5)
    local job = assert(client:video "a boat")
    assert.equal("processing", job:poll().status)
    spraay.sleep(6)
    assert.equal("completed", job:poll().status)
  end)

  it("gives up after its time or its looks, says so, and can be waited for again", function()
    local _, world, client = working(100)
    local job = assert(client:video "a boat")
    local value, message, err = job:wait { polls = 2 }
    assert.is_nil(value)
    assert.equal("timeout", err.kind)
    assert.equal("polls", err.code)
    assert.equal("0.002000", err.amount)
    assert.truthy(message:find("client:job(\"v1\", \"video\")", 1, true))
    value, _, err = job:wait { timeout = 30 }
    assert.is_nil(value)
    assert.equal("timeout", err.code)
    assert(job:wait())
    assert.same({ 8, 20, 45, 50, 85, 130 }, world.ages)
  end)

  it("tells of each look, and is not confused by an unknown word", function()
    local _, _, client = working(20, { word = "completed" })
    local seen = {}
    assert(client:video("a boat"):wait { on_progress = function(job) seen[#seen + 1] = job.status end })
    assert.same({ "processing", "completed" }, seen)
  end)

  it("that failed is an error that says what was paid and why", function()
    local _, _, client = working(5, { word = "failed", error = "NSFW content detected", output = cjson.null })
    local job = assert(client:video "a boat")
    local value, message, err = job:wait()
    assert.is_nil(value)
    assert.equal("failed", err.code)
    assert.equal("yes", err.paid)
    assert.truthy(message:find("NSFW content detected", 1, true))
    assert.equal("failed", job.status)
  end)

  it("survives two lost looks and no third", function()
    local _, world, client = working(60)
    local job = assert(client:video "a boat")
    world.lose = 2
    assert(job:wait())
    job = assert(client:video "another boat")
    world.lose = 3
    local value, _, err = job:wait()
    assert.is_nil(value)
    assert.equal("maybe", err.paid)
    assert.equal(0, world.lose)
  end)

  -- It was thrown through job:wait, and what the looks had cost went unmentioned.
  it("outlives an on_progress that throws, and so does what its looks have cost", function()
    local _, world, client = working(60)
    local job = assert(client:video "a boat")
    local thrown = { "mine" }
    local value, message, err = job:wait { on_progress = function() error(thrown) end }
    assert.is_nil(value)
    assert.equal("thrown", err.code)
    assert.equal(thrown, err.thrown)
    assert.equal("yes", err.paid)
    assert.equal("0.001000", err.amount)
    assert.equal(job, err.job)
    assert.truthy(message:find("on_progress failed", 1, true), message)
    assert.truthy(message:find("job:wait again", 1, true), message)
    assert(job:wait())
    assert.truthy(select(2, job:wait { on_progress = function() error "x" end }) == nil)   -- it is done
    assert.is_true(#world.settled >= 3)
  end)

  it("says what the looks before have cost when a wait ends in an error", function()
    local _, world, client = working(600)
    local job = assert(client:video "a boat")
    local looks = 0
    local value, message, err = job:wait { timeout = 3600, on_progress = function()
      looks = looks + 1
      world.down = looks == 2
    end }
    assert.is_nil(value)
    assert.equal("connection", err.kind)
    assert.equal("yes", err.paid)
    assert.equal("0.002000", err.amount)
    assert.truthy(message:find("0.002000 USDC was paid", 1, true))
    world.down, world.lose = false, 1
    value, message, err = job:wait { polls = 2 }
    assert.is_nil(value)
    assert.equal("maybe", err.paid)
    assert.equal("0.002000", err.amount)   -- one look paid, one perhaps
    assert.truthy(message:find("may have been paid", 1, true))
  end)

  it("counts a look that was paid for and whose answer was lost", function()
    local _, world, client = working(15)
    local job = assert(client:video "a boat")
    world.lose, world.lost = 1, "yes"
    local result = assert(job:wait())
    assert.same({ 8, 20 }, world.ages)
    assert.equal("0.502000", result.payment.amount)
    assert.equal(3, #result.payment.parts)
  end)

  it("gives up on a gateway that is down", function()
    local _, world, client = working(60)
    local job = assert(client:video "a boat")
    world.down = true
    local value, _, err = job:wait()
    assert.is_nil(value)
    assert.equal("connection", err.kind)
    assert.equal(5, #world.ages)
  end)

  it("is found again by its id, and looked at straight away", function()
    local _, world, client = working(0)
    world.begun = world.now
    local job = assert(client:job("v1", "video"))
    local result = assert(job:wait())
    assert.same({ 0 }, world.ages)
    assert.equal("0.001000", result.payment.amount)
    assert.equal("video", client:job("v1", "video-generation").kind)
    assert.is_nil(client:job("../x"))
    local value, message = client:job("v1", "vidoe")
    assert.is_nil(value)
    assert.truthy(message:find("Did you mean \"video\"?", 1, true))
  end)

  it("is not saved before it is done", function()
    local _, _, client = working(60)
    local value, message = client:video("a boat"):save "/tmp/never"
    assert.is_nil(value)
    assert.truthy(message:find("job:wait", 1, true))
  end)

  it("takes no option it does not know", function()
    local _, _, client = working(60)
    local job = client:video "a boat"
    local value, message = job:wait { timout = 5 }
    assert.is_nil(value)
    assert.truthy(message:find("Did you mean \"timeout\"?", 1, true))
    assert.is_nil(job:wait { polls = 0 })
    assert.is_nil(job:poll { polls = 5 })
  end)

  it("stops being waited for when its task is cancelled", function()
    local spraay, world, client = working(60)
    local job = client:video "a boat"
    local task = spraay.spawn(job.wait, job)
    spraay.sleep(1)
    assert.equal("aborted", task:cancel())
    local value, _, err = task:wait()
    assert.is_nil(value)
    assert.equal("cancelled", err.kind)
    assert.same({}, world.ages)
  end)
end)
