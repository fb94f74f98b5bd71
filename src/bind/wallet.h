/* SPDX-License-Identifier: MIT */
/* What the client's binding needs of the wallet's. */
#ifndef SPRAAY_BIND_WALLET_H
#define SPRAAY_BIND_WALLET_H

#include "bind/bind.h"
#include "client/wallet.h"

/* The wallet at index i, or NULL for nil. Raises for anything else, and for a closed one. */
spraay_wallet *bind_opt_wallet(lua_State *L, int i);

#endif
