-- SPDX-License-Identifier: MIT
--- require "spraay": AI compute that pays for itself, call by call, over x402.
--
--   local spraay = require "spraay"
--   local client = assert(spraay.open { wallet = spraay.wallet.env() })
--   print(assert(client:chat "Name three lighthouses"))
--
-- Options, results and errors are described in types.lua, where editors find them too.
local client = require "spraay.client"
local core = require "spraay.core"
local errors = require "spraay.errors"
local json = require "spraay.json"
local money = require "spraay.money"
local task = require "spraay.task"
local wait = require "spraay.wait"
local wallet = require "spraay.wallet"
local x402 = require "spraay.x402"

if type(rawget(_G, "ngx")) == "table" then require "spraay.drivers.ngx" end   -- tasks are its light threads

return {
  version = require "spraay.version",

  -- clients
  open = client.open,
  wallet = {
    env = wallet.env, file = wallet.file, signer = wallet.signer, generate = wallet.generate,
    keystore = wallet.keystore, solana = wallet.solana,
  },

  -- money
  usdc = money.usdc,
  sum = money.sum,

  -- tasks
  run = task.run, spawn = task.spawn, all = task.all, map = task.map, first = task.first,
  within = task.within, sleep = task.sleep, update = task.update, pcall = task.pcall,
  use = wait.use,

  -- JSON
  array = json.array,
  null = core.json_null,

  -- for people with an HTTP client of their own
  x402 = { session = x402.session, read = x402.read, pay = x402.pay },

  -- is this value an error of ours?
  is_error = errors.is,
}
