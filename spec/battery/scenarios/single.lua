--- Every single fault the sandbox knows, once, on every kind of call, under a loop of three tries.
-- SPDX-License-Identifier: MIT
local calls = require "spec.battery.calls"
local faults = require "spraay.sandbox.faults"

local single = { title = "a single fault, every kind of call, three tries" }

-- The settlement has happened, or may have: what is lost then need not be delivered.
local function after_settling(name)
  return faults.catalogue[name].stage == "answer" or name == "settle_later" or name == "pending_never_settles"
end

-- What never answers, or too late for the patience of these scripts.
local SLOW = { timeout_on_probe = true, timeout_before_settle = true, settle_then_timeout = true,
               settle_then_drip = true, settle_then_slow = true,
               handler_slow = true, rpc_timeout = true, settle_later = true }

-- The result comes all the same, or the fault is that it is paid and unreadable.
local DELIVERED = { settle_then_no_receipt = true, settle_then_receipt_false = true, settle_then_receipt_garbled = true,
                    settle_then_receipt_other_network = true, settle_then_receipt_other_payer = true,
                    settle_then_receipt_text = true, settle_then_receipt_other_nonce = true, wrong_content_type = true }

-- A version of the protocol, or a document, that is not refused and costs nothing extra.
local HARMLESS = { v1 = true, redirect_same = true, huge_challenge = true }

-- Half a protocol version is another fault than the one meant.
local ALWAYS = { v1 = true }

-- The bytes are what is wrong, and client:request hands them over as they are.
local OTHER_BYTES = { bad_json_200 = true, non_json_200 = true }

-- Calls without anything before them, and those with.
local PLAIN = { "chat", "image", "speak", "transcribe", "embed", "batch", "video", "gpu", "other", "deposit",
                "pricing" }
local CHAINED = { "status", "execute", "balance", "refund" }

local function plain_calls(only)
  local list = {}
  for _, verb in ipairs(only and { "chat", "video", "deposit", "embed" } or PLAIN) do
    list[#list + 1] = calls.new(verb, "storms at sea")
  end
  return list
end

local function chained_calls()
  local list = {}
  for i, verb in ipairs(CHAINED) do
    list[#list + 1] = calls.first(calls.new(verb, ("x"):rep(i)))
  end
  for i, verb in ipairs(CHAINED) do list[#list + 1] = calls.new(verb, ("x"):rep(i)) end
  return list
end

-- Arm it once for every call of these verbs.
local function arm(box, fault, list, from)
  for i = from, #list do
    box:fault(fault, {
      times = not ALWAYS[fault] and 1 or nil, route = calls.kinds[list[i].verb].route:gsub(":id$", ""),
      seconds = fault == "settle_then_slow" and 3 or nil,
    })
  end
end

-- The server is well again after one fault, so a call that may be presented again must get its result.
local function must(fault, bench)
  local stage = faults.catalogue[fault].stage
  return function(call)
    -- Without a nonce the chain is asked before anything is signed, and what it may still settle is waited for.
    if not bench.has_nonce and (stage == "rpc" or fault:find "^solana_settle_" or fault == "foreign_fee_payer") then
      return nil
    end
    if stage == "rpc" or HARMLESS[fault] or DELIVERED[fault] then return "deliver" end
    if after_settling(fault) then return nil end
    if stage == "terms" or stage == "challenge" or stage == "accept" then return "deliver" end
    if faults.catalogue[fault].leg == "probe" then return "deliver" end
    if SLOW[fault] then return nil end
    return calls.kinds[call.verb].class == "repeat" and "deliver" or nil
  end
end

local function run(fault, list_of, first)
  return function(t)
    local list = list_of()
    -- From an honest purchase the receiver is known.
    if fault == "changed_payto" and not first then table.insert(list, 1, calls.new("chat", "an honest seller")) end
    local more = { tries = 3, width = 16, first = first and #list // 2 or nil }
    if SLOW[fault] then more.open = { timeout = { connect = 2, idle = 1, total = 2.5 } } end
    local plan = t:plan(list, more)
    t:learn(plan)
    local script = plan
    if fault == "changed_payto" and not first then script = t:after_the_first(plan) end
    if faults.catalogue[fault].stage == "rpc" then
      t.box:fault(fault, {})
      arm(t.box, "reset_before_settle", list, (first and #list // 2 or 0) + 1)
    else
      arm(t.box, fault, list, (first and #list // 2 or 0) + 1)
    end
    t:run(script)
    local stage = faults.catalogue[fault].stage
    local needed = must(fault, t.bench)
    t:weigh(plan, { texts = OTHER_BYTES[fault] and {} or nil, must = function(call)
      if stage == "rpc" and calls.kinds[call.verb].class ~= "repeat" then return nil end
      return needed(call)
    end })
    t:audit(plan)
  end
end

function single.trials(bench)
  local list, names = {}, {}
  for name, fault in pairs(faults.catalogue) do       -- terms are the matter of hostile.lua too
    if bench.full or fault.stage ~= "terms" and fault.stage ~= "challenge" then names[#names + 1] = name end
  end
  table.sort(names, function(a, b)
    if (SLOW[a] or false) ~= (SLOW[b] or false) then return SLOW[a] or false end       -- long ones first
    local x, y = faults.catalogue[a].stage, faults.catalogue[b].stage
    return x == y and a < b or x ~= y and x < y
  end)
  for _, name in ipairs(names) do
    list[#list + 1] = { row = name, run = run(name, function() return plain_calls(not bench.full) end) }
    if bench.full then list[#list + 1] = { row = name, run = run(name, chained_calls, true) } end
  end
  return list
end

return single
