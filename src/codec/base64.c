/* SPDX-License-Identifier: MIT */
/* See base64.h. */

#include "codec/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

spraay_err spraay_base64_encode(spraay_buf *out, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    char *to;

    if (n > SIZE_MAX / 8) return SPRAAY_LIMIT;
    size_t len = (n + 2) / 3 * 4;
    spraay_err err = spraay_buf_reserve(out, len, &to);
    if (err != SPRAAY_OK) return err;

    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i; /* one or two bytes in the last group? they are padded */
        uint32_t v = (uint32_t)p[i] << 16;
        if (left > 1) v |= (uint32_t)p[i + 1] << 8;
        if (left > 2) v |= p[i + 2];
        *to++ = alphabet[v >> 18];
        *to++ = alphabet[v >> 12 & 63];
        *to++ = left > 1 ? alphabet[v >> 6 & 63] : '=';
        *to++ = left > 2 ? alphabet[v & 63] : '=';
    }
    spraay_buf_added(out, len);
    return SPRAAY_OK;
}

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    if (c == '/') return 63;
    return -1;
}

spraay_err spraay_base64_decode(spraay_buf *out, const char *text, size_t len)
{
    char *to;

    if (len % 4 == 0 && len > 0 && text[len - 1] == '=') { /* padded? */
        len--;
        if (text[len - 1] == '=') len--;
    }
    if (len % 4 == 1) return SPRAAY_SYNTAX; /* one digit is not even a byte */
    for (size_t i = 0; i < len; i++)
        if (digit(text[i]) < 0) return SPRAAY_SYNTAX;

    size_t n = len / 4 * 3 + (len % 4 > 0 ? len % 4 - 1 : 0);
    spraay_err err = spraay_buf_reserve(out, n, &to);
    if (err != SPRAAY_OK) return err;

    uint32_t acc = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < len; i++) {
        acc = acc << 6 | (uint32_t)digit(text[i]);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *to++ = (char)(uint8_t)(acc >> bits);
        }
    }
    spraay_buf_added(out, n);
    return SPRAAY_OK;
}
