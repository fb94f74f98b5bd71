--- The other side of spec/support/processes.lua.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local core = require "spraay.core"
local exchange = require "spec.support.exchange"

io.stdout:setvbuf "no"
local config = cjson.decode(core.hex_decode(arg[1]))
local shared = setmetatable({ exchange = exchange, core = core, cjson = cjson }, { __index = _G })
exchange.ledger = config.ledger
if config.key then
  local wallet = assert(core.wallet_file(config.key))
  local options = { wallet = wallet, origin = config.origin or "https://gateway.test" }
  for key, value in pairs(config.client or {}) do options[key] = value end
  shared.gateway = exchange.new(options)
end

local function load_chunk(text)
  if setfenv then -- luacheck: ignore (5.1 has one)
    local chunk, why = loadstring(text) -- luacheck: ignore
    return chunk and setfenv(chunk, shared), why -- luacheck: ignore
  end
  return load(text, "chunk", "t", shared)
end

while true do
  local n = tonumber(io.read "*l")
  if not n then break end
  local answer = {}
  local chunk, why = load_chunk(io.read(n))
  if chunk then
    local ok, value = pcall(chunk)
    if ok then answer.value = value == nil and cjson.null or value else answer.failed = tostring(value) end
  else
    answer.failed = why
  end
  io.write(cjson.encode(answer), "\n")
end
