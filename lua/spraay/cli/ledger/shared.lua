--- What the actions of `spraay ledger` share: its rows, the wallet whose word it is, and how trouble is told.
-- SPDX-License-Identifier: MIT
local cli = require "spraay.cli"
local errors = require "spraay.errors"
local ledger = require "spraay.ledger"
local print_ = require "spraay.cli.print"
local purchases = require "spraay.purchases"
local wallet = require "spraay.wallet"

local shared = {}

--- Say that nothing is there yet.
function shared.nothing(args)
  print("nothing was bought yet: there is no ledger " .. args.path)
end

--- Say what is wrong; returns the exit code, 2 unless told.
function shared.trouble(text, code)
  io.stderr:write("spraay ledger: ", text, "\n")
  return code or 2
end

function shared.trouble_of(err)
  return shared.trouble(errors.sentence(err):gsub(" Nothing was paid%.", ""), cli.exit_of(err))
end

--- The wallet whose word it is, or nil and its error. On "solana" it is a Solana key's; else an EVM key's.
function shared.wallet_of(args, rail)
  local on_solana = rail == "solana"
  local from, _, err
  if args.key_file then
    from, _, err = (on_solana and wallet.solana or wallet.file)(args.key_file)
  else
    from, _, err = wallet.env(on_solana and wallet.SOLANA_ENV or nil)
  end
  if not from then return nil, err end
  local key
  key, _, err = from:key()
  if not key then return nil, err end
  return from, nil, key   -- the key is the core's handle, not its bytes
end

--- The same of whatever rail there is a key for: records are judged, and nothing is paid.
function shared.any_wallet_of(args)
  local from, err, key = shared.wallet_of(args)
  if key or not (args.key_file or err.code == "missing") then return from, err, key end
  local other, _, other_key = shared.wallet_of(args, "solana")
  if other_key then return other, nil, other_key end
  return from, err, key
end

--- The wallets that a client of these arguments pays from.
function shared.wallets_of(args)
  if not args.key_file then return wallet.of_environment(os.getenv) end
  local from, wallet_err = shared.wallet_of(args)
  if not from then from = shared.wallet_of(args, "solana") end
  if not from then return nil, wallet_err end
  return { from }
end

--- Have the ledger know the other rail's key too, where the environment has one: its records are then judged as well.
function shared.know_others(args)
  if args.key_file then return end
  local _, _, key = shared.wallet_of(args, "solana")
  if key then ledger.ask(args.path, "list", { limit = 1, wallet = key }) end
end

--- Rows as they are on record, or nil and the exit code. A ledger that is not there holds none.
function shared.rows_of(args, filter)
  if not ledger.exists(args.path) then return {} end
  local rows, _, err = ledger.ask(args.path, "list", filter)
  if not rows then return nil, shared.trouble_of(err) end
  return rows
end

--- The one purchase of an id, or nil and the exit code.
function shared.row_of(args)
  local rows, code = shared.rows_of(args, { id = args.id })
  if not rows then return nil, code end
  if not rows[1] then
    return nil, shared.trouble(("the ledger %s knows no purchase %s"):format(args.path, print_.text(args.id)))
  end
  return rows[1]
end

--- The rows that the filters of the command line choose, or nil and the exit code.
function shared.chosen(args)
  local question, _, err = purchases.question({ state = args.state, run = args.run, since = args.since },
    "the filter")
  if not question then return nil, shared.trouble_of(err) end
  return shared.rows_of(args, question)
end

--- "gateway.spraay.app" of a row.
function shared.host(row)
  return (row.origin or ""):match("^%a+://(.+)$") or ""
end

return shared
