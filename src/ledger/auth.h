/* SPDX-License-Identifier: MIT */
/* Keys of payers, and the tags that their records carry: keyed BLAKE2b (RFC 7693) under a key that only the
 * wallet can derive, 16 bytes. A record that was damaged, or written by somebody else, does not fit its tag.
 *
 * Keys are added by the thread of the caller and read by the one that writes. They are never removed. */
#ifndef SPRAAY_LEDGER_AUTH_H
#define SPRAAY_LEDGER_AUTH_H

#include <pthread.h>

#include "ledger/purchase.h"

#define SPRAAY_TAG 16

typedef struct spraay_keyring {
    pthread_mutex_t lock;
    struct spraay_ring_key *first;
    unsigned n;
} spraay_keyring;

SPRAAY_MUST_USE spraay_err spraay_keyring_init(spraay_keyring *k);
void spraay_keyring_wipe(spraay_keyring *k);

/* Known already: nothing happens. SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_keyring_add(spraay_keyring *k, const char *payer, const uint8_t key32[32]);

unsigned spraay_keyring_count(spraay_keyring *k);

/* The payer's key, as long as the ring lives; NULL when it is not known. */
const uint8_t *spraay_keyring_find(spraay_keyring *k, const char *payer);

/* The tag of a purchase, without its answer, its owner and whether a call holds it; 'folded' and 'boot', the start
 * of the machine that its other clock counts from, are the store's. */
void spraay_tag_purchase(uint8_t tag[SPRAAY_TAG], const uint8_t key32[32], const spraay_purchase *p,
                         bool folded, const char *boot);

/* The tag of anything that can be written as one text; 'what' keeps kinds apart. */
void spraay_tag_text(uint8_t tag[SPRAAY_TAG], const uint8_t key32[32], const char *what, spraay_slice text);

#endif
