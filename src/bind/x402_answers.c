/* SPDX-License-Identifier: MIT */
/* What comes back after paying, read by hand, and the tables this client knows by itself.
 *
 * For Lua:
 *   x402_receipt(status, headers, mine) -> { kind=, flaw=, transaction=, network=, payer=, amount=,
 *                                            reason= }
 *   x402_meaning(status, headers, body, version, mine)
 *                     -> { kind=, expect= "no"|"yes"|"unknown", handler_ran=, challenge=, reason=,
 *                          receipt= }
 *   x402_network(name) -> CAIP-2 id, title, "evm" | "solana"; nil when unknown
 *   x402_assets()      -> list of { network=, asset=, symbol=, decimals=, name=, version=, usdc= }
 * with headers and mine as in x402_args.h. */

#include "bind/bind.h"

#include "bind/x402_args.h"
#include "x402/meaning.h"

static void push_receipt(lua_State *L, const spraay_receipt *r)
{
    lua_createtable(L, 0, 7);
    bind_set_text(L, "kind", spraay_receipt_kind_name(r->kind));
    bind_set_text(L, "flaw", r->flaw);
    if (r->transaction[0]) bind_set_text(L, "transaction", r->transaction);
    if (r->network[0]) bind_set_text(L, "network", r->network);
    if (r->payer[0]) bind_set_text(L, "payer", r->payer);
    if (r->amount[0]) bind_set_text(L, "amount", r->amount);
    if (r->reason[0]) bind_set_text(L, "reason", r->reason);
}

static int l_receipt(lua_State *L)
{
    spraay_answer a;
    spraay_receipt_mine mine;
    spraay_receipt r;
    spraay_err err;

    lua_settop(L, 3);
    bind_check_answer(L, 1, 2, 0, &a);
    bind_check_mine(L, 3, &mine);
    err = spraay_receipt_read(&r, &a, &mine);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    push_receipt(L, &r);
    return 1;
}

static int l_meaning(lua_State *L)
{
    spraay_answer a;
    spraay_receipt_mine mine;
    spraay_meaning m;
    spraay_err err;

    lua_settop(L, 5);
    bind_check_answer(L, 1, 2, 3, &a);
    int version = (int)bind_check_int(L, 4, 1, 2);
    bind_check_mine(L, 5, &mine);
    err = spraay_meaning_read(&m, &a, version, &mine);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_createtable(L, 0, 6);
    bind_set_text(L, "kind", spraay_meaning_name(m.kind));
    bind_set_text(L, "expect", spraay_expect_name(m.expect));
    bind_set_flag(L, "handler_ran", m.handler_ran);
    bind_set_flag(L, "challenge", m.challenge);
    if (m.reason[0]) bind_set_text(L, "reason", m.reason);
    push_receipt(L, &m.receipt);
    lua_setfield(L, -2, "receipt");
    return 1;
}

static int l_network(lua_State *L)
{
    char id[SPRAAY_NETWORK_TEXT];

    if (!spraay_network_resolve(id, bind_check_string(L, 1))) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushstring(L, id);
    lua_pushstring(L, spraay_network_title(id));
    lua_pushstring(L, bind_rail_name(spraay_network_rail(id)));
    return 3;
}

static int l_assets(lua_State *L)
{
    const spraay_asset *a;

    lua_newtable(L);
    for (size_t i = 0; (a = spraay_asset_at(i)) != NULL; i++) {
        lua_createtable(L, 0, 7);
        bind_set_text(L, "network", a->network);
        bind_set_text(L, "asset", a->asset);
        bind_set_text(L, "symbol", a->symbol);
        bind_set_int(L, "decimals", a->decimals);
        bind_set_text(L, "name", a->name);
        bind_set_text(L, "version", a->version);
        bind_set_flag(L, "usdc", a->usdc);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

/* clang-format off */
const luaL_Reg bind_x402_answers[] = {
    { "x402_assets",  l_assets },
    { "x402_meaning", l_meaning },
    { "x402_network", l_network },
    { "x402_receipt", l_receipt },
    { NULL, NULL },
};
/* clang-format on */
