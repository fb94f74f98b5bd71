--- Terms nobody in his right mind would sign, for as long as the script tries. Nothing leaves the wallet;
--- and when the same gateway is honest again, the same script is served.
-- SPDX-License-Identifier: MIT
local calls = require "spec.battery.calls"

local hostile = { title = "hostile terms, then an honest gateway" }

-- fault, its options; `paid`: an honest offer stands beside it, and is taken.
local OFFERS = {
  { "wrong decimals", "wrong_decimals" }, { "a first offer on another network", "decoy_network", paid = true },
  { "a first offer in another token", "decoy_asset", paid = true }, { "another network", "wrong_network" },
  { "another token", "wrong_asset" }, { "another signing domain", "wrong_domain" },
  { "a window of ten years", "ten_year_window" }, { "a doubled price", "price_raised" },
  { "a price grown by the least there is", "price_raised", { factor = 1.001 } },
  { "a price in floating dollars", "float_amount" }, { "a price of nothing", "zero_amount" },
  { "another receiver than before", "changed_payto", known = true }, { "two challenges", "challenge_twice" },
  { "terms in the body only", "body_only_challenge" }, { "a page that asks in prose", "prose_402" },
  { "a redirect to another origin", "redirect_other", { leg = "probe" } },
  { "payment before the work", "unknown_flow" },
}

local function goods()
  return { calls.new("chat", "a pirate"), calls.new("image", "a pirate"), calls.new("embed", "a pirate"),
           calls.new("video", "a pirate"), calls.new("gpu", "a pirate"), calls.new("other", "a pirate"),
           calls.new("deposit", "a pirate") }
end

local function offered(case)
  return function(t)
    local list = goods()
    if case.known then table.insert(list, 1, calls.new("chat", "an honest seller")) end
    local plan = t:plan(list, { tries = 3, width = 8 })
    t:learn(plan)
    local script = case.known and t:after_the_first(plan) or plan
    local before = #t.box:ledger().presented
    t.box:fault(case[2], case[3] or {})
    local first = t:run(script)
    local books = t.box:ledger()
    if not case.paid then
      if #books.presented > before then t:wrong("%d authorizations left", #books.presented - before) end
      for _, line in ipairs(first.lines) do
        if line.call and (line.ok or line.paid ~= "no") then
          t:wrong("%s: said %s", line.call, line.ok and "bought" or "paid " .. tostring(line.paid))
        end
      end
      t.box:clear()
      t:run(script)
    end
    t:weigh(plan, { must = "deliver" })
    t:audit(plan)
  end
end

-- Many small purchases against one limit.
local function split(t)
  local list = {}
  for i = 1, 12 do list[i] = calls.new("chat", "coin number " .. i) end
  local plan = t:plan(list, { tries = 2, open = { budget = "0.10" } })
  t:learn(plan)
  t:run(plan)
  local count = t.box:ledger().count
  if count ~= 3 then t:wrong("%d were paid, the budget admits 3", count) end
  t:weigh(plan, { cap = 100000 })
  t:audit(plan)
end

-- A host that only looks like the gateway.
local function lookalike(t)
  local plan = t:plan({ calls.new("chat", "an honest host"), calls.new("lookalike", "a twin") }, { tries = 3 })
  local known = t:learn(t:plan{ plan.calls[1] })
  t:know(plan, { ["chat an honest host"] = known.identities["chat an honest host"], ["lookalike a twin"] = "none" })
  t:run(plan)
  t:weigh(plan, { must = function(call) return call.verb == "chat" and "deliver" or "nothing" end })
  t:audit(plan)
end

-- One address that asks for money every time.
local function again_and_again(t)
  local list = {}
  for i = 1, 4 do list[i] = { id = "page " .. i, verb = "url", subject = "page, visit " .. i } end
  local plan = t:plan(list, { tries = 2 })
  local known = t:learn(t:plan{ list[1] })
  local identities = {}
  for _, call in ipairs(list) do identities[call.id] = "nothing" end
  identities["page 1"] = known.identities["page 1"]
  t:know(plan, identities)
  t:run(plan)
  if t.box:ledger().count ~= 1 then t:wrong("paid %d times for one address", t.box:ledger().count) end
  t:weigh(plan, { must = function(call) return call.id == "page 1" and "deliver" or nil end })
  t:audit(plan)
end

-- A gateway that takes every payment for none: the same authorization may be shown again, no other.
local function endless(t)
  local plan = t:plan(goods(), { tries = 3, width = 8, open = { timeout = { connect = 5, idle = 3, total = 3 } } })
  t:learn(plan)
  t.box:fault("endless_402", {})
  t:run(plan)
  local nonces, count = {}, 0
  for _, shown in ipairs(t.box:ledger().presented) do
    if not nonces[shown.nonce] then count = count + 1 end
    nonces[shown.nonce] = true
  end
  if count > #plan.calls then t:wrong("%d authorizations for %d calls", count, #plan.calls) end
  t.box:clear()
  t:weigh(plan, { must = "nothing" })
  t:audit(plan)
end

function hostile.trials(bench)
  local list = {}
  for _, case in ipairs(OFFERS) do
    if bench.has_nonce or case[2] ~= "wrong_domain" then list[#list + 1] = { row = case[1], run = offered(case) } end
  end
  list[#list + 1] = { row = "split purchases over the budget", run = split }
  list[#list + 1] = { row = "a lookalike host", run = lookalike }
  list[#list + 1] = { row = "one address, asking again and again", run = again_and_again }
  list[#list + 1] = { row = "an endless 402", run = endless }
  return list
end

return hostile
