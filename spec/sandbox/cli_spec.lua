-- `spraay sandbox`: what it prints, what it runs, and that it leaves nothing behind.
-- SPDX-License-Identifier: MIT
local sandbox = require "spec.support.sandbox"

local root = debug.getinfo(1, "S").source:match "^@(.*)spec/sandbox/cli_spec%.lua$"
if root == "" or root == nil then root = "./" end

-- The launcher as the build would make it, for the work tree.
local function launcher()
  local here = io.popen "pwd":read "*l"
  if root:sub(1, 1) == "/" then here = root:gsub("/$", "") end
  local source = assert(io.open(root .. "lua/spraay/cli/spraay.sh")):read "*a"
  local words = {
    LUA = "lua5.4", LUA_PATH = here .. "/lua/?.lua;" .. here .. "/lua/?/init.lua;;",
    LUA_CPATH = os.getenv "SPRAAY_SANDBOX_CPATH" or here .. "/build/lua5.4/?.so;;",
  }
  local name = os.tmpname()
  local out = assert(io.open(name, "w"))
  out:write((source:gsub("@([A-Z_]+)@", words)))
  out:close()
  os.execute("chmod +x " .. name)
  return name
end

describe("spraay sandbox", function()
  local spraay

  setup(function() spraay = launcher() end)
  teardown(function() os.remove(spraay) end)

  -- Output, both streams, and exit status of a shell line.
  local function run(line)
    local pipe = io.popen(("{ %s; } 2>&1; echo \"status $?\""):format(line))
    local text = pipe:read "*a"
    pipe:close()
    return text:gsub("status %d+\n$", ""), tonumber(text:match "status (%d+)\n$")
  end

  it("runs a command against itself and leaves with its status", function()
    local text, status = run(spraay .. " sandbox -- "
      .. [[sh -c 'echo "$SPRAAY_GATEWAY $SPRAAY_STATE_DIR"; exit 7']])
    assert.equal(7, status)
    local url, dir = text:match "^(http://127%.0%.0%.1:%d+) (%S+)\n$"
    assert.is_string(url, text)
    for _ = 1, 50 do                                   -- it follows its command within moments
      if not io.open(dir .. "/..") and not sandbox.fetch(url .. "/health", { seconds = 1 }) then break end
      run "sleep 0.05"
    end
    assert.is_nil(io.open(dir))
  end)

  it("gives it a funded throwaway key, an RPC, and nothing real", function()
    local text = run("SPRAAY_SOLANA_KEY=real SPRAAY_API_KEY=real " .. spraay
      .. " sandbox --funds 3.5 -- "
      .. "sh -c 'env | grep ^SPRAAY_ | sort; curl -s $SPRAAY_GATEWAY/_sandbox/ledger'")
    assert.truthy(text:find "SPRAAY_PRIVATE_KEY=0x%x+")
    assert.truthy(text:find "SPRAAY_BASE_RPC=http://127%.0%.0%.1:%d+/_sandbox/rpc")
    assert.truthy(text:find('"usdc":"3.500000"', 1, true))
    assert.is_nil(text:find("real", 1, true))
  end)

  it("takes faults and options before the command, whatever the command's own look like", function()
    local text, status = run(spraay .. [[ sandbox --fault settle_fails:2 --rails 3 -- sh -c ]]
      .. [['curl -s $SPRAAY_GATEWAY/_sandbox/faults | grep -o "\"armed\":.*settle_fails"; echo "$1"']]
      .. [[ x -- --fault]])
    assert.equal(0, status)
    assert.truthy(text:find("settle_fails", 1, true))
    assert.truthy(text:find("%-%-\n$"))
  end)

  it("passes signals on by being the command", function()
    local _, status = run(spraay .. [[ sandbox -- sh -c 'kill -TERM $$; sleep 5']])
    assert.equal(143, status)
  end)

  it("explains itself and refuses what it cannot do", function()
    local text, status = run(spraay .. " sandbox --dialect escrow -- true")
    assert.equal(2, status)
    assert.truthy(text:find("--dialect ledger", 1, true))
    text, status = run(spraay .. " sandbox --fault nosuch -- true")
    assert.equal(2, status)
    assert.truthy(text:find('no fault is called "nosuch"', 1, true))
    for _, line in ipairs{ " sandbox --host 0.0.0.0", " sandbox --", " dance" } do
      assert.equal(2, select(2, run(spraay .. line)))
    end
    text, status = run(spraay .. " sandbox --faults")
    assert.equal(0, status)
    assert.truthy(text:find "settle_then_reset +%w+")
  end)

  it("logs a line a request where told", function()
    local name = os.tmpname()
    local box = sandbox.start{ json_log = name }
    box:request("GET", "/health")
    box:stop()
    local line = io.open(name):read "*l"
    os.remove(name)
    assert.truthy(line:find('"path":"/health"', 1, true))
  end)

  it("ends when whoever started it does", function()
    local box = sandbox.start()
    local url = box.url
    box:stop()
    assert.is_false((pcall(function() assert(sandbox.fetch(url .. "/health", { seconds = 1 })) end)))
  end)
end)
