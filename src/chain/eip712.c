/* SPDX-License-Identifier: MIT */
/* See eip712.h. */

#include "chain/eip712.h"

#include "chain/abi.h"
#include "chain/amount.h"
#include "crypto/keccak256.h"

spraay_err spraay_eip712_domain(uint8_t out32[32], const char *name, size_t name_len, const char *version,
                                size_t version_len, const char *chain_id, const uint8_t contract20[20])
{
    static const char type[] =
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
    uint8_t word[5][32];
    spraay_err err = spraay_amount_to_be32(word[3], chain_id);

    if (err != SPRAAY_OK) return err;
    spraay_keccak256(word[0], type, sizeof type - 1);
    spraay_keccak256(word[1], name, name_len);
    spraay_keccak256(word[2], version, version_len);
    spraay_abi_address(word[4], contract20);
    spraay_keccak256(out32, word, sizeof word);
    return SPRAAY_OK;
}

void spraay_eip712_digest(uint8_t out32[32], const uint8_t domain32[32], const uint8_t struct32[32])
{
    spraay_keccak k;

    spraay_keccak_init(&k);
    spraay_keccak_update(&k, "\x19\x01", 2);
    spraay_keccak_update(&k, domain32, 32);
    spraay_keccak_update(&k, struct32, 32);
    spraay_keccak_final(&k, out32);
}
