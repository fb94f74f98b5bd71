/* SPDX-License-Identifier: MIT */
/* Who is alive: every process that holds purchases holds a lock on a file of its own until it ends.
 *
 * The lock is the only word on that; a process id may come again and a time may be set. The kernel gives it
 * back however the process ends. flock(2) locks go with the open file: an exec closes it, and a forked child
 * closes its copy when it finds that the ledger is its parent's. */
#ifndef SPRAAY_LEDGER_OWNER_H
#define SPRAAY_LEDGER_OWNER_H

#include <stdbool.h>

#include "core/error.h"

#define SPRAAY_OWNER_ID 32 /* hex digits */

typedef struct spraay_owner {
    char id[SPRAAY_OWNER_ID + 1]; /* "" while there is none */
    int fd;                       /* holds the lock; -1 while there is none */
} spraay_owner;

/* A new name and its lock. SPRAAY_IO, SPRAAY_RANDOM. */
SPRAAY_MUST_USE spraay_err spraay_owner_take(spraay_owner *o, const char *folder);

/* Let go: the file goes too. Idempotent. In a child of the process that took it, 'foreign' closes only. */
void spraay_owner_release(spraay_owner *o, const char *folder, bool foreign);

/* Is the holder of this name alive? Its file goes when it is not. In doubt it is. */
bool spraay_owner_is_alive(const char *id, const char *folder);

#endif
