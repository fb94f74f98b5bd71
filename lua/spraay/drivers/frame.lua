-- SPDX-License-Identifier: MIT
--- Waiting in a program that draws frames: tasks yield, and spraay.update resumes them once per frame.
-- It waits as "own" does. Outside a task a call blocks, and the picture stands still meanwhile.
local own = require "spraay.drivers.own"

return { name = "frame", can_wait = own.can_wait, wait = own.wait }
