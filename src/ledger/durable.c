/* SPDX-License-Identifier: MIT */
/* The durable ledger: a thread that writes, and what its callers see of it.
 *
 *   caller's thread                         the thread that writes
 *   submit/post: a job with copies    -->   waits for jobs; takes all there are
 *                                           one transaction, a savepoint each
 *   drain: outcomes, wake             <--   finished jobs; the eventfd becomes readable
 *
 * Only the thread that writes knows SQLite. A purchase belongs to the caller's thread: a job carries a copy
 * of what it says, and the copy of the row that came of it goes back. The one thing shared is a stored
 * answer, which its driver leaves alone while its delivery is being written.
 *
 * What nobody waits for is owed: when the disk refuses it, it is tried again before anything that comes
 * later, so that a purchase that was let go of is never taken for one in flight.
 *
 * The thread is started by the first operation, so opening a ledger touches nothing, and a process that
 * forks before has nothing to share. One that forks later leaves its child without a connection: see
 * ledger/gate.h. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ledger/durable_private.h"
#include "ledger/rules.h"

/* ---- jobs, in the caller's thread ---- */

static void free_job(spraay_job *j)
{
    if (j == NULL) return;
    spraay_purchase_unref(j->object);
    spraay_purchase_unref(j->facts);
    spraay_purchase_unref(j->row);
    free(j);
}

static bool has_purchase(const spraay_op *op)
{
    return op->kind == SPRAAY_OP_RESERVE || op->kind == SPRAAY_OP_EVENT || op->kind == SPRAAY_OP_RELEASE;
}

static spraay_job *new_job(const spraay_op *op)
{
    spraay_job *j = calloc(1, sizeof *j);

    if (j == NULL) return NULL;
    j->op = *op;
    if (!has_purchase(op)) return j;
    if (spraay_purchase_copy(&j->facts, op->purchase) != SPRAAY_OK) {
        free(j);
        return NULL;
    }
    j->object = spraay_purchase_ref(op->purchase);
    return j;
}

static void enqueue(durable *d, spraay_job *j)
{
    (void)pthread_mutex_lock(&d->lock);
    durable_put(&d->todo, j);
    (void)pthread_cond_signal(&d->more);
    (void)pthread_mutex_unlock(&d->lock);
}

static void refuse(spraay_op *op, spraay_err err)
{
    op->err = err;
    op->trouble = SPRAAY_TROUBLE_OPEN;
    op->done = true;
}

static void durable_submit(spraay_ledger *l, spraay_op *op)
{
    durable *d = (durable *)l;
    spraay_job *j;

    if (d->pid != getpid() || d->ended) {
        refuse(op, SPRAAY_STATE);
        return;
    }
    j = new_job(op);
    if (j == NULL || !durable_start(d)) {
        free_job(j);
        refuse(op, SPRAAY_NOMEM);
        return;
    }
    j->answer_to = op;
    enqueue(d, j);
}

static void durable_post(spraay_ledger *l, const spraay_op *op)
{
    durable *d = (durable *)l;
    spraay_job *j;

    /* What the caller sees moves on at once; the row follows. */
    if (op->kind == SPRAAY_OP_EVENT && op->event == SPRAAY_EVENT_SEND &&
        spraay_rules_event(op->purchase, op->event, op->now) != SPRAAY_OK)
        return;
    if (d->pid != getpid() || d->ended) return;
    j = new_job(op);
    if (j == NULL || !durable_start(d)) { /* the row stays as it was: found again as it is */
        free_job(j);
        return;
    }
    enqueue(d, j);
}

static spraay_job *job_of(spraay_job *first, const spraay_op *op)
{
    while (first != NULL && first->answer_to != op) first = first->next;
    return first;
}

static void durable_withdraw(spraay_ledger *l, spraay_op *op)
{
    durable *d = (durable *)l;
    spraay_job *j, *done;

    if (d->pid != getpid()) return;
    (void)pthread_mutex_lock(&d->lock);
    j = job_of(d->todo.first, op);
    if (j == NULL) j = job_of(d->doing, op);
    if (j == NULL) j = job_of(d->kept, op);
    if (j != NULL) j->withdrawn = true;
    done = j == NULL ? job_of(d->finished.first, op) : NULL;
    if (done != NULL && done->row != NULL) durable_give_back(d, done);
    (void)pthread_cond_signal(&d->more);
    (void)pthread_mutex_unlock(&d->lock);
}

/* Nobody drives it any more, and others may have since. */
static void refresh(spraay_purchase *p, spraay_purchase *row)
{
    bool ok = spraay_purchase_take_verdict(p, row) == SPRAAY_OK;

    ok = spraay_purchase_take_facts(p, row) == SPRAAY_OK && ok;
    (void)ok; /* on record it is right; what is missing here is words */
    if (row->stored.headers.n == 0 && row->stored.body.n == 0 && row->stored.file == NULL) return;
    spraay_purchase_wipe_stored(p);
    p->stored.headers = row->stored.headers;
    p->stored.body = row->stored.body;
    p->stored.file = row->stored.file;
    row->stored.file = NULL;
    spraay_buf_init(&row->stored.headers, p->stored.headers.max);
    spraay_buf_init(&row->stored.body, p->stored.body.max);
}

/* The object in which everybody here sees the purchase of this row; takes the row over. */
static spraay_purchase *meet(durable *d, spraay_purchase *row)
{
    alive *found = NULL;

    for (alive **at = &d->alive; *at != NULL;) {
        alive *a = *at;
        if (a->p->refs == 1) { /* nobody but this list: others may have moved it meanwhile */
            *at = a->next;
            spraay_purchase_unref(a->p);
            free(a);
            continue;
        }
        if (strcmp(a->p->id, row->id) == 0) found = a;
        at = &a->next;
    }
    if (found != NULL) {
        if (!found->p->flying) refresh(found->p, row);
        found->p->hold = row->hold;
        spraay_purchase_unref(row);
        return spraay_purchase_ref(found->p);
    }
    found = malloc(sizeof *found);
    if (found != NULL) { /* without it an equal call would not meet this one, and wait for nothing */
        found->p = spraay_purchase_ref(row);
        found->next = d->alive;
        d->alive = found;
    }
    return row;
}

/* A claim was given back. Unless somebody here drives the purchase, other processes may have it. */
static void land(durable *d, const spraay_job *claim)
{
    spraay_job *j;

    for (const alive *a = d->alive; a != NULL; a = a->next)
        if (a->p->flying && strcmp(a->p->id, claim->facts->id) == 0) return;
    j = durable_new_release(claim->facts, claim->op.now);
    if (j == NULL) return;
    j->op.landed = true;
    if (d->ended) /* no thread is left to write it; our name is gone, and with it what it holds */
        free_job(j);
    else
        enqueue(d, j);
}

static void apply_outcome(durable *d, spraay_job *j)
{
    spraay_op *op = j->answer_to;
    spraay_purchase *p = j->object;

    if (j->op.kind == SPRAAY_OP_CLAIM && j->op.err == SPRAAY_OK) {
        j->op.purchase = meet(d, j->row);
        j->row = NULL;
    } else if (j->op.kind == SPRAAY_OP_CLAIM && j->facts != NULL) {
        land(d, j);
    } else if (j->row != NULL && op != NULL) {
        bool ok = spraay_purchase_take_verdict(p, j->row) == SPRAAY_OK;
        if (j->op.kind == SPRAAY_OP_EVENT) ok = spraay_purchase_take_facts(p, j->row) == SPRAAY_OK && ok;
        (void)ok; /* on record it is right; what is missing here is words */
    }
    if (op == NULL) return;
    j->op.wake = op->wake;
    j->op.ud = op->ud;
    *op = j->op;
    op->done = true;
}

/* Whoever is woken goes on with his call, which takes its time; a commit may wake many at once. So a step of the
 * caller's loop wakes a few, and the descriptor stays readable for the rest. */
#define WAKES_A_STEP 4

static spraay_job *next_finished(durable *d)
{
    spraay_job *j;

    (void)pthread_mutex_lock(&d->lock);
    j = d->finished.first;
    if (j != NULL) {
        d->finished.first = j->next;
        if (j->next == NULL) d->finished.last = NULL;
        j->next = NULL;
    }
    (void)pthread_mutex_unlock(&d->lock);
    return j;
}

static void drain(durable *d, unsigned wakes)
{
    spraay_job *j;
    uint64_t count;

    (void)!read(d->eventfd, &count, sizeof count); /* empty is fine */
    while ((j = next_finished(d)) != NULL) {
        spraay_op *op = j->answer_to;
        apply_outcome(d, j);
        free_job(j);
        if (op == NULL || op->wake == NULL) continue;
        op->wake(op->ud);
        if (--wakes == 0) break;
    }
    count = 1;
    if (j != NULL) (void)!write(d->eventfd, &count, sizeof count); /* there may be more */
}

static void durable_drain(spraay_ledger *l)
{
    if (((durable *)l)->pid == getpid()) drain((durable *)l, WAKES_A_STEP);
}

static spraay_err durable_know(spraay_ledger *l, const char *payer, const uint8_t key32[32])
{
    return spraay_keyring_add(&((durable *)l)->keys, payer, key32);
}

static int durable_fd(const spraay_ledger *l)
{
    return ((const durable *)l)->eventfd;
}

static bool durable_usable(const spraay_ledger *l)
{
    return ((const durable *)l)->pid == getpid();
}

/* ---- beginning and end ---- */

static void let_go_of_all(durable *d)
{
    while (d->alive != NULL) {
        alive *a = d->alive;
        d->alive = a->next;
        spraay_purchase_unref(a->p);
        free(a);
    }
}

static void durable_end(spraay_ledger *l)
{
    durable *d = (durable *)l;
    spraay_job *owed;

    if (d->pid != getpid() || d->ended) return;
    d->ended = true;
    if (!d->started) return;
    (void)pthread_mutex_lock(&d->lock);
    d->stop = true;
    (void)pthread_cond_signal(&d->more);
    (void)pthread_mutex_unlock(&d->lock);
    (void)pthread_join(d->thread, NULL);
    owed = durable_take_all(&d->owed);
    while (owed != NULL) {
        spraay_job *next = owed->next;
        free_job(owed);
        owed = next;
    }
    drain(d, UINT_MAX);
}

/* Before anything else runs in a child: it has no part in what its parent holds. */
static void forked(void *ud)
{
    spraay_store_disown(&((durable *)ud)->store);
}

/* In a child of the process that opened it there is no thread, and its locks may be held for ever: only what
 * the child itself holds of it is given back, and the parent's purchases are left to the parent. */
static void durable_free(spraay_ledger *l)
{
    durable *d = (durable *)l;
    bool foreign = d->pid != getpid();

    durable_end(l);
    if (!foreign) spraay_gate_part(&d->gate);
    let_go_of_all(d);
    spraay_store_wipe(&d->store);
    if (d->eventfd >= 0) close(d->eventfd);
    if (!foreign) { /* in a child they may be in use by a thread that is not there */
        (void)pthread_cond_destroy(&d->more);
        (void)pthread_mutex_destroy(&d->lock);
    }
    spraay_keyring_wipe(&d->keys);
    free(d);
}

spraay_err spraay_ledger_durable(spraay_ledger **out, const char *path)
{
    static const struct spraay_ledger_vtable vtable = { durable_submit, durable_post, durable_withdraw,
                                                        durable_know,   durable_fd,   durable_drain,
                                                        durable_usable, durable_end,  durable_free };
    pthread_condattr_t attributes;
    durable *d = calloc(1, sizeof *d);
    spraay_err err;

    if (d == NULL) return SPRAAY_NOMEM;
    d->base.vtable = &vtable;
    d->base.refs = 1;
    d->pid = getpid();
    err = spraay_keyring_init(&d->keys);
    if (err != SPRAAY_OK) {
        free(d);
        return err;
    }
    (void)pthread_mutex_init(&d->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes,
                                    CLOCK_MONOTONIC); /* the other one may be set while we wait */
    (void)pthread_cond_init(&d->more, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    d->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    err = spraay_store_init(&d->store, path, &d->keys);
    if (err == SPRAAY_OK && d->eventfd < 0) err = SPRAAY_IO;
    d->gate = (spraay_gate_member){ .in_child = forked, .ud = d };
    if (err == SPRAAY_OK) err = spraay_gate_join(&d->gate);
    if (err != SPRAAY_OK) {
        durable_free(&d->base);
        return err;
    }
    *out = &d->base;
    return SPRAAY_OK;
}
