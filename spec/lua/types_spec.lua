-- SPDX-License-Identifier: MIT
--- The annotations editors read, against what the modules really export: both ways.
local fake = require "spec.support.fakecore"

describe("types.lua", function()
  local spraay = fake.new()
  local file = assert(io.open "lua/spraay/types.lua")
  local text = file:read "*a"
  file:close()

  local function set(list)
    local out = {}
    for _, name in ipairs(list) do out[name] = true end
    return out
  end

  -- The functions a class is said to have: every `function Name.x(` or `function Name:x(`.
  local function declared(name)
    local names = {}
    for method in text:gmatch("\nfunction " .. name .. "[.:]([%w_]+)%(") do names[method] = true end
    return names
  end

  -- The fields a class is said to have.
  local function fields(name)
    local names, inside = {}, false
    for line in (text .. "\n"):gmatch "([^\n]*)\n" do
      local class = line:match "^%-%-%-@class spraay%.?([%w_]*)"
      if class then inside = class == name end
      if not line:match "^%-%-" then inside = false end
      if inside then names[line:match "^%-%-%-@field ([%w_]+)" or false] = true end
    end
    names[false] = nil
    assert(next(names), name)
    return names
  end

  -- The words of an alias.
  local function words(name)
    local part = text:match("%-%-%-@alias spraay%." .. name .. "([^\n]*\n.-)\n\n")
    local names = {}
    for word in part:gmatch '"([%w_]+)"' do names[word] = true end
    return names
  end

  local function functions(of, except)
    local names = {}
    for key, value in pairs(of) do
      if type(key) == "string" and type(value) == "function" and not key:match "^__"
        and not (except and except[key]) then
        names[key] = true
      end
    end
    return names
  end

  local client = assert(spraay.open {})
  local account = assert(client.futures:account "CFE-1")
  local session = assert(spraay.x402.session(client, { url = "/x" }))
  local task = spraay.spawn(function() end)
  task:wait()

  it("describes every name of the module, and no other", function()
    assert.same(functions(spraay), declared "spraay")
    assert.same(functions(spraay.wallet), declared "wallet")
    assert.same(functions(spraay.x402), declared "x402")
    local rest = {}
    for name, value in pairs(spraay) do
      if type(value) ~= "function" then rest[name] = true end
    end
    assert.same(rest, fields "")
  end)

  for _, case in ipairs {
    { "Client", getmetatable(client).__index }, { "Futures", getmetatable(client.futures).__index },
    { "Account", getmetatable(account).__index }, { "Task", getmetatable(task).__index },
    { "Session", getmetatable(session).__index }, { "Result", require "spraay.result".methods },
    { "Job", require "spraay.jobs".methods },
    { "Wallet", getmetatable(spraay.wallet.env()).__index, { key = true } },   -- key() is ours
  } do
    it("describes every method of a " .. case[1]:lower() .. ", and no other", function()
      assert.same(functions(case[2], case[3]), declared(case[1]))
    end)
  end

  for _, case in ipairs {
    { "OpenOptions", require "spraay.options".names }, { "CallOptions", require "spraay.options".per_call_names },
    { "WaitOptions", require "spraay.jobs".wait_names }, { "SignerOptions", require "spraay.wallet".signer_fields },
    { "GpuArguments", require "spraay.args".gpu_fields },
    { "EstimateArguments", require "spraay.verbs".estimate_fields },
    { "DepositArguments", require "spraay.futures".deposit_fields },
    { "PurchaseFilter", require "spraay.purchases".filters }, { "Purchase", require "spraay.purchases".fields },
    { "ReconcileOptions", require "spraay.reconcile".option_names },
    { "SessionRequest", require "spraay.x402".request_fields }, { "PayPolicy", require "spraay.x402".policy_fields },
  } do
    it("describes every field of " .. case[1] .. ", and no other", function()
      assert.same(set(case[2]), fields(case[1]))
    end)
  end

  for verb, spec in pairs(require "spraay.args".jobs) do
    local class = verb:gsub("^%l", string.upper) .. "Arguments"
    it("describes every field of " .. class .. ", and no other", function()
      local names = { model = true }
      for name in pairs(spec.fields) do names[name] = true end
      assert.same(names, fields(class))
    end)
  end

  it("names every driver", function()
    assert.same(set(require "spraay.drivers".names), words "Driver")
  end)

  it("describes every kind of error, and every word about a payment", function()
    assert.same(require "spraay.errors".kinds, words "ErrorKind")
    assert.same(set { "settled", "free", "restored", "unconfirmed", "credits" }, words "PaymentStatus")
  end)

  it("describes every field that errors, payments and terms are made with", function()
    for class, names in pairs {
      Error = { "kind", "code", "message", "hint", "status", "paid", "expect", "until_", "amount", "purchase",
        "results", "retry_after" },
      Payment = { "status", "amount", "network", "transaction", "payer", "purchase", "parts" },
      Billing = { "charged", "balance" }, Terms = { "amount", "network", "pay_to", "url", "method" },
      Result = { "body", "text", "urls", "vectors", "payment", "billing" },
      Job = { "id", "kind", "raw_status", "status" },
    } do
      local described = fields(class)
      for _, name in ipairs(names) do assert.is_true(described[name], class .. "." .. name) end
    end
  end)

  it("gives every parameter and result a type", function()
    local described = {}
    for line in (text .. "\n"):gmatch "([^\n]*)\n" do
      local parameters = line:match "^function [%w_.:]+%((.*)%)"
      if parameters then
        for name in parameters:gmatch "[%w_]+" do assert.is_true(described[name], line .. ": " .. name) end
        described = {}
      end
      local name = line:match "^%-%-%-@param ([%w_]+)"
      if name then described[name] = true end
    end
  end)

  it("is never needed to run", function()
    assert.is_nil(package.loaded["spraay.types"])
  end)
end)
