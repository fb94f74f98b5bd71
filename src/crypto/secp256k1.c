/* SPDX-License-Identifier: MIT */
/* See secp256k1.h. */

#include "crypto/secp256k1.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <stdlib.h>
#include <string.h>

#include "core/secret.h"
#include "crypto/random.h"

spraay_err spraay_secp_key_check(const uint8_t key32[32])
{
    return secp256k1_ec_seckey_verify(secp256k1_context_static, key32) ? SPRAAY_OK : SPRAAY_KEY;
}

/* A context for working with one key, blinded so that its timing and power use tell nothing. */
static spraay_err open_context(secp256k1_context **out)
{
    uint8_t seed[32]; /* secret, wiped below */
    spraay_err err = spraay_random(seed, sizeof seed);

    if (err != SPRAAY_OK) return err;
    secp256k1_context *ctx = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    if (ctx == NULL)
        err = SPRAAY_NOMEM;
    else if (!secp256k1_context_randomize(ctx, seed))
        err = SPRAAY_RANDOM;
    spraay_memwipe(seed, sizeof seed);
    if (err != SPRAAY_OK) {
        if (ctx != NULL) secp256k1_context_destroy(ctx);
        return err;
    }
    *out = ctx;
    return SPRAAY_OK;
}

static spraay_err derive(const secp256k1_context *ctx, secp256k1_pubkey *pub, const uint8_t key32[32])
{
    return secp256k1_ec_pubkey_create(ctx, pub, key32) ? SPRAAY_OK : SPRAAY_KEY;
}

static void serialize(uint8_t *out, size_t n, const secp256k1_pubkey *pub)
{
    unsigned form = n == 65 ? SECP256K1_EC_UNCOMPRESSED : SECP256K1_EC_COMPRESSED;
    (void)secp256k1_ec_pubkey_serialize(secp256k1_context_static, out, &n, pub, form);
}

spraay_err spraay_secp_pubkey(uint8_t out65[65], uint8_t out33[33], const uint8_t key32[32])
{
    secp256k1_context *ctx = NULL;
    secp256k1_pubkey pub; /* public */
    spraay_err err = open_context(&ctx);

    if (err != SPRAAY_OK) return err;
    err = derive(ctx, &pub, key32);
    secp256k1_context_destroy(ctx);
    if (err != SPRAAY_OK) return err;
    if (out65 != NULL) serialize(out65, 65, &pub);
    if (out33 != NULL) serialize(out33, 33, &pub);
    return SPRAAY_OK;
}

struct spraay_secp_signer {
    secp256k1_context *ctx;
    uint8_t pub64[64];
};

static spraay_err signer_init(spraay_secp_signer *s, const uint8_t key32[32])
{
    secp256k1_pubkey pub; /* public */
    uint8_t text[65];
    spraay_err err = open_context(&s->ctx);

    if (err != SPRAAY_OK) return err;
    err = derive(s->ctx, &pub, key32);
    if (err != SPRAAY_OK) {
        secp256k1_context_destroy(s->ctx);
        return err;
    }
    serialize(text, sizeof text, &pub);
    memcpy(s->pub64, text + 1, sizeof s->pub64);
    return SPRAAY_OK;
}

spraay_err spraay_secp_signer_new(spraay_secp_signer **out, const uint8_t key32[32])
{
    spraay_secp_signer *s = malloc(sizeof *s);

    if (s == NULL) return SPRAAY_NOMEM;
    spraay_err err = signer_init(s, key32);
    if (err != SPRAAY_OK) {
        free(s);
        return err;
    }
    *out = s;
    return SPRAAY_OK;
}

void spraay_secp_signer_free(spraay_secp_signer *s)
{
    if (s == NULL) return;
    secp256k1_context_destroy(s->ctx);
    free(s);
}

/* The nonce is secret until the signature is out and fatal if it repeats for another digest; RFC
 * 6979 derives it from key and digest, which is libsecp256k1's default. Its signatures are already
 * low-s. What remains is to notice a computation gone wrong: one faulty signature next to a right
 * one over the same digest reveals the key. So the signer is recovered and compared. */
spraay_err spraay_secp_signer_sign(uint8_t out65[65], const spraay_secp_signer *s, const uint8_t digest32[32],
                                   const uint8_t key32[32])
{
    secp256k1_ecdsa_recoverable_signature sig;
    uint8_t signer[64];
    int recid = 0;

    memset(out65, 0, 65);
    if (!secp256k1_ecdsa_sign_recoverable(s->ctx, &sig, digest32, key32, NULL, NULL)) return SPRAAY_KEY;
    (void)secp256k1_ecdsa_recoverable_signature_serialize_compact(s->ctx, out65, &recid, &sig);
    out65[64] = (uint8_t)(27 + recid); /* 2 and 3 (r above the order) fail the strict check */

    spraay_err err = spraay_secp_recover(signer, digest32, out65, true);
    if (err == SPRAAY_OK && memcmp(signer, s->pub64, sizeof signer) != 0) err = SPRAAY_SIGNATURE;
    if (err != SPRAAY_OK) memset(out65, 0, 65);
    spraay_memwipe(&sig, sizeof sig);
    return err;
}

spraay_err spraay_secp_sign(uint8_t out65[65], const uint8_t digest32[32], const uint8_t key32[32])
{
    spraay_secp_signer s;

    memset(out65, 0, 65);
    spraay_err err = signer_init(&s, key32);
    if (err != SPRAAY_OK) return err;
    err = spraay_secp_signer_sign(out65, &s, digest32, key32);
    secp256k1_context_destroy(s.ctx);
    return err;
}

/* s above half the order? Such a signature is the mirror image of another one. */
static bool high_s(const uint8_t s[32])
{
    static const uint8_t half[32] = { 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4,
                                      0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0 };
    return memcmp(s, half, sizeof half) > 0;
}

spraay_err spraay_secp_recover(uint8_t out_pub64[64], const uint8_t digest32[32], const uint8_t sig65[65],
                               bool strict)
{
    const secp256k1_context *ctx = secp256k1_context_static;
    secp256k1_ecdsa_recoverable_signature sig;
    secp256k1_pubkey pub;
    uint8_t text[65];
    int recid;

    if (sig65[64] == 27 || sig65[64] == 28)
        recid = sig65[64] - 27;
    else if (!strict && sig65[64] <= 1)
        recid = sig65[64];
    else
        return SPRAAY_SIGNATURE;
    if (strict && high_s(sig65 + 32)) return SPRAAY_SIGNATURE;

    if (!secp256k1_ecdsa_recoverable_signature_parse_compact(ctx, &sig, sig65, recid))
        return SPRAAY_SIGNATURE;
    if (!secp256k1_ecdsa_recover(ctx, &pub, &sig, digest32)) return SPRAAY_SIGNATURE;
    serialize(text, sizeof text, &pub);
    memcpy(out_pub64, text + 1, 64);
    return SPRAAY_OK;
}
