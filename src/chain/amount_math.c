/* SPDX-License-Identifier: MIT */
/* See amount.h: sums of atomic amounts, as on paper, from the last digit to the first. */

#include <string.h>

#include "chain/amount.h"

/* The result is written from the right end of its space, then moved to the caller. */
struct result {
    char d[SPRAAY_AMOUNT_DIGITS];
    size_t start;
    bool full;
};

static void put(struct result *r, unsigned digit)
{
    if (r->start == 0) {
        r->full = r->full || digit != 0;
        return;
    }
    r->d[--r->start] = (char)('0' + digit);
}

static spraay_err finish(char out[SPRAAY_AMOUNT_DIGITS + 1], struct result *r)
{
    size_t start = r->start, end = sizeof r->d;

    if (r->full) return SPRAAY_RANGE;
    while (start + 1 < end && r->d[start] == '0') start++; /* "007" is "7", "000" is "0" */
    memcpy(out, r->d + start, end - start);
    out[end - start] = '\0';
    return SPRAAY_OK;
}

static spraay_err check(const char *a, size_t *n)
{
    *n = strlen(a);
    if (*n == 0 || (a[0] == '0' && *n > 1) || strspn(a, "0123456789") != *n) return SPRAAY_SYNTAX;
    return *n > SPRAAY_AMOUNT_DIGITS ? SPRAAY_RANGE : SPRAAY_OK;
}

/* Digit i from the right, 0 beyond the left end. */
static unsigned at(const char *a, size_t n, size_t i)
{
    return i < n ? (unsigned)(a[n - 1 - i] - '0') : 0;
}

spraay_err spraay_amount_add(char out[SPRAAY_AMOUNT_DIGITS + 1], const char *a, const char *b)
{
    struct result r = { .start = SPRAAY_AMOUNT_DIGITS, .full = false };
    size_t na, nb;
    unsigned carry = 0;
    spraay_err err;

    if ((err = check(a, &na)) != SPRAAY_OK || (err = check(b, &nb)) != SPRAAY_OK) return err;
    for (size_t i = 0; i < na || i < nb || carry > 0; i++) {
        carry += at(a, na, i) + at(b, nb, i);
        put(&r, carry % 10);
        carry /= 10;
    }
    return finish(out, &r);
}

spraay_err spraay_amount_sub(char out[SPRAAY_AMOUNT_DIGITS + 1], const char *a, const char *b)
{
    struct result r = { .start = SPRAAY_AMOUNT_DIGITS, .full = false };
    size_t na, nb;
    unsigned borrow = 0;
    spraay_err err;

    if ((err = check(a, &na)) != SPRAAY_OK || (err = check(b, &nb)) != SPRAAY_OK) return err;
    if (spraay_amount_cmp(a, b) < 0) return SPRAAY_RANGE;
    for (size_t i = 0; i < na; i++) {
        unsigned take = at(b, nb, i) + borrow, have = at(a, na, i);
        borrow = have < take ? 1 : 0;
        put(&r, have + 10 * borrow - take);
    }
    return finish(out, &r);
}

spraay_err spraay_amount_mul_u64(char out[SPRAAY_AMOUNT_DIGITS + 1], const char *a, uint64_t b)
{
    struct result r = { .start = SPRAAY_AMOUNT_DIGITS, .full = false };
    uint8_t factor[20]; /* the digits of b, last first */
    size_t na, nb = 0;
    unsigned carry = 0; /* 20 columns of 9 * 9 at most */
    spraay_err err = check(a, &na);

    if (err != SPRAAY_OK) return err;
    do {
        factor[nb++] = (uint8_t)(b % 10);
        b /= 10;
    } while (b > 0);
    for (size_t i = 0; i < na + nb || carry > 0; i++) { /* column by column */
        for (size_t k = 0; k < nb && k <= i; k++) carry += factor[k] * at(a, na, i - k);
        put(&r, carry % 10);
        carry /= 10;
    }
    return finish(out, &r);
}
