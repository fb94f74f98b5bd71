/* SPDX-License-Identifier: MIT */
/* client/evm_sender for Lua: what evm.lua drives, which asks the chain and broadcasts. Nothing here waits.
 *
 *   sender = client:evm{ act=, network=, contract=, amount=, gas_cap= (wei, digits), verb=, purchase=, scope=,
 *                        step=, again= }          -> sender, or nil, sentence, NAME
 *   sender:claim() :reserve() :turn() :void()      -> true, or nil, sentence, NAME; then :done() and :result()
 *   sender:sign(step, { nonce=, gas=, max_fee=, max_tip= (digits) })
 *   sender:settle(hash32, fate, block, block_hash)
 *   sender:deliver(body, transaction)
 *   sender:done()     -> boolean
 *   sender:result()   -> of the last operation: true, or what it gives; nil, sentence, NAME[, refusal]
 *   sender:record()   -> { id=, state=, adopted=, body=, … } of the purchase
 *   sender:taken() :close() */
#include "bind/client.h"

#include <stdlib.h>
#include <string.h>

#include "bind/ledger.h"
#include "client/evm_sender.h"
#include "codec/hex.h"

#define SENDER "spraay.evm_sender"

struct box {
    spraay_evm_sender *s;
};

static spraay_evm_sender *check(lua_State *L)
{
    struct box *b = luaL_checkudata(L, 1, SENDER);

    luaL_argcheck(L, b->s != NULL, 1, "the sender is closed");
    return b->s;
}

static int begun(lua_State *L, spraay_err err)
{
    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushboolean(L, 1);
    return 1;
}

static int l_claim(lua_State *L)
{
    return begun(L, spraay_evm_claim(check(L)));
}
static int l_reserve(lua_State *L)
{
    return begun(L, spraay_evm_reserve(check(L)));
}
static int l_turn(lua_State *L)
{
    return begun(L, spraay_evm_turn(check(L)));
}
static int l_void(lua_State *L)
{
    return begun(L, spraay_evm_void(check(L)));
}

/* Digits of a number below 2^63. */
static uint64_t digits(lua_State *L, int i, const char *key)
{
    const char *text = bind_text(L, i, key);

    if (text == NULL || text[0] == '\0' || strlen(text) > 18 || strspn(text, "0123456789") != strlen(text)) {
        luaL_error(L, "%s: expected digits", key);
        return 0;
    }
    return strtoull(text, NULL, 10);
}

static int l_sign(lua_State *L)
{
    spraay_evm_sender *s = check(L);
    const char *step = luaL_checkstring(L, 2);
    spraay_evm_gas gas;

    luaL_checktype(L, 3, LUA_TTABLE);
    gas.nonce = digits(L, 3, "nonce");
    gas.gas = digits(L, 3, "gas");
    gas.max_fee = digits(L, 3, "max_fee");
    gas.max_tip = digits(L, 3, "max_tip");
    return begun(L, spraay_evm_sign(s, step, &gas));
}

static int l_settle(lua_State *L)
{
    static const char *const fates[] = { "open", "done", "reverted", "gone", NULL };
    static const spraay_tx_fate values[] = { SPRAAY_TX_OPEN, SPRAAY_TX_DONE, SPRAAY_TX_REVERTED,
                                             SPRAAY_TX_GONE };
    spraay_evm_sender *s = check(L);
    const uint8_t *hash = bind_check_bytes(L, 2, 32);
    int fate = luaL_checkoption(L, 3, NULL, fates);
    int64_t block = bind_check_int(L, 4, 0, INT64_MAX);

    return begun(L, spraay_evm_settle(s, hash, values[fate], block, luaL_optstring(L, 5, "")));
}

static int l_deliver(lua_State *L)
{
    spraay_evm_sender *s = check(L);
    spraay_slice body = bind_check_string(L, 2);

    return begun(L, spraay_evm_deliver(s, body, luaL_checkstring(L, 3)));
}

static int l_done(lua_State *L)
{
    lua_pushboolean(L, spraay_evm_done(check(L)));
    return 1;
}

/* ---- outcomes ---- */

static void set_text(lua_State *L, const char *key, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

static void set_int(lua_State *L, const char *key, int64_t v)
{
    spr_pushint64(L, v);
    lua_setfield(L, -2, key);
}

static void push_tx(lua_State *L, const spraay_chain_tx *t)
{
    lua_createtable(L, 0, 16);
    set_text(L, "purchase", t->purchase);
    set_text(L, "step", t->step);
    set_text(L, "to", t->to);
    set_text(L, "max_fee", t->max_fee);
    set_text(L, "max_tip", t->max_tip);
    set_text(L, "fate", spraay_tx_fate_name(t->fate));
    set_text(L, "block_hash", t->block_hash);
    set_text(L, "origin", t->origin);
    set_int(L, "nonce", t->nonce);
    set_int(L, "gas", t->gas);
    set_int(L, "attempt", t->attempt);
    set_int(L, "block", t->block);
    set_int(L, "created", t->created);
    lua_pushboolean(L, t->dropped);
    lua_setfield(L, -2, "dropped");
    lua_pushlstring(L, (const char *)t->hash32, sizeof t->hash32);
    lua_setfield(L, -2, "hash");
    lua_pushlstring(L, (const char *)t->raw, t->n_raw);
    lua_setfield(L, -2, "raw");
}

static int push_rows(lua_State *L, const spraay_chain_ask *a)
{
    lua_createtable(L, (int)a->n_rows, 0);
    for (size_t i = 0; i < a->n_rows; i++) {
        push_tx(L, &a->rows[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

static int push_refusal(lua_State *L, const spraay_op *op)
{
    static const char *const caps[] = { "budget", "budget", "per_day", "per_host", "pay_to" };

    (void)bind_fail(L, SPRAAY_REFUSED);
    lua_createtable(L, 0, 4);
    set_text(L, "cap", caps[op->refusal.kind]);
    bind_set_u64(L, "limit", op->refusal.limit);
    bind_set_u64(L, "committed", op->refusal.committed);
    bind_set_u64(L, "wanted", op->refusal.wanted);
    return 4;
}

static const char *trouble_name(spraay_ledger_trouble t)
{
    switch (t) {
    case SPRAAY_TROUBLE_ELSEWHERE: return "ELSEWHERE";
    case SPRAAY_TROUBLE_RUN: return "RUN";
    default: return NULL;
    }
}

static int l_result(lua_State *L)
{
    spraay_evm_sender *s = check(L);
    const spraay_op *op = spraay_evm_op(s);

    if (!spraay_evm_done(s)) return bind_fail_text(L, SPRAAY_STATE, "the ledger has not answered yet");
    if (op->err == SPRAAY_REFUSED) return push_refusal(L, op);
    if (op->err != SPRAAY_OK) {
        const char *sentence = op->sentence[0] ? op->sentence : spraay_err_sentence(op->err);
        (void)bind_fail_text(L, op->err, sentence);
        if (trouble_name(op->trouble) == NULL) return 3;
        lua_pushstring(L, trouble_name(op->trouble));
        return 4;
    }
    if (op->kind == SPRAAY_OP_CHAIN && spraay_evm_ask(s)->kind == SPRAAY_CHAIN_TURN)
        return push_rows(L, spraay_evm_ask(s));
    if (op->kind == SPRAAY_OP_EVENT && op->event == SPRAAY_EVENT_SIGN) {
        push_tx(L, spraay_evm_tx_signed_last(s));
        return 1;
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int l_record(lua_State *L)
{
    spraay_evm_sender *s = check(L);
    const spraay_purchase *p = spraay_evm_purchase(s);

    lua_createtable(L, 0, 12);
    set_text(L, "contract", spraay_evm_contract(s));
    set_text(L, "usdc", spraay_evm_usdc(s));
    if (p == NULL) return 1;
    set_text(L, "id", p->id);
    set_text(L, "state", spraay_state_name(p->state));
    set_text(L, "payer", p->payer);
    set_text(L, "network", p->network);
    set_text(L, "hand", p->hand);
    set_text(L, "transaction", p->stored.transaction);
    if (p->header_value != NULL) set_text(L, "last", p->header_value);
    if (p->stored.body.n > 0) {
        lua_pushlstring(L, p->stored.body.d, p->stored.body.n);
        lua_setfield(L, -2, "body");
    }
    set_int(L, "valid_before", p->valid_before);
    return 1;
}

static int l_taken(lua_State *L)
{
    spraay_evm_take(check(L));
    return 0;
}

static int l_close(lua_State *L)
{
    struct box *b = luaL_checkudata(L, 1, SENDER);

    spraay_evm_sender_free(b->s);
    b->s = NULL;
    return 0;
}

/* client:evm{ … } */
int bind_client_evm(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "claim", l_claim },   { "reserve", l_reserve }, { "turn", l_turn },       { "void", l_void },
        { "sign", l_sign },     { "settle", l_settle },   { "deliver", l_deliver }, { "done", l_done },
        { "result", l_result }, { "record", l_record },   { "taken", l_taken },     { "close", l_close },
        { NULL, NULL },
    };
    static const luaL_Reg meta[] = { { "__gc", l_close }, { NULL, NULL } };
    static const char *const acts[] = { "deposit", "refund", "refund_part", NULL };
    spraay_client *c = bind_check_client(L, 1);
    spraay_evm_spec spec = { 0 };
    struct box *b;
    spraay_err err;

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    spr_newclass(L, SENDER, methods, meta);
    b = lua_newuserdata(L, sizeof *b);
    b->s = NULL;
    luaL_getmetatable(L, SENDER);
    lua_setmetatable(L, -2);
    (void)bind_field(L, 2, "act");
    spec.act = (spraay_evm_act)luaL_checkoption(L, 4, NULL, acts);
    spec.network = bind_text(L, 2, "network");
    spec.contract = bind_text(L, 2, "contract");
    spec.amount = bind_text(L, 2, "amount");
    spec.verb = bind_text(L, 2, "verb");
    spec.purchase = bind_text(L, 2, "purchase");
    spec.scope = bind_text(L, 2, "scope");
    spec.step = bind_text(L, 2, "step");
    spec.again = bind_flag(L, 2, "again");
    spec.gas_cap_wei = digits(L, 2, "gas_cap");
    luaL_argcheck(L, spec.network != NULL && spec.amount != NULL, 2, "network and amount are needed");
    err = spraay_evm_sender_new(&b->s, c, &spec);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_settop(L, 3);
    return 1;
}

/* evm_escrow(network) → the address built in, or nil */
static int l_escrow(lua_State *L)
{
    lua_pushstring(L, spraay_evm_escrow(luaL_checkstring(L, 1)));
    return 1;
}

extern const luaL_Reg bind_evm_sender[];
const luaL_Reg bind_evm_sender[] = { { "evm_escrow", l_escrow }, { NULL, NULL } };
