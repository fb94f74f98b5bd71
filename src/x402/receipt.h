/* SPDX-License-Identifier: MIT */
/* The receipt (PAYMENT-RESPONSE): what the server says about the money. It is a claim,
 * unsigned; proof is only on chain. It is believed when it is well formed, `success` is
 * the JSON literal true, and network and payer are ours; a failure is believed to have
 * moved nothing only when no transaction is named and the reason is a definite one.
 *
 * https://github.com/x402-foundation/x402 specs/x402-specification-v2.md section 5.3 */
#ifndef SPRAAY_X402_RECEIPT_H
#define SPRAAY_X402_RECEIPT_H

#include <stdbool.h>

#include "core/error.h"
#include "x402/answer.h"
#include "x402/network.h"

typedef enum spraay_receipt_kind {
    SPRAAY_RECEIPT_NONE = 0,  /* no such header */
    SPRAAY_RECEIPT_MALFORMED, /* present, but not to be believed; see flaw */
    SPRAAY_RECEIPT_SETTLED,   /* success true, our network, our payer */
    SPRAAY_RECEIPT_FOREIGN,   /* success true, but not (shown to be) our payment; see flaw */
    SPRAAY_RECEIPT_FAILED,    /* success false, definite: nothing was broadcast */
    SPRAAY_RECEIPT_USED,      /* success false: this nonce was used, or is being settled */
    SPRAAY_RECEIPT_UNSURE     /* success false, but the money may move all the same */
} spraay_receipt_kind;

typedef struct spraay_receipt {
    spraay_receipt_kind kind;
    const char *flaw;     /* static sentence for MALFORMED and FOREIGN; else NULL */
    char transaction[96]; /* 0x… or base58; "" when none */
    char network[48];     /* CAIP-2 (V1 names are translated) */
    char payer[64];       /* "" when absent */
    char amount[80];      /* digits; "" when absent */
    char reason[128];     /* errorReason, cut to fit; "" when absent. The server's words */
} spraay_receipt;

/* What we signed, to tell our receipt from another's. Strings borrowed; a NULL member is
 * not checked, which only somebody without the payment at hand should do. */
typedef struct spraay_receipt_mine {
    const char *network; /* CAIP-2 */
    const char *payer;
    const char *amount;    /* atomic digits; the receipt may say less, never more */
    const char *fee_payer; /* Solana: some facilitators name this one as payer; NULL: none */
} spraay_receipt_mine;

/* Read the receipt of an answer; PAYMENT-RESPONSE before X-PAYMENT-RESPONSE.
 * A bad receipt is a result, not an error. Returns SPRAAY_OK or SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_receipt_read(spraay_receipt *out, const spraay_answer *a,
                                               const spraay_receipt_mine *mine);

/* "none", "malformed", "settled", "foreign", "failed", "used", "unsure". Static. */
const char *spraay_receipt_kind_name(spraay_receipt_kind kind);

/* Is this errorReason one that is only given before anything is broadcast? Free text,
 * time-outs and settlement_pending are not. */
bool spraay_receipt_reason_definite(const char *reason);

/* Does a text say that the authorization was already used (or is just being settled)? */
bool spraay_receipt_reason_used(const char *reason);

#endif
