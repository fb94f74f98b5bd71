/* SPDX-License-Identifier: MIT */
/* x402 by hand, for people with an HTTP client of their own: read a challenge, choose, sign, make
 * the header. Nothing here is journaled, counted or remembered; every limit is the caller's to
 * give. The journaled way is the client.
 *
 * For Lua:
 *   x402_read(status, headers, body) -> offer | nil, sentence, NAME
 *   x402_choose(offer, policy)       -> choice | nil, sentence, code, refusal
 *   x402_prepare(offer, policy, { now=, nonce=, blockhash=, token_program= })
 *                                    -> prepared | nil, sentence, code, refusal
 *   x402_finish(prepared, signature or wallet, { payment_id=, omit_resource= })
 *                                    -> header name, value | nil, sentence, NAME
 *   x402_pay(offer, policy, { key=, now=, nonce=, payment_id=, omit_resource= })
 *                                    -> header name, value, prepared | nil, sentence, code, refusal
 * with headers and policy as in x402_args.h. What came back is read by x402_answers.c. */

#include "bind/bind.h"

#include <string.h>

#include "bind/wallet.h"
#include "bind/x402_args.h"
#include "chain/eip55.h"
#include "client/lookup_svm.h"
#include "codec/hex.h"
#include "core/secret.h"
#include "core/time.h"
#include "crypto/random.h"
#include "crypto/secp256k1.h"
#include "x402/choose.h"
#include "x402/offer.h"
#include "x402/payload.h"
#include "x402/scheme.h"

#define OFFER_NAME   "spraay.x402_offer"
#define SIGNING_NAME "spraay.x402_signing"
#define HEADER_MAX   524288

/* ---- pushing ------------------------------------------------------------------------------ */

static void set_hex(lua_State *L, const char *key, const uint8_t bytes32[32])
{
    char hex[67] = "0x";

    spraay_hex_encode(hex + 2, bytes32, 32);
    bind_set_text(L, key, hex);
}

/* nil, sentence, code, the refusal as a table. */
static int push_refusal(lua_State *L, const spraay_refusal *r)
{
    lua_pushnil(L);
    lua_pushstring(L, r->sentence);
    lua_pushstring(L, spraay_refusal_name(r->code));
    lua_createtable(L, 0, 6);
    bind_set_text(L, "code", spraay_refusal_name(r->code));
    bind_set_text(L, "sentence", r->sentence);
    bind_set_text(L, "hint", r->hint);
    if (r->offered[0]) bind_set_text(L, "offered", r->offered);
    if (r->offered_atomic[0]) bind_set_text(L, "offered_atomic", r->offered_atomic);
    if (r->limit[0]) bind_set_text(L, "limit", r->limit);
    return 4;
}

/* ---- offers ------------------------------------------------------------------------------- */

static int offer_gc(lua_State *L)
{
    spraay_offer *o = spr_testudata(L, 1, OFFER_NAME);
    if (o != NULL) spraay_offer_wipe(o);
    return 0;
}

static spraay_offer *new_offer(lua_State *L)
{
    static const luaL_Reg meta[] = { { "__gc", offer_gc }, { NULL, NULL } };
    spraay_offer *o;

    spr_newclass(L, OFFER_NAME, NULL, meta);
    o = lua_newuserdata(L, sizeof *o);
    memset(o, 0, sizeof *o);
    luaL_getmetatable(L, OFFER_NAME);
    lua_setmetatable(L, -2);
    return o;
}

static void push_entry(lua_State *L, const spraay_offer_entry *e)
{
    lua_createtable(L, 0, 16);
    if (e->flaw != SPRAAY_REFUSE_NONE) {
        bind_set_text(L, "flaw", spraay_refusal_name(e->flaw));
        bind_set_text(L, "why", e->flaw_why);
    }
    bind_set_slice(L, "raw", e->raw);
    bind_set_text(L, "scheme", e->scheme);
    bind_set_text(L, "network", e->network);
    bind_set_text(L, "network_given", e->network_given);
    bind_set_text(L, "rail", bind_rail_name(e->rail));
    bind_set_text(L, "amount", e->amount);
    bind_set_text(L, "asset", e->asset);
    bind_set_text(L, "pay_to", e->pay_to);
    if (e->timeout_s > 0) bind_set_int(L, "timeout", e->timeout_s);
    bind_set_text(L, "name", e->name);
    bind_set_text(L, "version", e->version);
    bind_set_text(L, "method", e->method);
    bind_set_text(L, "flow", e->flow);
    bind_set_text(L, "fee_payer", e->fee_payer);
    bind_set_text(L, "memo", e->memo);
    bind_set_text(L, "blockhash", e->blockhash);
}

static int l_read(lua_State *L)
{
    spraay_answer a;
    const char *why = NULL;

    lua_settop(L, 3);
    bind_check_answer(L, 1, 2, 3, &a);
    spraay_offer *o = new_offer(L);
    spraay_err err = spraay_offer_read(o, &a, &why);
    if (err != SPRAAY_OK) return bind_fail_text(L, err, why != NULL ? why : spraay_err_sentence(err));

    lua_createtable(L, 0, 8);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "_offer");
    bind_set_int(L, "version", o->version);
    bind_set_text(L, "error", o->error);
    bind_set_text(L, "resource_url", o->resource_url);
    bind_set_slice(L, "resource", o->resource);
    bind_set_slice(L, "extensions", o->extensions);
    lua_createtable(L, (int)o->n, 0);
    for (size_t i = 0; i < o->n; i++) {
        push_entry(L, &o->entries[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "entries");
    return 1;
}

/* The offer inside the table at i; the table keeps it alive. */
static spraay_offer *check_offer(lua_State *L, int i)
{
    spraay_offer *o;

    luaL_checktype(L, i, LUA_TTABLE);
    lua_pushliteral(L, "_offer");
    lua_rawget(L, i);
    o = spr_testudata(L, -1, OFFER_NAME);
    luaL_argcheck(L, o != NULL && o->n > 0, i, "expected an offer from x402_read");
    lua_pop(L, 1);
    return o;
}

static void push_choice(lua_State *L, const spraay_choice *c)
{
    lua_createtable(L, 0, 14);
    bind_set_int(L, "index", (int64_t)c->index + 1);
    bind_set_text(L, "scheme", c->scheme->name);
    bind_set_text(L, "network", c->entry->network);
    bind_set_text(L, "network_title", spraay_network_title(c->entry->network));
    bind_set_text(L, "asset", c->entry->asset);
    bind_set_text(L, "symbol", c->asset->symbol);
    bind_set_int(L, "decimals", c->asset->decimals);
    bind_set_text(L, "atomic", c->entry->amount);
    bind_set_text(L, "amount", c->price);
    bind_set_text(L, "pay_to", c->entry->pay_to);
    bind_set_text(L, "payer", c->payer);
    bind_set_int(L, "window", c->window_s);
}

static int l_choose(lua_State *L)
{
    struct bind_policy policy;
    spraay_choice choice;
    spraay_refusal refusal;

    lua_settop(L, 2);
    spraay_offer *o = check_offer(L, 1);
    bind_check_policy(L, 2, &policy);
    if (!spraay_choose(&choice, &refusal, o, &policy.policy)) return push_refusal(L, &refusal);
    push_choice(L, &choice);
    return 1;
}

/* ---- paying ------------------------------------------------------------------------------- */

/* A prepared payment outlives the policy it came from: it has its own copy of the token. */
struct prepared {
    spraay_signing signing;
    spraay_asset asset;
    size_t index;
    char network[SPRAAY_NETWORK_TEXT], address[64], symbol[64], name[128], version[64];
};

static bool copy_text(char *out, size_t out_n, const char *text)
{
    size_t n = text != NULL ? strlen(text) : 0;

    if (text == NULL) return true; /* a Solana token has no EIP-712 name */
    if (n >= out_n) return false;
    memcpy(out, text, n + 1);
    return true;
}

static bool own_asset(struct prepared *p, const spraay_asset *a)
{
    if (!copy_text(p->network, sizeof p->network, a->network) ||
        !copy_text(p->address, sizeof p->address, a->asset) ||
        !copy_text(p->symbol, sizeof p->symbol, a->symbol) || !copy_text(p->name, sizeof p->name, a->name) ||
        !copy_text(p->version, sizeof p->version, a->version))
        return false;
    p->asset = *a;
    p->asset.network = p->network;
    p->asset.asset = p->address;
    p->asset.symbol = p->symbol;
    if (a->name != NULL) p->asset.name = p->name;
    if (a->version != NULL) p->asset.version = p->version;
    return true;
}

/* The terms of a payment at i: now and nonce, each from the machine when not given. */
static void check_order(lua_State *L, int i, spraay_order *order, spraay_err *err)
{
    *err = SPRAAY_OK;
    order->now_s = spraay_wall_s();
    if (lua_isnoneornil(L, i)) {
        *err = spraay_random(order->mark32, 32);
        return;
    }
    luaL_checktype(L, i, LUA_TTABLE);
    order->now_s = bind_opt_int(L, i, "now", 0, INT64_C(1) << 40, order->now_s);
    if (bind_field(L, i, "nonce") == LUA_TNIL)
        *err = spraay_random(order->mark32, 32);
    else
        memcpy(order->mark32, bind_check_bytes(L, lua_gettop(L), 32), 32);
    lua_pop(L, 1);
    order->blockhash = bind_opt_text(L, i, "blockhash");
    order->token_program = bind_opt_text(L, i, "token_program");
}

/* Choose and prepare; pushes the prepared table, or pushes a refusal and returns its count. */
static int push_prepared(lua_State *L, int offer, const struct bind_policy *policy, spraay_order *order,
                         struct prepared **out)
{
    spraay_offer *o = check_offer(L, offer);
    spraay_choice choice;
    spraay_refusal refusal;
    spraay_buf *json;
    spraay_err err;

    if (!spraay_choose(&choice, &refusal, o, &policy->policy)) return push_refusal(L, &refusal);
    push_choice(L, &choice);
    int table = lua_gettop(L);

    struct prepared *p = lua_newuserdata(L, sizeof *p);
    memset(p, 0, sizeof *p);
    spr_newclass(L, SIGNING_NAME, NULL, NULL);
    luaL_getmetatable(L, SIGNING_NAME);
    lua_setmetatable(L, -2);
    lua_setfield(L, table, "_signing");
    lua_pushvalue(L, offer);
    lua_setfield(L, table, "_of"); /* keeps the offer alive */

    p->index = choice.index;
    if (!own_asset(p, choice.asset)) return bind_fail(L, SPRAAY_LIMIT);
    order->entry = choice.entry;
    order->asset = &p->asset;
    order->payer = choice.payer;
    order->x402_version = o->version;
    order->window_s = choice.window_s;
    if (spraay_lookup_svm_is_blockhash(choice.entry->blockhash)) order->blockhash = choice.entry->blockhash;
    err = choice.scheme->prepare(&p->signing, order);
    if (err != SPRAAY_OK) return bind_fail(L, err);

    json = bind_buf(L, 65536);
    err = choice.scheme->typed_data(json, &p->signing);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    bind_push_buf(L, json);
    lua_setfield(L, table, "typed_data");
    lua_settop(L, table);
    if (p->signing.message_n > 0)
        bind_set_slice(L, "message",
                       (spraay_slice){ (const char *)p->signing.message, p->signing.message_n });
    else
        set_hex(L, "digest", p->signing.digest32);
    set_hex(L, "nonce", order->mark32);
    bind_set_int(L, "valid_after", (int64_t)p->signing.valid_after_s);
    bind_set_int(L, "valid_before", (int64_t)p->signing.valid_before_s);
    *out = p;
    return 0;
}

static int l_prepare(lua_State *L)
{
    struct bind_policy policy;
    spraay_order order = { .entry = NULL };
    struct prepared *p = NULL;
    spraay_err err;
    int n;

    lua_settop(L, 3);
    bind_check_policy(L, 2, &policy);
    check_order(L, 3, &order, &err);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    n = push_prepared(L, 1, &policy, &order, &p);
    return n != 0 ? n : 1;
}

static void check_options(lua_State *L, int i, spraay_payload_options *out)
{
    memset(out, 0, sizeof *out);
    if (lua_isnoneornil(L, i)) return;
    luaL_checktype(L, i, LUA_TTABLE);
    out->payment_id = bind_opt_text(L, i, "payment_id");
    out->omit_resource = bind_opt_flag(L, i, "omit_resource");
}

/* Push header name and value for a prepared payment and its signature. */
static int push_header(lua_State *L, const struct prepared *p, const spraay_offer *o, spraay_slice sig,
                       const spraay_payload_options *options)
{
    const char *name = NULL;
    spraay_buf *payload = bind_buf(L, 65536);
    spraay_buf *value = bind_buf(L, HEADER_MAX);
    spraay_err err;

    err = p->signing.scheme->finish(payload, &p->signing, (const uint8_t *)sig.p, sig.n);
    if (err == SPRAAY_OK)
        err = spraay_payload_header(&name, value, o, p->index, spraay_buf_slice(payload), options);
    spraay_buf_wipe(payload);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushstring(L, name);
    bind_push_buf(L, value);
    return 2;
}

static int l_finish(lua_State *L)
{
    spraay_payload_options options;
    spraay_slice sig = { "", 0 };
    uint8_t made[SPRAAY_WALLET_SIG] = { 0 };
    spraay_wallet *wallet = NULL;
    int n;

    lua_settop(L, 3);
    luaL_checktype(L, 1, LUA_TTABLE);
    if (lua_type(L, 2) == LUA_TSTRING)
        sig = bind_check_string(L, 2);
    else
        wallet = bind_opt_wallet(L, 2);
    check_options(L, 3, &options);
    lua_pushliteral(L, "_signing");
    lua_rawget(L, 1);
    const struct prepared *p = spr_testudata(L, -1, SIGNING_NAME);
    if (p == NULL || p->signing.scheme == NULL)
        return luaL_argerror(L, 1, "expected a payment from x402_prepare");
    lua_pushliteral(L, "_of");
    lua_rawget(L, 1);
    const spraay_offer *o = check_offer(L, lua_gettop(L));
    if (wallet != NULL) {
        spraay_err err = spraay_wallet_sign_payment(wallet, made, &sig.n, &p->signing);
        if (err != SPRAAY_OK) return bind_fail(L, err);
        sig.p = (const char *)made;
    }
    n = push_header(L, p, o, sig, &options);
    spraay_memwipe(made, sizeof made);
    return n;
}

/* The key comes as a Lua string, which cannot be wiped: for specs and throwaway keys. */
static int l_pay(lua_State *L)
{
    struct bind_policy policy;
    spraay_order order = { .entry = NULL };
    spraay_payload_options options;
    struct prepared *p = NULL;
    uint8_t pub65[65], payer20[20], sig65[65];
    char payer[43];
    spraay_err err;
    int n;

    lua_settop(L, 3);
    luaL_checktype(L, 3, LUA_TTABLE);
    bind_check_policy(L, 2, &policy);
    check_options(L, 3, &options);
    check_order(L, 3, &order, &err);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    bind_field(L, 3, "key");
    const uint8_t *key32 = bind_check_bytes(L, 4, 32);

    err = spraay_secp_pubkey(pub65, NULL, key32);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    spraay_evm_address_from_pub(payer20, pub65 + 1);
    spraay_evm_address_format(payer, payer20);
    policy.policy.payer_evm = payer;

    n = push_prepared(L, 1, &policy, &order, &p);
    if (p == NULL) return n;
    err = spraay_secp_sign(sig65, p->signing.digest32, key32);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    spraay_slice sig = { (const char *)sig65, sizeof sig65 };
    n = push_header(L, p, check_offer(L, 1), sig, &options);
    spraay_memwipe(sig65, sizeof sig65);
    if (n != 2) return n;
    lua_pushvalue(L, 5); /* the prepared table */
    return 3;
}

/* clang-format off */
const luaL_Reg bind_x402[] = {
    { "x402_choose",  l_choose },
    { "x402_finish",  l_finish },
    { "x402_pay",     l_pay },
    { "x402_prepare", l_prepare },
    { "x402_read",    l_read },
    { NULL, NULL },
};
/* clang-format on */
