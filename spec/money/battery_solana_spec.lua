-- SPDX-License-Identifier: MIT
-- A part of the battery with everything paid on Solana; spec/battery/README.md tells how to run it again, and all
-- of it: `lua5.4 spec/battery/run.lua --rail solana`.
local SCENARIOS = {
  { "kill_each", "is killed at any I/O call and pays once all the same" },
  { "kill_random", "is killed at random in a named run and comes to its end" },
  { "feigned", "pays once whatever a server feigns after settling" },
  { "proof", "waits for proof, and survives an RPC that is away or behind" },
  { "deleted", "loses its ledger and pays once under a name" },
  { "clocks", "may be given wrong clocks, and a machine that starts anew" },
}

-- The libraries of a sanitizer are preloaded already; two preloads are one too many.
local sanitized = os.getenv "ASAN_OPTIONS" ~= nil

describe("a script that pays on Solana", function()
  local rows, seed, whole = {}, nil, ""

  setup(function()
    if sanitized then return end
    local names = {}
    for i, scenario in ipairs(SCENARIOS) do names[i] = scenario[1] end
    local pipe = io.popen(("lua5.4 spec/battery/run.lua --short --rail solana --lanes 8 --only %s 2>&1")
      :format(table.concat(names, "+")))
    local title
    for line in pipe:lines() do
      whole = whole .. line .. "\n"
      seed = seed or line:match "^seed %d+$"
      if line:find "^%S" then title = line end
      if title and line:find "^  +%S" then
        rows[title] = rows[title] or {}
        table.insert(rows[title], line)
      end
    end
    pipe:close()
  end)

  for _, scenario in ipairs(SCENARIOS) do
    it(scenario[2], function()
      if sanitized then return pending "not under a sanitizer" end
      local all = rows[require("spec.battery.scenarios." .. scenario[1]).title]
      assert(all, whole)
      for _, line in ipairs(all) do
        assert(not line:find "^ +!", ("%s\n%s"):format(seed, table.concat(all, "\n")))
      end
    end)
  end

  it("was tried to the end", function()
    if sanitized then return pending "not under a sanitizer" end
    assert(whole:find "%d+ passed, 0 failed\n$", whole:sub(-2000))
  end)
end)
