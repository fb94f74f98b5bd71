/* SPDX-License-Identifier: MIT */
/* The ledger: what was promised, what was sent, what came of it.
 *
 * Everything the purchase machine remembers goes through operations of this interface. An
 * operation is submitted and is done later, possibly at once: a store in memory does it before
 * 'submit' returns, a durable one when the disk has it. Nothing that an operation records may be
 * acted upon (no byte sent, no result handed over) before the operation is done.
 *
 * The rules it keeps are those of the purchase: one intent one purchase, adoption of an unclaimed
 * equal one, reservations that count against every cap until proof frees them. */
#ifndef SPRAAY_LEDGER_LEDGER_H
#define SPRAAY_LEDGER_LEDGER_H

#include "ledger/purchase.h"

/* What bounds a reservation. An absent cap is SPRAAY_NO_CAP. */
#define SPRAAY_NO_CAP UINT64_MAX

typedef struct spraay_caps {
    uint64_t budget;   /* all purchases of 'budget_scope', ever */
    uint64_t per_day;  /* all purchases of this ledger, 24 hours */
    uint64_t per_host; /* all purchases at one origin, 24 hours */
} spraay_caps;

/* Why the ledger would not reserve. */
typedef enum spraay_cap_kind {
    SPRAAY_CAP_NONE,
    SPRAAY_CAP_BUDGET,
    SPRAAY_CAP_PER_DAY,
    SPRAAY_CAP_PER_HOST,
    SPRAAY_CAP_PAY_TO /* the receiver differs from the one this gateway used before */
} spraay_cap_kind;

typedef struct spraay_cap_refusal {
    spraay_cap_kind kind;
    uint64_t limit, committed, wanted;
    char pinned[64]; /* SPRAAY_CAP_PAY_TO: the receiver on record */
} spraay_cap_refusal;

typedef enum spraay_op_kind {
    SPRAAY_OP_CLAIM,   /* find the purchase of an intent, or begin one */
    SPRAAY_OP_RESERVE, /* count 'amount' against the caps; fixes nothing */
    SPRAAY_OP_EVENT,   /* make 'event' durable */
    SPRAAY_OP_RELEASE  /* the call has returned: the purchase may be adopted, or forgotten */
} spraay_op_kind;

typedef struct spraay_claim {
    uint8_t key[32];
    uint8_t request[32];
    const char *named_id; /* id derived from run or purchase=, or NULL */
    const char *fresh_id; /* id to use for a new purchase */
    const char *payer;
    const char *origin;
    bool again; /* buy anew whatever is on record */
} spraay_claim;

typedef struct spraay_op {
    spraay_op_kind kind;
    spraay_moment now;

    /* in */
    const spraay_claim *claim;    /* CLAIM */
    spraay_purchase *purchase;    /* all others; out of CLAIM, with a reference for the caller */
    spraay_event event;           /* EVENT */
    uint64_t amount;              /* RESERVE: atomic units of USDC */
    const uint8_t *budget_scope;  /* RESERVE: whose budget, 32 bytes */
    const char *network, *pay_to; /* RESERVE: what is about to be signed */
    const spraay_caps *caps;      /* RESERVE */
    bool pin;                     /* RESERVE: compare pay_to with this gateway's earlier one */

    /* out */
    bool done;
    bool adopted; /* CLAIM: an earlier purchase is continued */
    spraay_err err;
    spraay_cap_refusal refusal;

    /* called when an operation is done after 'submit' returned; NULL where nobody waits */
    void (*wake)(void *ud);
    void *ud;
} spraay_op;

/* Sums in atomic units, for a person. */
typedef struct spraay_totals {
    uint64_t settled; /* became spend */
    uint64_t open;    /* reserved, or authorized with no proof yet */
} spraay_totals;

typedef struct spraay_ledger spraay_ledger;

struct spraay_ledger_vtable {
    void (*submit)(spraay_ledger *l, spraay_op *op);
    spraay_totals (*totals)(spraay_ledger *l, const uint8_t budget_scope[32]);
    void (*free)(spraay_ledger *l);
};

struct spraay_ledger {
    const struct spraay_ledger_vtable *vtable;
};

/* Begin an operation. 'op' and what it points to stay alive until op->done.
 *
 * op->err is SPRAAY_OK, or
 *   SPRAAY_STATE    the purchase is not where the caller thinks it is
 *   SPRAAY_BUSY     CLAIM: a call in flight holds this named purchase
 *   SPRAAY_MISMATCH CLAIM: the named purchase is on record for another request or payer
 *   SPRAAY_REFUSED  RESERVE: a cap or the pinned receiver says no; see op->refusal
 *   SPRAAY_NOMEM    nothing was changed */
void spraay_ledger_submit(spraay_ledger *l, spraay_op *op);

spraay_totals spraay_ledger_totals(spraay_ledger *l, const uint8_t budget_scope[32]);

void spraay_ledger_free(spraay_ledger *l); /* NULL is accepted */

/* A ledger in this process's memory. It forgets everything with the process. */
SPRAAY_MUST_USE spraay_err spraay_ledger_memory(spraay_ledger **out);

#endif
