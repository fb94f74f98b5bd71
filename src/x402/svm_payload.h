/* SPDX-License-Identifier: MIT */
/* A Solana payment header of ours, read again: what was signed, from the very bytes that are on record. Only
 * the layout of chain/solana_payment.h is understood. */
#ifndef SPRAAY_X402_SVM_PAYLOAD_H
#define SPRAAY_X402_SVM_PAYLOAD_H

#include "chain/solana_payment.h"
#include "core/bytes.h"

typedef struct spraay_svm_payload {
    uint8_t message[SPRAAY_SOLANA_MESSAGE_MAX];
    size_t message_n;
    uint8_t fee_payer32[32], payer32[32];
    uint8_t source32[32], destination32[32]; /* token accounts */
    uint8_t mint32[32], token_program32[32];
    uint64_t amount;
    spraay_slice memo; /* into 'message' */
} spraay_svm_payload;

/* Of a message alone; SPRAAY_SYNTAX when it is not one of ours. 'out' is not to be moved afterwards. */
SPRAAY_MUST_USE spraay_err spraay_svm_message_read(spraay_svm_payload *out, const uint8_t *message, size_t n);

/* Of the value of PAYMENT-SIGNATURE or X-PAYMENT. SPRAAY_SYNTAX, SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_svm_payload_read(spraay_svm_payload *out, spraay_slice header_value);

/* Of a payment as it is on record: what the header was to be, and its value; see SPRAAY_SELF_PAID. */
SPRAAY_MUST_USE spraay_err spraay_svm_record_read(spraay_svm_payload *out, const char *header_name,
                                                  spraay_slice header_value);

/* A transfer of the payer's own is on record as the whole transaction, base64, under the header that names it. */
#define SPRAAY_SELF_PAID "X-SOLANA-TX"

/* The id of such a transaction, base58: what the header says. SPRAAY_SYNTAX when it is not one of ours. */
SPRAAY_MUST_USE spraay_err spraay_svm_self_paid_id(char out[SPRAAY_SOLANA_SIGNATURE],
                                                   spraay_slice transaction64);

/* Of a whole transaction, whoever signed it: where its message begins. False when it is none. */
bool spraay_svm_transaction_message(spraay_slice transaction, spraay_slice *message);

#endif
