-- SPDX-License-Identifier: MIT
--- spraay.open: a client. Opening one touches neither disk nor network; the engine, the key and the
-- core's side are made when the first call needs them.
local call = require "spraay.call"
local clauses = require "spraay.options.clauses"
local compat = require "spraay.compat"
local errors = require "spraay.errors"
local futures = require "spraay.futures"
local options = require "spraay.options"
local plan = require "spraay.plan"
local purchases = require "spraay.purchases"
local reconcile = require "spraay.reconcile"
local step = require "spraay.step"
local summary = require "spraay.summary"
local task = require "spraay.task"
local verbs = require "spraay.verbs"
local wallets = require "spraay.wallet"

local client = {}

local Client = {}
local mt = { __name = "spraay.client", __index = Client }

mt.__tostring = function(self)
  return ("client of %s (%s)"):format(self.config.gateway, tostring(self.config.wallets[1] or "no wallet"))
end

--- Open a client. Returns nil, message, err when an option is wrong, or raises err with errors = "raise".
function client.open(given, env)
  local config, message, err = options.open(given, env)
  if not config then
    if type(given) == "table" and given.errors == "raise" then error(err, 2) end
    return nil, message, err
  end
  local self = setmetatable({ config = config, counts = {}, told = {} }, mt)
  self.futures = futures.new(self)
  return self
end

--- Is this a client?
function client.is(value)
  return type(value) == "table" and getmetatable(value) == mt
end

--- Hand a verb's values over, or raise the error with errors = "raise".
function client.give(self, value, message, err)
  if value ~= nil then return value end
  if self.config.errors == "raise" then error(err, 0) end
  return nil, message, err
end

-- Called with a dot, a verb would take its arguments for the client.
local function check_self(self, name)
  if not client.is(self) then error(("client:%s: call it with a colon"):format(name), 3) end
end

local METHODS = {
  "chat", "image", "video", "speak", "transcribe", "embed", "batch", "status", "job", "models", "estimate",
  "gpu", "gpu_status", "gpu_models", "discover", "health", "request", "quote",
}

for _, name in ipairs(METHODS) do
  Client[name] = function(self, ...)
    check_self(self, name)
    return client.give(self, call.guarded(verbs[name], self, ...))
  end
end

--- What a list of jobs would cost per call, in batches and prepaid, and which is cheapest. Pays for nothing.
function Client:plan(jobs)
  check_self(self, "plan")
  return client.give(self, plan.of(self, jobs))
end

--- fn() as a named part of a named run: what is bought inside is found again under this name when the run
-- is started anew, wherever the lines have moved to. Returns what fn returns; what it throws goes on.
function Client:step(name, fn)
  check_self(self, "step")
  local function refuse(why, hint) return client.give(self, errors.usage("client:step: " .. why, hint, "argument")) end
  if not clauses.is_name(name) then return refuse("the name must be a short text") end
  if type(fn) ~= "function" then return refuse("expected a name and a function") end
  if not self.config.core.run then
    return refuse("a step is a part of a named run, and this client has none", "Open it with run = \"a name\"")
  end
  if #(step.path(self) or "") + #name >= step.PATH_MAX then return refuse("steps are nested too deep") end
  local before = step.enter(self, name)
  local results = compat.pack(task.pcall(fn))
  step.leave(before)
  if not results[1] then error(results[2], 0) end
  return compat.unpack(results, 2, results.n)
end

--- Purchases on record, oldest first: { state=, run=, since=, id=, origin=, limit= } chooses among them.
function Client:purchases(filters)
  check_self(self, "purchases")
  return client.give(self, purchases.of_client(self, filters))
end

--- What was paid, may have been, was refused and was restored; tostring() of it is a small table.
function Client:summary()
  check_self(self, "summary")
  return client.give(self, summary.of(self))
end

--- Ask the chain what became of open purchases. Never pays.
function Client:reconcile(given)
  check_self(self, "reconcile")
  return client.give(self, reconcile.of_client(self, given))
end

--- The address that pays, or nil, message, err. With two wallets, that of the first network; or of the one named.
function Client:address(network)
  check_self(self, "address")
  local wallet = self.config.wallets[1]
  if network ~= nil then
    local rail = type(network) == "string" and wallets.rail_of(options.networks[network] or network)
    wallet = rail and wallets.on(self.config.wallets, rail)
    if not wallet then
      return client.give(self, errors.usage("client:address: no wallet of this client pays on " .. errors.show(network),
        nil, "argument"))
    end
  end
  if wallet then return client.give(self, wallet:address()) end
  local _, err = call.core_client(self)
  return client.give(self, errors.fail(err))
end

--- Close the client. Purchases under way are finished by the engine; calls made later are refused.
function Client:close()
  check_self(self, "close")
  if self.core then self.core:close() end
  self.core, self.closed = nil, true
  return true
end

return client
