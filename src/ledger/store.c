/* SPDX-License-Identifier: MIT */
/* The connection, its transactions, and what is done with one purchase; see ledger/store.h. */
#include "ledger/store.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/time.h"
#include "ledger/gate.h"
#include "ledger/rows.h"
#include "ledger/rules.h"
#include "ledger/schema.h"
#include "ledger/store_private.h"
#include "x402/words.h"

#define BUSY_MS 20000 /* how long others may hold the file before it is an error */

/* ---- statements ---- */

spraay_err spraay_store_fail(spraay_store *s)
{
    int rc = s->db != NULL ? sqlite3_errcode(s->db) & 0xff : SQLITE_NOMEM;
    char words[112]; /* of a damaged file they may quote anything */

    spraay_words_copy(words, sizeof words,
                      spraay_slice_from(s->db != NULL ? sqlite3_errmsg(s->db) : "out of memory"));
    (void)snprintf(s->sentence, sizeof s->sentence, "%.120s: %s", s->place.db, words);
    s->trouble = rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ? SPRAAY_TROUBLE_CORRUPT
                 : rc == SQLITE_BUSY || rc == SQLITE_LOCKED  ? SPRAAY_TROUBLE_BUSY
                                                             : SPRAAY_TROUBLE_WRITE;
    /* https://www.sqlite.org/lang_transaction.html: some errors roll all of it back by themselves, or should.
     * A statement that cannot be is an error of its own. */
    s->lost = rc != SQLITE_ERROR && rc != SQLITE_CONSTRAINT && rc != SQLITE_MISMATCH && rc != SQLITE_TOOBIG &&
              rc != SQLITE_RANGE && s->trouble != SPRAAY_TROUBLE_CORRUPT;
    if (s->db == NULL || sqlite3_get_autocommit(s->db) != 0) s->lost = true;
    return s->trouble == SPRAAY_TROUBLE_CORRUPT ? SPRAAY_CHECKSUM : SPRAAY_IO;
}

spraay_err spraay_store_corrupt(spraay_store *s, const char *fmt, ...)
{
    char what[160];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    (void)snprintf(s->sentence, sizeof s->sentence, "%.90s: %.155s", s->place.db, what);
    s->trouble = SPRAAY_TROUBLE_CORRUPT;
    return SPRAAY_CHECKSUM;
}

sqlite3_stmt *spraay_store_statement(spraay_store *s, unsigned slot, const char *sql)
{
    sqlite3_stmt **at = &s->statements[slot];

    if (*at == NULL && sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, at, NULL) != SQLITE_OK) {
        (void)spraay_store_fail(s);
        return NULL;
    }
    (void)sqlite3_reset(*at);
    (void)sqlite3_clear_bindings(*at);
    return *at;
}

spraay_err spraay_store_next(spraay_store *s, sqlite3_stmt *statement)
{
    switch (sqlite3_step(statement)) {
    case SQLITE_ROW: return SPRAAY_OK;
    case SQLITE_DONE: return SPRAAY_MISSING;
    default: return spraay_store_fail(s);
    }
}

spraay_err spraay_store_run(spraay_store *s, sqlite3_stmt *statement)
{
    spraay_err err = spraay_store_next(s, statement);

    (void)sqlite3_reset(statement);
    return err == SPRAAY_MISSING ? SPRAAY_OK : err;
}

spraay_err store_run_text(spraay_store *s, unsigned slot, const char *sql)
{
    sqlite3_stmt *q = spraay_store_statement(s, slot, sql);

    return q == NULL ? SPRAAY_IO : spraay_store_run(s, q);
}

/* ---- the connection ---- */

static void read_boot(char boot[40])
{
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");

    /* Without a name for it, moments of another process are of another start. */
    boot[0] = '\0';
    if (f == NULL) return;
    if (fgets(boot, 40, f) == NULL) boot[0] = '\0';
    boot[strcspn(boot, "\n")] = '\0';
    (void)fclose(f);
}

spraay_err spraay_store_init(spraay_store *s, const char *path, spraay_keyring *keys)
{
    memset(s, 0, sizeof *s);
    s->keys = keys;
    s->me.fd = -1;
    return spraay_place_name(&s->place, path);
}

/* The last connection to close moves the log into the file and removes the log, by its name. 'plainly': not
 * so, for another file may have that name by now. */
static void let_go(spraay_store *s, bool plainly)
{
    for (size_t i = 0; i < SPRAAY_STORE_STATEMENTS; i++) {
        (void)sqlite3_finalize(s->statements[i]);
        s->statements[i] = NULL;
    }
    if (s->db != NULL && plainly) (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_close_v2(s->db);
    s->db = NULL;
    s->noted = false;
    s->trusted = false;
}

static void close_connection(spraay_store *s)
{
    int guard = s->db != NULL ? spraay_place_guard(&s->place, false) : -1;

    let_go(s, !spraay_place_same(&s->place, s->device, s->inode));
    spraay_place_unguard(guard);
}

void spraay_store_close(spraay_store *s)
{
    close_connection(s);
    spraay_owner_release(&s->me, s->place.owners, false);
}

void spraay_store_disown(spraay_store *s)
{
    let_go(s, true);
    spraay_owner_release(&s->me, s->place.owners, true);
}

void spraay_store_wipe(spraay_store *s)
{
    spraay_store_close(s);
    spraay_place_wipe(&s->place);
}

/* Wait while others write, but not in the way of a fork: spraay_store_begin comes again then. */
static int wait_for_others(void *ud, int times)
{
    spraay_store *s = ud;
    struct timespec pause = { 0, (times < 20 ? 1 + times : 20) * 1000000L };

    if (times == 0) s->busy_since_ms = spraay_mono_ms();
    if (spraay_gate_wanted() || spraay_mono_ms() - s->busy_since_ms > BUSY_MS) return 0;
    (void)nanosleep(&pause, NULL);
    return 1;
}

static spraay_err open_failed(spraay_store *s, spraay_err err)
{
    if (err == SPRAAY_VERSION) {
        s->trouble = SPRAAY_TROUBLE_NEWER;
        (void)snprintf(s->sentence, sizeof s->sentence, "%.180s was written by a later release", s->place.db);
    } else if (err == SPRAAY_TYPE) {
        s->trouble = SPRAAY_TROUBLE_OPEN;
        (void)snprintf(s->sentence, sizeof s->sentence, "%.180s is a database of something else",
                       s->place.db);
    } else if (err == SPRAAY_NOMEM) {
        s->trouble = SPRAAY_TROUBLE_OPEN;
        (void)snprintf(s->sentence, sizeof s->sentence, "%.180s: out of memory", s->place.db);
    } else {
        err = spraay_store_fail(s);
        if (s->trouble == SPRAAY_TROUBLE_WRITE) s->trouble = SPRAAY_TROUBLE_OPEN;
    }
    close_connection(s);
    return err;
}

static spraay_err open_file(spraay_store *s)
{
    int found = 0;
    spraay_err err;

    if (sqlite3_open_v2(s->place.db, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return SPRAAY_IO;
    (void)sqlite3_extended_result_codes(s->db, 1);
    (void)sqlite3_busy_handler(s->db, wait_for_others, s);
    if (!spraay_place_identity(&s->place, &s->device, &s->inode)) return SPRAAY_IO;
    err = spraay_schema_check(s->db); /* before anything is written to what may be somebody else's */
    if (err == SPRAAY_OK) err = spraay_schema_prepare(s->db);
    return err == SPRAAY_OK ? spraay_schema_upgrade(s->db, &found) : err;
}

static spraay_err open_connection(spraay_store *s)
{
    int guard;
    spraay_err err = spraay_place_make(&s->place, s->sentence);

    if (err != SPRAAY_OK) {
        s->trouble = err == SPRAAY_UNSUPPORTED ? SPRAAY_TROUBLE_NETWORK_FS : SPRAAY_TROUBLE_OPEN;
        return err;
    }
    if (s->me.fd < 0) {
        err = spraay_owner_take(&s->me, s->place.owners);
        if (err != SPRAAY_OK) {
            s->trouble = SPRAAY_TROUBLE_OPEN;
            (void)snprintf(s->sentence, sizeof s->sentence, "%.180s: no lock can be had there",
                           s->place.owners);
            return err;
        }
    }
    read_boot(s->boot);
    guard =
        spraay_place_guard(&s->place, false); /* no other file takes the name while its log is looked for */
    err = open_file(s);
    spraay_place_unguard(guard);
    if (err != SPRAAY_OK) return open_failed(s, err);
    s->full = true;
    return SPRAAY_OK;
}

spraay_err spraay_store_reopen(spraay_store *s)
{
    spraay_err err;

    close_connection(s);
    err = open_connection(s);
    if (err == SPRAAY_OK || s->trouble != SPRAAY_TROUBLE_CORRUPT) return err;
    /* Damaged in its first page: whatever SQLite makes of the rest. */
    if (sqlite3_open_v2(s->place.db, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return open_failed(s, SPRAAY_IO);
    (void)spraay_place_identity(&s->place, &s->device, &s->inode);
    return SPRAAY_OK;
}

void spraay_store_forget(spraay_store *s)
{
    close_connection(s);
}

/* ---- transactions ---- */

/* What a dead process left: its claims are nobody's, its unsigned reservations are gone. */
static spraay_err bury(spraay_store *s, const char *owner)
{
    static const struct {
        unsigned slot;
        const char *sql;
    } steps[] = {
        { SPRAAY_SLOT_FREE_PINS,
          "DELETE FROM pin WHERE confirmed = 0 AND purchase IN (SELECT id FROM purchase WHERE "
          "owner = ?1 AND state IN ('intent', 'reserved') AND voided = 0) AND " SPRAAY_NOBODY_LEANS_ON_PIN },
        { SPRAAY_SLOT_FREE_ROWS,
          "DELETE FROM purchase WHERE owner = ?1 AND state IN ('intent', 'reserved') AND "
          "voided = 0" },
        { SPRAAY_SLOT_FREE_HELD,
          "UPDATE purchase SET owner = NULL, claimed = 0, reserved = 0 WHERE owner = ?1" },
        { SPRAAY_SLOT_FREE_RUNS, "UPDATE run SET owner = NULL WHERE owner = ?1" },
        { SPRAAY_SLOT_FREE_TURNS, "DELETE FROM chain_sender WHERE owner = ?1" },
        { SPRAAY_SLOT_OWNER_FORGET, "DELETE FROM owner WHERE id = ?1" },
    };
    spraay_err err = SPRAAY_OK;

    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && err == SPRAAY_OK; i++) {
        sqlite3_stmt *q = spraay_store_statement(s, steps[i].slot, steps[i].sql);
        if (q == NULL) return SPRAAY_IO;
        (void)sqlite3_bind_text(q, 1, owner, -1, SQLITE_STATIC);
        err = spraay_store_run(s, q);
    }
    return err;
}

#define OWNERS_MAX 256 /* looked at in one go; the rest has its turn in a later transaction */

static spraay_err bury_the_dead(spraay_store *s)
{
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_OWNERS, "SELECT id FROM owner");
    char(*dead)[SPRAAY_OWNER_ID + 1] = NULL;
    size_t n = 0;
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    while ((err = spraay_store_next(s, q)) == SPRAAY_OK && n < OWNERS_MAX) {
        const char *id = (const char *)sqlite3_column_text(q, 0);
        if (id == NULL || strcmp(id, s->me.id) == 0 || spraay_owner_is_alive(id, s->place.owners)) continue;
        if (dead == NULL) dead = malloc(OWNERS_MAX * sizeof *dead);
        if (dead == NULL) break;
        (void)snprintf(dead[n++], sizeof *dead, "%s", id);
    }
    (void)sqlite3_reset(q);
    err = err == SPRAAY_MISSING || err == SPRAAY_OK ? SPRAAY_OK : err;
    for (size_t i = 0; i < n && err == SPRAAY_OK; i++) err = bury(s, dead[i]);
    free(dead);
    return err;
}

/* Has anybody else written since all that counts was looked through, or has a key come that can tell more? */
static spraay_err see_who_wrote(spraay_store *s)
{
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_VERSION, "PRAGMA data_version");
    unsigned keys = spraay_keyring_count(s->keys);
    spraay_err err;
    int64_t version;

    if (q == NULL) return SPRAAY_IO;
    err = spraay_store_next(s, q);
    version = err == SPRAAY_OK ? sqlite3_column_int64(q, 0) : 0;
    (void)sqlite3_reset(q);
    if (err != SPRAAY_OK) return err == SPRAAY_MISSING ? spraay_store_fail(s) : err;
    s->trusted = s->trusted && version == s->seen_version && keys == s->seen_keys;
    s->noted = s->noted && version == s->seen_version; /* who takes us for dead strikes our name out */
    s->seen_version = version;
    s->seen_keys = keys;
    return SPRAAY_OK;
}

/* Before money is committed on the word of what is on record. */
spraay_err store_look_through(spraay_store *s)
{
    spraay_err err = s->trusted ? SPRAAY_OK : spraay_store_audit(s);

    s->trusted = err == SPRAAY_OK;
    return err;
}

static spraay_err begin(spraay_store *s, bool survive)
{
    spraay_err err = SPRAAY_OK;

    if (s->db == NULL) err = open_connection(s);
    if (err == SPRAAY_OK && survive != s->full) {
        if (sqlite3_exec(s->db, survive ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", NULL,
                         NULL, NULL) != SQLITE_OK)
            return spraay_store_fail(s);
        s->full = survive;
    }
    return err == SPRAAY_OK ? store_run_text(s, SPRAAY_SLOT_BEGIN, "BEGIN IMMEDIATE") : err;
}

/* The file of that name, and no other that was put away or deleted while we waited for it. */
static spraay_err begin_in_place(spraay_store *s, bool survive)
{
    spraay_err err = SPRAAY_OK;

    for (int turns = 0; turns < 3; turns++) {
        err = begin(s, survive);
        if (err != SPRAAY_OK || spraay_place_same(&s->place, s->device, s->inode)) return err;
        (void)store_run_text(s, SPRAAY_SLOT_ROLLBACK, "ROLLBACK");
        close_connection(s);
    }
    s->trouble = SPRAAY_TROUBLE_OPEN;
    (void)snprintf(s->sentence, sizeof s->sentence, "%.180s is replaced all the time", s->place.db);
    return SPRAAY_IO;
}

/* Before anything of ours is on record: who died is looked for among the names there. */
static spraay_err note_us(spraay_store *s)
{
    sqlite3_stmt *q =
        spraay_store_statement(s, SPRAAY_SLOT_OWNER_NOTE, "INSERT OR IGNORE INTO owner (id) VALUES (?1)");
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, s->me.id, -1, SQLITE_STATIC);
    err = spraay_store_run(s, q);
    s->noted = err == SPRAAY_OK;
    return err;
}

/* For a fork; or because several open the file for the first time, where SQLite does not wait by itself. */
static bool may_begin_again(const spraay_store *s, int64_t began_ms)
{
    static const struct timespec pause = { 0, 5000000 };

    if (spraay_gate_wanted()) return true;
    if (s->db != NULL || spraay_mono_ms() - began_ms > BUSY_MS) return false;
    (void)nanosleep(&pause, NULL);
    return true;
}

spraay_err spraay_store_begin(spraay_store *s, spraay_moment now, bool survive)
{
    int64_t began_ms = spraay_mono_ms();
    spraay_err err;

    (void)now;
    do {
        spraay_gate_leave(); /* whoever wants to fork does so here */
        spraay_gate_enter();
        s->trouble = SPRAAY_TROUBLE_NONE;
        s->sentence[0] = '\0';
        s->lost = false;
        err = begin_in_place(s, survive);
    } while (err != SPRAAY_OK && s->trouble == SPRAAY_TROUBLE_BUSY && may_begin_again(s, began_ms));
    if (err == SPRAAY_OK) err = see_who_wrote(s);
    if (err == SPRAAY_OK && !s->noted) err = note_us(s);
    if (err == SPRAAY_OK) err = bury_the_dead(s);
    if (err != SPRAAY_OK) spraay_store_rollback(s);
    return err;
}

void spraay_store_rollback(spraay_store *s)
{
    char sentence[sizeof s->sentence];
    spraay_ledger_trouble trouble = s->trouble;

    memcpy(sentence, s->sentence, sizeof sentence);
    if (s->db != NULL && sqlite3_get_autocommit(s->db) == 0)
        (void)store_run_text(s, SPRAAY_SLOT_ROLLBACK, "ROLLBACK");
    s->noted = s->trusted = false; /* perhaps they went with it */
    /* A file that failed is opened anew next time: the disk may have been seen to. */
    if (trouble == SPRAAY_TROUBLE_WRITE || trouble == SPRAAY_TROUBLE_CORRUPT) close_connection(s);
    memcpy(s->sentence, sentence, sizeof sentence);
    s->trouble = trouble;
}

spraay_err spraay_store_commit(spraay_store *s)
{
    spraay_err err = store_run_text(s, SPRAAY_SLOT_COMMIT, "COMMIT");

    if (err != SPRAAY_OK) spraay_store_rollback(s);
    return err;
}

bool spraay_job_must_survive(const spraay_job *j)
{
    if (j->op.kind == SPRAAY_OP_QUERY) return true;
    if (j->op.kind != SPRAAY_OP_EVENT) return false;
    switch (j->op.event) {
    case SPRAAY_EVENT_ASK:
    case SPRAAY_EVENT_SIGN:
    case SPRAAY_EVENT_DELIVER:
    case SPRAAY_EVENT_PROVE_UNUSED:
    case SPRAAY_EVENT_PROVE_USED:
    case SPRAAY_EVENT_REPAY: return true;
    default: return false; /* undone by a power cut, it is found again from what was recorded before */
    }
}
