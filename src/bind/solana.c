/* SPDX-License-Identifier: MIT */
/* Ed25519 and Solana addresses for Lua. Seeds, points and signatures are Lua strings of raw bytes: these
 * functions serve the sandbox and the specs, whose keys are throwaways. A wallet's key never becomes a Lua
 * string. Addresses are base58. */

#include <string.h>

#include "bind/bind.h"
#include "chain/solana_payment.h"
#include "codec/base58.h"
#include "core/secret.h"
#include "crypto/ed25519.h"

/* ed25519_public(seed32) → 32 bytes */
static int l_public(lua_State *L)
{
    const uint8_t *seed32 = bind_check_bytes(L, 1, 32);
    uint8_t pub[32];
    spraay_err err = spraay_ed25519_public(pub, seed32);

    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushlstring(L, (const char *)pub, sizeof pub);
    return 1;
}

/* ed25519_sign(seed32, message) → 64 bytes */
static int l_sign(lua_State *L)
{
    const uint8_t *seed32 = bind_check_bytes(L, 1, 32);
    spraay_slice message = bind_check_string(L, 2);
    uint8_t secret[64], sig[64];
    spraay_err err = spraay_ed25519_expand(secret, seed32);

    if (err == SPRAAY_OK) err = spraay_ed25519_sign(sig, message.p, message.n, secret);
    spraay_memwipe(secret, sizeof secret);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushlstring(L, (const char *)sig, sizeof sig);
    return 1;
}

/* ed25519_verify(sig64, message, public32) → boolean; of another length they are a peer's mistake */
static int l_verify(lua_State *L)
{
    spraay_slice sig = bind_check_string(L, 1), message = bind_check_string(L, 2);
    spraay_slice pub = bind_check_string(L, 3);

    lua_pushboolean(
        L, sig.n == 64 && pub.n == 32 &&
               spraay_ed25519_verify((const uint8_t *)sig.p, message.p, message.n, (const uint8_t *)pub.p));
    return 1;
}

/* ed25519_on_curve(point32) → boolean */
static int l_on_curve(lua_State *L)
{
    lua_pushboolean(L, spraay_ed25519_on_curve(bind_check_bytes(L, 1, 32)));
    return 1;
}

static bool address_arg(lua_State *L, int i, uint8_t out32[32])
{
    spraay_slice text = bind_check_string(L, i);

    return spraay_base58_decode32(out32, text.p, text.n) == SPRAAY_OK;
}

/* solana_ata(owner, mint, program) → address, bump */
static int l_ata(lua_State *L)
{
    uint8_t owner[32], mint[32], program[32], ata[32], bump = 0;
    char text[SPRAAY_SOLANA_TEXT];

    if (!address_arg(L, 1, owner) || !address_arg(L, 2, mint) || !address_arg(L, 3, program))
        return bind_fail(L, SPRAAY_SYNTAX);
    spraay_err err = spraay_solana_ata(ata, &bump, owner, mint, program);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    spraay_solana_address_format(text, ata);
    lua_pushstring(L, text);
    lua_pushinteger(L, bump);
    return 2;
}

/* solana_compact(n) → the compact-u16 */
static int l_compact(lua_State *L)
{
    uint8_t out[3];
    size_t n = spraay_solana_compact(out, (uint16_t)bind_check_int(L, 1, 0, UINT16_MAX));

    lua_pushlstring(L, (const char *)out, n);
    return 1;
}

/* Field 'name' of the table at i as an address; the value is popped again. */
static bool address_field(lua_State *L, int i, const char *name, uint8_t out32[32])
{
    bool good = bind_field(L, i, name) == LUA_TSTRING && address_arg(L, -1, out32);

    lua_pop(L, 1);
    return good;
}

/* solana_message{ fee_payer=, blockhash=, instructions = { { program=, data=, accounts = { { address=, signer=,
 * writable= } } } } } → message, how many signatures it takes */
static int l_message(lua_State *L)
{
    uint8_t fee_payer[32], blockhash[32], programs[SPRAAY_SOLANA_INSTRUCTIONS][32];
    uint8_t out[SPRAAY_SOLANA_MESSAGE_MAX];
    spraay_solana_account accounts[SPRAAY_SOLANA_INSTRUCTIONS][SPRAAY_SOLANA_ACCOUNTS];
    spraay_solana_instruction list[SPRAAY_SOLANA_INSTRUCTIONS];
    size_t n = 0;
    unsigned signers = 0;

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkstack(L, 40, NULL);
    if (!address_field(L, 1, "fee_payer", fee_payer) || !address_field(L, 1, "blockhash", blockhash))
        return bind_fail(L, SPRAAY_SYNTAX);
    if (bind_field(L, 1, "instructions") != LUA_TTABLE) return bind_fail(L, SPRAAY_TYPE);
    int all = lua_gettop(L);
    size_t count = spr_rawlen(L, all);
    if (count > SPRAAY_SOLANA_INSTRUCTIONS) return bind_fail(L, SPRAAY_LIMIT);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, all, (int)i + 1); /* stays on the stack: its data is borrowed */
        int at = lua_gettop(L);
        luaL_checktype(L, at, LUA_TTABLE);
        if (!address_field(L, at, "program", programs[i])) return bind_fail(L, SPRAAY_SYNTAX);
        if (bind_field(L, at, "data") != LUA_TSTRING) return bind_fail(L, SPRAAY_TYPE);
        spraay_slice data = bind_check_string(L, -1);
        size_t n_accounts = 0;
        if (bind_field(L, at, "accounts") == LUA_TTABLE) n_accounts = spr_rawlen(L, -1);
        if (n_accounts > SPRAAY_SOLANA_ACCOUNTS) return bind_fail(L, SPRAAY_LIMIT);
        for (size_t k = 0; k < n_accounts; k++) {
            lua_rawgeti(L, at + 2, (int)k + 1);
            luaL_checktype(L, -1, LUA_TTABLE);
            int one = lua_gettop(L);
            if (!address_field(L, one, "address", accounts[i][k].key32)) return bind_fail(L, SPRAAY_SYNTAX);
            (void)bind_field(L, one, "signer");
            accounts[i][k].signer = lua_toboolean(L, -1);
            (void)bind_field(L, one, "writable");
            accounts[i][k].writable = lua_toboolean(L, -1);
            lua_settop(L, one - 1);
        }
        list[i] = (spraay_solana_instruction){ .program32 = programs[i],
                                               .accounts = accounts[i],
                                               .n_accounts = n_accounts,
                                               .data = (const uint8_t *)data.p,
                                               .n_data = data.n };
    }
    spraay_err err = spraay_solana_compile(out, &n, &signers, fee_payer, blockhash, list, count);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushlstring(L, (const char *)out, n);
    lua_pushinteger(L, (lua_Integer)signers);
    return 2;
}

extern const luaL_Reg bind_solana[];
/* clang-format off */
const luaL_Reg bind_solana[] = {
    { "ed25519_on_curve", l_on_curve },
    { "ed25519_public",   l_public },
    { "ed25519_sign",     l_sign },
    { "ed25519_verify",   l_verify },
    { "solana_ata",       l_ata },
    { "solana_compact",   l_compact },
    { "solana_message",   l_message },
    { NULL, NULL }
};
/* clang-format on */
