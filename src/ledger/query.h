/* SPDX-License-Identifier: MIT */
/* What a person asks a ledger, or tells it: lists and sums, and a word where no proof can be had. */
#ifndef SPRAAY_LEDGER_QUERY_H
#define SPRAAY_LEDGER_QUERY_H

#include "ledger/chain_tx.h"
#include "ledger/ledger.h"

typedef enum spraay_query_kind {
    SPRAAY_QUERY_LIST,         /* purchases, oldest first */
    SPRAAY_QUERY_CLOSE,        /* an open purchase is void, or settled: the user's word, journaled */
    SPRAAY_QUERY_TRUST,        /* a gateway is paid at this address from now on */
    SPRAAY_QUERY_ACCEPT_PRICE, /* a route's published price is this from now on */
    SPRAAY_QUERY_LEARN,        /* what a gateway's answers told, under a name; an empty word forgets it */
    SPRAAY_QUERY_RECALL,       /* and again: a line, or none */
    SPRAAY_QUERY_TRANSACTIONS, /* those that a purchase sent to a chain itself, oldest first */
    SPRAAY_QUERY_PINS,
    SPRAAY_QUERY_PRICES,
    SPRAAY_QUERY_VERIFY, /* what does not hold together */
    SPRAAY_QUERY_REPAIR  /* a new file of all that does; lines are what was lost */
} spraay_query_kind;

/* A row of RECALL (the word is in 'what'), PINS, PRICES, VERIFY or REPAIR. What does not apply is "". */
typedef struct spraay_query_line {
    char id[SPRAAY_PURCHASE_ID + 1];
    char *origin, *network, *pay_to, *route, *atomic, *what;
    bool confirmed;
} spraay_query_line;

typedef struct spraay_query {
    spraay_query_kind kind;

    /* LIST: what does not matter is NULL, 0 or false */
    const char *id, *state, *run,
        *origin; /* 'id' for CLOSE, 'origin' for TRUST, ACCEPT_PRICE, LEARN, RECALL too */
    int64_t since;
    bool open;
    unsigned limit;

    bool settled;      /* CLOSE */
    bool book;         /* CLOSE: it stays open, but what it was for was had: equal calls buy anew */
    const char *payer; /* TRUST, ACCEPT_PRICE, LEARN, RECALL: whose word it is */
    const char *network, *pay_to, *route, *atomic; /* TRUST; ACCEPT_PRICE */
    const char *name, *word;                       /* LEARN; RECALL */

    /* out */
    spraay_purchase **rows;
    bool *live; /* of each row: held by a call, or in the air, in a living process */
    size_t n_rows;
    spraay_query_line *lines;
    size_t n_lines;
    spraay_chain_tx *transactions; /* TRANSACTIONS */
    size_t n_transactions;
} spraay_query;

/* Frees what came out; the rest is the caller's. */
void spraay_query_wipe(spraay_query *q);

/* For stores. */
SPRAAY_MUST_USE spraay_err spraay_query_add_row(spraay_query *q, spraay_purchase *p,
                                                bool live); /* takes p over */
SPRAAY_MUST_USE spraay_err spraay_query_add_line(spraay_query *q, const spraay_query_line *line); /* copies */
SPRAAY_MUST_USE spraay_err spraay_query_add_transaction(spraay_query *q,
                                                        const spraay_chain_tx *t); /* copies */
bool spraay_query_wants(const spraay_query *q, const spraay_purchase *p);

#endif
