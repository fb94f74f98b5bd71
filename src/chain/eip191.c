/* SPDX-License-Identifier: MIT */
/* See eip191.h. */

#include "chain/eip191.h"

#include <stdio.h>
#include <string.h>

#include "crypto/keccak256.h"

void spraay_eip191_digest(uint8_t out32[32], const char *message, size_t len)
{
    char prefix[64];
    spraay_keccak k;

    (void)snprintf(prefix, sizeof prefix,
                   "\x19"
                   "Ethereum Signed Message:\n%zu",
                   len);
    spraay_keccak_init(&k);
    spraay_keccak_update(&k, prefix, strlen(prefix));
    spraay_keccak_update(&k, message, len);
    spraay_keccak_final(&k, out32);
}
