-- Guarded memory, in which keys live.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"

describe("secret", function()
  it("is given out zeroed and can be written and freed", function()
    for _, n in ipairs{ 1, 32, 64, 4096, 65536 } do assert.is_true(core.secret_selftest(n)) end
  end)
end)
