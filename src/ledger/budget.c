/* SPDX-License-Identifier: MIT */
/* Sums over purchases, and the caps they are held against; see ledger/budget.h. */
#include "ledger/budget.h"

#include <stdlib.h>
#include <string.h>

#define DAY_S 86400

void spraay_budget_wipe(spraay_budget *b)
{
    for (size_t i = 0; i < b->n; i++) free(b->folds[i].origin);
    free(b->folds);
    memset(b, 0, sizeof *b);
}

/* Never wraps: a sum that does not fit is larger than any cap. */
static uint64_t plus(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Within 24 hours if either clock says so: setting one of them back or forth opens no hole. */
static bool within_day(spraay_moment at, spraay_moment now)
{
    return now.wall_s - at.wall_s < DAY_S || now.mono_ms - at.mono_ms < (int64_t)DAY_S * 1000;
}

static bool is_spent(spraay_state s)
{
    return s == SPRAAY_STATE_PAID_LOST || s == SPRAAY_STATE_DELIVERED || s == SPRAAY_STATE_TAKEN;
}

bool spraay_budget_counts(const spraay_purchase *p)
{
    return p->reserved || spraay_state_is_open(p->state) || is_spent(p->state);
}

static bool counts_today(const spraay_purchase *p, spraay_moment now)
{
    if (!spraay_budget_counts(p)) return false;
    if (p->reserved) return true;
    if (is_spent(p->state)) return within_day(p->spent, now);
    return now.wall_s - p->valid_before < DAY_S; /* unproven: spent when it expires */
}

static bool same_scope(const uint8_t a[32], const uint8_t b[32])
{
    return memcmp(a, b, 32) == 0;
}

spraay_err spraay_budget_fold(spraay_budget *b, const spraay_purchase *p, spraay_moment now)
{
    spraay_moment at = is_spent(p->state) ? p->spent : now;
    char *origin;

    if (p->amount == 0) return SPRAAY_OK;
    at.wall_s -= at.wall_s % 60;
    at.mono_ms -= at.mono_ms % 60000;
    for (size_t i = b->n; i > 0; i--) {
        spraay_fold *f = &b->folds[i - 1];
        bool old = !within_day(f->at, now); /* of a day past, only the budget still asks */
        if (!same_scope(f->scope, p->budget_scope)) continue;
        if (f->at.wall_s != at.wall_s && !old) continue;
        if (old && within_day(at, now)) continue;
        if (strcmp(f->origin, p->origin) != 0) continue;
        f->amount = plus(f->amount, p->amount);
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
    origin = malloc(strlen(p->origin) + 1);
    if (origin == NULL) return SPRAAY_NOMEM;
    memcpy(origin, p->origin, strlen(p->origin) + 1);
    b->folds[b->n] = (spraay_fold){ .origin = origin, .at = at, .amount = p->amount };
    memcpy(b->folds[b->n].scope, p->budget_scope, 32);
    b->n++;
    return SPRAAY_OK;
}

static spraay_err judge(spraay_cap_kind kind, uint64_t limit, uint64_t committed, uint64_t amount,
                        spraay_cap_refusal *why)
{
    if (limit == SPRAAY_NO_CAP || plus(committed, amount) <= limit) return SPRAAY_OK;
    *why = (spraay_cap_refusal){ .kind = kind, .limit = limit, .committed = committed, .wanted = amount };
    return SPRAAY_REFUSED;
}

spraay_err spraay_budget_check(const spraay_budget *b, spraay_purchase *const *rows, size_t n, const spraay_purchase *p,
                               uint64_t amount, const spraay_caps *caps, spraay_moment now, spraay_cap_refusal *why)
{
    uint64_t scope = 0, day = 0, host = 0;
    spraay_err err;

    for (size_t i = 0; i < n; i++) {
        const spraay_purchase *r = rows[i];
        bool today = counts_today(r, now);
        if (r == p) continue; /* its own amount is the question */
        if (spraay_budget_counts(r) && same_scope(r->budget_scope, p->budget_scope)) scope = plus(scope, r->amount);
        if (today) day = plus(day, r->amount);
        if (today && strcmp(r->origin, p->origin) == 0) host = plus(host, r->amount);
    }
    for (size_t i = 0; i < b->n; i++) {
        const spraay_fold *f = &b->folds[i];
        bool today = within_day(f->at, now);
        if (same_scope(f->scope, p->budget_scope)) scope = plus(scope, f->amount);
        if (today) day = plus(day, f->amount);
        if (today && strcmp(f->origin, p->origin) == 0) host = plus(host, f->amount);
    }
    err = judge(SPRAAY_CAP_BUDGET, caps->budget, scope, amount, why);
    if (err == SPRAAY_OK) err = judge(SPRAAY_CAP_PER_DAY, caps->per_day, day, amount, why);
    if (err == SPRAAY_OK) err = judge(SPRAAY_CAP_PER_HOST, caps->per_host, host, amount, why);
    return err;
}

spraay_totals spraay_budget_totals(const spraay_budget *b, spraay_purchase *const *rows, size_t n,
                                   const uint8_t scope[32])
{
    spraay_totals t = { 0, 0 };

    for (size_t i = 0; i < n; i++) {
        if (!same_scope(rows[i]->budget_scope, scope) || !spraay_budget_counts(rows[i])) continue;
        if (is_spent(rows[i]->state))
            t.settled = plus(t.settled, rows[i]->amount);
        else
            t.open = plus(t.open, rows[i]->amount);
    }
    for (size_t i = 0; i < b->n; i++)
        if (same_scope(b->folds[i].scope, scope)) t.settled = plus(t.settled, b->folds[i].amount);
    return t;
}
