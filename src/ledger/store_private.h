/* SPDX-License-Identifier: MIT */
/* What the files of the store share. Not for anyone else.
 *
 * store.c         the connection and its transactions
 * store_claims.c  which purchase a call gets
 * store_steps.c   what happens to it
 * store_chain.c   transactions that the payer sends himself */
#ifndef SPRAAY_LEDGER_STORE_PRIVATE_H
#define SPRAAY_LEDGER_STORE_PRIVATE_H

#include "ledger/chain_tx.h"
#include "ledger/rows.h"

/* A statement without arguments, to its end. */
spraay_err store_run_text(spraay_store *s, unsigned slot, const char *sql);

/* Before money is committed on the word of what is on record: does it fit its tags? */
SPRAAY_MUST_USE spraay_err store_look_through(spraay_store *s);

/* Is the row held by this process? */
bool store_is_mine(const spraay_store *s, const spraay_row *r);

SPRAAY_MUST_USE spraay_err store_claim(spraay_store *s, spraay_job *j);

/* A question about transactions. */
SPRAAY_MUST_USE spraay_err store_chain(spraay_store *s, spraay_job *j);
/* Record one that was signed for 'p'. */
SPRAAY_MUST_USE spraay_err store_chain_add(spraay_store *s, const spraay_purchase *p,
                                           const spraay_chain_tx *tx);
/* The turn that 'p' may have here is over. */
SPRAAY_MUST_USE spraay_err store_chain_leave(spraay_store *s, const spraay_purchase *p);
/* Those of the purchase q->id. */
SPRAAY_MUST_USE spraay_err store_chain_show(spraay_store *s, spraay_query *q);
/* As spraay_store_check_sums. */
SPRAAY_MUST_USE spraay_err store_chain_check(spraay_store *s, spraay_store *to, spraay_query *q);

#endif
