/* SPDX-License-Identifier: MIT */
/* See x402_args.h. */

#include "bind/x402_args.h"

#include <string.h>

#include "chain/amount.h"

/* Push field 'key' of the table at i without metamethods; its type. */
static int raw_field(lua_State *L, int i, const char *key)
{
    i = spr_absindex(L, i);
    lua_pushstring(L, key);
    lua_rawget(L, i);
    return lua_type(L, -1);
}

static void bad_field(lua_State *L, const char *key, const char *expected)
{
    luaL_error(L, "%s: expected %s, got %s", key, expected, luaL_typename(L, -1));
}

const char *bind_opt_text(lua_State *L, int i, const char *key)
{
    int type = raw_field(L, i, key);
    const char *text = NULL;
    size_t n = 0;

    if (type == LUA_TSTRING) {
        text = lua_tolstring(L, -1, &n);
        if (strlen(text) != n) luaL_error(L, "%s: contains a NUL", key);
    } else if (type != LUA_TNIL) {
        bad_field(L, key, "a string");
    }
    lua_pop(L, 1); /* the table still holds it */
    return text;
}

int64_t bind_opt_int(lua_State *L, int i, const char *key, int64_t min, int64_t max, int64_t otherwise)
{
    int64_t v = otherwise;

    if (raw_field(L, i, key) != LUA_TNIL) {
        if (!spr_isinteger(L, -1, &v)) bad_field(L, key, "an integer");
        if (v < min || v > max) luaL_error(L, "%s: out of range", key);
    }
    lua_pop(L, 1);
    return v;
}

bool bind_opt_flag(lua_State *L, int i, const char *key)
{
    int type = raw_field(L, i, key);
    bool on = lua_toboolean(L, -1) != 0;

    if (type != LUA_TNIL && type != LUA_TBOOLEAN) bad_field(L, key, "a boolean");
    lua_pop(L, 1);
    return on;
}

/* ---- an answer ---------------------------------------------------------------------------- */

static spraay_slice slice_at(lua_State *L, int i)
{
    spraay_slice s = { "", 0 };

    if (lua_type(L, i) == LUA_TSTRING)
        s.p = lua_tolstring(L, i, &s.n);
    else
        luaL_error(L, "headers: expected strings, got %s", luaL_typename(L, i));
    return s;
}

/* The value at the top: one string or a list of them. */
static void add_values(lua_State *L, spraay_answer *a, spraay_slice name)
{
    if (lua_type(L, -1) != LUA_TTABLE) {
        spraay_answer_header(a, name, slice_at(L, -1));
        return;
    }
    for (int k = 1; k <= (int)spr_rawlen(L, -1); k++) {
        lua_rawgeti(L, -1, k);
        spraay_answer_header(a, name, slice_at(L, -1));
        lua_pop(L, 1);
    }
}

/* A pair { name, value } at the top. */
static void add_pair(lua_State *L, spraay_answer *a)
{
    if (lua_type(L, -1) != LUA_TTABLE)
        luaL_error(L, "headers: expected { name, value }, got %s", luaL_typename(L, -1));
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    spraay_answer_header(a, slice_at(L, -2), slice_at(L, -1));
    lua_pop(L, 2);
}

void bind_check_answer(lua_State *L, int status, int headers, int body, spraay_answer *out)
{
    spraay_slice text = { "", 0 };

    if (body != 0 && !lua_isnoneornil(L, body)) text = bind_check_string(L, body);
    spraay_answer_init(out, (long)bind_check_int(L, status, 0, 999), text);
    if (lua_isnoneornil(L, headers)) return;
    luaL_checktype(L, headers, LUA_TTABLE);
    luaL_checkstack(L, 6, NULL);
    lua_pushnil(L);
    while (lua_next(L, headers) != 0) {
        if (lua_type(L, -2) == LUA_TSTRING)
            add_values(L, out, slice_at(L, -2));
        else
            add_pair(L, out);
        lua_pop(L, 1); /* the value; the key goes on */
    }
}

/* ---- a policy ----------------------------------------------------------------------------- */

/* Push list 'key' of the table at i and return its length; nil is an empty list. */
static int list_field(lua_State *L, int i, const char *key, int most)
{
    int type = raw_field(L, i, key);

    if (type == LUA_TNIL) return 0;
    if (type != LUA_TTABLE) bad_field(L, key, "a list");
    if (spr_rawlen(L, -1) > (size_t)most) luaL_error(L, "%s: more than %d", key, most);
    return (int)spr_rawlen(L, -1);
}

/* The string at the top of the stack, to be resolved as a network. */
static void check_network(lua_State *L, const char *key, char out[SPRAAY_NETWORK_TEXT])
{
    if (lua_type(L, -1) != LUA_TSTRING) bad_field(L, key, "a network's name");
    spraay_slice s = slice_at(L, -1);
    if (!spraay_network_resolve(out, s)) luaL_error(L, "%s: unknown network \"%s\"", key, s.p);
}

static void check_networks(lua_State *L, int i, struct bind_policy *out)
{
    int n = list_field(L, i, "networks", SPRAAY_POLICY_NETWORKS);

    for (int k = 0; k < n; k++) {
        lua_rawgeti(L, -1, k + 1);
        check_network(L, "networks", out->networks[k]);
        out->policy.networks[k] = out->networks[k];
        lua_pop(L, 1);
    }
    out->policy.n_networks = (size_t)n;
    lua_pop(L, 1);
}

static const char *need_text(lua_State *L, int i, const char *key)
{
    const char *text = bind_opt_text(L, i, key);

    if (text == NULL) luaL_error(L, "%s: missing", key);
    return text;
}

static void check_asset(lua_State *L, int i, struct bind_policy *out, int k)
{
    spraay_asset *a = &out->assets[k];

    i = spr_absindex(L, i);
    if (lua_type(L, i) != LUA_TTABLE) bad_field(L, "assets", "tables");
    raw_field(L, i, "network");
    check_network(L, "assets[].network", out->asset_networks[k]);
    lua_pop(L, 1);
    a->network = out->asset_networks[k];
    a->asset = need_text(L, i, "asset");
    a->name = bind_opt_text(L, i, "name");
    a->version = bind_opt_text(L, i, "version");
    a->symbol = bind_opt_text(L, i, "symbol");
    if (a->symbol == NULL) a->symbol = a->name != NULL ? a->name : "tokens";
    a->decimals = (unsigned)bind_opt_int(L, i, "decimals", 0, SPRAAY_AMOUNT_DECIMALS, 6);
    a->usdc = false;
}

static void check_assets(lua_State *L, int i, struct bind_policy *out)
{
    int n = list_field(L, i, "assets", BIND_POLICY_ASSETS);

    for (int k = 0; k < n; k++) {
        lua_rawgeti(L, -1, k + 1);
        check_asset(L, -1, out, k);
        lua_pop(L, 1);
    }
    out->policy.assets = out->assets;
    out->policy.n_assets = (size_t)n;
    lua_pop(L, 1);
}

static void check_pay_to(lua_State *L, int i, struct bind_policy *out)
{
    int n = list_field(L, i, "pay_to", BIND_POLICY_PAY_TO);

    for (int k = 0; k < n; k++) {
        lua_rawgeti(L, -1, k + 1);
        out->pay_to[k] = slice_at(L, -1).p;
        lua_pop(L, 1);
    }
    out->policy.pay_to = out->pay_to;
    out->policy.n_pay_to = (size_t)n;
    lua_pop(L, 1);
}

static const char *limit(lua_State *L, int i, const char *key)
{
    const char *text = bind_opt_text(L, i, key);

    if (text != NULL && !spraay_amount_valid(text, strlen(text)))
        luaL_error(L, "%s: expected atomic units, digits only", key);
    return text;
}

static void check_fixed(lua_State *L, int i, struct bind_policy *out)
{
    if (raw_field(L, i, "fixed") != LUA_TNIL) {
        int fixed = lua_gettop(L);
        if (lua_type(L, fixed) != LUA_TTABLE) bad_field(L, "fixed", "a table");
        raw_field(L, fixed, "network");
        check_network(L, "fixed.network", out->fixed_network);
        lua_pop(L, 1);
        out->fixed.network = out->fixed_network;
        out->fixed.asset = need_text(L, fixed, "asset");
        out->fixed.pay_to = need_text(L, fixed, "pay_to");
        out->policy.fixed = &out->fixed;
    }
    lua_pop(L, 1);
}

void bind_check_policy(lua_State *L, int i, struct bind_policy *out)
{
    spraay_policy *p = &out->policy;

    luaL_checktype(L, i, LUA_TTABLE);
    luaL_checkstack(L, 8, NULL);
    memset(out, 0, sizeof *out);
    spraay_policy_init(p);
    check_networks(L, i, out);
    check_assets(L, i, out);
    check_pay_to(L, i, out);
    check_fixed(L, i, out);
    p->payer_evm = bind_opt_text(L, i, "payer");
    p->payer_svm = bind_opt_text(L, i, "payer_solana");
    p->max = limit(L, i, "max");
    p->published = limit(L, i, "published");
    p->per_call = limit(L, i, "per_call");
    p->allow_zero = bind_opt_flag(L, i, "allow_zero");
    p->max_window_s = (unsigned)bind_opt_int(L, i, "max_window", 1, 3600, p->max_window_s);
    p->max_timeout_s = (unsigned)bind_opt_int(L, i, "max_timeout", 1, 86400, p->max_timeout_s);
    p->min_timeout_s = (unsigned)bind_opt_int(L, i, "min_timeout", 1, 3600, p->min_timeout_s);
    p->origin = bind_opt_text(L, i, "origin");
}

void bind_check_mine(lua_State *L, int i, spraay_receipt_mine *out)
{
    memset(out, 0, sizeof *out);
    if (lua_isnoneornil(L, i)) return;
    luaL_checktype(L, i, LUA_TTABLE);
    out->network = bind_opt_text(L, i, "network");
    out->payer = bind_opt_text(L, i, "payer");
    out->amount = limit(L, i, "amount");
    out->fee_payer = bind_opt_text(L, i, "fee_payer");
}

/* ---- writing ------------------------------------------------------------------------------ */

void bind_set_text(lua_State *L, const char *key, const char *text)
{
    if (text == NULL) return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

void bind_set_slice(lua_State *L, const char *key, spraay_slice s)
{
    if (s.n == 0) return;
    lua_pushlstring(L, s.p, s.n);
    lua_setfield(L, -2, key);
}

void bind_set_int(lua_State *L, const char *key, int64_t v)
{
    spr_pushint64(L, v);
    lua_setfield(L, -2, key);
}

void bind_set_flag(lua_State *L, const char *key, bool v)
{
    lua_pushboolean(L, v);
    lua_setfield(L, -2, key);
}

const char *bind_rail_name(spraay_rail rail)
{
    return rail == SPRAAY_RAIL_EVM ? "evm" : rail == SPRAAY_RAIL_SVM ? "solana" : NULL;
}
