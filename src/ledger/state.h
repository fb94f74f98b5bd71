/* SPDX-License-Identifier: MIT */
/* The states of one purchase, and the only way to move between them.
 *
 *   INTENT --> RESERVED --> (ASKED) --> SIGNED --> SENT --> DELIVERED --> TAKEN
 *     |           |                       |         |
 *   (row dropped: nothing was signed; <---'         +--> UNKNOWN --> VOID --> SIGNED (same nonce)
 *    VOID again when it was before)   no byte left  |     |  ^
 *                                                   |     |  '--- SENT (presented again)
 *                                                   '-----+--> PAID_LOST --> DELIVERED (a late answer)
 *                                                                   '--> VOID by REPAY (another nonce)
 *   A transaction of the wallet's own that was called VOID by hand may be in a block after all: DELIVERED.
 *   What was called VOID by hand becomes PAID_LOST where the chain has it paid (Solana, before it is signed again).
 *   DELIVERED and TAKEN become PAID_LOST when the stored result is found missing.
 *
 * Events choose the next state; whoever causes an event never names a state.
 * There is no way from SENT to VOID: only UNKNOWN, by proof, becomes VOID. That it was SENT is noted
 * without waiting for the disk, so an answer may find a record that is still SIGNED. */
#ifndef SPRAAY_LEDGER_STATE_H
#define SPRAAY_LEDGER_STATE_H

#include "core/error.h"

typedef enum spraay_state {
    SPRAAY_STATE_NONE,      /* no row yet */
    SPRAAY_STATE_INTENT,    /* claimed by a call; nothing reserved, nothing signed */
    SPRAAY_STATE_RESERVED,  /* what it may cost counts against every cap */
    SPRAAY_STATE_ASKED,     /* an external signer has the complete terms: counts like SENT */
    SPRAAY_STATE_SIGNED,    /* an authorization exists and is recorded */
    SPRAAY_STATE_SENT,      /* bytes of it may have left the process */
    SPRAAY_STATE_UNKNOWN,   /* it left, and no answer told what became of it */
    SPRAAY_STATE_VOID,      /* proven: it did not settle and never can */
    SPRAAY_STATE_PAID_LOST, /* proven or told: it settled, and the result is not here */
    SPRAAY_STATE_DELIVERED, /* the result is here, not yet handed to the caller */
    SPRAAY_STATE_TAKEN,     /* handed over; the row is history */
    SPRAAY_STATE_COUNT
} spraay_state;

typedef enum spraay_event {
    SPRAAY_EVENT_CLAIM,   /* a call wants this purchase */
    SPRAAY_EVENT_RESERVE, /* the caps admit it */
    SPRAAY_EVENT_ASK,     /* an external signer is about to see the terms */
    SPRAAY_EVENT_DECLINE, /* the external signer says that it did not sign */
    SPRAAY_EVENT_SIGN,    /* the authorization is about to be recorded */
    SPRAAY_EVENT_SEND,    /* the paid request goes to the transport */
    SPRAAY_EVENT_UNSENT,  /* the transport swears that no byte of it left */
    SPRAAY_EVENT_LOSE,    /* an answer that does not tell, or none */
    SPRAAY_EVENT_DELIVER, /* a complete result */
    SPRAAY_EVENT_PROVE_UNUSED,
    SPRAAY_EVENT_PROVE_USED,
    SPRAAY_EVENT_TAKE,
    SPRAAY_EVENT_REPAY,  /* the user buys what was lost again: another nonce */
    SPRAAY_EVENT_MISLAY, /* the result was stored, and is there no more */
    SPRAAY_EVENT_COUNT
} spraay_event;

/* Where 'event' leads from 'from', or SPRAAY_STATE_NONE when it may not happen there. */
spraay_state spraay_state_next(spraay_state from, spraay_event event);

/* May an authorization of a purchase in this state still move money? */
int spraay_state_is_open(spraay_state s);

const char *spraay_state_name(spraay_state s);
const char *spraay_event_name(spraay_event e);

#endif
