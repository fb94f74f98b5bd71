-- SPDX-License-Identifier: MIT
--- The version of the Lua layer, also sent as User-Agent.
return "0.1.0"
