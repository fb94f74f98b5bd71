/* SPDX-License-Identifier: MIT */
/* client/proof_svm and client/lookup_svm by hand, over any JSON-RPC transport.
 *
 * For Lua:
 *   proof = proof_svm_new{ network=, payer=, source=, memo= or message=, last_height=, history= }
 *   proof:request()             -> body to POST | nil, sentence, NAME when there is a verdict
 *   proof:answer(status, body)  -> "pending" | "void" | "used" | "too_early" | "unavailable"
 *   proof:verdict()             -> that word, { reason=, transaction=, height=, slot= }
 *   lookup = lookup_svm_new{ network=, asset=, decimals=, blockhash=, known= }
 *   lookup:request()            -> body to POST | nil, sentence, NAME when it is done
 *   lookup:answer(status, body) -> "pending" | "done" | "failed"
 *   lookup:facts()              -> { blockhash=, last_height=, token_program=, reason= } */

#include "bind/bind.h"

#include <stdio.h>
#include <string.h>

#include "bind/x402_args.h"
#include "client/lookup_svm.h"
#include "client/proof_svm.h"

#define PROOF_NAME  "spraay.proof_svm"
#define LOOKUP_NAME "spraay.lookup_svm"

static int request(lua_State *L, spraay_err err, spraay_buf *body)
{
    return err == SPRAAY_OK ? bind_push_buf(L, body) : bind_fail(L, err);
}

static long status_of(lua_State *L, spraay_slice *body)
{
    *body = (spraay_slice){ "", 0 };
    if (!lua_isnoneornil(L, 3)) *body = bind_check_string(L, 3);
    return (long)bind_check_int(L, 2, 0, 999);
}

static void check_address(lua_State *L, const char *key, uint8_t out32[32])
{
    const char *text = bind_opt_text(L, 1, key);

    if (text == NULL || spraay_solana_address_parse(out32, text) != SPRAAY_OK)
        luaL_error(L, "%s: expected an address", key);
}

/* ---- proof ---- */

static int proof_request(lua_State *L)
{
    spraay_proof_svm *p = luaL_checkudata(L, 1, PROOF_NAME);
    spraay_buf *body = bind_buf(L, SPRAAY_RPC_SVM_REQUEST_MAX);

    return request(L, spraay_proof_svm_request(p, body), body);
}

static int proof_answer(lua_State *L)
{
    spraay_proof_svm *p = luaL_checkudata(L, 1, PROOF_NAME);
    spraay_slice body;
    long status = status_of(L, &body);

    lua_pushstring(L, spraay_proof_verdict_name(spraay_proof_svm_answer(p, status, body)));
    return 1;
}

static int proof_verdict(lua_State *L)
{
    const spraay_proof_svm *p = luaL_checkudata(L, 1, PROOF_NAME);

    lua_pushstring(L, spraay_proof_verdict_name(p->verdict));
    lua_createtable(L, 0, 4);
    bind_set_text(L, "reason", p->reason);
    if (p->transaction[0]) bind_set_text(L, "transaction", p->transaction);
    bind_set_int(L, "height", (int64_t)p->height);
    bind_set_int(L, "slot", (int64_t)p->slot);
    return 2;
}

static int l_proof_new(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "request", proof_request }, { "answer", proof_answer }, { "verdict", proof_verdict }, { NULL, NULL }
    };
    spraay_proof_svm_question q;
    const char *network, *memo;

    lua_settop(L, 1);
    luaL_checktype(L, 1, LUA_TTABLE);
    memset(&q, 0, sizeof q);
    network = bind_opt_text(L, 1, "network");
    memo = bind_opt_text(L, 1, "memo");
    luaL_argcheck(L, network != NULL && strlen(network) < sizeof q.network, 1, "network is missing");
    luaL_argcheck(L, memo == NULL || strlen(memo) < sizeof q.memo, 1, "memo is too long");
    (void)snprintf(q.network, sizeof q.network, "%s", network);
    if (memo != NULL) (void)snprintf(q.memo, sizeof q.memo, "%s", memo);
    check_address(L, "payer", q.payer32);
    check_address(L, "source", q.source32);
    q.last_height = (uint64_t)bind_opt_int(L, 1, "last_height", 0, INT64_MAX, 0);
    q.history = bind_opt_flag(L, 1, "history");
    if (bind_field(L, 1, "message") != LUA_TNIL) {
        spraay_slice message = bind_check_string(L, 2);
        luaL_argcheck(L, message.n <= sizeof q.message, 1, "message is too long");
        memcpy(q.message, message.p, message.n);
        q.message_n = message.n;
    }
    spr_newclass(L, PROOF_NAME, methods, NULL);
    spraay_proof_svm *p = lua_newuserdata(L, sizeof *p);
    spraay_proof_svm_init(p, &q);
    luaL_getmetatable(L, PROOF_NAME);
    lua_setmetatable(L, -2);
    return 1;
}

/* ---- lookup ---- */

static int lookup_request(lua_State *L)
{
    spraay_lookup_svm *l = luaL_checkudata(L, 1, LOOKUP_NAME);
    spraay_buf *body = bind_buf(L, SPRAAY_RPC_SVM_REQUEST_MAX);

    return request(L, spraay_lookup_svm_request(l, body), body);
}

static int lookup_answer(lua_State *L)
{
    spraay_lookup_svm *l = luaL_checkudata(L, 1, LOOKUP_NAME);
    spraay_slice body;
    long status = status_of(L, &body);

    spraay_lookup_svm_answer(l, status, body);
    lua_pushstring(L, l->state == SPRAAY_LOOKUP_DONE     ? "done"
                      : l->state == SPRAAY_LOOKUP_FAILED ? "failed"
                                                         : "pending");
    return 1;
}

static int lookup_facts(lua_State *L)
{
    const spraay_lookup_svm *l = luaL_checkudata(L, 1, LOOKUP_NAME);

    lua_createtable(L, 0, 4);
    bind_set_text(L, "blockhash", l->facts.blockhash);
    bind_set_int(L, "last_height", (int64_t)l->facts.last_height);
    bind_set_text(L, "token_program", l->facts.token_program);
    bind_set_text(L, "reason", l->reason);
    return 1;
}

static int l_lookup_new(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "request", lookup_request }, { "answer", lookup_answer }, { "facts", lookup_facts }, { NULL, NULL }
    };
    const char *network, *mint;

    lua_settop(L, 1);
    luaL_checktype(L, 1, LUA_TTABLE);
    network = bind_opt_text(L, 1, "network");
    mint = bind_opt_text(L, 1, "asset");
    luaL_argcheck(L, network != NULL && mint != NULL, 1, "network and asset are needed");
    spraay_asset asset = { .network = network,
                           .asset = mint,
                           .symbol = "tokens",
                           .decimals = (unsigned)bind_opt_int(L, 1, "decimals", 0, 36, 6) };
    const char *blockhash = bind_opt_text(L, 1, "blockhash");
    bool known = bind_opt_flag(L, 1, "known");
    spr_newclass(L, LOOKUP_NAME, methods, NULL);
    spraay_lookup_svm *l = lua_newuserdata(L, sizeof *l);
    spraay_lookup_svm_init(l, network, &asset, blockhash, known);
    luaL_getmetatable(L, LOOKUP_NAME);
    lua_setmetatable(L, -2);
    return 1;
}

extern const luaL_Reg bind_proof_svm[];
const luaL_Reg bind_proof_svm[] = {
    { "proof_svm_new", l_proof_new },
    { "lookup_svm_new", l_lookup_new },
    { NULL, NULL },
};
