/* SPDX-License-Identifier: MIT */
/* See bind.h. */

#include "bind/bind.h"

#define BUF_NAME "spraay.buf"

/* ---- one dialect ---- */

int spr_absindex(lua_State *L, int i)
{
    return i > 0 || i <= LUA_REGISTRYINDEX ? i : lua_gettop(L) + i + 1;
}

void spr_setfuncs(lua_State *L, const luaL_Reg *list)
{
    for (; list != NULL && list->name != NULL; list++) {
        lua_pushcfunction(L, list->func);
        lua_setfield(L, -2, list->name);
    }
}

void *spr_testudata(lua_State *L, int i, const char *name)
{
    void *p = lua_touserdata(L, i);
    bool same;

    if (p == NULL || !lua_getmetatable(L, i)) return NULL;
    lua_getfield(L, LUA_REGISTRYINDEX, name);
    same = lua_rawequal(L, -1, -2) != 0;
    lua_pop(L, 2); /* both metatables */
    return same ? p : NULL;
}

bool spr_isinteger(lua_State *L, int i, int64_t *out)
{
    if (lua_type(L, i) != LUA_TNUMBER) return false;
#if LUA_VERSION_NUM >= 503
    if (lua_isinteger(L, i)) {
        *out = (int64_t)lua_tointeger(L, i);
        return true;
    }
#endif
    double d = (double)lua_tonumber(L, i);
    if (!(d >= -9223372036854775808.0 && d < 9223372036854775808.0)) return false; /* or NaN? */
    *out = (int64_t)d;
    return (double)*out == d; /* no fraction? */
}

void spr_pushint64(lua_State *L, int64_t v)
{
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, (lua_Integer)v);
#else
    lua_pushnumber(L, (lua_Number)v);
#endif
}

void spr_newclass(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *meta)
{
    luaL_getmetatable(L, name);
    if (lua_isnil(L, -1)) {
        lua_newtable(L);
        lua_pushstring(L, name);
        lua_setfield(L, -2, "__name");
        lua_newtable(L);
        spr_setfuncs(L, methods);
        lua_setfield(L, -2, "__index");
        lua_pushliteral(L, "locked"); /* scripts cannot reach the metatable and call __gc */
        lua_setfield(L, -2, "__metatable");
        spr_setfuncs(L, meta);
        lua_setfield(L, LUA_REGISTRYINDEX, name); /* last: never registered half made */
    }
    lua_pop(L, 1);
}

/* ---- arguments ---- */

spraay_slice bind_check_string(lua_State *L, int i)
{
    spraay_slice s;

    luaL_checktype(L, i, LUA_TSTRING);
    s.p = lua_tolstring(L, i, &s.n);
    return s;
}

const uint8_t *bind_check_bytes(lua_State *L, int i, size_t n)
{
    spraay_slice s = bind_check_string(L, i);

    if (s.n != n) {
        const char *why = lua_pushfstring(L, "expected %d bytes, got %d", (int)n, (int)s.n);
        luaL_argerror(L, i, why);
    }
    return (const uint8_t *)s.p;
}

int64_t bind_check_int(lua_State *L, int i, int64_t min, int64_t max)
{
    int64_t v = 0;

    luaL_checktype(L, i, LUA_TNUMBER);
    luaL_argcheck(L, spr_isinteger(L, i, &v), i, "expected an integer");
    luaL_argcheck(L, v >= min && v <= max, i, "integer out of range");
    return v;
}

int bind_field(lua_State *L, int i, const char *key)
{
    lua_getfield(L, i, key);
    return lua_type(L, -1);
}

/* ---- failing ---- */

int bind_fail_text(lua_State *L, spraay_err err, const char *sentence)
{
    lua_pushnil(L);
    lua_pushstring(L, sentence);
    lua_pushstring(L, spraay_err_name(err));
    return 3;
}

int bind_fail(lua_State *L, spraay_err err)
{
    return bind_fail_text(L, err, spraay_err_sentence(err));
}

/* ---- memory that survives a Lua error ---- */

static int buf_gc(lua_State *L)
{
    spraay_buf *b = spr_testudata(L, 1, BUF_NAME);
    if (b != NULL) spraay_buf_wipe(b);
    return 0;
}

spraay_buf *bind_buf(lua_State *L, size_t max)
{
    static const luaL_Reg meta[] = { { "__gc", buf_gc }, { NULL, NULL } };
    spraay_buf *b;

    spr_newclass(L, BUF_NAME, NULL, meta);
    b = lua_newuserdata(L, sizeof *b);
    spraay_buf_init(b, max); /* before the metatable, so that __gc is safe at every instant */
    luaL_getmetatable(L, BUF_NAME);
    lua_setmetatable(L, -2);
    return b;
}

int bind_push_buf(lua_State *L, spraay_buf *b)
{
    spraay_slice s = spraay_buf_slice(b);

    lua_pushlstring(L, s.p, s.n);
    spraay_buf_wipe(b);
    return 1;
}
