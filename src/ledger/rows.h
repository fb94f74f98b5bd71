/* SPDX-License-Identifier: MIT */
/* Purchases as rows of the database: reading, writing, and the tags that authenticate them. */
#ifndef SPRAAY_LEDGER_ROWS_H
#define SPRAAY_LEDGER_ROWS_H

#include "ledger/auth.h"
#include "ledger/owner.h"
#include "ledger/store.h"

/* A row: the purchase and what only the store knows of it. */
typedef struct spraay_row {
    spraay_purchase *p;
    char owner[SPRAAY_OWNER_ID + 1]; /* "" when no process holds it */
    char taken_by[SPRAAY_OWNER_ID + 1];
    bool folded;
    bool was_folded; /* as it is on record */
    bool fresh;      /* there is none of this id yet */
    bool genuine;    /* its tag fits, or there is no key to tell */
} spraay_row;

/* In the order of spraay_row_read. */
#define SPRAAY_ROW_COLUMNS                                                                                   \
    "id, key, request, named, state, created, method, route, verb, model, run, step, epoch, payer, "         \
    "network, "                                                                                              \
    "asset, pay_to, mark, fixed, voided, amount, shares, signed_at, valid_before, dies_boot, header_name, "  \
    "header_value, header_valid_before, sends, sent_at, handler_error, expect_unpaid, booked, hand, "        \
    "origin, "                                                                                               \
    "url, spent_at, spent_boot, boot, status, payment, transaction_id, note, folded, owner, claimed, "       \
    "hold, reserved, taken_by, tag, last_height, twin"

/* The row that 'statement' stands on, which selects SPRAAY_ROW_COLUMNS. What a dead process left is
 * brought to the state that it is in. SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_row_read(spraay_row *out, spraay_store *s, sqlite3_stmt *statement);
void spraay_row_wipe(spraay_row *r);

/* No more of a row than counts against the caps, with no tag looked at: state, amount, shares, origin and
 * times. Selected by SPRAAY_LIGHT_COLUMNS. */
#define SPRAAY_LIGHT_COLUMNS                                                                                 \
    "id, state, voided, amount, shares, valid_before, dies_boot, origin, spent_at, spent_boot, boot, "       \
    "owner, "                                                                                                \
    "reserved"
SPRAAY_MUST_USE spraay_err spraay_row_read_light(spraay_row *out, spraay_store *s, sqlite3_stmt *statement);

/* By id. SPRAAY_MISSING, SPRAAY_IO, SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_row_find(spraay_row *out, spraay_store *s, const char *id);

/* Write it whole, with its tag: a 'fresh' one is added, another replaced, and what is folded stays so. SPRAAY_IO, SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_row_write(spraay_store *s, const spraay_row *r);
SPRAAY_MUST_USE spraay_err spraay_row_delete(spraay_store *s, const char *id);

/* The stored answer of a purchase: into p->stored, from it, and away.
 * SPRAAY_MISSING: there is none to read. SPRAAY_CHECKSUM: it is not what was stored. */
SPRAAY_MUST_USE spraay_err spraay_answer_read(spraay_store *s, spraay_purchase *p);
SPRAAY_MUST_USE spraay_err spraay_answer_write(spraay_store *s, const spraay_purchase *p,
                                               const spraay_stored *stored);
SPRAAY_MUST_USE spraay_err spraay_answer_delete(spraay_store *s, const char *id);

#endif
