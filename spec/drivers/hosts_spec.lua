-- SPDX-License-Identifier: MIT
-- The same behaviour in every host: a plain script, our own tasks, frames, and the loops of cqueues and luv.
local compat = require "spraay.compat"
local cqueues = require "cqueues"
local hosts = require "spec.support.hosts"
local live = require "spec.support.live"
local spraay = require "spraay"

local kill = rawget(coroutine, "close")   -- from Lua 5.4 on

local box
local n = 0

setup(function() box = live.start { job_seconds = 0 } end)
teardown(function() live.stop(box) end)

local function seconds_of(fn)
  local began = cqueues.monotime()
  fn()
  return cqueues.monotime() - began
end

for _, host in ipairs(hosts) do
  describe(("calls under the driver \"%s\""):format(host.name), function()
    local client, x

    before_each(function()
      box:clear()
      box:reset()
      assert(spraay.use(host.choose))
      client = live.open(box)
      n = n + 1
      x = "question " .. n
    end)
    after_each(function()
      client:close()
      assert(spraay.use "auto")
    end)

    local function slow(seconds, more)
      local options = { seconds = seconds }
      for key, value in pairs(more or {}) do options[key] = value end
      box:fault("handler_slow", options)
    end

    it("block in a plain script", function()
      local answer = assert(client:chat(x))
      assert.is_true(#answer.text > 0)
      assert.equal("settled", answer.payment.status)
    end)

    it("give their result inside the loop, which ends when nothing is left", function()
      local answer
      host.inside(function() answer = assert(client:chat(x)) end)
      assert.equal("settled", answer.payment.status)
      assert.equal(1, box:ledger().count)
    end)

    it(host.overlaps and "overlap" or "come one after the other", function()
      slow(0.4)
      local answers = {}
      local seconds = seconds_of(function()
        host.inside(function()
          for i = 1, 4 do
            host.beside(function() answers[i] = assert(client:chat(x .. i)) end)
          end
        end)
      end)
      assert.equal(4, #answers)
      assert.equal(4, box:ledger().count)
      assert.equal(host.overlaps, seconds < 1.4, ("%.2f s"):format(seconds))
    end)

    if host.tick then
      it("leave the loop free for others", function()
        slow(0.2)
        local ticks, after = 0, nil
        host.inside(function()
          local stop = host.tick(function() ticks = ticks + 1 end)
          assert(client:chat(x))
          after = ticks
          stop()
        end)
        assert.is_true(after >= 5, after .. " ticks")
      end)
    end

    it("block in a coroutine inside the one that the loop resumes, and disturb neither", function()
      local seen = {}
      host.inside(function()
        local next_text = coroutine.wrap(function(first)
          assert(first == "begin")
          local second = coroutine.yield(assert(client:chat(x .. "a")).text)
          assert(second == "go on")
          coroutine.yield(assert(client:chat(x .. "b")).text)
          return "end"
        end)
        seen = { next_text "begin", next_text "go on", (next_text()) }
      end)
      assert.equal(3, #seen)
      assert.equal("string", type(seen[1]))
      assert.equal("string", type(seen[2]))
      assert.equal("end", seen[3])
      assert.equal(2, box:ledger().count)
    end)

    it("in such a coroutine end although others of the loop wait for theirs", function()
      slow(0.1)
      local answers = {}
      host.inside(function()
        for i = 1, 2 do
          host.beside(function() answers[i] = assert(client:chat(x .. i)) end)
        end
        host.beside(function()
          coroutine.wrap(function() answers[3] = assert(client:chat(x .. 3)) end)()
        end)
      end)
      assert.equal(3, #answers)
      assert.equal(3, box:ledger().count)
    end)

    -- What arrived during the blocking call was noticed only when something else arrived.
    it("in such a coroutine inside a task let no answer to another task go unnoticed", function()
      slow(0.2, { times = 1 })
      local results, errors
      local seconds = seconds_of(function()
        host.inside(function()
          results, errors = spraay.all {
            function() return client:health() end,
            function() return coroutine.wrap(function() return client:chat(x) end)() end,
          }
        end)
      end)
      assert.same({}, errors)
      assert.equal(2, #results)
      assert.is_true(seconds < 1.5, ("%.2f s"):format(seconds))
    end)

    it("are made by tasks that somebody in the loop spawned", function()
      local results, errors
      host.inside(function()
        results, errors = spraay.map({ "a", "b", "c" }, function(part) return client:chat(x .. part) end)
      end)
      assert.same({}, errors)
      assert.equal(3, #results)
    end)

    it("of a task cancelled before anything left are aborted, and nothing is paid", function()
      box:fault("timeout_on_probe", { times = 1 })
      local answer, err
      host.inside(function()
        local task = spraay.spawn(client.chat, client, x)
        if host.overlaps then spraay.sleep(0.05) end   -- else it would run to its end meanwhile
        answer = task:cancel()
        err = select(3, task:wait())
      end)
      assert.equal("aborted", answer)
      assert.equal("cancelled", err.kind)
      assert.equal("no", err.paid)
      assert.equal(0, #box:ledger().presented)
    end)

    it("that take too long leave the payment in the air, and an equal call picks the answer up", function()
      slow(0.8, { times = 1 })
      local err, answer
      host.inside(function()
        err = select(3, client:chat(x, { timeout = 0.4 }))
        answer = assert(client:chat(x))
      end)
      assert.equal("timeout", err.kind)
      assert.equal("maybe", err.paid)
      assert.equal(err.purchase, answer.payment.purchase)
      assert.equal(1, box:ledger().count)
    end)

    it("return errors as values, thrown ones of the caller's functions included", function()
      local other = live.open(box, { on_pay = function() error "no money today" end })
      local missing, refused
      host.inside(function()
        missing = select(3, client:request("GET", "/no/such/route"))
        refused = { other:chat(x) }
      end)
      other:close()
      assert.equal(404, missing.status)
      assert.is_nil(refused[1])
      assert.truthy(refused[2]:find("no money today", 1, true), refused[2])
      assert.equal("no", refused[3].paid)
      assert.equal(0, box:ledger().count)
    end)

    it("are not disturbed by a log function that throws", function()
      local other = live.open(box, { log = function() error "no paper" end })
      local answer
      host.inside(function() answer = assert(other:chat(x)) end)
      other:close()
      assert.equal("settled", answer.payment.status)
    end)

    if host.overlaps then
      it("under way are finished although the client is closed meanwhile", function()
        slow(0.2, { times = 1 })
        local answer, refused
        host.inside(function()
          host.beside(function()
            repeat host.rest(0.02) until #box:ledger().presented == 1
            client:close()
            refused = select(3, client:chat(x .. "another"))
          end)
          answer = assert(client:chat(x))
        end)
        assert.equal("settled", answer.payment.status)
        assert.equal("closed", refused.code)
        assert.equal(1, box:ledger().count)
      end)
    end

    it("are remembered in the ledger on disk", function()
      assert(os.getenv "SPRAAY_STATE_DIR", "whoever runs this sets SPRAAY_STATE_DIR")
      local options = live.options(box)
      options.ledger = nil
      local durable = assert(spraay.open(options))
      local paid, rows, err = {}, nil, nil
      host.inside(function()
        for i = 1, 3 do paid[i] = assert(durable:chat(x .. i)).payment.purchase end
        rows, err = durable:purchases {}
      end)
      assert.is_nil(err)
      durable:close()
      local known = {}
      for _, row in ipairs(rows) do known[row.id] = true end
      for i = 1, 3 do assert.is_true(known[paid[i]], paid[i]) end
    end)

    it("may sleep, many at once", function()
      local woken = 0
      local seconds = seconds_of(function()
        host.inside(function()
          for _ = 1, 40 do
            host.beside(function()
              assert(spraay.sleep(host.overlaps and 0.05 or 0.001))
              woken = woken + 1
            end)
          end
        end)
      end)
      assert.equal(40, woken)
      assert.is_true(seconds < 1.2, ("%.2f s"):format(seconds))
    end)

    if kill and host.overlaps then
      for _, seconds in ipairs { 0, 0.4 } do
        it("of a coroutine killed by its owner keep the purchase, and an equal call " .. (seconds > 0 and
          "later" or "at once") .. " has its answer", function()
          slow(0.3, { times = 1 })
          local err, answer
          host.inside(function()
            local victim
            local task = spraay.spawn(function()
              victim = coroutine.running()
              return client:chat(x)
            end)
            repeat spraay.sleep(0.02) until #box:ledger().presented == 1
            assert(kill(victim))
            if seconds > 0 then spraay.sleep(seconds) end
            answer = assert(client:chat(x))
            err = select(3, task:wait())
          end)
          assert.equal("thrown", err.code)
          assert.equal(seconds > 0 and "yes" or "maybe", err.paid)
          assert.equal("0.030000", err.amount)
          assert.equal(1, box:ledger().count)
          assert.equal(1, #box:ledger().presented)
          assert.equal("string", type(answer.text))
        end)
      end
    end

    if not compat.pcall_yields then
      it("in a metamethod on PUC 5.1 raise its error, and an equal call goes on with the purchase", function()
        local lazy = setmetatable({}, { __index = function() return assert(client:chat(x)).text end })
        local ok, why, answer
        host.inside(function()
          spraay.spawn(function()
            ok, why = spraay.pcall(function() return lazy.text end)
            answer = assert(client:chat(x))
          end):wait()
        end)
        assert.equal("string", type(answer.text))
        if host.overlaps then
          assert.is_false(ok)
          assert.truthy(tostring(why):find("attempt to yield across metamethod", 1, true), why)
          assert.equal(1, box:ledger().count)
        end
      end)
    end

    it("cannot wait where Lua lets nothing yield, so they block there", function()
      local order, texts = { 3, 1, 2 }, {}
      host.inside(function()
        table.sort(order, function(a, b)
          if not texts[1] then texts[1] = assert(client:chat(x)).text end
          return a < b
        end)
        texts[2] = (("?"):gsub("?", function() return assert(client:chat(x .. "more")).text end))
        for text in function(_, last) return last == nil and assert(client:chat(x .. "again")).text or nil end do
          texts[3] = text
        end
      end)
      assert.same({ 1, 2, 3 }, order)
      assert.equal(3, #texts)
      assert.equal(3, box:ledger().count)
    end)
  end)
end
