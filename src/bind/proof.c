/* SPDX-License-Identifier: MIT */
/* client/proof by hand: the chain's word on one EVM authorization, over any JSON-RPC transport.
 *
 * For Lua:
 *   proof = proof_new{ chain_id=, asset=, payer=, nonce= (32 bytes), valid_before=, signed_at= }
 *   proof:request()            -> body to POST | nil, sentence, NAME when there is a verdict
 *   proof:answer(status, body) -> "pending" | "void" | "used" | "canceled" | "too_early" |
 *                                 "unavailable"; status 0 or body nil: no answer came
 *   proof:verdict()            -> that word, { reason=, transaction=, block=, block_time=, again= } */

#include "bind/bind.h"

#include <string.h>

#include "bind/x402_args.h"
#include "chain/eip55.h"
#include "client/proof.h"

#define PROOF_NAME "spraay.proof"

static spraay_proof *check_proof(lua_State *L)
{
    spraay_proof *p = spr_testudata(L, 1, PROOF_NAME);

    luaL_argcheck(L, p != NULL, 1, "expected a proof");
    return p;
}

static int l_request(lua_State *L)
{
    spraay_proof *p = check_proof(L);
    spraay_buf *body = bind_buf(L, SPRAAY_PROOF_REQUEST_MAX);
    spraay_err err = spraay_proof_request(p, body);

    return err == SPRAAY_OK ? bind_push_buf(L, body) : bind_fail(L, err);
}

static int l_answer(lua_State *L)
{
    spraay_proof *p = check_proof(L);
    long status = (long)bind_check_int(L, 2, 0, 999);
    spraay_slice body = { "", 0 };

    if (!lua_isnoneornil(L, 3)) body = bind_check_string(L, 3);
    lua_pushstring(L, spraay_proof_verdict_name(spraay_proof_answer(p, status, body)));
    return 1;
}

static int l_verdict(lua_State *L)
{
    const spraay_proof *p = check_proof(L);

    lua_pushstring(L, spraay_proof_verdict_name(p->verdict));
    lua_createtable(L, 0, 6);
    lua_pushstring(L, p->reason);
    lua_setfield(L, -2, "reason");
    if (p->transaction[0]) {
        lua_pushstring(L, p->transaction);
        lua_setfield(L, -2, "transaction");
    }
    spr_pushint64(L, (int64_t)p->block);
    lua_setfield(L, -2, "block");
    spr_pushint64(L, (int64_t)p->block_time_s);
    lua_setfield(L, -2, "block_time");
    if (p->again_s != 0) {
        spr_pushint64(L, (int64_t)p->again_s);
        lua_setfield(L, -2, "again");
    }
    lua_pushboolean(L, p->used);
    lua_setfield(L, -2, "used");
    return 2;
}

static void check_address(lua_State *L, const char *key, uint8_t out20[20])
{
    const char *text = bind_opt_text(L, 1, key);

    if (text == NULL || spraay_evm_address_parse(out20, text, strlen(text), SPRAAY_EVM_CHECKSUM) != SPRAAY_OK)
        luaL_error(L, "%s: expected an address", key);
}

static int l_new(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "request", l_request },
        { "answer", l_answer },
        { "verdict", l_verdict },
        { NULL, NULL },
    };
    spraay_proof_question q;

    lua_settop(L, 1);
    luaL_checktype(L, 1, LUA_TTABLE);
    memset(&q, 0, sizeof q);
    q.chain_id = (uint64_t)bind_opt_int(L, 1, "chain_id", 1, INT64_MAX, 8453);
    q.max_valid_before_s = (uint64_t)bind_opt_int(L, 1, "valid_before", 0, INT64_MAX, 0);
    q.signed_at_s = (uint64_t)bind_opt_int(L, 1, "signed_at", 0, INT64_MAX, 0);
    check_address(L, "asset", q.asset20);
    check_address(L, "payer", q.payer20);
    bind_field(L, 1, "nonce");
    memcpy(q.nonce32, bind_check_bytes(L, 2, 32), 32);

    spr_newclass(L, PROOF_NAME, methods, NULL);
    spraay_proof *p = lua_newuserdata(L, sizeof *p);
    spraay_proof_init(p, &q);
    luaL_getmetatable(L, PROOF_NAME);
    lua_setmetatable(L, -2);
    return 1;
}

const luaL_Reg bind_proof[] = {
    { "proof_new", l_new },
    { NULL, NULL },
};
