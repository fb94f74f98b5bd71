/* SPDX-License-Identifier: MIT */
/* spraay.core: the list of what the C side offers to the Lua side.
 *
 * Each file of this folder ends in a luaL_Reg table; this one only names them. A file that has
 * values to set besides functions (a constant, a metatable) has an opener, called with the module
 * table on top of the stack. No state is kept outside the lua_State, so the module may be loaded
 * in any number of states and threads at once. */

#include "bind/bind.h"

extern const luaL_Reg bind_codec[];
extern const luaL_Reg bind_json[];
extern const luaL_Reg bind_crypto[];
extern const luaL_Reg bind_chain[];
extern const luaL_Reg bind_solana[];
extern const luaL_Reg bind_evm[];
extern const luaL_Reg bind_evm_sender[];
extern const luaL_Reg bind_clock[];
extern const luaL_Reg bind_wallet[];
extern const luaL_Reg bind_client[];
extern const luaL_Reg bind_ledger[];
extern const luaL_Reg bind_engine[];
extern const luaL_Reg bind_x402[];
extern const luaL_Reg bind_x402_answers[];
extern const luaL_Reg bind_proof[];
extern const luaL_Reg bind_proof_svm[];
extern const luaL_Reg bind_socket[];
extern const luaL_Reg bind_files[];

void bind_open_json(lua_State *L);

/* clang-format off */
static const luaL_Reg *const tables[] = {
    bind_codec,
    bind_json,
    bind_crypto,
    bind_chain,
    bind_solana,
    bind_evm,
    bind_evm_sender,
    bind_clock,
    bind_wallet,
    bind_client,
    bind_ledger,
    bind_engine,
    bind_x402,
    bind_x402_answers,
    bind_proof,
    bind_proof_svm,
    bind_socket,
    bind_files,
};
/* clang-format on */

static void (*const openers[])(lua_State *L) = {
    bind_open_json,
};

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
int luaopen_spraay_core(lua_State *L);

int luaopen_spraay_core(lua_State *L)
{
    lua_newtable(L);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) spr_setfuncs(L, tables[i]);
    for (size_t i = 0; i < sizeof openers / sizeof openers[0]; i++) openers[i](L);
    return 1;
}
