/* SPDX-License-Identifier: MIT */
/* EIP-3009 TransferWithAuthorization: the cheque that pays for a request.
 * https://eips.ethereum.org/EIPS/eip-3009
 *
 * Whoever holds a signature over this hash can move 'value' from 'from' to 'to' once, while the
 * block time is strictly between valid_after and valid_before. The token contract remembers the
 * nonce for ever, so one nonce can never pay twice. */

#ifndef SPRAAY_CHAIN_EIP3009_H
#define SPRAAY_CHAIN_EIP3009_H

#include <stdint.h>

#include "chain/amount.h"
#include "core/error.h"

typedef struct spraay_eip3009 {
    uint8_t from[20];
    uint8_t to[20];
    char value[SPRAAY_UINT256_DIGITS + 1]; /* atomic digits, NUL-terminated */
    uint64_t valid_after_s;                /* unix seconds */
    uint64_t valid_before_s;
    uint8_t nonce[32];
} spraay_eip3009;

/* The struct hash.
 * Returns SPRAAY_OK, or SPRAAY_SYNTAX or SPRAAY_RANGE for 'value'. */
SPRAAY_MUST_USE spraay_err spraay_eip3009_hash(uint8_t out32[32], const spraay_eip3009 *a);

/* The same for times that need not fit in 64 bits: what a verifier meets in other people's
 * cheques. value, valid_after and valid_before are atomic digits.
 * Returns SPRAAY_OK, or SPRAAY_SYNTAX or SPRAAY_RANGE for one of the three. */
SPRAAY_MUST_USE spraay_err spraay_eip3009_hash_digits(uint8_t out32[32], const uint8_t from20[20],
                                                      const uint8_t to20[20], const char *value,
                                                      const char *valid_after, const char *valid_before,
                                                      const uint8_t nonce32[32]);

#endif
