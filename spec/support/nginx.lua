--- Debian's nginx with its Lua module, on loopback, for a spec of any Lua:
---   local nginx = require "spec.support.nginx"
---   local server = nginx.start{ env = { SPRAAY_GATEWAY = … }, http = [[init_by_lua_block { … }]],
---                               locations = [[location /x { … }]], workers = 4 }
---   server:get("/x")             as sandbox.fetch
---   server:get_all{ "/a", … }    side by side; answers in order
---   server:reload()  server:workers()  server:log()  server:stop()
--- conf = function(server) … end gives a whole nginx.conf instead (for server.port), and prefix = the folder it is for.
--- It runs in a folder of its own (server.folder) and ends when this process does: its wrapper reads a pipe we hold.
--- nginx.missing() says what is not there.
-- SPDX-License-Identifier: MIT
local cqueues = require "cqueues"
local cqueues_socket = require "cqueues.socket"
local sandbox = require "spec.support.sandbox"

local nginx = {}

local MODULES = "/usr/lib/nginx/modules/"

local function output(command)
  local pipe = assert(io.popen(command .. " 2> /dev/null"))
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function absolute(path)
  return path:sub(1, 1) == "/" and path or os.getenv "PWD" .. "/" .. path
end

-- The folder of the module for LuaJIT.
local function build()
  return absolute(os.getenv "SPRAAY_SPEC_BUILD" or "build") .. "/luajit"
end

--- What is not there, or nil.
function nginx.missing()
  if output "command -v nginx" == "" then return "nginx is not installed" end
  if not exists(MODULES .. "ngx_http_lua_module.so") then return "libnginx-mod-http-lua is not installed" end
  if not exists(build() .. "/spraay/core.so") then return "the module was not built for LuaJIT" end
end

local function free_port()
  local socket = assert(cqueues_socket.listen{ host = "127.0.0.1", port = 0 })
  local _, _, port = socket:localname()
  socket:close()
  return port
end

local CONF = [[
load_module %sndk_http_module.so;
load_module %sngx_http_lua_module.so;
%s
worker_processes %d;
pid %s/nginx.pid;
error_log %s/error.log notice;
%s
events { worker_connections 512; }
http {
  access_log off;
  chunked_transfer_encoding off;   # the client of the specs reads to the end
  client_body_temp_path %s/body;
  proxy_temp_path %s/proxy;
  fastcgi_temp_path %s/fastcgi;
  scgi_temp_path %s/scgi;
  uwsgi_temp_path %s/uwsgi;
  lua_package_path "%s/lua/?.lua;%s/lua/?/init.lua;;";
  lua_package_cpath "%s/?.so;;";
  init_worker_by_lua_block {
    %s
    %s
  }
  %s
  server {
    listen 127.0.0.1:%d reuseport;
    location /ping { return 200 "pong"; }
    %s
  }
}
]]

-- Lua for init_worker: the last worker tells us through a fifo that all is up, once.
local READY = [[
    local ready = ngx.worker.id() == %d and io.open("%s/ready", "w")
    if ready then
      ready:write "ready\n"
      ready:close()
    end
]]

local server = {}
server.__index = server

-- The text of its nginx.conf.
local function conf_of(self, options)
  local workers = options.workers or 4
  local ready = READY:format(workers - 1, self.folder)
  if options.conf then
    return (options.conf(self):gsub("\nhttp {", function(line)
      return line .. "\n  init_worker_by_lua_block {\n" .. ready .. "  }"
    end))
  end
  local dir, tree, env = self.folder, os.getenv "PWD", {}
  for name in pairs(options.env or {}) do env[#env + 1] = "env " .. name .. ";" end
  return CONF:format(MODULES, MODULES, self.user, workers, dir, dir, table.concat(env, "\n"), dir, dir, dir, dir, dir,
    tree, tree, build(), ready, options.init_worker or "", options.http or "", self.port, options.locations or "")
end

--- Start it. Raises its log when it does not come up.
function nginx.start(options)
  local self = setmetatable({ folder = output "mktemp -d", port = free_port() }, server)
  -- Workers of an nginx that root starts would be nobody, who may not read the tree.
  self.user = output "id -u" == "0" and ("user %s %s;"):format(output "id -un", output "id -gn") or ""
  local file = assert(io.open(self.folder .. "/nginx.conf", "w"))
  file:write(conf_of(self, options))
  file:close()
  local env = {}
  for name, value in pairs(options.env or {}) do
    env[#env + 1] = ("%s='%s'"):format(name, tostring(value):gsub("'", "'\\''"))
  end
  local fifo = self.folder .. "/ready"
  assert(os.execute("mkfifo " .. fifo))
  local command = [[cd DIR
    (env ENV nginx -p PREFIX -c DIR/nginx.conf -e DIR/error.log -g "MORE" > out 2>&1 < /dev/null
    : <> ready) & cat > /dev/null; kill -TERM $(cat nginx.pid) 2> /dev/null; wait]]
  self.process = assert(io.popen((command:gsub("PREFIX", options.prefix or "DIR"):gsub("DIR", self.folder)
    :gsub("MORE", options.conf and self.user or "daemon off;")
    :gsub("ENV", function() return table.concat(env, " ") end)), "w"))
  local ready = assert(io.open(fifo))
  local line = ready:read "*l"
  ready:close()
  os.remove(fifo)
  if line ~= "ready" then
    local log = self:log()
    self:stop()
    error("nginx did not start:\n" .. log, 2)
  end
  self.pid = output("cat " .. self.folder .. "/nginx.pid")
  return self
end

--- What it has logged.
function server:log()
  local text = {}
  for _, name in ipairs{ "out", "error.log" } do
    local file = io.open(self.folder .. "/" .. name)
    if file then
      text[#text + 1] = file:read "*a"
      file:close()
    end
  end
  return table.concat(text)
end

--- One request.
function server:get(path, options)
  return sandbox.fetch(("http://127.0.0.1:%d%s"):format(self.port, path), options)
end

--- Requests side by side. answers[i] is what server:get gives for paths[i], or false; `meanwhile` runs beside them.
function server:get_all(paths, options, meanwhile)
  local answers, loop = {}, cqueues.new()
  for i, path in ipairs(paths) do
    loop:wrap(function() answers[i] = self:get(path, options) or false end)
  end
  if meanwhile then loop:wrap(meanwhile) end
  assert(loop:loop())
  return answers
end

--- The process ids of the workers that are there, those included that are about to leave.
function server:workers()
  local list = {}
  for pid in output("ps -o pid= --ppid " .. self.pid):gmatch "%d+" do list[#list + 1] = pid end
  return list
end

--- Read the configuration anew; new workers come, the old ones leave when they are done.
function server:reload()
  assert(os.execute("kill -HUP " .. self.pid))
end

--- End it. It is gone when this returns.
function server:stop()
  if not self.process then return end
  self.process:close()
  self.process = nil
  os.execute("rm -rf " .. self.folder)
end

return nginx
