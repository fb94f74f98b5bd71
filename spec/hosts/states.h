/* SPDX-License-Identifier: MIT */
/* Lua states for the specs in C that run Lua: with the core built in, and the Lua files of the tree compiled once for
 * all states. Whoever includes this is started in the root of the tree. */

#ifndef SPRAAY_SPEC_STATES_H
#define SPRAAY_SPEC_STATES_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int luaopen_spraay_core(lua_State *L);

enum { STATES_MODULES = 128 };

struct states_module {
    char *name, *code;
    size_t size;
};

struct states {
    struct states_module modules[STATES_MODULES];
    size_t n;
};

static inline void states_must(lua_State *L, int status, const char *what)
{
    if (status == LUA_OK) return;
    (void)fprintf(stderr, "%s: %s\n", what, lua_tostring(L, -1));
    exit(1);
}

/* Compile every module below spraay but for the sandbox and the command line. */
static inline void states_compile(struct states *s)
{
    static const char list[] =
        "local code = {}\n"
        "for file in io.popen(\"cd lua && find spraay -name '*.lua'\"):lines() do\n"
        "  if not file:find('sandbox/', 1, true) and not file:find('cli/', 1, true) then\n"
        "    code[file:gsub('%.lua$', ''):gsub('/init$', ''):gsub('/', '.')] ="
        " string.dump(assert(loadfile('lua/' .. file)))\n"
        "  end\n"
        "end\n"
        "return code";
    lua_State *L = luaL_newstate();

    s->n = 0;
    luaL_openlibs(L);
    states_must(L, luaL_dostring(L, list), "the modules");
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        size_t size;
        const char *code = lua_tolstring(L, -1, &size), *name = lua_tostring(L, -2);
        struct states_module *m = &s->modules[s->n++];
        if (s->n == STATES_MODULES) exit(1);
        m->name = malloc(strlen(name) + 1);
        m->code = malloc(size);
        if (m->name == NULL || m->code == NULL) exit(1);
        memcpy(m->name, name, strlen(name) + 1);
        memcpy(m->code, code, size);
        m->size = size;
    }
    lua_close(L);
}

static inline void states_free(struct states *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->modules[i].name);
        free(s->modules[i].code);
    }
}

/* package.preload of one module: its code is in the first upvalue. */
static inline int states_load(lua_State *L)
{
    const struct states_module *m = lua_touserdata(L, lua_upvalueindex(1));

    if (luaL_loadbufferx(L, m->code, m->size, m->name, "b") != LUA_OK) return lua_error(L);
    lua_pushstring(L, m->name);
    lua_call(L, 1, 1);
    return 1;
}

/* A state in which "spraay" can be required. */
static inline lua_State *states_open(const struct states *s, lua_Alloc alloc, void *ud)
{
    lua_State *L = lua_newstate(alloc, ud);

    if (L == NULL) exit(1);
    luaL_openlibs(L);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_spraay_core);
    lua_setfield(L, -2, "spraay.core");
    for (size_t i = 0; i < s->n; i++) {
        lua_pushlightuserdata(L, (void *)(uintptr_t)&s->modules[i]);
        lua_pushcclosure(L, states_load, 1);
        lua_setfield(L, -2, s->modules[i].name);
    }
    lua_settop(L, 0);
    return L;
}

#endif
