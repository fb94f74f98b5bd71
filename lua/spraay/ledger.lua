-- SPDX-License-Identifier: MIT
--- Asking the ledger: the core's thread reads and writes it, and here one waits for the answer as for
-- anything else. Reading never makes a file that is not there.
local core = require "spraay.core"
local engine = require "spraay.engine"
local errors = require "spraay.errors"
local place = require "spraay.options.place"
local wait = require "spraay.wait"

local ledger = {}

-- code of the core -> kind and code of the error.
local KINDS = {
  MISSING = { "usage", "purchase_missing" }, STATE = { "usage", "purchase_state" },
  KEY = { "wallet", "missing" }, CHECKSUM = { "ledger", "ledger_corrupt" },
  VERSION = { "ledger", "ledger_newer" }, BUSY = { "ledger", "ledger_busy" },
  UNSUPPORTED = { "ledger", "ledger_network_fs" },
}

local HINTS = {
  ledger_corrupt = "Nothing is paid on its word: `spraay ledger verify` says what is wrong, and `spraay ledger "
    .. "repair` keeps what is sound",
  ledger_newer = "Use the release that wrote it, or another file with ledger =",
  ledger_network_fs = "Name a file on a local disk with ledger =, or a folder with SPRAAY_STATE_DIR",
  ledger_open = "Name a file that can be read and written with ledger =, or a folder with SPRAAY_STATE_DIR",
}

local function failed(path, why, code)
  local kind = KINDS[code or false] or { "ledger", "ledger_open" }
  local message = tostring(why)
  if kind[1] == "ledger" and path and not message:find(path, 1, true) then
    message = ("the ledger %s cannot answer: %s"):format(path, message)
  end
  return errors.fail { kind = kind[1], code = kind[2], message = message, hint = HINTS[kind[2]] }
end

--- Wait for an operation of the core. Returns its value, or nil, message, err.
function ledger.wait(op, path)
  local why = wait.until_ { poll = function() return op:done() end, finishing = true }
  if why == "cancelled" then return errors.fail(wait.cancelled_error()) end
  local value, sentence, code = op:result()
  if value == nil then return failed(path, sentence, code) end
  return value
end

local ENOENT = 2

--- Is there a file? One that cannot be looked at is there: the core says what is wrong with it.
function ledger.exists(path)
  local file, _, code = io.open(path, "rb")
  if not file then return code ~= ENOENT end
  file:close()
  return true
end

--- Ask the ledger of a path, "" for the memory of this process. Returns the value, or nil, message, err.
function ledger.ask(path, kind, arguments)
  local handle, why, code = core.ledger(engine.get(), path)
  if not handle then return failed(path, why, code) end
  local op
  op, why, code = handle:ask(kind, arguments)
  if not op then
    handle:close()
    return failed(path, why, code)
  end
  local value, message, err = ledger.wait(op, path)
  handle:close()
  return value, message, err
end

--- Ask the ledger of a client; a file that is not there yet holds nothing.
function ledger.ask_client(client, kind, arguments)
  local path = client.config.ledger
  if not path and not client.config.ledger_off then return errors.fail(place.missing()) end
  if path and not ledger.exists(path) then return {} end
  return ledger.ask(path or "", kind, arguments)
end

return ledger
