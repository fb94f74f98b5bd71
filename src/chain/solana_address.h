/* SPDX-License-Identifier: MIT */
/* Solana addresses: 32 bytes, written in base58; the programs a payment needs, and addresses derived from
 * others. https://solana.com/docs/core/pda */

#ifndef SPRAAY_CHAIN_SOLANA_ADDRESS_H
#define SPRAAY_CHAIN_SOLANA_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/error.h"

#define SPRAAY_SOLANA_TEXT      45 /* bytes for an address as text, its NUL included */
#define SPRAAY_SOLANA_SIGNATURE 89 /* bytes for a signature (a transaction's id) as text */

#define SPRAAY_SOLANA_TOKEN          "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
#define SPRAAY_SOLANA_TOKEN_2022     "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
#define SPRAAY_SOLANA_ATA_PROGRAM    "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
#define SPRAAY_SOLANA_COMPUTE_BUDGET "ComputeBudget111111111111111111111111111111"
#define SPRAAY_SOLANA_MEMO           "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"

/* A text that is an address, to its bytes. Returns SPRAAY_OK or SPRAAY_SYNTAX. */
SPRAAY_MUST_USE spraay_err spraay_solana_address_parse(uint8_t out32[32], const char *text);

/* 32 bytes to text, 64 to a signature's. Cannot fail. */
void spraay_solana_address_format(char out[SPRAAY_SOLANA_TEXT], const uint8_t address32[32]);
void spraay_solana_signature_format(char out[SPRAAY_SOLANA_SIGNATURE], const uint8_t sig64[64]);

/* The address a program derives from seeds: the first hash, counting the bump down from 255, that is no
 * point of the curve, so that nobody holds a key to it.
 *
 * Out: bump   the one that was taken; may be NULL
 * In:  seeds  at most 15, of at most 32 bytes each
 * Returns SPRAAY_OK, or SPRAAY_RANGE for seeds beyond that (or, in theory, when no bump serves). */
SPRAAY_MUST_USE spraay_err spraay_solana_derive(uint8_t out32[32], uint8_t *bump, const spraay_slice *seeds,
                                                size_t n_seeds, const uint8_t program32[32]);

/* The token account of an owner: derived from owner, token program and mint. */
SPRAAY_MUST_USE spraay_err spraay_solana_ata(uint8_t out32[32], uint8_t *bump, const uint8_t owner32[32],
                                             const uint8_t mint32[32], const uint8_t token_program32[32]);

#endif
