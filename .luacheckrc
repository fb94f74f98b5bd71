-- `min` is what every Lua from 5.1 to 5.4 and LuaJIT has in common.
std = "min"
max_line_length = 120
self = false

files["spec"] = { std = "min+busted" }
files["spec/sandbox"] = { std = "lua54+busted" }
files["spec/battery"] = { std = "lua54" }
files["lua/spraay/sandbox"] = { std = "lua54" }
files["examples"] = { std = "lua54" }
files["examples/love"] = { std = "luajit+love" }
files["spec/support/pixels"] = { std = "luajit+love" }
files["examples/openresty"] = { std = "ngx_lua" }
files["lua/spraay/drivers/ngx.lua"] = { std = "ngx_lua" }
files["lua/spraay/transports/cosocket.lua"] = { std = "ngx_lua" }
files["**/*.rockspec"] = { std = "rockspec" }
