/* SPDX-License-Identifier: MIT */
/* The one message that is ever signed on Solana: a transfer of an exact amount between two token accounts, with a
 * memo. In x402's exact scheme somebody else pays its fee and signs last.
 * https://github.com/x402-foundation/x402 specs/schemes/exact/scheme_exact_svm.md
 *
 * A transfer that the payer sends himself (x402/scheme_self_paid_svm.c) differs only in who pays the fee. */

#ifndef SPRAAY_CHAIN_SOLANA_PAYMENT_H
#define SPRAAY_CHAIN_SOLANA_PAYMENT_H

#include "chain/solana_address.h"
#include "chain/solana_message.h"

#define SPRAAY_SOLANA_MEMO_MAX 256

/* Plain data. */
typedef struct spraay_solana_payment {
    bool own_fee; /* the payer pays the fee: its signature alone moves the money. Only when that is meant */
    uint8_t fee_payer32[32];
    uint8_t payer32[32];
    uint8_t pay_to32[32]; /* the owner; the money goes to its token account */
    uint8_t mint32[32];
    uint8_t token_program32[32];
    uint8_t blockhash32[32];
    uint64_t amount;
    uint8_t decimals;
    size_t memo_n; /* 1 .. SPRAAY_SOLANA_MEMO_MAX */
    char memo[SPRAAY_SOLANA_MEMO_MAX];
} spraay_solana_payment;

/* Compile it: compute limit, compute price, TransferChecked, Memo, in that order.
 *
 * Returns SPRAAY_OK, SPRAAY_STATE when the fee payer is the payer and 'own_fee' does not say so (one signature
 * would then move the money without anybody else), or the other way round; SPRAAY_RANGE for a memo of the wrong
 * length, SPRAAY_LIMIT. */
SPRAAY_MUST_USE spraay_err spraay_solana_payment_message(uint8_t out[SPRAAY_SOLANA_MESSAGE_MAX], size_t *n,
                                                         const spraay_solana_payment *p);

/* The two token accounts. */
SPRAAY_MUST_USE spraay_err spraay_solana_payment_accounts(uint8_t source32[32], uint8_t destination32[32],
                                                          const spraay_solana_payment *p);

/* The transaction: as many signatures as the message wants, then the message. The payer's is the last; a fee
 * payer's before it is left empty, for him to complete.
 *
 * Out: out   SPRAAY_SOLANA_MESSAGE_MAX + 129 bytes of room
 * Returns how many bytes. */
size_t spraay_solana_payment_transaction(uint8_t *out, const uint8_t *message, size_t n,
                                         const uint8_t sig64[64]);

#endif
