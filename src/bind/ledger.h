/* SPDX-License-Identifier: MIT */
/* What the binding of the ledger shares with that of the client. */
#ifndef SPRAAY_BIND_LEDGER_H
#define SPRAAY_BIND_LEDGER_H

#include "bind/bind.h"
#include "ledger/budget.h"
#include "ledger/query.h"

/* client:totals() -> an operation; its result is { settled=, open=, committed= } in atomic units, digits. */
int bind_client_totals(lua_State *L);

/* t[key] = the digits of v, for the table on top. */
void bind_set_u64(lua_State *L, const char *key, uint64_t v);

#endif
