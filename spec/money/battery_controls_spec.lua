-- SPDX-License-Identifier: MIT
-- The negative controls break the sources by exact text. They run for minutes, so they run seldom; that each still
-- finds its text is seen here, every time.
describe("the negative controls", function()
  for _, file in ipairs{ "spec/battery/mutants.lua", "spec/interop/mutants.lua" } do
    it("find what they break: " .. file, function()
      local pipe = assert(io.popen("lua5.4 " .. file .. " --check 2>&1"))
      local text = pipe:read "*a"
      pipe:close()
      assert(text:find "[1-9]%d* passed, 0 failed\n$", text)
    end)
  end
end)
