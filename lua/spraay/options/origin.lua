-- SPDX-License-Identifier: MIT
--- Origins: scheme, host and port of whom is asked and paid (https://www.rfc-editor.org/rfc/rfc6454).
local clauses = require "spraay.options.clauses"
local errors = require "spraay.errors"

local origin = {}

--- scheme, host, port of an origin; nil when it is none.
local function split_origin(text)
  local scheme, rest = text:match("^(%a+)://([^/?#]+)/*$")
  if not scheme then return nil end
  scheme = scheme:lower()
  if scheme ~= "http" and scheme ~= "https" then return nil end
  if rest:find("[@%s%c\\]") then return nil end
  local host, port = rest:match("^(%[[%x:%.]+%]):?(%d*)$")
  if not host then host, port = rest:match("^([%w%.%-_]+):?(%d*)$") end
  if not host then return nil end
  if port ~= "" and (tonumber(port) < 1 or tonumber(port) > 65535) then return nil end
  return scheme, host:lower(), port
end

--- Does this host name the machine itself?
function origin.is_loopback(host)
  host = host:lower():gsub("^%[", ""):gsub("%]$", "")
  return host == "localhost" or host == "::1" or host:match("^127%.%d+%.%d+%.%d+$") ~= nil
    or host:match("%.localhost$") ~= nil
end

--- An origin as we write it: lower case, default port dropped. nil and a clause when it is none.
function origin.parse(text)
  if not clauses.is_text(text) then return nil, "must be a URL such as \"https://host\"" end
  local scheme, host, port = split_origin(text)
  if not scheme then
    return nil, errors.show(text) .. " is not an origin; write \"https://host\" or \"https://host:port\""
  end
  if (scheme == "https" and port == "443") or (scheme == "http" and port == "80") then port = "" end
  local loopback = origin.is_loopback(host)
  if scheme == "http" and not loopback then
    return nil, errors.show(text) .. " is plain http; payments travel over https, except on loopback"
  end
  return scheme .. "://" .. host .. (port ~= "" and ":" .. port or ""), nil, loopback
end

return origin
