-- SPDX-License-Identifier: MIT
--- Where the ledger lies: the path only; neither disk nor folder is touched here.
-- XDG_STATE_HOME: https://specifications.freedesktop.org/basedir-spec/latest/
local clauses = require "spraay.options.clauses"
local errors = require "spraay.errors"

local place = {}

-- A variable that is empty counts as not set.
local function variable(env, name)
  local value = env(name)
  return value ~= nil and value ~= "" and value or nil
end

local function under(folder, rest)
  return (folder:gsub("/+$", "")) .. "/" .. rest
end

--- The path when the caller names none: a folder of our own, then the one for state, then home. nil when
-- the environment names no place at all.
function place.default(env)
  local own = variable(env, "SPRAAY_STATE_DIR")
  if own then return under(own, "ledger.db") end
  local state = variable(env, "XDG_STATE_HOME")
  if state and state:sub(1, 1) == "/" then return under(state, "spraay/ledger.db") end   -- else it is invalid
  local home = variable(env, "HOME")
  return home and under(home, ".local/state/spraay/ledger.db")
end

--- A path the caller gave: "~/" at its start is home. nil and a clause when it is no path of a file.
function place.given(path, env)
  if not clauses.is_text(path) or #path > 4000 then
    return nil, "must be a path, or false to remember in this process only"
  end
  if path:sub(-1) == "/" then return nil, "names a folder, " .. errors.show(path) .. ": name a file in it" end
  if path:sub(1, 2) ~= "~/" then return path end
  local home = variable(env, "HOME")
  if not home then return nil, "begins with \"~/\", and HOME is not set" end
  return under(home, path:sub(3))
end

--- The error of a call that must be remembered, when there is no place for it.
function place.missing()
  return errors.new {
    kind = "ledger", code = "no_place",
    message = "there is no place for the ledger: none of SPRAAY_STATE_DIR, XDG_STATE_HOME and HOME is set",
    hint = "Name a file with ledger = in spraay.open, or a folder with SPRAAY_STATE_DIR; ledger = false "
      .. "remembers purchases in this process only",
  }
end

return place
