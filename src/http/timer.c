/* SPDX-License-Identifier: MIT */
/* See timer.h. */

#include "http/timer.h"

#include <stddef.h>

void spraay_timer_init(spraay_timer *t, void (*fire)(void *ud), void *ud)
{
    *t = (spraay_timer){ .fire = fire, .ud = ud };
}

void spraay_timers_clear(spraay_timers *list, spraay_timer *t)
{
    if (!t->armed) return;
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        list->first = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    else
        list->last = t->prev;
    t->prev = NULL;
    t->next = NULL;
    t->armed = false;
}

void spraay_timers_set(spraay_timers *list, spraay_timer *t, int64_t at_ms)
{
    spraay_timers_clear(list, t);

    spraay_timer *after = list->last; /* the one it will follow: equal moments keep their order */
    while (after != NULL && after->at_ms > at_ms) after = after->prev;

    t->at_ms = at_ms;
    t->armed = true;
    t->prev = after;
    t->next = after != NULL ? after->next : list->first;
    if (t->next != NULL)
        t->next->prev = t;
    else
        list->last = t;
    if (after != NULL)
        after->next = t;
    else
        list->first = t;
}

spraay_timer *spraay_timers_take_due(spraay_timers *list, int64_t now_ms)
{
    spraay_timer *t = list->first;

    if (t == NULL || t->at_ms > now_ms) return NULL;
    spraay_timers_clear(list, t);
    return t;
}
