/* SPDX-License-Identifier: MIT */
/* A challenge, read: what a server asks for a request and how it may be paid.
 *
 * The one idea: nothing of the challenge is ever written again. What goes back to the
 * server (the chosen entry, the resource, an extension) is pasted from the bytes that
 * came, so each part is kept as a raw slice next to the values read from it; and the
 * values that are checked are the values that are signed, one immutable copy.
 *
 * Reading is stricter than the official client, which runs no schema check:
 *   - the PAYMENT-REQUIRED header wins; a V1 object inside it is V1; without the header
 *     only a V1 object in the body counts, never a V2 one
 *   - a repeated header, bad base64, bad or ambiguous JSON (duplicate names), a missing
 *     resource or an empty list spoil the whole challenge
 *   - an entry that cannot be read spoils only itself: it keeps a flaw and its reason
 *
 * Formats: https://github.com/x402-foundation/x402 specs/x402-specification-v2.md section 5.1 */
#ifndef SPRAAY_X402_OFFER_H
#define SPRAAY_X402_OFFER_H

#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/error.h"
#include "x402/answer.h"
#include "x402/network.h"
#include "x402/refusal.h"

#define SPRAAY_OFFER_ENTRIES    32
#define SPRAAY_OFFER_HEADER_MAX 65536  /* bytes of base64 */
#define SPRAAY_OFFER_BODY_MAX   262144 /* bytes of a V1 body */
#define SPRAAY_OFFER_DEPTH      64

/* One way to pay. Strings are NUL-terminated, owned by the offer, NULL when absent;
 * in a flawed entry any of them may be NULL. */
typedef struct spraay_offer_entry {
    spraay_refusal_code flaw; /* SPRAAY_REFUSE_NONE: every field below was read */
    const char *flaw_why;     /* a static sentence, when flawed */
    spraay_slice raw;         /* the entry byte for byte: `accepted` */
    spraay_rail rail;
    const char *scheme;        /* "exact" */
    const char *network;       /* CAIP-2, also for V1 */
    const char *network_given; /* as the server wrote it */
    const char *amount;        /* digits, no leading zero; fits uint256 or u64 */
    const char *asset;
    const char *pay_to;
    int64_t timeout_s;     /* maxTimeoutSeconds, > 0 */
    const char *name;      /* extra.name */
    const char *version;   /* extra.version */
    const char *method;    /* extra.assetTransferMethod */
    const char *flow;      /* extra.paymentFlow */
    const char *fee_payer; /* extra.feePayer (Solana) */
    const char *memo;      /* extra.memo (Solana) */
    const char *blockhash; /* extra.recentBlockhash (Solana) */
} spraay_offer_entry;

typedef struct spraay_offer {
    int version; /* 1 or 2 */
    size_t n;    /* entries, flawed ones included: 1..32 */
    spraay_offer_entry *entries;
    const char *error;        /* text for people, or the reason of a refusal; NULL */
    const char *resource_url; /* V2 resource.url; V1 the first entry's resource; NULL */
    spraay_slice resource;    /* V2, raw; n == 0 when absent (V1) */
    spraay_slice extensions;  /* V2, raw object; n == 0 when absent or null */
    char *text;               /* private: the decoded JSON all slices point into */
    size_t text_n;
    char *strings; /* private: the unescaped strings */
} spraay_offer;

/* Read the challenge of an answer.
 *
 * Out: out   to be wiped with spraay_offer_wipe after SPRAAY_OK; zeroed otherwise
 *      why   a static sentence about what is wrong; may be NULL
 * In:  a     status 402; borrowed only for the call
 *
 * Returns SPRAAY_OK, or
 *   SPRAAY_MISSING    not a challenge: another status, no header and no V1 body
 *   SPRAAY_SYNTAX, SPRAAY_DUPLICATE, SPRAAY_DEPTH, SPRAAY_UTF8, SPRAAY_TYPE, SPRAAY_LIMIT
 *                     a challenge, but malformed, ambiguous or too large
 *   SPRAAY_VERSION    an x402Version that is neither 1 nor 2
 *   SPRAAY_NOMEM */
SPRAAY_MUST_USE spraay_err spraay_offer_read(spraay_offer *out, const spraay_answer *a, const char **why);

/* Free what an offer owns; idempotent on a zeroed offer. */
void spraay_offer_wipe(spraay_offer *o);

#endif
