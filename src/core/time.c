/* SPDX-License-Identifier: MIT */
/* See time.h. */

#include "core/time.h"

#include <assert.h>
#include <time.h>

static struct timespec now(clockid_t clock)
{
    struct timespec t = { 0, 0 };
    int rc = clock_gettime(clock, &t); /* fails only for a clock the system lacks */
    assert(rc == 0);
    (void)rc;
    return t;
}

int64_t spraay_wall_s(void)
{
    return (int64_t)now(CLOCK_REALTIME).tv_sec;
}

int64_t spraay_boot_ms(void)
{
#ifdef CLOCK_BOOTTIME
    struct timespec t = now(CLOCK_BOOTTIME);
#else
    struct timespec t = now(CLOCK_MONOTONIC);
#endif
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t spraay_mono_ms(void)
{
    struct timespec t = now(CLOCK_MONOTONIC);
    return (int64_t)t.tv_sec * 1000 + (int64_t)(t.tv_nsec / 1000000);
}
