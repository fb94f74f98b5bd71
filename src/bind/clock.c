/* SPDX-License-Identifier: MIT */
/* The two clocks and the process id, for the layer that waits. See core/time.h. */

#include <unistd.h>

#include "bind/bind.h"
#include "core/time.h"

/* mono_ms() -> milliseconds since some fixed moment; never goes backwards. */
/* boot_ms() -> milliseconds since the machine started, its sleep included. */
static int l_boot_ms(lua_State *L)
{
    spr_pushint64(L, spraay_boot_ms());
    return 1;
}

static int l_mono_ms(lua_State *L)
{
    spr_pushint64(L, spraay_mono_ms());
    return 1;
}

/* wall_s() -> seconds since 1970-01-01 UTC. */
static int l_wall_s(lua_State *L)
{
    spr_pushint64(L, spraay_wall_s());
    return 1;
}

/* pid() -> this process; another number after a fork, when engines must be made anew. */
static int l_pid(lua_State *L)
{
    spr_pushint64(L, (int64_t)getpid());
    return 1;
}

const luaL_Reg bind_clock[] = {
    { "mono_ms", l_mono_ms }, { "boot_ms", l_boot_ms }, { "wall_s", l_wall_s },
    { "pid", l_pid },         { NULL, NULL },
};
