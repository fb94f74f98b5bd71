/* SPDX-License-Identifier: MIT */
/* UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
 * https://www.rfc-editor.org/rfc/rfc3629 */

#ifndef SPRAAY_CODEC_UTF8_H
#define SPRAAY_CODEC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many bytes the sequence at p takes (1..4), or 0 when it is not valid. n > 0 bytes are
 * there to read. */
size_t spraay_utf8_sequence(const char *p, size_t n);

/* Is all of it valid? */
bool spraay_utf8_valid(const char *p, size_t n);

/* Encode a scalar value (not a surrogate, at most 0x10FFFF); returns how many bytes. */
size_t spraay_utf8_encode(char out[4], uint32_t scalar);

#endif
