-- SPDX-License-Identifier: MIT
-- The short form of spec/battery: whole scripts against every kind of trouble, judged by the sandbox's books.
-- What fails says its seed; spec/battery/README.md tells how to run it again.
local SCENARIOS = {
  { "single", "survives every single fault on every kind of call" },
  { "feigned", "pays once whatever a server feigns after settling" },
  { "proof", "waits for proof, and survives an RPC that is away, behind or lying" },
  { "kill_each", "is killed at any I/O call and pays once all the same" },
  { "kill_random", "is killed at random in a named run and comes to its end" },
  { "deleted", "loses its ledger and pays once under a name" },
  { "caps", "keeps a cap exactly, over eight processes" },
  { "disk", "signs nothing that a bad disk does not keep, and turns on meanwhile" },
  { "damaged", "notices a damaged ledger" },
  { "stopped", "is stopped for longer than a payment lives" },
  { "clocks", "is given wrong clocks" },
  { "hostile", "is offered terms that nobody should sign" },
  { "copies", "finds an old copy of its ledger, or shares it with a fork" },
}

-- The interpreters and libraries of a sanitizer are preloaded already; two preloads are one too many.
local sanitized = os.getenv "ASAN_OPTIONS" ~= nil

describe("a script that pays", function()
  for _, scenario in ipairs(SCENARIOS) do
    it(scenario[2], function()
      if sanitized then return pending "not under a sanitizer" end
      local pipe = io.popen(("lua5.4 spec/battery/run.lua --short --only %s 2>&1"):format(scenario[1]))
      local text = pipe:read "*a"
      pipe:close()
      local passed, failed = text:match "(%d+) passed, (%d+) failed%s*$"
      assert(passed, text)
      assert(failed == "0" and passed ~= "0", text)
    end)
  end
end)
