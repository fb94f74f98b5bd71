/* SPDX-License-Identifier: MIT */
/* Keccak-256, the hash of Ethereum: the sponge as submitted to the SHA-3 contest, with its
 * original padding byte 0x01. It is NOT the SHA3-256 of FIPS 202.
 * https://keccak.team/keccak_specs_summary.html */

#ifndef SPRAAY_CRYPTO_KECCAK256_H
#define SPRAAY_CRYPTO_KECCAK256_H

#include <stddef.h>
#include <stdint.h>

typedef struct spraay_keccak {
    uint64_t lane[25];
    size_t n; /* bytes absorbed into the current block, < 136 */
} spraay_keccak;

void spraay_keccak_init(spraay_keccak *k);
void spraay_keccak_update(spraay_keccak *k, const void *p, size_t n);

/* Out: out   the hash. The state is wiped; init it again before another use. */
void spraay_keccak_final(spraay_keccak *k, uint8_t out[32]);

/* All in one. p may be NULL when n is 0. */
void spraay_keccak256(uint8_t out[32], const void *p, size_t n);

#endif
