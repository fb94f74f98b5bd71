-- SPDX-License-Identifier: MIT
-- examples/openresty as it is, but for its port and the folder it writes to.
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"

local missing = nginx.missing()
if missing then
  describe("nginx", function()
    pending("is not tried: " .. missing)
  end)
  return
end

local HERE = os.getenv "PWD" .. "/examples/openresty"

local box, server, state

before_each(function()
  box = sandbox.start{}
  local pipe = assert(io.popen "mktemp -d")
  state = pipe:read "*l"
  pipe:close()
  server = nginx.start {
    prefix = HERE,
    conf = function(self)
      local file = assert(io.open(HERE .. "/nginx.conf"))
      local text = file:read "*a"
      file:close()
      local build = os.getenv "SPRAAY_SPEC_BUILD" or "build"
      if build:sub(1, 1) == "/" then text = text:gsub("%$prefix/%.%./%.%./build", build) end
      return (text:gsub("%.%./%.%./out/openresty", self.folder):gsub("127%.0%.0%.1:8080", "127.0.0.1:" .. self.port)
        :gsub("%.%./%.%./build/luajit", "../../" .. build .. "/luajit")
        :gsub("error_log stderr", "error_log " .. self.folder .. "/error.log")
        :gsub("access_log off;", "%0 chunked_transfer_encoding off;"))
    end,
    env = { SPRAAY_GATEWAY = box.url, SPRAAY_PRIVATE_KEY = box.key, SPRAAY_BASE_RPC = box.rpc,
            SPRAAY_STATE_DIR = state },
  }
end)

after_each(function()
  if server then server:stop() end
  box:stop()
  os.execute("rm -rf " .. state)
end)

local function ask(key, question, options)
  options = options or {}
  options.headers = { ["X-API-Key"] = key }
  return assert(server:get("/chat?q=" .. question, options))
end

describe("examples/openresty", function()
  it("buys an answer, and gives it to whoever asks the same without paying again", function()
    local first = ask("alice-key", "lighthouse")
    assert.equal(200, first.status, first.body)
    assert.same({ false, "0.030000" }, { first.json.cached, first.json.cost })
    local second = ask("bob-key", "lighthouse")
    assert.same({ first.json.text, true, "0" }, { second.json.text, second.json.cached, second.json.cost })
    local posted = server:get("/chat", { method = "POST", body = "lighthouse",
      headers = { ["X-API-Key"] = "bob-key" } })
    assert.is_true(posted.json.cached)
    assert.equal(1, box:ledger().count)
  end)

  it("buys once what many ask at the same time", function()
    local paths = {}
    for i = 1, 12 do paths[i] = "/chat?q=same" end
    for _, answer in ipairs(server:get_all(paths, { headers = { ["X-API-Key"] = "alice-key" } })) do
      assert.equal(200, answer.status, answer.body)
    end
    assert.equal(1, box:ledger().count)
  end)

  it("holds each API client to its budget, in all workers together, and reports what was spent", function()
    assert.equal(200, ask("bob-key", "first").status)   -- there is a ledger
    local paths, statuses = {}, { [200] = 0, [402] = 0 }
    for i = 1, 16 do paths[i] = "/chat?q=question" .. i end
    for _, answer in ipairs(server:get_all(paths, { headers = { ["X-API-Key"] = "bob-key" } })) do
      statuses[answer.status] = (statuses[answer.status] or 0) + 1
      if answer.status == 402 then assert.equal("no", answer.json.paid) end
    end
    assert.same({ [200] = 1, [402] = 15 }, statuses)
    assert.equal(200, ask("alice-key", "hers").status)
    local spend = server:get("/spend").json
    assert.same({ settled = "0.06", open = "0", purchases = 2, budget = "0.06" }, spend.bob)
    assert.equal("0.03", spend.alice.settled)
    assert.equal("0.090000", box:ledger().total_usdc)
  end)

  it("asks for a key, and for a question", function()
    assert.equal(401, server:get("/chat?q=x").status)
    assert.equal(400, ask("alice-key", "").status)
    assert.equal(0, box:ledger().requests)
  end)

  describe("is started with one command, which", function()
    -- Its folder, copied and listening to that port; what it says, and how it ends.
    local function run(port, environment)
      local command = ([[mkdir -p $DIR/examples && cp -r $HERE $DIR/examples/ && cd $DIR/examples/openresty &&
        sed -i 's/listen 127.0.0.1:8080/listen 127.0.0.1:$PORT/' nginx.conf && env $ENV ./start 2>&1
        echo "status $?"]])
        :gsub("%$(%u+)", { DIR = state, HERE = HERE, PORT = port, ENV = environment or "" })
      local stream = assert(io.popen(command))
      local text = stream:read "*a"
      stream:close()
      return text:match "^(.*)status (%d+)%s*$"
    end

    it("says so when its port is taken", function()
      local text, status = run(box.url:match "%d+$")
      assert.equal("1", status)
      assert.truthy(text:find("^127%.0%.0%.1:%d+ is taken: .*`listen` in .*nginx.conf\n$"), text)
    end)

    it("says so when there is no nginx", function()
      local path = state .. "/bin"
      assert(os.execute("mkdir " .. path))
      for _, tool in ipairs { "sh", "sed", "cat", "grep", "dirname" } do
        assert(os.execute(("ln -s $(command -v %s) %s"):format(tool, path)))
      end
      local text, status = run(1, ("PATH=%s SPRAAY_BUILT=yes SPRAAY_PRIVATE_KEY=%s"):format(path, box.key))
      assert.equal("1", status)
      assert.equal("nginx is not installed, or not in PATH\n", text)
    end)
  end)
end)
