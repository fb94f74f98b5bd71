/* SPDX-License-Identifier: MIT */
/* What counts against the caps: live purchases one by one, history as sums per day and per budget.
 *
 * Sums are kept per payer and carry its tag, like the rows they were made of. What is dated ahead of the
 * clock was written while the clock was wrong. The other clock knows better, unless the machine has started
 * anew since: then it counts, and is dated anew, once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/sha256.h"
#include "ledger/rows.h"

#define MINUTE_S 60
#define KEPT_S                                                                                               \
    ((int64_t)3 * 86400) /* how long sums of a minute are kept: no window asks for them after a day */
#define REDATE_MAX 64

/* ---- one sum ---- */

typedef struct day_sum {
    int64_t minute; /* wall seconds, a multiple of 60 */
    int64_t boot_ms;
    uint64_t amount;
    uint8_t tag[SPRAAY_TAG];
} day_sum;

static spraay_err tag_day(uint8_t out[SPRAAY_TAG], spraay_store *s, const char *payer, const char *origin,
                          const char *boot, const day_sum *d)
{
    const uint8_t *key = spraay_keyring_find(s->keys, payer);
    spraay_err err;
    spraay_buf b;

    memset(out, 0, SPRAAY_TAG);
    if (key == NULL) return SPRAAY_OK;
    spraay_buf_init(&b, 1 << 20);
    err = spraay_buf_printf(&b, "%s\n%s\n%s\n%lld\n%llu", payer, origin, boot, (long long)d->minute,
                            (unsigned long long)d->amount);
    if (err == SPRAAY_OK) spraay_tag_text(out, key, "spend_day", spraay_buf_slice(&b));
    spraay_buf_wipe(&b);
    return err;
}

static spraay_err tag_scope(uint8_t out[SPRAAY_TAG], spraay_store *s, const char *payer,
                            const uint8_t scope[32], uint64_t amount)
{
    const uint8_t *key = spraay_keyring_find(s->keys, payer);
    spraay_err err;
    spraay_buf b;

    memset(out, 0, SPRAAY_TAG);
    if (key == NULL) return SPRAAY_OK;
    spraay_buf_init(&b, 1 << 20);
    err = spraay_buf_printf(&b, "%s\n%llu\n", payer, (unsigned long long)amount);
    if (err == SPRAAY_OK) err = spraay_buf_put(&b, scope, 32);
    if (err == SPRAAY_OK) spraay_tag_text(out, key, "spend_scope", spraay_buf_slice(&b));
    spraay_buf_wipe(&b);
    return err;
}

/* Does the tag in column i of a sum of that payer fit? Without its key, nobody can tell. */
static bool fits(spraay_store *s, const char *payer, sqlite3_stmt *q, int i, const uint8_t right[SPRAAY_TAG])
{
    if (spraay_keyring_find(s->keys, payer) == NULL) return true;
    return sqlite3_column_bytes(q, i) == SPRAAY_TAG &&
           spraay_bytes_equal_ct(sqlite3_column_blob(q, i), right, SPRAAY_TAG);
}

static spraay_err not_genuine(spraay_store *s, const char *what, const char *payer)
{
    return spraay_store_corrupt(s, "the sum of %s of %.20s… was changed by somebody else, or damaged", what,
                                payer);
}

/* As much as a column holds: more than any cap. */
static uint64_t sum_of(uint64_t a, uint64_t b)
{
    uint64_t sum = spraay_money_plus(a, b);
    return sum > INT64_MAX ? INT64_MAX : sum;
}

/* ---- folding ---- */

static spraay_err add_day(spraay_store *s, const char *payer, const char *origin, spraay_moment at,
                          uint64_t amount)
{
    sqlite3_stmt *q =
        spraay_store_statement(s, SPRAAY_SLOT_DAY_FIND,
                               "SELECT amount, boot_ms, tag FROM spend_day WHERE payer = ?1 AND "
                               "origin = ?2 AND minute = ?3 AND boot = ?4");
    day_sum d = { .minute = at.wall_s - at.wall_s % MINUTE_S, .boot_ms = at.mono_ms };
    uint8_t right[SPRAAY_TAG];
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, origin, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(q, 3, d.minute);
    (void)sqlite3_bind_text(q, 4, s->boot, -1, SQLITE_STATIC);
    err = spraay_store_next(s, q);
    if (err == SPRAAY_OK) {
        d.amount = (uint64_t)sqlite3_column_int64(q, 0);
        err = tag_day(right, s, payer, origin, s->boot, &d);
        if (err == SPRAAY_OK && !fits(s, payer, q, 2, right)) err = not_genuine(s, "a day", payer);
        if (sqlite3_column_int64(q, 1) > d.boot_ms) d.boot_ms = sqlite3_column_int64(q, 1);
    }
    (void)sqlite3_reset(q);
    if (err != SPRAAY_OK && err != SPRAAY_MISSING) return err;
    d.amount = sum_of(d.amount, amount);
    err = tag_day(d.tag, s, payer, origin, s->boot, &d);
    if (err != SPRAAY_OK) return err;
    q = spraay_store_statement(
        s, SPRAAY_SLOT_DAY_WRITE,
        "INSERT OR REPLACE INTO spend_day (payer, origin, minute, boot, boot_ms, amount, tag) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, origin, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(q, 3, d.minute);
    (void)sqlite3_bind_text(q, 4, s->boot, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(q, 5, d.boot_ms);
    (void)sqlite3_bind_int64(q, 6, (int64_t)d.amount);
    (void)sqlite3_bind_blob(q, 7, d.tag, sizeof d.tag, SQLITE_STATIC);
    return spraay_store_run(s, q);
}

/* The sum of a budget of that payer; 0 when there is none. */
static spraay_err read_scope(uint64_t *out, spraay_store *s, const char *payer, const uint8_t scope[32])
{
    sqlite3_stmt *q = spraay_store_statement(
        s, SPRAAY_SLOT_SCOPE_FIND, "SELECT amount, tag FROM spend_scope WHERE payer = ?1 AND scope = ?2");
    uint8_t right[SPRAAY_TAG];
    spraay_err err;

    *out = 0;
    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_blob(q, 2, scope, 32, SQLITE_STATIC);
    err = spraay_store_next(s, q);
    if (err == SPRAAY_OK) {
        *out = (uint64_t)sqlite3_column_int64(q, 0);
        err = tag_scope(right, s, payer, scope, *out);
        if (err == SPRAAY_OK && !fits(s, payer, q, 1, right)) err = not_genuine(s, "a budget", payer);
    }
    (void)sqlite3_reset(q);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

static spraay_err add_scope(spraay_store *s, const char *payer, const uint8_t scope[32], uint64_t amount)
{
    uint8_t right[SPRAAY_TAG];
    uint64_t sum;
    sqlite3_stmt *q;
    spraay_err err = read_scope(&sum, s, payer, scope);

    sum = sum_of(sum, amount);
    if (err == SPRAAY_OK) err = tag_scope(right, s, payer, scope, sum);
    if (err != SPRAAY_OK) return err;
    q = spraay_store_statement(
        s, SPRAAY_SLOT_SCOPE_WRITE,
        "INSERT OR REPLACE INTO spend_scope (payer, scope, amount, tag) VALUES (?1, ?2, ?3, ?4)");
    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, payer, -1, SQLITE_STATIC);
    (void)sqlite3_bind_blob(q, 2, scope, 32, SQLITE_STATIC);
    (void)sqlite3_bind_int64(q, 3, (int64_t)sum);
    (void)sqlite3_bind_blob(q, 4, right, sizeof right, SQLITE_STATIC);
    return spraay_store_run(s, q);
}

spraay_err spraay_store_fold(spraay_store *s, const spraay_purchase *p)
{
    spraay_err err = SPRAAY_OK;

    if (p->amount == 0 || !spraay_budget_is_spent(p->state)) return SPRAAY_OK;
    err = add_day(s, p->payer, p->origin, p->spent, p->amount);
    for (unsigned i = 0; i < p->n_shares && err == SPRAAY_OK; i++)
        err = add_scope(s, p->payer, p->shares[i].scope, p->shares[i].amount);
    return err;
}

/* ---- summing ---- */

static spraay_err redate_rows(spraay_store *s, char ids[][SPRAAY_PURCHASE_ID + 1], size_t n,
                              spraay_moment now)
{
    spraay_err err = SPRAAY_OK;

    for (size_t i = 0; i < n && err == SPRAAY_OK; i++) {
        spraay_row r;
        err = spraay_row_find(&r, s, ids[i]);
        if (err == SPRAAY_OK && r.genuine && spraay_keyring_find(s->keys, r.p->payer) != NULL) {
            r.p->spent = now;
            err = spraay_row_write(s, &r);
        }
        spraay_row_wipe(&r);
    }
    return err;
}

static spraay_err sum_rows(spraay_store *s, const spraay_op *op, const spraay_purchase *p, spraay_sums *out)
{
    static const char sql[] = "SELECT " SPRAAY_LIGHT_COLUMNS " FROM purchase WHERE folded = 0";
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_SUM_ROWS, sql);
    char(*ahead)[SPRAAY_PURCHASE_ID + 1] = NULL;
    size_t n = 0;
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    while ((err = spraay_store_next(s, q)) == SPRAAY_OK) {
        spraay_row r;
        err = spraay_row_read_light(&r, s, q);
        if (err != SPRAAY_OK) break;
        if (spraay_budget_is_spent(r.p->state) && r.p->spent.mono_ms == SPRAAY_LONG_AGO &&
            spraay_budget_is_ahead(r.p->spent, op->now)) {
            if (ahead == NULL) ahead = malloc(REDATE_MAX * sizeof *ahead);
            if (ahead != NULL && n < REDATE_MAX) memcpy(ahead[n++], r.p->id, sizeof *ahead);
            r.p->spent = op->now;
        }
        if (strcmp(r.p->id, p->id) != 0) spraay_sums_add(out, r.p, op->budget_scope, p->origin, op->now);
        spraay_row_wipe(&r);
    }
    (void)sqlite3_reset(q);
    s->ahead = s->ahead || n > 0;
    if (err == SPRAAY_MISSING) err = redate_rows(s, ahead, n, op->now);
    free(ahead);
    return err;
}

/* A minute dated ahead moves to this one. */
static spraay_err redate_days(spraay_store *s, spraay_moment now)
{
    static const char sql[] =
        "SELECT payer, origin, amount, minute, boot FROM spend_day WHERE minute > ?1 AND boot <> ?2 "
        "LIMIT 1";
    spraay_err err = SPRAAY_OK;

    for (int turns = 0; turns < REDATE_MAX && err == SPRAAY_OK; turns++) {
        sqlite3_stmt *q = NULL, *gone = NULL;
        if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK) return spraay_store_fail(s);
        (void)sqlite3_bind_int64(q, 1, now.wall_s + MINUTE_S);
        (void)sqlite3_bind_text(q, 2, s->boot, -1, SQLITE_STATIC);
        err = spraay_store_next(s, q);
        if (err == SPRAAY_OK) {
            const char *payer = (const char *)sqlite3_column_text(q, 0);
            if (spraay_keyring_find(s->keys, payer) == NULL) err = SPRAAY_MISSING; /* its own process will */
            if (err == SPRAAY_OK)
                err = add_day(s, payer, (const char *)sqlite3_column_text(q, 1), now,
                              (uint64_t)sqlite3_column_int64(q, 2));
            if (err == SPRAAY_OK &&
                sqlite3_prepare_v2(s->db,
                                   "DELETE FROM spend_day WHERE payer = ?1 AND origin = ?2 AND minute = ?3 "
                                   "AND boot = ?4",
                                   -1, &gone, NULL) != SQLITE_OK)
                err = spraay_store_fail(s);
            for (int i = 0; gone != NULL && i < 4; i++) {
                static const int from[] = { 0, 1, 3, 4 };
                (void)sqlite3_bind_value(gone, i + 1, sqlite3_column_value(q, from[i]));
            }
            if (err == SPRAAY_OK) err = spraay_store_run(s, gone);
            (void)sqlite3_finalize(gone);
        }
        (void)sqlite3_finalize(q);
    }
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

static spraay_err sum_days(spraay_store *s, const spraay_op *op, const spraay_purchase *p, spraay_sums *out)
{
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_SUM_DAYS,
                                             "SELECT origin, minute, boot, boot_ms, amount FROM spend_day");
    bool ahead = false, old = false;
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    while ((err = spraay_store_next(s, q)) == SPRAAY_OK) {
        const char *origin = (const char *)sqlite3_column_text(q, 0);
        const char *boot = (const char *)sqlite3_column_text(q, 2);
        bool same_boot = boot != NULL && strcmp(boot, s->boot) == 0;
        uint64_t amount = (uint64_t)sqlite3_column_int64(q, 4);
        spraay_moment at = { sqlite3_column_int64(q, 1) + MINUTE_S - 1,
                             same_boot ? sqlite3_column_int64(q, 3) : SPRAAY_LONG_AGO };
        bool late = !same_boot && spraay_budget_is_ahead(at, op->now);
        ahead = ahead || late;
        old = old || (at.wall_s < op->now.wall_s - KEPT_S && !spraay_budget_within_day(at, op->now));
        if (!late && !spraay_budget_within_day(at, op->now)) continue;
        out->day = spraay_money_plus(out->day, amount);
        if (origin != NULL && strcmp(origin, p->origin) == 0)
            out->host = spraay_money_plus(out->host, amount);
    }
    (void)sqlite3_reset(q);
    if (err != SPRAAY_MISSING) return err;
    s->ahead = s->ahead || ahead;
    if (ahead) return redate_days(s, op->now);
    if (!old) return SPRAAY_OK;
    q = spraay_store_statement(s, SPRAAY_SLOT_DAY_PRUNE,
                               "DELETE FROM spend_day WHERE minute < ?1 AND (boot <> ?2 OR boot_ms < ?3)");
    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_int64(q, 1, op->now.wall_s - KEPT_S);
    (void)sqlite3_bind_text(q, 2, s->boot, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(q, 3, op->now.mono_ms - KEPT_S * 1000);
    return spraay_store_run(s, q);
}

/* Of a budget, over all payers: a scope is one client's or one run's. */
static spraay_err sum_scope(spraay_store *s, const uint8_t scope[32], uint64_t *out)
{
    sqlite3_stmt *q =
        spraay_store_statement(s, SPRAAY_SLOT_SUM_SCOPE, "SELECT amount FROM spend_scope WHERE scope = ?1");
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_blob(q, 1, scope, 32, SQLITE_STATIC);
    while ((err = spraay_store_next(s, q)) == SPRAAY_OK)
        *out = spraay_money_plus(*out, (uint64_t)sqlite3_column_int64(q, 0));
    (void)sqlite3_reset(q);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

spraay_err spraay_store_sums(spraay_store *s, const spraay_op *op, const spraay_purchase *p, spraay_sums *out)
{
    spraay_err err;

    memset(out, 0, sizeof *out);
    s->ahead = false;
    err = sum_rows(s, op, p, out);
    if (err == SPRAAY_OK) err = sum_days(s, op, p, out);
    if (err == SPRAAY_OK) err = sum_scope(s, op->budget_scope, &out->budget);
    return err;
}

spraay_err spraay_store_totals(spraay_store *s, spraay_op *op)
{
    static const char sql[] = "SELECT " SPRAAY_LIGHT_COLUMNS " FROM purchase WHERE folded = 0";
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_SUM_ROWS, sql);
    spraay_err err;

    op->totals = (spraay_totals){ 0, 0 };
    if (q == NULL) return SPRAAY_IO;
    while ((err = spraay_store_next(s, q)) == SPRAAY_OK) {
        spraay_row r;
        uint64_t share;
        err = spraay_row_read_light(&r, s, q);
        if (err != SPRAAY_OK) break;
        share = spraay_budget_counts(r.p) ? spraay_purchase_share(r.p, op->budget_scope) : 0;
        if (spraay_budget_is_spent(r.p->state))
            op->totals.settled = spraay_money_plus(op->totals.settled, share);
        else
            op->totals.open = spraay_money_plus(op->totals.open, share);
        spraay_row_wipe(&r);
    }
    (void)sqlite3_reset(q);
    return err == SPRAAY_MISSING ? sum_scope(s, op->budget_scope, &op->totals.settled) : err;
}

/* ---- looking through ---- */

/* What a sum that does not fit means to whoever looks: an end, or a line for a person. */
static spraay_err misfit(spraay_store *s, spraay_query *q, const char *what, const char *payer)
{
    char line[160];

    if (q == NULL) return not_genuine(s, what, payer);
    (void)snprintf(line, sizeof line, "the sum of %s of %.20s… was changed by somebody else, or damaged",
                   what, payer);
    return spraay_query_found(q, "", line);
}

static spraay_err check_days(spraay_store *s, spraay_store *to, spraay_query *q)
{
    sqlite3_stmt *st = NULL;
    spraay_err err = SPRAAY_OK;

    if (sqlite3_prepare_v2(s->db, "SELECT payer, origin, minute, boot, boot_ms, amount, tag FROM spend_day",
                           -1, &st, NULL) != SQLITE_OK)
        return spraay_store_fail(s);
    while (err == SPRAAY_OK && (err = spraay_store_next(s, st)) == SPRAAY_OK) {
        const char *payer = (const char *)sqlite3_column_text(st, 0);
        day_sum d = { .minute = sqlite3_column_int64(st, 2),
                      .amount = (uint64_t)sqlite3_column_int64(st, 5) };
        uint8_t right[SPRAAY_TAG];
        err = tag_day(right, s, payer, (const char *)sqlite3_column_text(st, 1),
                      (const char *)sqlite3_column_text(st, 3), &d);
        if (err != SPRAAY_OK) break;
        if (!fits(s, payer, st, 6, right))
            err = misfit(s, q, "a day", payer);
        else if (to != NULL)
            err = spraay_store_copy(
                to, st,
                "INSERT INTO spend_day VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE "
                "SET boot_ms = ?5, amount = ?6, tag = ?7 WHERE amount < ?6");
    }
    (void)sqlite3_finalize(st);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

static spraay_err check_scopes(spraay_store *s, spraay_store *to, spraay_query *q)
{
    sqlite3_stmt *st = NULL;
    spraay_err err = SPRAAY_OK;

    if (sqlite3_prepare_v2(s->db, "SELECT payer, scope, amount, tag FROM spend_scope", -1, &st, NULL) !=
        SQLITE_OK)
        return spraay_store_fail(s);
    while (err == SPRAAY_OK && (err = spraay_store_next(s, st)) == SPRAAY_OK) {
        const char *payer = (const char *)sqlite3_column_text(st, 0);
        uint8_t right[SPRAAY_TAG], scope[32] = { 0 };
        if (sqlite3_column_bytes(st, 1) == sizeof scope)
            memcpy(scope, sqlite3_column_blob(st, 1), sizeof scope);
        err = tag_scope(right, s, payer, scope, (uint64_t)sqlite3_column_int64(st, 2));
        if (err != SPRAAY_OK) break;
        if (!fits(s, payer, st, 3, right))
            err = misfit(s, q, "a budget", payer);
        else if (to != NULL)
            err =
                spraay_store_copy(to, st,
                                  "INSERT INTO spend_scope VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET "
                                  "amount = ?3, tag = ?4 WHERE amount < ?3");
    }
    (void)sqlite3_finalize(st);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

spraay_err spraay_store_check_sums(spraay_store *s, spraay_store *to, spraay_query *q)
{
    spraay_err err = check_days(s, to, q);
    return err == SPRAAY_OK ? check_scopes(s, to, q) : err;
}

spraay_err spraay_store_audit(spraay_store *s)
{
    static const char sql[] = "SELECT " SPRAAY_ROW_COLUMNS " FROM purchase WHERE folded = 0";
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_AUDIT, sql);
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    while ((err = spraay_store_next(s, q)) == SPRAAY_OK) {
        spraay_row r;
        err = spraay_row_read(&r, s, q);
        if (err == SPRAAY_OK && !r.genuine)
            err =
                spraay_store_corrupt(s, "the record of %s was changed by somebody else, or damaged", r.p->id);
        spraay_row_wipe(&r);
        if (err != SPRAAY_OK) break;
    }
    (void)sqlite3_reset(q);
    return err == SPRAAY_MISSING ? spraay_store_check_sums(s, NULL, NULL) : err;
}
