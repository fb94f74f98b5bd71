--- What one payment costs in the core, piece by piece.
-- SPDX-License-Identifier: MIT

local bench = require "spec.bench.bench"
local core = require "spraay.core"

local digest = core.keccak256 "a digest"
local key = core.keccak256 "a key that never holds money"
local kilobyte = ("x"):rep(1024)
local body = {
  model = "auto",
  max_tokens = 256,
  messages = { { role = "user", content = kilobyte } },
}

print(_VERSION)
bench.run("keccak256, 1 KiB", function() core.keccak256(kilobyte) end)
bench.run("sha256, 1 KiB", function() core.sha256(kilobyte) end)
bench.run("sign a digest, secp256k1", function() core.secp_sign(digest, key) end)
bench.run("amount to atomic units", function() core.amount_to_atomic("1.25", 6) end)
bench.run("encode a chat request, 1 KiB", function() core.json_encode(body) end)
