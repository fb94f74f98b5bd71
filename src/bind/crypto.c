/* SPDX-License-Identifier: MIT */
/* Hashes and signatures for Lua. Keys, digests and signatures are Lua strings of raw bytes here:
 * these functions serve the sandbox and the specs, whose keys are throwaways. A wallet's key never
 * becomes a Lua string. */

#include <string.h>

#include "bind/bind.h"
#include "chain/eip55.h"
#include "core/secret.h"
#include "crypto/keccak256.h"
#include "crypto/random.h"
#include "crypto/secp256k1.h"
#include "crypto/sha256.h"

static int push_bytes(lua_State *L, const uint8_t *p, size_t n)
{
    lua_pushlstring(L, (const char *)p, n);
    return 1;
}

/* keccak256(bytes, …) → 32 bytes; several strings are hashed as one */
static int l_keccak256(lua_State *L)
{
    uint8_t out[32];
    spraay_keccak k;
    int n = lua_gettop(L);

    luaL_checktype(L, 1, LUA_TSTRING);
    spraay_keccak_init(&k);
    for (int i = 1; i <= n; i++) {
        spraay_slice s = bind_check_string(L, i);
        spraay_keccak_update(&k, s.p, s.n);
    }
    spraay_keccak_final(&k, out);
    return push_bytes(L, out, sizeof out);
}

/* sha256(bytes) → 32 bytes */
static int l_sha256(lua_State *L)
{
    spraay_slice s = bind_check_string(L, 1);
    uint8_t out[32];

    spraay_sha256(out, s.p, s.n);
    return push_bytes(L, out, sizeof out);
}

/* hmac_sha256(key, bytes) → 32 bytes */
static int l_hmac_sha256(lua_State *L)
{
    spraay_slice key = bind_check_string(L, 1), s = bind_check_string(L, 2);
    uint8_t out[32];

    spraay_hmac_sha256(out, key.p, key.n, s.p, s.n);
    return push_bytes(L, out, sizeof out);
}

/* hkdf_sha256(key, salt, info, n) → n bytes, n up to 8160 */
static int l_hkdf_sha256(lua_State *L)
{
    spraay_slice key = bind_check_string(L, 1), salt = bind_check_string(L, 2);
    spraay_slice info = bind_check_string(L, 3);
    size_t n = (size_t)bind_check_int(L, 4, 1, INT64_C(255) * 32);
    uint8_t *out = lua_newuserdata(L, n);

    spraay_err err = spraay_hkdf_sha256(out, n, key.p, key.n, salt.p, salt.n, info.p, info.n);
    return err == SPRAAY_OK ? push_bytes(L, out, n) : bind_fail(L, err);
}

/* random_bytes(n) → n bytes from the system */
static int l_random_bytes(lua_State *L)
{
    size_t n = (size_t)bind_check_int(L, 1, 0, 65536);
    uint8_t *out = lua_newuserdata(L, n + 1);
    spraay_err err = spraay_random(out, n);

    return err == SPRAAY_OK ? push_bytes(L, out, n) : bind_fail(L, err);
}

/* equal(a, b) → boolean, in a time that does not tell where they differ */
static int l_equal(lua_State *L)
{
    spraay_slice a = bind_check_string(L, 1), b = bind_check_string(L, 2);

    lua_pushboolean(L, a.n == b.n && spraay_bytes_equal_ct(a.p, b.p, a.n));
    return 1;
}

/* secp_pubkey(key32) → 65 bytes, 33 bytes */
static int l_secp_pubkey(lua_State *L)
{
    const uint8_t *key32 = bind_check_bytes(L, 1, 32);
    uint8_t whole[65], compressed[33];
    spraay_err err = spraay_secp_pubkey(whole, compressed, key32);

    if (err != SPRAAY_OK) return bind_fail(L, err);
    push_bytes(L, whole, sizeof whole);
    push_bytes(L, compressed, sizeof compressed);
    return 2;
}

/* secp_sign(digest32, key32) → 65 bytes r s v */
static int l_secp_sign(lua_State *L)
{
    const uint8_t *digest32 = bind_check_bytes(L, 1, 32), *key32 = bind_check_bytes(L, 2, 32);
    uint8_t sig[65];
    spraay_err err = spraay_secp_sign(sig, digest32, key32);

    return err == SPRAAY_OK ? push_bytes(L, sig, sizeof sig) : bind_fail(L, err);
}

/* secp_recover(digest32, sig65 [, lax]) → checksummed address; strict unless lax is true */
static int l_secp_recover(lua_State *L)
{
    const uint8_t *digest32 = bind_check_bytes(L, 1, 32);
    spraay_slice sig = bind_check_string(L, 2);
    bool strict = !lua_toboolean(L, 3);
    uint8_t pub[64], addr[20];
    char text[43];

    if (sig.n != 65) return bind_fail(L, SPRAAY_SIGNATURE); /* a peer's bytes: not a misuse */
    spraay_err err = spraay_secp_recover(pub, digest32, (const uint8_t *)sig.p, strict);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    spraay_evm_address_from_pub(addr, pub);
    spraay_evm_address_format(text, addr);
    lua_pushstring(L, text);
    return 1;
}

/* evm_address(key32) → checksummed address of a key */
static int l_evm_address(lua_State *L)
{
    const uint8_t *key32 = bind_check_bytes(L, 1, 32);
    uint8_t pub[65], addr[20];
    char text[43];
    spraay_err err = spraay_secp_pubkey(pub, NULL, key32);

    if (err != SPRAAY_OK) return bind_fail(L, err);
    spraay_evm_address_from_pub(addr, pub + 1);
    spraay_evm_address_format(text, addr);
    lua_pushstring(L, text);
    return 1;
}

/* secret_selftest(n) → boolean: can n bytes be had, are they zero, writable? */
static int l_secret_selftest(lua_State *L)
{
    size_t n = (size_t)bind_check_int(L, 1, 1, 65536);
    spraay_secret *s = spraay_secret_new(n);
    bool good = s != NULL && spraay_secret_size(s) == n;

    for (size_t i = 0; good && i < n; i++) good = spraay_secret_bytes(s)[i] == 0;
    if (good) memset(spraay_secret_bytes(s), 0xA5, n);
    spraay_secret_free(s);
    spraay_secret_free(NULL);
    lua_pushboolean(L, good);
    return 1;
}

extern const luaL_Reg bind_crypto[];
/* clang-format off */
const luaL_Reg bind_crypto[] = {
    { "equal",           l_equal },
    { "evm_address",     l_evm_address },
    { "hkdf_sha256",     l_hkdf_sha256 },
    { "hmac_sha256",     l_hmac_sha256 },
    { "keccak256",       l_keccak256 },
    { "random_bytes",    l_random_bytes },
    { "secp_pubkey",     l_secp_pubkey },
    { "secp_recover",    l_secp_recover },
    { "secp_sign",       l_secp_sign },
    { "secret_selftest", l_secret_selftest },
    { "sha256",          l_sha256 },
    { NULL, NULL }
};
/* clang-format on */
