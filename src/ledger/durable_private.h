/* SPDX-License-Identifier: MIT */
/* What the two threads of the durable ledger share. Not for anyone else.
 *
 * durable.c  the caller's: jobs begun, outcomes taken
 * writer.c   the one that writes */
#ifndef SPRAAY_LEDGER_DURABLE_PRIVATE_H
#define SPRAAY_LEDGER_DURABLE_PRIVATE_H

#include <pthread.h>

#include "ledger/gate.h"
#include "ledger/store.h"

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

/* Queues of jobs; with the lock, when the other thread knows the queue. */
void durable_put(queue *q, spraay_job *j);
spraay_job *durable_take_all(queue *q);

/* A release that comes of no caller's purchase: id and hold are all that is asked of it. NULL: no memory. */
spraay_job *durable_new_release(const spraay_purchase *of, spraay_moment now);

/* A claim that was withdrawn after it was written: released before anything begun since. With the lock. */
void durable_give_back(durable *d, spraay_job *claim);

/* Start the thread that writes, once. False: it could not be. */
bool durable_start(durable *d);

#endif
