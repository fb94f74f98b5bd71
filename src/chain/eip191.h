/* SPDX-License-Identifier: MIT */
/* EIP-191 personal messages: text a wallet shows to its owner before signing.
 * https://eips.ethereum.org/EIPS/eip-191, version 0x45 */

#ifndef SPRAAY_CHAIN_EIP191_H
#define SPRAAY_CHAIN_EIP191_H

#include <stddef.h>
#include <stdint.h>

/* The digest to sign: keccak256("\x19Ethereum Signed Message:\n" + length in bytes + message). */
void spraay_eip191_digest(uint8_t out32[32], const char *message, size_t len);

#endif
