/* SPDX-License-Identifier: MIT */
/* See json_chars.h. */

#include "codec/json_chars.h"

#include <string.h>

#include "codec/hex.h"
#include "codec/utf8.h"

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) v = v * 16 + (uint32_t)spraay_hex_digit(p[i]);
    return v;
}

size_t spraay_json_chars_next(spraay_slice *raw, char out[4])
{
    size_t n;

    if (raw->n == 0) return 0;
    if (raw->p[0] != '\\') {
        n = spraay_utf8_sequence(raw->p, raw->n);
        memcpy(out, raw->p, n);
        *raw = spraay_slice_skip(*raw, n);
        return n;
    }

    char c = raw->p[1];
    if (c == 'u') {
        uint32_t v = hex4(raw->p + 2);
        n = 6;
        if (v >= 0xD800 && v <= 0xDBFF) { /* a pair: \uD83D\uDE00 */
            v = 0x10000 + ((v - 0xD800) << 10) + (hex4(raw->p + 8) - 0xDC00);
            n = 12;
        }
        *raw = spraay_slice_skip(*raw, n);
        return spraay_utf8_encode(out, v);
    }
    switch (c) {
    case 'b': c = '\b'; break;
    case 'f': c = '\f'; break;
    case 'n': c = '\n'; break;
    case 'r': c = '\r'; break;
    case 't': c = '\t'; break;
    default: break; /* quote, backslash, slash stand for themselves */
    }
    out[0] = c;
    *raw = spraay_slice_skip(*raw, 2);
    return 1;
}

spraay_slice spraay_json_chars_inside(spraay_slice quoted)
{
    spraay_slice s = { quoted.p + 1, quoted.n - 2 };
    return s;
}

static bool escaped(spraay_slice s)
{
    return s.n > 0 && memchr(s.p, '\\', s.n) != NULL;
}

int spraay_json_chars_cmp(spraay_slice quoted_a, spraay_slice quoted_b)
{
    spraay_slice a = spraay_json_chars_inside(quoted_a), b = spraay_json_chars_inside(quoted_b);
    char ca[4], cb[4];

    for (;;) {
        size_t na = spraay_json_chars_next(&a, ca), nb = spraay_json_chars_next(&b, cb);
        int order = memcmp(ca, cb, na < nb ? na : nb); /* 0 bytes at the end: equal so far */
        if (order != 0) return order < 0 ? -1 : 1;
        if (na != nb) return na < nb ? -1 : 1;
        if (na == 0) return 0;
    }
}

bool spraay_json_chars_eq(spraay_slice quoted_a, spraay_slice quoted_b)
{
    if (!escaped(quoted_a) && !escaped(quoted_b)) return spraay_slice_eq(quoted_a, quoted_b);
    return spraay_json_chars_cmp(quoted_a, quoted_b) == 0;
}

bool spraay_json_chars_eq_plain(spraay_slice quoted, spraay_slice plain)
{
    spraay_slice s = spraay_json_chars_inside(quoted);
    char c[4];
    size_t n;

    if (!escaped(s)) return spraay_slice_eq(s, plain);
    while ((n = spraay_json_chars_next(&s, c)) > 0) {
        if (n > plain.n || memcmp(c, plain.p, n) != 0) return false;
        plain = spraay_slice_skip(plain, n);
    }
    return plain.n == 0;
}
