/* SPDX-License-Identifier: MIT */
/* What every binding shares: one dialect for five Luas, arguments without coercion, one way to
 * fail, and memory that survives a Lua error.
 *
 * This folder is the only one that includes lua.h. A function here goes: parse all arguments,
 * call, push. Lua errors jump over C frames, so nothing that must be freed may be held in a C
 * local while the Lua API is called; a temporary goes into bind_buf's userdata instead.
 *
 * The spr_ names are private spellings of what newer Luas added. They exist so that one object
 * built against PUC 5.1 also loads in LuaJIT, whose headers declare the same names as 5.2:
 * never use luaL_setfuncs, luaL_newlib or luaL_testudata in this folder. */

#ifndef SPRAAY_BIND_BIND_H
#define SPRAAY_BIND_BIND_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/bytes.h"
#include "core/error.h"

/* ---- one dialect -------------------------------------------------------------------------- */

#if LUA_VERSION_NUM == 501
#define spr_rawlen(L, i) lua_objlen((L), (i))
#else
#define spr_rawlen(L, i) lua_rawlen((L), (i))
#endif

/* The index that stays right while the stack grows. */
int spr_absindex(lua_State *L, int i);

/* Register a NULL-ended list into the table on top of the stack. */
void spr_setfuncs(lua_State *L, const luaL_Reg *list);

/* Userdata of that metatable name, or NULL. */
void *spr_testudata(lua_State *L, int i, const char *name);

/* A Lua number that is exactly an integer inside int64? Strings are not numbers here. */
bool spr_isinteger(lua_State *L, int i, int64_t *out);

/* Push an int64: as an integer on 5.3 and later, as a double before, exact up to 2^53. */
void spr_pushint64(lua_State *L, int64_t v);

/* New metatable 'name' with methods under __index, its metamethods, and __name; leaves nothing on
 * the stack. Does nothing when the name is already registered in this state. Either list may be
 * NULL. 'meta' may hold __gc, __close, __tostring. */
void spr_newclass(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *meta);

/* ---- arguments, without coercion ----------------------------------------------------------- */

/* A string and its length; numbers are refused, for a Lua number has already rounded. */
spraay_slice bind_check_string(lua_State *L, int i);

/* A string of exactly n bytes. */
const uint8_t *bind_check_bytes(lua_State *L, int i, size_t n);

/* An exact integer inside [min, max]. */
int64_t bind_check_int(lua_State *L, int i, int64_t min, int64_t max);

/* Field 'key' of the table at i: pushes its value and returns its type. */
int bind_field(lua_State *L, int i, const char *key);

/* ---- failing -------------------------------------------------------------------------------- */

/* Push nil, sentence, NAME and return 3. SPRAAY_NOMEM too: the caller hears of it as any error. */
int bind_fail(lua_State *L, spraay_err err);

/* The same with a sentence of the caller's own. */
int bind_fail_text(lua_State *L, spraay_err err, const char *sentence);

/* ---- memory that survives a Lua error -------------------------------------------------------- */

/* Push a userdata holding an initialised buffer of at most 'max' bytes; it is wiped when the
 * userdata is collected, or at once by spraay_buf_wipe. Valid while it is on the stack. */
spraay_buf *bind_buf(lua_State *L, size_t max);

/* Push the buffer's content as a Lua string, then wipe the buffer. Returns 1. */
int bind_push_buf(lua_State *L, spraay_buf *b);

#endif
