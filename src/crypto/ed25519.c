/* SPDX-License-Identifier: MIT */
/* See ed25519.h. */

#include "crypto/ed25519.h"

#include <sodium.h>
#include <string.h>

#include "core/secret.h"
#include "crypto/sha256.h"

spraay_err spraay_ed25519_expand(uint8_t secret64[64], const uint8_t seed32[32])
{
    uint8_t public32[32];

    memset(secret64, 0, 64);
    if (sodium_init() < 0) return SPRAAY_RANDOM;
    (void)crypto_sign_seed_keypair(public32, secret64, seed32);
    return SPRAAY_OK;
}

spraay_err spraay_ed25519_public(uint8_t public32[32], const uint8_t seed32[32])
{
    uint8_t secret64[64]; /* wiped below */
    spraay_err err = spraay_ed25519_expand(secret64, seed32);

    memcpy(public32, secret64 + 32, 32);
    spraay_memwipe(secret64, sizeof secret64);
    return err;
}

spraay_err spraay_ed25519_sign(uint8_t sig64[64], const void *message, size_t n, const uint8_t secret64[64])
{
    uint8_t own64[64]; /* secret, wiped below */
    spraay_err err = spraay_ed25519_expand(own64, secret64);

    if (err == SPRAAY_OK && !spraay_bytes_equal_ct(own64, secret64, sizeof own64)) err = SPRAAY_SIGNATURE;
    if (err == SPRAAY_OK) {
        (void)crypto_sign_detached(sig64, NULL, message, n, own64);
        if (!spraay_ed25519_verify(sig64, message, n, own64 + 32)) err = SPRAAY_SIGNATURE;
    }
    if (err != SPRAAY_OK) memset(sig64, 0, 64);
    spraay_memwipe(own64, sizeof own64);
    return err;
}

bool spraay_ed25519_verify(const uint8_t sig64[64], const void *message, size_t n, const uint8_t public32[32])
{
    return sodium_init() >= 0 && crypto_sign_verify_detached(sig64, message, n, public32) == 0;
}

/* Numbers modulo p = 2^255 - 19, as eight 32-bit digits, least first, below 2^256 but not always below p.
 * Only what the question needs: adding, multiplying, raising to (p-1)/2. */

typedef uint32_t number[8];

/* carry * 2^256 added in, for 2^256 = 38 (mod p). */
static void fold(number r, uint64_t carry)
{
    while (carry > 0) {
        carry *= 38;
        for (int i = 0; i < 8; i++) {
            carry += r[i];
            r[i] = (uint32_t)carry;
            carry >>= 32;
        }
    }
}

static void add(number r, const number a, const number b)
{
    uint64_t carry = 0;

    for (int i = 0; i < 8; i++) {
        carry += (uint64_t)a[i] + b[i];
        r[i] = (uint32_t)carry;
        carry >>= 32;
    }
    fold(r, carry);
}

static void multiply(number r, const number a, const number b)
{
    uint32_t t[16] = { 0 };
    uint64_t carry = 0;

    for (int i = 0; i < 8; i++) {
        carry = 0;
        for (int k = 0; k < 8; k++) {
            carry += (uint64_t)a[i] * b[k] + t[i + k];
            t[i + k] = (uint32_t)carry;
            carry >>= 32;
        }
        t[i + 8] = (uint32_t)carry;
    }
    carry = 0;
    for (int i = 0; i < 8; i++) {
        carry += (uint64_t)t[i + 8] * 38 + t[i];
        r[i] = (uint32_t)carry;
        carry >>= 32;
    }
    fold(r, carry);
}

static bool equal_small(const number a, uint32_t v)
{
    static const number p = { 0xffffffed, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x7fffffff };
    number m = { v }; /* v, v + p or v + 2p */

    for (int times = 0; times < 3; times++) {
        uint64_t carry = 0;
        if (memcmp(a, m, sizeof m) == 0) return true;
        for (int i = 0; i < 8; i++) {
            carry += (uint64_t)m[i] + p[i];
            m[i] = (uint32_t)carry;
            carry >>= 32;
        }
        if (carry > 0) break; /* no longer below 2^256 */
    }
    return false;
}

/* Zero, or a square? By Euler: a^((p-1)/2) is then not -1. (p-1)/2 = 2^254 - 10 is all ones but for the
 * bits 0 and 3. */
static bool has_root(const number a)
{
    number r = { 1 };

    for (int bit = 253; bit >= 0; bit--) {
        multiply(r, r, r);
        if (bit != 0 && bit != 3) multiply(r, r, a);
    }
    return equal_small(r, 1) || equal_small(r, 0);
}

/* -x^2 + y^2 = 1 + d x^2 y^2, so x^2 = (y^2 - 1) / (d y^2 + 1). The divisor is never zero, and u/v is a
 * square when u*v is. The sign of x, the topmost bit, is free, but for x = 0, which has one sign only. */
bool spraay_ed25519_on_curve(const uint8_t point32[32])
{
    static const number minus_one = { 0xffffffec, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x7fffffff };
    static const number one = { 1 };
    static const number d = { 0x135978a3, 0x75eb4dca, 0x4141d8ab, 0x00700a4d,
                              0x7779e898, 0x8cc74079, 0x2b6ffe73, 0x52036cee };
    number y, u, v;

    for (size_t i = 0; i < 8; i++)
        y[i] = (uint32_t)point32[4 * i] | (uint32_t)point32[4 * i + 1] << 8 |
               (uint32_t)point32[4 * i + 2] << 16 | (uint32_t)point32[4 * i + 3] << 24;
    y[7] &= 0x7fffffff;
    multiply(y, y, y);
    add(u, y, minus_one);
    multiply(v, y, d);
    add(v, v, one);
    if (equal_small(u, 0)) return (point32[31] & 0x80) == 0;
    multiply(u, u, v);
    return has_root(u);
}
