/* SPDX-License-Identifier: MIT */
/* See sigpipe.h. */

#include "http/sigpipe.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

static bool is_pending(void)
{
    sigset_t waiting;
    return sigpending(&waiting) == 0 && sigismember(&waiting, SIGPIPE) == 1;
}

static sigset_t only_sigpipe(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
}

void spraay_sigpipe_hold(spraay_sigpipe *s)
{
    sigset_t set = only_sigpipe();

    s->pending = is_pending();
    (void)pthread_sigmask(SIG_BLOCK, &set, &s->before);
}

void spraay_sigpipe_release(const spraay_sigpipe *s)
{
    sigset_t set = only_sigpipe();
    struct timespec now = { 0, 0 };

    if (!s->pending && is_pending())
        while (sigtimedwait(&set, NULL, &now) < 0 && errno == EINTR) {}
    (void)pthread_sigmask(SIG_SETMASK, &s->before, NULL);
}
