--- The folder that `make bundle` puts together, made anew from the objects of this build:
---   local bundle = require "spec.support.bundle"
---   local folder = bundle.make()          -- remove it yourself
---   bundle.without_curl(folder)           -- from now on its object asks for a libcurl that is nowhere
-- SPDX-License-Identifier: MIT
local bundle = {}

local function output(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

--- A folder that holds nothing but `bundle` and `bundle.tar.gz`.
function bundle.make()
  local folder = output "mktemp -d"
  local said = output(("make -s BUILD=%s LUA_VERSION=5.1 BUNDLE=%s/bundle bundle-folder"):format(
    os.getenv "SPRAAY_SPEC_BUILD" or "build", folder))
  if said ~= "" then error(said, 2) end
  return folder
end

--- What the object needs has a name inside it; another of the same length takes its place.
function bundle.without_curl(folder)
  local path = folder .. "/bundle/spraay/core.so"
  local file = assert(io.open(path, "rb"))
  local bytes, n = file:read "*a":gsub("libcurl%.so%.4%z", "libcurl.so.9\0")
  file:close()
  assert(n == 1, "the name stands there " .. n .. " times")
  file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
end

bundle.output = output

return bundle
