-- SPDX-License-Identifier: MIT
-- An answer that is passed on while it comes, inside nginx: the reader has the first event before the gateway has
-- sent the second, and the worker serves others meanwhile.
local cqueues = require "cqueues"
local cqueues_socket = require "cqueues.socket"
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"

local missing = nginx.missing()
local box, server

local HTTP = [[
  init_by_lua_block {
    spraay = require "spraay"
    client = assert(spraay.open { wallet = spraay.wallet.env(), per_day = "100" })
  }
]]

local LOCATIONS = [[
  location /pending { content_by_lua_block { ngx.print(require("spraay.engine").get():pending()) } }
  location /words {
    content_by_lua_block {
      local answer = assert(client:request("POST", "/api/v1/chat/completions",
        { stream = true, messages = { { role = "user", content = ngx.var.arg_q } } }, { stream = true, max = "0.01" }))
      for event in answer:events() do
        ngx.print(event.text or ".")
        if not ngx.flush(true) then return answer:close() end
      end
      ngx.print(" ", answer.payment.status)
    }
  }
]]

if missing then
  describe("nginx", function()
    pending("is not tried: " .. missing)
  end)
  return
end

setup(function()
  box = sandbox.start()
  server = nginx.start { workers = 1, http = HTTP, locations = LOCATIONS, env = { SPRAAY_GATEWAY = box.url,
    SPRAAY_PRIVATE_KEY = box.key, SPRAAY_BASE_RPC = box.rpc, SPRAAY_STATE_DIR = os.getenv "SPRAAY_STATE_DIR" } }
end)

teardown(function()
  if server then server:stop() end
  if box then box:stop() end
end)

-- Ask for words; the first event has come, which is a full stop here.
local function begin(about)
  local socket = cqueues_socket.connect("127.0.0.1", server.port)
  socket:setmode("bn", "bn")
  socket:xwrite(("GET /words?q=%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):format(about), 5)
  repeat local line = assert(socket:xread("*l", 10)) until line == "\r" or line == ""
  assert.equal(".", socket:xread(1, "bn", 10))
  return socket
end

describe("an answer inside nginx", function()
  it("is passed on word by word", function()
    box:fault("settle_then_hold_stream", { times = 1 })
    local socket = begin "waves"   -- the first event, and the gateway holds the second back
    assert.equal("1", server:get("/pending").body)
    box:request("POST", "/_sandbox/streams", { body = {} })
    local rest = socket:xread("*a", "bn", 10)
    socket:close()
    assert.matches("%w+ .+%.%. settled$", rest)
    assert.equal(1, box:ledger().count)
  end)

  it("is closed when its reader has gone", function()
    box:reset()
    box:fault("settle_then_hold_stream", { times = 1 })
    local socket = begin "tides"
    socket:close()
    box:request("POST", "/_sandbox/streams", { body = {} })
    local deadline = cqueues.monotime() + 10
    local pending
    repeat pending = server:get("/pending").body until pending == "0" or cqueues.monotime() > deadline
    assert.equal("0", pending)
    assert.equal(1, box:ledger().count)
  end)
end)
