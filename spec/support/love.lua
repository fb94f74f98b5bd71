--- LÖVE, on a screen in memory (Xvfb), for a spec of any Lua:
---   local love = require "spec.support.love"
---   local screen = love.screen()
---   local output, status = screen:play("FOLDER", "--photograph FILE", { SPRAAY_GATEWAY = … })
---   screen:compare(shot, picture, x, y)     is one picture inside another?
---   screen:close()
--- Games find no Lua packages but what they bring. love.missing() says what is not installed.
-- SPDX-License-Identifier: MIT
local love = {}

local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

--- What is not there, or nil.
function love.missing()
  for _, program in ipairs { "love", "Xvfb" } do
    if output(("command -v %s"):format(program)) == "" then return program .. " is not installed" end
  end
end

local function quoted(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

local screen = {}
screen.__index = screen

--- Start a screen. It ends when this process does: its wrapper reads a pipe we hold.
function love.screen()
  local self = setmetatable({ folder = output "mktemp -d":gsub("%s+$", "") }, screen)
  local fifo = self.folder .. "/display"
  assert(os.execute("mkfifo " .. fifo))
  self.process = assert(io.popen(([[cd %s
    Xvfb -displayfd 3 -screen 0 1280x800x24 -nolisten tcp 3> display > out 2>&1 < /dev/null &
    cat > /dev/null; kill $! 2> /dev/null; wait]]):format(self.folder), "w"))
  local file = assert(io.open(fifo))
  self.display = file:read "*n"     -- written once it can be drawn on
  file:close()
  if not self.display then
    local why = output("cat " .. self.folder .. "/out")
    self:close()
    error("Xvfb did not start:\n" .. why, 2)
  end
  return self
end

--- Play a game to its end. Its output and exit status; what it saves lies below screen.folder.
function screen:play(game, arguments, env)
  local variables = { DISPLAY = ":" .. self.display, HOME = self.folder, XDG_DATA_HOME = self.folder .. "/data",
    XDG_RUNTIME_DIR = self.folder, SPRAAY_STATE_DIR = self.folder .. "/state", LUA_PATH = "", LUA_CPATH = "",
    LIBGL_ALWAYS_SOFTWARE = "1", SDL_VIDEODRIVER = "x11", SDL_AUDIODRIVER = "dummy" }
  for name, value in pairs(env or {}) do variables[name] = value end
  local words = {}
  for name, value in pairs(variables) do words[#words + 1] = name .. "=" .. quoted(value) end
  local text = output(("cd / && env -u SPRAAY_PRIVATE_KEY %s timeout -k 5 120 love %s %s 2>&1; echo \"status $?\"")
    :format(table.concat(words, " "), quoted(game), arguments or ""))
  local said, status = text:match "^(.*)status (%d+)%s*$"
  return said, tonumber(status)
end

--- How many pixels of `picture` are not at x, y of `shot`, and how many colours either has. LÖVE reads them.
function screen:compare(shot, picture, x, y)
  local arguments = ("%s %s %d %d"):format(quoted(shot), quoted(picture), x, y)
  local text = self:play(os.getenv "PWD" .. "/spec/support/pixels", arguments)
  local different, colours, all = text:match "(%d+) different, (%d+) colours, (%d+) in all"
  if not different then error(text, 2) end
  return tonumber(different), tonumber(colours), tonumber(all)
end

function screen:close()
  if not self.process then return end
  self.process:close()
  self.process = nil
  os.execute("rm -rf " .. self.folder)
end

return love
