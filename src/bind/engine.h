/* SPDX-License-Identifier: MIT */
/* The engine as other bindings see it. */

#ifndef SPRAAY_BIND_ENGINE_H
#define SPRAAY_BIND_ENGINE_H

#include "bind/bind.h"
#include "http/engine.h"

/* The open engine that argument i holds; raises when it is something else or closed. Whoever keeps
 * it longer than the call takes a reference with spraay_engine_hold. */
spraay_engine *bind_check_engine(lua_State *L, int i);

/* engine:fetch, and the class of what it returns (transfer.c). */
int bind_engine_fetch(lua_State *L);
void bind_new_transfer_class(lua_State *L);

#endif
