/* SPDX-License-Identifier: MIT */
/* EIP-712 typed data: the domain separator and the digest that is signed.
 * https://eips.ethereum.org/EIPS/eip-712
 *
 * Only what tokens use: a domain of name, version, chainId and verifyingContract. Which struct is
 * hashed is the business of the file that knows it (eip3009.h); a server never supplies types. */

#ifndef SPRAAY_CHAIN_EIP712_H
#define SPRAAY_CHAIN_EIP712_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* The domain separator. Name and version are hashed as given: no trimming, no normalisation.
 *
 * In:  chain_id   decimal digits, as in "8453"
 * Returns SPRAAY_OK, or SPRAAY_SYNTAX or SPRAAY_RANGE for the chain id. */
SPRAAY_MUST_USE spraay_err spraay_eip712_domain(uint8_t out32[32], const char *name, size_t name_len,
                                                const char *version, size_t version_len, const char *chain_id,
                                                const uint8_t contract20[20]);

/* keccak256(0x19 0x01, domain separator, struct hash). */
void spraay_eip712_digest(uint8_t out32[32], const uint8_t domain32[32], const uint8_t struct32[32]);

#endif
