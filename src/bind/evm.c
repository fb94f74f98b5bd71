/* SPDX-License-Identifier: MIT */
/* Ethereum's forms for Lua: RLP, transactions of type 2 (to look at; only client/evm_sender.h signs
 * one with a wallet), calls of the token and the escrow, what reverts and events say.
 *
 *   rlp_encode(tree) -> bytes          a string is bytes, a table a list
 *   rlp_decode(bytes) -> tree          strict
 *   evm_tx_unsigned{ chain_id=, nonce=, max_tip=, max_fee=, gas=, to=, value=, data=, access_list= }
 *   evm_tx_signed(fields, sig65) -> bytes, hash32
 *   abi_call(name, ...) -> bytes       addresses as text, amounts as digits
 *   abi_result(name, bytes) -> values…
 *   abi_revert(bytes) -> name, values…
 *   abi_event(topic32 | name [, data]) -> name, values… | topic */

#include <stdio.h>
#include <string.h>

#include "bind/bind.h"
#include "chain/abi_call.h"
#include "chain/amount.h"
#include "chain/eip55.h"
#include "chain/evm_tx.h"
#include "chain/rlp.h"

#define DEPTH_MAX 16
#define RLP_MAX   (1 << 25)

/* ---- rlp ---- */

static spraay_err encode(lua_State *L, int i, spraay_buf *out, int depth);

static spraay_err encode_list(lua_State *L, int i, spraay_buf *out, int depth)
{
    spraay_buf *items = bind_buf(L, RLP_MAX);
    size_t n = spr_rawlen(L, i);
    spraay_err err = SPRAAY_OK;

    for (size_t k = 1; k <= n && err == SPRAAY_OK; k++) {
        lua_rawgeti(L, i, (int)k);
        err = encode(L, lua_gettop(L), items, depth + 1);
        lua_pop(L, 1);
    }
    if (err == SPRAAY_OK) err = spraay_rlp_put_list(out, spraay_buf_slice(items));
    spraay_buf_wipe(items);
    lua_pop(L, 1);
    return err;
}

static spraay_err encode(lua_State *L, int i, spraay_buf *out, int depth)
{
    size_t n;
    const char *p;

    if (depth > DEPTH_MAX) return SPRAAY_DEPTH;
    luaL_checkstack(L, 8, NULL);
    if (lua_type(L, i) == LUA_TTABLE) return encode_list(L, i, out, depth);
    if (lua_type(L, i) != LUA_TSTRING) return SPRAAY_TYPE;
    p = lua_tolstring(L, i, &n);
    return spraay_rlp_put_bytes(out, p, n);
}

static int l_rlp_encode(lua_State *L)
{
    spraay_buf *out;
    spraay_err err;

    lua_settop(L, 1);
    out = bind_buf(L, RLP_MAX);
    err = encode(L, 1, out, 0);
    return err == SPRAAY_OK ? bind_push_buf(L, out) : bind_fail(L, err);
}

/* Push the first item of 'in'. */
static spraay_err decode(lua_State *L, spraay_slice *in, int depth)
{
    spraay_rlp_item item;
    spraay_err err = depth > DEPTH_MAX ? SPRAAY_DEPTH : spraay_rlp_next(&item, in);
    int k = 0;

    if (err != SPRAAY_OK) return err;
    luaL_checkstack(L, 8, NULL);
    if (!item.list) {
        lua_pushlstring(L, item.content.p, item.content.n);
        return SPRAAY_OK;
    }
    lua_newtable(L);
    while (item.content.n > 0) {
        err = decode(L, &item.content, depth + 1);
        if (err != SPRAAY_OK) return err;
        lua_rawseti(L, -2, ++k);
    }
    return SPRAAY_OK;
}

static int l_rlp_decode(lua_State *L)
{
    spraay_slice in = bind_check_string(L, 1);
    spraay_err err = decode(L, &in, 0);

    if (err == SPRAAY_OK && in.n > 0) err = SPRAAY_SYNTAX; /* something follows */
    return err == SPRAAY_OK ? 1 : bind_fail(L, err);
}

/* ---- transactions ---- */

static spraay_err read_be32(lua_State *L, const char *key, uint8_t out32[32])
{
    spraay_slice s = { "0", 1 };
    int type = bind_field(L, 1, key);

    if (type != LUA_TNIL && type != LUA_TSTRING) return SPRAAY_TYPE;
    if (type == LUA_TSTRING) s.p = lua_tolstring(L, -1, &s.n);
    if (!spraay_amount_valid(s.p, s.n)) return SPRAAY_SYNTAX;
    return spraay_amount_to_be32(out32, s.p);
}

static spraay_err read_u64(lua_State *L, const char *key, uint64_t *out)
{
    uint8_t be[32];
    spraay_err err = read_be32(L, key, be);

    if (err != SPRAAY_OK) return err;
    for (size_t i = 0; i < 24; i++)
        if (be[i] != 0) return SPRAAY_RANGE;
    *out = spraay_get_be64(be + 24);
    return SPRAAY_OK;
}

/* The values that the slices point into stay on the stack. */
static spraay_err read_tx(lua_State *L, spraay_evm_tx *tx)
{
    spraay_err err;
    size_t n;

    memset(tx, 0, sizeof *tx);
    err = read_u64(L, "chain_id", &tx->chain_id);
    if (err == SPRAAY_OK) err = read_u64(L, "nonce", &tx->nonce);
    if (err == SPRAAY_OK) err = read_u64(L, "gas", &tx->gas);
    if (err == SPRAAY_OK) err = read_be32(L, "max_tip", tx->max_tip);
    if (err == SPRAAY_OK) err = read_be32(L, "max_fee", tx->max_fee);
    if (err == SPRAAY_OK) err = read_be32(L, "value", tx->value);
    if (err != SPRAAY_OK) return err;
    tx->creates = bind_field(L, 1, "to") != LUA_TSTRING;
    if (!tx->creates) {
        const char *text = lua_tolstring(L, -1, &n);
        err = spraay_evm_address_parse(tx->to20, text, n, SPRAAY_EVM_CHECKSUM);
        if (err != SPRAAY_OK) return err;
    }
    if (bind_field(L, 1, "data") == LUA_TSTRING) tx->data.p = lua_tolstring(L, -1, &tx->data.n);
    if (bind_field(L, 1, "access_list") == LUA_TTABLE) {
        int at = lua_gettop(L);
        spraay_buf *list = bind_buf(L, SPRAAY_EVM_TX_MAX);
        spraay_rlp_item item;
        spraay_slice in;
        err = encode(L, at, list, 0);
        in = spraay_buf_slice(list);
        if (err == SPRAAY_OK) err = spraay_rlp_next(&item, &in);
        if (err == SPRAAY_OK) tx->access_list = item.content;
    }
    return err;
}

static int l_evm_tx_unsigned(lua_State *L)
{
    spraay_evm_tx tx;
    spraay_buf *out;
    spraay_err err;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_checkstack(L, 24, NULL);
    err = read_tx(L, &tx);
    out = bind_buf(L, SPRAAY_EVM_TX_MAX);
    if (err == SPRAAY_OK) err = spraay_evm_tx_unsigned(out, &tx);
    return err == SPRAAY_OK ? bind_push_buf(L, out) : bind_fail(L, err);
}

static int l_evm_tx_signed(lua_State *L)
{
    const uint8_t *sig = bind_check_bytes(L, 2, 65);
    spraay_evm_tx tx;
    uint8_t hash[32];
    spraay_buf *out;
    spraay_err err;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    luaL_checkstack(L, 24, NULL);
    err = read_tx(L, &tx);
    out = bind_buf(L, SPRAAY_EVM_TX_MAX);
    if (err == SPRAAY_OK) err = spraay_evm_tx_signed(out, hash, &tx, sig);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    (void)bind_push_buf(L, out);
    lua_pushlstring(L, (const char *)hash, sizeof hash);
    return 2;
}

/* ---- calls ---- */

static spraay_err read_word(lua_State *L, int i, char type, uint8_t word[32])
{
    spraay_slice s = bind_check_string(L, i);
    spraay_err err;

    memset(word, 0, 32);
    switch (type) {
    case 'a': return spraay_evm_address_parse(word + 12, s.p, s.n, SPRAAY_EVM_CHECKSUM);
    case 'w':
        if (s.n != 32) return SPRAAY_SYNTAX;
        memcpy(word, s.p, 32);
        return SPRAAY_OK;
    default:
        if (!spraay_amount_valid(s.p, s.n)) return SPRAAY_SYNTAX;
        err = spraay_amount_to_be32(word, s.p);
        return err == SPRAAY_OK && type == 'k' && spraay_amount_cmp(s.p, "255") > 0 ? SPRAAY_RANGE : err;
    }
}

static void push_word(lua_State *L, char type, const uint8_t word[32])
{
    char digits[SPRAAY_UINT256_DIGITS + 1], address[43];

    switch (type) {
    case 'a':
        spraay_evm_address_format(address, word + 12);
        lua_pushstring(L, address);
        break;
    case 'b': lua_pushboolean(L, word[31]); break;
    case 'k': spr_pushint64(L, word[31]); break;
    case 'w': lua_pushlstring(L, (const char *)word, 32); break;
    default:
        spraay_amount_from_be32(digits, word);
        lua_pushstring(L, digits);
        break;
    }
}

static int push_words(lua_State *L, const char *types, const uint8_t (*words)[32])
{
    int n = 0;

    luaL_checkstack(L, SPRAAY_ABI_WORDS + 2, NULL);
    for (; types[n] != '\0'; n++) push_word(L, types[n], words[n]);
    return n;
}

static const spraay_abi_entry *check_function(lua_State *L)
{
    const spraay_abi_entry *f = spraay_abi_function(luaL_checkstring(L, 1));

    luaL_argcheck(L, f != NULL, 1, "no such function");
    return f;
}

static int l_abi_call(lua_State *L)
{
    const spraay_abi_entry *f = check_function(L);
    uint8_t words[SPRAAY_ABI_WORDS][32];
    spraay_err err = SPRAAY_OK;
    spraay_buf *out;
    int n = (int)strlen(f->takes);

    luaL_argcheck(L, lua_gettop(L) == n + 1, 1, "another number of arguments");
    for (int i = 0; i < n && err == SPRAAY_OK; i++) err = read_word(L, i + 2, f->takes[i], words[i]);
    out = bind_buf(L, 4 + 32 * SPRAAY_ABI_WORDS);
    if (err == SPRAAY_OK) err = spraay_abi_call(out, f, (const uint8_t(*)[32])words);
    return err == SPRAAY_OK ? bind_push_buf(L, out) : bind_fail(L, err);
}

static int l_abi_result(lua_State *L)
{
    const spraay_abi_entry *f = check_function(L);
    spraay_slice data = bind_check_string(L, 2);
    uint8_t words[SPRAAY_ABI_WORDS][32];
    spraay_err err = spraay_abi_words(words, f->gives, data);

    if (err != SPRAAY_OK) return bind_fail(L, err);
    return push_words(L, f->gives, (const uint8_t(*)[32])words);
}

static int l_abi_revert(lua_State *L)
{
    spraay_slice data = bind_check_string(L, 1), text = { "", 0 };
    uint8_t words[SPRAAY_ABI_WORDS][32];
    const spraay_abi_entry *e = NULL;
    spraay_err err = spraay_abi_revert(&e, words, &text, data);

    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushstring(L, e->name);
    if (e->takes[0] == 's') {
        lua_pushlstring(L, text.p, text.n);
        return 2;
    }
    return 1 + push_words(L, e->takes, (const uint8_t(*)[32])words);
}

/* abi_event(name) → topic; abi_event(topic32, data) → name, values… */
static int l_abi_event(lua_State *L)
{
    spraay_slice key = bind_check_string(L, 1);
    uint8_t words[SPRAAY_ABI_WORDS][32];
    const spraay_abi_event *e;
    spraay_slice data;
    spraay_err err;

    if (lua_isnoneornil(L, 2)) {
        e = spraay_abi_event_named(key.p);
        luaL_argcheck(L, e != NULL, 1, "no such event");
        lua_pushlstring(L, (const char *)e->topic, sizeof e->topic);
        return 1;
    }
    e = key.n == 32 ? spraay_abi_event_of((const uint8_t *)key.p) : NULL;
    data = bind_check_string(L, 2);
    err = e == NULL ? SPRAAY_UNSUPPORTED : spraay_abi_words(words, e->carries, data);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushstring(L, e->name);
    return 1 + push_words(L, e->carries, (const uint8_t(*)[32])words);
}

extern const luaL_Reg bind_evm[];
/* clang-format off */
const luaL_Reg bind_evm[] = {
    { "abi_call",        l_abi_call },
    { "abi_event",       l_abi_event },
    { "abi_result",      l_abi_result },
    { "abi_revert",      l_abi_revert },
    { "evm_tx_signed",   l_evm_tx_signed },
    { "evm_tx_unsigned", l_evm_tx_unsigned },
    { "rlp_decode",      l_rlp_decode },
    { "rlp_encode",      l_rlp_encode },
    { NULL, NULL },
};
