--- A gateway that costs next to nothing to run, as a process of its own:
---   lua5.4 spec/bench/paid_server.lua REPORT
--- It writes its port to the file REPORT and ends when its standard input does. A request to
--- /MS/anything is answered after MS milliseconds: with a 402 whose challenge is 2.4 KB long, or,
--- when it carries a payment, with 200 and a receipt for the payer named in there. A GET costs
--- nothing. Nothing is verified: what is measured is the client.
-- SPDX-License-Identifier: MIT
local cjson = require "cjson"
local cqueues = require "cqueues"
local socket = require "cqueues.socket"
local core = require "spraay.core"

local loop = cqueues.new()

-- The sandbox's challenges are this long because of the schema they advertise.
local challenge = core.base64_encode(cjson.encode {
  x402Version = 2, error = "Payment required",
  resource = { url = "http://127.0.0.1/x", description = ("A route. "):rep(60), mimeType = "application/json" },
  accepts = { {
    scheme = "exact", network = "eip155:8453", amount = "1000",
    asset = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
    payTo = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", maxTimeoutSeconds = 300,
    extra = { name = "USD Coin", version = "2" },
  } },
  extensions = { bazaar = { info = { input = { type = "http", method = "POST" } },
                            schema = { description = ("s"):rep(780) } } },
})
local transaction = "0x" .. ("5a"):rep(32)

local function reply(status, header, body)
  return ("HTTP/1.1 %s\r\nContent-Type: application/json\r\n%s\r\nContent-Length: %d\r\n\r\n%s")
    :format(status, header, #body, body)
end

local asked = reply("402 Payment Required", "PAYMENT-REQUIRED: " .. challenge, "{}")

local free = reply("200 OK", "Cache-Control: no-store", '{"text":"done"}')

local function paid(payment)
  local payer = core.base64_decode(payment):match '"from":"(0x%x+)"'
  local receipt = ('{"success":true,"transaction":"%s","network":"eip155:8453","payer":"%s"}')
    :format(transaction, payer)
  return reply("200 OK", "PAYMENT-RESPONSE: " .. core.base64_encode(receipt), '{"text":"done"}')
end

local function serve(conn)
  conn:setmode("bn", "bf")
  conn:setmaxline(16384)
  while true do
    local line = conn:xread "*L"
    if not line then break end
    local method, delay, length, payment = line:match "^%u+", tonumber(line:match "/(%d+)/"), 0, nil
    repeat
      line = conn:xread "*L"
      if not line then return conn:close() end
      local name, value = line:match "^([^:]+):%s*(.-)\r\n$"
      name = name and name:lower()
      if name == "content-length" then length = tonumber(value) end
      if name == "payment-signature" then payment = value end
    until line == "\r\n"
    if length > 0 then conn:xread(length) end
    if delay > 0 then cqueues.sleep(delay / 1000) end
    local answer = payment and paid(payment) or method == "GET" and free or asked
    if not conn:xwrite(answer) or not conn:flush() then break end
  end
  conn:close()
end

local listener = socket.listen("127.0.0.1", 0)
loop:wrap(function()
  for conn in listener:clients() do loop:wrap(serve, conn) end
end)

local input = socket.fdopen(0)
loop:wrap(function()
  input:xread(1)
  os.exit(0)
end)

local _, _, port = listener:localname()
local report = assert(io.open(..., "w"))
report:write(port, "\n")
report:close()
assert(loop:loop())
