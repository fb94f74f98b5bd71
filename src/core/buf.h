/* SPDX-License-Identifier: MIT */
/* A growable run of bytes that knows its limit.
 *
 * A buffer is born with the most bytes it may ever hold, so nothing a peer sends can grow without
 * bound. Memory it outgrows or gives back is zeroed first: what passed through a buffer does not
 * linger on the heap. Whenever d is not NULL, d[n] is '\0' (not counted in n), so text can be
 * handed to C functions.
 *
 * The struct is open for reading; change it only through these functions. */

#ifndef SPRAAY_CORE_BUF_H
#define SPRAAY_CORE_BUF_H

#include "core/bytes.h"
#include "core/error.h"

typedef struct spraay_buf {
    char *d;    /* the bytes, or NULL while nothing was ever put */
    size_t n;   /* how many */
    size_t cap; /* bytes allocated, the NUL's place included */
    size_t max; /* the most n may become */
} spraay_buf;

/* An empty buffer that may hold at most 'max' bytes. Allocates nothing. */
void spraay_buf_init(spraay_buf *b, size_t max);

/* Zero and free everything; the buffer is then as after init with the same 'max'. Idempotent. */
void spraay_buf_wipe(spraay_buf *b);

/* Forget the content (zeroing it), keep the memory. */
void spraay_buf_clear(spraay_buf *b);

/* Append. On error the buffer keeps what it had.
 *
 * Returns SPRAAY_OK, SPRAAY_LIMIT (would exceed max) or SPRAAY_NOMEM. 'p' must not point into the
 * buffer itself; it may be NULL when n is 0. */
SPRAAY_MUST_USE spraay_err spraay_buf_put(spraay_buf *b, const void *p, size_t n);
SPRAAY_MUST_USE spraay_err spraay_buf_puts(spraay_buf *b, const char *z);
SPRAAY_MUST_USE spraay_err spraay_buf_putc(spraay_buf *b, char c);
SPRAAY_MUST_USE spraay_err spraay_buf_put_slice(spraay_buf *b, spraay_slice s);
SPRAAY_MUST_USE spraay_err spraay_buf_printf(spraay_buf *b, const char *fmt, ...) SPRAAY_PRINTF(2, 3);

/* Make room for n more bytes and give back where they start, to be filled by the caller, who then
 * calls spraay_buf_added with how many (<= n) really came.
 *
 * Out: place   valid until the next call on this buffer
 * Returns SPRAAY_OK, SPRAAY_LIMIT or SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_buf_reserve(spraay_buf *b, size_t n, char **place);
void spraay_buf_added(spraay_buf *b, size_t n);

/* Shorten to n bytes (n <= b->n), zeroing the rest. */
void spraay_buf_truncate(spraay_buf *b, size_t n);

/* The content, valid until the next call on this buffer. Never has a NULL pointer. */
spraay_slice spraay_buf_slice(const spraay_buf *b);

/* Move the content out: the caller owns *p (NUL after n bytes) and frees it with free(). The
 * buffer is then as after init.
 *
 * Returns SPRAAY_OK, or SPRAAY_NOMEM (only when the buffer never held anything). */
SPRAAY_MUST_USE spraay_err spraay_buf_take(spraay_buf *b, char **p, size_t *n);

#endif
