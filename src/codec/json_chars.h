/* SPDX-License-Identifier: MIT */
/* The characters of a JSON string that has already been checked, one at a time, without copying:
 * for comparing, and for unescaping. Shared by json.c and json_get.c only. */

#ifndef SPRAAY_CODEC_JSON_CHARS_H
#define SPRAAY_CODEC_JSON_CHARS_H

#include <stdbool.h>

#include "core/bytes.h"

/* Take the next character off 'raw' (the string's text without its quotes, known to be valid).
 *
 * Out: out   its 1 to 4 bytes of UTF-8
 * Returns how many, or 0 at the end. */
size_t spraay_json_chars_next(spraay_slice *raw, char out[4]);

/* The same characters? By value: -1, 0, 1 by the bytes of their UTF-8. With quotes. */
bool spraay_json_chars_eq(spraay_slice quoted_a, spraay_slice quoted_b);
int spraay_json_chars_cmp(spraay_slice quoted_a, spraay_slice quoted_b);

/* Are the characters of a quoted string those of 'plain', which is no JSON but text? */
bool spraay_json_chars_eq_plain(spraay_slice quoted, spraay_slice plain);

/* A quoted string without its quotes. */
spraay_slice spraay_json_chars_inside(spraay_slice quoted);

#endif
