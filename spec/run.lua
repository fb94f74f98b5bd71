-- Runs busted under the interpreter that runs this file: `lua5.4 spec/run.lua
-- spec/chain`. `luarocks test` needs a script, and the Makefile uses the same one.
-- SPDX-License-Identifier: MIT

require "busted.runner" { standalone = false }
