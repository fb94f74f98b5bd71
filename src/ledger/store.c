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

static spraay_err run(spraay_store *s, unsigned slot, const char *sql)
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
static spraay_err look_through(spraay_store *s)
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
    return err == SPRAAY_OK ? run(s, SPRAAY_SLOT_BEGIN, "BEGIN IMMEDIATE") : err;
}

/* The file of that name, and no other that was put away or deleted while we waited for it. */
static spraay_err begin_in_place(spraay_store *s, bool survive)
{
    spraay_err err = SPRAAY_OK;

    for (int turns = 0; turns < 3; turns++) {
        err = begin(s, survive);
        if (err != SPRAAY_OK || spraay_place_same(&s->place, s->device, s->inode)) return err;
        (void)run(s, SPRAAY_SLOT_ROLLBACK, "ROLLBACK");
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
    if (s->db != NULL && sqlite3_get_autocommit(s->db) == 0) (void)run(s, SPRAAY_SLOT_ROLLBACK, "ROLLBACK");
    s->noted = s->trusted = false; /* perhaps they went with it */
    /* A file that failed is opened anew next time: the disk may have been seen to. */
    if (trouble == SPRAAY_TROUBLE_WRITE || trouble == SPRAAY_TROUBLE_CORRUPT) close_connection(s);
    memcpy(s->sentence, sentence, sizeof sentence);
    s->trouble = trouble;
}

spraay_err spraay_store_commit(spraay_store *s)
{
    spraay_err err = run(s, SPRAAY_SLOT_COMMIT, "COMMIT");

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

/* ---- claims ---- */

static bool is_mine(const spraay_store *s, const spraay_row *r)
{
    return strcmp(r->owner, s->me.id) == 0;
}

/* The stored answer of a purchase that has one. When it is gone, what was paid for is lost. */
static spraay_err read_result(spraay_store *s, spraay_row *r, spraay_moment now)
{
    bool has = r->p->state == SPRAAY_STATE_DELIVERED || r->p->state == SPRAAY_STATE_TAKEN, ok = true;
    spraay_err err = has ? spraay_answer_read(s, r->p) : SPRAAY_OK;

    if (err != SPRAAY_MISSING) return err;
    if (r->p->state == SPRAAY_STATE_TAKEN && !r->p->named) return SPRAAY_OK; /* handed over, and not kept */
    if (r->p->note == NULL) r->p->note = spraay_text_copy("its answer is gone from the ledger", &ok);
    return spraay_rules_event(r->p, SPRAAY_EVENT_MISLAY, now);
}

/* Hand the row to the caller, held by it from now on. The row's purchase moves into the job. */
static spraay_err hold(spraay_store *s, spraay_job *j, spraay_row *r)
{
    spraay_err err;

    if (!r->genuine)
        return spraay_store_corrupt(s, "the record of %s was changed by somebody else, or damaged", r->p->id);
    err = read_result(s, r, j->op.now);
    if (err != SPRAAY_OK) return err;
    r->p->claimed = j->op.claim->by_id == NULL; /* else only looked at: an equal call may have it */
    r->p->hold++;
    memcpy(r->owner, s->me.id, sizeof r->owner);
    err = spraay_row_write(s, r);
    if (err != SPRAAY_OK) return err;
    j->row = r->p;
    r->p = NULL;
    return SPRAAY_OK;
}

static spraay_err adopt(spraay_store *s, spraay_job *j, spraay_row *r)
{
    j->op.adopted = true;
    return hold(s, j, r);
}

static spraay_err begin_purchase(spraay_store *s, spraay_job *j, const char *id)
{
    const spraay_claim *c = j->op.claim;
    spraay_row r = { .p = spraay_purchase_new(), .fresh = true, .genuine = true };
    bool ok = true;
    spraay_err err;

    if (r.p == NULL) return SPRAAY_NOMEM;
    (void)snprintf(r.p->id, sizeof r.p->id, "%s", id);
    memcpy(r.p->key, c->key, 32);
    memcpy(r.p->request, c->request, 32);
    (void)snprintf(r.p->payer, sizeof r.p->payer, "%s", c->payer);
    r.p->named = c->name.n > 0;
    r.p->created = j->op.now.wall_s;
    r.p->state = spraay_state_next(SPRAAY_STATE_NONE, SPRAAY_EVENT_CLAIM);
    r.p->origin = spraay_text_copy(c->origin, &ok);
    for (size_t i = 0; i < SPRAAY_LABEL_COUNT; i++) r.p->label[i] = spraay_text_copy(c->label[i], &ok);
    err = ok ? hold(s, j, &r) : SPRAAY_NOMEM;
    spraay_row_wipe(&r);
    return err;
}

/* SPRAAY_BUSY for what a living call holds, or has in the air in another process. */
static spraay_err take_this(spraay_store *s, spraay_job *j, spraay_row *r)
{
    if (strcmp(r->p->payer, j->op.claim->payer) != 0) return SPRAAY_MISMATCH;
    if (r->p->claimed) return SPRAAY_BUSY;
    if (r->owner[0] != '\0' && !is_mine(s, r)) {
        j->op.trouble = SPRAAY_TROUBLE_ELSEWHERE;
        return SPRAAY_BUSY;
    }
    return adopt(s, j, r);
}

static spraay_err claim_by_id(spraay_store *s, spraay_job *j)
{
    spraay_row r;
    spraay_err err = spraay_row_find(&r, s, j->op.claim->by_id);

    if (err == SPRAAY_OK) err = take_this(s, j, &r);
    spraay_row_wipe(&r);
    return err;
}

/* A name of a run belongs to one live process. */
static spraay_err enter_run(spraay_store *s, spraay_job *j, const char *name)
{
    sqlite3_stmt *q =
        spraay_store_statement(s, SPRAAY_SLOT_RUN_FIND, "SELECT owner FROM run WHERE name = ?1");
    bool mine = false, others = false;
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    err = spraay_store_next(s, q);
    if (err == SPRAAY_OK) {
        const char *owner = (const char *)sqlite3_column_text(q, 0);
        mine = owner != NULL && strcmp(owner, s->me.id) == 0;
        others = owner != NULL && !mine; /* the dead were buried before */
    }
    (void)sqlite3_reset(q);
    if (err != SPRAAY_OK && err != SPRAAY_MISSING) return err;
    if (others) {
        j->op.trouble = SPRAAY_TROUBLE_RUN;
        return SPRAAY_BUSY;
    }
    if (mine) return SPRAAY_OK;
    q = spraay_store_statement(
        s, SPRAAY_SLOT_RUN_WRITE,
        "INSERT INTO run (name, owner) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET "
        "owner = ?2");
    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, s->me.id, -1, SQLITE_STATIC);
    return spraay_store_run(s, q);
}

/* In flight here, or handed out by this process: the next equal one of the run is meant. */
static bool is_passed(const spraay_store *s, const spraay_row *r)
{
    return r->p->claimed || (r->p->state == SPRAAY_STATE_TAKEN && strcmp(r->taken_by, s->me.id) == 0);
}

static spraay_err claim_named(spraay_store *s, spraay_job *j)
{
    const spraay_claim *c = j->op.claim;
    char id[SPRAAY_PURCHASE_ID + 1];
    spraay_row r;
    spraay_err err = c->in_run ? enter_run(s, j, c->run) : SPRAAY_OK;

    for (j->op.occurrence = c->from; err == SPRAAY_OK; j->op.occurrence++) {
        bool passed;

        spraay_claim_id(id, c, j->op.occurrence);
        err = spraay_row_find(&r, s, id);
        if (err == SPRAAY_MISSING) return begin_purchase(s, j, id);
        if (err != SPRAAY_OK) return err;
        passed = c->in_run && is_passed(s, &r);
        if (!passed) err = memcmp(r.p->request, c->request, 32) != 0 ? SPRAAY_MISMATCH : take_this(s, j, &r);
        spraay_row_wipe(&r);
        if (!passed) return err;
    }
    return err;
}

/* What is bought anew is not continued any more. */
static spraay_err give_up(spraay_store *s, spraay_row *r)
{
    if (!r->genuine) return SPRAAY_OK;
    r->p->booked = true;
    return spraay_row_write(s, r);
}

/* The oldest equal one that nobody holds. SPRAAY_MISSING: there is none. */
static spraay_err claim_equal(spraay_store *s, spraay_job *j)
{
    static const char sql[] =
        "SELECT " SPRAAY_ROW_COLUMNS " FROM purchase WHERE key = ?1 AND folded = 0 AND named = 0 ORDER BY n";
    const spraay_claim *c = j->op.claim;
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_BY_KEY, sql);
    bool found = false;
    spraay_row r;
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_blob(q, 1, c->key, 32, SQLITE_STATIC);
    while (!found && (err = spraay_store_next(s, q)) == SPRAAY_OK) {
        err = spraay_row_read(&r, s, q);
        if (err != SPRAAY_OK) break;
        if (!r.p->claimed && spraay_rules_adoptable(r.p) && spraay_rules_held(r.p, j->op.now)) {
            found = !c->again;
            err = found ? take_this(s, j, &r) : give_up(s, &r);
        }
        spraay_row_wipe(&r);
        if (err != SPRAAY_OK) break;
    }
    (void)sqlite3_reset(q);
    return err;
}

static spraay_err claim(spraay_store *s, spraay_job *j)
{
    const spraay_claim *c = j->op.claim;
    spraay_err err = look_through(s);

    if (err == SPRAAY_OK) err = spraay_store_price(s, c, j->op.price);
    if (err != SPRAAY_OK) return err;
    if (c->by_id != NULL) return claim_by_id(s, j);
    if (c->name.n > 0) return claim_named(s, j);
    err = claim_equal(s, j);
    return err == SPRAAY_MISSING ? begin_purchase(s, j, c->fresh_id) : err;
}

/* ---- everything else about a purchase ---- */

/* A claim is answered before its commit. When that failed, and nobody has claimed the purchase since, it is
 * ours all the same. */
static bool was_promised(const spraay_row *r, const spraay_job *j)
{
    return r->owner[0] == '\0' && j->op.kind != SPRAAY_OP_RELEASE && j->facts->hold == r->p->hold + 1;
}

/* The caller's row. A claim that was not recorded, or whose file was taken away under us, is recorded now: what
 * is signed must be known. */
static spraay_err ours(spraay_row *r, spraay_store *s, const spraay_job *j)
{
    spraay_err err = spraay_row_find(r, s, j->facts->id);

    if (err == SPRAAY_MISSING && j->op.kind != SPRAAY_OP_RELEASE) {
        err = spraay_purchase_copy(&r->p, j->facts);
        if (err != SPRAAY_OK) return err;
        memcpy(r->owner, s->me.id, sizeof r->owner);
        r->fresh = r->genuine = true;
    }
    if (err != SPRAAY_OK) return err == SPRAAY_MISSING ? SPRAAY_STATE : err;
    if (!r->genuine)
        return spraay_store_corrupt(s, "the record of %s was changed by somebody else, or damaged", r->p->id);
    if (is_mine(s, r)) return SPRAAY_OK;
    if (!was_promised(r, j)) return SPRAAY_STATE;
    memcpy(r->owner, s->me.id, sizeof r->owner);
    r->p->hold = j->facts->hold;
    r->p->claimed = j->facts->claimed;
    return SPRAAY_OK;
}

static spraay_err reserve(spraay_store *s, spraay_job *j, spraay_row *r)
{
    spraay_reservation want;
    spraay_sums sums;
    spraay_err err = look_through(s);

    if (err != SPRAAY_OK) return err;
    if (j->op.amount > INT64_MAX) return SPRAAY_RANGE;
    want = spraay_rules_reservation(r->p, j->op.budget_scope, j->op.amount);
    if (spraay_state_next(r->p->state, SPRAAY_EVENT_RESERVE) == SPRAAY_STATE_NONE) return SPRAAY_STATE;
    err = spraay_store_sums(s, &j->op, r->p, &sums);
    if (err == SPRAAY_OK && j->op.pin) err = spraay_store_pin(s, r->p, &j->op);
    if (err == SPRAAY_OK) err = spraay_sums_judge(&sums, want, &j->op.caps, &j->op.refusal);
    if (err == SPRAAY_OK) err = spraay_rules_reserve(r->p, j->op.budget_scope, want);
    return err == SPRAAY_OK ? spraay_row_write(s, r) : err;
}

/* The lost epoch of a purchase that is bought again stays on record as a purchase of its own. */
static spraay_err keep_lost(spraay_store *s, const spraay_row *r)
{
    spraay_row past = { .fresh = true, .genuine = true, .folded = true };
    spraay_err err = spraay_purchase_copy(&past.p, r->p);

    if (err != SPRAAY_OK) return err;
    (void)snprintf(past.p->id, sizeof past.p->id, "%.29s_e%05u", r->p->id, r->p->epoch % 100000);
    past.p->booked = true;
    past.p->claimed = past.p->reserved = false;
    if (!r->folded) err = spraay_store_fold(s, past.p);
    if (err == SPRAAY_OK) err = spraay_row_write(s, &past);
    spraay_row_wipe(&past);
    return err;
}

static spraay_err let_return(spraay_store *s, spraay_job *j, spraay_row *r)
{
    spraay_err err = SPRAAY_OK;

    /* An equal call has claimed it since, before it knew: it is that one's to release. */
    if (j->op.kind == SPRAAY_OP_RELEASE && j->facts->hold != r->p->hold) return SPRAAY_OK;
    if (j->op.kind == SPRAAY_OP_RELEASE && j->op.book) r->p->booked = true;
    switch (spraay_rules_release(r->p)) {
    case SPRAAY_FATE_DROP:
        err = spraay_store_drop_pins(s, r->p->id);
        return err == SPRAAY_OK ? spraay_row_delete(s, r->p->id) : err;
    case SPRAAY_FATE_HISTORY:
        if (!r->folded) err = spraay_store_fold(s, r->p);
        r->folded = true;
        break;
    case SPRAAY_FATE_KEEP: break;
    }
    if (j->op.kind != SPRAAY_OP_RELEASE || j->op.landed) r->owner[0] = '\0';
    return err == SPRAAY_OK ? spraay_row_write(s, r) : err;
}

static spraay_err not_reserved(spraay_store *s)
{
    (void)snprintf(s->sentence, sizeof s->sentence, "%.180s: the amount reserved before was not recorded",
                   s->place.db);
    s->trouble = SPRAAY_TROUBLE_WRITE;
    return SPRAAY_IO;
}

static spraay_err event(spraay_store *s, spraay_job *j, spraay_row *r)
{
    bool repay = j->op.event == SPRAAY_EVENT_REPAY && r->p->state == SPRAAY_STATE_PAID_LOST;
    bool binds = j->op.event == SPRAAY_EVENT_SIGN || j->op.event == SPRAAY_EVENT_ASK;
    spraay_err err;

    /* A reservation is answered before its commit, too: nothing is signed that no cap has seen. */
    if (binds && !r->p->reserved) return not_reserved(s);
    err = repay ? keep_lost(s, r) : spraay_purchase_take_facts(r->p, j->facts);
    if (err == SPRAAY_OK) err = spraay_rules_event(r->p, j->op.event, j->op.now);
    if (err != SPRAAY_OK) return err;
    if (repay) r->folded = false; /* its past is a row of its own */
    switch (r->p->state) {
    case SPRAAY_STATE_DELIVERED:
        err = spraay_answer_write(s, r->p, &j->object->stored);
        if (err == SPRAAY_OK && strcmp(r->p->stored.payment, "settled") == 0)
            err = spraay_store_confirm_pin(s, r->p);
        break;
    case SPRAAY_STATE_PAID_LOST: err = spraay_store_confirm_pin(s, r->p); break;
    case SPRAAY_STATE_TAKEN:
        memcpy(r->taken_by, s->me.id, sizeof r->taken_by);
        if (!r->p->named) err = spraay_answer_delete(s, r->p->id);
        break;
    case SPRAAY_STATE_RESERVED: /* let go of while it was in the air, and it turns out that it never was? */
        if (!r->p->claimed) return let_return(s, j, r);
        break;
    default: break;
    }
    return err == SPRAAY_OK ? spraay_row_write(s, r) : err;
}

static spraay_err with_row(spraay_store *s, spraay_job *j)
{
    spraay_row r;
    spraay_err err = ours(&r, s, j);

    if (err == SPRAAY_OK) {
        switch (j->op.kind) {
        case SPRAAY_OP_RESERVE: err = reserve(s, j, &r); break;
        case SPRAAY_OP_EVENT: err = event(s, j, &r); break;
        default: err = let_return(s, j, &r); break;
        }
    }
    if (err == SPRAAY_OK) {
        j->row = r.p;
        r.p = NULL;
    }
    spraay_row_wipe(&r);
    return err;
}

static spraay_err work(spraay_store *s, spraay_job *j)
{
    switch (j->op.kind) {
    case SPRAAY_OP_CLAIM: return claim(s, j);
    case SPRAAY_OP_TOTALS: return spraay_store_totals(s, &j->op);
    case SPRAAY_OP_QUERY: return spraay_store_query(s, j);
    default: return with_row(s, j);
    }
}

/* Undo one job, and leave the words that explain it. What cannot be undone takes all with it. */
static void back_out(spraay_store *s)
{
    char sentence[sizeof s->sentence];
    spraay_ledger_trouble trouble = s->trouble;

    memcpy(sentence, s->sentence, sizeof sentence);
    if (run(s, SPRAAY_SLOT_BACK, "ROLLBACK TO job") != SPRAAY_OK ||
        run(s, SPRAAY_SLOT_UNSAVE, "RELEASE job") != SPRAAY_OK) {
        s->lost = true;
        return;
    }
    memcpy(s->sentence, sentence, sizeof sentence);
    s->trouble = trouble;
}

void spraay_store_apply(spraay_store *s, spraay_job *j)
{
    spraay_err err = run(s, SPRAAY_SLOT_SAVE, "SAVEPOINT job");

    if (err == SPRAAY_OK) err = work(s, j);
    if (err != SPRAAY_OK) {
        if (j->op.trouble == SPRAAY_TROUBLE_NONE) j->op.trouble = s->trouble;
        memcpy(j->op.sentence, s->sentence, sizeof j->op.sentence);
        spraay_purchase_unref(j->row);
        j->row = NULL;
        if (!s->lost) back_out(s);
    } else if (run(s, SPRAAY_SLOT_UNSAVE, "RELEASE job") != SPRAAY_OK) {
        s->lost = true;
    }
    j->op.err = err;
}
