/* SPDX-License-Identifier: MIT */
/* One gate for all ledgers of the process; see ledger/gate.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr; NOLINT(bugprone-reserved-identifier) */
#endif
#include "ledger/gate.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned inside, forks;
static spraay_gate_member *members;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int ready; /* what pthread_atfork said */

/* Held from here until the fork is over: nobody enters, joins or parts meanwhile. */
static void before_fork(void)
{
    (void)pthread_mutex_lock(&lock);
    forks++;
    while (inside > 0) (void)pthread_cond_wait(&changed, &lock);
}

static void in_parent(void)
{
    forks--;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
}

/* The other threads are not here: whoever waited never will be. */
static void in_child(void)
{
    static const pthread_cond_t nobody_waits = PTHREAD_COND_INITIALIZER;

    forks = 0;
    changed = nobody_waits;
    for (spraay_gate_member *m = members; m != NULL; m = m->next) m->in_child(m->ud);
    members = NULL;
    (void)pthread_mutex_unlock(&lock);
}

/* The module stays mapped under the feet of threads that a closing Lua state leaves behind. */
static void prepare(void)
{
    union {
        void (*function)(void);
        void *address;
    } here = { spraay_gate_enter };
    Dl_info info;

    if (dladdr(here.address, &info) != 0 && info.dli_fname != NULL)
        (void)dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    ready = pthread_atfork(before_fork, in_parent, in_child);
}

spraay_err spraay_gate_join(spraay_gate_member *m)
{
    (void)pthread_once(&once, prepare);
    if (ready != 0) return SPRAAY_NOMEM;
    (void)pthread_mutex_lock(&lock);
    m->next = members;
    members = m;
    (void)pthread_mutex_unlock(&lock);
    return SPRAAY_OK;
}

void spraay_gate_part(spraay_gate_member *m)
{
    (void)pthread_mutex_lock(&lock);
    for (spraay_gate_member **at = &members; *at != NULL; at = &(*at)->next) {
        if (*at != m) continue;
        *at = m->next;
        break;
    }
    (void)pthread_mutex_unlock(&lock);
}

void spraay_gate_enter(void)
{
    (void)pthread_mutex_lock(&lock);
    while (forks > 0) (void)pthread_cond_wait(&changed, &lock);
    inside++;
    (void)pthread_mutex_unlock(&lock);
}

void spraay_gate_leave(void)
{
    (void)pthread_mutex_lock(&lock);
    inside--;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
}

bool spraay_gate_wanted(void)
{
    bool yes;

    (void)pthread_mutex_lock(&lock);
    yes = forks > 0;
    (void)pthread_mutex_unlock(&lock);
    return yes;
}
