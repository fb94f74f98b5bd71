-- SPDX-License-Identifier: MIT
--- spraay.open: a client. Opening one touches neither disk nor network; the engine, the key and the
-- core's side are made when the first call needs them.
local call = require "spraay.call"
local errors = require "spraay.errors"
local futures = require "spraay.futures"
local options = require "spraay.options"
local verbs = require "spraay.verbs"

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
  local self = setmetatable({ config = config }, mt)
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
    return client.give(self, verbs[name](self, ...))
  end
end

-- What needs a ledger that outlives the process. They say so, rather than do half of it.
for _, name in ipairs { "plan", "purchases", "reconcile", "step", "summary" } do
  Client[name] = function(self)
    check_self(self, name)
    local why = ("client:%s is not in this version"):format(name)
    return client.give(self, errors.usage(why, nil, "unsupported"))
  end
end

--- The address that pays, or nil, message, err.
function Client:address()
  check_self(self, "address")
  local wallet = self.config.wallets[1]
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
