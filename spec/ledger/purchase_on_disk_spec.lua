--- What holds of purchases in memory holds of those on disk.
-- SPDX-License-Identifier: MIT
local exchange = require "spec.support.exchange"
local place = os.tmpname()
local environment = _ENV or getfenv(1) -- luacheck: ignore (5.1 has one, later ones the other)

local function include(path)
  local chunk = assert(loadfile(path, "t", environment))
  if setfenv then setfenv(chunk, environment) end -- luacheck: ignore
  chunk()
end

describe("with a ledger on disk,", function()
  local before

  setup(function()
    before, exchange.ledger = exchange.ledger, place
  end)

  teardown(function()
    exchange.ledger = before
    os.execute("rm -rf " .. place .. "*")
  end)

  include "spec/client/purchase_spec.lua"
  include "spec/client/attack_spec.lua"
  include "spec/client/chaos_spec.lua"
end)
