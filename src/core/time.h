/* SPDX-License-Identifier: MIT */
/* The two clocks. Wall time says when a payment dies and can jump; monotonic time measures waits
 * and cannot. Only the driver layers ask; everything that reasons about money is told the time. */

#ifndef SPRAAY_CORE_TIME_H
#define SPRAAY_CORE_TIME_H

#include <stdint.h>

/* Seconds since 1970-01-01 UTC, rounded down. */
int64_t spraay_wall_s(void);

/* Milliseconds since some fixed moment in the past; never goes backwards. */
int64_t spraay_mono_ms(void);

/* The same with the time that the machine slept: what both clocks of a moment agree on cannot be undone by
 * setting one of them. */
int64_t spraay_boot_ms(void);

#endif
