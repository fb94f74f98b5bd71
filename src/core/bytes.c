/* SPDX-License-Identifier: MIT */
/* See bytes.h. */

#include "core/bytes.h"

#include <stdlib.h>
#include <string.h>

spraay_slice spraay_slice_from(const char *z)
{
    spraay_slice s = { z, z != NULL ? strlen(z) : 0 };
    return s;
}

bool spraay_slice_eq(spraay_slice a, spraay_slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool spraay_slice_eq_str(spraay_slice a, const char *z)
{
    return spraay_slice_eq(a, spraay_slice_from(z));
}

char spraay_ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool spraay_slice_eq_nocase(spraay_slice a, spraay_slice b)
{
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (spraay_ascii_lower(a.p[i]) != spraay_ascii_lower(b.p[i])) return false;
    return true;
}

bool spraay_slice_eq_str_nocase(spraay_slice a, const char *z)
{
    return spraay_slice_eq_nocase(a, spraay_slice_from(z));
}

bool spraay_slice_starts(spraay_slice a, const char *z)
{
    size_t n = strlen(z);
    return n <= a.n && (n == 0 || memcmp(a.p, z, n) == 0);
}

spraay_slice spraay_slice_skip(spraay_slice a, size_t n)
{
    if (n > a.n) n = a.n;
    if (n > 0) a.p += n;
    a.n -= n;
    return a;
}

spraay_slice spraay_slice_trim(spraay_slice a)
{
    while (a.n > 0 && (a.p[0] == ' ' || a.p[0] == '\t')) {
        a.p++;
        a.n--;
    }
    while (a.n > 0 && (a.p[a.n - 1] == ' ' || a.p[a.n - 1] == '\t')) a.n--;
    return a;
}

void spraay_put_be32(uint8_t out[4], uint32_t v)
{
    for (unsigned i = 0; i < 4; i++) out[i] = (uint8_t)(v >> (24 - 8 * i));
}

void spraay_put_be64(uint8_t out[8], uint64_t v)
{
    for (unsigned i = 0; i < 8; i++) out[i] = (uint8_t)(v >> (56 - 8 * i));
}

uint32_t spraay_get_be32(const uint8_t in[4])
{
    uint32_t v = 0;
    for (unsigned i = 0; i < 4; i++) v = v << 8 | in[i];
    return v;
}

uint64_t spraay_get_be64(const uint8_t in[8])
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 8; i++) v = v << 8 | in[i];
    return v;
}

char *spraay_text_copy(const char *z, bool *ok)
{
    size_t n;
    char *copy;

    if (z == NULL) return NULL;
    n = strlen(z) + 1;
    copy = malloc(n);
    if (copy == NULL)
        *ok = false;
    else
        memcpy(copy, z, n);
    return copy;
}
