--- What all trials share: where the modules are, whether this is the long form, and chance.
-- SPDX-License-Identifier: MIT
local cqueues = require "cqueues"

-- A small reproducible generator: every trial gets one of its own, so that a seed means the same whatever
-- runs beside it.
local function dice(seed)
  local state = seed % 2147483646 + 1
  return function(n)
    state = state * 16807 % 2147483647
    return state % n + 1
  end
end

local function root()
  local pipe = io.popen "pwd"
  local here = pipe:read "*l"
  pipe:close()
  return here
end

---@param given table  full, seed, kills, keep, rail ("solana": everything is paid there)
return function(given)
  local seed = given.seed or os.time() % 1000000 + math.floor(cqueues.monotime() * 1000) % 1000
  local build = os.getenv "SPRAAY_SPEC_BUILD" or "build"
  local here = root()
  if build:sub(1, 1) ~= "/" then build = here .. "/" .. build end
  local bench = {
    full = given.full, seed = seed, kills = given.kills, keep = given.keep, rail = given.rail, identities = {},
    paths = {
      root = here, shim = build .. "/spec/battery/shim.so", lua_path = here .. "/?.lua;" .. package.path,
      lua_cpath = package.cpath, rail = given.rail,
    },
  }
  -- Does the chain itself let only one of several authorizations of a purchase settle? Where it does not, what a
  -- script has forgotten can be proven to be paid, but never be presented again.
  bench.has_nonce = given.rail ~= "solana"
  -- A generator for a trial, told by its name.
  function bench.dice(name)
    local mixed = seed
    for i = 1, #name do mixed = (mixed * 31 + name:byte(i)) % 2147483647 end
    return dice(mixed)
  end
  local shim = io.open(bench.paths.shim)
  if not shim then error(bench.paths.shim .. " is missing: `make battery` builds it", 0) end
  shim:close()
  return bench
end
