/* SPDX-License-Identifier: MIT */
/* core.client(engine, config): the client as a userdata, and client:call{…} (bind/call.c). */
#include "bind/client.h"

#include <string.h>

#include "bind/engine.h"
#include "bind/ledger.h"
#include "bind/wallet.h"

#define CLIENT   "spraay.client"
#define HUB      "spraay.hub"
#define LIST_MAX 256

struct client_box {
    spraay_client *c;
};
struct hub_box {
    spraay_hub *h;
};

/* ---- fields of a table; what they return lives as long as the table keeps it ---- */

const char *bind_text(lua_State *L, int i, const char *key)
{
    const char *text;
    size_t n;

    if (bind_field(L, i, key) == LUA_TNIL) {
        lua_pop(L, 1);
        return NULL;
    }
    if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "%s: expected a string", key);
    text = lua_tolstring(L, -1, &n);
    if (strlen(text) != n) luaL_error(L, "%s: a NUL byte", key);
    lua_pop(L, 1);
    return text;
}

bool bind_flag(lua_State *L, int i, const char *key)
{
    bool yes;

    (void)bind_field(L, i, key);
    yes = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return yes;
}

int64_t bind_number(lua_State *L, int i, const char *key, int64_t otherwise, int64_t max)
{
    int64_t v = 0;

    if (bind_field(L, i, key) == LUA_TNIL)
        v = otherwise;
    else if (!spr_isinteger(L, -1, &v) || v < 0 || v > max)
        luaL_error(L, "%s: expected an integer from 0 on", key);
    lua_pop(L, 1);
    return v;
}

/* Room for 'size' bytes that Lua frees; stays on the stack. */
static void *room(lua_State *L, size_t size)
{
    void *p = lua_newuserdata(L, size ? size : 1);
    memset(p, 0, size ? size : 1);
    return p;
}

const char *const *bind_texts(lua_State *L, int i, const char *key, size_t *n)
{
    const char **list;

    i = spr_absindex(L, i);
    *n = 0;
    if (bind_field(L, i, key) == LUA_TNIL) return NULL;
    luaL_checktype(L, -1, LUA_TTABLE);
    *n = spr_rawlen(L, -1);
    if (*n > LIST_MAX) luaL_error(L, "%s: too many", key);
    list = room(L, *n * sizeof *list);
    for (size_t k = 0; k < *n; k++) {
        lua_rawgeti(L, -2, (int)k + 1);
        if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "%s: expected strings", key);
        list[k] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    return list; /* the table and the room stay on the stack */
}

const spraay_field *bind_fields(lua_State *L, int i, const char *key, size_t *n)
{
    spraay_field *list;

    i = spr_absindex(L, i);
    *n = 0;
    if (bind_field(L, i, key) == LUA_TNIL) return NULL;
    luaL_checktype(L, -1, LUA_TTABLE);
    *n = spr_rawlen(L, -1);
    if (*n > LIST_MAX) luaL_error(L, "%s: too many", key);
    list = room(L, *n * sizeof *list);
    for (size_t k = 0; k < *n; k++) {
        lua_rawgeti(L, -2, (int)k + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "%s: expected pairs of strings", key);
        list[k].name.p = lua_tolstring(L, -2, &list[k].name.n);
        list[k].value.p = lua_tolstring(L, -1, &list[k].value.n);
        lua_pop(L, 3);
    }
    return list;
}

static const spraay_asset *assets(lua_State *L, int i, size_t *n)
{
    spraay_asset *list;

    *n = 0;
    if (bind_field(L, i, "assets") == LUA_TNIL) return NULL;
    luaL_checktype(L, -1, LUA_TTABLE);
    *n = spr_rawlen(L, -1);
    if (*n > LIST_MAX) luaL_error(L, "assets: too many");
    list = room(L, *n * sizeof *list);
    for (size_t k = 0; k < *n; k++) {
        lua_rawgeti(L, -2, (int)k + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        list[k].network = bind_text(L, -1, "network");
        list[k].asset = bind_text(L, -1, "asset");
        list[k].name = bind_text(L, -1, "name");
        list[k].version = bind_text(L, -1, "version");
        list[k].symbol = bind_text(L, -1, "symbol");
        list[k].decimals = (unsigned)bind_number(L, -1, "decimals", 6, 36);
        if (list[k].symbol == NULL) list[k].symbol = "tokens";
        if (list[k].network == NULL || list[k].asset == NULL)
            luaL_error(L, "assets: network and asset are needed");
        lua_pop(L, 1);
    }
    return list;
}

static const spraay_rpc_url *rpcs(lua_State *L, int i, size_t *n)
{
    spraay_rpc_url *list;
    size_t k = 0;

    *n = 0;
    if (bind_field(L, i, "rpc") == LUA_TNIL) return NULL;
    luaL_checktype(L, -1, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) (*n)++;
    list = room(L, *n * sizeof *list);
    for (lua_pushnil(L); lua_next(L, -3) != 0; lua_pop(L, 1), k++) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "rpc: expected network = url");
        list[k].network = lua_tostring(L, -2);
        list[k].url = lua_tostring(L, -1);
    }
    return list;
}

/* ---- the hub of this Lua state ---- */

static int hub_gc(lua_State *L)
{
    struct hub_box *box = lua_touserdata(L, 1);

    if (box->h != NULL) {
        spraay_hub_close(box->h);
        spraay_hub_unref(box->h);
    }
    box->h = NULL;
    return 0;
}

/* All clients of a Lua state share what it remembers; a new engine takes the old one's place. */
spraay_hub *bind_hub(lua_State *L, spraay_engine *e, spraay_err *err)
{
    static const luaL_Reg meta[] = { { "__gc", hub_gc }, { NULL, NULL } };
    struct hub_box *box;

    *err = SPRAAY_OK;
    lua_getfield(L, LUA_REGISTRYINDEX, HUB ".of_state");
    box = lua_touserdata(L, -1);
    if (box == NULL) {
        spr_newclass(L, HUB, NULL, meta);
        box = lua_newuserdata(L, sizeof *box);
        box->h = NULL;
        luaL_getmetatable(L, HUB);
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_setfield(L, LUA_REGISTRYINDEX, HUB ".of_state");
        lua_pop(L, 1);
    }
    lua_pop(L, 1); /* the registry keeps it */
    if (box->h == NULL) {
        spraay_engine_hold(e);
        *err = spraay_hub_new(&box->h, e);
    } else if (spraay_hub_engine(box->h) != e) {
        *err = spraay_hub_set_engine(box->h, e);
    }
    return box->h;
}

/* ---- the client ---- */

spraay_client *bind_check_client(lua_State *L, int i)
{
    struct client_box *box = luaL_checkudata(L, i, CLIENT);
    luaL_argcheck(L, box->c != NULL, i, "the client is closed");
    return box->c;
}

static int client_gc(lua_State *L)
{
    struct client_box *box = luaL_checkudata(L, 1, CLIENT);
    spraay_client_unref(box->c);
    box->c = NULL;
    return 0;
}

static const luaL_Reg client_methods[] = { { "call", bind_client_call },
                                           { "totals", bind_client_totals },
                                           { "evm", bind_client_evm },
                                           { "close", client_gc },
                                           { NULL, NULL } };
static const luaL_Reg client_meta[] = { { "__gc", client_gc }, { NULL, NULL } };

static int l_client(lua_State *L)
{
    spraay_engine *e = bind_check_engine(L, 1);
    spraay_client_config cfg = { 0 };
    struct client_box *box;
    spraay_wallet *wallets[8];
    size_t n_wallets = 0;
    spraay_hub *hub;
    spraay_err err;

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    luaL_checkstack(L, 40, NULL);
    spr_newclass(L, CLIENT, client_methods, client_meta);
    box = lua_newuserdata(L, sizeof *box); /* at 3 */
    box->c = NULL;
    luaL_getmetatable(L, CLIENT);
    lua_setmetatable(L, -2);
    (void)bind_field(L, 2, "wallet"); /* at 4: one, or a list */
    if (lua_type(L, 4) == LUA_TTABLE) {
        size_t n = spr_rawlen(L, 4);
        luaL_argcheck(L, n <= sizeof wallets / sizeof wallets[0], 2, "too many wallets");
        for (; n_wallets < n; n_wallets++) {
            lua_rawgeti(L, 4, (int)n_wallets + 1);
            wallets[n_wallets] = bind_opt_wallet(L, 5);
            luaL_argcheck(L, wallets[n_wallets] != NULL, 2, "expected wallets");
            lua_pop(L, 1); /* the list keeps it */
        }
    } else {
        wallets[0] = bind_opt_wallet(L, 4);
        n_wallets = wallets[0] != NULL;
    }

    cfg.gateway = bind_text(L, 2, "gateway");
    luaL_argcheck(L, cfg.gateway != NULL, 2, "gateway is missing");
    cfg.production = bind_flag(L, 2, "production");
    cfg.networks = bind_texts(L, 2, "networks", &cfg.n_networks);
    cfg.pay_to = bind_texts(L, 2, "pay_to", &cfg.n_pay_to);
    cfg.hosts = bind_texts(L, 2, "hosts", &cfg.n_hosts);
    cfg.resolve = bind_texts(L, 2, "resolve", &cfg.n_resolve);
    cfg.headers = bind_fields(L, 2, "headers", &cfg.n_headers);
    cfg.assets = assets(L, 2, &cfg.n_assets);
    cfg.rpc = rpcs(L, 2, &cfg.n_rpc);
    cfg.per_call = bind_text(L, 2, "per_call");
    cfg.per_day = bind_text(L, 2, "per_day");
    cfg.per_host = bind_text(L, 2, "per_host");
    cfg.budget = bind_text(L, 2, "budget");
    cfg.ledger = bind_text(L, 2, "ledger");
    cfg.run = bind_text(L, 2, "run");
    cfg.scope = bind_text(L, 2, "scope");
    if (bind_field(L, 2, "previous") != LUA_TNIL) cfg.previous = bind_check_client(L, lua_gettop(L));
    cfg.proxy = bind_text(L, 2, "proxy");
    cfg.ca_file = bind_text(L, 2, "ca_file");
    cfg.user_agent = bind_text(L, 2, "user_agent");
    cfg.spill_dir = bind_text(L, 2, "spill_dir");
    cfg.connect_ms = bind_number(L, 2, "connect_ms", 10000, 86400000);
    cfg.idle_ms = bind_number(L, 2, "idle_ms", 60000, 86400000);
    cfg.total_ms = bind_number(L, 2, "total_ms", 180000, 86400000);
    cfg.retries = (unsigned)bind_number(L, 2, "retries", 2, 100);

    hub = bind_hub(L, e, &err);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    err = spraay_client_new(&box->c, hub, &cfg, wallets, n_wallets);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_settop(L, 3);
    return 1;
}

const luaL_Reg bind_client[] = { { "client", l_client }, { NULL, NULL } };
