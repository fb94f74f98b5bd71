-- SPDX-License-Identifier: MIT
--- Headers of the caller, on their way into every request to the gateway.
local errors = require "spraay.errors"

local headers = {}

-- Headers that carry money or frame the message are ours.
local OURS = { ["payment-signature"] = true, ["x-payment"] = true, ["payment-required"] = true,
  ["payment-response"] = true, ["x-solana-tx"] = true, ["content-length"] = true, ["host"] = true,
  ["transfer-encoding"] = true, ["connection"] = true, ["if-none-match"] = true, ["accept"] = true,
  ["content-type"] = true, ["x-api-key"] = true }

--- Header lines from { name = value } or a list of { name, value }; nil and a clause when one is wrong.
function headers.lines(value)
  if type(value) ~= "table" then return nil, "must be a table { [\"name\"] = \"value\" }" end
  local lines, names = {}, {}
  for key, item in pairs(value) do
    local name, text = key, item
    if type(item) == "table" then name, text = item[1], item[2] end
    if type(name) ~= "string" or not name:match("^[%w!#$%%&'*+%-.^_`|~]+$") then
      return nil, "has a name that is not a header name: " .. errors.show(name)
    end
    if type(text) ~= "string" or text:find("[%z\1-\8\10-\31\127]") then
      return nil, errors.show(name) .. " must have a text without control characters"
    end
    if OURS[name:lower()] then return nil, errors.show(name) .. " is set by this library" end
    names[#names + 1] = name
    lines[name] = text
  end
  table.sort(names)
  local out = {}
  for i, name in ipairs(names) do out[i] = { name, lines[name] } end
  return out
end

return headers
