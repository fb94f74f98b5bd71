/* SPDX-License-Identifier: MIT */
/* Random bytes from the operating system, and from nowhere else. */

#ifndef SPRAAY_CRYPTO_RANDOM_H
#define SPRAAY_CRYPTO_RANDOM_H

#include <stddef.h>

#include "core/error.h"

/* n unpredictable bytes. There is no fallback: without them nothing may be signed.
 *
 * Out: out   zeroed on error
 * Returns SPRAAY_OK or SPRAAY_RANDOM. */
SPRAAY_MUST_USE spraay_err spraay_random(void *out, size_t n);

#endif
