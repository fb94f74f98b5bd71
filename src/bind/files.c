/* SPDX-License-Identifier: MIT */
/* The one thing about files that plain Lua cannot do: make a folder. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "bind/bind.h"

#define PATH_MAX_BYTES 4096

/* folder(path) -> true, or nil, sentence, NAME: the folder exists, its parents too. */
static int l_folder(lua_State *L)
{
    spraay_slice path = bind_check_string(L, 1);
    char at[PATH_MAX_BYTES];
    struct stat s;

    if (path.n == 0 || path.n >= sizeof at || memchr(path.p, '\0', path.n) != NULL)
        return bind_fail_text(L, SPRAAY_SYNTAX, "not a path");
    memcpy(at, path.p, path.n + 1);
    for (size_t i = 1; i <= path.n; i++) {
        if (at[i] != '/' && at[i] != '\0') continue;
        at[i] = '\0';
        if (mkdir(at, 0777) != 0 && errno != EEXIST) return bind_fail_text(L, SPRAAY_IO, strerror(errno));
        at[i] = path.p[i];
    }
    if (stat(at, &s) != 0 || !S_ISDIR(s.st_mode))
        return bind_fail_text(L, SPRAAY_IO, "it is a file, not a folder");
    lua_pushboolean(L, 1);
    return 1;
}

const luaL_Reg bind_files[] = { { "folder", l_folder }, { NULL, NULL } };
