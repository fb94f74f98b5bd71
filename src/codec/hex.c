/* SPDX-License-Identifier: MIT */
/* See hex.h. */

#include "codec/hex.h"

void spraay_hex_encode(char *out, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;

    for (size_t i = 0; i < n; i++) {
        *out++ = "0123456789abcdef"[p[i] >> 4];
        *out++ = "0123456789abcdef"[p[i] & 15];
    }
    *out = '\0';
}

int spraay_hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

spraay_err spraay_hex_decode(uint8_t *out, size_t n, const char *text, size_t len)
{
    if (len % 2 != 0 || len / 2 != n) return SPRAAY_SYNTAX;
    for (size_t i = 0; i < len; i++) /* all checked before anything is written */
        if (spraay_hex_digit(text[i]) < 0) return SPRAAY_SYNTAX;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(spraay_hex_digit(text[2 * i]) * 16 + spraay_hex_digit(text[2 * i + 1]));
    return SPRAAY_OK;
}

spraay_err spraay_hex_decode_0x(uint8_t *out, size_t n, const char *text, size_t len)
{
    if (len < 2 || text[0] != '0' || text[1] != 'x') return SPRAAY_SYNTAX;
    return spraay_hex_decode(out, n, text + 2, len - 2);
}
