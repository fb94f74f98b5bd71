/* SPDX-License-Identifier: MIT */
/* core.engine(): the engine as a userdata. Any loop that can wait for a descriptor drives it by
 * pollfd() and step(0); nothing here waits but step. */

#include "bind/engine.h"

#define ENGINE   "spraay.engine"
#define TIME_MAX 2592000000 /* thirty days, as spraay_request_check allows */

struct engine_box {
    spraay_engine *e;
};

spraay_engine *bind_check_engine(lua_State *L, int i)
{
    struct engine_box *box = luaL_checkudata(L, i, ENGINE);
    luaL_argcheck(L, box->e != NULL, i, "the engine is closed");
    return box->e;
}

/* engine:step(ms, most): how many transfers finished, of which no more than 'most' are told of. Without ms it
 * waits until something happens. */
static int engine_step(lua_State *L)
{
    spraay_engine *e = bind_check_engine(L, 1);
    int64_t ms = lua_isnoneornil(L, 2) ? -1 : bind_check_int(L, 2, 0, TIME_MAX);
    int64_t most = lua_isnoneornil(L, 3) ? INT32_MAX : bind_check_int(L, 3, 1, INT32_MAX);
    size_t n = 0;
    spraay_err err = spraay_engine_step(e, ms, (size_t)most, &n);

    if (err != SPRAAY_OK) return bind_fail(L, err);
    spr_pushint64(L, (int64_t)n);
    return 1;
}

static int engine_pollfd(lua_State *L)
{
    lua_pushinteger(L, spraay_engine_fd(bind_check_engine(L, 1)));
    return 1;
}

static int engine_events(lua_State *L)
{
    (void)bind_check_engine(L, 1);
    lua_pushliteral(L, "r");
    return 1;
}

/* Milliseconds, or nil when nothing is due. */
static int engine_timeout(lua_State *L)
{
    int64_t ms = spraay_engine_timeout_ms(bind_check_engine(L, 1));

    if (ms < 0)
        lua_pushnil(L);
    else
        spr_pushint64(L, ms);
    return 1;
}

static int engine_pending(lua_State *L)
{
    spr_pushint64(L, (int64_t)spraay_engine_pending(bind_check_engine(L, 1)));
    return 1;
}

static int engine_wake(lua_State *L)
{
    spraay_engine_wake(bind_check_engine(L, 1));
    return 0;
}

/* Clients that hold the engine find it closed; the memory goes with the last of them. */
static int engine_close(lua_State *L)
{
    struct engine_box *box = luaL_checkudata(L, 1, ENGINE);
    spraay_engine *e = box->e;

    box->e = NULL;
    if (e != NULL) {
        spraay_engine_close(e);
        spraay_engine_free(e);
    }
    return 0;
}

static int engine_gc(lua_State *L)
{
    struct engine_box *box = luaL_checkudata(L, 1, ENGINE);

    spraay_engine_free(box->e); /* not closed: a client may still use it */
    box->e = NULL;
    return 0;
}

static const luaL_Reg engine_methods[] = {
    { "fetch", bind_engine_fetch }, { "step", engine_step },       { "pollfd", engine_pollfd },
    { "events", engine_events },    { "timeout", engine_timeout }, { "pending", engine_pending },
    { "wake", engine_wake },        { "close", engine_close },     { NULL, NULL },
};

static const luaL_Reg engine_meta[] = {
    { "__gc", engine_gc },
    { "__close", engine_close },
    { NULL, NULL },
};

static int l_engine(lua_State *L)
{
    struct engine_box *box;
    spraay_err err;

    spr_newclass(L, ENGINE, engine_methods, engine_meta);
    bind_new_transfer_class(L);
    box = lua_newuserdata(L, sizeof *box);
    box->e = NULL;
    luaL_getmetatable(L, ENGINE);
    lua_setmetatable(L, -2);
    err = spraay_engine_new(&box->e);
    return err == SPRAAY_OK ? 1 : bind_fail(L, err);
}

const luaL_Reg bind_engine[] = { { "engine", l_engine }, { NULL, NULL } };
