/* SPDX-License-Identifier: MIT */
/* See eip55.h. A hex letter is upper case when the matching digit of keccak256(the 40 lower-case
 * digits as text) is 8 or more. */

#include "chain/eip55.h"

#include <stdbool.h>
#include <string.h>

#include "codec/hex.h"
#include "crypto/keccak256.h"

void spraay_evm_address_from_pub(uint8_t out20[20], const uint8_t pub64[64])
{
    uint8_t hash[32];

    spraay_keccak256(hash, pub64, 64);
    memcpy(out20, hash + 12, 20);
}

void spraay_evm_address_format(char out43[43], const uint8_t addr20[20])
{
    uint8_t hash[32];

    out43[0] = '0';
    out43[1] = 'x';
    spraay_hex_encode(out43 + 2, addr20, 20);
    spraay_keccak256(hash, out43 + 2, 40);
    for (size_t i = 0; i < 40; i++) {
        unsigned digit = i % 2 == 0 ? hash[i / 2] >> 4 : hash[i / 2] & 15;
        char *c = &out43[2 + i];
        if (digit >= 8 && *c >= 'a') *c = (char)(*c - 'a' + 'A');
    }
}

spraay_err spraay_evm_address_parse(uint8_t out20[20], const char *text, size_t len,
                                    spraay_evm_address_mode mode)
{
    uint8_t addr[20];
    char right[43];
    bool upper = false;

    if (spraay_hex_decode_0x(addr, sizeof addr, text, len) != SPRAAY_OK) return SPRAAY_SYNTAX;
    for (size_t i = 2; i < len; i++) upper = upper || (text[i] >= 'A' && text[i] <= 'F');
    if (mode == SPRAAY_EVM_CHECKSUM && upper) { /* all lower case says nothing to check */
        spraay_evm_address_format(right, addr);
        if (memcmp(right, text, 42) != 0) return SPRAAY_CHECKSUM;
    }
    memcpy(out20, addr, sizeof addr);
    return SPRAAY_OK;
}
