-- SPDX-License-Identifier: MIT
--- Wallets. The key itself lives in locked memory of the core and no function returns it; these
-- objects know where it comes from and open it when it is first needed.
--
-- env and file never fail by themselves: free calls and quotes work without any key, and the first
-- paid call says precisely what is wrong with it.
local core = require "spraay.core"
local errors = require "spraay.errors"

local wallet = {}

local Wallet = { __name = "spraay.wallet" }
Wallet.__index = Wallet

wallet.DEFAULT_ENV = "SPRAAY_PRIVATE_KEY"
wallet.SOLANA_ENV = "SPRAAY_SOLANA_KEY"

-- The last constructor that failed. `wallet = spraay.wallet.keystore(…)` inside a table leaves nothing
-- there, and a client must not then pay with another key; open asks for this.
local failed

local function fail(message, hint, code)
  local none, sentence, err = errors.fail {
    kind = code == "unsupported" and "usage" or "wallet", code = code or "argument", message = message,
    hint = hint,
  }
  failed = err
  return none, sentence, err
end

--- The error of a constructor that failed since the last call, or nil.
function wallet.take_failure()
  local err = failed
  failed = nil
  return err
end

local function new(fields)
  return setmetatable(fields, Wallet)
end

--- The key in an environment variable (SPRAAY_PRIVATE_KEY unless told): 64 hex digits are a key of an EVM
-- chain, 64 bytes in base58 or as a JSON list one of Solana.
function wallet.env(name)
  local named = type(name) == "string" and name:match("^[%a_][%w_]*$") and #name < 60
  if name ~= nil and not named then   -- a key given by mistake must not end up in a sentence
    return fail("spraay.wallet.env: expected the name of an environment variable, not a key",
      "spraay.wallet.env() reads " .. wallet.DEFAULT_ENV)
  end
  name = name or wallet.DEFAULT_ENV
  local form = name == wallet.SOLANA_ENV and "the base58 or JSON form of a Solana key" or "the 64 hex digits of a key"
  return new {
    source = "env " .. name, variable = name,
    open = function() return core.wallet_env(name) end,
    hint = ("Set %s to %s, or pass another wallet to spraay.open"):format(name, form),
  }
end

--- The wallets of the environment: one per rail whose variable is set; that of SPRAAY_PRIVATE_KEY when none is,
-- for its error says what to do.
function wallet.of_environment(env)
  local function is_set(name)
    local value
    if env == os.getenv then value = core.wallet_env_rail(name) else value = env(name) end
    return value ~= nil and value ~= ""
  end
  local list = {}
  for _, name in ipairs { wallet.DEFAULT_ENV, wallet.SOLANA_ENV } do
    if is_set(name) then list[#list + 1] = wallet.env(name) end
  end
  if #list == 0 then list[1] = wallet.env() end
  return list
end

-- A key in place of the path of its file? It must not end up in a sentence.
local function is_key(text)
  text = text:match("^%s*(.-)%s*$")
  return text:match("^0?[xX]?%x+$") and #text >= 64 or text:match("^%[[%d,%s]+%]$")
    or text:match("^%w+$") and #text >= 80
end

local function of_file(path, where, rail, opener)
  if type(path) ~= "string" or path == "" or path:find("%z") then
    return fail(where .. ": expected a path")
  end
  if is_key(path) then
    return fail(where .. ": expected the path of a key's file, not the key", ("spraay.wallet.env(%s) reads the "
      .. "environment; a file that is named like a key is written ./NAME"):format(
      rail == "solana" and '"' .. wallet.SOLANA_ENV .. '"' or ""))
  end
  if path:sub(1, 2) == "~/" and os.getenv("HOME") then path = os.getenv("HOME") .. path:sub(2) end
  return new {
    source = "file " .. path, on = rail,
    open = function() return opener(path) end,
    hint = "A key file belongs to you, and nobody else can read it",
  }
end

--- The key in a file of mode 0600 that belongs to you: 64 hex digits.
function wallet.file(path)
  return of_file(path, "spraay.wallet.file", "evm", core.wallet_file)
end

--- A Solana key in such a file: the id.json of Solana's tools, or its 64 bytes in base58.
function wallet.solana(path)
  return of_file(path, "spraay.wallet.solana", "solana", core.wallet_solana)
end

local SIGNER = { "address", "sign", "nonce_secret" }
wallet.signer_fields = SIGNER

--- A key that lives elsewhere: { address=, sign=, nonce_secret= }. sign(typed_data, digest, terms)
-- gets the EIP-712 document as JSON, its digest as hex, and what is being bought; it returns the
-- signature as hex, or nil and a reason. It may wait.
function wallet.signer(options)
  if type(options) ~= "table" then
    return fail("spraay.wallet.signer: expected { address=, sign=, nonce_secret= }")
  end
  local key, strange = errors.stranger(options, SIGNER)
  if strange then
    return fail("spraay.wallet.signer: unknown option " .. errors.show(key), errors.meant(key, SIGNER))
  end
  if type(options.address) ~= "string" or not options.address:match("^0[xX]%x+$")
    or #options.address ~= 42 then
    return fail("spraay.wallet.signer: address must be an EVM address, 0x and 40 hex digits")
  end
  if type(options.sign) ~= "function" then
    return fail("spraay.wallet.signer: sign must be a function(typed_data, digest, terms)")
  end
  local secret = options.nonce_secret
  if secret ~= nil and (type(secret) ~= "string" or #secret < 16) then
    return fail("spraay.wallet.signer: nonce_secret must be a string of at least 16 bytes",
      "It is not a key, but it must stay the same and secret: nonces are derived from it")
  end
  return new {
    source = "signer", on = "evm", sign = options.sign, given_address = options.address,
    open = function()
      return core.wallet_signer { address = options.address, nonce_secret = secret }
    end,
  }
end

--- A new key. Without a path it lives in memory only and pays loopback gateways alone.
function wallet.generate(path)
  if path ~= nil then
    return fail("spraay.wallet.generate: this version cannot write encrypted keystores",
      "Without a path it makes a key in memory, for loopback gateways", "unsupported")
  end
  return new {
    source = "generated", on = "evm", loopback_only = true,
    open = function() return core.wallet_random() end,
  }
end

--- Keystores are not in this version; it says so instead of failing later.
function wallet.keystore()
  return fail("spraay.wallet.keystore: this version does not read keystores",
    "Use spraay.wallet.env() or spraay.wallet.file(path)", "unsupported")
end

--- Equal as their chain compares them: EVM addresses without regard to case, others exactly.
function wallet.same_address(a, b)
  if a == nil or b == nil then return false end
  if a:match("^0[xX]") then return a:lower() == b:lower() end
  return a == b
end

--- "evm" or "solana" for a network's CAIP-2 id; nil for others.
function wallet.rail_of(network)
  return network:match("^eip155:") and "evm" or network:match("^solana:") and "solana" or nil
end

--- The wallet of a list that pays on a rail, or nil.
function wallet.on(list, rail)
  for _, one in ipairs(list) do
    if one:rail() == rail then return one end
  end
end

--- Is this one of our wallets?
function wallet.is(value)
  return type(value) == "table" and getmetatable(value) == Wallet
end

--- The core's wallet, opened on first use. Returns nil, message, err of kind "wallet" when it cannot be.
function Wallet:key()
  if self.closed then
    return errors.fail { kind = "wallet", code = "closed", message = "the wallet was closed" }
  end
  if self.opened then return self.opened end
  local opened, why, code = self.open()
  if not opened then
    return errors.fail { kind = "wallet", code = code and code:lower() or "unusable", message = tostring(why),
      hint = self.hint }
  end
  self.opened = opened
  return opened
end

--- "evm" or "solana": where it pays. The key is not opened for that.
function Wallet:rail()
  if self.on then return self.on end
  return core.wallet_env_rail(self.variable) or (self.variable == wallet.SOLANA_ENV and "solana" or "evm")
end

--- The address that pays, checksummed; nil, message, err when the key cannot be used.
function Wallet:address()
  local key, message, err = self:key()
  if not key then return nil, message, err end
  return key:address()
end

--- Forget the key.
function Wallet:close()
  if self.opened and not self.closed then self.opened:close() end
  self.opened, self.closed = nil, true
end

Wallet.__tostring = function(self)
  if self.opened then return tostring(self.opened) end
  return ("wallet (%s, %s)"):format(self.source, self.closed and "closed" or "not opened yet")
end

return wallet
