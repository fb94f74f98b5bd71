/* SPDX-License-Identifier: MIT */
/* SHA-256 and what is built on it: HMAC (RFC 2104) and HKDF (RFC 5869). The work is libsodium's. */

#ifndef SPRAAY_CRYPTO_SHA256_H
#define SPRAAY_CRYPTO_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* Pointers may be NULL where their length is 0. */
void spraay_sha256(uint8_t out[32], const void *p, size_t n);

/* Of a whole file, read piece by piece. Returns SPRAAY_OK, SPRAAY_MISSING when it cannot be opened, SPRAAY_IO. */
SPRAAY_MUST_USE spraay_err spraay_sha256_file(uint8_t out[32], const char *path);

void spraay_hmac_sha256(uint8_t out[32], const void *key, size_t key_len, const void *p, size_t n);

/* Extract, then expand, to out_len bytes.
 * Returns SPRAAY_OK, or SPRAAY_RANGE when out_len > 255 * 32. */
SPRAAY_MUST_USE spraay_err spraay_hkdf_sha256(uint8_t *out, size_t out_len, const void *key, size_t key_len,
                                              const void *salt, size_t salt_len, const void *info,
                                              size_t info_len);

/* Equal, in a time that depends only on n? */
int spraay_bytes_equal_ct(const void *a, const void *b, size_t n);

#endif
