/* SPDX-License-Identifier: MIT */
/* Amounts, addresses and typed data for Lua. Amounts are digit strings; a Lua number is refused,
 * for it has already rounded. Digests and hashes are raw bytes. */

#include <string.h>

#include "bind/bind.h"
#include "chain/abi.h"
#include "chain/amount.h"
#include "chain/eip191.h"
#include "chain/eip3009.h"
#include "chain/eip55.h"
#include "chain/eip712.h"
#include "codec/hex.h"

/* ---- amounts ---- */

/* amount_to_atomic("1.25", 6) → "1250000" */
static int l_to_atomic(lua_State *L)
{
    char out[SPRAAY_AMOUNT_DIGITS + 1];
    spraay_slice text = bind_check_string(L, 1);
    unsigned decimals = (unsigned)bind_check_int(L, 2, 0, SPRAAY_AMOUNT_DECIMALS);

    spraay_err err = spraay_amount_to_atomic(out, text.p, text.n, decimals);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushstring(L, out);
    return 1;
}

/* amount_from_atomic("30000", 6) → "0.030000" */
static int l_from_atomic(lua_State *L)
{
    char out[SPRAAY_AMOUNT_TEXT];
    spraay_slice text = bind_check_string(L, 1);
    unsigned decimals = (unsigned)bind_check_int(L, 2, 0, SPRAAY_AMOUNT_DECIMALS);

    spraay_err err = spraay_amount_from_atomic(out, text.p, text.n, decimals);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushstring(L, out);
    return 1;
}

/* amount_valid(text) → boolean */
static int l_valid(lua_State *L)
{
    spraay_slice text = bind_check_string(L, 1);
    lua_pushboolean(L, spraay_amount_valid(text.p, text.n));
    return 1;
}

/* An atomic amount that spraay_amount_valid takes: NUL-terminated, so fit for the C functions. */
static spraay_err check_atomic(spraay_slice s)
{
    if (spraay_amount_valid(s.p, s.n)) return SPRAAY_OK;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return SPRAAY_SYNTAX;
    return s.n > 1 && s.p[0] != '0' ? SPRAAY_RANGE : SPRAAY_SYNTAX;
}

static int sum(lua_State *L, spraay_err (*op)(char *, const char *, const char *))
{
    char out[SPRAAY_AMOUNT_DIGITS + 1];
    spraay_slice a = bind_check_string(L, 1), b = bind_check_string(L, 2);
    spraay_err err = check_atomic(a);

    if (err == SPRAAY_OK) err = check_atomic(b);
    if (err == SPRAAY_OK) err = op(out, a.p, b.p);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushstring(L, out);
    return 1;
}

/* amount_add(a, b), amount_sub(a, b) → digits */
static int l_add(lua_State *L)
{
    return sum(L, spraay_amount_add);
}
static int l_sub(lua_State *L)
{
    return sum(L, spraay_amount_sub);
}

/* amount_cmp(a, b) → -1, 0, 1 */
static int l_cmp(lua_State *L)
{
    spraay_slice a = bind_check_string(L, 1), b = bind_check_string(L, 2);
    spraay_err err = check_atomic(a);

    if (err == SPRAAY_OK) err = check_atomic(b);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    spr_pushint64(L, spraay_amount_cmp(a.p, b.p));
    return 1;
}

/* amount_mul(a, n) → digits; n an integer >= 0 */
static int l_mul(lua_State *L)
{
    char out[SPRAAY_AMOUNT_DIGITS + 1];
    spraay_slice a = bind_check_string(L, 1);
    uint64_t n = (uint64_t)bind_check_int(L, 2, 0, INT64_MAX);
    spraay_err err = check_atomic(a);

    if (err == SPRAAY_OK) err = spraay_amount_mul_u64(out, a.p, n);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushstring(L, out);
    return 1;
}

/* amount_to_be32(digits) → 32 bytes */
static int l_to_be32(lua_State *L)
{
    uint8_t out[32];
    spraay_slice a = bind_check_string(L, 1);
    spraay_err err = check_atomic(a);

    if (err == SPRAAY_OK) err = spraay_amount_to_be32(out, a.p);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushlstring(L, (const char *)out, sizeof out);
    return 1;
}

/* amount_from_be32(bytes) → digits */
static int l_from_be32(lua_State *L)
{
    char out[SPRAAY_UINT256_DIGITS + 1];

    spraay_amount_from_be32(out, bind_check_bytes(L, 1, 32));
    lua_pushstring(L, out);
    return 1;
}

/* ---- addresses ---- */

/* evm_address_parse(text [, "shape"]) → checksummed text, 20 bytes; the checksum is checked unless
 * "shape" is asked for */
static int l_address_parse(lua_State *L)
{
    static const char *const modes[] = { "checksum", "shape", NULL };
    spraay_slice s = bind_check_string(L, 1);
    int shape = luaL_checkoption(L, 2, "checksum", modes);
    uint8_t addr[20];
    char text[43];

    spraay_err err =
        spraay_evm_address_parse(addr, s.p, s.n, shape ? SPRAAY_EVM_SHAPE_ONLY : SPRAAY_EVM_CHECKSUM);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    spraay_evm_address_format(text, addr);
    lua_pushstring(L, text);
    lua_pushlstring(L, (const char *)addr, sizeof addr);
    return 2;
}

/* ---- typed data ---- */

/* The fields of a table that came from a peer: a wrong value is an error to return, and the first
 * one is kept. */
struct fields {
    lua_State *L;
    int table;
    spraay_err err;
};

static spraay_slice field_string(struct fields *f, const char *key)
{
    spraay_slice s = { "", 0 };
    int type = bind_field(f->L, f->table, key); /* stays on the stack, so that s stays valid */

    if (type == LUA_TSTRING)
        s.p = lua_tolstring(f->L, -1, &s.n);
    else if (f->err == SPRAAY_OK)
        f->err = type == LUA_TNIL ? SPRAAY_MISSING : SPRAAY_TYPE;
    return s;
}

static void field_address(struct fields *f, const char *key, uint8_t out20[20])
{
    spraay_slice s = field_string(f, key);
    if (f->err == SPRAAY_OK) f->err = spraay_evm_address_parse(out20, s.p, s.n, SPRAAY_EVM_SHAPE_ONLY);
}

/* A digit string, or an exact integer, as digits. */
static void field_digits(struct fields *f, const char *key, char out[SPRAAY_UINT256_DIGITS + 1])
{
    int64_t v = 0;

    if (bind_field(f->L, f->table, key) == LUA_TNUMBER) {
        if (!spr_isinteger(f->L, -1, &v) || v < 0) {
            f->err = SPRAAY_RANGE;
            return;
        }
        char *p = out + SPRAAY_UINT256_DIGITS; /* from the right */
        *p = '\0';
        do {
            *--p = (char)('0' + v % 10);
            v /= 10;
        } while (v > 0);
        memmove(out, p, strlen(p) + 1);
        return;
    }
    spraay_slice s = field_string(f, key);
    if (f->err == SPRAAY_OK) f->err = check_atomic(s);
    if (f->err == SPRAAY_OK) memcpy(out, s.p, s.n + 1);
}

/* 32 raw bytes, or 0x and 64 hex digits. */
static void field_bytes32(struct fields *f, const char *key, uint8_t out32[32])
{
    spraay_slice s = field_string(f, key);

    if (f->err != SPRAAY_OK) return;
    if (s.n == 32)
        memcpy(out32, s.p, 32);
    else
        f->err = spraay_hex_decode_0x(out32, 32, s.p, s.n);
}

static void read_domain(struct fields *f, uint8_t out32[32])
{
    char chain_id[SPRAAY_UINT256_DIGITS + 1] = "0";
    uint8_t contract[20] = { 0 };
    spraay_slice name = field_string(f, "name"), version = field_string(f, "version");

    field_digits(f, "chain_id", chain_id);
    field_address(f, "contract", contract);
    if (f->err == SPRAAY_OK)
        f->err = spraay_eip712_domain(out32, name.p, name.n, version.p, version.n, chain_id, contract);
}

static void read_authorization(struct fields *f, uint8_t out32[32])
{
    uint8_t from[20] = { 0 }, to[20] = { 0 }, nonce[32] = { 0 };
    char value[SPRAAY_UINT256_DIGITS + 1] = "0", after[SPRAAY_UINT256_DIGITS + 1] = "0";
    char before[SPRAAY_UINT256_DIGITS + 1] = "0";

    field_address(f, "from", from);
    field_address(f, "to", to);
    field_digits(f, "value", value);
    field_digits(f, "valid_after", after);
    field_digits(f, "valid_before", before);
    field_bytes32(f, "nonce", nonce);
    if (f->err == SPRAAY_OK)
        f->err = spraay_eip3009_hash_digits(out32, from, to, value, after, before, nonce);
}

/* eip712_domain{ name, version, chain_id, contract } → 32 bytes */
static int l_eip712_domain(lua_State *L)
{
    struct fields f = { L, 1, SPRAAY_OK };
    uint8_t out[32];

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkstack(L, 20, NULL);
    read_domain(&f, out);
    if (f.err != SPRAAY_OK) return bind_fail(L, f.err);
    lua_pushlstring(L, (const char *)out, sizeof out);
    return 1;
}

/* eip3009_hash{ from, to, value, valid_after, valid_before, nonce } → 32 bytes */
static int l_eip3009_hash(lua_State *L)
{
    struct fields f = { L, 1, SPRAAY_OK };
    uint8_t out[32];

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkstack(L, 20, NULL);
    read_authorization(&f, out);
    if (f.err != SPRAAY_OK) return bind_fail(L, f.err);
    lua_pushlstring(L, (const char *)out, sizeof out);
    return 1;
}

/* eip3009_digest{ the fields of both } → 32 bytes, what the payer signs */
static int l_eip3009_digest(lua_State *L)
{
    struct fields f = { L, 1, SPRAAY_OK };
    uint8_t domain[32], hash[32], out[32];

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkstack(L, 20, NULL);
    read_domain(&f, domain);
    read_authorization(&f, hash);
    if (f.err != SPRAAY_OK) return bind_fail(L, f.err);
    spraay_eip712_digest(out, domain, hash);
    lua_pushlstring(L, (const char *)out, sizeof out);
    return 1;
}

/* eip191_digest(message) → 32 bytes */
static int l_eip191_digest(lua_State *L)
{
    spraay_slice s = bind_check_string(L, 1);
    uint8_t out[32];

    spraay_eip191_digest(out, s.p, s.n);
    lua_pushlstring(L, (const char *)out, sizeof out);
    return 1;
}

/* ---- contract calls ---- */

/* abi_authorization_state(address, nonce32) → call data */
static int l_abi_authorization_state(lua_State *L)
{
    spraay_slice s = bind_check_string(L, 1);
    const uint8_t *nonce = bind_check_bytes(L, 2, 32);
    uint8_t addr[20], out[SPRAAY_ABI_AUTHORIZATION_STATE_BYTES];
    spraay_err err = spraay_evm_address_parse(addr, s.p, s.n, SPRAAY_EVM_SHAPE_ONLY);

    if (err != SPRAAY_OK) return bind_fail(L, err);
    spraay_abi_authorization_state(out, addr, nonce);
    lua_pushlstring(L, (const char *)out, sizeof out);
    return 1;
}

/* abi_bool(data) → boolean */
static int l_abi_bool(lua_State *L)
{
    spraay_slice s = bind_check_string(L, 1);
    bool v = false;
    spraay_err err = spraay_abi_bool(&v, (const uint8_t *)s.p, s.n);

    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushboolean(L, v);
    return 1;
}

/* abi_topic("used" | "canceled" | "transfer") → 32 bytes */
static int l_abi_topic(lua_State *L)
{
    static const char *const names[] = { "used", "canceled", "transfer", NULL };
    const uint8_t *const topics[] = { spraay_abi_topic_used, spraay_abi_topic_canceled,
                                      spraay_abi_topic_transfer };

    lua_pushlstring(L, (const char *)topics[luaL_checkoption(L, 1, NULL, names)], 32);
    return 1;
}

extern const luaL_Reg bind_chain[];
/* clang-format off */
const luaL_Reg bind_chain[] = {
    { "abi_authorization_state", l_abi_authorization_state },
    { "abi_bool",                l_abi_bool },
    { "abi_topic",               l_abi_topic },
    { "amount_add",              l_add },
    { "amount_cmp",              l_cmp },
    { "amount_from_atomic",      l_from_atomic },
    { "amount_from_be32",        l_from_be32 },
    { "amount_mul",              l_mul },
    { "amount_sub",              l_sub },
    { "amount_to_atomic",        l_to_atomic },
    { "amount_to_be32",          l_to_be32 },
    { "amount_valid",            l_valid },
    { "eip191_digest",           l_eip191_digest },
    { "eip3009_digest",          l_eip3009_digest },
    { "eip3009_hash",            l_eip3009_hash },
    { "eip712_domain",           l_eip712_domain },
    { "evm_address_parse",       l_address_parse },
    { NULL, NULL }
};
/* clang-format on */
