/* SPDX-License-Identifier: MIT */
/* What happens to a purchase that is held: reservations, events, releases; and the savepoint around each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/rows.h"
#include "ledger/rules.h"
#include "ledger/store_private.h"

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
        r->p->reserved = false; /* what its driver believes; on record it is not */
    }
    if (err != SPRAAY_OK) return err == SPRAAY_MISSING ? SPRAAY_STATE : err;
    if (!r->genuine)
        return spraay_store_corrupt(s, "the record of %s was changed by somebody else, or damaged", r->p->id);
    if (store_is_mine(s, r)) return SPRAAY_OK;
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
    spraay_err err = store_look_through(s);

    if (err != SPRAAY_OK) return err;
    if (j->op.amount > INT64_MAX) return SPRAAY_RANGE;
    if (!r->p->fixed) memcpy(r->p->payer, j->facts->payer, sizeof r->p->payer);
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
    if (spraay_purchase_is_on_chain(r->p)) err = store_chain_leave(s, r->p);
    if (err != SPRAAY_OK) return err;
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

/* An answer too large for memory is on the disk before its record. */
static spraay_err sync_answer(spraay_store *s, const char *file)
{
    if (file == NULL || spraay_place_sync(file) == SPRAAY_OK) return SPRAAY_OK;
    (void)snprintf(s->sentence, sizeof s->sentence, "%.180s could not be written to the disk", file);
    s->trouble = SPRAAY_TROUBLE_WRITE;
    return SPRAAY_IO;
}

#define MESSAGE_LIFE_S 86400 /* far longer than any message can settle */

/* SPRAAY_REFUSED: the memo is the mark of another purchase, which would look paid by this one. */
static spraay_err sign_memo(spraay_store *s, const spraay_purchase *p)
{
    sqlite3_stmt *q =
        spraay_store_statement(s, SPRAAY_SLOT_MEMO_FIND,
                               "SELECT 1 FROM purchase WHERE substr(mark, 1, 16) = ?1 AND id <> ?2 LIMIT 1");
    spraay_err err;

    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_blob(q, 1, p->memo16, sizeof p->memo16, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, p->id, -1, SQLITE_STATIC);
    err = spraay_store_next(s, q);
    (void)sqlite3_reset(q);
    if (err == SPRAAY_MISSING) return SPRAAY_OK;
    return err == SPRAAY_OK ? SPRAAY_REFUSED : err;
}

/* SPRAAY_DUPLICATE: another purchase signed the same bytes. One transfer cannot pay for two. */
static spraay_err sign_message(spraay_store *s, const spraay_purchase *p, spraay_moment now)
{
    sqlite3_stmt *q = spraay_store_statement(s, SPRAAY_SLOT_MESSAGE_FIND,
                                             "SELECT 1 FROM svm_message WHERE hash = ?1 AND purchase <> ?2");
    spraay_err err = spraay_purchase_has_memo(p) ? sign_memo(s, p) : SPRAAY_OK;

    if (err != SPRAAY_OK) return err;
    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_blob(q, 1, p->message32, sizeof p->message32, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, p->id, -1, SQLITE_STATIC);
    err = spraay_store_next(s, q);
    (void)sqlite3_reset(q);
    if (err != SPRAAY_MISSING) return err == SPRAAY_OK ? SPRAAY_DUPLICATE : err;
    q = spraay_store_statement(s, SPRAAY_SLOT_MESSAGE_PRUNE, "DELETE FROM svm_message WHERE at < ?1");
    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_int64(q, 1, now.wall_s - MESSAGE_LIFE_S);
    err = spraay_store_run(s, q);
    if (err != SPRAAY_OK) return err;
    q = spraay_store_statement(s, SPRAAY_SLOT_MESSAGE_WRITE,
                               "INSERT OR REPLACE INTO svm_message (hash, purchase, at) VALUES (?1, ?2, ?3)");
    if (q == NULL) return SPRAAY_IO;
    (void)sqlite3_bind_blob(q, 1, p->message32, sizeof p->message32, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, p->id, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(q, 3, now.wall_s);
    return spraay_store_run(s, q);
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
    if (err == SPRAAY_OK && j->op.event == SPRAAY_EVENT_SIGN && spraay_purchase_has_message(r->p))
        err = sign_message(s, r->p, j->op.now);
    if (err == SPRAAY_OK && j->op.tx != NULL) err = store_chain_add(s, r->p, j->op.tx);
    if (err != SPRAAY_OK) return err;
    if (repay) r->folded = false; /* its past is a row of its own */
    switch (r->p->state) {
    case SPRAAY_STATE_DELIVERED:
        err = sync_answer(s, j->object->stored.file);
        if (err == SPRAAY_OK) err = spraay_answer_write(s, r->p, &j->object->stored);
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
    case SPRAAY_OP_CLAIM: return store_claim(s, j);
    case SPRAAY_OP_TOTALS: return spraay_store_totals(s, &j->op);
    case SPRAAY_OP_QUERY: return spraay_store_query(s, j);
    case SPRAAY_OP_CHAIN: return store_chain(s, j);
    default: return with_row(s, j);
    }
}

/* Undo one job, and leave the words that explain it. What cannot be undone takes all with it. */
static void back_out(spraay_store *s)
{
    char sentence[sizeof s->sentence];
    spraay_ledger_trouble trouble = s->trouble;

    memcpy(sentence, s->sentence, sizeof sentence);
    if (store_run_text(s, SPRAAY_SLOT_BACK, "ROLLBACK TO job") != SPRAAY_OK ||
        store_run_text(s, SPRAAY_SLOT_UNSAVE, "RELEASE job") != SPRAAY_OK) {
        s->lost = true;
        return;
    }
    memcpy(s->sentence, sentence, sizeof sentence);
    s->trouble = trouble;
}

/* A refusal takes the new dates back, too; else what is dated ahead would be refused for until its day comes. */
static void date_anew(spraay_store *s, const spraay_job *j)
{
    spraay_sums sums;

    if (s->ahead && j->op.kind == SPRAAY_OP_RESERVE && j->op.err == SPRAAY_REFUSED)
        (void)!spraay_store_sums(s, &j->op, j->facts, &sums);
    s->ahead = false;
}

void spraay_store_apply(spraay_store *s, spraay_job *j)
{
    spraay_err err = store_run_text(s, SPRAAY_SLOT_SAVE, "SAVEPOINT job");

    if (err == SPRAAY_OK) err = work(s, j);
    if (err != SPRAAY_OK) {
        if (j->op.trouble == SPRAAY_TROUBLE_NONE) j->op.trouble = s->trouble;
        memcpy(j->op.sentence, s->sentence, sizeof j->op.sentence);
        spraay_purchase_unref(j->row);
        j->row = NULL;
        if (!s->lost) back_out(s);
    } else if (store_run_text(s, SPRAAY_SLOT_UNSAVE, "RELEASE job") != SPRAAY_OK) {
        s->lost = true;
    }
    j->op.err = err;
    if (!s->lost) date_anew(s, j);
}
