/* SPDX-License-Identifier: MIT */
/* See utf8.h. */

#include "codec/utf8.h"

static int continues(uint8_t b)
{
    return (b & 0xC0) == 0x80;
}

size_t spraay_utf8_sequence(const char *p, size_t n)
{
    const uint8_t *s = (const uint8_t *)p;
    uint8_t b = s[0];

    if (b < 0x80) return 1;
    if (b < 0xC2) return 0; /* a continuation byte, or an overlong two */
    if (b < 0xE0) return n >= 2 && continues(s[1]) ? 2 : 0;
    if (b < 0xF0) {
        if (n < 3 || !continues(s[1]) || !continues(s[2])) return 0;
        if (b == 0xE0 && s[1] < 0xA0) return 0;  /* overlong */
        if (b == 0xED && s[1] >= 0xA0) return 0; /* a surrogate */
        return 3;
    }
    if (b > 0xF4 || n < 4 || !continues(s[1]) || !continues(s[2]) || !continues(s[3])) return 0;
    if (b == 0xF0 && s[1] < 0x90) return 0;  /* overlong */
    if (b == 0xF4 && s[1] >= 0x90) return 0; /* above U+10FFFF */
    return 4;
}

bool spraay_utf8_valid(const char *p, size_t n)
{
    while (n > 0) {
        size_t k = spraay_utf8_sequence(p, n);
        if (k == 0) return false;
        p += k;
        n -= k;
    }
    return true;
}

size_t spraay_utf8_encode(char out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(uint8_t)(0x80 | (c & 0x3F));
    out[0] = (char)(uint8_t)((0xF00u >> n & 0xFF) | c); /* 110xxxxx, 1110xxxx, 11110xxx */
    return n;
}
