/* SPDX-License-Identifier: MIT */
/* Which purchase a call gets: one that is on record and that nobody holds, or a new one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/rows.h"
#include "ledger/rules.h"
#include "ledger/store_private.h"

bool store_is_mine(const spraay_store *s, const spraay_row *r)
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

/* Before anything in a row is believed. */
static spraay_err believe(spraay_store *s, const spraay_row *r)
{
    if (r->genuine) return SPRAAY_OK;
    return spraay_store_corrupt(s, "the record of %s was changed by somebody else, or damaged", r->p->id);
}

/* Hand the row to the caller, held by it from now on. The row's purchase moves into the job. */
static spraay_err hold(spraay_store *s, spraay_job *j, spraay_row *r)
{
    spraay_err err = believe(s, r);

    if (err == SPRAAY_OK) err = read_result(s, r, j->op.now);
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
    memcpy(r.p->twin, c->twin, 32);
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
    if (!spraay_claim_is_payer(j->op.claim, r->p->payer)) {
        if (!spraay_claim_is_equal(j->op.claim, r->p))
            return SPRAAY_MISMATCH; /* a name that others use too */
        j->op.trouble = SPRAAY_TROUBLE_WALLET;
        (void)snprintf(s->sentence, sizeof s->sentence, "%s", r->p->payer);
        return SPRAAY_MISMATCH;
    }
    if (r->p->claimed) return SPRAAY_BUSY;
    if (r->owner[0] != '\0' && !store_is_mine(s, r)) {
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
    bool handed_out =
        r->p->state == SPRAAY_STATE_TAKEN || (r->p->booked && spraay_state_is_open(r->p->state));
    return r->p->claimed || (handed_out && strcmp(r->taken_by, s->me.id) == 0);
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
        err = believe(s, &r);
        passed = err == SPRAAY_OK && c->in_run && is_passed(s, &r);
        if (err == SPRAAY_OK && !passed)
            err = memcmp(r.p->request, c->request, 32) != 0 ? SPRAAY_MISMATCH : take_this(s, j, &r);
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

/* Of another wallet, and dead by proof: nothing of it is left to go on with. */
static bool is_done_with(const spraay_claim *c, const spraay_purchase *p)
{
    return p->state == SPRAAY_STATE_VOID && !spraay_claim_is_payer(c, p->payer);
}

/* The oldest equal one that nobody holds. SPRAAY_MISSING: there is none. */
static spraay_err claim_equal(spraay_store *s, spraay_job *j)
{
    /* Each side says what its partial index wants to hear; else the whole table is read. */
    static const char sql[] = "SELECT " SPRAAY_ROW_COLUMNS " FROM purchase WHERE "
                              "((key IN (?1, ?2) AND folded = 0) OR "
                              "(twin IN (?1, ?2) AND twin IS NOT NULL AND folded = 0)) "
                              "AND named = 0 ORDER BY n";
    const spraay_claim *c = j->op.claim;
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_BY_KEY, sql);
    bool found = false;
    spraay_row r;
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_blob(q, 1, c->key, 32, SQLITE_STATIC);
    (void)sqlite3_bind_blob(q, 2, c->also != NULL ? c->twin : c->key, 32, SQLITE_STATIC);
    while (!found && (err = spraay_store_next(s, q)) == SPRAAY_OK) {
        err = spraay_row_read(&r, s, q);
        if (err != SPRAAY_OK) break;
        if (!r.p->claimed && !is_done_with(c, r.p) && spraay_rules_adoptable(r.p) &&
            spraay_rules_held(r.p, j->op.now)) {
            found = !c->again;
            err = found ? take_this(s, j, &r) : give_up(s, &r);
        }
        spraay_row_wipe(&r);
        if (err != SPRAAY_OK) break;
    }
    (void)sqlite3_reset(q);
    return err;
}

spraay_err store_claim(spraay_store *s, spraay_job *j)
{
    const spraay_claim *c = j->op.claim;
    spraay_err err = store_look_through(s);

    if (err == SPRAAY_OK) err = spraay_store_price(s, c, j->op.price);
    if (err != SPRAAY_OK) return err;
    if (c->by_id != NULL) return claim_by_id(s, j);
    if (c->name.n > 0) return claim_named(s, j);
    err = claim_equal(s, j);
    return err == SPRAAY_MISSING ? begin_purchase(s, j, c->fresh_id) : err;
}
