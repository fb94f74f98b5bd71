/* SPDX-License-Identifier: MIT */
/* A wallet: an address, and a key that never leaves this file's memory.
 *
 * The key lies in locked memory, is wiped when the wallet goes, and no function returns it. From it
 * comes, besides signatures, the secret that marks purchases: nonce = HMAC(HKDF(key), gateway, purchase,
 * epoch), so the same purchase always carries the same nonce and can settle once only, whatever is
 * forgotten in between. A wallet whose key is elsewhere (a device, another process) has the address and,
 * if it is given one, the marking secret. */
#ifndef SPRAAY_CLIENT_WALLET_H
#define SPRAAY_CLIENT_WALLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"
#include "x402/scheme.h"

#define SPRAAY_WALLET_WHY 320 /* bytes for the sentence of a refusal */

typedef struct spraay_wallet spraay_wallet;

/* Each constructor gives a wallet with one reference, or an error and in 'why' a sentence that says
 * what is wrong and what to type; never any part of a key.
 *
 * SPRAAY_MISSING     no such variable or file
 * SPRAAY_SYNTAX      no key in a form that is read here
 * SPRAAY_KEY         not a valid private key, or one whose public half is another's
 * SPRAAY_PERMISSION  file: others may read it, it is not ours, or its folder is writable for others
 * SPRAAY_IO, SPRAAY_NOMEM, SPRAAY_RANDOM */
/* From a variable of the environment: 64 hex digits are a key of an EVM chain; 64 bytes in base58, or as a
 * JSON list of 64 numbers like Solana's id.json, are one of Solana. */
SPRAAY_MUST_USE spraay_err spraay_wallet_from_env(spraay_wallet **out, const char *name,
                                                  char why[SPRAAY_WALLET_WHY]);
/* From a file: of an EVM chain in hex, of Solana in either of its forms. */
SPRAAY_MUST_USE spraay_err spraay_wallet_from_file(spraay_wallet **out, spraay_rail rail, const char *path,
                                                   char why[SPRAAY_WALLET_WHY]);

/* Which rail the key in a variable looks like: hex or not. NONE when it is not set. */
spraay_rail spraay_wallet_env_rail(const char *name);

/* A new random key that is kept nowhere: for loopback gateways only. */
SPRAAY_MUST_USE spraay_err spraay_wallet_random(spraay_wallet **out, char why[SPRAAY_WALLET_WHY]);

/* A key elsewhere. 'nonce_secret' may be empty: then purchases are marked by a secret of this process,
 * and named purchases cannot be recognised by another. At least 16 bytes otherwise. */
SPRAAY_MUST_USE spraay_err spraay_wallet_outside(spraay_wallet **out, spraay_slice address,
                                                 spraay_slice nonce_secret, char why[SPRAAY_WALLET_WHY]);

spraay_wallet *spraay_wallet_ref(spraay_wallet *w);
void spraay_wallet_unref(spraay_wallet *w); /* the last one wipes; NULL is accepted */

/* Wipe the key now; signing then fails with SPRAAY_STATE. */
void spraay_wallet_close(spraay_wallet *w);

spraay_rail spraay_wallet_rail(const spraay_wallet *w);
const char *spraay_wallet_address(const spraay_wallet *w); /* EIP-55, or base58 */
const char *spraay_wallet_source(const spraay_wallet *w);  /* "env", "file", "random", "signer" */
bool spraay_wallet_is_outside(const spraay_wallet *w);
bool spraay_wallet_is_throwaway(const spraay_wallet *w);

/* A key elsewhere came without a marking secret: take the one in this file, or make it (0600). Others may keep
 * it too, so purchases are marked alike in every process that uses it. Nothing happens to other wallets.
 * SPRAAY_PERMISSION, SPRAAY_IO, SPRAAY_RANDOM: marks then are this process's own, as before. */
SPRAAY_MUST_USE spraay_err spraay_wallet_seed(spraay_wallet *w, const char *path);

/* Are its marks the same in every process? */
bool spraay_wallet_marks_last(const spraay_wallet *w);

/* The key that authenticates this payer's records in a ledger: 32 bytes, the wallet's, as long as it lives.
 * Derived from the private key, or from the marking secret where that is elsewhere. */
const uint8_t *spraay_wallet_auth_key(const spraay_wallet *w);

/* Sign a digest of an EVM chain. SPRAAY_STATE when closed, the key is elsewhere, or it is a Solana key. */
SPRAAY_MUST_USE spraay_err spraay_wallet_sign(const spraay_wallet *w, uint8_t sig65[65],
                                              const uint8_t digest32[32]);

#define SPRAAY_WALLET_SIG 65 /* bytes of the longest signature */

/* Sign a payment that was prepared for the wallet's rail: an EVM digest (65 bytes), a Solana message (64).
 * SPRAAY_STATE when closed, the key is elsewhere, or it is another rail's. */
SPRAAY_MUST_USE spraay_err spraay_wallet_sign_payment(const spraay_wallet *w, uint8_t sig[SPRAAY_WALLET_SIG],
                                                      size_t *n, const spraay_signing *what);

/* The mark of a purchase. Fields are length-prefixed, so no two purchases share one by concatenation. */
SPRAAY_MUST_USE spraay_err spraay_wallet_mark(const spraay_wallet *w, uint8_t mark32[32], const char *origin,
                                              const char *purchase_id, uint32_t epoch);

#endif
