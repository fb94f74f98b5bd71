/* SPDX-License-Identifier: MIT */
/* What an HTTP answer looks like to the payment code: a status, the three headers
 * that matter, and a body. Whoever moves the bytes (libcurl, nginx, a spec) fills
 * one of these; nothing in x402/ knows how they arrived.
 *
 * Headers: x402 transport, https://github.com/x402-foundation/x402 specs/transports-v2/http.md */
#ifndef SPRAAY_X402_ANSWER_H
#define SPRAAY_X402_ANSWER_H

#include "core/bytes.h"

/* Everything is borrowed: the slices must outlive the calls they are given to.
 * A count above one means the header was repeated, which readers treat as
 * malformed: joining or choosing would be a guess about money. */
typedef struct spraay_answer {
    long status;
    spraay_slice payment_required;   /* PAYMENT-REQUIRED, base64 */
    spraay_slice payment_response;   /* PAYMENT-RESPONSE, base64 */
    spraay_slice x_payment_response; /* X-PAYMENT-RESPONSE, the V1 name */
    spraay_slice body;
    unsigned n_payment_required;
    unsigned n_payment_response;
    unsigned n_x_payment_response;
} spraay_answer;

/* Start an answer with no headers. */
void spraay_answer_init(spraay_answer *a, long status, spraay_slice body);

/* Offer one header line to the answer; names are compared without regard to case
 * and other headers are ignored. Both slices are borrowed. */
void spraay_answer_header(spraay_answer *a, spraay_slice name, spraay_slice value);

#endif
