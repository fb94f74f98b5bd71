/* SPDX-License-Identifier: MIT */
/* See buf.h. */

#include "core/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/secret.h"

void spraay_buf_init(spraay_buf *b, size_t max)
{
    b->d = NULL;
    b->n = 0;
    b->cap = 0;
    b->max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2; /* so that sums below cannot wrap */
}

void spraay_buf_wipe(spraay_buf *b)
{
    if (b->d != NULL) {
        spraay_memwipe(b->d, b->cap);
        free(b->d);
    }
    spraay_buf_init(b, b->max);
}

void spraay_buf_clear(spraay_buf *b)
{
    spraay_buf_truncate(b, 0);
}

void spraay_buf_truncate(spraay_buf *b, size_t n)
{
    assert(n <= b->n);
    if (b->d != NULL) spraay_memwipe(b->d + n, b->n - n); /* d[n] becomes the NUL */
    b->n = n;
}

/* Not realloc: it may leave the old bytes on the heap. */
static spraay_err grow(spraay_buf *b, size_t need)
{
    size_t cap = b->cap > 0 ? b->cap : 64;

    while (cap < need) cap = cap * 2;
    if (cap > b->max + 1) cap = b->max + 1;

    char *d = malloc(cap);
    if (d == NULL) return SPRAAY_NOMEM;
    if (b->d != NULL) {
        memcpy(d, b->d, b->n);
        spraay_memwipe(b->d, b->cap);
        free(b->d);
    }
    d[b->n] = '\0';
    b->d = d;
    b->cap = cap;
    return SPRAAY_OK;
}

spraay_err spraay_buf_reserve(spraay_buf *b, size_t n, char **place)
{
    if (n > b->max - b->n) return SPRAAY_LIMIT;
    if (b->n + n + 1 > b->cap) {
        spraay_err err = grow(b, b->n + n + 1);
        if (err != SPRAAY_OK) return err;
    }
    *place = b->d + b->n;
    return SPRAAY_OK;
}

void spraay_buf_added(spraay_buf *b, size_t n)
{
    if (b->d == NULL) {
        assert(n == 0);
        return;
    }
    assert(n < b->cap - b->n);
    b->n += n;
    b->d[b->n] = '\0';
}

spraay_err spraay_buf_put(spraay_buf *b, const void *p, size_t n)
{
    char *place;
    spraay_err err = spraay_buf_reserve(b, n, &place);

    if (err != SPRAAY_OK) return err;
    if (n > 0) memcpy(place, p, n);
    spraay_buf_added(b, n);
    return SPRAAY_OK;
}

spraay_err spraay_buf_puts(spraay_buf *b, const char *z)
{
    return spraay_buf_put(b, z, strlen(z));
}

spraay_err spraay_buf_putc(spraay_buf *b, char c)
{
    return spraay_buf_put(b, &c, 1);
}

spraay_err spraay_buf_put_slice(spraay_buf *b, spraay_slice s)
{
    return spraay_buf_put(b, s.p, s.n);
}

spraay_err spraay_buf_printf(spraay_buf *b, const char *fmt, ...)
{
    va_list ap;
    char *place = NULL;

    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) return SPRAAY_NOMEM; /* the only way these formats can fail */

    spraay_err err = spraay_buf_reserve(b, (size_t)n, &place);
    if (err != SPRAAY_OK) return err;
    va_start(ap, fmt);
    (void)vsnprintf(place, (size_t)n + 1, fmt, ap);
    va_end(ap);
    spraay_buf_added(b, (size_t)n);
    return SPRAAY_OK;
}

spraay_slice spraay_buf_slice(const spraay_buf *b)
{
    spraay_slice s = { b->d != NULL ? b->d : "", b->n };
    return s;
}

spraay_err spraay_buf_take(spraay_buf *b, char **p, size_t *n)
{
    if (b->d == NULL) {
        char *place;
        spraay_err err = spraay_buf_reserve(b, 0, &place);
        if (err != SPRAAY_OK) return err;
    }
    *p = b->d;
    *n = b->n;
    spraay_buf_init(b, b->max); /* transferred */
    return SPRAAY_OK;
}
