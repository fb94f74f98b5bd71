-- SPDX-License-Identifier: MIT
-- The short form of spec/battery: whole scripts against every kind of trouble, judged by the sandbox's books.
-- What fails tells its seed; spec/battery/README.md tells how to run it again.
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
  { "stopped", "may be stopped for longer than a payment lives" },
  { "clocks", "may be given wrong clocks" },
  { "hostile", "refuses terms that nobody should sign" },
  { "copies", "may find an old copy of its ledger, and share it with a fork" },
}

-- The libraries of a sanitizer are preloaded already; two preloads are one too many.
local sanitized = os.getenv "ASAN_OPTIONS" ~= nil

describe("a script that pays", function()
  local rows, seed, whole = {}, nil, ""

  setup(function()
    if sanitized then return end
    local pipe = io.popen "lua5.4 spec/battery/run.lua --short --lanes 8 2>&1"
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

describe("the negative controls of the battery", function()
  it("change what stands in the sources, once", function()
    local sources = {}
    local pipe = assert(io.popen "find src -name '*.[ch]'")
    for path in pipe:lines() do
      local file = assert(io.open(path))
      sources[path] = file:read "*a"
      file:close()
    end
    pipe:close()
    for _, control in ipairs(require "spec.battery.controls") do
      local count = 0
      for _, text in pairs(sources) do
        local from, last = text:find(control.old, 1, true)
        while from do
          count = count + 1
          from, last = text:find(control.old, last + 1, true)
        end
      end
      assert.equal(1, count, control.name)
    end
  end)
end)
