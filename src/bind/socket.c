/* SPDX-License-Identifier: MIT */
/* One thing the sandbox needs from a socket and no Lua library offers: to end a connection with a
 * reset (RST) instead of an orderly end (FIN), which is how answers are lost in real networks.
 * https://man7.org/linux/man-pages/man7/socket.7.html, SO_LINGER */

#include <sys/socket.h>

#include "bind/bind.h"

/* socket_reset(fd) → true: closing this socket will now reset the connection */
static int l_socket_reset(lua_State *L)
{
    int fd = (int)bind_check_int(L, 1, 0, 1 << 20);
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) != 0) return bind_fail(L, SPRAAY_IO);
    lua_pushboolean(L, 1);
    return 1;
}

extern const luaL_Reg bind_socket[];
const luaL_Reg bind_socket[] = { { "socket_reset", l_socket_reset }, { NULL, NULL } };
