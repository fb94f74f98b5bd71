/* SPDX-License-Identifier: MIT */
/* See random.h. */

#include "crypto/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#if defined(__linux__)
#include <sys/types.h>

static int fill(unsigned char *p, size_t n) /* n <= 256: then it comes whole or not at all */
{
    ssize_t got;
    do got = getrandom(p, n, 0);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)n ? 0 : -1;
}
#else
#include <unistd.h>

static int fill(unsigned char *p, size_t n)
{
    return getentropy(p, n);
}
#endif

spraay_err spraay_random(void *out, size_t n)
{
    unsigned char *p = out;

    for (size_t done = 0; done < n;) {
        size_t want = n - done < 256 ? n - done : 256;
        if (fill(p + done, want) != 0) {
            memset(out, 0, n);
            return SPRAAY_RANDOM;
        }
        done += want;
    }
    return SPRAAY_OK;
}
