--- Reads a version 0 message for the specs, with indices resolved to addresses.
-- SPDX-License-Identifier: MIT
local core = require "spraay.core"

local messages = {}

---@param text string
---@return table { header, accounts = { { address, role } }, blockhash, instructions }
function messages.read(text)
  local at = 1
  local function take(n)
    assert(at + n - 1 <= #text, "cut short")
    at = at + n
    return text:sub(at - n, at - 1)
  end
  local function byte() return take(1):byte() end
  local function count()
    local v, factor = 0, 1
    repeat
      local b = byte()
      v, factor = v + b % 128 * factor, factor * 128
    until b < 128
    return v
  end

  assert(byte() == 0x80, "not version 0")
  local m = { header = { byte(), byte(), byte() }, accounts = {}, instructions = {} }
  local n = count()
  for i = 1, n do
    local signer = i <= m.header[1]
    local writable
    if signer then
      writable = i <= m.header[1] - m.header[2]
    else
      writable = i <= n - m.header[3]
    end
    local role = signer and (writable and "writable signer" or "readonly signer")
        or writable and "writable" or "readonly"
    m.accounts[i] = { address = core.base58_encode(take(32)), role = role }
  end
  m.blockhash = core.base58_encode(take(32))
  for i = 1, count() do
    local one = { program = m.accounts[byte() + 1].address, accounts = {} }
    for k = 1, count() do one.accounts[k] = m.accounts[byte() + 1].address end
    one.data = take(count())
    m.instructions[i] = one
  end
  assert(count() == 0 and at == #text + 1, "something follows")
  return m
end

--- Account addresses of each role, sorted: their order inside one role means nothing.
---@param accounts { address: string, role: string }[]
---@return table<string, string[]>
function messages.roles(accounts)
  local roles = {}
  for _, account in ipairs(accounts) do
    roles[account.role] = roles[account.role] or {}
    table.insert(roles[account.role], account.address)
  end
  for _, list in pairs(roles) do table.sort(list) end
  return roles
end

return messages
