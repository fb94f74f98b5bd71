/* SPDX-License-Identifier: MIT */
/* Text and wire forms for Lua: hex, base58, base64, network names, URLs. Bytes are Lua strings. */

#include "bind/bind.h"
#include "codec/base58.h"
#include "codec/base64.h"
#include "codec/caip.h"
#include "codec/hex.h"
#include "codec/url.h"
#include "codec/utf8.h"

#define TEXT_MAX ((size_t)256 << 20) /* bytes any of these may produce */

/* hex_encode(bytes) → text */
static int l_hex_encode(lua_State *L)
{
    spraay_slice s = bind_check_string(L, 1);
    char *out;

    if (s.n > TEXT_MAX / 2) return bind_fail(L, SPRAAY_LIMIT);
    out = lua_newuserdata(L, 2 * s.n + 1);
    spraay_hex_encode(out, s.p, s.n);
    lua_pushlstring(L, out, 2 * s.n);
    return 1;
}

/* hex_decode(text) → bytes; an optional "0x" in front is allowed here */
static int l_hex_decode(lua_State *L)
{
    spraay_slice s = bind_check_string(L, 1);
    uint8_t *out;

    if (spraay_slice_starts(s, "0x")) s = spraay_slice_skip(s, 2);
    out = lua_newuserdata(L, s.n / 2 + 1);
    spraay_err err = spraay_hex_decode(out, s.n / 2, s.p, s.n);
    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushlstring(L, (const char *)out, s.n / 2);
    return 1;
}

/* base58_encode(bytes) → text */
static int l_base58_encode(lua_State *L)
{
    spraay_slice s = bind_check_string(L, 1);
    spraay_buf *b = bind_buf(L, TEXT_MAX);
    spraay_err err = spraay_base58_encode(b, (const uint8_t *)s.p, s.n);

    return err == SPRAAY_OK ? bind_push_buf(L, b) : bind_fail(L, err);
}

/* base58_decode(text) → bytes */
static int l_base58_decode(lua_State *L)
{
    spraay_slice s = bind_check_string(L, 1);
    spraay_buf *b = bind_buf(L, TEXT_MAX);
    spraay_err err = spraay_base58_decode(b, s.p, s.n);

    return err == SPRAAY_OK ? bind_push_buf(L, b) : bind_fail(L, err);
}

/* solana_address(text) → the same text, when it is an address by form */
static int l_solana_address(lua_State *L)
{
    spraay_slice s = bind_check_string(L, 1);
    uint8_t out[32];
    spraay_err err = spraay_base58_decode32(out, s.p, s.n);

    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushvalue(L, 1);
    return 1;
}

/* base64_encode(bytes) → text */
static int l_base64_encode(lua_State *L)
{
    spraay_slice s = bind_check_string(L, 1);
    spraay_buf *b = bind_buf(L, TEXT_MAX);
    spraay_err err = spraay_base64_encode(b, s.p, s.n);

    return err == SPRAAY_OK ? bind_push_buf(L, b) : bind_fail(L, err);
}

/* base64_decode(text) → bytes */
static int l_base64_decode(lua_State *L)
{
    spraay_slice s = bind_check_string(L, 1);
    spraay_buf *b = bind_buf(L, TEXT_MAX);
    spraay_err err = spraay_base64_decode(b, s.p, s.n);

    return err == SPRAAY_OK ? bind_push_buf(L, b) : bind_fail(L, err);
}

/* utf8_valid(text) → boolean */
static int l_utf8_valid(lua_State *L)
{
    spraay_slice s = bind_check_string(L, 1);
    lua_pushboolean(L, spraay_utf8_valid(s.p, s.n));
    return 1;
}

/* ---- networks ---- */

/* caip2_from_v1(name) → id */
static int l_caip2_from_v1(lua_State *L)
{
    const char *id = spraay_caip2_from_v1(bind_check_string(L, 1));

    if (id == NULL) return bind_fail(L, SPRAAY_NETWORK);
    lua_pushstring(L, id);
    return 1;
}

/* caip2_to_v1(id) → name */
static int l_caip2_to_v1(lua_State *L)
{
    const char *name = spraay_caip2_to_v1(bind_check_string(L, 1));

    if (name == NULL) return bind_fail(L, SPRAAY_NETWORK);
    lua_pushstring(L, name);
    return 1;
}

/* caip2_resolve(name or id) → id */
static int l_caip2_resolve(lua_State *L)
{
    spraay_slice id;
    spraay_err err = spraay_caip2_resolve(bind_check_string(L, 1), &id);

    if (err != SPRAAY_OK) return bind_fail(L, err);
    lua_pushlstring(L, id.p, id.n);
    return 1;
}

/* caip2_chain_id(id) → integer */
static int l_caip2_chain_id(lua_State *L)
{
    uint64_t chain_id;
    spraay_err err = spraay_caip2_evm_chain_id(bind_check_string(L, 1), &chain_id);

    if (err != SPRAAY_OK) return bind_fail(L, err);
    spr_pushint64(L, (int64_t)chain_id); /* below 2^53 */
    return 1;
}

/* caip2_is_solana(id) → boolean */
static int l_caip2_is_solana(lua_State *L)
{
    lua_pushboolean(L, spraay_caip2_is_solana(bind_check_string(L, 1)));
    return 1;
}

/* ---- URLs ---- */

static void set_slice(lua_State *L, const char *key, spraay_slice s)
{
    lua_pushlstring(L, s.p, s.n);
    lua_setfield(L, -2, key);
}

/* url_parse(text) → { scheme, host, port (number), path_query, https, loopback, origin, url } */
static int l_url_parse(lua_State *L)
{
    spraay_slice s = bind_check_string(L, 1);
    spraay_buf *origin = bind_buf(L, SPRAAY_URL_MAX + 16);
    spraay_buf *whole = bind_buf(L, SPRAAY_URL_MAX + 16);
    spraay_url u;

    spraay_err err = spraay_url_parse(&u, s.p, s.n);
    if (err == SPRAAY_OK) err = spraay_url_origin(&u, origin);
    if (err == SPRAAY_OK) err = spraay_url_format(&u, whole);
    if (err != SPRAAY_OK) return bind_fail(L, err);

    lua_newtable(L);
    set_slice(L, "scheme", spraay_slice_from(u.https ? "https" : "http"));
    set_slice(L, "host", u.host);
    set_slice(L, "path_query", u.path_query);
    set_slice(L, "origin", spraay_buf_slice(origin));
    set_slice(L, "url", spraay_buf_slice(whole));
    spr_pushint64(L, u.port_number);
    lua_setfield(L, -2, "port");
    lua_pushboolean(L, u.https);
    lua_setfield(L, -2, "https");
    lua_pushboolean(L, u.loopback);
    lua_setfield(L, -2, "loopback");
    return 1;
}

/* url_origin(text) → "https://host[:port]" */
static int l_url_origin(lua_State *L)
{
    spraay_slice s = bind_check_string(L, 1);
    spraay_buf *b = bind_buf(L, SPRAAY_URL_MAX + 16);
    spraay_url u;

    spraay_err err = spraay_url_parse(&u, s.p, s.n);
    if (err == SPRAAY_OK) err = spraay_url_origin(&u, b);
    return err == SPRAAY_OK ? bind_push_buf(L, b) : bind_fail(L, err);
}

/* url_resolve(base, location) → text */
static int l_url_resolve(lua_State *L)
{
    spraay_slice base = bind_check_string(L, 1), location = bind_check_string(L, 2);
    spraay_buf *b = bind_buf(L, SPRAAY_URL_MAX + 16);
    spraay_url u;

    spraay_err err = spraay_url_parse(&u, base.p, base.n);
    if (err == SPRAAY_OK) err = spraay_url_resolve(&u, location, b);
    return err == SPRAAY_OK ? bind_push_buf(L, b) : bind_fail(L, err);
}

extern const luaL_Reg bind_codec[];
/* clang-format off */
const luaL_Reg bind_codec[] = {
    { "base58_decode",   l_base58_decode },
    { "base58_encode",   l_base58_encode },
    { "base64_decode",   l_base64_decode },
    { "base64_encode",   l_base64_encode },
    { "caip2_chain_id",  l_caip2_chain_id },
    { "caip2_from_v1",   l_caip2_from_v1 },
    { "caip2_is_solana", l_caip2_is_solana },
    { "caip2_resolve",   l_caip2_resolve },
    { "caip2_to_v1",     l_caip2_to_v1 },
    { "hex_decode",      l_hex_decode },
    { "hex_encode",      l_hex_encode },
    { "solana_address",  l_solana_address },
    { "url_origin",      l_url_origin },
    { "url_parse",       l_url_parse },
    { "url_resolve",     l_url_resolve },
    { "utf8_valid",      l_utf8_valid },
    { NULL, NULL }
};
/* clang-format on */
