/* SPDX-License-Identifier: MIT */
/* What the bindings of client and call share: reading option tables. */
#ifndef SPRAAY_BIND_CLIENT_H
#define SPRAAY_BIND_CLIENT_H

#include "bind/bind.h"
#include "client/client.h"

/* The client at index i; raises for anything else and for a closed one. */
spraay_client *bind_check_client(lua_State *L, int i);

/* The hub of this Lua state, with this engine from now on; borrowed. NULL with an error in *err. */
spraay_hub *bind_hub(lua_State *L, spraay_engine *e, spraay_err *err);

/* client:call{…}, see bind/call.c. */
int bind_client_call(lua_State *L);
int bind_client_evm(lua_State *L);

/* A field of the table at i, of the type named; raises for another. Texts and lists live while the
 * table keeps them; the lists leave values on the stack and need luaL_checkstack by the caller. */
const char *bind_text(lua_State *L, int i, const char *key);
bool bind_flag(lua_State *L, int i, const char *key);
int64_t bind_number(lua_State *L, int i, const char *key, int64_t otherwise, int64_t max);
const char *const *bind_texts(lua_State *L, int i, const char *key, size_t *n);
const spraay_field *bind_fields(lua_State *L, int i, const char *key, size_t *n);

#endif
