/* SPDX-License-Identifier: MIT */
/* secp256k1 keys and recoverable signatures, by libsecp256k1.
 * https://www.secg.org/sec2-v2.pdf, https://www.rfc-editor.org/rfc/rfc6979
 *
 * Signatures are 65 bytes, r then s then v, as Ethereum contracts take them: big endian, s in the
 * lower half of the order, v 27 or 28. The nonce is RFC 6979's, so the same key and digest always
 * give the same bytes, and a payment can be re-created after a crash. Each call that touches a key
 * works in a blinded context of its own; nothing is shared between threads. */

#ifndef SPRAAY_CRYPTO_SECP256K1_H
#define SPRAAY_CRYPTO_SECP256K1_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

/* Is it a private key: not zero, below the order of the group?
 * Returns SPRAAY_OK or SPRAAY_KEY. */
SPRAAY_MUST_USE spraay_err spraay_secp_key_check(const uint8_t key32[32]);

/* The public key, in both its forms; either may be NULL.
 *
 * Out: out65   0x04, x, y
 *      out33   0x02 or 0x03, x
 * Returns SPRAAY_OK, SPRAAY_KEY or SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_secp_pubkey(uint8_t out65[65], uint8_t out33[33], const uint8_t key32[32]);

/* Sign a digest, then recover the signer from the signature and compare: a fault in the
 * computation must not leave the process as a signature that gives the key away.
 *
 * Out: out65   zeroed on error
 * Returns SPRAAY_OK, SPRAAY_KEY, SPRAAY_NOMEM, SPRAAY_RANDOM (no blinding to be had) or
 * SPRAAY_SIGNATURE (the check failed). */
SPRAAY_MUST_USE spraay_err spraay_secp_sign(uint8_t out65[65], const uint8_t digest32[32],
                                            const uint8_t key32[32]);

/* For signing often with one key: a blinded context and the public key, made once. It holds no
 * secret; the key stays where it is kept and is handed in each time. Signing changes nothing in
 * it, so threads may share one. */
typedef struct spraay_secp_signer spraay_secp_signer;

/* Out: out   to be freed with spraay_secp_signer_free, which accepts NULL
 * Returns SPRAAY_OK, SPRAAY_KEY, SPRAAY_NOMEM or SPRAAY_RANDOM. */
SPRAAY_MUST_USE spraay_err spraay_secp_signer_new(spraay_secp_signer **out, const uint8_t key32[32]);
void spraay_secp_signer_free(spraay_secp_signer *s);

/* As spraay_secp_sign, in less than half the time. SPRAAY_SIGNATURE also when the key is not the
 * one the signer was made for. */
SPRAAY_MUST_USE spraay_err spraay_secp_signer_sign(uint8_t out65[65], const spraay_secp_signer *s,
                                                   const uint8_t digest32[32], const uint8_t key32[32]);

/* Who signed?
 *
 * Out: out_pub64   x, y
 * In:  strict      refuse what token contracts refuse: v other than 27 and 28, s in the upper half.
 *                  Otherwise v may also be 0 or 1, and s anything
 * Returns SPRAAY_OK or SPRAAY_SIGNATURE. Uses no secrets, allocates nothing. */
SPRAAY_MUST_USE spraay_err spraay_secp_recover(uint8_t out_pub64[64], const uint8_t digest32[32],
                                               const uint8_t sig65[65], bool strict);

#endif
