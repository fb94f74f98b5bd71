/* SPDX-License-Identifier: MIT */
/* What makes two calls the same intent, and what a named purchase is called by. */
#ifndef SPRAAY_CLIENT_INTENT_H
#define SPRAAY_CLIENT_INTENT_H

#include "client/client.h"

typedef struct spraay_intent {
    const char *origin;       /* of the gateway */
    const uint8_t *request32; /* hash of what is asked for */
    const char *purchase;     /* the caller's own name for it; NULL */
    const char *scope, *step; /* NULL */
} spraay_intent;

/* Everything that makes two calls the same intent, whichever network is preferred: what is out on one is found
 * before the other is paid on. A caller with two wallets has two keys, each the one that it would have with that
 * wallet alone; 'twin32' is of the one on Solana, or zeros. SPRAAY_LIMIT, SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_intent_keys(uint8_t key32[32], uint8_t twin32[32], const spraay_client *c,
                                              const spraay_intent *i);

/* What the id of a named purchase is derived from; 'out' stays empty when it has no name. */
SPRAAY_MUST_USE spraay_err spraay_intent_name(spraay_buf *out, const spraay_client *c,
                                              const spraay_intent *i);

/* "pur_" and 32 random digits. SPRAAY_RANDOM. */
SPRAAY_MUST_USE spraay_err spraay_intent_fresh_id(char out[SPRAAY_PURCHASE_ID + 1]);

#endif
