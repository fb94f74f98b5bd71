/* SPDX-License-Identifier: MIT */
/* engine:fetch: one plain transfer for Lua.
 *
 *   local t = engine:fetch { url = "https://example.org/", total_ms = 5000 }
 *   while not t:done() do engine:step(1000) end
 *   local answer, sentence, name = t:result()
 *
 * The request table is read completely before the engine sees any of it. */

#include <string.h>

#include "bind/engine.h"

#define TRANSFER "spraay.transfer"
#define TIME_MAX 2592000000 /* thirty days, as spraay_request_check allows */

struct transfer_box {
    spraay_transfer *t;
};

/* ---- what came of it ---- */

static spraay_transfer *check_transfer(lua_State *L, int i)
{
    struct transfer_box *box = luaL_checkudata(L, i, TRANSFER);
    luaL_argcheck(L, box->t != NULL, i, "the transfer is closed");
    return box->t;
}

/* Fields of the same name become one, joined by commas (RFC 9110, section 5.3). */
static void push_headers(lua_State *L, const spraay_headers *h)
{
    lua_newtable(L);
    for (size_t i = 0; i < h->n; i++) {
        spraay_slice name = spraay_headers_name(h, i);
        spraay_slice value = spraay_headers_value(h, i);
        spraay_buf *lower = bind_buf(L, name.n);

        for (size_t k = 0; k < name.n; k++)
            if (spraay_buf_putc(lower, spraay_ascii_lower(name.p[k])) != SPRAAY_OK)
                luaL_error(L, "out of memory");
        bind_push_buf(L, lower);
        lua_pushvalue(L, -1);
        lua_rawget(L, -4);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            lua_pushlstring(L, value.p, value.n);
        } else {
            lua_pushliteral(L, ", ");
            lua_pushlstring(L, value.p, value.n);
            lua_concat(L, 3);
        }
        lua_rawset(L, -4); /* table buf name value */
        lua_pop(L, 1);     /* the buffer */
    }
}

static int transfer_done(lua_State *L)
{
    lua_pushboolean(L, spraay_transfer_done(check_transfer(L, 1)));
    return 1;
}

/* { status, headers, body }, or nil, sentence, name of the failure. */
static int transfer_result(lua_State *L)
{
    spraay_transfer *t = check_transfer(L, 1);
    const spraay_response *res = spraay_transfer_response(t);

    if (!spraay_transfer_done(t)) return bind_fail_text(L, SPRAAY_STATE, "the transfer is not done yet");
    if (!res->complete) {
        lua_pushnil(L);
        lua_pushstring(L, res->sentence);
        lua_pushstring(L, spraay_failure_name(res->failure));
        return 3;
    }
    lua_newtable(L);
    spr_pushint64(L, res->status);
    lua_setfield(L, -2, "status");
    push_headers(L, &res->headers);
    lua_setfield(L, -2, "headers");
    if (res->file != NULL) {
        lua_pushstring(L, res->file);
        lua_setfield(L, -2, "file");
    } else {
        spraay_slice body = spraay_buf_slice(&res->body);
        lua_pushlstring(L, body.p, body.n);
        lua_setfield(L, -2, "body");
    }
    return 1;
}

/* What is known besides the answer, failed or not. */
static int transfer_info(lua_State *L)
{
    const spraay_response *res = spraay_transfer_response(check_transfer(L, 1));

    lua_newtable(L);
    lua_pushboolean(L, res->sent);
    lua_setfield(L, -2, "sent");
    spr_pushint64(L, res->sends);
    lua_setfield(L, -2, "sends");
    lua_pushboolean(L, res->complete);
    lua_setfield(L, -2, "complete");
    spr_pushint64(L, res->status);
    lua_setfield(L, -2, "status");
    spr_pushint64(L, (int64_t)res->body_bytes);
    lua_setfield(L, -2, "body_bytes");
    push_headers(L, &res->headers);
    lua_setfield(L, -2, "headers");
    return 1;
}

static int transfer_cancel(lua_State *L)
{
    spraay_transfer_cancel(check_transfer(L, 1));
    return 0;
}

static int transfer_gc(lua_State *L)
{
    struct transfer_box *box = luaL_checkudata(L, 1, TRANSFER);

    spraay_transfer_free(box->t);
    box->t = NULL;
    return 0;
}

/* ---- a request from a table ---- */

/* Each option's value stays on the stack, which keeps its bytes alive until the engine has them. */
static bool has(lua_State *L, const char *key)
{
    if (bind_field(L, 2, key) != LUA_TNIL) return true;
    lua_pop(L, 1);
    return false;
}

static spraay_slice option_slice(lua_State *L, const char *key)
{
    spraay_slice s = { NULL, 0 };

    if (!has(L, key)) return s;
    if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "fetch: %s must be a string", key);
    s.p = lua_tolstring(L, -1, &s.n);
    return s;
}

static const char *option_text(lua_State *L, const char *key)
{
    spraay_slice s = option_slice(L, key);

    if (s.p != NULL && memchr(s.p, '\0', s.n) != NULL) luaL_error(L, "fetch: %s holds a NUL", key);
    return s.p;
}

static int64_t option_int(lua_State *L, const char *key, int64_t fallback, int64_t max)
{
    int64_t v = fallback;

    if (!has(L, key)) return v;
    if (!spr_isinteger(L, -1, &v) || v < 0 || v > max)
        luaL_error(L, "fetch: %s must be an integer from 0 to %f", key, (lua_Number)max);
    lua_pop(L, 1);
    return v;
}

static bool option_flag(lua_State *L, const char *key)
{
    bool v = false;

    if (has(L, key)) {
        v = lua_toboolean(L, -1) != 0;
        lua_pop(L, 1);
    }
    return v;
}

/* headers = { { name, value }, … } */
static void option_headers(lua_State *L, spraay_request *r)
{
    spraay_field *f;

    if (!has(L, "headers")) return;
    if (lua_type(L, -1) != LUA_TTABLE) luaL_error(L, "fetch: headers must be a list of pairs");
    int list = lua_gettop(L);
    r->n_headers = spr_rawlen(L, list);
    f = lua_newuserdata(L, (r->n_headers + 1) * sizeof *f); /* stays on the stack, as all else */
    r->headers = f;
    for (size_t i = 0; i < r->n_headers; i++, f++) {
        lua_rawgeti(L, list, (int)i + 1);
        if (lua_type(L, -1) != LUA_TTABLE) luaL_error(L, "fetch: header %d is no pair", (int)i + 1);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "fetch: header %d needs a name and a value", (int)i + 1);
        f->name.p = lua_tolstring(L, -2, &f->name.n);
        f->value.p = lua_tolstring(L, -1, &f->value.n);
        lua_pop(L, 3); /* the pair's own table keeps both strings */
    }
}

static void option_resolve(lua_State *L, spraay_request *r)
{
    const char **entry;

    if (!has(L, "resolve")) return;
    if (lua_type(L, -1) != LUA_TTABLE) luaL_error(L, "fetch: resolve must be a list of strings");
    int list = lua_gettop(L);
    r->n_resolve = spr_rawlen(L, list);
    entry = lua_newuserdata(L, (r->n_resolve + 1) * sizeof *entry);
    r->resolve = entry;
    for (size_t i = 0; i < r->n_resolve; i++) {
        lua_rawgeti(L, list, (int)i + 1);
        if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "fetch: resolve entries are strings");
        entry[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
}

/* A misspelt limit must not pass for no limit. */
static void check_options(lua_State *L)
{
    static const char *const known[] = { "method",     "url",       "headers",  "body",     "user_agent",
                                         "connect_ms", "idle_ms",   "total_ms", "max_body", "max_headers",
                                         "spill_dir",  "max_spill", "fresh",    "http1",    "proxy",
                                         "ca_file",    "resolve" };

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, 2) != 0) {
        bool found = false;
        lua_pop(L, 1);
        for (size_t i = 0; lua_type(L, -1) == LUA_TSTRING && i < sizeof known / sizeof known[0]; i++)
            found |= strcmp(lua_tostring(L, -1), known[i]) == 0;
        if (!found) {
            const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "(no name)";
            luaL_error(L, "fetch: unknown option %s", name);
        }
    }
}

static void read_request(lua_State *L, spraay_request *r)
{
    const int64_t bytes = (int64_t)1 << 40;

    check_options(L);
    luaL_checkstack(L, 40, "fetch");
    spraay_request_init(r);
    r->method = option_slice(L, "method");
    r->url = option_slice(L, "url");
    r->body = option_slice(L, "body");
    r->user_agent = option_text(L, "user_agent");
    r->proxy = option_text(L, "proxy");
    r->ca_file = option_text(L, "ca_file");
    r->spill_dir = option_text(L, "spill_dir");
    r->connect_ms = option_int(L, "connect_ms", r->connect_ms, TIME_MAX);
    r->idle_ms = option_int(L, "idle_ms", r->idle_ms, TIME_MAX);
    r->total_ms = option_int(L, "total_ms", r->total_ms, TIME_MAX);
    r->max_body_bytes = (size_t)option_int(L, "max_body", (int64_t)r->max_body_bytes, bytes);
    r->max_header_bytes = (size_t)option_int(L, "max_headers", (int64_t)r->max_header_bytes, bytes);
    r->max_spill_bytes = (uint64_t)option_int(L, "max_spill", (int64_t)r->max_spill_bytes, bytes);
    r->fresh_connection = option_flag(L, "fresh");
    if (option_flag(L, "http1")) r->version = SPRAAY_HTTP_1_1;
    option_headers(L, r);
    option_resolve(L, r);
    if (r->url.p == NULL) luaL_error(L, "fetch: url is missing");
}

/* ---- the functions ---- */

int bind_engine_fetch(lua_State *L)
{
    spraay_engine *e = bind_check_engine(L, 1);
    struct transfer_box *box;
    spraay_request r;
    spraay_err err;

    lua_settop(L, 2);
    read_request(L, &r);
    box = lua_newuserdata(L, sizeof *box);
    box->t = NULL;
    luaL_getmetatable(L, TRANSFER);
    lua_setmetatable(L, -2);
    err = spraay_engine_start(e, &r, &box->t);
    return err == SPRAAY_OK ? 1 : bind_fail(L, err);
}

static const luaL_Reg transfer_methods[] = {
    { "done", transfer_done },
    { "result", transfer_result },
    { "info", transfer_info },
    { "cancel", transfer_cancel },
    { NULL, NULL },
};

static const luaL_Reg transfer_meta[] = {
    { "__gc", transfer_gc },
    { "__close", transfer_gc },
    { NULL, NULL },
};

void bind_new_transfer_class(lua_State *L)
{
    spr_newclass(L, TRANSFER, transfer_methods, transfer_meta);
}
