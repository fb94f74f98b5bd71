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

  it("prints a funded throwaway key for Solana too, and where its chain is", function()
    local text, status = run(": | " .. spraay .. " sandbox --port 0 --networks solana,base --until-eof")
    assert.equal(0, status)
    local core = require "spraay.core"
    local key = core.base58_decode(text:match "export SPRAAY_SOLANA_KEY='(%w+)'\n")
    assert.equal(64, #key)
    assert.equal(key:sub(33), (core.ed25519_public(key:sub(1, 32))))
    assert.equal(core.base58_encode(key:sub(33)), text:match "export SPRAAY_SOLANA_ADDRESS='(%w+)'\n")
    assert.truthy(text:find "export SPRAAY_SOLANA_RPC='http://127%.0%.0%.1:%d+/_sandbox/rpc/solana'\n")
  end)

  it("gives it ether for gas, and speaks the dialect it is told", function()
    local text = run(spraay .. [[ sandbox --dialect escrow --ether 0.25 --mining manual -- sh -c ]]
      .. [['curl -s "$SPRAAY_GATEWAY/_sandbox/account?address=$SPRAAY_ADDRESS" $SPRAAY_GATEWAY/_sandbox/config \
        $SPRAAY_GATEWAY/_sandbox/chain']])
    assert.truthy(text:find('"mining":"manual"', 1, true), text)
    assert.truthy(text:find('"eth":"0.25"', 1, true), text)
    assert.truthy(text:find('"dialect":"escrow"', 1, true), text)
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
    for name, number in pairs{ TERM = 15, KILL = 9, HUP = 1 } do
      local _, status = run(("%s sandbox -- sh -c 'kill -%s $$; sleep 5'"):format(spraay, name))
      assert.equal(128 + number, status)
    end
  end)

  it("keeps the words of the command apart", function()
    local text, status = run(spraay .. [[ sandbox -- printf '[%s]' 'a b' "c'd" '' '*' -- --port]])
    assert.equal(0, status)
    assert.equal("[a b][c'd][][*][--][--port]", text)
  end)

  it("is ready before a second has passed", function()
    local monotime, best = require "cqueues".monotime, math.huge
    for _ = 1, 3 do                             -- others may be busy on this machine
      local start = monotime()
      run(spraay .. " sandbox -- true")
      best = math.min(best, monotime() - start)
      if best < 1 then break end
    end
    assert.is_true(best < 1, "it took " .. best)
  end)

  describe("leaves nothing behind", function()
    local dir

    before_each(function()
      dir = os.tmpname()
      os.remove(dir)
      dir = dir .. " with a blank"
      assert.equal(0, select(2, run(("mkdir '%s'"):format(dir))))
    end)
    after_each(function() run(("rm -rf '%s'"):format(dir)) end)

    -- Its folder goes and its port closes, within moments of the command's end.
    local function is_gone(text)
      local url = text:match "http://127%.0%.0%.1:%d+"
      local left
      for _ = 1, 100 do
        left = run(("ls '%s'"):format(dir))
        if left == "" and not (url and sandbox.fetch(url .. "/health", { seconds = 1 })) then return end
        run "sleep 0.02"
      end
      error("still there: " .. left)
    end

    local function with_dir(line) return run(("export TMPDIR='%s'; %s"):format(dir, line)) end

    for name, line in pairs{
      ["by a command that ends well"] = [[@ sandbox -- sh -c 'echo $SPRAAY_GATEWAY']],
      ["by a command that is killed"] = [[@ sandbox -- sh -c 'echo $SPRAAY_GATEWAY; kill -9 $$']],
      ["by a command that does not exist"] = "@ sandbox -- /nonexistent/command",
      ["by a command that may not run"] = "@ sandbox -- /etc/passwd",
      ["by options that are wrong"] = "@ sandbox --rails 9 -- true",
      ["in another folder, without HOME"] = "cd /; unset HOME; @ sandbox -- env",
    } do
      it(name, function()
        is_gone((with_dir(line:gsub("@", spraay))))
      end)
    end

    -- What a terminal does at Ctrl-C: SIGINT to every process of the foreground group.
    it("by Ctrl-C, which ends the command", function()
      local out = os.tmpname()
      local text, status = with_dir(([[
        env --default-signal=INT setsid sh -c '
          trap : INT
          "$1" sandbox -- sh -c "echo \$SPRAAY_GATEWAY; exec sleep 9"
          echo "was $?"' x %s >%s & group=$!
        for i in 1 2 3 4 5 6 7 8 9; do [ -s %s ] && break; sleep 0.1; done
        kill -s INT -- -$group
        wait $group
        cat %s]]):format(spraay, out, out, out))
      os.remove(out)
      assert.equal(0, status)
      assert.truthy(text:find "was 130", text)
      is_gone(text)
    end)

    it("by the death of whoever started the launcher, once the command ends as well", function()
      local text = with_dir(([[sh -c '%s sandbox -- sh -c "echo \$SPRAAY_GATEWAY; sleep 0.2" & sleep 0.15
        kill -9 $$' 2>/dev/null; sleep 0.3]]):format(spraay))
      is_gone(text)
    end)
  end)

  it("ends with a process that held its standard input and was killed", function()
    local text = run(([[
      mkfifo %s.in; sh -c 'exec 5>%s.in; echo "$$"; exec sleep 9' & keeper=$!
      %s sandbox --port 0 --quiet --until-eof <%s.in & box=$!
      sleep 0.3; kill -9 $keeper; wait $box; echo "left $?"; rm %s.in]])
      :format(spraay, spraay, spraay, spraay, spraay))
    assert.truthy(text:find "left 0", text)
  end)

  for _, row in ipairs{
    { "--dialect esperanto", 2, "the ledger and the escrow dialect" }, { "--ether much", 2, "no amount of ether" },
    { "--mining gold", 2, 'not "gold"' },
    { "--dialect esperanto -- true", 2, 'not "esperanto"' }, { "--fault nosuch", 2, 'no fault is called "nosuch"' },
    { "--nosuch", 2, "unknown option '--nosuch'" }, { "--nosuch -- true", 2, "unknown option '--nosuch'" },
    { "--host 0.0.0.0", 2, "loopback only" }, { "--port 70000", 2, "70000 is not a whole number" },
    { "--rails 0", 2, "0 is not a whole number" }, { "--job-seconds=-1", 2, "not a number of seconds" },
    { "--funds much", 2, '"much" is no amount of USDC' }, { "--network solana", 2, 'unknown network "solana"' },
    { "--networks solano", 2, 'unknown network "solano"' },
    { "--networks solana-devnet", 2, "not offered beside base" },
    { "--json-log /nonexistent/log", 2, "/nonexistent/log: No such file" }, { "words", 2, "too many arguments" },
    { "--", 2, "no command after --" }, { "-- /nonexistent/command", 127, "/nonexistent/command: command not found" },
    { "-- options", 127, "options: " },
  } do
    it(("refuses %s with %d and a sentence"):format(row[1], row[2]), function()
      local text, status = run(("%s sandbox %s </dev/null"):format(spraay, row[1]))
      assert.equal(row[2], status, text)
      assert.truthy(text:find(row[3], 1, true), text)
      assert.is_nil(text:find("traceback", 1, true), text)
    end)
  end

  it("says so when its port is taken", function()
    local box = sandbox.start()
    for _, more in ipairs{ "", " -- true" } do
      local text, status = run(("%s sandbox --port %s%s"):format(spraay, box.url:match ":(%d+)$", more))
      assert.equal(7, status)
      assert.truthy(text:find("Address already in use", 1, true), text)
    end
    box:stop()
  end)

  it("explains itself", function()
    local text, status = run(spraay .. " sandbox --help")
    assert.equal(0, status)
    for _, word in ipairs{ "-- COMMAND", "--fault FAULT", "SPRAAY_GATEWAY", "Examples:" } do
      assert.truthy(text:find(word, 1, true), word)
    end
    for line in text:gmatch "[^\n]+" do assert.is_true(#line <= 102, line) end
    text, status = run(spraay .. " sandbox --faults")
    assert.equal(0, status)
    assert.truthy(text:find "settle_then_reset +%w+")
    assert.equal(2, select(2, run(spraay .. " dance")))
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
