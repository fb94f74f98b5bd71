/* SPDX-License-Identifier: MIT */
/* Wallets as userdata. Nothing here returns a key, and printing one shows an address. */
#include "bind/wallet.h"

#include <string.h>

#include "bind/x402_args.h"

#define WALLET "spraay.wallet"

struct wallet_box {
    spraay_wallet *w;
};

static struct wallet_box *check(lua_State *L, int i)
{
    return luaL_checkudata(L, i, WALLET);
}

spraay_wallet *bind_opt_wallet(lua_State *L, int i)
{
    struct wallet_box *box;

    if (lua_isnoneornil(L, i)) return NULL;
    box = check(L, i);
    luaL_argcheck(L, box->w != NULL, i, "the wallet is closed");
    return box->w;
}

static int wallet_address(lua_State *L)
{
    const struct wallet_box *box = check(L, 1);
    luaL_argcheck(L, box->w != NULL, 1, "the wallet is closed");
    lua_pushstring(L, spraay_wallet_address(box->w));
    return 1;
}

/* "env", "file", "random" or "signer". */
static int wallet_source(lua_State *L)
{
    const struct wallet_box *box = check(L, 1);
    luaL_argcheck(L, box->w != NULL, 1, "the wallet is closed");
    lua_pushstring(L, spraay_wallet_source(box->w));
    return 1;
}

/* "evm" or "solana". */
static int wallet_kind(lua_State *L)
{
    const struct wallet_box *box = check(L, 1);
    luaL_argcheck(L, box->w != NULL, 1, "the wallet is closed");
    lua_pushstring(L, bind_rail_name(spraay_wallet_rail(box->w)));
    return 1;
}

static int wallet_close(lua_State *L)
{
    struct wallet_box *box = check(L, 1);
    spraay_wallet *w = box->w;

    box->w = NULL;
    if (w != NULL) {
        spraay_wallet_close(w);
        spraay_wallet_unref(w);
    }
    return 0;
}

static int wallet_gc(lua_State *L)
{
    struct wallet_box *box = check(L, 1);
    spraay_wallet_unref(box->w);
    box->w = NULL;
    return 0;
}

static int wallet_tostring(lua_State *L)
{
    const struct wallet_box *box = check(L, 1);
    const char *a;

    if (box->w == NULL) {
        lua_pushliteral(L, "wallet (closed)");
        return 1;
    }
    a = spraay_wallet_address(box->w);
    lua_pushliteral(L, "wallet ");
    lua_pushlstring(L, a, 6);
    lua_pushliteral(L, "...");
    lua_pushstring(L, a + strlen(a) - 4);
    lua_pushfstring(L, " (%s, %s)", bind_rail_name(spraay_wallet_rail(box->w)), spraay_wallet_source(box->w));
    lua_concat(L, 5);
    return 1;
}

static const luaL_Reg methods[] = { { "address", wallet_address },
                                    { "source", wallet_source },
                                    { "kind", wallet_kind },
                                    { "close", wallet_close },
                                    { NULL, NULL } };
static const luaL_Reg meta[] = { { "__gc", wallet_gc }, { "__tostring", wallet_tostring }, { NULL, NULL } };

/* An empty wallet on the stack, safe to collect at every instant. */
static struct wallet_box *push(lua_State *L)
{
    struct wallet_box *box;

    spr_newclass(L, WALLET, methods, meta);
    box = lua_newuserdata(L, sizeof *box);
    box->w = NULL;
    luaL_getmetatable(L, WALLET);
    lua_setmetatable(L, -2);
    return box;
}

static int finish(lua_State *L, spraay_err err, const char *why)
{
    return err == SPRAAY_OK ? 1 : bind_fail_text(L, err, why[0] ? why : spraay_err_sentence(err));
}

static int l_wallet_env(lua_State *L)
{
    spraay_slice name = bind_check_string(L, 1);
    char why[SPRAAY_WALLET_WHY] = "";
    struct wallet_box *box = push(L);

    return finish(L, spraay_wallet_from_env(&box->w, name.p, why), why);
}

/* wallet_env_rail(name) → "evm", "solana", or nil when it is not set; the key does not come along */
static int l_wallet_env_rail(lua_State *L)
{
    spraay_slice name = bind_check_string(L, 1);

    lua_pushstring(L, bind_rail_name(spraay_wallet_env_rail(name.p)));
    return 1;
}

static int from_file(lua_State *L, spraay_rail rail)
{
    spraay_slice path = bind_check_string(L, 1);
    char why[SPRAAY_WALLET_WHY] = "";
    struct wallet_box *box = push(L);

    return finish(L, spraay_wallet_from_file(&box->w, rail, path.p, why), why);
}

static int l_wallet_file(lua_State *L)
{
    return from_file(L, SPRAAY_RAIL_EVM);
}

static int l_wallet_solana(lua_State *L)
{
    return from_file(L, SPRAAY_RAIL_SVM);
}

static int l_wallet_random(lua_State *L)
{
    char why[SPRAAY_WALLET_WHY] = "";
    struct wallet_box *box = push(L);

    return finish(L, spraay_wallet_random(&box->w, why), why);
}

/* core.wallet_signer{ address =, nonce_secret = }: the key is elsewhere. */
static int l_wallet_signer(lua_State *L)
{
    spraay_slice address, secret = { "", 0 };
    char why[SPRAAY_WALLET_WHY] = "";
    struct wallet_box *box;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    (void)bind_field(L, 1, "address");
    address = bind_check_string(L, 2);
    if (bind_field(L, 1, "nonce_secret") != LUA_TNIL) secret = bind_check_string(L, 3);
    box = push(L);
    return finish(L, spraay_wallet_outside(&box->w, address, secret, why), why);
}

const luaL_Reg bind_wallet[] = { { "wallet_env", l_wallet_env },
                                 { "wallet_env_rail", l_wallet_env_rail },
                                 { "wallet_file", l_wallet_file },
                                 { "wallet_random", l_wallet_random },
                                 { "wallet_signer", l_wallet_signer },
                                 { "wallet_solana", l_wallet_solana },
                                 { NULL, NULL } };
