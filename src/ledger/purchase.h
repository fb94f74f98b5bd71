/* SPDX-License-Identifier: MIT */
/* The record of one purchase: one paid request, however often it is presented.
 *
 * A purchase is named by its id and found again by its key (payer, gateway, method, path,
 * body, run, scope). Payer, network, asset and payTo are fixed by the first signature; every
 * later authorization carries the same nonce and may differ only in amount and window. */
#ifndef SPRAAY_LEDGER_PURCHASE_H
#define SPRAAY_LEDGER_PURCHASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"
#include "ledger/state.h"

#define SPRAAY_PURCHASE_ID 36 /* "pur_" and 32 hex digits */

/* Both clocks of one moment: wall time can be set, boot time cannot. */
typedef struct spraay_moment {
    int64_t wall_s;
    int64_t mono_ms;
} spraay_moment;

/* What came back, kept until it is taken. */
typedef struct spraay_stored {
    long status;
    spraay_buf headers; /* "name: value\n" lines, names lower case */
    spraay_buf body;
    char *file;            /* where an oversized body was put, or NULL */
    char payment[16];      /* "settled" or "unconfirmed" */
    char transaction[128]; /* as the receipt names it, or "" */
} spraay_stored;

/* What a purchase takes of one budget: the most that was signed under it. */
typedef struct spraay_share {
    uint8_t scope[32];
    uint64_t amount;
} spraay_share;

/* Words about it, for lists and sums; but for SPRAAY_CHAIN_METHOD they decide nothing. */
typedef enum spraay_label {
    SPRAAY_LABEL_METHOD,
    SPRAAY_LABEL_ROUTE, /* as the gateway names it: "compute/text-inference" */
    SPRAAY_LABEL_VERB,  /* as the caller does: "chat" */
    SPRAAY_LABEL_MODEL,
    SPRAAY_LABEL_RUN,
    SPRAAY_LABEL_STEP,
    SPRAAY_LABEL_COUNT
} spraay_label;

/* Fields marked with (L) are the ledger's to change; the others are filled in by whoever drives the
 * purchase, before an event makes them durable. */
typedef struct spraay_purchase {
    char id[SPRAAY_PURCHASE_ID + 1];
    uint8_t key[32];                 /* equal calls have equal keys */
    uint8_t twin[32];                /* the key of the same call by its caller's other wallet; zeros: none */
    uint8_t request[32];             /* hash of method, url and body */
    bool named;                      /* by run or purchase=: never forgotten */
    bool claimed;                    /* (L) a call that has not returned holds it */
    spraay_state state;              /* (L) */
    int64_t created;                 /* wall time of the first claim */
    char *label[SPRAAY_LABEL_COUNT]; /* each may be NULL */

    uint32_t epoch; /* (L) raised when what was lost is bought again: another nonce */
    char payer[64];
    char network[80]; /* CAIP-2 */
    char asset[64];
    char pay_to[64];
    uint8_t mark32[32]; /* the nonce of every authorization */
    bool fixed;         /* signed at least once: the five above may not change */
    bool voided;        /* (L) an authorization of it was proven dead: the nonce is kept all the same */

    uint64_t amount;      /* (L) atomic units: the most that any live authorization may take */
    bool reserved;        /* (L) counted against the caps by the call that holds it */
    int64_t signed_at;    /* wall time of the first signature; 0 before it */
    int64_t valid_before; /* the latest validBefore of all authorizations */
    int64_t dies_mono_ms; /* the same moment on the clock that cannot be set */
    uint64_t
        last_height;   /* Solana: no message of it settles in a block beyond; 0: unknown, or another chain */
    char *header_name; /* the last authorization, ready to present; wiped in final states */
    char *header_value;
    int64_t header_valid_before;
    uint8_t
        memo16[16]; /* Solana: what the server's memo reads as, where it looks like a mark; not on record */
    uint8_t message32[32]; /* Solana, with a memo of the server's: hash of what was signed; else zeros */

    unsigned sends;     /* presentations so far */
    int64_t sent_at;    /* wall time of the last one */
    bool handler_error; /* the last one met a complete error of the handler */
    bool expect_unpaid; /* the last answer gives reason to think that nothing moved */
    bool booked;        /* (L) nobody asks for it any more: a lost look, or bought anew since */
    char hand[8];       /* (L) "void" or "settle": closed by its owner's word, not by proof */

    char *origin;         /* of the gateway */
    char *url;            /* where it was presented: redirects may have led away from the request's own */
    spraay_share *shares; /* (L) whose budgets it counts against */
    unsigned n_shares;
    spraay_moment spent; /* (L) when it became spend, for the 24-hour window */

    spraay_stored stored;
    char *note; /* the sentence of the last loss, for the error that repeats it */

    uint32_t hold; /* (L) counts claims: a release of an earlier one says nothing about the last */
    bool flying;   /* somebody in this process drives it: it is more than a record */
    unsigned refs;
} spraay_purchase;

/* A new purchase with one reference, in no state yet; NULL when out of memory. */
spraay_purchase *spraay_purchase_new(void);
spraay_purchase *spraay_purchase_ref(spraay_purchase *p);
/* Gives a reference back; the last one wipes and frees. NULL is accepted. */
void spraay_purchase_unref(spraay_purchase *p);

/* A copy without the stored answer, in 'out', which holds nothing yet; SPRAAY_NOMEM leaves it so. */
SPRAAY_MUST_USE spraay_err spraay_purchase_copy(spraay_purchase **out, const spraay_purchase *p);

/* What the ledger changed in 'from' goes into 'p', but for the hold, which is the claimer's to know. SPRAAY_NOMEM: the shares stayed as they were. */
SPRAAY_MUST_USE spraay_err spraay_purchase_take_verdict(spraay_purchase *p, const spraay_purchase *from);

/* What its driver filled in goes from 'from' into 'p': all that is not marked (L), but for the stored
 * answer, id and keys. SPRAAY_NOMEM may leave some of it behind. */
SPRAAY_MUST_USE spraay_err spraay_purchase_take_facts(spraay_purchase *p, const spraay_purchase *from);

/* Is there another key that it is found by? */
bool spraay_purchase_has_twin(const spraay_purchase *p);
/* May its message be that of another purchase too? */
bool spraay_purchase_has_message(const spraay_purchase *p);
/* And its memo the mark of another? */
bool spraay_purchase_has_memo(const spraay_purchase *p);

/* Replace the authorization held for presenting; copies both, wipes the old. */
SPRAAY_MUST_USE spraay_err spraay_purchase_set_header(spraay_purchase *p, const char *name, const char *value,
                                                      size_t value_len);

/* Remember where the authorization is presented; copied. */
SPRAAY_MUST_USE spraay_err spraay_purchase_set_url(spraay_purchase *p, const char *url);

/* What it takes of a budget. Setting keeps the larger; SPRAAY_NOMEM leaves all as it was. */
uint64_t spraay_purchase_share(const spraay_purchase *p, const uint8_t scope[32]);
SPRAAY_MUST_USE spraay_err spraay_purchase_set_share(spraay_purchase *p, const uint8_t scope[32],
                                                     uint64_t amount);

/* Nothing of it is committed any more, or yet. */
void spraay_purchase_free_amount(spraay_purchase *p);

/* Forget the authorization held for presenting. */
void spraay_purchase_wipe_header(spraay_purchase *p);

/* The method, among its labels, of a purchase that is no request but transactions of the payer's own
 * (ledger/chain_tx.h): what it signed never expires. */
#define SPRAAY_CHAIN_METHOD "CHAIN"
bool spraay_purchase_is_on_chain(const spraay_purchase *p);

/* Forget the stored answer. */
void spraay_purchase_wipe_stored(spraay_purchase *p);

#endif
