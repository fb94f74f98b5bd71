/* SPDX-License-Identifier: MIT */
/* The header fields of an answer, in the order they came.
 *
 * Names compare without case, values are kept byte for byte but for the white space around them.
 * A name may come twice: the payment headers must not, so the count can be asked.
 * https://www.rfc-editor.org/rfc/rfc9110#section-5 */

#ifndef SPRAAY_HTTP_HEADERS_H
#define SPRAAY_HTTP_HEADERS_H

#include "core/buf.h"
#include "core/bytes.h"
#include "core/error.h"

#define SPRAAY_HEADERS_MAX_BYTES ((size_t)64 * 1024) /* what an answer may carry, unless told */

struct spraay_header_span {
    size_t name, name_n, value, value_n; /* offsets into the text, and lengths */
};

typedef struct spraay_headers {
    spraay_buf text; /* names and values, one after the other */
    struct spraay_header_span *span;
    size_t n; /* how many fields */
    size_t cap;
} spraay_headers;

/* No fields; names and values together may come to 'max' bytes. Allocates nothing. */
void spraay_headers_init(spraay_headers *h, size_t max);

/* Free everything. Idempotent. */
void spraay_headers_wipe(spraay_headers *h);

/* Forget all fields, keep the memory. */
void spraay_headers_clear(spraay_headers *h);

/* Append a field; both slices are copied, the value without the white space around it.
 *
 * Returns SPRAAY_OK, SPRAAY_LIMIT (over 'max') or SPRAAY_NOMEM; on error nothing is added. */
SPRAAY_MUST_USE spraay_err spraay_headers_add(spraay_headers *h, spraay_slice name, spraay_slice value);

/* Append to the value of the last field, after one space: the obsolete folded line of
 * RFC 9112, section 5.2. Without a field it does nothing. Returns as spraay_headers_add. */
SPRAAY_MUST_USE spraay_err spraay_headers_fold(spraay_headers *h, spraay_slice more);

/* The i-th field, i < n. Valid until the next add, fold, clear or wipe. */
spraay_slice spraay_headers_name(const spraay_headers *h, size_t i);
spraay_slice spraay_headers_value(const spraay_headers *h, size_t i);

/* The value of the first field of that name; false, and *value untouched, when there is none.
 * 'value' may be NULL. Valid as above. */
bool spraay_headers_get(const spraay_headers *h, const char *name, spraay_slice *value);

/* How many fields have that name. */
size_t spraay_headers_count(const spraay_headers *h, const char *name);

#endif
