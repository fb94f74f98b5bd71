/* SPDX-License-Identifier: MIT */
/* See json_write.h. */

#include "codec/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/utf8.h"

/* How a byte below 0x20, a quote or a backslash is written; NULL for all others. */
static const char *escape_of(unsigned char c, char space[7])
{
    switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\b': return "\\b";
    case '\f': return "\\f";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default:
        if (c >= 0x20) return NULL;
        (void)snprintf(space, 7, "\\u%04x", c);
        return space;
    }
}

spraay_err spraay_json_put_string(spraay_buf *out, const char *p, size_t n)
{
    size_t before = out->n, start = 0;
    char space[7];

    if (!spraay_utf8_valid(p, n)) return SPRAAY_UTF8;
    spraay_err err = spraay_buf_putc(out, '"');
    for (size_t i = 0; i < n && err == SPRAAY_OK; i++) {
        const char *esc = escape_of((unsigned char)p[i], space);
        if (esc == NULL) continue;
        err = spraay_buf_put(out, p + start, i - start); /* the run that needed nothing */
        if (err == SPRAAY_OK) err = spraay_buf_puts(out, esc);
        start = i + 1;
    }
    if (err == SPRAAY_OK && n > start) err = spraay_buf_put(out, p + start, n - start);
    if (err == SPRAAY_OK) err = spraay_buf_putc(out, '"');
    if (err != SPRAAY_OK) spraay_buf_truncate(out, before);
    return err;
}

spraay_err spraay_json_put_z(spraay_buf *out, const char *z)
{
    return spraay_json_put_string(out, z, strlen(z));
}

spraay_err spraay_json_put_key(spraay_buf *out, const char *name)
{
    spraay_err err = spraay_json_put_z(out, name);
    return err == SPRAAY_OK ? spraay_buf_putc(out, ':') : err;
}

spraay_err spraay_json_put_int64(spraay_buf *out, int64_t v)
{
    return spraay_buf_printf(out, "%" PRId64, v);
}

spraay_err spraay_json_put_uint64(spraay_buf *out, uint64_t v)
{
    return spraay_buf_printf(out, "%" PRIu64, v);
}

spraay_err spraay_json_put_double(spraay_buf *out, double v)
{
    char text[40], plain[40];
    size_t n = 0;

    if (v != v || v - v != 0) return SPRAAY_RANGE; /* NaN; infinity, whose difference is NaN */
    if (v >= -9007199254740992.0 && v <= 9007199254740992.0 && (double)(int64_t)v == v)
        return spraay_json_put_int64(out, (int64_t)v);

    for (int precision = 1; precision <= 17; precision++) { /* 17 digits always suffice */
        (void)snprintf(text, sizeof text, "%.*g", precision, v);
        if (strtod(text, NULL) == v) break;
    }
    /* The locale's decimal point, of whatever length, becomes a '.'. */
    for (const char *p = text; *p != '\0'; p++) {
        if (strchr("0123456789+-e", *p) != NULL)
            plain[n++] = *p;
        else if (n == 0 || plain[n - 1] != '.')
            plain[n++] = '.';
    }
    return spraay_buf_put(out, plain, n);
}
