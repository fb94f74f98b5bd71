--- The sandbox's own levers, under /_sandbox/: read the books, arm faults, turn the clock, hand out
--- money, ask the chain, fetch media. Nothing here exists at the real gateway.
-- SPDX-License-Identifier: MIT
local crypto = require "spraay.sandbox.crypto"
local json = require "spraay.sandbox.json"
local money = require "spraay.sandbox.money"
local networks = require "spraay.sandbox.networks"
local reply = require "spraay.sandbox.reply"
local rpc = require "spraay.sandbox.rpc"
local solana = require "spraay.sandbox.solana.control"
local solana_address = require "spraay.sandbox.solana.address"
local solana_rpc = require "spraay.sandbox.solana.rpc"

local control = {}

local function refuse(text) return reply.json(400, { error = text }) end
local function done(body) return reply.json(200, body or { ok = true }) end

local handlers = {}

handlers["GET ledger"] = function(sandbox)
  sandbox.solana:catch_up()
  return done(sandbox.books:report(sandbox.chain, sandbox.solana))
end

handlers["GET faults"] = function(sandbox) return done(sandbox.faults:report()) end

handlers["POST faults"] = function(sandbox, request)
  local armed, why = sandbox.faults:arm(request.body)
  if not armed then return refuse(why) end
  return done{ armed = armed.fault }
end

handlers["DELETE faults"] = function(sandbox)
  sandbox.faults:clear()
  return done()
end

-- The chain of a rail by its name, the home's where none is given.
local function chain_of(sandbox, name)
  if name == nil or name == json.null then return sandbox.chain end
  local rail = type(name) == "string" and networks[name]
  return type(rail) == "table" and rail.kind == "evm" and sandbox.chains[rail.network] or nil
end

handlers["POST fund"] = function(sandbox, request)
  local micro = money.parse(request.body.amount)
  local address = request.body.address
  if solana_address.bytes(address) then
    local answer, why = solana.pull(sandbox.solana, "fund", request.body)
    if not answer then return refuse(why) end
    return done{ address = address, balance = money.text(sandbox.solana:balance(address)) }
  end
  if not crypto.parse_address(address) then return refuse "address: not an address" end
  if not micro then return refuse "amount: a decimal string of USDC, at most six places" end
  local chain = chain_of(sandbox, request.body.network)
  if not chain then return refuse "network: not a chain of the EVM here" end
  chain:fund(address, micro)
  return done{ address = address, balance = money.text(chain:balance(address)) }
end

handlers["GET clock"] = function(sandbox)
  return done{ now = sandbox.clock:seconds(), offset = sandbox.clock.offset }
end

handlers["POST clock"] = function(sandbox, request)
  local offset, advance = request.body.offset, request.body.advance
  if type(offset or advance) ~= "number" then return refuse "offset or advance: a number of seconds" end
  sandbox.clock.offset = offset or sandbox.clock.offset + advance
  return done{ now = sandbox.clock:seconds(), offset = sandbox.clock.offset }
end

handlers["POST cancel"] = function(sandbox, request)
  local body = request.body
  if not crypto.parse_address(body.address) or not crypto.unhex(body.nonce, 32) then
    return refuse "address and nonce are needed"
  end
  local hash = sandbox.chain:cancel(body.address, body.nonce)
  if not hash then return refuse "that authorization was used or canceled before" end
  return done{ transaction = hash }
end

handlers["POST reset"] = function(sandbox)
  sandbox:reset()
  return done()
end

handlers["POST streams"] = function(sandbox)
  sandbox.streams:signal()
  return done()
end

handlers["GET config"] = function(sandbox) return done(sandbox:describe()) end

handlers["POST config"] = function(sandbox, request)
  local why = sandbox:configure(request.body)
  if why then return refuse(why) end
  return done(sandbox:describe())
end

handlers["GET requests"] = function(sandbox) return done{ requests = json.array(sandbox.recent) } end

local function methods_of(body)
  local names = {}
  for _, call in ipairs(#body > 0 and body or { body }) do
    if type(call) == "table" and type(call.method) == "string" then names[call.method] = true end
  end
  return names
end

-- One chain's RPC, through whatever a fault does to it.
local function ask(sandbox, request, speaks, chain)
  local view = { id = request.body.id or json.null }
  function view.broadcast()
    local fault = sandbox.faults:take("broadcast", request)
    if fault then fault:apply(view) end
  end
  request.methods = methods_of(request.body)
  local fault = sandbox.faults:take("rpc", request)
  local early = fault and fault:apply(view)
  if early then return early end
  local answer = speaks.answer(chain, view, request.body)
  return view.early or view.lost or reply.json(view.status or 200, answer)
end

handlers["POST rpc"] = function(sandbox, request) return ask(sandbox, request, rpc, sandbox.chain) end
handlers["POST rpc/solana"] = function(sandbox, request) return ask(sandbox, request, solana_rpc, sandbox.solana) end

handlers["GET solana"] = function(sandbox) return done(solana.describe(sandbox.solana)) end
for _, name in ipairs(solana.NAMES) do
  handlers["POST solana/" .. name] = function(sandbox, request)
    local answer, why = solana.pull(sandbox.solana, name, request.body)
    if not answer then return refuse(why) end
    return done(answer)
  end
end

for name, handler in pairs(require "spraay.sandbox.evm.levers") do handlers[name] = handler end

local function media(sandbox, name)
  local bytes, content_type
  if not sandbox.config.media_gone then bytes, content_type = sandbox.media:file(name) end
  if not bytes then return reply.json(404, { error = "no such file" }) end
  return { status = 200, headers = {}, body = bytes, content_type = content_type }
end

-- What each node says of a body it cannot read.
local UNREADABLE = { ["/_sandbox/rpc"] = "parse error", ["/_sandbox/rpc/solana"] = "Parse error" }

--- Answer a request below /_sandbox/ that the body parser refused.
---@return table response
function control.refuse(request)
  local text = UNREADABLE[request.path]
  if not text or request.refusal.status ~= 400 then return request.refusal end
  return reply.json(200, { jsonrpc = "2.0", id = json.null, error = { code = -32700, message = text } })
end

--- Answer a request below /_sandbox/.
---@return table response
function control.handle(sandbox, request)
  local name = request.path:match("^/_sandbox/media/([%w%.]+)$")
  if name and (request.method == "GET" or request.method == "HEAD") then return media(sandbox, name) end
  local handler = handlers[request.method .. " " .. request.path:sub(#"/_sandbox/" + 1)]
  if not handler then return reply.json(404, { error = "no such lever", path = request.path }) end
  return handler(sandbox, request)
end

return control
