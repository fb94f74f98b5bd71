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
#include "ledger/rules.h"

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

/* Did it become spend? */
bool spraay_budget_is_spent(spraay_state s);

/* Does this purchase count as committed at all? */
bool spraay_budget_counts(const spraay_purchase *p);

/* Within 24 hours if either clock says so: setting one of them opens no hole. What the wall clock dates
 * ahead was written while that clock was wrong; of such a moment only the other clock knows anything. */
bool spraay_budget_within_day(spraay_moment at, spraay_moment now);

/* Dated further ahead than clocks differ: written while one was wrong. */
bool spraay_budget_is_ahead(spraay_moment at, spraay_moment now);

/* When all that was signed for the purchase is dead. */
spraay_moment spraay_budget_death(const spraay_purchase *p);

/* Remember what a purchase that leaves the store has spent, and drop the shares that are remembered now.
 * SPRAAY_NOMEM leaves every sum as it was. */
SPRAAY_MUST_USE spraay_err spraay_budget_fold(spraay_budget *b, spraay_purchase *p, spraay_moment now);

/* Money: a + b, or the largest number there is: it fits under no cap. */
uint64_t spraay_money_plus(uint64_t a, uint64_t b);

/* What is committed already, as far as one reservation is concerned. */
typedef struct spraay_sums {
    uint64_t budget, day, host;
} spraay_sums;

/* Add what 'r' commits in the budget of 'scope', today, and today at 'origin'. */
void spraay_sums_add(spraay_sums *s, const spraay_purchase *r, const uint8_t scope[32], const char *origin,
                     spraay_moment now);

/* Does 'r' fit on top of the sums? Returns SPRAAY_OK or SPRAAY_REFUSED with *why filled in. */
SPRAAY_MUST_USE spraay_err spraay_sums_judge(const spraay_sums *s, spraay_reservation r,
                                             const spraay_caps *caps, spraay_cap_refusal *why);

/* The sums of a store in memory; 'p' itself is left out, its own amount being the question. */
spraay_sums spraay_budget_sums(const spraay_budget *b, spraay_purchase *const *rows, size_t n,
                               const spraay_purchase *p, const uint8_t scope[32], spraay_moment now);

spraay_totals spraay_budget_totals(const spraay_budget *b, spraay_purchase *const *rows, size_t n,
                                   const uint8_t scope[32]);

#endif
