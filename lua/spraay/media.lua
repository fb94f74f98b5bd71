-- SPDX-License-Identifier: MIT
--- Files of named purchases, kept when they arrive: links die within the hour, and what was paid for under a
-- name (run, purchase=) is there when the script is started again.
--
-- They lie beside the ledger, in FILE.d/media, as <purchase>-<n>-<hash of the link>[.ext]: whoever gets the
-- same answer again finds the same file. Keeping never fails a call that was paid for; save() fetches what
-- is not here. Links are followed to other machines only, unless the gateway is on this one: a gateway must
-- not make us ask what listens here.
local core = require "spraay.core"
local download = require "spraay.download"
local jobs = require "spraay.jobs"
local result = require "spraay.result"
local task = require "spraay.task"

local media = {}

--- The largest file that is kept, in bytes.
media.MAX = 512 * 1024 * 1024

-- How many files are fetched side by side.
local PARALLEL = 4

-- ".png" of a link, "" when it has none.
local function extension(url)
  local name = url:gsub("[?#].*$", ""):match("^%a+://[^/]+/.-([^/]*)$") or ""
  local found = name:match("%.(%w+)$")
  return found and #found <= 8 and "." .. found:lower() or ""
end

--- Where the n-th file of a purchase is kept.
function media.path(config, purchase, n, url)
  local hash = core.hex_encode(core.sha256(url)):sub(1, 8)
  return ("%s.d/media/%s-%d-%s%s"):format(config.ledger, purchase, n, hash, extension(url))
end

-- A purchase's id becomes part of a path.
local function is_id(id)
  return type(id) == "string" and #id <= 128 and id:match("^[%w%-_]+$") ~= nil
end

local function fetch(config, item, total_ms)
  if download.is_kept(item.path) then return end
  if download.to_file(item.url, item.path, config,
    { max = media.MAX, total_ms = total_ms, loopback = config.loopback, finishing = true }) then
    download.seal(item.path)
  end
end

-- The files of a value: the purchase, the next number, and the list that they are added to.
local function collect(config, value, id, items)
  local files = {}
  for i, url in ipairs(rawget(value, "urls") or {}) do
    local path = media.path(config, id, #items + 1, url)
    files[i], items[#items + 1] = path, { url = url, path = path }
  end
  return files
end

local function add(config, value, id, items)
  if result.is(value) then
    result.set_files(value, collect(config, value, id, items))
    for _, part in ipairs(value) do add(config, part, id, items) end   -- of a batch
  elseif jobs.is(value) then
    jobs.set_files(value, id, collect(config, value, id, items))
  end
end

--- Keep what a value of a named purchase points at: a result, a job, a batch of them. `id` is the
-- purchase's; unnamed ones, and a client without a ledger, keep nothing.
function media.keep(client, value, opts, id)
  local config = client.config
  if not config.ledger or not (config.core.run or opts.purchase) or not is_id(id) then return end
  local items = {}
  add(config, value, id, items)
  local total_ms = opts.total_ms or config.core.total_ms
  if #items == 1 then
    task.pcall(fetch, config, items[1], total_ms)
  elseif #items > 1 then
    task.map(items, { limit = PARALLEL }, function(item) fetch(config, item, total_ms) end)
  end
end

jobs.keep = media.keep

return media
