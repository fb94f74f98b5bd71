-- SPDX-License-Identifier: MIT
--- client:summary(): what this client, or its named run, has paid, may have paid, and was spared.
--
-- settled and open are the ledger's sums for the run, over all processes, or, without a run, for this client.
-- refused and restored count calls of this client in this process: what was refused leaves no record, and
-- what is restored changes none.
local call = require "spraay.call"
local core = require "spraay.core"
local errors = require "spraay.errors"
local failure = require "spraay.failure"
local ledger = require "spraay.ledger"
local money = require "spraay.money"
local purchases = require "spraay.purchases"

local summary = {}

local NOTHING = { settled = "0", open = "0" }

local mt = { __name = "spraay.summary" }

local function line(name, value, more)
  return (("%-9s %12s  %s"):format(name, value, more):gsub("%s+$", ""))
end

mt.__tostring = function(self)
  local lines = {
    line("settled", self.settled, "USDC"),
    line("open", self.open, "USDC" .. (#self.purchases > 0 and (" in %d purchase%s"):format(#self.purchases,
      #self.purchases == 1 and "" or "s") or "")),
    line("refused", self.refused, ""), line("restored", self.restored, ""),
  }
  if self.budget then
    lines[#lines + 1] = line("budget", self.budget, ("USDC, %s left"):format(self.left))
  end
  for _, open in ipairs(self.purchases) do
    lines[#lines + 1] = ("  %s  %s USDC  %s  %s: %s"):format(open.id, open.amount, open.verb or open.route or "?",
      open.state, open.hint)
  end
  return table.concat(lines, "\n")
end
mt.__concat = function(a, b) return tostring(a) .. tostring(b) end

-- The open purchases of the run, or those this client has told its caller of.
local function open_rows(client)
  local run = client.config.core.run
  local rows, message, err = ledger.ask_client(client, "list", { open = true, run = run })
  if not rows then return nil, message, err end
  local out, command = {}, failure.command(client, "reconcile"):gsub("`", "")
  for _, row in ipairs(rows) do
    if run or client.told[row.id] then
      local open = purchases.readable(row)
      open.hint = purchases.hint(row, call.now(client), command)
      out[#out + 1] = open
    end
  end
  return out
end

-- The ledger's sums and the open purchases, or nil, message, err.
local function read(client, handle)
  local path = client.config.ledger
  if not client.config.ledger_off and not (path and ledger.exists(path)) then return NOTHING, {} end
  local totals, message, err = ledger.wait(handle:totals(), path)
  if not totals then return nil, message, err end
  local open
  open, message, err = open_rows(client)
  if not open then return nil, message, err end
  return totals, open
end

--- The summary of a client, or nil, message, err.
function summary.of(client)
  if client.closed then return errors.usage("client:summary: the client was closed", nil, "closed") end
  local handle, failed = call.core_client(client)
  if not handle then return errors.fail(failed) end
  local totals, open, err = read(client, handle)
  if not totals then return nil, open, err end
  local budget = client.config.core.budget
  local committed = totals.committed or money.add(totals.settled, totals.open)
  return setmetatable({
    settled = money.format(totals.settled), open = money.format(totals.open),
    refused = client.counts.refused or 0, restored = client.counts.restored or 0,
    budget = budget and money.format(budget) or nil,
    left = budget and money.format(core.amount_sub(budget, committed) or "0") or nil,
    run = client.config.core.run, purchases = open,
  }, mt)
end

return summary
