/* SPDX-License-Identifier: MIT */
/* The few contract calls and events that tell whether a cheque was cashed.
 * https://docs.soliditylang.org/en/latest/abi-spec.html, https://eips.ethereum.org/EIPS/eip-3009 */

#ifndef SPRAAY_CHAIN_ABI_H
#define SPRAAY_CHAIN_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define SPRAAY_ABI_AUTHORIZATION_STATE_BYTES 68

/* Call data of authorizationState(address authorizer, bytes32 nonce). */
void spraay_abi_authorization_state(uint8_t out[SPRAAY_ABI_AUTHORIZATION_STATE_BYTES],
                                    const uint8_t authorizer20[20], const uint8_t nonce32[32]);

/* A returned bool: exactly 32 bytes, the number 0 or 1. No data means that no contract answered.
 * Returns SPRAAY_OK, SPRAAY_MISSING (no data) or SPRAAY_SYNTAX. */
SPRAAY_MUST_USE spraay_err spraay_abi_bool(bool *out, const uint8_t *data, size_t n);

/* An address as an event topic or argument: 12 zero bytes, then the address. */
void spraay_abi_address(uint8_t out32[32], const uint8_t addr20[20]);

/* Topics of AuthorizationUsed and AuthorizationCanceled (address authorizer, bytes32 nonce; both
 * indexed), and of Transfer (address from, address to, uint256 value; from and to indexed). */
extern const uint8_t spraay_abi_topic_used[32];
extern const uint8_t spraay_abi_topic_canceled[32];
extern const uint8_t spraay_abi_topic_transfer[32];

#endif
