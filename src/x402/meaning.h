/* SPDX-License-Identifier: MIT */
/* What an answer means after a payment was sent with the request. A 402 then has four
 * meanings and a 500 may carry a receipt; they are told apart by headers, by status
 * and, where a server leaves no other mark, by the words of the body.
 *
 * No answer is proof that money did not move: `expect` is an expectation, to be shown
 * as such, until a receipt or the chain says more. */
#ifndef SPRAAY_X402_MEANING_H
#define SPRAAY_X402_MEANING_H

#include <stdbool.h>

#include "core/error.h"
#include "x402/answer.h"
#include "x402/receipt.h"

/* X(name, text, expectation about the money) */
#define SPRAAY_MEANINGS(X)                                                                                   \
    X(PAID_OK, "paid_ok", YES)                       /* < 400, our receipt */                                \
    X(UNCONFIRMED, "unconfirmed", YES)               /* < 400, no receipt that is ours: presumably paid */   \
    X(REFUSED, "refused", NO)                        /* 402 with a challenge: refused before the handler */  \
    X(SETTLE_FAILED_DEFINITE, "settle_failed", NO)   /* failed receipt, nothing broadcast */                 \
    X(SETTLE_UNKNOWN, "settle_unknown", UNKNOWN)     /* failed receipt, may still settle */                  \
    X(NONCE_USED, "nonce_used", YES)                 /* an earlier presentation went through */              \
    X(CONFLICT, "conflict", UNKNOWN)                 /* 409: a duplicate is in flight or was refused */      \
    X(CREDITS, "credits", NO)                        /* futures balance too small; the gate took nothing */  \
    X(CRASHED, "crashed", UNKNOWN)                   /* 402 without a readable mark: after the handler? */   \
    X(ALLOWANCE, "allowance", NO)                    /* 412: a Permit2 allowance is missing */               \
    X(HANDLER_ERROR, "handler_error", NO)            /* 4xx, 5xx of the application: not settled */          \
    X(HANDLER_ERROR_PAID, "handler_error_paid", YES) /* 4xx, 5xx with our receipt */                         \
    X(LOST, "lost", UNKNOWN)                         /* 502, 504, 52x: somebody between us and the answer */ \
    X(RATE_LIMITED, "rate_limited", NO)              /* 429: before the payment was looked at */

typedef enum spraay_meaning_kind {
#define SPRAAY_MEANING_ENUM(name, text, expect) SPRAAY_MEANING_##name,
    SPRAAY_MEANINGS(SPRAAY_MEANING_ENUM)
#undef SPRAAY_MEANING_ENUM
} spraay_meaning_kind;

typedef enum spraay_expect { SPRAAY_EXPECT_NO = 0, SPRAAY_EXPECT_YES, SPRAAY_EXPECT_UNKNOWN } spraay_expect;

typedef struct spraay_meaning {
    spraay_meaning_kind kind;
    spraay_expect expect;
    bool handler_ran;       /* the work was (probably) done, its result withheld */
    bool challenge;         /* a readable PAYMENT-REQUIRED (V1: body) came along */
    spraay_receipt receipt; /* as read; kind NONE when absent */
    char reason[256];       /* the server's words, one line, cut; untrusted. "" if none */
} spraay_meaning;

/* Classify a complete answer to a request that carried a payment.
 *
 * In:  a             borrowed
 *      x402_version  of the payment sent: 1 or 2 (V1 servers answer everything with 402)
 *      mine          what was signed
 * Returns SPRAAY_OK or SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_meaning_read(spraay_meaning *out, const spraay_answer *a, int x402_version,
                                               const spraay_receipt_mine *mine);

/* Is the `error` of a decoded 402 or 200 body one of the gateway's credit refusals? */
bool spraay_meaning_is_credits(const char *error);

/* "paid_ok", …; "no", "yes", "unknown". Static. */
const char *spraay_meaning_name(spraay_meaning_kind kind);
const char *spraay_expect_name(spraay_expect expect);

#endif
