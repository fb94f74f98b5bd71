/* SPDX-License-Identifier: MIT */
/* Solana messages: instructions with the accounts they touch, compiled to the version 0 bytes that signers
 * sign. No lookup tables: every account is written out.
 * https://solana.com/docs/core/transactions */

#ifndef SPRAAY_CHAIN_SOLANA_MESSAGE_H
#define SPRAAY_CHAIN_SOLANA_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define SPRAAY_SOLANA_MESSAGE_MAX  1168 /* a packet's 1232 bytes, less one signature */
#define SPRAAY_SOLANA_ACCOUNTS     16   /* the most that a message here names */
#define SPRAAY_SOLANA_INSTRUCTIONS 8

typedef struct spraay_solana_account {
    uint8_t key32[32];
    bool signer, writable;
} spraay_solana_account;

typedef struct spraay_solana_instruction {
    const uint8_t *program32;
    const spraay_solana_account *accounts;
    size_t n_accounts;
    const uint8_t *data;
    size_t n_data;
} spraay_solana_instruction;

/* A compact-u16: 7 bits a byte, least first. Returns how many bytes, 1..3. */
size_t spraay_solana_compact(uint8_t out[3], uint16_t v);

/* Compile. An account that is named twice is listed once, with the stronger of its roles; the fee payer
 * comes first; accounts of one role stay in the order they are named in.
 *
 * Out: out, n    the message
 *      signers   how many signatures it takes, the fee payer's included
 * Returns SPRAAY_OK, or SPRAAY_LIMIT for more accounts, instructions or bytes than above. */
SPRAAY_MUST_USE spraay_err spraay_solana_compile(uint8_t out[SPRAAY_SOLANA_MESSAGE_MAX], size_t *n,
                                                 unsigned *signers, const uint8_t fee_payer32[32],
                                                 const uint8_t blockhash32[32],
                                                 const spraay_solana_instruction *list, size_t n_list);

#endif
