/* SPDX-License-Identifier: MIT */
/* See solana_address.h. */

#include "chain/solana_address.h"

#include <string.h>

#include "codec/base58.h"
#include "crypto/ed25519.h"
#include "crypto/sha256.h"

static const char marker[] = "ProgramDerivedAddress";

#define SEEDS_MAX 15 /* and the bump */

spraay_err spraay_solana_address_parse(uint8_t out32[32], const char *text)
{
    return spraay_base58_decode32(out32, text, strlen(text));
}

/* Base58 needs a buffer; here the room is the caller's, and enough. */
static void format(char *out, size_t size, const uint8_t *bytes, size_t n)
{
    spraay_buf text;

    out[0] = '\0';
    spraay_buf_init(&text, size - 1);
    if (spraay_base58_encode(&text, bytes, n) == SPRAAY_OK) memcpy(out, text.d, text.n + 1);
    spraay_buf_wipe(&text);
}

void spraay_solana_address_format(char out[SPRAAY_SOLANA_TEXT], const uint8_t address32[32])
{
    format(out, SPRAAY_SOLANA_TEXT, address32, 32);
}

void spraay_solana_signature_format(char out[SPRAAY_SOLANA_SIGNATURE], const uint8_t sig64[64])
{
    format(out, SPRAAY_SOLANA_SIGNATURE, sig64, 64);
}

spraay_err spraay_solana_derive(uint8_t out32[32], uint8_t *bump, const spraay_slice *seeds, size_t n_seeds,
                                const uint8_t program32[32])
{
    uint8_t text[SEEDS_MAX * 32 + 1 + 32 + sizeof marker], hash[32];
    size_t n = 0;

    if (n_seeds > SEEDS_MAX) return SPRAAY_RANGE;
    for (size_t i = 0; i < n_seeds; i++) {
        if (seeds[i].n > 32) return SPRAAY_RANGE;
        memcpy(text + n, seeds[i].p, seeds[i].n);
        n += seeds[i].n;
    }
    uint8_t *count = text + n;
    memcpy(text + n + 1, program32, 32);
    memcpy(text + n + 33, marker, sizeof marker - 1);
    n += 33 + sizeof marker - 1;

    for (int b = 255; b >= 0; b--) {
        *count = (uint8_t)b;
        spraay_sha256(hash, text, n);
        if (spraay_ed25519_on_curve(hash)) continue;
        memcpy(out32, hash, 32);
        if (bump != NULL) *bump = (uint8_t)b;
        return SPRAAY_OK;
    }
    return SPRAAY_RANGE;
}

spraay_err spraay_solana_ata(uint8_t out32[32], uint8_t *bump, const uint8_t owner32[32],
                             const uint8_t mint32[32], const uint8_t token_program32[32])
{
    const spraay_slice seeds[] = {
        { (const char *)owner32, 32 },
        { (const char *)token_program32, 32 },
        { (const char *)mint32, 32 },
    };
    uint8_t program32[32];
    spraay_err err = spraay_solana_address_parse(program32, SPRAAY_SOLANA_ATA_PROGRAM);

    return err == SPRAAY_OK ? spraay_solana_derive(out32, bump, seeds, 3, program32) : err;
}
