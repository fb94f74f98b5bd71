/* SPDX-License-Identifier: MIT */
/* Why a payment was refused before anything was signed: a code to branch on, one
 * sentence that says what stands in the way, one hint that names the option to
 * change. Refusing costs nothing, so a refusal should never need a second look. */
#ifndef SPRAAY_X402_REFUSAL_H
#define SPRAAY_X402_REFUSAL_H

#include "core/error.h"

/* In the order in which an offer is examined: a later code got further. */
#define SPRAAY_REFUSALS(X)                                                                                   \
    X(NONE, "none")                                                                                          \
    X(NO_OFFER, "no_offer")           /* a 402 that asks for no payment */                                   \
    X(MALFORMED, "malformed")         /* a challenge that cannot be read */                                  \
    X(NETWORK, "network")             /* not on a network the caller pays on */                              \
    X(SCHEME, "scheme")               /* a payment scheme we do not speak */                                 \
    X(ASSET, "asset")                 /* not a token from the allow-list */                                  \
    X(DOMAIN, "domain")               /* the token under another EIP-712 name */                             \
    X(FLOW, "flow")                   /* moves money in a way we do not know */                              \
    X(PAY_TO, "pay_to")               /* to someone we were not told about */                                \
    X(AMOUNT, "amount")               /* not a sum, or zero */                                               \
    X(WINDOW, "window")               /* a cheque that lives too long or short */                            \
    X(PRICE_RAISED, "price_raised")   /* above the published price */                                        \
    X(OVER_MAX, "over_max")           /* above this call's max */                                            \
    X(OVER_PER_CALL, "over_per_call") /* above the client's per_call */

typedef enum spraay_refusal_code {
#define SPRAAY_REFUSAL_ENUM(name, text) SPRAAY_REFUSE_##name,
    SPRAAY_REFUSALS(SPRAAY_REFUSAL_ENUM)
#undef SPRAAY_REFUSAL_ENUM
} spraay_refusal_code;

typedef struct spraay_refusal {
    spraay_refusal_code code;
    char sentence[512];      /* what stands in the way */
    char hint[512];          /* what to change; may be empty */
    char offered[88];        /* whole tokens, "0.050000"; "" when no amount is at issue */
    char offered_atomic[80]; /* the same in the token's smallest unit */
    char limit[88];          /* what it was held against, whole tokens; "" if none */
} spraay_refusal;

/* The stable name of a code, e.g. "price_raised". Static. */
const char *spraay_refusal_name(spraay_refusal_code code);

/* Fill in a refusal; the sentence is a printf format, the hint is text (NULL for
 * none). Both become one line of sound UTF-8, cut at the buffers' ends: a control character
 * in what a server wrote becomes a space, a broken one a question mark. offered and limit
 * are emptied. */
void spraay_refuse(spraay_refusal *r, spraay_refusal_code code, const char *hint, const char *sentence_fmt,
                   ...) SPRAAY_PRINTF(4, 5);

#endif
