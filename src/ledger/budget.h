/* SPDX-License-Identifier: MIT */
/* What has been committed, and whether one more amount fits under the caps.
 *
 * Committed means reserved, or authorized with no proof that it cannot settle, or spent. Money
 * that waits for proof counts as spent from its last validBefore on, so without proof it leaves
 * the 24-hour window like any spend; it leaves a budget only by proof.
 *
 * Purchases that are history are folded into sums per scope, origin and minute. */
#ifndef SPRAAY_LEDGER_BUDGET_H
#define SPRAAY_LEDGER_BUDGET_H

#include "ledger/ledger.h"

typedef struct spraay_fold {
    uint8_t scope[32];
    char *origin;     /* "": only the budget asks, day and host are counted elsewhere */
    spraay_moment at; /* start of the minute, both clocks */
    uint64_t amount;
} spraay_fold;

typedef struct spraay_budget {
    spraay_fold *folds;
    size_t n, cap;
} spraay_budget;

void spraay_budget_wipe(spraay_budget *b);

/* Does this purchase count as committed at all? */
bool spraay_budget_counts(const spraay_purchase *p);

/* Within 24 hours if either clock says so: setting one of them opens no hole. What the wall clock dates
 * ahead was written while that clock was wrong; of such a moment only the other clock knows anything. */
bool spraay_budget_within_day(spraay_moment at, spraay_moment now);

/* When all that was signed for the purchase is dead. */
spraay_moment spraay_budget_death(const spraay_purchase *p);

/* Remember what a purchase that leaves the store has spent, and drop the shares that are remembered now.
 * SPRAAY_NOMEM leaves every sum as it was. */
SPRAAY_MUST_USE spraay_err spraay_budget_fold(spraay_budget *b, spraay_purchase *p, spraay_moment now);

/* Would 'amount' for 'p', and 'share' of it in the budget of that scope, break a cap? 'rows' are all
 * purchases in the store, 'p' among them or not. Returns SPRAAY_OK or SPRAAY_REFUSED with *why filled in. */
SPRAAY_MUST_USE spraay_err spraay_budget_check(const spraay_budget *b, spraay_purchase *const *rows, size_t n,
                                               const spraay_purchase *p, const uint8_t scope[32],
                                               uint64_t share, uint64_t amount, const spraay_caps *caps,
                                               spraay_moment now, spraay_cap_refusal *why);

spraay_totals spraay_budget_totals(const spraay_budget *b, spraay_purchase *const *rows, size_t n,
                                   const uint8_t scope[32]);

#endif
