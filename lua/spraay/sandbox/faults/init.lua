--- Everything that can go wrong on purpose.
---
--- A fault has a name and a stage: the moment in a request's life at which it may strike. It is
--- armed with how often (`times`), how many chances to let pass first (`after`), for which routes
--- (`route`, part of "POST /path"), on which leg (`leg`: "probe" or "paid"), for which JSON-RPC
--- (`method`), and with parameters of its own. The catalogue is in the files beside this one, one a stage.
-- SPDX-License-Identifier: MIT
local json = require "spraay.sandbox.json"

local faults = {}
faults.__index = faults
faults.__name = "spraay.sandbox.faults"

local STAGES = { "accept", "keys", "version", "terms", "request", "challenge", "self_paid", "settle", "answer", "rpc",
                 "broadcast" }

local catalogue = {
  close_on_accept = { stage = "accept", text = "the connection is closed before the request is read" },
  key_store_down = { stage = "keys", text = "the store of API keys is down, and a key is as good as none" },
  v1 = { stage = "version", text = "the gate speaks x402 version 1 (X-PAYMENT, challenge in the body)" },
}
for _, stage in ipairs{ "terms", "request", "challenge", "settle", "answer", "rpc", "broadcast" } do
  for name, fault in pairs(require("spraay.sandbox.faults." .. stage)) do
    fault.stage = stage
    catalogue[name] = fault
  end
end
for name, fault in pairs(require "spraay.sandbox.faults.solana") do catalogue[name] = fault end
faults.catalogue = catalogue

function faults.new()
  return setmetatable({ armed = {} }, faults)
end

local armed_mt = {}
armed_mt.__index = armed_mt

--- Strike. What comes back, if anything, is the answer to send.
function armed_mt:apply(...)
  local apply = catalogue[self.fault].apply
  if apply then return apply(self, ...) end
end

--- Parameter `name`, the fault's own default, or the one given.
function armed_mt:option(name, default)
  if self.options[name] ~= nil then return self.options[name] end
  local defaults = catalogue[self.fault].options
  if defaults and defaults[name] ~= nil then return defaults[name] end
  return default
end

--- Arm a fault.
---@param spec table  fault, times (nil: every time), route, after, leg, and parameters
---@return table? armed
---@return string? why
function faults:arm(spec)
  local entry = catalogue[spec.fault]
  if not entry then return nil, ("no fault is called %q"):format(tostring(spec.fault)) end
  local options = {}
  for name, value in pairs(spec) do
    if value ~= json.null then options[name] = value end
  end
  local armed = setmetatable({
    fault = spec.fault, stage = entry.stage, times = math.tointeger(options.times),
    after = math.tointeger(options.after) or 0, route = options.route, leg = options.leg or entry.leg,
    options = options, struck = 0,
  }, armed_mt)
  self.armed[#self.armed + 1] = armed
  return armed
end

--- Arm from the command line: NAME, NAME:TIMES, NAME:TIMES@ROUTE, NAME@ROUTE.
function faults:arm_text(text)
  local head, route = text:match("^([^@]+)@(.+)$")
  local name, times = (head or text):match("^([^:]+):(%d+)$")
  return self:arm{ fault = name or head or text, times = tonumber(times), route = route }
end

function faults:clear() self.armed = {} end

local function applies(armed, stage, request)
  if armed.stage ~= stage then return false end
  if armed.leg and request.leg and armed.leg ~= request.leg then return false end
  local method = (stage == "rpc" or stage == "broadcast") and armed:option "method"
  if method and not (request.methods and request.methods[method]) then return false end
  return not armed.route or request.title:lower():find(armed.route:lower(), 1, true) ~= nil
end

--- The fault that strikes here and now, if one does; it is counted.
---@param stage string
---@param request table  title ("POST /path") and leg
---@return table? armed
function faults:take(stage, request)
  for i, armed in ipairs(self.armed) do
    if applies(armed, stage, request) then
      if armed.after > 0 then
        armed.after = armed.after - 1
      else
        armed.struck = armed.struck + 1
        request.fault = armed.fault
        if armed.times and armed.struck >= armed.times then table.remove(self.armed, i) end
        return armed
      end
    end
  end
end

--- Names with a line about each, and what is armed.
---@return table
function faults:report()
  local known, armed = json.array(), json.array()
  for name, entry in pairs(catalogue) do
    known[#known + 1] = { fault = name, stage = entry.stage, text = entry.text, options = entry.options }
  end
  local order = {}
  for i, stage in ipairs(STAGES) do order[stage] = i end
  table.sort(known, function(a, b)
    if a.stage ~= b.stage then return order[a.stage] < order[b.stage] end
    return a.fault < b.fault
  end)
  for i, one in ipairs(self.armed) do
    armed[i] = { fault = one.fault, times = one.times or json.null, struck = one.struck, after = one.after,
                 route = one.route, leg = one.leg }
  end
  return { faults = known, armed = armed }
end

return faults
