/* SPDX-License-Identifier: MIT */
/* The thread that writes: takes all jobs there are, applies them in one transaction, and says when they are
 * durable; see ledger/durable.c for the other half. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ledger/durable_private.h"
#include "ledger/rules.h"

#define COMPANY_US   5000 /* how long a note that nobody waits for may wait for company */
#define SIGNATURE_US 500  /* how long a transaction stays open for the signature that a reservation is for */
#define TURNS_MAX    8    /* batches that one transaction takes at most */

void durable_put(queue *q, spraay_job *j)
{
    j->next = NULL;
    if (q->last != NULL)
        q->last->next = j;
    else
        q->first = j;
    q->last = j;
}

spraay_job *durable_take_all(queue *q)
{
    spraay_job *all = q->first;

    q->first = q->last = NULL;
    return all;
}

static void fail_all(spraay_job *jobs, const spraay_store *s, spraay_err err)
{
    for (spraay_job *j = jobs; j != NULL; j = j->next) {
        spraay_purchase_unref(j->row);
        j->row = NULL;
        j->op.err = err;
        j->op.trouble = s->trouble;
        memcpy(j->op.sentence, s->sentence, sizeof j->op.sentence);
    }
}

static bool is_repair(const spraay_job *j)
{
    return j->op.kind == SPRAAY_OP_QUERY && j->op.query->kind == SPRAAY_QUERY_REPAIR;
}

static void repair(spraay_store *s, spraay_job *j)
{
    s->trouble = SPRAAY_TROUBLE_NONE;
    s->sentence[0] = '\0';
    j->op.err = spraay_store_repair(s, j->op.query, j->op.now);
    if (j->op.err != SPRAAY_OK) fail_all(j, s, j->op.err);
}

static void tell(const durable *d)
{
    uint64_t one = 1;
    (void)!write(d->eventfd, &one, sizeof one); /* full means told */
}

/* A release that comes of no caller's purchase: id and hold are all that is asked of it. */
spraay_job *durable_new_release(const spraay_purchase *of, spraay_moment now)
{
    spraay_job *j = calloc(1, sizeof *j);

    if (j == NULL) return NULL;
    j->op.kind = SPRAAY_OP_RELEASE;
    j->op.now = now;
    j->facts = spraay_purchase_new();
    if (j->facts == NULL) {
        free(j);
        return NULL;
    }
    memcpy(j->facts->id, of->id, sizeof j->facts->id);
    j->facts->hold = of->hold;
    return j;
}

/* A claim that was withdrawn while it was being written: released before anything begun since. Without memory
 * the caller gets the purchase after all, and releases it itself. */
void durable_give_back(durable *d, spraay_job *claim)
{
    spraay_job *j = durable_new_release(claim->row, claim->op.now);

    if (j == NULL) return;
    claim->facts = claim->row; /* for the caller to see whether anybody drives it */
    claim->row = NULL;
    claim->op.err = SPRAAY_STATE;
    j->next = d->todo.first;
    d->todo.first = j;
    if (d->todo.last == NULL) d->todo.last = j;
}

/* An equal call of another process that comes after a failure must find what the failed one let go of. */
static bool is_urgent(const spraay_job *j)
{
    return j->answer_to != NULL ||
           (j->op.kind == SPRAAY_OP_RELEASE && j->facts->state != SPRAAY_STATE_DELIVERED &&
            j->facts->state != SPRAAY_STATE_TAKEN);
}

static bool is_awaited(const spraay_job *j)
{
    while (j != NULL && !is_urgent(j)) j = j->next;
    return j != NULL;
}

/* Answered before the commit: nothing leaves the process on the strength of a claim or a reservation alone, and
 * what follows them fails when they came to nothing. */
static bool is_early(const spraay_job *j)
{
    return j->op.kind == SPRAAY_OP_CLAIM || j->op.kind == SPRAAY_OP_RESERVE;
}

/* Refused by the disk, not by the rules, and nobody else will see to it. */
static bool is_owed(const spraay_job *j)
{
    return j->answer_to == NULL && j->op.err != SPRAAY_OK &&
           (j->op.trouble != SPRAAY_TROUBLE_NONE || j->op.err == SPRAAY_NOMEM);
}

static void finish_job(durable *d, spraay_job *j)
{
    if (is_owed(j)) {
        durable_put(&d->owed, j);
        return;
    }
    if (j->withdrawn && j->row != NULL) durable_give_back(d, j);
    durable_put(&d->finished, j);
}

/* After a batch was applied: early answers go out, the rest waits for the commit. With the lock. True when a
 * signature is about to follow a reservation: it had better share the commit. */
static bool sort_out(durable *d, spraay_job *batch, queue *kept)
{
    bool told = false, follows = false;

    while (batch != NULL) {
        spraay_job *j = batch;
        batch = j->next;
        if (!is_early(j)) {
            durable_put(kept, j);
            continue;
        }
        follows = follows || (j->op.kind == SPRAAY_OP_RESERVE && j->op.err == SPRAAY_OK);
        finish_job(d, j);
        told = true;
    }
    d->doing = NULL;
    d->kept = kept->first;
    if (told) tell(d);
    return follows;
}

static void mark_skipped(spraay_job *jobs)
{
    for (spraay_job *j = jobs; j != NULL; j = j->next) j->skip = j->withdrawn;
}

/* The jobs up to the next that is no part of a transaction. With the lock. */
static spraay_job *take_batch(durable *d)
{
    spraay_job *all, *last;

    if (d->todo.first != NULL && is_repair(d->todo.first))
        return NULL;             /* what is owed may be owed because of it */
    if (d->owed.first != NULL) { /* before anything that was begun since */
        for (spraay_job *j = d->owed.first; j != NULL; j = j->next) {
            j->op.err = SPRAAY_OK;
            j->op.trouble = SPRAAY_TROUBLE_NONE;
        }
        d->owed.last->next = d->todo.first;
        if (d->todo.first == NULL) d->todo.last = d->owed.last;
        d->todo.first = d->owed.first;
        d->owed = (queue){ NULL, NULL };
    }
    all = last = d->todo.first;
    if (all == NULL) return NULL;
    while (last->next != NULL && !is_repair(last->next)) last = last->next;
    d->todo.first = last->next;
    if (d->todo.first == NULL) d->todo.last = NULL;
    last->next = NULL;
    mark_skipped(all);
    return all;
}

/* Until something is queued that somebody waits for, but no longer than so many microseconds. With the lock. */
static void wait_a_little(durable *d, long us)
{
    struct timespec until;
    int rc = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += us * 1000L;
    if (until.tv_nsec >= 1000000000L) until.tv_sec++, until.tv_nsec -= 1000000000L;
    while (rc == 0 && !d->stop && !is_awaited(d->todo.first))
        rc = pthread_cond_timedwait(&d->more, &d->lock, &until);
}

/* False: the transaction is lost. */
static bool apply_all(spraay_store *s, spraay_job *jobs)
{
    for (spraay_job *j = jobs; j != NULL; j = j->next) {
        s->trouble = SPRAAY_TROUBLE_NONE;
        s->sentence[0] = '\0';
        if (j->skip)
            j->op.err = SPRAAY_STATE;
        else
            spraay_store_apply(s, j);
        if (s->lost) return false;
    }
    return true;
}

/* What is history keeps no file, unless it has a name. Only this event leaves the purchase to us: after any other
 * its owner may be writing to it. */
static void remove_taken(const spraay_store *s, const spraay_job *j)
{
    const char *file;

    if (j->op.kind != SPRAAY_OP_EVENT || j->op.event != SPRAAY_EVENT_TAKE || j->op.err != SPRAAY_OK) return;
    file = j->object != NULL ? j->object->stored.file : NULL;
    if (file != NULL && j->row != NULL && !j->row->named && spraay_place_spilled(&s->place, file))
        (void)unlink(file);
}

/* One transaction: a batch, and what joins it while it is open. With the lock, which is not held while
 * SQLite is at work. */
static void write_batch(durable *d, spraay_job *batch)
{
    spraay_store *s = &d->store;
    queue kept = { NULL, NULL };
    bool survive = false;
    spraay_err err;

    for (spraay_job *j = batch; j != NULL; j = j->next)
        survive = survive || spraay_job_must_survive(j) || j->op.kind == SPRAAY_OP_RESERVE;
    d->doing = batch;
    (void)pthread_mutex_unlock(&d->lock);
    spraay_gate_enter();
    err = spraay_store_begin(s, batch->op.now, survive);
    if (err != SPRAAY_OK) fail_all(batch, s, err);
    for (unsigned turns = 0; err == SPRAAY_OK && batch != NULL; turns++) {
        bool follows;

        if (!apply_all(s, batch)) {
            spraay_store_rollback(s);
            fail_all(batch, s, SPRAAY_IO);
            fail_all(kept.first, s, SPRAAY_IO);
            err = SPRAAY_IO;
        }
        (void)pthread_mutex_lock(&d->lock);
        follows = sort_out(d, batch, &kept);
        batch = NULL;
        if (err == SPRAAY_OK && follows && turns < TURNS_MAX) {
            wait_a_little(d, SIGNATURE_US);
            d->doing = batch = take_batch(d);
        }
        (void)pthread_mutex_unlock(&d->lock);
    }
    if (err == SPRAAY_OK) {
        err = spraay_store_commit(s);
        if (err != SPRAAY_OK) fail_all(kept.first, s, err);
        for (const spraay_job *j = kept.first; j != NULL; j = j->next) remove_taken(s, j);
    }
    spraay_gate_leave();
    (void)pthread_mutex_lock(&d->lock);
    (void)sort_out(d, batch, &kept); /* a batch that never began */
    d->kept = NULL;
    while (kept.first != NULL) {
        spraay_job *next = kept.first->next;
        finish_job(d, kept.first);
        kept.first = next;
    }
    tell(d);
}

/* What is no part of a transaction. With the lock. */
static void write_alone(durable *d)
{
    spraay_job *j = d->todo.first;

    d->todo.first = j->next;
    if (d->todo.first == NULL) d->todo.last = NULL;
    j->next = NULL;
    (void)pthread_mutex_unlock(&d->lock);
    spraay_gate_enter();
    repair(&d->store, j);
    spraay_gate_leave();
    (void)pthread_mutex_lock(&d->lock);
    finish_job(d, j);
    tell(d);
}

static void *write_until_stopped(void *ud)
{
    durable *d = ud;

    (void)pthread_mutex_lock(&d->lock);
    for (;;) {
        spraay_job *jobs;

        while (d->todo.first == NULL && !d->stop) (void)pthread_cond_wait(&d->more, &d->lock);
        if (d->todo.first == NULL) { /* stopped; what is owed has one more chance */
            spraay_job *owed = d->owed.first != NULL ? take_batch(d) : NULL;
            if (owed != NULL) write_batch(d, owed);
            break;
        }
        /* What nobody waits for shares the commit of what comes next, if that comes soon. Until then it is as
         * if the process had died before: found again from what was recorded earlier. */
        if (!d->stop && !is_awaited(d->todo.first)) wait_a_little(d, COMPANY_US);
        jobs = take_batch(d);
        if (jobs != NULL)
            write_batch(d, jobs);
        else
            write_alone(d);
    }
    (void)pthread_mutex_unlock(&d->lock);
    spraay_gate_enter();
    spraay_store_close(&d->store);
    spraay_gate_leave();
    return NULL;
}

/* The host's signals are not for this thread. */
bool durable_start(durable *d)
{
    sigset_t all, before;

    if (d->started) return true;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    d->started = pthread_create(&d->thread, NULL, write_until_stopped, d) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return d->started;
}
