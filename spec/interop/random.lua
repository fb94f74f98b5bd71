--- Random input for the cross-checks, and the judges that hold it against the official code.
---   local check = random.judges(seed, 2)         processes of judge.mjs
---   check:case{ kind = "digest", … }
---   check:finish()                               fails, showing the first cases that differ
--- Every choice comes from the seed, which is printed: SEED=N repeats a run.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local spec = require "spec.helper"

local random = {}

--- The seed of this run: $SEED, or the clock.
local given = tonumber(os.getenv "SEED" or "")
random.seed = given and math.floor(given) or os.time() % 2147483646 + 1

-- ---- numbers and texts -----------------------------------------------------------------------------

local Dice = {}
Dice.__index = Dice

--- Dice of this run, for one purpose.
function random.dice(purpose)
  local seed = random.seed
  for i = 1, #purpose do seed = (seed * 31 + purpose:byte(i)) % 2147483646 + 1 end
  return setmetatable({ roll_ = spec.dice(seed) }, Dice)
end

function Dice:roll(n) return self.roll_(n) end
function Dice:bytes(n) return spec.bytes(self.roll_, n) end
function Dice:hex(n) return spec.hex(self:bytes(n)) end
function Dice:of(list) return list[self.roll_(#list) + 1] end
function Dice:chance(n) return self.roll_(n) == 0 end

--- Decimal digits of a number below 2^bits, often near an edge.
function Dice:digits(bits)
  local max = { [64] = "18446744073709551615",
    [256] = "115792089237316195423570985008687907853269984665640564039457584007913129639935" }
  local kind = self:roll(8)
  if kind == 0 then return self:of { "0", "1", "255", "256", "65535", "65536" } end
  if kind == 1 and max[bits] then return max[bits] end
  local most = bits == 256 and 77 or bits == 64 and 19 or 9
  local n = self:roll(most) + 1
  local out = { tostring(self:roll(9) + 1) }
  for i = 2, n do out[i] = tostring(self:roll(10)) end
  return table.concat(out)
end

--- A short text, some of it far from ASCII.
function Dice:text(max)
  local parts = { "USD Coin", "USDC", " ", "2", "₮", "ü", "é", "𝔘", "\"", "\\", "/", "\t", "漢", "a", "Z", "0", "{",
    "\u{7f}" }
  local out = {}
  for i = 1, self:roll(max) + 1 do out[i] = self:of(parts) end
  return table.concat(out)
end

--- The name of a token: such a text without control characters, which options refuse.
function Dice:name(max)
  return (self:text(max):gsub("%c", "-"))
end

-- ---- judges ----------------------------------------------------------------------------------------

local Judges = {}
Judges.__index = Judges

local build = os.getenv "SPRAAY_SPEC_BUILD" or "build"

function random.judges(n)
  local self = setmetatable({ pipes = {}, files = {}, sent = 0 }, Judges)
  for i = 1, n do
    self.files[i] = os.tmpname()
    self.pipes[i] = assert(io.popen(("node %s/interop/judge.mjs > %s 2>&1"):format(build, self.files[i]), "w"))
  end
  return self
end

function Judges:case(case)
  self.sent = self.sent + 1
  case.n = self.sent
  self.pipes[self.sent % #self.pipes + 1]:write(cjson.encode(case), "\n")
end

--- Wait for the verdicts; an error names the seed and shows what differs.
function Judges:finish()
  local checked, bad = 0, {}
  for i, pipe in ipairs(self.pipes) do
    pipe:close()
    local told
    for line in io.lines(self.files[i]) do
      local ok, said = pcall(cjson.decode, line)
      if ok and said.done then
        checked, told = checked + said.checked, true
      else
        bad[#bad + 1] = line
      end
    end
    if not told then bad[#bad + 1] = "a judge ended without a verdict" end
    os.remove(self.files[i])
  end
  if #bad > 0 then
    error(("SEED=%d: %d of %d differ, the first:\n%s"):format(random.seed, #bad, self.sent,
      table.concat(bad, "\n", 1, math.min(#bad, 3))), 0)
  end
  return checked
end

return random
