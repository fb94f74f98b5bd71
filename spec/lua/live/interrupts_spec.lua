-- SPDX-License-Identifier: MIT
-- Scripts that are cut short: the gateway dies, or somebody presses Ctrl-C. Each is a process of its
-- own, and must end by itself, soon, without burning the processor and with nothing half written.
local live = require "spec.support.live"
local socket = require "cqueues.socket"

local LIMIT = 12   -- seconds after which a script is killed, and has failed

local box, work

setup(function()
  work = os.tmpname()
  os.remove(work)
  os.execute("mkdir " .. work)
end)
teardown(function() os.execute("rm -rf " .. work) end)
before_each(function() box = live.start { job_seconds = 60 } end)
after_each(function()
  live.stop(box)
  os.execute("rm -rf " .. work .. "/*")
end)

local function read(path)
  local file = io.open(path)
  local text = file and file:read "*a"
  if file then file:close() end
  return text
end

local function until_true(what)
  for _ = 1, LIMIT * 50 do
    if what() then return end
    os.execute "sleep 0.02"
  end
  error("it never came to that", 2)
end

local PRELUDE = [[
  local spraay = require "spraay"
  local core = require "spraay.core"
  local client = assert(spraay.open { gateway = arg[1], wallet = spraay.wallet.file(arg[2]),
    rpc = { base = arg[1] .. "/_sandbox/rpc" }, per_day = "100", timeout = { connect = 1, total = tonumber(arg[4]) } })
  local work = arg[3]
  local file = assert(io.open(work .. "/pid.part", "w"))
  file:write(core.pid())
  file:close()
  os.rename(work .. "/pid.part", work .. "/pid")
]]

-- Start a script; returns a function that waits for its end and gives its output, exit status and the
-- processor time it took, in seconds. `total` is the client's timeout.
local function start(text, total)
  local path = work .. "/script.lua"
  local file = assert(io.open(path, "w"))
  file:write(PRELUDE, text)
  file:close()
  local pipe = io.popen(("bash -c 'TIMEFORMAT=%%U; time timeout -s KILL %d env --default-signal=INT "
    .. "lua5.4 %s %s %s %s %g; echo status $?' 2>&1"):format(LIMIT, path, box.url, box.keyfile, work,
    total or 1.5))
  until_true(function() return read(work .. "/pid") end)
  return function()
    local output = pipe:read "*a"
    pipe:close()
    return output, tonumber(output:match "status (%d+)"), tonumber(output:match "(%d+%.%d+)\n.*status")
  end
end

local function interrupt() os.execute("kill -INT " .. read(work .. "/pid")) end
local function presented() return #box:ledger().presented > 0 end

describe("a script whose gateway dies", function()
  -- A run of the demo once turned in circles in such a place.
  for name, text in pairs {
    ["in the middle of a paid call"] = 'local v, m, e = client:chat "x" print(m, e.paid) os.exit(v and 0 or 3)',
    ["in the middle of many tasks"] = [[
      local results, errors = spraay.run(function()
        return spraay.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function(i) return client:chat("x" .. i) end)
      end)
      print(errors[1], errors[1].paid)
      os.exit(results[1] and 0 or 3)]],
    ["while a coroutine of its own waits inside a task"] = [[
      local v, m, e = spraay.run(function()
        spraay.spawn(client.chat, client, "y")
        return coroutine.wrap(function() return client:chat "x" end)()
      end)
      print(m, e.paid)
      os.exit(v and 0 or 3)]],
  } do
    it(name .. " ends with an error that says money may have moved", function()
      box:fault("handler_slow", { seconds = 30 })
      local wait = start(text)
      until_true(presented)
      box:stop()
      local output, status, seconds = wait()
      assert.equal(3, status, output)
      assert.truthy(output:find("maybe", 1, true), output)
      assert.truthy(output:find("may have been paid", 1, true), output)
      assert.is_true(seconds < 1, output)
    end)
  end

  it("while a job is waited for ends with an error in its time", function()
    local wait = start [[
      local job = assert(client:video "x")
      print "ordered"
      local v, m, e = job:wait { timeout = 1.5 }
      print(m)
      os.exit(v and 0 or 3)]]
    until_true(function() return box:ledger().count == 1 end)
    os.execute "sleep 0.2"
    box:stop()
    local output, status, seconds = wait()
    assert.equal(3, status, output)
    assert.is_true(seconds < 1, output)
  end)

  it("before it asked anything is told that nothing was paid", function()
    box:stop()
    local output, status, seconds = start [[
      local v, m, e = client:chat "x"
      print(m, e.kind)
      os.exit(v and 0 or 3)]]()
    assert.equal(3, status, output)
    assert.truthy(output:find("Nothing was paid", 1, true), output)
    assert.truthy(output:find("connection", 1, true), output)
    assert.is_true(seconds < 1, output)
  end)
end)

describe("Ctrl-C", function()
  for name, text in pairs {
    ["a blocked call"] = 'print(client:chat "x")',
    ["tasks"] = 'spraay.run(function() spraay.spawn(client.chat, client, "y") print(client:chat "x") end)',
    ["a sleep"] = 'client:chat "x" spraay.sleep(60)',
  } do
    it("ends " .. name .. " at once, with a status that is not 0", function()
      box:fault("handler_slow", { seconds = 30 })
      local wait = start(text, 30)
      until_true(presented)
      local began = os.time()
      interrupt()
      local output, status = wait()
      assert.is_true(os.time() - began <= 3, output)
      assert.truthy(output:find("interrupted!", 1, true), output)   -- the interpreter's own word
      assert.equal(1, status)
    end)
  end

  it("twice ends what the interpreter cannot interrupt", function()
    box:fault("handler_slow", { seconds = 30 })
    local wait = start('coroutine.wrap(function() print(client:chat "x") end)()', 30)
    until_true(presented)
    interrupt()
    os.execute "sleep 0.1"
    interrupt()
    local output, status = wait()
    assert.is_true(status == 130 or status == 1, output)
  end)

  it("in the middle of a download leaves no file, whole or half", function()
    local listener = socket.listen("127.0.0.1", 0)
    local _, _, port = listener:localname()
    local wait = start(([[
      local result = require "spraay.result".new { client = client, body = {},
        urls = { "http://127.0.0.1:%d/picture.png" } }
      print(result:save(work .. "/out/picture.png"))]]):format(port), 30)
    local connection = assert(listener:accept(5))
    connection:xwrite("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" .. ("x"):rep(5000), "bn")
    os.execute "sleep 0.1"
    interrupt()
    local output, status = wait()
    connection:close()
    listener:close()
    assert.equal(1, status, output)
    local list = io.popen("ls -A " .. work .. "/out")
    local names = list:read "*a"
    list:close()
    assert.equal("", names, output)
  end)
end)
