/* SPDX-License-Identifier: MIT */
/* See base58.h. A leading zero byte is a '1'; the rest is one big number, converted by long
 * division (here: multiply and carry) between base 256 and base 58. */

#include "codec/base58.h"

#include <string.h>

#include "core/secret.h"

static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

#define TEXT_MAX (SPRAAY_BASE58_BYTES * 138 / 100 + 1) /* log 256 / log 58 = 1.3658 */

/* Number in base 'from', most significant first, to base 'to', into the end of out[cap].
 * Returns how many digits, or SIZE_MAX when they do not fit. */
static size_t rebase(uint8_t *out, size_t cap, const uint8_t *in, size_t n, unsigned from, unsigned to)
{
    size_t used = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned carry = in[i];
        size_t k = 0;
        for (; k < used || carry > 0; k++) {
            if (k == cap) return SIZE_MAX;
            if (k == used) {
                out[cap - 1 - k] = 0;
                used++;
            }
            carry += out[cap - 1 - k] * from;
            out[cap - 1 - k] = (uint8_t)(carry % to);
            carry /= to;
        }
    }
    return used;
}

spraay_err spraay_base58_encode(spraay_buf *out, const uint8_t *bytes, size_t n)
{
    uint8_t digits[TEXT_MAX];
    char text[SPRAAY_BASE58_BYTES + TEXT_MAX];
    size_t zeros = 0, len = 0;

    if (n > SPRAAY_BASE58_BYTES) return SPRAAY_LIMIT;
    while (zeros < n && bytes[zeros] == 0) {
        zeros++;
        text[len++] = '1';
    }

    size_t used = rebase(digits, sizeof digits, bytes + zeros, n - zeros, 256, 58);
    for (size_t i = sizeof digits - used; i < sizeof digits; i++) text[len++] = alphabet[digits[i]];
    return spraay_buf_put(out, text, len);
}

/* Into the end of bytes[SPRAAY_BASE58_BYTES]; says where they start. */
static spraay_err decode_digits(uint8_t *bytes, uint8_t *digits, const char *text, size_t len, size_t *start)
{
    size_t zeros = 0;

    for (size_t i = 0; i < len; i++) {
        const char *at = text[i] != '\0' ? strchr(alphabet, text[i]) : NULL;
        if (at == NULL) return SPRAAY_SYNTAX;
        digits[i] = (uint8_t)(at - alphabet);
    }
    while (zeros < len && digits[zeros] == 0) zeros++;
    if (zeros > SPRAAY_BASE58_BYTES) return SPRAAY_LIMIT;

    size_t used = rebase(bytes, SPRAAY_BASE58_BYTES, digits + zeros, len - zeros, 58, 256);
    if (used == SIZE_MAX || zeros + used > SPRAAY_BASE58_BYTES) return SPRAAY_LIMIT;
    *start = SPRAAY_BASE58_BYTES - used - zeros;
    memset(bytes + *start, 0, zeros);
    return SPRAAY_OK;
}

static spraay_err decode(uint8_t *bytes, const char *text, size_t len, size_t *start)
{
    uint8_t digits[SPRAAY_BASE58_BYTES + TEXT_MAX]; /* may be a key's: wiped */
    spraay_err err;

    if (len > sizeof digits) return SPRAAY_LIMIT;
    err = decode_digits(bytes, digits, text, len, start);
    spraay_memwipe(digits, len);
    return err;
}

spraay_err spraay_base58_decode(spraay_buf *out, const char *text, size_t len)
{
    uint8_t bytes[SPRAAY_BASE58_BYTES]; /* may be a key: wiped */
    size_t start = 0;
    spraay_err err = decode(bytes, text, len, &start);

    if (err == SPRAAY_OK) err = spraay_buf_put(out, bytes + start, sizeof bytes - start);
    spraay_memwipe(bytes, sizeof bytes);
    return err;
}

spraay_err spraay_base58_decode32(uint8_t out[32], const char *text, size_t len)
{
    uint8_t bytes[SPRAAY_BASE58_BYTES];
    size_t start = 0;

    if (len > 44) return SPRAAY_SYNTAX; /* 32 bytes take at most that many characters */
    if (decode(bytes, text, len, &start) != SPRAAY_OK) return SPRAAY_SYNTAX;
    if (sizeof bytes - start != 32) return SPRAAY_SYNTAX;
    memcpy(out, bytes + start, 32);
    return SPRAAY_OK;
}
