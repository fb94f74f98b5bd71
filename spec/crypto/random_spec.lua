-- Random bytes from the system, and guarded memory for keys.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"

describe("random_bytes", function()
  it("gives as many bytes as asked for", function()
    for _, n in ipairs{ 0, 1, 32, 255, 256, 257, 1000, 65536 } do assert.equal(n, #core.random_bytes(n)) end
  end)

  it("does not repeat itself", function()
    local seen = {}
    for _ = 1, 200 do
      local bytes = core.random_bytes(32)
      assert.is_nil(seen[bytes])
      seen[bytes] = true
    end
  end)

  it("reaches every byte value, also past the first 256 bytes", function()
    local seen, n = {}, 0
    for c in core.random_bytes(65536):sub(257):gmatch "." do
      if not seen[c] then seen[c], n = true, n + 1 end
    end
    assert.is_true(n >= 255)   -- "." does not match NUL on Lua 5.1
  end)

  for _, bad in ipairs{ -1, 65537, 1.5, 1 / 0, 0 / 0 } do
    it("refuses to give " .. tostring(bad), function()
      assert.has_error(function() core.random_bytes(bad) end)
    end)
  end

  it("does not take text for a number", function()
    assert.has_error(function() core.random_bytes "32" end)
  end)
end)
