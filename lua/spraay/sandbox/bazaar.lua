--- The discovery part of a challenge: what a route takes and gives, as samples and as a schema.
--- A client should carry it past unread; it is here because it makes challenges as long as the
--- real ones, and because an echo of it must match.
--- x402 extension "bazaar", https://github.com/x402-foundation/x402/tree/main/specs/extensions
-- SPDX-License-Identifier: MIT
local json = require "spraay.sandbox.json"

local bazaar = {}

local function schema_of(value)
  if type(value) ~= "table" then return { type = type(value) == "number" and "number" or "string" } end
  if #value > 0 then return { type = "array", items = schema_of(value[1]) } end
  local properties = {}
  for name, member in pairs(value) do properties[name] = schema_of(member) end
  return { type = "object", properties = properties }
end

local function names_of(value)
  local names = json.array()
  for name in pairs(value or {}) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function input_of(route)
  if route.method == "POST" then
    return { type = "http", method = "POST", bodyType = "json", body = route.sample or {} }
  end
  local input = { type = "http", method = "GET", queryParams = route.query or {} }
  if route.path:find(":id", 1, true) then input.pathParams = { id = "p1" } end
  return input
end

local function build(route)
  local input = input_of(route)
  local properties = {
    type = { type = "string", const = "http" },
    method = { type = "string", enum = json.array{ route.method } },
  }
  local required = json.array{ "type", "method" }
  if route.method == "POST" then
    properties.bodyType = { type = "string", enum = json.array{ "json", "form-data", "text" } }
    properties.body = schema_of(route.sample or {})
    properties.body.required = names_of(route.sample)
    required = json.array{ "type", "bodyType", "body", "method" }
  else
    properties.queryParams = schema_of(route.query or {})
  end
  return {
    info = { input = input, output = { type = "json", example = route.answer } },
    schema = {
      ["$schema"] = "https://json-schema.org/draft/2020-12/schema", type = "object",
      properties = {
        input = { type = "object", properties = properties, required = required,
                  additionalProperties = false },
        output = { type = "object", required = json.array{ "type" },
                   properties = { type = { type = "string" }, example = schema_of(route.answer or {}) } },
      },
      required = json.array{ "input" },
    },
  }
end

local built = {}

--- The extensions of a route: as a table, and as JSON text ready to paste.
---@return table extensions
---@return table raw
function bazaar.of(route)
  local entry = built[route]
  if not entry then
    local extensions = { bazaar = build(route) }
    entry = { extensions = extensions, raw = json.raw(json.encode(extensions)) }
    built[route] = entry
  end
  return entry.extensions, entry.raw
end

-- Everything of `wanted` present in `got` with equal values; more is allowed.
local function contains(got, wanted)
  if type(wanted) ~= "table" then return got == wanted end
  if type(got) ~= "table" then return false end
  for name, value in pairs(wanted) do
    if not contains(got[name], value) then return false end
  end
  return true
end
bazaar.contains = contains

--- Does a payment's echo of the extensions hold what was announced? Absent is fine.
---@return boolean
function bazaar.echo_matches(route, echoed)
  if type(echoed) ~= "table" or echoed.bazaar == nil then return true end
  local info = type(echoed.bazaar) == "table" and echoed.bazaar.info
  return contains(info, bazaar.of(route).bazaar.info)
end

return bazaar
