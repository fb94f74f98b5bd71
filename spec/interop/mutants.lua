-- Negative controls: `make interop-mutants`. The protocol is broken in a copy of the sources, one byte or one
-- rule at a time, and the interop specs have to turn red each time. They have to be green for the copy as it is.
--
-- A mutation is exact text in one file; text that is not found, or twice, is an error, so that the list follows
-- the code; `--check` looks for that alone.
-- SPDX-License-Identifier: MIT

local MUTANTS = {
  {
    name = "a letter of the EIP-712 type string", file = "src/chain/eip3009.c",
    old = "uint256 validAfter,\"", new = "uint256 validafter,\"", specs = { "shops", "random_evm" },
  },
  {
    name = "a letter of the EIP-712 domain's type", file = "src/chain/eip712.c",
    old = "uint256 chainId,", new = "uint256 chainID,", specs = { "shops", "random_evm" },
  },
  {
    name = "validBefore is now", file = "src/x402/scheme_exact_evm.c",
    old = "out->valid_before_s = (uint64_t)(o->now_s + window);", new = "out->valid_before_s = (uint64_t)o->now_s;",
    specs = { "shops", "random_evm" },
  },
  {
    name = "validBefore a minute too late", file = "src/x402/scheme_exact_evm.c",
    old = "out->valid_before_s = (uint64_t)(o->now_s + window);",
    new = "out->valid_before_s = (uint64_t)(o->now_s + window + 60);", specs = { "random_evm" },
  },
  {
    name = "validAfter to come (V1)", file = "src/x402/scheme_exact_evm.c",
    old = "(uint64_t)(o->now_s - V1_BACKDATE_S)", new = "(uint64_t)(o->now_s + V1_BACKDATE_S)",
    specs = { "shops", "random_evm" },
  },
  {
    name = "source and destination of TransferChecked exchanged", file = "src/chain/solana_payment.c",
    old = "spraay_solana_payment_accounts(moves[0].key32, moves[2].key32, p)",
    new = "spraay_solana_payment_accounts(moves[2].key32, moves[0].key32, p)", specs = { "solana", "random_solana" },
  },
  {
    name = "mint and destination of TransferChecked exchanged", file = "src/chain/solana_payment.c",
    old = "        { .program32 = p->token_program32,\n          .accounts = moves,",
    new = "        { .program32 = p->token_program32,\n"
      .. "          .accounts = (const spraay_solana_account[]){ moves[0], moves[2], moves[1], moves[3] },",
    specs = { "solana", "random_solana" },
  },
}

local build = arg[1] or "build"

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function output_of(command)
  local pipe = io.popen(command .. " 2>&1; echo $?")
  local text = pipe:read "*a"
  pipe:close()
  local body, status = text:match "^(.*)\n?(%d+)\n$"
  return body, tonumber(status)
end

local function slurp(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "*a"
  file:close()
  return text
end

local function spill(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

-- Where in its file the text stands; nil and why not.
local function place_of(mutant, source)
  local at, last = source:find(mutant.old, 1, true)
  if not at then return nil, mutant.file .. " has no such text any more" end
  if source:find(mutant.old, last + 1, true) then return nil, mutant.file .. " has that text twice" end
  return at, last
end

if arg[1] == "--check" then
  local failed = 0
  for _, mutant in ipairs(MUTANTS) do
    local at, why = place_of(mutant, slurp(mutant.file) or "")
    if not at then
      failed = failed + 1
      print(("%s: %s"):format(mutant.name, why))
    end
  end
  print(("%d passed, %d failed"):format(#MUTANTS - failed, failed))
  os.exit(failed == 0 and 0 or 1)
end

local pwd = output_of "pwd":gsub("%s+$", "")
local folder = os.tmpname()
os.remove(folder)
folder = folder .. ".mutants"

-- The tree and what was built of it, the packages shared.
local text, status = output_of(("mkdir -p %s/build && cp -a Makefile .ci src lua spec %s/ && cp -a %s/obj %s/obj-5.4 "
  .. "%s/lua5.4 %s/build/ && ln -s %s %s/build/interop"):format(folder, folder, build, build, build, folder,
  quoted(build:match "^/" and build .. "/interop" or pwd .. "/" .. build .. "/interop"), folder))
if status ~= 0 then error(text, 0) end

local function make()
  return output_of(("make -s -C %s LUA_VERSION=5.4 BUILD=build CFLAGS='-O1 -Wno-error' module"):format(folder))
end

-- What the specs say of the copy: passed, failed, and all they printed.
local function run(specs)
  local files = {}
  for i, name in ipairs(specs) do files[i] = ("spec/interop/%s_spec.lua"):format(name) end
  local said = output_of(("cd %s && env -u LUA_PATH -u LUA_CPATH CASES=200 SEED=1 SPECS=%s spec/interop/run build")
    :format(folder, quoted(table.concat(files, " "))))
  local passed, failed = said:match "(%d+) passed, (%d+) failed%s*$"
  return tonumber(passed), tonumber(failed), said
end

local tally = { caught = 0, missed = 0, left_out = 0 }
local good = {}

local function try(mutant)
  local path = folder .. "/" .. mutant.file
  local source = slurp(path)
  if not source then return "left_out", "there is no " .. mutant.file end
  local at, last = place_of(mutant, source)
  if not at then return "missed", last end
  local key = table.concat(mutant.specs, " ")
  if not good[key] then
    local passed, failed, said = run(mutant.specs)
    if failed ~= 0 or not passed or passed == 0 then
      return "missed", "the specs fail without it too:\n" .. said:sub(-1500)
    end
    good[key] = true
  end
  spill(path, source:sub(1, at - 1) .. mutant.new .. source:sub(last + 1))
  local why, bad = make()
  local passed, failed, said
  if bad == 0 then passed, failed, said = run(mutant.specs) end
  spill(path, source)
  make()
  if bad ~= 0 then return "missed", "it does not build: " .. why:sub(-600) end
  if not failed or failed == 0 then return "missed", "nothing turned red:\n" .. tostring(said):sub(-600) end
  return "caught", ("%d of %d red"):format(failed, passed + failed)
end

local built, bad = make()
if bad ~= 0 then error("the copy does not build: " .. built, 0) end
for _, mutant in ipairs(MUTANTS) do
  local verdict, why = try(mutant)
  tally[verdict] = tally[verdict] + 1
  print(("%-54s %s"):format(mutant.name, verdict == "caught" and why or verdict:gsub("_", " ") .. ": " .. why))
end
os.execute("rm -rf " .. quoted(folder))
if tally.left_out > 0 then print(tally.left_out .. " pending") end
print(("%d passed, %d failed"):format(tally.caught, tally.missed))
os.exit(tally.missed == 0 and tally.caught > 0)
