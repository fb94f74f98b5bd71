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

/* Sums in atomic units, for a person. */
typedef struct spraay_totals {
    uint64_t settled; /* became spend */
    uint64_t open;    /* reserved, or authorized with no proof yet */
} spraay_totals;

typedef enum spraay_op_kind {
    SPRAAY_OP_CLAIM,   /* find the purchase of an intent, or begin one */
    SPRAAY_OP_RESERVE, /* count 'amount' against the caps; fixes nothing */
    SPRAAY_OP_EVENT,   /* make 'event' and what the purchase says durable */
    SPRAAY_OP_RELEASE, /* the call has returned: the purchase may be adopted, or forgotten */
    SPRAAY_OP_TOTALS,  /* what one budget has seen */
    SPRAAY_OP_QUERY,   /* a person's question or word: ledger/query.h */
    SPRAAY_OP_CHAIN    /* transactions that the payer sends himself: ledger/chain_tx.h */
} spraay_op_kind;

typedef struct spraay_claim {
    uint8_t key[32];
    uint8_t twin[32]; /* the same by 'also', as it would be alone; zeros: none */
    uint8_t request[32];
    const char *by_id;    /* this one and no other, to be looked at: nothing is begun; NULL */
    spraay_slice name;    /* from purchase= or run: the id is derived from it; empty when unnamed */
    bool in_run;          /* 'name' names equal calls alike: the lowest occurrence that is free is meant */
    unsigned from;        /* in_run: and none before this one */
    const char *run;      /* the live process of this name is us; NULL */
    const char *fresh_id; /* id to use for a new purchase */
    const char *payer;
    const char *also; /* the same caller's address on another chain: it may be the payer instead; NULL */
    const char *origin;
    const char *label[SPRAAY_LABEL_COUNT];
    bool again; /* buy anew whatever is on record */
} spraay_claim;

/* Is a record of that payer the caller's? */
bool spraay_claim_is_payer(const spraay_claim *c, const char *payer);

/* Is it a purchase of an equal call, of this caller or of one that had another wallet besides, or not yet? */
bool spraay_claim_is_equal(const spraay_claim *c, const spraay_purchase *p);

/* The id of a named purchase: the same in every process, ledger or none. 'occurrence' counts in runs only. */
void spraay_claim_id(char out[SPRAAY_PURCHASE_ID + 1], const spraay_claim *c, unsigned occurrence);

/* More about an error than its code. */
typedef enum spraay_ledger_trouble {
    SPRAAY_TROUBLE_NONE,
    SPRAAY_TROUBLE_ELSEWHERE,  /* another process has it in the air: ask again soon */
    SPRAAY_TROUBLE_WALLET,     /* another wallet of an equal call began it: 'sentence' is its address */
    SPRAAY_TROUBLE_RUN,        /* another live process uses the name of the run */
    SPRAAY_TROUBLE_OPEN,       /* the ledger could not be opened */
    SPRAAY_TROUBLE_NETWORK_FS, /* it lies where locks do not hold */
    SPRAAY_TROUBLE_NEWER,      /* a later release wrote it */
    SPRAAY_TROUBLE_CORRUPT,    /* what it says was not written by this wallet, or is no database */
    SPRAAY_TROUBLE_ANSWER,     /* only a stored answer was not: it was paid */
    SPRAAY_TROUBLE_BUSY,       /* others held it for too long */
    SPRAAY_TROUBLE_WRITE       /* it could not be written */
} spraay_ledger_trouble;

struct spraay_query;
struct spraay_chain_tx;
struct spraay_chain_ask;

typedef struct spraay_op {
    spraay_op_kind kind;
    spraay_moment now;

    /* in */
    const spraay_claim *claim;    /* CLAIM */
    spraay_purchase *purchase;    /* EVENT, RESERVE, RELEASE; out of CLAIM, with a reference for the caller */
    spraay_event event;           /* EVENT */
    bool book;                    /* RELEASE: and nobody asks for it any more */
    bool landed;                  /* RELEASE: and nothing of it is under way here any more */
    uint64_t amount;              /* RESERVE: atomic units of USDC */
    uint8_t budget_scope[32];     /* RESERVE, TOTALS: whose budget */
    char network[80], pay_to[64]; /* RESERVE: what is about to be signed */
    spraay_caps caps;             /* RESERVE */
    bool pin;                     /* RESERVE: compare pay_to with this gateway's earlier one */
    struct spraay_query *query;   /* QUERY */
    struct spraay_chain_ask *chain;   /* CHAIN */
    const struct spraay_chain_tx *tx; /* EVENT of SIGN: recorded together with it; NULL */

    /* out */
    bool done;
    bool adopted;        /* CLAIM: an earlier purchase is continued */
    unsigned occurrence; /* CLAIM of a run: which one it is */
    char price[24];      /* CLAIM: the price accepted for its route, millionths of a dollar, or "" */
    spraay_err err;
    spraay_ledger_trouble trouble;
    char sentence[256]; /* trouble: which file, and why; "" when the code says it all */
    spraay_cap_refusal refusal;
    spraay_totals totals; /* TOTALS */

    /* called when an operation is done after 'submit' returned; NULL where nobody waits */
    void (*wake)(void *ud);
    void *ud;
} spraay_op;

typedef struct spraay_ledger spraay_ledger;

struct spraay_ledger_vtable {
    void (*submit)(spraay_ledger *l, spraay_op *op);
    void (*post)(spraay_ledger *l, const spraay_op *op);
    void (*withdraw)(spraay_ledger *l, spraay_op *op);
    spraay_err (*know)(spraay_ledger *l, const char *payer, const uint8_t key32[32]);
    int (*fd)(const spraay_ledger *l);
    void (*drain)(spraay_ledger *l);
    bool (*usable)(const spraay_ledger *l);
    void (*end)(spraay_ledger *l);
    void (*free)(spraay_ledger *l);
};

struct spraay_ledger {
    const struct spraay_ledger_vtable *vtable;
    unsigned refs;
};

/* Begin an operation. 'op' and what it points to stay alive and untouched until op->done.
 *
 * op->err is SPRAAY_OK, or
 *   SPRAAY_STATE    the purchase is not where the caller thinks it is
 *   SPRAAY_BUSY     CLAIM: a call in flight holds this purchase, or a process its run; see op->trouble
 *   SPRAAY_MISMATCH CLAIM: the named purchase is on record for another request or payer
 *   SPRAAY_MISSING  CLAIM by id: there is no such purchase
 *   SPRAAY_REFUSED  RESERVE: a cap or the pinned receiver says no; see op->refusal
 *   SPRAAY_IO, SPRAAY_VERSION, SPRAAY_CHECKSUM  the ledger itself is in trouble: see op->trouble
 *   SPRAAY_NOMEM    nothing was changed */
void spraay_ledger_submit(spraay_ledger *l, spraay_op *op);

/* For CHAIN, and an EVENT with a transaction: SPRAAY_UNSUPPORTED in a ledger that forgets with the process,
 * SPRAAY_BUSY when it is another's turn, SPRAAY_STATE when the rules of ledger/chain_tx.h forbid it. */

/* Begin an EVENT or a RELEASE that nobody waits for. Operations are done in the order they were begun in; one of
 * these that the disk refuses is tried again before any that comes later.
 * 'op' is the caller's again at once. The purchase moves on at once, as far as the caller can see. */
void spraay_ledger_post(spraay_ledger *l, const spraay_op *op);

/* Nobody wants the purchase of a CLAIM any more that is not done yet: an equal claim that is begun from now on
 * finds it unclaimed. The operation is done later all the same, with SPRAAY_STATE, or with the purchase to be
 * released. */
void spraay_ledger_withdraw(spraay_ledger *l, spraay_op *op);

/* With this key the payer's records are authenticated; copied to locked memory, once. */
SPRAAY_MUST_USE spraay_err spraay_ledger_know(spraay_ledger *l, const char *payer, const uint8_t key32[32]);

/* Readable when operations are done that were not when submit returned; -1 when that never happens.
 * Then call drain: it finishes some of them, and calls their 'wake'; it stays readable until none is left. */
int spraay_ledger_fd(const spraay_ledger *l);
void spraay_ledger_drain(spraay_ledger *l);

/* False in a child of the process that opened it: there it can only be freed. */
bool spraay_ledger_usable(const spraay_ledger *l);

/* Wait until what was begun is written, finish it as drain does, and take nothing more, whoever still holds it:
 * operations come to SPRAAY_STATE from now on. */
void spraay_ledger_end(spraay_ledger *l);

spraay_ledger *spraay_ledger_ref(spraay_ledger *l);
/* The last one waits until what was begun is written, and frees; NULL is accepted. */
void spraay_ledger_unref(spraay_ledger *l);

/* A ledger in this process's memory. It forgets everything with the process. */
SPRAAY_MUST_USE spraay_err spraay_ledger_memory(spraay_ledger **out);

/* The ledger in an SQLite file, shared by all processes that open the same path. Nothing is touched before
 * the first operation, and then only by the thread that writes. 'path' is copied. */
SPRAAY_MUST_USE spraay_err spraay_ledger_durable(spraay_ledger **out, const char *path);

#endif
