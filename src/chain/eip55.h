/* SPDX-License-Identifier: MIT */
/* Addresses of EVM chains: 20 bytes, written as 0x and 40 hex digits whose case is a checksum.
 * https://eips.ethereum.org/EIPS/eip-55 */

#ifndef SPRAAY_CHAIN_EIP55_H
#define SPRAAY_CHAIN_EIP55_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* The address of a public key (x, y): the last 20 bytes of its keccak256. */
void spraay_evm_address_from_pub(uint8_t out20[20], const uint8_t pub64[64]);

/* The checksummed text, 42 characters and a NUL. */
void spraay_evm_address_format(char out43[43], const uint8_t addr20[20]);

typedef enum spraay_evm_address_mode {
    SPRAAY_EVM_SHAPE_ONLY, /* 0x and 40 hex digits of any case, as official x402 clients read it */
    SPRAAY_EVM_CHECKSUM    /* all lower case, or the right checksum; what a person typed or copied */
} spraay_evm_address_mode;

/* Read an address.
 *
 * Out: out20   untouched on error
 * Returns SPRAAY_OK, SPRAAY_SYNTAX or SPRAAY_CHECKSUM. */
SPRAAY_MUST_USE spraay_err spraay_evm_address_parse(uint8_t out20[20], const char *text, size_t len,
                                                    spraay_evm_address_mode mode);

#endif
