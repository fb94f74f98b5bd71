-- Negative controls: `lua5.4 spec/battery/mutants.lua [--only NAME] [--keep] [--check]`. Bugs are put into a copy of
-- the sources, one at a time, and the battery must find every one of them, by what it is meant to be found
-- by. A battery that passes a bad client says nothing about a good one.
--
-- A mutation is exact text, wherever in src/ it stands; text that is not found, or twice, is an error, so that
-- the list follows the code; `--check` looks for that alone.
-- SPDX-License-Identifier: MIT
local process = require "spec.battery.process"

local MUTANTS = require "spec.battery.controls"

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function output_of(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read "*a"
  local ok = pipe:close()
  return text, ok == true
end

local function read_arguments(words)
  local given = {}
  for i, word in ipairs(words) do
    if word == "--only" then given.only = words[i + 1]
    elseif word == "--keep" then given.keep = true
    elseif word == "--check" then given.check = true end
  end
  return given
end

local given = read_arguments(arg)
local build = os.getenv "SPRAAY_SPEC_BUILD" or "build"
local folder = os.tmpname()
os.remove(folder)
folder = folder .. ".mutants"

-- The tree, and what was built of it, so that one changed file is all there is to compile.
local function copy()
  local to = quoted(folder)
  local text, ok = output_of(("mkdir -p %s/build/spec && cp -a Makefile .ci src lua spec %s/ && for d in obj obj-5.4 "
    .. "lua5.4 spec/battery; do if [ -d %s/$d ]; then cp -a %s/$d %s/build/$d; fi; done")
    :format(to, to, quoted(build), quoted(build), to))
  if not ok then error(text, 0) end
end

local function make()
  local text, ok = output_of(("make -s -C %s LUA_VERSION=5.4 BUILD=build CFLAGS='-O1 -Wno-error' module")
    :format(quoted(folder)))
  return ok, text
end

local function run(only, rail)
  return output_of(("cd %s && SPRAAY_SPEC_BUILD=build SPRAAY_SANDBOX_CPATH='%s/build/lua5.4/?.so;;' LUA_PATH='%s' "
    .. "LUA_CPATH='%s/build/lua5.4/?.so;;' lua5.4 spec/battery/run.lua --short --show 1000 --seed 1 %s --only %s")
    :format(quoted(folder), folder, ("%s/?.lua;%s/lua/?.lua;%s/lua/?/init.lua;;"):gsub("%%s", folder), folder,
            rail and "--rail " .. rail or "", quoted(only)))
end

-- Trials that several mutants share have to be passed by the good client once.
local function trials_of(mutant) return mutant.only .. (mutant.rail or "") end

-- How often a violation of the kind that is meant was found.
local function count(text, sign)
  local n = 0
  for line in text:gmatch "[^\n]+" do
    if line:find "^ +!" and line:find(sign) then n = n + 1 end
  end
  return n
end

-- The one place of this text in the sources: its file, the file's text, from, to. Or nil and why.
local function place_of(root, old)
  local found
  for path in output_of(("find %s/src -name '*.[ch]'"):format(quoted(root))):gmatch "[^\n]+" do
    local text = process.slurp(path)
    local at, last = text:find(old, 1, true)
    if at and (found or text:find(old, last + 1, true)) then return nil, "the sources have that text twice: " .. old end
    if at then found = { path, text, at, last } end
  end
  if not found then return nil, "the sources have no such text any more: " .. old end
  return table.unpack(found)
end

-- Is it caught? Else why not.
local function try(mutant)
  local path, text, at, last = place_of(folder, mutant.old)
  if not path then return nil, text end
  process.spill(path, text:sub(1, at - 1) .. mutant.new .. text:sub(last + 1))
  local built, why = make()
  local found, output = 0, why
  if built then
    output = run(mutant.only, mutant.rail)
    found = count(output, mutant.sign)
  end
  process.spill(path, text)
  if not built then return nil, "it does not build: " .. why:sub(-600) end
  if found == 0 then return nil, ("not caught by %s:\n%s"):format(mutant.only, output:sub(-2000)) end
  return found
end

if given.check then
  local failed = 0
  for _, mutant in ipairs(MUTANTS) do
    local path, why = place_of(".", mutant.old)
    if not path then
      failed = failed + 1
      print(("%s: %s"):format(mutant.name, why))
    end
  end
  print(("%d passed, %d failed"):format(#MUTANTS - failed, failed))
  os.exit(failed == 0 and 0 or 1)
end

copy()
-- The good client first: what is said of the bad ones means nothing if the same trials fail for it.
local built, why = make()
if not built then error("the copy does not build: " .. why, 0) end
local passed, failed, judged = 0, 0, {}
for _, mutant in ipairs(MUTANTS) do
  if judged[trials_of(mutant)] == nil and (not given.only or mutant.name:find(given.only, 1, true)) then
    local text, fine = run(mutant.only, mutant.rail)
    judged[trials_of(mutant)] = fine or text
  end
end
print(("%-44s %-42s %s"):format("negative control", "scenario", "violations"))
for _, mutant in ipairs(MUTANTS) do
  if not given.only or mutant.name:find(given.only, 1, true) then
    local found, trouble
    if judged[trials_of(mutant)] ~= true then
      trouble = "the good client fails these trials too:\n" .. judged[trials_of(mutant)]:sub(-2000)
    else
      found, trouble = try(mutant)
    end
    print(("%-44s %-42s %s"):format(mutant.name, mutant.only, found or "NOT CAUGHT"))
    if found then
      passed = passed + 1
    else
      failed = failed + 1
      print("      ! " .. trouble)
    end
  end
end
if not given.keep then os.execute("rm -rf " .. quoted(folder)) end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and passed > 0 and 0 or 1)
