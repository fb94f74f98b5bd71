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

--- The key in an environment variable (SPRAAY_PRIVATE_KEY unless told): 64 hex digits.
function wallet.env(name)
  local named = type(name) == "string" and name:match("^[%a_][%w_]*$") and #name < 60
  if name ~= nil and not named then   -- a key given by mistake must not end up in a sentence
    return fail("spraay.wallet.env: expected the name of an environment variable, not a key",
      "spraay.wallet.env() reads " .. wallet.DEFAULT_ENV)
  end
  name = name or wallet.DEFAULT_ENV
  return new {
    source = "env " .. name,
    open = function() return core.wallet_env(name) end,
    hint = ("Set %s to the 64 hex digits of a key, or pass another wallet to spraay.open"):format(name),
  }
end

--- The key in a file of mode 0600 that belongs to you: 64 hex digits.
function wallet.file(path)
  if type(path) ~= "string" or path == "" or path:find("%z") then
    return fail("spraay.wallet.file: expected a path")
  end
  if path:sub(1, 2) == "~/" and os.getenv("HOME") then path = os.getenv("HOME") .. path:sub(2) end
  return new {
    source = "file " .. path,
    open = function() return core.wallet_file(path) end,
    hint = "A key file belongs to you, and nobody else can read it",
  }
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
    source = "signer", sign = options.sign, given_address = options.address,
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
    source = "generated", loopback_only = true,
    open = function() return core.wallet_random() end,
  }
end

--- Keystores and Solana keys are not in this version; they say so instead of failing later.
function wallet.keystore()
  return fail("spraay.wallet.keystore: this version does not read keystores",
    "Use spraay.wallet.env() or spraay.wallet.file(path)", "unsupported")
end

function wallet.solana()
  return fail("spraay.wallet.solana: this version pays on Base only",
    "Use spraay.wallet.env() or spraay.wallet.file(path)", "unsupported")
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
