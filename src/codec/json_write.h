/* SPDX-License-Identifier: MIT */
/* Writing JSON: the small pieces from which request bodies and payment headers are put together.
 * https://www.rfc-editor.org/rfc/rfc8259
 *
 * Strings are escaped no more than JSON demands; '/' and non-ASCII stay as they are. Punctuation
 * is the caller's (spraay_buf_putc). Each function appends to 'out' and returns SPRAAY_OK,
 * SPRAAY_LIMIT or SPRAAY_NOMEM, besides what it says itself. */

#ifndef SPRAAY_CODEC_JSON_WRITE_H
#define SPRAAY_CODEC_JSON_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

/* A string with its quotes. SPRAAY_UTF8: not valid UTF-8, nothing was appended. */
SPRAAY_MUST_USE spraay_err spraay_json_put_string(spraay_buf *out, const char *p, size_t n);
SPRAAY_MUST_USE spraay_err spraay_json_put_z(spraay_buf *out, const char *z);

/* A member's name, quoted, and the colon after it. SPRAAY_UTF8 as above. */
SPRAAY_MUST_USE spraay_err spraay_json_put_key(spraay_buf *out, const char *name);

SPRAAY_MUST_USE spraay_err spraay_json_put_int64(spraay_buf *out, int64_t v);
SPRAAY_MUST_USE spraay_err spraay_json_put_uint64(spraay_buf *out, uint64_t v);

/* A double: integral values up to 2^53 as plain integers, others in the fewest digits that read
 * back as the same double. The locale plays no part.
 * SPRAAY_RANGE: infinite or not a number; nothing was appended. */
SPRAAY_MUST_USE spraay_err spraay_json_put_double(spraay_buf *out, double v);

#endif
