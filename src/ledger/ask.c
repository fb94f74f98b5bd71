/* SPDX-License-Identifier: MIT */
/* A person's questions and words to a durable ledger; see ledger/query.h. */
#include <stdio.h>
#include <string.h>

#include "chain/eip55.h"
#include "chain/solana_address.h"
#include "ledger/rows.h"
#include "ledger/rules.h"
#include "ledger/store_private.h"

static spraay_err list(spraay_store *s, spraay_query *q)
{
    sqlite3_stmt *st = NULL;
    spraay_err err = SPRAAY_OK;
    const char *sql = q->id != NULL ? "SELECT " SPRAAY_ROW_COLUMNS " FROM purchase WHERE id = ?1"
                      : q->open ? "SELECT " SPRAAY_ROW_COLUMNS " FROM purchase WHERE folded = 0 ORDER BY n"
                                : "SELECT " SPRAAY_ROW_COLUMNS " FROM purchase ORDER BY n";

    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK) return spraay_store_fail(s);
    if (q->id != NULL) (void)sqlite3_bind_text(st, 1, q->id, -1, SQLITE_STATIC);
    while (err == SPRAAY_OK && (err = spraay_store_next(s, st)) == SPRAAY_OK) {
        spraay_row r;
        if (q->limit > 0 && q->n_rows == q->limit) {
            err = SPRAAY_MISSING;
            break;
        }
        err = spraay_row_read(&r, s, st);
        if (err == SPRAAY_OK && spraay_query_wants(q, r.p)) {
            err = spraay_query_add_row(q, r.p, r.owner[0] != '\0'); /* the dead were buried before */
            r.p = NULL;
        }
        spraay_row_wipe(&r);
    }
    (void)sqlite3_finalize(st);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

static spraay_err write_journal(spraay_store *s, int64_t at, const char *what, const char *detail)
{
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_JOURNAL,
                                             "INSERT INTO journal (at, what, detail) VALUES (?1, ?2, ?3)");

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_int64(q, 1, at);
    (void)sqlite3_bind_text(q, 2, what, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 3, detail, -1, SQLITE_STATIC);
    return spraay_store_run(s, q);
}

static spraay_err say(spraay_store *s, spraay_err err, const char *sentence)
{
    (void)snprintf(s->sentence, sizeof s->sentence, "%s", sentence);
    return err;
}

static spraay_err too_early(spraay_store *s, const spraay_purchase *p)
{
    int64_t t = p->valid_before % 86400;

    (void)snprintf(
        s->sentence, sizeof s->sentence,
        "it can settle until %02d:%02d:%02d UTC, and on Solana nothing would keep it from settling beside "
        "the next one: your word counts from then on",
        (int)(t / 3600), (int)(t / 60 % 60), (int)(t % 60));
    return SPRAAY_STATE;
}

static spraay_err close_row(spraay_store *s, spraay_row *r, const spraay_query *q, spraay_moment now)
{
    spraay_err err;

    if (r->owner[0] != '\0') return say(s, SPRAAY_STATE, "a living process holds this purchase");
    if (spraay_keyring_find(s->keys, r->p->payer) == NULL)
        return say(s, SPRAAY_KEY, "only the wallet that pays can close it: set its key");
    if (!r->genuine)
        return spraay_store_corrupt(s, "the record of %s was changed by somebody else", r->p->id);
    if (!spraay_state_is_open(r->p->state)) return say(s, SPRAAY_STATE, "this purchase is not open");
    if (q->book) {
        r->p->booked = true;
        memcpy(r->taken_by, s->me.id, sizeof r->taken_by);
        return spraay_row_write(s, r);
    }
    if (!q->settled && spraay_rules_void_is_early(r->p, now)) return too_early(s, r->p);
    err = spraay_rules_event(r->p, q->settled ? SPRAAY_EVENT_PROVE_USED : SPRAAY_EVENT_PROVE_UNUSED, now);
    if (err != SPRAAY_OK) return err;
    (void)snprintf(r->p->hand, sizeof r->p->hand, "%s", q->settled ? "settle" : "void");
    err = spraay_row_write(s, r);
    return err == SPRAAY_OK ? write_journal(s, now.wall_s, r->p->hand, r->p->id) : err;
}

static spraay_err close_by_hand(spraay_store *s, const spraay_query *q, spraay_moment now)
{
    spraay_row r;
    spraay_err err = spraay_row_find(&r, s, q->id ? q->id : "");

    if (err == SPRAAY_OK)
        err = close_row(s, &r, q, now);
    else if (err == SPRAAY_MISSING)
        (void)say(s, err, "there is no such purchase");
    spraay_row_wipe(&r);
    return err;
}

static spraay_err trust(spraay_store *s, const spraay_query *q, spraay_moment now)
{
    char detail[400];
    spraay_err err;

    if (q->payer == NULL)
        return say(s, SPRAAY_KEY, "it is a wallet's word: set the key of the one that pays");
    if (q->origin == NULL || q->network == NULL || q->pay_to == NULL) return SPRAAY_MISSING;
    err = spraay_store_set_pin(s, q->payer, q->origin, q->network, q->pay_to, "", true);
    (void)snprintf(detail, sizeof detail, "%.150s %.80s %.64s", q->origin, q->network, q->pay_to);
    return err == SPRAAY_OK ? write_journal(s, now.wall_s, "trust", detail) : err;
}

static spraay_err accept_price(spraay_store *s, const spraay_query *q, spraay_moment now)
{
    char detail[400];
    spraay_err err;

    if (q->payer == NULL)
        return say(s, SPRAAY_KEY, "it is a wallet's word: set the key of the one that pays");
    if (q->origin == NULL || q->route == NULL || q->atomic == NULL) return SPRAAY_MISSING;
    if (q->atomic[0] == '\0' || strlen(q->atomic) > 18 ||
        strspn(q->atomic, "0123456789") != strlen(q->atomic))
        return SPRAAY_SYNTAX;
    err = spraay_store_set_price(s, q);
    (void)snprintf(detail, sizeof detail, "%.150s %.100s %.24s", q->origin, q->route, q->atomic);
    return err == SPRAAY_OK ? write_journal(s, now.wall_s, "accept-price", detail) : err;
}

/* What is learned of a gateway, or recalled. */
static spraay_err learned(spraay_store *s, spraay_query *q)
{
    if (q->payer == NULL)
        return say(s, SPRAAY_PERMISSION, "it is a wallet's word: set the key of the one that pays");
    if (q->origin == NULL || q->name == NULL) return SPRAAY_MISSING;
    if (q->kind == SPRAAY_QUERY_RECALL) return spraay_store_recall(s, q);
    if (q->word == NULL) return SPRAAY_MISSING;
    return strlen(q->word) < 64 ? spraay_store_learn(s, q) : SPRAAY_SYNTAX;
}

/* ---- verify ---- */

spraay_err spraay_query_found(spraay_query *q, const char *id, const char *what)
{
    spraay_query_line line = { .what = (char *)what };

    (void)snprintf(line.id, sizeof line.id, "%s", id);
    return spraay_query_add_line(q, &line);
}

static spraay_err verify_pages(spraay_store *s, spraay_query *q)
{
    sqlite3_stmt *st = NULL;
    spraay_err err = SPRAAY_OK;

    if (sqlite3_prepare_v2(s->db, "PRAGMA integrity_check(20)", -1, &st, NULL) != SQLITE_OK)
        return spraay_store_fail(s);
    while (err == SPRAAY_OK && (err = spraay_store_next(s, st)) == SPRAAY_OK) {
        const char *word = (const char *)sqlite3_column_text(st, 0);
        if (word != NULL && strcmp(word, "ok") != 0) err = spraay_query_found(q, "", word);
    }
    (void)sqlite3_finalize(st);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

/* Nobody has the key of a payer that is no address, so no tag would tell. */
static bool is_payer(const char *payer)
{
    uint8_t address[32];

    return spraay_evm_address_parse(address, payer, strlen(payer), SPRAAY_EVM_CHECKSUM) == SPRAAY_OK ||
           spraay_solana_address_parse(address, payer) == SPRAAY_OK;
}

static spraay_err verify_row(spraay_store *s, spraay_query *q, spraay_row *r)
{
    spraay_err err;

    if (!r->genuine)
        return spraay_query_found(
            q, r->p->id, "was changed by somebody else, or damaged: it does not fit the wallet's tag");
    if (r->p->state == SPRAAY_STATE_NONE)
        return spraay_query_found(q, r->p->id, "is in no state that there is");
    if (!is_payer(r->p->payer))
        return spraay_query_found(q, r->p->id, "was changed by somebody else, or damaged: its payer is none");
    err = spraay_answer_read(s, r->p);
    if (err == SPRAAY_CHECKSUM)
        return spraay_query_found(q, r->p->id, "its stored answer is not what was stored");
    if (err != SPRAAY_MISSING) return err;
    if (r->p->state != SPRAAY_STATE_DELIVERED && (r->p->state != SPRAAY_STATE_TAKEN || !r->p->named))
        return SPRAAY_OK;
    return spraay_query_found(q, r->p->id, "was delivered and its answer is not here");
}

static spraay_err verify_rows(spraay_store *s, spraay_query *q)
{
    sqlite3_stmt *st = NULL;
    spraay_err err = SPRAAY_OK;

    if (sqlite3_prepare_v2(s->db, "SELECT " SPRAAY_ROW_COLUMNS " FROM purchase ORDER BY n", -1, &st, NULL) !=
        SQLITE_OK)
        return spraay_store_fail(s);
    while (err == SPRAAY_OK && (err = spraay_store_next(s, st)) == SPRAAY_OK) {
        spraay_row r;
        err = spraay_row_read(&r, s, st);
        if (err == SPRAAY_OK) err = verify_row(s, q, &r);
        spraay_row_wipe(&r);
    }
    (void)sqlite3_finalize(st);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

/* Who holds a record is looked for among the names of owners, and never found dead when it is not there. */
static spraay_err verify_owners(spraay_store *s, spraay_query *q)
{
    static const char sql[] =
        "SELECT id FROM purchase WHERE owner IS NOT NULL AND owner NOT IN (SELECT id FROM "
        "owner) ORDER BY n";
    sqlite3_stmt *st = NULL;
    spraay_err err = SPRAAY_OK;

    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK) return spraay_store_fail(s);
    while (err == SPRAAY_OK && (err = spraay_store_next(s, st)) == SPRAAY_OK) {
        const char *id = (const char *)sqlite3_column_text(st, 0);
        err = spraay_query_found(q, id != NULL ? id : "",
                                 "is held by a process that nobody knows; repair gives it back");
    }
    (void)sqlite3_finalize(st);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

/* What the records that are history come to: of budgets, and of the last day; of that nothing where some are dated
 * ahead, for then a clock is or was wrong. */
static spraay_err sum_history(spraay_store *s, spraay_moment now, uint64_t *budgets, uint64_t *days)
{
    sqlite3_stmt *st = NULL;
    bool ahead = false;
    spraay_err err = SPRAAY_OK;

    *budgets = *days = 0;
    if (sqlite3_prepare_v2(s->db, "SELECT " SPRAAY_ROW_COLUMNS " FROM purchase WHERE folded <> 0", -1, &st,
                           NULL) != SQLITE_OK)
        return spraay_store_fail(s);
    while (err == SPRAAY_OK && (err = spraay_store_next(s, st)) == SPRAAY_OK) {
        spraay_row r;
        err = spraay_row_read(&r, s, st);
        if (err == SPRAAY_OK && r.genuine && spraay_budget_is_spent(r.p->state)) {
            ahead = ahead || spraay_budget_is_ahead(r.p->spent, now);
            if (r.p->spent.wall_s > now.wall_s - 86400) *days = spraay_money_plus(*days, r.p->amount);
            for (unsigned i = 0; i < r.p->n_shares; i++)
                *budgets = spraay_money_plus(*budgets, r.p->shares[i].amount);
        }
        spraay_row_wipe(&r);
    }
    (void)sqlite3_finalize(st);
    if (ahead) *days = 0;
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

static spraay_err sum_sums(spraay_store *s, const char *sql, uint64_t *out)
{
    sqlite3_stmt *st = NULL;
    spraay_err err = SPRAAY_OK;

    *out = 0;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK) return spraay_store_fail(s);
    while (err == SPRAAY_OK && (err = spraay_store_next(s, st)) == SPRAAY_OK)
        *out = spraay_money_plus(*out, (uint64_t)sqlite3_column_int64(st, 0));
    (void)sqlite3_finalize(st);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

/* A sum that is gone has no tag that would not fit. Sums of days are kept for longer than a day, whatever date they
 * are given. */
static spraay_err verify_history(spraay_store *s, spraay_query *q, spraay_moment now)
{
    uint64_t budgets, days, of_budgets, of_days = 0;
    spraay_err err = sum_history(s, now, &budgets, &days);

    if (err == SPRAAY_OK) err = sum_sums(s, "SELECT amount FROM spend_scope", &of_budgets);
    if (err == SPRAAY_OK) err = sum_sums(s, "SELECT amount FROM spend_day", &of_days);
    if (err == SPRAAY_OK && of_budgets < budgets)
        err =
            spraay_query_found(q, "", "the sums of budgets are less than the records that they were made of");
    if (err == SPRAAY_OK && of_days < days)
        err = spraay_query_found(q, "", "the sums of days are less than the records that they were made of");
    return err;
}

/* A table that cannot be read is a finding like another, and hides none of the others. */
static spraay_err note_damage(spraay_store *s, spraay_query *q, spraay_err err)
{
    if (err == SPRAAY_CHECKSUM) err = spraay_query_found(q, "", s->sentence);
    s->trouble = SPRAAY_TROUBLE_NONE;
    return err;
}

static spraay_err verify(spraay_store *s, spraay_query *q, spraay_moment now)
{
    size_t n;
    spraay_err err = note_damage(s, q, verify_pages(s, q));

    if (err == SPRAAY_OK) err = note_damage(s, q, verify_rows(s, q));
    if (err == SPRAAY_OK) err = note_damage(s, q, verify_owners(s, q));
    n = q->n_lines;
    if (err == SPRAAY_OK) err = note_damage(s, q, spraay_store_check_sums(s, NULL, q));
    if (err == SPRAAY_OK && q->n_lines == n) err = note_damage(s, q, verify_history(s, q, now));
    if (err == SPRAAY_OK) err = note_damage(s, q, spraay_store_check_words(s, NULL, q));
    if (err == SPRAAY_OK) err = note_damage(s, q, store_chain_check(s, NULL, q));
    return err;
}

spraay_err spraay_store_query(spraay_store *s, spraay_job *j)
{
    spraay_query *q = j->op.query;

    switch (q->kind) {
    case SPRAAY_QUERY_LIST: return list(s, q);
    case SPRAAY_QUERY_CLOSE: return close_by_hand(s, q, j->op.now);
    case SPRAAY_QUERY_TRUST: return trust(s, q, j->op.now);
    case SPRAAY_QUERY_ACCEPT_PRICE: return accept_price(s, q, j->op.now);
    case SPRAAY_QUERY_LEARN:
    case SPRAAY_QUERY_RECALL: return learned(s, q);
    case SPRAAY_QUERY_TRANSACTIONS: return store_chain_show(s, q);
    case SPRAAY_QUERY_PINS: return spraay_store_list_pins(s, q);
    case SPRAAY_QUERY_PRICES: return spraay_store_list_prices(s, q);
    case SPRAAY_QUERY_VERIFY: return verify(s, q, j->op.now);
    case SPRAAY_QUERY_REPAIR: return SPRAAY_STATE; /* no business of a transaction: ledger/repair.c */
    }
    return SPRAAY_UNSUPPORTED;
}
