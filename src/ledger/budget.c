/* SPDX-License-Identifier: MIT */
/* Sums over purchases, and the caps they are held against; see ledger/budget.h. */
#include "ledger/budget.h"

#include <stdlib.h>
#include <string.h>

#define DAY_S   86400
#define AHEAD_S 60 /* further ahead than this, a date is no date */

void spraay_budget_wipe(spraay_budget *b)
{
    for (size_t i = 0; i < b->n; i++) free(b->folds[i].origin);
    free(b->folds);
    memset(b, 0, sizeof *b);
}

uint64_t spraay_money_plus(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

bool spraay_budget_within_day(spraay_moment at, spraay_moment now)
{
    int64_t wall = now.wall_s - at.wall_s;

    return (wall >= -AHEAD_S && wall < DAY_S) || now.mono_ms - at.mono_ms < (int64_t)DAY_S * 1000;
}

bool spraay_budget_is_ahead(spraay_moment at, spraay_moment now)
{
    return at.wall_s > now.wall_s + AHEAD_S;
}

spraay_moment spraay_budget_death(const spraay_purchase *p)
{
    return (spraay_moment){ p->valid_before, p->dies_mono_ms };
}

bool spraay_budget_is_spent(spraay_state s)
{
    return s == SPRAAY_STATE_PAID_LOST || s == SPRAAY_STATE_DELIVERED || s == SPRAAY_STATE_TAKEN;
}

bool spraay_budget_counts(const spraay_purchase *p)
{
    return p->reserved || spraay_state_is_open(p->state) || spraay_budget_is_spent(p->state);
}

static bool counts_today(const spraay_purchase *p, spraay_moment now)
{
    if (!spraay_budget_counts(p)) return false;
    if (p->reserved) return true;
    /* Unproven money is spent when it expires. Until then it is in the air: after a start of the machine its
     * end is told by the wall clock alone, and may be far ahead. */
    return spraay_budget_within_day(spraay_budget_is_spent(p->state) ? p->spent : spraay_budget_death(p),
                                    now) ||
           (spraay_state_is_open(p->state) && p->valid_before > now.wall_s);
}

static bool same_scope(const uint8_t a[32], const uint8_t b[32])
{
    return memcmp(a, b, 32) == 0;
}

static spraay_err fold(spraay_budget *b, const uint8_t scope[32], const char *of, uint64_t amount,
                       spraay_moment at, spraay_moment now)
{
    char *origin;

    for (size_t i = b->n; i > 0; i--) {
        spraay_fold *f = &b->folds[i - 1];
        bool old = !spraay_budget_within_day(f->at, now); /* of a day past, only the budget still asks */
        if (!same_scope(f->scope, scope)) continue;
        if (f->at.wall_s != at.wall_s && !old) continue;
        if (old && spraay_budget_within_day(at, now)) continue;
        if (strcmp(f->origin, of) != 0) continue;
        f->amount = spraay_money_plus(f->amount, amount);
        if (at.mono_ms > f->at.mono_ms && !old) f->at.mono_ms = at.mono_ms;
        return SPRAAY_OK;
    }
    if (b->n == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 64;
        spraay_fold *grown = realloc(b->folds, cap * sizeof *grown);
        if (grown == NULL) return SPRAAY_NOMEM;
        b->folds = grown;
        b->cap = cap;
    }
    origin = malloc(strlen(of) + 1);
    if (origin == NULL) return SPRAAY_NOMEM;
    memcpy(origin, of, strlen(of) + 1);
    b->folds[b->n] = (spraay_fold){ .origin = origin, .at = at, .amount = amount };
    memcpy(b->folds[b->n].scope, scope, 32);
    b->n++;
    return SPRAAY_OK;
}

spraay_err spraay_budget_fold(spraay_budget *b, spraay_purchase *p, spraay_moment now)
{
    static const uint8_t nobody[32] = { 0 };
    spraay_moment at = spraay_budget_is_spent(p->state) ? p->spent : spraay_budget_death(p);
    spraay_err err = SPRAAY_OK;

    if (p->amount == 0) return SPRAAY_OK;
    at.wall_s -= at.wall_s % 60;
    at.mono_ms -= at.mono_ms % 60000;
    while (p->n_shares > 0 && err == SPRAAY_OK) {
        const spraay_share *share = &p->shares[p->n_shares - 1];
        bool all = p->n_shares == 1 && share->amount == p->amount; /* day and host in the same sum */
        err = fold(b, share->scope, all ? p->origin : "", share->amount, at, now);
        if (err == SPRAAY_OK) p->n_shares--;
        if (all) return err;
    }
    return err == SPRAAY_OK ? fold(b, nobody, p->origin, p->amount, at, now) : err;
}

static spraay_err judge(spraay_cap_kind kind, uint64_t limit, uint64_t committed, uint64_t amount,
                        spraay_cap_refusal *why)
{
    if (limit == SPRAAY_NO_CAP || spraay_money_plus(committed, amount) <= limit) return SPRAAY_OK;
    *why = (spraay_cap_refusal){ .kind = kind, .limit = limit, .committed = committed, .wanted = amount };
    return SPRAAY_REFUSED;
}

spraay_err spraay_sums_judge(const spraay_sums *s, spraay_reservation r, const spraay_caps *caps,
                             spraay_cap_refusal *why)
{
    spraay_err err = judge(SPRAAY_CAP_BUDGET, caps->budget, s->budget, r.share, why);

    if (err == SPRAAY_OK) err = judge(SPRAAY_CAP_PER_DAY, caps->per_day, s->day, r.amount, why);
    if (err == SPRAAY_OK) err = judge(SPRAAY_CAP_PER_HOST, caps->per_host, s->host, r.amount, why);
    return err;
}

void spraay_sums_add(spraay_sums *s, const spraay_purchase *r, const uint8_t scope[32], const char *origin,
                     spraay_moment now)
{
    if (spraay_budget_counts(r)) s->budget = spraay_money_plus(s->budget, spraay_purchase_share(r, scope));
    if (!counts_today(r, now)) return;
    s->day = spraay_money_plus(s->day, r->amount);
    if (strcmp(r->origin, origin) == 0) s->host = spraay_money_plus(s->host, r->amount);
}

spraay_sums spraay_budget_sums(const spraay_budget *b, spraay_purchase *const *rows, size_t n,
                               const spraay_purchase *p, const uint8_t scope[32], spraay_moment now)
{
    spraay_sums s = { 0, 0, 0 };

    for (size_t i = 0; i < n; i++)
        if (rows[i] != p) spraay_sums_add(&s, rows[i], scope, p->origin, now);
    for (size_t i = 0; i < b->n; i++) {
        const spraay_fold *f = &b->folds[i];
        bool today = f->origin[0] != '\0' && spraay_budget_within_day(f->at, now);
        if (same_scope(f->scope, scope)) s.budget = spraay_money_plus(s.budget, f->amount);
        if (today) s.day = spraay_money_plus(s.day, f->amount);
        if (today && strcmp(f->origin, p->origin) == 0) s.host = spraay_money_plus(s.host, f->amount);
    }
    return s;
}

spraay_totals spraay_budget_totals(const spraay_budget *b, spraay_purchase *const *rows, size_t n,
                                   const uint8_t scope[32])
{
    spraay_totals t = { 0, 0 };

    for (size_t i = 0; i < n; i++) {
        uint64_t share = spraay_budget_counts(rows[i]) ? spraay_purchase_share(rows[i], scope) : 0;
        if (spraay_budget_is_spent(rows[i]->state))
            t.settled = spraay_money_plus(t.settled, share);
        else
            t.open = spraay_money_plus(t.open, share);
    }
    for (size_t i = 0; i < b->n; i++)
        if (same_scope(b->folds[i].scope, scope))
            t.settled = spraay_money_plus(t.settled, b->folds[i].amount);
    return t;
}
