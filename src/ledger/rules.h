/* SPDX-License-Identifier: MIT */
/* What an event, a reservation or a release does to the record of a purchase, whichever store keeps
 * it. Pure: no clock, no disk, no other record. */
#ifndef SPRAAY_LEDGER_RULES_H
#define SPRAAY_LEDGER_RULES_H

#include "ledger/purchase.h"

#define SPRAAY_HOLD_S 3600 /* an unproven purchase is continued by equal calls until this long after expiry */

/* Is it still continued by equal calls? What was signed for a chain has no expiry; else until both clocks agree that an hour has passed since its death:
 * one of them may have been set. */
bool spraay_rules_held(const spraay_purchase *p, spraay_moment now);

/* Would an equal call continue it, were it not claimed? INTENT and RESERVED belong to a call in flight,
 * TAKEN is history. */
bool spraay_rules_adoptable(const spraay_purchase *p);

/* Would its owner's word that it never settles be too early? Of an authorization on EVM it never is: its nonce stays.
 * On Solana nothing but its end keeps it from settling beside the next one. */
bool spraay_rules_void_is_early(const spraay_purchase *p, spraay_moment now);

/* Move it along the table of ledger/state.h and do what goes with it. SPRAAY_STATE changes nothing. */
SPRAAY_MUST_USE spraay_err spraay_rules_event(spraay_purchase *p, spraay_event event, spraay_moment now);

/* What a reservation of 'amount' under a scope would commit. While an earlier authorization lives, either
 * may settle, never both: the larger counts. */
typedef struct spraay_reservation {
    uint64_t amount; /* against day and host */
    uint64_t share;  /* against the budget of the scope */
} spraay_reservation;
spraay_reservation spraay_rules_reservation(const spraay_purchase *p, const uint8_t scope[32],
                                            uint64_t amount);

/* Commit it. SPRAAY_STATE or SPRAAY_NOMEM change nothing. */
SPRAAY_MUST_USE spraay_err spraay_rules_reserve(spraay_purchase *p, const uint8_t scope[32],
                                                spraay_reservation r);

/* The call that held it has returned. */
typedef enum spraay_fate {
    SPRAAY_FATE_KEEP,   /* it may be continued, or asked for again */
    SPRAAY_FATE_DROP,   /* nothing was signed: no trace is left */
    SPRAAY_FATE_HISTORY /* nobody continues it: only what it spent is of interest */
} spraay_fate;
spraay_fate spraay_rules_release(spraay_purchase *p);

/* The process that held it has died: what was signed may be out. */
void spraay_rules_orphan(spraay_purchase *p);

#endif
