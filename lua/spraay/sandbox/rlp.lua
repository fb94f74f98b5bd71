--- Recursive length prefix, read strictly: an encoding that is not the one shortest way to say a
--- thing is refused, as every node refuses it. Written for the sandbox alone, so that a mistake in
--- the client's own writer does not agree with itself.
--- A list is a Lua list, bytes are a string. The sentences of refusal are those of geth.
--- https://ethereum.org/en/developers/docs/data-structures-and-encoding/rlp/
-- SPDX-License-Identifier: MIT

local rlp = {}

local MAX_DEPTH = 16

-- Trouble travels as a table, so that a bug of ours stays visible.
local function fail(why) error({ why = why }, 0) end

local function big_endian(bytes)
  local n = 0
  for i = 1, #bytes do n = n << 8 | bytes:byte(i) end
  return n
end

-- Where the item at `at` has its content: kind, first byte and last byte. `stop` is the last byte
-- that may be touched.
local function head(text, at, stop)
  local first = text:byte(at)
  if first < 0x80 then return "bytes", at, at end
  local list = first >= 0xc0
  local short = first - (list and 0xc0 or 0x80)
  local from, length = at + 1, short
  if short > 55 then
    local digits = text:sub(at + 1, at + short - 55)
    if at + #digits > stop or #digits < short - 55 then fail "rlp: value size exceeds available input length" end
    if digits:byte(1) == 0 or #digits > 7 then fail "rlp: non-canonical size information" end
    length = big_endian(digits)
    if length <= 55 then fail "rlp: non-canonical size information" end
    from = at + 1 + #digits
  end
  local last = from + length - 1
  if last > stop then fail "rlp: value size exceeds available input length" end
  if not list and length == 1 and text:byte(from) < 0x80 then fail "rlp: non-canonical size information" end
  return list and "list" or "bytes", from, last
end

local function read(text, at, stop, depth)
  local kind, from, last = head(text, at, stop)
  if kind == "bytes" then return text:sub(from, last), last + 1 end
  if depth == MAX_DEPTH then fail "rlp: lists too deep" end
  local list, next_at = {}, from
  while next_at <= last do list[#list + 1], next_at = read(text, next_at, last, depth + 1) end
  return list, last + 1
end

--- Decode exactly one item.
---@param text string
---@return string|table|nil item
---@return string? why
function rlp.decode(text)
  if text == "" then return nil, "rlp: unexpected end of input" end
  local ok, item, after = pcall(read, text, 1, #text, 1)
  if not ok then
    if type(item) == "table" then return nil, item.why end
    error(item, 0)
  end
  if after <= #text then return nil, "rlp: input contains more than one value" end
  return item
end

local function prefix(base, length)
  if length <= 55 then return string.char(base + length) end
  local digits = string.pack(">I8", length):gsub("^\0+", "")
  return string.char(base + 55 + #digits) .. digits
end

--- Encode an item.
---@param item string|table
---@return string
function rlp.encode(item)
  if type(item) == "string" then
    if #item == 1 and item:byte() < 0x80 then return item end
    return prefix(0x80, #item) .. item
  end
  local parts = {}
  for i, one in ipairs(item) do parts[i] = rlp.encode(one) end
  local content = table.concat(parts)
  return prefix(0xc0, #content) .. content
end

return rlp
