/* SPDX-License-Identifier: MIT */
/* See amount.h: whole tokens to atomic units and back, and what an atomic amount is. Sums stand
 * in amount_math.c. */

#include "chain/amount.h"

#include <assert.h>
#include <string.h>

struct digits {
    char d[SPRAAY_AMOUNT_DIGITS + 1];
    size_t n;
};

static bool push(struct digits *s, char c)
{
    if (s->n == 0 && c == '0') return true; /* a leading zero? drop it */
    if (s->n == SPRAAY_AMOUNT_DIGITS) return false;
    s->d[s->n++] = c;
    return true;
}

spraay_err spraay_amount_to_atomic(char out[SPRAAY_AMOUNT_DIGITS + 1], const char *text, size_t len,
                                   unsigned decimals)
{
    struct digits s = { .n = 0 };
    unsigned room = decimals; /* fraction places still empty */
    bool point = false;       /* past the decimal point? */
    bool excess = false;      /* a digit the token cannot hold? */
    bool full = false;

    if (decimals > SPRAAY_AMOUNT_DECIMALS) return SPRAAY_RANGE;
    if (len == 0) return SPRAAY_SYNTAX;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '.' && !point && i > 0 && i + 1 < len) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9') return SPRAAY_SYNTAX; /* said first, whatever came before */
        if (point && room == 0) {
            excess = excess || c != '0';
            continue;
        }
        if (point) room--;
        full = !push(&s, c) || full;
    }
    if (excess) return SPRAAY_PRECISION;
    while (room-- > 0) full = !push(&s, '0') || full;
    if (full) return SPRAAY_RANGE;
    if (s.n == 0) s.d[s.n++] = '0'; /* "0.00" is "0", not "" */
    s.d[s.n] = '\0';
    memcpy(out, s.d, s.n + 1);
    return SPRAAY_OK;
}

/* Digits, no leading zero; any length but none. */
static bool atomic(const char *text, size_t len)
{
    if (len == 0 || (text[0] == '0' && len > 1)) return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9') return false;
    return true;
}

spraay_err spraay_amount_from_atomic(char out[SPRAAY_AMOUNT_TEXT], const char *text, size_t len,
                                     unsigned decimals)
{
    size_t n = 0;
    size_t whole = len > decimals ? len - decimals : 0; /* digits before the point */

    if (!atomic(text, len)) return SPRAAY_SYNTAX;
    if (len > SPRAAY_AMOUNT_DIGITS || decimals > SPRAAY_AMOUNT_DECIMALS) return SPRAAY_RANGE;
    if (whole == 0)
        out[n++] = '0';
    else {
        memcpy(out, text, whole);
        n = whole;
    }
    if (decimals > 0) {
        out[n++] = '.';
        for (size_t i = len - whole; i < decimals; i++) out[n++] = '0';
        memcpy(out + n, text + whole, len - whole);
        n += len - whole;
    }
    out[n] = '\0';
    return SPRAAY_OK;
}

static const char most[] = /* 2^256 - 1 */
    "115792089237316195423570985008687907853269984665640564039457584007913129639935";

bool spraay_amount_valid(const char *text, size_t len)
{
    if (!atomic(text, len) || len > SPRAAY_UINT256_DIGITS) return false;
    return len < SPRAAY_UINT256_DIGITS || memcmp(text, most, len) <= 0;
}

int spraay_amount_cmp(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);

    assert(atomic(a, na) && atomic(b, nb));
    if (na != nb) return na < nb ? -1 : 1; /* no leading zeros: the longer one is more */
    int order = memcmp(a, b, na);
    return order < 0 ? -1 : order > 0 ? 1 : 0;
}

spraay_err spraay_amount_to_be32(uint8_t out32[32], const char *digits)
{
    uint8_t v[32] = { 0 };
    size_t n = strlen(digits);

    if (!atomic(digits, n)) return SPRAAY_SYNTAX;
    if (!spraay_amount_valid(digits, n)) return SPRAAY_RANGE;
    for (; *digits != '\0'; digits++) {
        unsigned carry = (unsigned)(*digits - '0');
        for (size_t i = 32; i-- > 0;) {
            carry += v[i] * 10u;
            v[i] = (uint8_t)carry;
            carry >>= 8;
        }
    }
    memcpy(out32, v, sizeof v);
    return SPRAAY_OK;
}

void spraay_amount_from_be32(char out[SPRAAY_UINT256_DIGITS + 1], const uint8_t in32[32])
{
    char text[SPRAAY_UINT256_DIGITS];
    uint8_t v[32];
    size_t start = sizeof text;
    bool zero;

    memcpy(v, in32, sizeof v);
    do { /* divide by ten; the remainder is the next digit from the right */
        unsigned rest = 0;
        zero = true;
        for (size_t i = 0; i < sizeof v; i++) {
            rest = rest << 8 | v[i];
            v[i] = (uint8_t)(rest / 10);
            rest %= 10;
            zero = zero && v[i] == 0;
        }
        text[--start] = (char)('0' + rest);
    } while (!zero);
    memcpy(out, text + start, sizeof text - start);
    out[sizeof text - start] = '\0';
}
