#!/bin/sh
# The client of the end-to-end suite, from this tree: see ../README.md. SPRAAY_TREE names the tree when this folder
# was copied out of it.
# SPDX-License-Identifier: MIT
tree=${SPRAAY_TREE:-$(cd "$(dirname "$0")/../../.." && pwd)}
export LUA_PATH="$tree/lua/?.lua;$tree/lua/?/init.lua;;" LUA_CPATH="$tree/build/lua5.4/?.so;;"
exec lua5.4 "$(dirname "$0")/client.lua"
