/* SPDX-License-Identifier: MIT */
/* See sha256.h. */

#include "crypto/sha256.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/secret.h"

void spraay_sha256(uint8_t out[32], const void *p, size_t n)
{
    crypto_hash_sha256(out, n > 0 ? p : (const void *)"", n);
}

spraay_err spraay_sha256_file(uint8_t out[32], const char *path)
{
    crypto_hash_sha256_state st;
    uint8_t piece[16384];
    FILE *f = fopen(path, "rb");
    size_t n;
    bool bad;

    if (f == NULL) return SPRAAY_MISSING;
    crypto_hash_sha256_init(&st);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0) crypto_hash_sha256_update(&st, piece, n);
    bad = ferror(f) != 0;
    (void)fclose(f);
    if (bad) return SPRAAY_IO;
    crypto_hash_sha256_final(&st, out);
    return SPRAAY_OK;
}

/* Over up to three pieces, so that HKDF needs no buffer to join them. */
static void hmac(uint8_t out[32], const void *key, size_t key_len, const void *a, size_t a_len, const void *b,
                 size_t b_len, const void *c, size_t c_len)
{
    crypto_auth_hmacsha256_state st;

    crypto_auth_hmacsha256_init(&st, key_len > 0 ? key : (const void *)"", key_len);
    if (a_len > 0) crypto_auth_hmacsha256_update(&st, a, a_len);
    if (b_len > 0) crypto_auth_hmacsha256_update(&st, b, b_len);
    if (c_len > 0) crypto_auth_hmacsha256_update(&st, c, c_len);
    crypto_auth_hmacsha256_final(&st, out);
    spraay_memwipe(&st, sizeof st);
}

void spraay_hmac_sha256(uint8_t out[32], const void *key, size_t key_len, const void *p, size_t n)
{
    hmac(out, key, key_len, p, n, NULL, 0, NULL, 0);
}

/* PRK = HMAC(salt, key); T(i) = HMAC(PRK, T(i-1) | info | i); the output is T(1) | T(2) | … */
spraay_err spraay_hkdf_sha256(uint8_t *out, size_t out_len, const void *key, size_t key_len, const void *salt,
                              size_t salt_len, const void *info, size_t info_len)
{
    uint8_t prk[32], t[32]; /* both secret, wiped below */
    size_t t_len = 0, done = 0;

    if (out_len > (size_t)255 * 32) return SPRAAY_RANGE;
    hmac(prk, salt, salt_len, key, key_len, NULL, 0, NULL, 0);
    for (uint8_t i = 1; done < out_len; i++) {
        size_t n = out_len - done < 32 ? out_len - done : 32;
        hmac(t, prk, sizeof prk, t, t_len, info, info_len, &i, 1);
        t_len = sizeof t;
        memcpy(out + done, t, n);
        done += n;
    }
    spraay_memwipe(prk, sizeof prk);
    spraay_memwipe(t, sizeof t);
    return SPRAAY_OK;
}

int spraay_bytes_equal_ct(const void *a, const void *b, size_t n)
{
    return n == 0 || sodium_memcmp(a, b, n) == 0;
}
