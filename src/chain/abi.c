/* SPDX-License-Identifier: MIT */
/* See abi.h. Selectors are the first four bytes of keccak256 of a signature, topics all of it. */

#include "chain/abi.h"

#include <string.h>

/* AuthorizationUsed(address,bytes32) */
const uint8_t spraay_abi_topic_used[32] = { 0x98, 0xde, 0x50, 0x35, 0x28, 0xee, 0x59, 0xb5, 0x75, 0xef, 0x0c,
                                            0x0a, 0x25, 0x76, 0xa8, 0x24, 0x97, 0xbf, 0xc0, 0x29, 0xa5, 0x68,
                                            0x5b, 0x20, 0x9e, 0x9e, 0xc3, 0x33, 0x47, 0x9b, 0x10, 0xa5 };

/* AuthorizationCanceled(address,bytes32) */
const uint8_t spraay_abi_topic_canceled[32] = { 0x1c, 0xdd, 0x46, 0xff, 0x24, 0x27, 0x16, 0xcd,
                                                0xaa, 0x72, 0xd1, 0x59, 0xd3, 0x39, 0xa4, 0x85,
                                                0xb3, 0x43, 0x83, 0x98, 0x34, 0x8d, 0x68, 0xf0,
                                                0x9d, 0x7c, 0x8c, 0x0a, 0x59, 0x35, 0x3d, 0x81 };

/* Transfer(address,address,uint256) */
const uint8_t spraay_abi_topic_transfer[32] = { 0xdd, 0xf2, 0x52, 0xad, 0x1b, 0xe2, 0xc8, 0x9b,
                                                0x69, 0xc2, 0xb0, 0x68, 0xfc, 0x37, 0x8d, 0xaa,
                                                0x95, 0x2b, 0xa7, 0xf1, 0x63, 0xc4, 0xa1, 0x16,
                                                0x28, 0xf5, 0x5a, 0x4d, 0xf5, 0x23, 0xb3, 0xef };

void spraay_abi_address(uint8_t out32[32], const uint8_t addr20[20])
{
    memset(out32, 0, 12);
    memcpy(out32 + 12, addr20, 20);
}

void spraay_abi_authorization_state(uint8_t out[SPRAAY_ABI_AUTHORIZATION_STATE_BYTES],
                                    const uint8_t authorizer20[20], const uint8_t nonce32[32])
{
    static const uint8_t selector[4] = { 0xe9, 0x4a, 0x01, 0x02 };

    memcpy(out, selector, 4);
    spraay_abi_address(out + 4, authorizer20);
    memcpy(out + 36, nonce32, 32);
}

spraay_err spraay_abi_bool(bool *out, const uint8_t *data, size_t n)
{
    if (n == 0) return SPRAAY_MISSING;
    if (n != 32 || data[31] > 1) return SPRAAY_SYNTAX;
    for (size_t i = 0; i < 31; i++)
        if (data[i] != 0) return SPRAAY_SYNTAX;
    *out = data[31] == 1;
    return SPRAAY_OK;
}
