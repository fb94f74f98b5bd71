/* SPDX-License-Identifier: MIT */
/* Ed25519 keys and signatures, by libsodium, and a question libsodium does not answer.
 * https://www.rfc-editor.org/rfc/rfc8032
 *
 * Signatures are 64 bytes and deterministic. Verification is strict: no points of small order, no
 * spelling of a number but its own. */

#ifndef SPRAAY_CRYPTO_ED25519_H
#define SPRAAY_CRYPTO_ED25519_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* The secret key as signing takes it: the seed, then its public key.
 * Returns SPRAAY_OK, or SPRAAY_RANDOM when libsodium cannot start; out is then zeroed. */
SPRAAY_MUST_USE spraay_err spraay_ed25519_expand(uint8_t secret64[64], const uint8_t seed32[32]);

/* The public half of a seed; as above. */
SPRAAY_MUST_USE spraay_err spraay_ed25519_public(uint8_t public32[32], const uint8_t seed32[32]);

/* Sign n bytes, then verify: a fault in the computation must not leave the process as a signature that
 * gives the key away. 'secret64' is from expand; with a public half that is not the seed's own, signing
 * would tell the key, so nothing is signed then.
 *
 * Out: sig64   zeroed on error
 * Returns SPRAAY_OK or SPRAAY_SIGNATURE. */
SPRAAY_MUST_USE spraay_err spraay_ed25519_sign(uint8_t sig64[64], const void *message, size_t n,
                                               const uint8_t secret64[64]);

bool spraay_ed25519_verify(const uint8_t sig64[64], const void *message, size_t n,
                           const uint8_t public32[32]);

/* Do 32 bytes name a point of the curve: does y have an x? Addresses of programs are those that do not.
 * This is decompression alone; libsodium's crypto_core_ed25519_is_valid_point asks for the prime subgroup
 * too, and would call points outside it no points. For public bytes: its time tells them. */
bool spraay_ed25519_on_curve(const uint8_t point32[32]);

#endif
