/* SPDX-License-Identifier: MIT */
/* Timers: a moment on the monotonic clock and what to do then.
 *
 * A timer is embedded in whatever it serves, so arming one allocates nothing and cannot fail. The
 * armed ones hang in a list, soonest first. Almost every new deadline is later than those already
 * waiting, which is why the place is looked for from the end. */

#ifndef SPRAAY_HTTP_TIMER_H
#define SPRAAY_HTTP_TIMER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct spraay_timer {
    int64_t at_ms;          /* spraay_mono_ms() at which it is due */
    bool armed;             /* read only: in the list? */
    void (*fire)(void *ud); /* called once; disarmed by then, and may be armed again from it */
    void *ud;
    struct spraay_timer *prev, *next;
} spraay_timer;

typedef struct spraay_timers {
    spraay_timer *first, *last;
} spraay_timers;

/* A timer that is not armed. */
void spraay_timer_init(spraay_timer *t, void (*fire)(void *ud), void *ud);

/* Arm for at_ms, or move there when already armed. */
void spraay_timers_set(spraay_timers *list, spraay_timer *t, int64_t at_ms);

/* Disarm; nothing happens when it is not armed. */
void spraay_timers_clear(spraay_timers *list, spraay_timer *t);

/* Take the soonest timer out of the list if it is due at now_ms, else NULL. */
spraay_timer *spraay_timers_take_due(spraay_timers *list, int64_t now_ms);

#endif
