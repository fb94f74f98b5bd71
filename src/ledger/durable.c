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
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "ledger/gate.h"
#include "ledger/rules.h"
#include "ledger/store.h"

#define COMPANY_US   5000 /* how long a note that nobody waits for may wait for company */
#define SIGNATURE_US 500  /* how long a transaction stays open for the signature that a reservation is for */
#define TURNS_MAX    8    /* batches that one transaction takes at most */

/* A purchase that some caller here may hold: equal claims must meet in the same object. */
typedef struct alive {
    spraay_purchase *p;
    struct alive *next;
} alive;

typedef struct queue {
    spraay_job *first, *last;
} queue;

typedef struct durable {
    spraay_ledger base;
    pid_t pid;
    int eventfd;
    spraay_keyring keys;
    spraay_store store; /* the writing thread's, once it runs */
    alive *alive;       /* the caller's */
    spraay_gate_member gate;

    pthread_t thread;
    bool started, ended;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t more;
    queue todo, finished;
    queue owed;               /* what the disk refused, and nobody waits for */
    spraay_job *doing, *kept; /* what is being written now, and what waits for its commit */
    bool stop;
} durable;

static void put(queue *q, spraay_job *j)
{
    j->next = NULL;
    if (q->last != NULL)
        q->last->next = j;
    else
        q->first = j;
    q->last = j;
}

static spraay_job *take_all(queue *q)
{
    spraay_job *all = q->first;

    q->first = q->last = NULL;
    return all;
}

/* ---- the thread that writes ---- */

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
static spraay_job *new_release(const spraay_purchase *of, spraay_moment now)
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
static void give_back(durable *d, spraay_job *claim)
{
    spraay_job *j = new_release(claim->row, claim->op.now);

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
        put(&d->owed, j);
        return;
    }
    if (j->withdrawn && j->row != NULL) give_back(d, j);
    put(&d->finished, j);
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
            put(kept, j);
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
static bool start(durable *d)
{
    sigset_t all, before;

    if (d->started) return true;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    d->started = pthread_create(&d->thread, NULL, write_until_stopped, d) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return d->started;
}

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
    put(&d->todo, j);
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
    if (j == NULL || !start(d)) {
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
    if (j == NULL || !start(d)) { /* the row stays as it was: found again as it is */
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
    if (done != NULL && done->row != NULL) give_back(d, done);
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
    j = new_release(claim->facts, claim->op.now);
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

static void durable_drain(spraay_ledger *l)
{
    durable *d = (durable *)l;
    spraay_job *jobs;
    uint64_t count;

    if (d->pid != getpid()) return;
    (void)!read(d->eventfd, &count, sizeof count); /* empty is fine */
    (void)pthread_mutex_lock(&d->lock);
    jobs = take_all(&d->finished);
    (void)pthread_mutex_unlock(&d->lock);
    while (jobs != NULL) {
        spraay_job *j = jobs;
        spraay_op *op = j->answer_to;
        jobs = j->next;
        apply_outcome(d, j);
        free_job(j);
        if (op != NULL && op->wake != NULL) op->wake(op->ud);
    }
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
    owed = take_all(&d->owed);
    while (owed != NULL) {
        spraay_job *next = owed->next;
        free_job(owed);
        owed = next;
    }
    durable_drain(l);
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
