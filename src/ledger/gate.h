/* SPDX-License-Identifier: MIT */
/* SQLite and fork(2): a child inherits what SQLite believes of its locks, and none of the locks. A second
 * connection to the same file would share that belief, and two processes would write at once.
 *
 * So a fork waits until no thread of ours is inside SQLite, and the child lets go of every connection before
 * fork returns there. Threads pass the gate for a transaction at a time, which takes milliseconds; one that
 * waits for others to release the file looks whether somebody wants to fork, and makes way. */
#ifndef SPRAAY_LEDGER_GATE_H
#define SPRAAY_LEDGER_GATE_H

#include <stdbool.h>

#include "core/error.h"

typedef struct spraay_gate_member {
    void (*in_child)(void *ud); /* called in a child, before anything else runs there */
    void *ud;
    struct spraay_gate_member *next;
} spraay_gate_member;

/* From now on forks mind this one. SPRAAY_NOMEM: they could not be made to. */
SPRAAY_MUST_USE spraay_err spraay_gate_join(spraay_gate_member *m);
void spraay_gate_part(spraay_gate_member *m); /* of one that never joined: nothing */

/* Around everything that calls SQLite. */
void spraay_gate_enter(void);
void spraay_gate_leave(void);

/* Does somebody wait to fork? Asked by a thread inside. */
bool spraay_gate_wanted(void);

#endif
