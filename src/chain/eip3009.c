/* SPDX-License-Identifier: MIT */
/* See eip3009.h. */

#include "chain/eip3009.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "chain/abi.h"
#include "crypto/keccak256.h"

spraay_err spraay_eip3009_hash_digits(uint8_t out32[32], const uint8_t from20[20], const uint8_t to20[20],
                                      const char *value, const char *valid_after, const char *valid_before,
                                      const uint8_t nonce32[32])
{
    static const char type[] =
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,"
        "uint256 validBefore,bytes32 nonce)";
    uint8_t word[7][32];
    spraay_err err;

    spraay_keccak256(word[0], type, sizeof type - 1);
    spraay_abi_address(word[1], from20);
    spraay_abi_address(word[2], to20);
    if ((err = spraay_amount_to_be32(word[3], value)) != SPRAAY_OK) return err;
    if ((err = spraay_amount_to_be32(word[4], valid_after)) != SPRAAY_OK) return err;
    if ((err = spraay_amount_to_be32(word[5], valid_before)) != SPRAAY_OK) return err;
    memcpy(word[6], nonce32, 32);
    spraay_keccak256(out32, word, sizeof word);
    return SPRAAY_OK;
}

spraay_err spraay_eip3009_hash(uint8_t out32[32], const spraay_eip3009 *a)
{
    char after[21], before[21]; /* 2^64-1 has 20 digits */

    (void)snprintf(after, sizeof after, "%" PRIu64, a->valid_after_s);
    (void)snprintf(before, sizeof before, "%" PRIu64, a->valid_before_s);
    return spraay_eip3009_hash_digits(out32, a->from, a->to, a->value, after, before, a->nonce);
}
