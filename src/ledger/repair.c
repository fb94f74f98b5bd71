/* SPDX-License-Identifier: MIT */
/* A damaged ledger: what is sound goes into a new file, the old one is put aside.
 *
 * Records are read one by one, so a damaged page costs only what lay on it. The sums of days and budgets are
 * made anew from the records; a sum that was larger and fits its tag stays, for money is never forgotten. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/rows.h"
#include "ledger/schema.h"

#define SKIP_MAX 100000 /* numbers of records tried one by one where a page is damaged */

static spraay_err lost(spraay_query *q, const char *id, const char *what)
{
    spraay_query_line line = { .what = (char *)what };

    (void)snprintf(line.id, sizeof line.id, "%s", id);
    return spraay_query_add_line(q, &line);
}

static spraay_err copy_row(spraay_store *from, spraay_store *to, spraay_query *q, spraay_row *r)
{
    spraay_err err;

    if (!r->genuine) return lost(q, r->p->id, "does not fit its tag, and is left behind");
    if (r->p->state == SPRAAY_STATE_NONE) return lost(q, r->p->id, "is in no state that there is");
    err = spraay_row_write(to, r);
    if (err == SPRAAY_OK && r->folded) err = spraay_store_fold(to, r->p);
    if (err != SPRAAY_OK) return err;
    if (spraay_answer_read(from, r->p) != SPRAAY_OK) return lost(q, r->p->id, "its stored answer is damaged");
    if (r->p->stored.headers.n == 0 && r->p->stored.body.n == 0 && r->p->stored.file == NULL) return SPRAAY_OK;
    return spraay_answer_write(to, r->p, &r->p->stored);
}

/* The highest number of a record, or a guess above it. */
static int64_t last_number(sqlite3 *db)
{
    sqlite3_stmt *q = NULL;
    int64_t n = -1;

    if (sqlite3_prepare_v2(db, "SELECT seq FROM sqlite_sequence WHERE name = 'purchase'", -1, &q, NULL) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW)
        n = sqlite3_column_int64(q, 0);
    (void)sqlite3_finalize(q);
    return n;
}

/* Records after number 'n', as far as they can be read; *n becomes the last one. */
static spraay_err copy_from(spraay_store *from, spraay_store *to, spraay_query *q, int64_t *n)
{
    sqlite3_stmt *st = NULL;
    spraay_err err = SPRAAY_OK;
    int rc = sqlite3_prepare_v2(from->db,
                                "SELECT " SPRAAY_ROW_COLUMNS ", n FROM purchase WHERE n > ?1 ORDER BY n", -1, &st,
                                NULL);

    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(st, 1, *n);
    while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        spraay_row r;
        rc = SQLITE_OK;
        err = spraay_row_read(&r, from, st);
        *n = sqlite3_column_int64(st, sqlite3_column_count(st) - 1);
        if (err == SPRAAY_OK) err = copy_row(from, to, q, &r);
        spraay_row_wipe(&r);
        if (err != SPRAAY_OK) break;
    }
    (void)sqlite3_finalize(st);
    if (err != SPRAAY_OK) return err;
    return rc == SQLITE_DONE ? SPRAAY_OK : SPRAAY_CHECKSUM;
}

static spraay_err copy_rows(spraay_store *from, spraay_store *to, spraay_query *q)
{
    int64_t n = 0, last = last_number(from->db), first_bad = 0;
    spraay_err err;
    char what[120];

    while ((err = copy_from(from, to, q, &n)) == SPRAAY_CHECKSUM) {
        if (first_bad == 0) first_bad = n + 1;
        if (last >= 0 ? n >= last : n - first_bad > SKIP_MAX) break;
        n++; /* past what cannot be read */
    }
    if (first_bad == 0) return err;
    (void)snprintf(what, sizeof what, "records from number %lld on lie on damaged pages; what could be read of them was",
                   (long long)first_bad);
    return err == SPRAAY_OK || err == SPRAAY_CHECKSUM ? lost(q, "", what) : err;
}

/* What is one statement's worth, and no great loss when it cannot be read. */
static void copy_table(spraay_store *from, spraay_store *to, const char *select, const char *insert)
{
    sqlite3_stmt *in = NULL, *out = NULL;

    if (sqlite3_prepare_v2(from->db, select, -1, &in, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(to->db, insert, -1, &out, NULL) == SQLITE_OK)
        while (sqlite3_step(in) == SQLITE_ROW) {
            for (int i = 0; i < sqlite3_column_count(in); i++)
                (void)sqlite3_bind_value(out, i + 1, sqlite3_column_value(in, i));
            (void)sqlite3_step(out);
            (void)sqlite3_reset(out);
        }
    (void)sqlite3_finalize(in);
    (void)sqlite3_finalize(out);
}

static spraay_err open_new(spraay_store *to, const spraay_store *from)
{
    int found;
    spraay_err err;

    (void)unlink(to->place.db);
    memcpy(to->boot, from->boot, sizeof to->boot);
    if (sqlite3_open_v2(to->place.db, &to->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return spraay_store_fail(to);
    err = sqlite3_exec(to->db, "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL", NULL, NULL, NULL) == SQLITE_OK
              ? spraay_schema_upgrade(to->db, &found)
              : SPRAAY_IO;
    if (err == SPRAAY_OK && sqlite3_exec(to->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK) err = SPRAAY_IO;
    return err == SPRAAY_OK ? err : spraay_store_fail(to);
}

static spraay_err fill(spraay_store *from, spraay_store *to, spraay_query *q)
{
    spraay_err err = open_new(to, from);

    if (err == SPRAAY_OK) err = copy_rows(from, to, q);
    if (err != SPRAAY_OK) return err;
    copy_table(from, to, "SELECT payer, scope, amount, tag FROM spend_scope",
               "INSERT INTO spend_scope VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET amount = ?3, tag = ?4 "
               "WHERE amount < ?3");
    copy_table(from, to, "SELECT payer, origin, minute, boot, boot_ms, amount, tag FROM spend_day",
               "INSERT INTO spend_day VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET amount = ?6, "
               "tag = ?7 WHERE amount < ?6");
    copy_table(from, to, "SELECT payer, origin, network, pay_to, purchase, confirmed, tag FROM pin",
               "INSERT OR IGNORE INTO pin VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    copy_table(from, to, "SELECT payer, origin, route, atomic, tag FROM price",
               "INSERT OR IGNORE INTO price VALUES (?1, ?2, ?3, ?4, ?5)");
    copy_table(from, to, "SELECT name, owner FROM run", "INSERT OR IGNORE INTO run VALUES (?1, ?2)");
    copy_table(from, to, "SELECT at, what, detail FROM journal",
               "INSERT INTO journal (at, what, detail) VALUES (?1, ?2, ?3)");
    if (sqlite3_exec(to->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) return spraay_store_fail(to);
    /* A sum that does not fit its tag would close the new file too: those are made of records alone. */
    err = spraay_store_audit(to);
    if (err != SPRAAY_CHECKSUM) return err;
    (void)lost(q, "", "a sum did not fit its tag, and was made anew from the records");
    return SPRAAY_CHECKSUM;
}

static spraay_err rename_it(spraay_store *s, const char *from, const char *to, const char *suffix)
{
    char a[4096], b[4096];

    (void)snprintf(a, sizeof a, "%s%s", from, suffix);
    (void)snprintf(b, sizeof b, "%s%s", to, suffix);
    if (rename(a, b) == 0 || suffix[0] != '\0') return SPRAAY_OK;
    (void)snprintf(s->sentence, sizeof s->sentence, "%.150s could not be put aside", a);
    return SPRAAY_IO;
}

/* Fill a new file twice at most: the second time without the sums of the old one. */
static spraay_err fill_until_sound(spraay_store *from, spraay_store *to, spraay_query *q)
{
    spraay_err err = fill(from, to, q);

    if (err != SPRAAY_CHECKSUM) return err;
    if (sqlite3_exec(to->db, "DELETE FROM spend_scope; DELETE FROM spend_day", NULL, NULL, NULL) != SQLITE_OK)
        return spraay_store_fail(to);
    return spraay_store_refold(to);
}

spraay_err spraay_store_repair(spraay_store *s, spraay_query *q, spraay_moment now)
{
    char fresh[4096], aside[4096];
    spraay_store to;
    spraay_err err;

    (void)snprintf(fresh, sizeof fresh, "%s.new", s->place.db);
    (void)snprintf(aside, sizeof aside, "%s.damaged-%lld", s->place.db, (long long)now.wall_s);
    err = spraay_store_reopen(s);
    if (err != SPRAAY_OK) return err;
    /* Whoever waits for the file meanwhile finds that it is another one now. A file too damaged to be locked
     * is none that anybody writes to. */
    (void)sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    err = spraay_store_init(&to, fresh, s->keys);
    if (err != SPRAAY_OK) return err;
    err = fill_until_sound(s, &to, q);
    if (err != SPRAAY_OK) memcpy(s->sentence, to.sentence, sizeof s->sentence);
    spraay_store_close(&to);
    if (err == SPRAAY_OK) err = rename_it(s, s->place.db, aside, "");
    if (err == SPRAAY_OK) {
        (void)rename_it(s, s->place.db, aside, "-wal");
        (void)rename_it(s, s->place.db, aside, "-shm");
        err = rename_it(s, fresh, s->place.db, "");
    }
    spraay_store_wipe(&to, false);
    spraay_store_rollback(s);
    spraay_store_forget(s);
    return err;
}
