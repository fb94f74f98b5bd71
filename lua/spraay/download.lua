-- SPDX-License-Identifier: MIT
--- Saving what a result points at. Output links die within the hour, so results are saved when they
-- arrive. A download never carries a payment header; redirects are followed by hand, https only
-- (http on loopback), and the file appears under its name only when it is whole.
local engine = require "spraay.engine"
local core = require "spraay.core"
local errors = require "spraay.errors"
local options = require "spraay.options"
local wait = require "spraay.wait"

local download = {}

local REDIRECTS = 5
local MEMORY_MAX = 32 * 1024 * 1024   -- what is larger goes straight to a file beside the target
local FILE_MAX = 4 * 1024 * 1024 * 1024

local REDIRECT = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

-- May this link be fetched? Returns nil and a clause when not. With loopback = false, none to this machine is.
local function check_url(url, loopback)
  local scheme, authority = url:match("^(%a+)://([^/?#]+)")
  if not scheme or url:find("[%c%s]") then return nil, "is not a link that can be fetched" end
  if authority:find("@", 1, true) then return nil, "carries a user name" end
  local host = authority:match("^(%[[^%]]*%])") or authority:match("^([^:]+)")
  scheme = scheme:lower()
  if host and loopback == false and options.is_loopback(host) then return nil, "leads to this machine" end
  if scheme == "https" or (scheme == "http" and host and options.is_loopback(host)) then return true end
  return nil, "is not https"
end

-- Where a redirect leads, as an absolute URL.
local function resolve(base, location)
  if location:match("^%a[%w+.%-]*:") then return location end
  local scheme, authority, path = base:match("^(%a+)://([^/?#]+)([^?#]*)")
  if location:sub(1, 2) == "//" then return scheme .. ":" .. location end
  if location:sub(1, 1) == "/" then return scheme .. "://" .. authority .. location end
  return scheme .. "://" .. authority .. path:gsub("[^/]*$", "") .. location
end

local function fail(url, why, fields)
  fields = fields or {}
  fields.kind, fields.code = fields.kind or "connection", fields.code or "download"
  fields.message = ("saving %s: %s"):format(errors.foreign(url, 160) or "a link", why)
  fields.hint = "The result itself is still here; call save again while its link lives"
  return errors.fail(fields)
end

--- Fetch a link. Returns its bytes, or nil and the path of a file in `directory` that holds them; or
-- nil, message, err. `how` may hold max= (bytes), total_ms=, loopback= (false: not from this machine) and
-- finishing= (a task that is being stopped still waits for it).
function download.fetch(url, config, directory, how)
  local from = url
  how = how or {}
  for _ = 0, REDIRECTS do
    local ok, why = check_url(url, how.loopback)
    if not ok then
      return fail(from, (url == from and "it " or "it leads to a link that ") .. why, { kind = "policy" })
    end
    local transfer, message = engine.get():fetch {
      method = "GET", url = url, headers = { { "Accept", "*/*" } },
      connect_ms = config.core.connect_ms, idle_ms = config.core.idle_ms, total_ms = how.total_ms or 3600000,
      max_body = MEMORY_MAX,
      spill_dir = directory, max_spill = how.max or FILE_MAX, user_agent = config.core.user_agent,
      proxy = config.core.proxy, ca_file = config.core.ca_file, resolve = config.core.resolve,
    }
    if not transfer then return fail(from, tostring(message)) end
    local why_ended = wait.until_ { poll = function() return transfer:done() end, finishing = how.finishing }
    if why_ended == "cancelled" then
      transfer:cancel()
      return errors.fail(wait.cancelled_error())
    end
    local answer, sentence, code = transfer:result()
    if not answer then
      local timed_out = type(code) == "string" and code:find("TIMEOUT", 1, true)
      return fail(from, tostring(sentence), { kind = timed_out and "timeout" or "connection" })
    end
    local location = answer.headers and answer.headers.location
    if REDIRECT[answer.status] and location then
      url = resolve(url, location)
    elseif answer.status >= 200 and answer.status < 300 then
      if answer.file then return nil, answer.file end
      return answer.body or ""
    else
      return fail(from, ("the server answered %d"):format(answer.status),
        { kind = "gateway", status = answer.status })
    end
  end
  return fail(from, ("more than %d redirects"):format(REDIRECTS))
end

local function cannot_write(path, why)
  return errors.fail {
    kind = "usage", code = "file", message = ("%s cannot be written: %s"):format(path, tostring(why)),
    hint = "The result itself is still here; call save again with another path",
  }
end

-- Give a finished file its name. Returns the path, or nil, message, err.
local function publish(part, path)
  local renamed, why = os.rename(part, path)
  if renamed then return path end
  os.remove(part)
  return cannot_write(path, why)
end

-- Make the missing folders of a path. Returns true, or nil, message, err.
local function make_folder(path)
  local folder = path:match "^(.+)/[^/]*$"
  if not folder then return true end
  local made, why = core.folder(folder)
  if made then return true end
  return cannot_write(path, why)
end

--- Write a file whole or not at all; missing folders are made. Returns the path, or nil, message, err.
function download.write(path, data)
  local made, message, err = make_folder(path)
  if not made then return nil, message, err end
  local part = path .. ".part"
  local file, why = io.open(part, "wb")
  if not file then return cannot_write(path, why) end
  local written, write_why = file:write(data)
  local closed, close_why = file:close()
  if written and closed then return publish(part, path) end
  os.remove(part)
  return cannot_write(path, write_why or close_why)
end

-- What a file looked like when it was kept lies beside it, under a name of its own.
local function seal_path(path)
  return (path:gsub("([^/]*)$", ".%1.sum"))
end

-- A file's size, and its hash where it is no matter of time; nil when it cannot be read.
local function looks(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local size = file:seek "end"
  local data = size and size <= MEMORY_MAX and file:seek "set" and file:read "*a"
  file:close()
  if not size or (size <= MEMORY_MAX and not data) then return nil end
  return ("%d %s"):format(size, data and core.hex_encode(core.sha256(data)) or "-")
end

--- Note what a kept file looks like.
function download.seal(path)
  local text = looks(path)
  if text then download.write(seal_path(path), text) end
end

--- Is there a kept file, and is it what was kept? What a disk has cut short is none.
function download.is_kept(path)
  local now, file = looks(path), io.open(seal_path(path), "rb")
  if not file then return now ~= nil end   -- one without a seal: of an earlier version, or the disk was full
  local text = file:read "*a"
  file:close()
  return now == text
end

--- Fetch a link to a path; `how` as for download.fetch. Returns the path, or nil, message, err.
function download.to_file(url, path, config, how)
  local made, message, err = make_folder(path)   -- before the fetch: what is large is spilled there
  if not made then return nil, message, err end
  local data, file
  data, file, err = download.fetch(url, config, path:match("^(.*/)[^/]*$") or ".", how)
  if err then return nil, file, err end
  if data then return download.write(path, data) end
  return publish(file, path)
end

-- A kept file under another name, a piece at a time.
local PIECE = 1024 * 1024
local function copy(from, path)
  local made, message, err = make_folder(path)
  if not made then return nil, message, err end
  local source = io.open(from, "rb")
  if not source then return cannot_write(path, from .. " is gone") end
  local part = path .. ".part"
  local target, why = io.open(part, "wb")
  local fine = target ~= nil
  while fine do
    local piece = source:read(PIECE)
    if not piece then break end
    fine, why = target:write(piece)
  end
  source:close()
  if target then
    local closed, close_why = target:close()
    if fine and closed then return publish(part, path) end
    why = why or close_why
    os.remove(part)
  end
  return cannot_write(path, why)
end

-- A file name for the i-th link: its own, made harmless, else "output".
local function name_of(url, index, used)
  local base = url:gsub("[?#].*$", ""):match("([^/]+)$") or ""
  if base:match("^%a+:") or not url:match("^%a+://[^/]+/.") then base = "" end
  base = base:gsub("%%%x%x", "_"):gsub("[^%w%.%-_]", "_"):gsub("^%.+", "")
  if base == "" then base = "output" end
  if #base > 120 then base = base:sub(-120) end
  local name, n = base, index
  while used[name] do
    local stem, extension = base:match("^(.+)(%.[^%.]+)$")
    name = (stem or base) .. "-" .. n .. (extension or "")
    n = n + 1
  end
  used[name] = true
  return name
end

-- "out.png" for the first of several, "out-2.png" for the second.
local function numbered(path, index)
  if index == 1 then return path end
  local stem, extension = path:match("^(.+)(%.[^%./]+)$")
  return (stem or path) .. "-" .. index .. (extension or "")
end

--- Save links under a path; a path that ends in "/" is a directory. files[i] may be where the i-th has been
-- kept. Returns the path, or a list of paths when there were several links, or nil, message, err.
function download.save(urls, path, config, files)
  local paths, used = {}, {}
  for i, url in ipairs(urls) do
    local target = path:sub(-1) == "/" and path .. name_of(url, i, used) or numbered(path, i)
    local kept = files and files[i]
    local written, message, err
    if kept and download.is_kept(kept) then
      written, message, err = copy(kept, target)
    else
      written, message, err = download.to_file(url, target, config)
    end
    if not written then
      if err and err.code ~= "file" and #paths > 0 then err.results = paths end
      return nil, message, err
    end
    paths[i] = written
  end
  if #paths == 1 then return paths[1] end
  return paths
end

return download
