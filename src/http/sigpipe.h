/* SPDX-License-Identifier: MIT */
/* Keep SIGPIPE from ending the process while libcurl writes to a connection that is gone.
 *
 * libcurl is told not to touch signals, so this thread holds the signal back instead and discards
 * the one it caused itself. The process's own disposition is never changed. */

#ifndef SPRAAY_HTTP_SIGPIPE_H
#define SPRAAY_HTTP_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

typedef struct spraay_sigpipe {
    sigset_t before; /* the thread's mask */
    bool pending;    /* one was waiting already, not ours to discard */
} spraay_sigpipe;

void spraay_sigpipe_hold(spraay_sigpipe *s);
void spraay_sigpipe_release(const spraay_sigpipe *s);

#endif
