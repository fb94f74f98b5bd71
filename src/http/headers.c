/* SPDX-License-Identifier: MIT */
/* See headers.h. */

#include "http/headers.h"

#include <assert.h>
#include <stdlib.h>

void spraay_headers_init(spraay_headers *h, size_t max)
{
    spraay_buf_init(&h->text, max);
    h->span = NULL;
    h->n = 0;
    h->cap = 0;
}

void spraay_headers_wipe(spraay_headers *h)
{
    spraay_buf_wipe(&h->text);
    free(h->span);
    h->span = NULL;
    h->n = 0;
    h->cap = 0;
}

void spraay_headers_clear(spraay_headers *h)
{
    spraay_buf_clear(&h->text);
    h->n = 0;
}

static spraay_err make_room(spraay_headers *h)
{
    if (h->n < h->cap) return SPRAAY_OK;

    size_t cap = h->cap > 0 ? h->cap * 2 : 16; /* fields are bounded by the text's limit */
    struct spraay_header_span *span = realloc(h->span, cap * sizeof *span);
    if (span == NULL) return SPRAAY_NOMEM;
    h->span = span;
    h->cap = cap;
    return SPRAAY_OK;
}

spraay_err spraay_headers_add(spraay_headers *h, spraay_slice name, spraay_slice value)
{
    size_t start = h->text.n;
    spraay_err err = make_room(h);

    value = spraay_slice_trim(value);
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(&h->text, name);
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(&h->text, value);
    if (err != SPRAAY_OK) {
        spraay_buf_truncate(&h->text, start);
        return err;
    }
    h->span[h->n++] = (struct spraay_header_span){ start, name.n, start + name.n, value.n };
    return SPRAAY_OK;
}

spraay_err spraay_headers_fold(spraay_headers *h, spraay_slice more)
{
    size_t before = h->text.n;
    spraay_err err;

    more = spraay_slice_trim(more);
    if (h->n == 0 || more.n == 0) return SPRAAY_OK;

    /* The last value ends where the text ends, so it grows in place. */
    err = spraay_buf_putc(&h->text, ' ');
    if (err == SPRAAY_OK) err = spraay_buf_put_slice(&h->text, more);
    if (err != SPRAAY_OK) {
        spraay_buf_truncate(&h->text, before);
        return err;
    }
    h->span[h->n - 1].value_n += more.n + 1;
    return SPRAAY_OK;
}

spraay_slice spraay_headers_name(const spraay_headers *h, size_t i)
{
    assert(i < h->n);
    return (spraay_slice){ h->text.d + h->span[i].name, h->span[i].name_n };
}

spraay_slice spraay_headers_value(const spraay_headers *h, size_t i)
{
    assert(i < h->n);
    return (spraay_slice){ h->text.d + h->span[i].value, h->span[i].value_n };
}

bool spraay_headers_get(const spraay_headers *h, const char *name, spraay_slice *value)
{
    for (size_t i = 0; i < h->n; i++) {
        if (!spraay_slice_eq_str_nocase(spraay_headers_name(h, i), name)) continue;
        if (value != NULL) *value = spraay_headers_value(h, i);
        return true;
    }
    return false;
}

size_t spraay_headers_count(const spraay_headers *h, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < h->n; i++) n += spraay_slice_eq_str_nocase(spraay_headers_name(h, i), name);
    return n;
}
