/* SPDX-License-Identifier: MIT */
/* A damaged ledger: what is sound goes into a new file, the old one is put aside.
 *
 * Records are read one by one, so a damaged page costs only what lay on it, and copied as they are: those of a
 * wallet whose key is not here keep the tags that only it can make. The sums of days and budgets are made anew
 * from the records; a sum that was larger and fits its tag stays, for money is never forgotten. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/gate.h"
#include "ledger/rows.h"
#include "ledger/schema.h"
#include "ledger/store_private.h"

#define SKIP_MAX 20000 /* numbers of records tried one by one where a page is damaged */

static const char select_rows[] = "SELECT " SPRAAY_ROW_COLUMNS ", n FROM purchase WHERE n > ?1 ORDER BY n";
static const char insert_row[] = "INSERT OR IGNORE INTO purchase (" SPRAAY_ROW_COLUMNS
                                 ", n) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,"
                                 "?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29,?30,?31,?"
                                 "32,?33,?34,?35,?36,?37,?38,?39,?40,"
                                 "?41,?42,?43,?44,?45,?46,?47,?48,?49,?50,?51,?52,?53)";

spraay_err spraay_store_copy(spraay_store *to, sqlite3_stmt *in, const char *insert)
{
    sqlite3_stmt *out = NULL;
    int rc = sqlite3_prepare_v2(to->db, insert, -1, &out, NULL);

    for (int i = 0; rc == SQLITE_OK && i < sqlite3_column_count(in); i++)
        rc = sqlite3_bind_value(out, i + 1, sqlite3_column_value(in, i));
    if (rc == SQLITE_OK) rc = sqlite3_step(out);
    (void)sqlite3_finalize(out);
    return rc == SQLITE_DONE ? SPRAAY_OK : spraay_store_fail(to);
}

static spraay_err copy_answer(spraay_store *from, spraay_store *to, spraay_query *q, spraay_purchase *p)
{
    sqlite3_stmt *st = NULL;
    spraay_err err = spraay_answer_read(from, p);

    if (err == SPRAAY_MISSING) return SPRAAY_OK;
    if (err != SPRAAY_OK)
        return spraay_query_found(q, p->id, "its stored answer is damaged, and is left behind");
    if (sqlite3_prepare_v2(from->db, "SELECT id, headers, body, file, tag FROM answer WHERE id = ?1", -1, &st,
                           NULL) != SQLITE_OK)
        return spraay_store_fail(from);
    (void)sqlite3_bind_text(st, 1, p->id, -1, SQLITE_STATIC);
    if (sqlite3_step(st) == SQLITE_ROW)
        err = spraay_store_copy(to, st, "INSERT OR IGNORE INTO answer VALUES (?1, ?2, ?3, ?4, ?5)");
    (void)sqlite3_finalize(st);
    return err;
}

static spraay_err copy_row(spraay_store *from, spraay_store *to, spraay_query *q, spraay_row *r,
                           sqlite3_stmt *st)
{
    spraay_err err;

    if (!r->genuine) return spraay_query_found(q, r->p->id, "does not fit its tag, and is left behind");
    if (r->p->state == SPRAAY_STATE_NONE)
        return spraay_query_found(q, r->p->id, "is in no state that there is");
    err = spraay_store_copy(to, st, insert_row);
    if (err == SPRAAY_OK && r->folded && spraay_keyring_find(to->keys, r->p->payer) != NULL)
        err = spraay_store_fold(to, r->p);
    return err == SPRAAY_OK ? copy_answer(from, to, q, r->p) : err;
}

/* The highest number of a record, or -1. */
static int64_t last_number(sqlite3 *db)
{
    sqlite3_stmt *q = NULL;
    int64_t n = -1;

    if (sqlite3_prepare_v2(db, "SELECT seq FROM sqlite_sequence WHERE name = 'purchase'", -1, &q, NULL) ==
            SQLITE_OK &&
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
    int rc = sqlite3_prepare_v2(from->db, select_rows, -1, &st, NULL);

    if (rc != SQLITE_OK) *n = INT64_MAX - 1; /* not even its name can be read */
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(st, 1, *n);
    while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        spraay_row r;
        rc = SQLITE_OK;
        err = spraay_row_read(&r, from, st);
        *n = sqlite3_column_int64(st, sqlite3_column_count(st) - 1);
        if (err == SPRAAY_OK) err = copy_row(from, to, q, &r, st);
        spraay_row_wipe(&r);
        if (err != SPRAAY_OK) break;
    }
    (void)sqlite3_finalize(st);
    if (err != SPRAAY_OK) return err == SPRAAY_CHECKSUM ? SPRAAY_IO : err; /* of the new file */
    return rc == SQLITE_DONE ? SPRAAY_OK : SPRAAY_CHECKSUM;
}

static spraay_err copy_rows(spraay_store *from, spraay_store *to, spraay_query *q)
{
    int64_t n = 0, last = last_number(from->db), first_bad = 0;
    spraay_err err;
    char what[120];

    while ((err = copy_from(from, to, q, &n)) == SPRAAY_CHECKSUM) {
        if (n == INT64_MAX - 1)
            return spraay_query_found(
                q, "", "no record could be read: the page that says where they are is damaged");
        if (first_bad == 0) first_bad = n + 1;
        if (last >= 0 ? n >= last : n - first_bad > SKIP_MAX) break;
        n++; /* past what cannot be read */
    }
    if (first_bad == 0) return err;
    (void)snprintf(what, sizeof what,
                   "records from number %lld on lie on damaged pages; what could be read of them was",
                   (long long)first_bad);
    return err == SPRAAY_OK || err == SPRAAY_CHECKSUM ? spraay_query_found(q, "", what) : err;
}

/* What carries no tag. A line that cannot be read is no great loss. */
static void copy_table(spraay_store *from, spraay_store *to, const char *select, const char *insert)
{
    sqlite3_stmt *in = NULL;

    if (sqlite3_prepare_v2(from->db, select, -1, &in, NULL) == SQLITE_OK)
        while (sqlite3_step(in) == SQLITE_ROW) (void)!spraay_store_copy(to, in, insert);
    (void)sqlite3_finalize(in);
}

/* A table of the old file that cannot be read costs itself. */
static spraay_err survive(spraay_store *from, spraay_query *q, spraay_err err)
{
    if (err != SPRAAY_CHECKSUM) return err;
    return spraay_query_found(q, "", from->sentence);
}

static spraay_err open_new(spraay_store *to, const spraay_store *from)
{
    int found;
    spraay_err err;

    (void)unlink(to->place.db);
    memcpy(to->boot, from->boot, sizeof to->boot);
    if (sqlite3_open_v2(to->place.db, &to->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return spraay_store_fail(to);
    err = sqlite3_exec(to->db, "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL", NULL, NULL, NULL) ==
                  SQLITE_OK
              ? spraay_schema_upgrade(to->db, &found)
              : SPRAAY_IO;
    if (err == SPRAAY_OK && sqlite3_exec(to->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK) err = SPRAAY_IO;
    return err == SPRAAY_OK ? err : spraay_store_fail(to);
}

static spraay_err fill(spraay_store *from, spraay_store *to, spraay_query *q)
{
    spraay_err err = open_new(to, from);

    if (err == SPRAAY_OK) err = copy_rows(from, to, q);
    if (err == SPRAAY_OK) err = survive(from, q, spraay_store_check_sums(from, to, q));
    if (err == SPRAAY_OK) err = survive(from, q, spraay_store_check_words(from, to, q));
    if (err == SPRAAY_OK) err = survive(from, q, store_chain_check(from, to, q));
    if (err != SPRAAY_OK) return err;
    copy_table(from, to, "SELECT id FROM owner", "INSERT OR IGNORE INTO owner VALUES (?1)");
    copy_table(from, to, "SELECT name, owner FROM run", "INSERT OR IGNORE INTO run VALUES (?1, ?2)");
    copy_table(from, to, "SELECT hash, purchase, at FROM svm_message",
               "INSERT OR IGNORE INTO svm_message VALUES (?1, ?2, ?3)");
    copy_table(from, to, "SELECT at, what, detail FROM journal",
               "INSERT INTO journal (at, what, detail) VALUES (?1, ?2, ?3)");
    /* Whoever holds a record is looked for by name, wherever the list of names has gone. */
    if (sqlite3_exec(to->db,
                     "INSERT OR IGNORE INTO owner SELECT owner FROM purchase WHERE owner IS NOT NULL; COMMIT",
                     NULL, NULL, NULL) != SQLITE_OK)
        return spraay_store_fail(to);
    err = spraay_store_audit(to);
    if (err != SPRAAY_OK) return err;
    return sqlite3_exec(to->db, "PRAGMA integrity_check", NULL, NULL, NULL) == SQLITE_OK
               ? err
               : spraay_store_fail(to);
}

/* One name for another; a name for a file that has none is fine. */
static bool put_aside(const char *from, const char *to, const char *suffix)
{
    char a[4096], b[4096];

    (void)snprintf(a, sizeof a, "%s%s", from, suffix);
    (void)snprintf(b, sizeof b, "%s%s", to, suffix);
    return rename(a, b) == 0 || access(a, F_OK) != 0;
}

static void sync_folder(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    int fd;

    (void)snprintf(folder, sizeof folder, "%.*s",
                   slash == NULL   ? 1
                   : slash == path ? 1
                                   : (int)(slash - path),
                   slash == NULL ? "." : path);
    fd = open(folder, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd);
    close(fd);
}

/* There is a file of that name at every moment, and never one with the log of another. */
static spraay_err exchange(spraay_store *s, const char *fresh, const char *aside)
{
    int guard = spraay_place_guard(&s->place, true);
    /* Where a file has one name only, it has none for a moment. */
    bool ok = guard >= 0 && (link(s->place.db, aside) == 0 || rename(s->place.db, aside) == 0) &&
              put_aside(s->place.db, aside, "-wal") && put_aside(s->place.db, aside, "-shm") &&
              rename(fresh, s->place.db) == 0;

    sync_folder(s->place.db);
    spraay_place_unguard(guard);
    if (ok) return SPRAAY_OK;
    s->trouble = SPRAAY_TROUBLE_WRITE;
    (void)snprintf(s->sentence, sizeof s->sentence, "%.200s could not be put aside", s->place.db);
    return SPRAAY_IO;
}

/* Whoever waits for the file meanwhile finds that it is another one now. A file too damaged to be locked is none
 * that anybody writes to. */
static spraay_err lock_old(spraay_store *s)
{
    spraay_err err;

    do {
        spraay_gate_leave(); /* whoever wants to fork does so here */
        spraay_gate_enter();
        s->trouble = SPRAAY_TROUBLE_NONE;
        err = spraay_store_reopen(s);
        if (err == SPRAAY_OK) {
            (void)sqlite3_exec(s->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
            if (sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
                err = spraay_store_fail(s);
        }
    } while (err != SPRAAY_OK && s->trouble == SPRAAY_TROUBLE_BUSY && spraay_gate_wanted());
    return err == SPRAAY_CHECKSUM && s->db != NULL ? SPRAAY_OK : err;
}

spraay_err spraay_store_repair(spraay_store *s, spraay_query *q, spraay_moment now)
{
    char fresh[4096], aside[4096];
    spraay_store to;
    spraay_err err;

    (void)snprintf(fresh, sizeof fresh, "%s.new", s->place.db);
    (void)snprintf(aside, sizeof aside, "%s.damaged-%lld", s->place.db, (long long)now.wall_s);
    for (int i = 1; access(aside, F_OK) == 0 && i < 100; i++)
        (void)snprintf(aside, sizeof aside, "%s.damaged-%lld-%d", s->place.db, (long long)now.wall_s, i);
    err = lock_old(s);
    if (err != SPRAAY_OK) return err;
    err = spraay_store_init(&to, fresh, s->keys);
    if (err != SPRAAY_OK) return err;
    err = fill(s, &to, q);
    if (err != SPRAAY_OK) {
        memcpy(s->sentence, to.sentence, sizeof s->sentence);
        s->trouble = to.trouble;
    }
    (void)sqlite3_close_v2(to.db);
    for (size_t i = 0; i < SPRAAY_STORE_STATEMENTS; i++) (void)sqlite3_finalize(to.statements[i]);
    to.db = NULL;
    if (err == SPRAAY_OK) err = exchange(s, fresh, aside);
    spraay_place_wipe(&to.place);
    spraay_store_rollback(s);
    spraay_store_forget(s);
    return err;
}
